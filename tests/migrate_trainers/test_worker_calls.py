"""The stand-ins do what was observed of the real ones: when LightningTrainer reported, and what it kept."""

from __future__ import annotations

import pytest
from rewriting import SCALING, lightning
from worker_calls import recorded

LOGGING = """
class Logging(pl.LightningModule):
    def on_train_epoch_end(self):
        self.log("total", 1)
"""


# Three epochs of four batches, on Ray 2.7 with Lightning 2.0: the steps of the reports.
@pytest.mark.parametrize(
    ("builder", "steps"),
    [
        ("", [4, 8, 12]),
        (".checkpointing(monitor='loss', mode='max', save_top_k=2, every_n_epochs=2)", [4, 8, 12]),
        (".checkpointing(save_top_k=0)", [4, 8, 12]),
        (".checkpointing(every_n_train_steps=3)", [3, 4, 6, 8, 9, 12]),
        (".trainer(val_check_interval=0.5)", [2, 4, 6, 8, 10, 12]),
        (".trainer(val_check_interval=2)", [2, 4, 6, 8, 10, 12]),
        (".trainer(check_val_every_n_epoch=2)", [8]),
        (".trainer(fast_dev_run=True)", []),
        (".checkpointing(save_on_train_epoch_end=False)", [4, 8, 12]),
        (".module(Logging)", [4, 8, 12]),
    ],
)
def test_reports_of_the_legacy_trainer(builder: str, steps: list[int]) -> None:
    (fit,) = recorded(lightning(builder, before=LOGGING), version=(2, 6)).fits

    for rank, calls in enumerate(fit["workers"]):
        reports = [call[1:] for call in calls if call[0] == "report"]
        assert [metrics["step"] for metrics, _ in reports] == steps
        assert [metrics["epoch"] for metrics, _ in reports] == [(step - 1) // 4 for step in steps]
        assert [held is not None for _, held in reports] == [rank == 0 for _ in steps]


def test_values_that_the_module_logs_last_are_reported_at_once() -> None:
    (fit,) = recorded(lightning(".module(Logging)", before=LOGGING), version=(2, 6)).fits

    first = next(call[1] for call in fit["workers"][0] if call[0] == "report")
    assert [name for name in first if "logged by the module" in name]


def test_checkpoints_hold_weights_only_where_that_was_asked_for() -> None:
    held = {}
    for weights_only in (True, False):
        program = lightning(f".checkpointing(save_weights_only={weights_only})")
        (fit,) = recorded(program, version=(2, 6)).fits
        held[weights_only] = [call[2] for call in fit["workers"][0] if call[0] == "report"]

    assert held[True] == [f"weights after {steps} steps" for steps in (4, 8, 12)]
    assert held[False] == [f"everything after {steps} steps" for steps in (4, 8, 12)]


@pytest.mark.parametrize(
    ("version", "builder", "kept"),
    [
        ((2, 5), "", (None, None)),
        ((2, 6), "", (1, None)),
        ((2, 6), ".checkpointing(save_top_k=-1)", (None, None)),
        ((2, 6), ".checkpointing(save_top_k=0)", (1, None)),
        ((2, 6), ".checkpointing(monitor='loss', save_top_k=3)", (3, ("loss", "min"))),
        ((2, 6), ".checkpointing(monitor='loss', mode='max')", (1, ("loss", "max"))),
    ],
)
def test_checkpoints_that_the_legacy_trainer_kept(
    version: tuple[int, int], builder: str, kept: tuple[int | None, tuple[str, str] | None]
) -> None:
    (fit,) = recorded(lightning(builder), version=version).fits

    assert (fit["configuration"]["num_to_keep"], fit["configuration"]["score"]) == kept


def test_ray_tells_current_programs_what_it_no_longer_takes() -> None:
    with pytest.raises(TypeError, match="resume_from_checkpoint"):
        recorded(
            "from ray.train.torch import TorchTrainer\nfrom ray.train import ScalingConfig\n"
            f"TorchTrainer(print, scaling_config={SCALING}, resume_from_checkpoint=1)"
        )
