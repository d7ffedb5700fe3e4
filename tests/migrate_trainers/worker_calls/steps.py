"""A run of transformers' Trainer without training: epochs of four batches, in which callbacks log, save and report.

`run` decides as Transformers 4.36 did when to log, evaluate and save, or as current releases do, which also evaluate
and save after the last step. `TrainReportCallback` reports as TransformersTrainer did, `RayTrainReportCallback` as Ray.
"""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any

BATCHES = 4


class IntervalStrategy(str, Enum):
    NO = "no"
    STEPS = "steps"
    EPOCH = "epoch"


@dataclass
class Control:
    """What the callbacks ask the Trainer to do."""

    should_log: bool = False
    should_evaluate: bool = False
    should_save: bool = False
    should_training_stop: bool = False


@dataclass
class State:
    global_step: int = 0
    epoch: float = 0.0
    log_history: list[dict[str, Any]] = field(default_factory=list)


class TrainReportCallback:
    """Reports before the next step what was logged since the last report, and saves at the end."""

    def __init__(self, report: Any) -> None:
        self.report = report
        self.pending: dict[str, Any] = {}
        self.reported: dict[str, Any] = {}
        self.checkpoint: str | None = None
        self.last_step = 0

    def on_log(self, args: Any, state: State, control: Control, logs: dict[str, Any], **_: Any) -> None:
        self.pending.update({**logs, "step": state.global_step, "epoch": state.epoch})
        self.last_step = state.global_step

    def on_save(self, args: Any, state: State, control: Control, **_: Any) -> None:
        self.checkpoint = newest(args.output_dir)

    def on_epoch_begin(self, args: Any, state: State, control: Control, **_: Any) -> None:
        self._report()

    on_step_begin = on_epoch_begin

    def on_epoch_end(self, args: Any, state: State, control: Control, **_: Any) -> None:
        if control.should_training_stop:
            if state.global_step != self.last_step:
                control.should_evaluate |= args.evaluation_strategy != "no"
                control.should_log = True
            control.should_save = True

    def on_train_end(self, args: Any, state: State, control: Control, **_: Any) -> None:
        self.pending = {**self.reported, **self.pending}
        self._report()

    def _report(self) -> None:
        if self.pending:
            self.report(self.pending, self.checkpoint)
            self.reported, self.pending, self.checkpoint = self.pending, {}, None


class RayTrainReportCallback:
    """The callback of current Ray."""

    report: Any

    def on_save(self, args: Any, state: State, control: Control, **_: Any) -> None:
        metrics: dict[str, Any] = {}
        for logs in state.log_history:
            metrics |= logs
        self.report(metrics, newest(args.output_dir))


def newest(folder: str) -> str:
    """What the checkpoint of most steps holds."""
    names = sorted(os.listdir(folder), key=lambda name: int(name.rpartition("-")[2]))
    with open(os.path.join(folder, names[-1], "state")) as file:
        return file.read()


def run(settings: dict[str, Any], callbacks: list[Any], *, evaluates_last: bool) -> None:
    """Go through the steps that a Trainer of some `TrainingArguments` would make, and call the callbacks."""
    with tempfile.TemporaryDirectory() as folder:
        _Run(settings, callbacks, folder, evaluates_last=evaluates_last).run()


class _Run:
    def __init__(self, settings: dict[str, Any], callbacks: list[Any], folder: str, *, evaluates_last: bool) -> None:
        evaluation = settings.get("eval_strategy") or settings.get("evaluation_strategy") or "no"
        self.logging = settings.get("logging_strategy", "steps")
        self.saving = settings.get("save_strategy", "steps")
        self.logs_first = settings.get("logging_first_step") is True
        self.logging_steps = _number(settings, "logging_steps", 500)
        self.save_steps = _number(settings, "save_steps", 500)
        self.eval_steps = _number(settings, "eval_steps", self.logging_steps)
        epochs = _number(settings, "num_train_epochs", 3)
        most = _number(settings, "max_steps", -1)
        self.steps = most if most > 0 else math.ceil(epochs * BATCHES)
        self.args = SimpleNamespace(output_dir=folder, eval_strategy=evaluation, evaluation_strategy=evaluation)
        self.callbacks, self.evaluates_last = callbacks, evaluates_last
        self.state, self.control = State(), Control()

    def run(self) -> None:
        while not self.control.should_training_stop:
            self._call("on_epoch_begin")
            for _ in range(BATCHES):
                self._call("on_step_begin")
                self.state.global_step += 1
                self.state.epoch = self.state.global_step / BATCHES
                self._decide_after_step()
                self._call("on_step_end")
                self._log_save_evaluate()
                if self.control.should_training_stop:
                    break
            self.control.should_log |= self.logging == "epoch"
            self.control.should_evaluate |= self.args.eval_strategy == "epoch"
            self.control.should_save |= self.saving == "epoch"
            self._call("on_epoch_end")
            self._log_save_evaluate()
        # What the Trainer says of the whole run, which Ray's callback never sees.
        self._log({"summary": self.state.global_step})
        self._call("on_train_end")

    def _decide_after_step(self) -> None:
        step, control = self.state.global_step, self.control
        control.should_log |= self.logs_first and step == 1
        control.should_log |= self.logging == "steps" and step % self.logging_steps == 0
        control.should_evaluate |= self.args.eval_strategy == "steps" and step % self.eval_steps == 0
        control.should_save |= self.saving == "steps" and step % self.save_steps == 0
        if step >= self.steps:
            control.should_training_stop = True
            control.should_evaluate |= self.evaluates_last and self.args.eval_strategy == "steps"
            control.should_save |= self.evaluates_last and self.saving == "steps"

    def _log_save_evaluate(self) -> None:
        if self.control.should_log:
            self._log({"loss": f"loss after {self.state.global_step} steps"})
        if self.control.should_evaluate:
            self._log({"eval_loss": f"loss of the evaluation after {self.state.global_step} steps"})
        if self.control.should_save:
            folder = os.path.join(self.args.output_dir, f"checkpoint-{self.state.global_step}")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, "state"), "w") as file:
                file.write(f"everything after {self.state.global_step} steps")
            self._call("on_save")
        self.control = Control(should_training_stop=self.control.should_training_stop)

    def _log(self, logs: dict[str, Any]) -> None:
        self.state.log_history.append({**logs, "step": self.state.global_step, "epoch": self.state.epoch})
        self._call("on_log", logs=logs)

    def _call(self, hook: str, **more: Any) -> None:
        for callback in self.callbacks:
            if hasattr(callback, hook):
                getattr(callback, hook)(self.args, self.state, self.control, **more)


def _number(settings: dict[str, Any], name: str, default: int) -> int:
    """A number of steps; what isn't one, as the libraries here are none, is taken for the default."""
    value = settings.get(name)
    return value if isinstance(value, (int, float)) and value else default  # type: ignore[return-value]
