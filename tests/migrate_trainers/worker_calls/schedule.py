"""A run of Lightning without training: three epochs of four batches, in which callbacks save and report.

`ModelCheckpoint` decides as Lightning 2.0 did when to save its last checkpoint, `RayModelCheckpoint` reports then, as
LightningTrainer's did, and `RayTrainReportCallback` at the end of each epoch, as current Ray's does.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

from worker_calls.libraries import Anything

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCHS, BATCHES = 3, 4
_BY_MODULE = "logged by the module at the end of the epoch"


class Value:
    """A logged number: where it comes from."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def item(self) -> Any:
        return self.value


class Callback(Anything):
    pass


class ModelCheckpoint(Callback):
    """When Lightning saves `last.ckpt`; which of the best are kept beside it changes no report."""

    last_model_path = ""
    _last_global_step_saved = 0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.saves_last = bool(kwargs.get("save_last"))
        self.save_weights_only = bool(kwargs.get("save_weights_only"))
        self._every_n_train_steps = kwargs.get("every_n_train_steps") or 0
        self._on_train_epoch_end = kwargs.get("save_on_train_epoch_end")

    def _should_skip_saving_checkpoint(self, trainer: Run) -> bool:
        return bool(trainer.fast_dev_run) or self._last_global_step_saved == trainer.global_step

    def _should_save_on_train_epoch_end(self, trainer: Run) -> bool:
        if self._on_train_epoch_end is not None:
            return bool(self._on_train_epoch_end)
        if trainer.check_val_every_n_epoch != 1:
            return False
        return not trainer.validates or trainer.val_check_interval == 1.0

    def _monitor_candidates(self, trainer: Run) -> dict[str, Any]:
        numbers = {"epoch": Value(trainer.current_epoch), "step": Value(trainer.global_step)}
        return {**trainer.callback_metrics, **numbers}

    def _save_last_checkpoint(self, trainer: Run, monitor_candidates: dict[str, Any]) -> None:
        if self.saves_last:
            self.last_model_path = os.path.join(trainer.folder, "last.ckpt")
            trainer.save_checkpoint(self.last_model_path, self.save_weights_only)
            self._last_global_step_saved = trainer.global_step

    def on_train_batch_end(self, trainer: Run, *args: Any, **kwargs: Any) -> None:
        due = self._every_n_train_steps >= 1 and trainer.global_step % self._every_n_train_steps == 0
        if due and not self._should_skip_saving_checkpoint(trainer):
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_epoch_end(self, trainer: Run, *args: Any, **kwargs: Any) -> None:
        if not self._should_skip_saving_checkpoint(trainer) and self._should_save_on_train_epoch_end(trainer):
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_validation_end(self, trainer: Run, *args: Any, **kwargs: Any) -> None:
        if not self._should_skip_saving_checkpoint(trainer) and not self._should_save_on_train_epoch_end(trainer):
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))


class RayModelCheckpoint(ModelCheckpoint):
    """LightningTrainer's own callback: what it saves as last, it reports at the end of the hook."""

    _pending = False

    def _save_last_checkpoint(self, trainer: Run, monitor_candidates: dict[str, Any]) -> None:
        super()._save_last_checkpoint(trainer, monitor_candidates)
        self._pending = True

    def on_train_batch_end(self, trainer: Run, *args: Any, **kwargs: Any) -> None:
        super().on_train_batch_end(trainer)
        self._report(trainer, "train_batch_end")

    def on_train_epoch_end(self, trainer: Run, *args: Any, **kwargs: Any) -> None:
        super().on_train_epoch_end(trainer)
        self._report(trainer, "train_epoch_end")

    def on_validation_end(self, trainer: Run, *args: Any, **kwargs: Any) -> None:
        super().on_validation_end(trainer)
        self._report(trainer, "validation_end")

    def _report(self, trainer: Run, hook: str) -> None:
        if self._pending:
            self._pending = False
            metrics = {name: value.item() for name, value in self._monitor_candidates(trainer).items()}
            with open(self.last_model_path) as file:
                trainer.report({"_report_on": hook, **metrics}, file.read())


class RayTrainReportCallback(Callback):
    """The callback of current Ray."""

    def on_train_epoch_end(self, trainer: Run, *args: Any) -> None:
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
        content = trainer.content(weights_only=False)
        trainer.report({**metrics, "epoch": trainer.current_epoch, "step": trainer.global_step}, content)


class Run:
    """What callbacks see as the trainer, and the loop that calls them."""

    def __init__(
        self, settings: dict[str, Any], *, rank: int, validates: bool, logs_at_end: bool, report: Callable[..., None]
    ) -> None:
        self.callbacks = settings.get("callbacks", [])
        self.fast_dev_run = settings.get("fast_dev_run", False)
        self.check_val_every_n_epoch = settings.get("check_val_every_n_epoch", 1)
        self.val_check_interval = settings.get("val_check_interval") or 1.0
        self.global_rank = self.local_rank = rank
        self.strategy = Anything("strategy")
        self.current_epoch = self.global_step = 0
        self.callback_metrics: dict[str, Any] = {}
        self.validates, self.logs_at_end, self.report = validates, logs_at_end, report
        self.folder = ""

    def content(self, *, weights_only: bool) -> str:
        """What a checkpoint of this moment holds."""
        return f"{'weights' if weights_only else 'everything'} after {self.global_step} steps"

    def save_checkpoint(self, path: str, weights_only: bool = False) -> None:
        with open(path, "w") as file:
            file.write(self.content(weights_only=weights_only))

    def run(self) -> None:
        with tempfile.TemporaryDirectory() as self.folder:
            for epoch in range(1 if self.fast_dev_run else EPOCHS):
                self.current_epoch = epoch
                for batch in range(1, BATCHES + 1):
                    self.global_step += 1
                    self.callback_metrics["loss"] = Value(("loss", self.global_step))
                    self._call("on_train_batch_end", ModelCheckpoint)
                    if self._validates_after(batch):
                        self.callback_metrics["val_loss"] = Value(("val_loss", self.global_step))
                        self._call("on_validation_end", ModelCheckpoint)
                # The module's own hook comes between callbacks and those that save checkpoints.
                self._call("on_train_epoch_end", RayTrainReportCallback)
                if self.logs_at_end:
                    self.callback_metrics[_BY_MODULE] = Value((_BY_MODULE, epoch))
                self._call("on_train_epoch_end", ModelCheckpoint)

    def _validates_after(self, batch: int) -> bool:
        interval = self.val_check_interval
        every = int(BATCHES * interval) if isinstance(interval, float) else interval
        epochs = self.check_val_every_n_epoch
        return self.validates and (self.current_epoch + 1) % epochs == 0 and batch % max(every, 1) == 0

    def _call(self, hook: str, kind: type[Callback]) -> None:
        for callback in self.callbacks:
            if isinstance(callback, kind):
                getattr(callback, hook)(self, Anything("module"), None, None, 0)
