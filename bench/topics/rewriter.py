"""The rewriter: a hook without a hit, a large tree without a hit, and files with one."""

from __future__ import annotations

import shutil
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.commands import Command, interleaved, ratio, statement
from bench.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable

_INSTALLED = Path(sysconfig.get_path("purelib"))
_FIXTURE = Path(__file__).parents[2] / "fixtures" / "lightning" / "chained_builder" / "before.py"
_FILLER = b"""

def function_%d(a, b=None, *args, **kwargs):
    value = [a, b]
    for item in value:
        print(item, args, key=kwargs.get('x'))
    return value
"""
_TREE_FILES = 20_000
_HOOK_FILES = 5


def measure(rounds: int) -> Table:
    """A row a task, each beside what it has to be compared with."""
    from migrate_trainers.reading.prefilter import NEEDLES, OLD_API

    table = Table("The rewriter, medians", ("", "ms", "CPU ms", "beside", "ms", "CPU ms", "×"))
    with tempfile.TemporaryDirectory() as folder:
        tree = _tree(Path(folder) / "tree")
        hook = [str(file) for file in sorted(tree.rglob("*.py"))[:_HOOK_FILES]]
        pattern = "|".join(needle.decode() for needles in (NEEDLES, *OLD_API.values()) for needle in needles)
        pairs = {
            f"a hook on {_HOOK_FILES} files without a hit": (_tool(*hook), "import click", statement("import click")),
            f"a tree of {_TREE_FILES:,} files without a hit": (
                _tool("--check", str(tree)),
                "grep -rlE",
                Command(("sh", "-c", f"grep -rlE '{pattern}' '{tree}' || true")),
            ),
        }
        for task, (tool, name, other) in pairs.items():
            costs = interleaved({"tool": tool, "other": other}, rounds)
            own, beside = costs["tool"], costs["other"]
            table.add(
                task,
                f"{own.seconds * 1000:.0f}",
                f"{own.processor_seconds * 1000:.0f}",
                name,
                f"{beside.seconds * 1000:.0f}",
                f"{beside.processor_seconds * 1000:.0f}",
                ratio(own.seconds, beside.seconds),
            )
    for task, data in _hits().items():
        own_ms, beside_ms = _per_file(data, rounds)
        table.add(task, f"{own_ms:.1f}", "", "libcst parse + code", f"{beside_ms:.1f}", "", ratio(own_ms, beside_ms))
    return table


def _tool(*arguments: str) -> Command:
    return Command((sys.executable, "-m", "migrate_trainers", *arguments))


def _tree(folder: Path) -> Path:
    """Files of the environment that hold no legacy name, as many as are wanted."""
    from migrate_trainers.reading.prefilter import may_use_legacy_name, read

    number = 0
    while number < _TREE_FILES:
        for file in sorted(_INSTALLED.rglob("*.py")):
            if number < _TREE_FILES and not may_use_legacy_name(read(str(file))):
                # A package of a hundred files each.
                copy = folder / f"package_{number // 100}" / f"module_{number}.py"
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
                number += 1
    return folder


def _hits() -> dict[str, bytes]:
    """Programs with one trainer and more or less code behind it, by what they are."""
    legacy = _FIXTURE.read_bytes()
    programs = [legacy + b"".join(_FILLER % number for number in range(count)) for count in (0, 40, 1700)]
    return {f"a file with a hit, {program.count(chr(10).encode()):,} lines": program for program in programs}


def _per_file(data: bytes, rounds: int) -> tuple[float, float]:
    """Milliseconds for migrating a source, and for parsing and generating it with libcst alone."""
    import libcst as cst

    from migrate_trainers import migrate_source

    assert migrate_source(data).migrated == 1
    text = data.decode()
    tool: list[float] = []
    other: list[float] = []
    for _ in range(rounds):
        tool.append(_seconds(lambda: migrate_source(data)))
        other.append(_seconds(lambda: cst.parse_module(text).code))
    return median(tool) * 1000, median(other) * 1000


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
