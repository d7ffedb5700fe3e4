"""The record that the stand-ins write to, and values that compare by how they were made."""

from __future__ import annotations

import functools
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORKERS = 2


@dataclass
class Recording:
    """What one run of a program did.

    `effects` lists the calls of `project.effect`, each with the place where it ran; `fits` has an entry for each
    `fit()`: the trainer's configuration, and the framework calls of each worker.
    """

    effects: list[tuple[str, Any]] = field(default_factory=list)
    fits: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Recorder:
    """The state of a run: where the code is running, each worker's datasets, and what was recorded so far."""

    recording: Recording = field(default_factory=Recording)
    rank: int | None = None
    restored: Any = None
    calls: list[Any] = field(default_factory=list)
    shards: list[dict[str, Any]] = field(default_factory=list)
    device: str = "cpu"
    files_below: str = ""  # the folder of a checkpoint in which Transformers' files are
    trial: Any = None  # the RunConfig of the Tuner whose trial is running on current Ray

    @property
    def place(self) -> str:
        return "driver" if self.rank is None else f"worker {self.rank}"

    def call(self, name: str, *details: Any) -> None:
        """Record a call of a framework; only those that a worker makes count."""
        if self.rank is not None:
            self.calls.append((name, *details))


class Made:
    """An object that only remembers how it was made, and equals any made in the same way."""

    made_with: Any = ((), ())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.made_with = (args, tuple(sorted(kwargs.items())))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        args, kwargs = self.made_with
        inside = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs)]
        return f"{type(self).__name__}({', '.join(inside)})"


def recorded_report(recorder: Recorder, metrics: dict[str, Any], checkpoint: Any) -> None:
    """Record a report: the first worker's files by what they hold, and a folder that is still empty by its path.

    Which hook of Lightning a report comes from is no longer said, on purpose; what Transformers says of the whole run
    is in the last report only where a callback of the program's own makes it.
    """
    if isinstance(checkpoint, str):
        held: Any = checkpoint
    else:
        path = checkpoint and checkpoint.path
        held = _content(path) if path is not None and os.path.isdir(path) else path
    kept = {name: value for name, value in metrics.items() if name not in ("_report_on", "summary")}
    recorder.call("report", described(kept), held if recorder.rank == 0 else None)


def _content(folder: str) -> str:
    """What the files of a folder hold; their names are those of the trainer."""
    contents = []
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            contents.append(path.read_text())
    return ", ".join(contents)


def described(value: Any) -> Any:
    """A value in a form that compares across two runs: classes by name, objects by how they were made."""
    if isinstance(value, type):
        return f"class {value.__name__}"
    if isinstance(value, str) and value.startswith(tempfile.gettempdir()):
        return "a temporary path"
    if isinstance(value, dict):
        return {key: described(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(described(item) for item in value)
    if isinstance(value, (set, frozenset)):
        return type(value)(map(described, value))
    if isinstance(value, functools.partial):
        return "partial", value.func.__name__, described(value.args)
    if callable(value) and hasattr(value, "__code__"):
        return "function", described(value()) if not value.__code__.co_argcount else value.__name__
    if isinstance(value, Made):
        args, kwargs = value.made_with
        state = {name: described(item) for name, item in vars(value).items() if name != "made_with"}
        return type(value).__name__, described(args), described(dict(kwargs)), state
    return value
