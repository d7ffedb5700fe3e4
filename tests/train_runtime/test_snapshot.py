"""The list of checkpoints as a file."""

from __future__ import annotations

import pytest

from train_runtime import CheckpointConfig
from train_runtime._retention import Retained, TrackedCheckpoint, register
from train_runtime._snapshot import Snapshot

CONFIG = CheckpointConfig(num_to_keep=2, checkpoint_score_attribute="eval/score")


def after(scores: list[float]) -> Snapshot:
    retained = Retained()
    for index, score in enumerate(scores):
        retained = register(retained, TrackedCheckpoint(f"at_{index}", {"eval": {"score": score}}, index), CONFIG)
    return Snapshot(retained, len(scores))


def test_what_is_written_is_read() -> None:
    for snapshot in (Snapshot(Retained(), 0), after([3, 1, 2, float("-inf"), 0])):
        assert Snapshot.from_text(snapshot.to_text()) == snapshot


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"checkpoint_results": [1]}', '{"checkpoint_results": []'])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Snapshot.from_text(text)
