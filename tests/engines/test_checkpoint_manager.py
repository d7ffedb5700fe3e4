"""Which checkpoints are kept, and their list, against Ray 2.60's own checkpoint manager (no cluster is started)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train_runtime import CheckpointConfig
from train_runtime._retention import Retained, TrackedCheckpoint, register
from train_runtime._snapshot import NAME, Snapshot

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real_ray


CONFIG = CheckpointConfig(num_to_keep=2, checkpoint_score_attribute="eval/score")


def after(scores: list[float]) -> Snapshot:
    retained = Retained()
    for index, score in enumerate(scores):
        retained = register(retained, TrackedCheckpoint(f"at_{index}", {"eval": {"score": score}}, index), CONFIG)
    return Snapshot(retained, len(scores))


def ray_manager(folder: Path, **config: Any) -> Any:
    """Ray's checkpoint manager, which needs no cluster."""
    ray_train = pytest.importorskip("ray.train")
    from ray.train.v2._internal.execution.checkpoint.checkpoint_manager import CheckpointManager
    from ray.train.v2._internal.execution.storage import StorageContext

    class Manager(CheckpointManager):  # type: ignore[misc]
        def _notify(self) -> None:
            """Nobody waits."""

    storage = StorageContext(storage_path=str(folder), experiment_dir_name="run")
    return Manager(checkpoint_config=ray_train.CheckpointConfig(**config), storage_context=storage)


def ray_report(manager: Any, name: str, metrics: dict[str, Any]) -> None:
    from ray.train import Checkpoint
    from ray.train.v2._internal.execution.training_report import _TrainingReport

    storage = manager._storage_context
    path = storage.build_checkpoint_path_from_name(name)
    storage.storage_filesystem.create_dir(path)
    report = _TrainingReport(Checkpoint(path, storage.storage_filesystem), metrics, validation=False)
    manager.after_report(report, [metrics])


def test_either_engine_reads_the_others_list(tmp_path: Path) -> None:
    theirs = ray_manager(tmp_path, num_to_keep=2, checkpoint_score_attribute="eval/score")
    for index, score in enumerate([3, 1, 2, float("-inf"), 0]):
        ray_report(theirs, f"at_{index}", {"eval": {"score": score}})
    text = (tmp_path / "run" / NAME).read_text()
    assert Snapshot.from_text(text) == after([3, 1, 2, float("-inf"), 0])

    (tmp_path / "run" / NAME).write_text(after([3, 1, 2, float("-inf"), 0]).to_text())
    again = ray_manager(tmp_path, num_to_keep=2, checkpoint_score_attribute="eval/score")
    assert json.loads(again._save_state()) == json.loads(text)
    assert again.latest_checkpoint_result.metrics == {"eval": {"score": 0}}


SCORES = st.one_of(
    st.none(), st.floats(), st.integers(-3, 3), st.sampled_from([{"score": 1}, float("inf"), float("-inf")])
)


@settings(max_examples=300, deadline=None)
@given(
    reports=st.lists(st.tuples(st.booleans(), SCORES), min_size=1, max_size=12),
    num_to_keep=st.one_of(st.none(), st.integers(1, 4)),
    attribute=st.sampled_from([None, "score", "score/score", "eval/score"]),
    order=st.sampled_from(["max", "min"]),
)
def test_the_same_checkpoints_are_kept_as_on_ray(
    tmp_path_factory: pytest.TempPathFactory,
    reports: list[tuple[bool, Any]],
    num_to_keep: int | None,
    attribute: str | None,
    order: str,
) -> None:
    settings: dict[str, Any] = {
        "num_to_keep": num_to_keep,
        "checkpoint_score_attribute": attribute,
        "checkpoint_score_order": order,
    }
    folder = tmp_path_factory.mktemp("ray")
    manager, retained, config = ray_manager(folder, **settings), Retained(), CheckpointConfig(**settings)
    for index, (is_nested, score) in enumerate(reports):
        metrics = {} if score is None else {"eval": {"score": score}} if is_nested else {"score": score}
        ray_report(manager, f"at_{index}", metrics)
        retained = register(retained, TrackedCheckpoint(f"at_{index}", metrics, index), config)
        on_disk = {path.name for path in (folder / "run").iterdir() if path.is_dir()}
        assert retained.names() == on_disk
        best = [result.checkpoint.path.rpartition("/")[2] for result in manager.best_checkpoint_results]
        assert [tracked.name for tracked in retained.best(config)] == best
