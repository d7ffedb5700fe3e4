"""Lets checkpoints reach the disk while training goes on.

A process that ends loses nothing that it has written: that is the system's to keep. A power failure does lose it until
the disk has it, and waiting for that takes several times as long as writing. So it is waited for in a thread, and what
the new checkpoint replaces is deleted only then: at any instant, what `DURABLE_NAME` lists is on the disk.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from train_runtime import _snapshot

if TYPE_CHECKING:
    from train_runtime._folder import RunFolder
    from train_runtime._snapshot import Snapshot

DURABLE_NAME = f".{_snapshot.NAME}.durable"


@dataclass
class _Work:
    """What is to be waited for, then written, then deleted, in this order."""

    snapshot: Snapshot
    unsynced: set[str] = field(default_factory=set)
    doomed: set[str] = field(default_factory=set)


class WriteBehind:
    """One thread that makes one state of the run after the other durable, leaving out those that are overtaken."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._condition = threading.Condition()
        self._waiting: _Work | None = None
        self._is_working = False
        self._doomed: set[str] = set()
        self._error: Exception | None = None

    @property
    def doomed(self) -> frozenset[str]:
        """The checkpoints that have not been deleted yet."""
        with self._condition:
            return frozenset(self._doomed)

    def submit(self, snapshot: Snapshot, new: str) -> None:
        """Have the checkpoint `new` and the snapshot that lists it reach the disk, then delete those doomed there."""
        with self._condition:
            work = self._waiting or _Work(snapshot)
            work.snapshot = snapshot
            work.doomed = set(snapshot.doomed)
            self._doomed |= work.doomed
            work.unsynced = (work.unsynced | {new}) - work.doomed
            self._waiting = work
            if not self._is_working:
                self._is_working = True
                threading.Thread(target=self._run, name="train_runtime-storage", daemon=True).start()

    @property
    def is_behind(self) -> bool:
        """Whether something has not reached the disk, or waits to be deleted."""
        with self._condition:
            return self._is_working

    def check(self) -> None:
        """Raise the error that the thread met, if any.

        Raises:
            Exception: what the folder raised: OSError for a local one.
        """
        with self._condition:
            error, self._error = self._error, None
        if error is not None:
            raise error

    def drain(self) -> None:
        """Wait until nothing is left to do.

        Raises:
            Exception: as `check`.
        """
        with self._condition:
            self._condition.wait_for(lambda: not self._is_working)
        self.check()

    def _run(self) -> None:
        while True:
            with self._condition:
                work, self._waiting = self._waiting, None
                if work is None:
                    self._is_working = False
                    self._condition.notify_all()
                    return
            try:
                if work.snapshot.boot is not None:
                    for name in work.unsynced:
                        self._folder.sync(name)
                    self._folder.write(DURABLE_NAME, work.snapshot.to_text(), sync=True)
                for name in work.doomed:
                    self._folder.delete(name)
                with self._condition:
                    self._doomed -= work.doomed
            except Exception as error:
                with self._condition:
                    self._error = error
