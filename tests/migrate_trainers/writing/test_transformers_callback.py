"""The callback class that is written into programs, with the installed Transformers: it reports when the legacy did."""

from __future__ import annotations

import ast
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from rewriting import SCALING, TRANSFORMERS_IMPORTS, after, migrate

if TYPE_CHECKING:
    from pathlib import Path

Report = tuple[int, set[str], str | None]

PROGRAM = f"""{TRANSFORMERS_IMPORTS}
def init(train_dataset, eval_dataset=None, **config):
    return Trainer(make_model(), TrainingArguments("out", save_strategy="no"))


TransformersTrainer(init, scaling_config={SCALING}).fit()
"""
# What a report says beside the step and the epoch.
LOSS, EVALUATED = {"loss"}, {"loss", "eval_loss"}
LAST, LAST_EVALUATED = LOSS | {"train_loss"}, EVALUATED | {"train_loss"}
EPOCHS = {"logging_strategy": "epoch"}
STEPS = {"logging_strategy": "steps", "logging_steps": 2}
EVERY_EPOCH, EVERY_2_STEPS = {"eval_strategy": "epoch"}, {"eval_strategy": "steps", "eval_steps": 2}
SAVES_NOT, SAVES_BY_EPOCH = {"save_strategy": "no"}, {"save_strategy": "epoch"}
SAVES_EVERY_4_STEPS = {"save_strategy": "steps", "save_steps": 4}

# Epochs of four batches. All but the last were observed of Ray 2.6.3's TransformersTrainer with Transformers 4.36.2, in
# which batches that are left when gradients are accumulated make no step.
SCHEDULES: dict[str, tuple[dict[str, Any], list[Report]]] = {
    "saves by epoch": ({**EPOCHS, **SAVES_BY_EPOCH}, [(4, LOSS, "4"), (8, LAST, "8")]),
    "saves nothing": ({**EPOCHS, **SAVES_NOT}, [(4, LOSS, None), (8, LAST, "8")]),
    "evaluates by epoch": (
        {**EPOCHS, **EVERY_EPOCH, **SAVES_BY_EPOCH},
        [(4, EVALUATED, "4"), (8, LAST_EVALUATED, "8")],
    ),
    "evaluates by epoch, saves nothing": (
        {**EPOCHS, **EVERY_EPOCH, **SAVES_NOT},
        [(4, EVALUATED, None), (8, LAST_EVALUATED, "8")],
    ),
    "ends within an epoch": (
        {**EPOCHS, **EVERY_EPOCH, **SAVES_BY_EPOCH, "max_steps": 5},
        [(4, EVALUATED, "4"), (5, LAST_EVALUATED, "5")],
    ),
    "logs the first step": (
        {**EPOCHS, **SAVES_BY_EPOCH, "logging_first_step": True},
        [(1, LOSS, None), (4, LOSS, "4"), (8, LAST, "8")],
    ),
    "logs by steps": (
        {**STEPS, **SAVES_NOT},
        [(2, LOSS, None), (4, LOSS, None), (6, LOSS, None), (8, LAST, "8")],
    ),
    "saves by steps": (
        {**STEPS, **SAVES_EVERY_4_STEPS, "max_steps": 6},
        [(2, LOSS, None), (4, LOSS, "4"), (6, LAST, "6")],
    ),
    "ends between logs": (
        {**STEPS, **SAVES_EVERY_4_STEPS, "max_steps": 5},
        [(2, LOSS, None), (4, LOSS, "4"), (5, LAST, "5")],
    ),
    "ends between evaluations": (
        {**STEPS, **EVERY_2_STEPS, **SAVES_NOT, "max_steps": 5},
        [(2, EVALUATED, None), (4, EVALUATED, None), (5, LAST_EVALUATED, "5")],
    ),
    "ends with an evaluation": (
        {**STEPS, **EVERY_2_STEPS, **SAVES_EVERY_4_STEPS},
        [(2, EVALUATED, None), (4, EVALUATED, "4"), (6, EVALUATED, None), (8, LAST_EVALUATED, "8")],
    ),
    "logs nothing but the end": ({"max_steps": 3}, [(3, LAST, "3")]),
    "is stopped between logs": (
        {**STEPS, **EVERY_2_STEPS, **SAVES_NOT, "stops after": 3},
        [(2, EVALUATED, None), (3, LAST_EVALUATED, "3")],
    ),
    "is stopped within an epoch": (
        {**EPOCHS, **EVERY_EPOCH, **SAVES_BY_EPOCH, "stops after": 3},
        [(3, LAST_EVALUATED, "3")],
    ),
    "accumulates gradients": (
        {**EPOCHS, **SAVES_NOT, "gradient_accumulation_steps": 3},
        [(2, LOSS, None), (4, LAST, "4")],
    ),
}


@pytest.mark.parametrize(("settings", "expected"), SCHEDULES.values(), ids=SCHEDULES.keys())
def test_reports_when_the_legacy_trainer_did(
    settings: dict[str, Any], expected: list[Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # A run in the same folder before this one went further.
    (tmp_path / "out" / "checkpoint-999").mkdir(parents=True)

    reports = reports_of_a_run(dict(settings))

    shown = {"loss", "eval_loss", "train_loss"}
    assert [(metrics["step"], shown & metrics.keys(), held) for metrics, held in reports] == expected
    assert [metrics["epoch"] for metrics, _ in reports if "gradient_accumulation_steps" not in settings] == [
        step / 4 for step, _, _ in expected if "gradient_accumulation_steps" not in settings
    ]


def reports_of_a_run(settings: dict[str, Any]) -> list[tuple[dict[str, Any], str | None]]:
    """The metrics of each report of a tiny Trainer on one worker, and after how many steps its checkpoint was made."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")

    class Line(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.line = torch.nn.Linear(1, 1)

        def forward(self, x: Any, labels: Any) -> dict[str, Any]:
            y = self.line(x)
            return {"loss": ((y - labels) ** 2).mean(), "y": y}

    class Stop(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_training_stop |= state.global_step >= stops_after

    stops_after = settings.pop("stops after", 100)
    rows = [{"x": torch.tensor([number / 8]), "labels": torch.tensor([1.0])} for number in range(8)]
    arguments = transformers.TrainingArguments(
        **{"output_dir": "out", "num_train_epochs": 2, **settings},
        per_device_train_batch_size=2,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    trainer = transformers.Trainer(Line(), arguments, train_dataset=rows, eval_dataset=rows, callbacks=[Stop()])
    reports: list[tuple[dict[str, Any], str | None]] = []

    def report(metrics: dict[str, Any], checkpoint: str | None = None) -> None:
        assert checkpoint is None or os.path.isfile(os.path.join(checkpoint, "trainer_state.json"))
        reports.append((dict(metrics), checkpoint and checkpoint.rpartition("-")[2]))

    trainer.add_callback(_callback_class(transformers.TrainerCallback, report)())
    trainer.train()
    return reports


def _callback_class(base: type, report: Any) -> Any:
    """The class in the output for a program, with stand-ins for what it takes of Ray."""
    tree = ast.parse(after(migrate(PROGRAM)))
    definition = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    names: dict[str, Any] = {
        "os": os,
        "TrainerCallback": base,
        "Checkpoint": SimpleNamespace(from_directory=str),
        "ray": SimpleNamespace(
            train=SimpleNamespace(report=report, get_context=lambda: SimpleNamespace(get_local_rank=lambda: 0))
        ),
    }
    exec(compile(ast.Module([definition], []), "<callback>", "exec"), names)
    return names[definition.name]
