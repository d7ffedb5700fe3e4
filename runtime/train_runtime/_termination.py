"""What SIGTERM and SIGHUP do to a driver in `fit()`: the run ends as after Ctrl-C, then the driver as it would have."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class _Terminated(BaseException):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def clean() -> Iterator[None]:
    """Within this, the signals unwind the stack before they end the process.

    Those for which the program has a handler of its own, or that it ignores, are left alone; so are all of them outside
    of the main thread, where Python handles none.
    """
    ours: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        ours = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in ours:
            signal.signal(number, _raise)
        yield
    except _Terminated as terminated:
        signal.signal(terminated.number, signal.SIG_DFL)
        os.kill(os.getpid(), terminated.number)
        # The first process of a container does not die of it.
        raise SystemExit(128 + terminated.number) from None
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    # A second signal must not interrupt the unwinding.
    for other in _SIGNALS:
        if signal.getsignal(other) is _raise:
            signal.signal(other, signal.SIG_IGN)
    raise _Terminated(number)
