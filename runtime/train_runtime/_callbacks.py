"""Calls the user's callbacks in the driver."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from train_runtime.errors import ControllerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from train_runtime._output import Console
    from train_runtime.callback import TrainRunContext, UserCallback
    from train_runtime.checkpoint import Checkpoint


class Callbacks:
    """The callbacks of one run, called in their order; `bool` says whether there are any."""

    def __init__(self, callbacks: Sequence[UserCallback], context: TrainRunContext, console: Console) -> None:
        self._callbacks = callbacks
        self._context = context
        self._console = console

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def after_report(self, metrics: list[dict[str, Any]], checkpoint: Checkpoint | None) -> None:
        """All workers have reported; `metrics` by rank.

        Raises:
            ControllerError: if a callback raises.
        """
        for callback in self._callbacks:
            self._call(callback.after_report, metrics=metrics, checkpoint=checkpoint)

    def after_exception(self, worker_exceptions: dict[int, Exception]) -> None:
        """Workers have failed; their exceptions by rank.

        Raises:
            ControllerError: if a callback raises.
        """
        for callback in self._callbacks:
            self._call(callback.after_exception, worker_exceptions=worker_exceptions)

    def _call(self, method: Callable[..., None], **arguments: Any) -> None:
        try:
            with self._console.aside():
                method(run_context=self._context, **arguments)
        except Exception as error:
            name = getattr(method, "__qualname__", repr(method))
            self._console.line(f"The callback {name} failed:\n{traceback.format_exc().rstrip()}")
            raise ControllerError(error) from error
