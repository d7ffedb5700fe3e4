"""Which checkpoints are kept."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train_runtime import CheckpointConfig
from train_runtime._retention import Retained, TrackedCheckpoint, register

NAN = float("nan")
MISSING = None


def keep(scores: list[float | None], **settings: object) -> tuple[Retained, list[str]]:
    """What is on disk after these reports, and the names of the best from worst to best."""
    retained = Retained()
    config = CheckpointConfig(**settings)
    for index, score in enumerate(scores):
        metrics = {} if score is MISSING else {"score": score}
        retained = register(retained, TrackedCheckpoint(str(index), metrics, index), config)
    return retained, [tracked.name for tracked in retained.best(config)]


@pytest.mark.parametrize(
    ("scores", "config", "best", "on_disk"),
    [
        ([1, 2, 3], {}, "012", "012"),
        ([1, 2, 3], {"num_to_keep": 2}, "12", "12"),
        ([3, 1, 2], {"checkpoint_score_attribute": "score"}, "120", "012"),
        ([3, 1, 2], {"num_to_keep": 1, "checkpoint_score_attribute": "score"}, "0", "02"),
        ([3, 1, 2], {"num_to_keep": 2, "checkpoint_score_attribute": "score"}, "20", "02"),
        (
            [3, 1, 2],
            {"num_to_keep": 1, "checkpoint_score_attribute": "score", "checkpoint_score_order": "min"},
            "1",
            "12",
        ),
        ([1, 1, 1], {"num_to_keep": 1, "checkpoint_score_attribute": "score"}, "2", "2"),
        ([NAN, MISSING, -1e9], {"checkpoint_score_attribute": "score"}, "012", "012"),
        (
            [NAN, MISSING, 1e9],
            {"checkpoint_score_attribute": "score", "checkpoint_score_order": "min"},
            "021",
            "012",
        ),
        ([5, NAN, 1], {"num_to_keep": 1, "checkpoint_score_attribute": "score"}, "0", "02"),
    ],
)
def test_best_are_ordered_from_worst_and_latest_stays(
    scores: list[float | None], config: dict[str, object], best: str, on_disk: str
) -> None:
    retained, names = keep(scores, **config)
    assert "".join(names) == best
    assert "".join(sorted(retained.names())) == on_disk


def test_a_nested_metric_is_found_by_its_path() -> None:
    config = CheckpointConfig(num_to_keep=1, checkpoint_score_attribute="eval/loss", checkpoint_score_order="min")
    retained = register(Retained(), TrackedCheckpoint("a", {"eval": {"loss": 1.0}}, 0), config)
    retained = register(retained, TrackedCheckpoint("b", {"eval/loss": 2.0}, 1), config)
    assert [tracked.name for tracked in retained.best(config)] == ["a"]


def test_a_score_that_is_missing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    keep([MISSING], checkpoint_score_attribute="score")
    assert "'score' is not a number" in caplog.text


def test_the_same_directory_again_replaces_the_earlier_entry() -> None:
    config = CheckpointConfig(checkpoint_score_attribute="score")
    retained = register(Retained(), TrackedCheckpoint("a", {"score": 9}, 0), config)
    retained = register(retained, TrackedCheckpoint("a", {"score": 1}, 1), config)
    assert [tracked.metrics for tracked in retained.ordered] == [{"score": 1}]


@given(
    scores=st.lists(st.one_of(st.none(), st.floats(), st.integers(-3, 3)), min_size=1, max_size=30),
    num_to_keep=st.integers(1, 6),
    order=st.sampled_from(["max", "min"]),
)
def test_the_latest_is_never_deleted_and_the_k_best_are_kept(
    scores: list[float | None], num_to_keep: int, order: str
) -> None:
    sign = 1 if order == "max" else -1

    def badness(index: int) -> tuple[bool, float, int]:
        score = scores[index]
        if score is None:
            return False, sign * math.inf, -index  # -inf before the order is looked at, as on Ray
        return math.isnan(score), 0.0 if math.isnan(score) else -sign * score, -index

    k_best = sorted(range(len(scores)), key=badness)[:num_to_keep]
    retained, best = keep(
        scores, num_to_keep=num_to_keep, checkpoint_score_attribute="score", checkpoint_score_order=order
    )

    assert retained.latest is not None
    assert retained.latest.name == str(len(scores) - 1)
    assert set(map(int, best)) == set(k_best)
    assert retained.names() == {str(index) for index in k_best} | {str(len(scores) - 1)}
