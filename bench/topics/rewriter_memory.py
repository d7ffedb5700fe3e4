"""The rewriter's memory: it must not grow with the size of a tree, nor by the trees of files that are done."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.commands import Command, peak_memory
from bench.tables import Table

_FIXTURE = Path(__file__).parents[2] / "fixtures" / "lightning" / "chained_builder" / "before.py"
_CLEAN = b"import ray\n\n\ndef function(a, b=None):\n    return [a, b]\n" * 100
_SIZES = {"without a hit": (2_000, 20_000), "with a hit each": (200, 1_000)}


def measure(rounds: int) -> Table:
    """A row a kind of files: the most memory that all processes of a run hold at once, for few files and for many."""
    table = Table("The rewriter's peak memory, of all its processes", ("files", "few", "MB", "many", "MB", "kB a file"))
    for kind, sizes in _SIZES.items():
        data = _FIXTURE.read_bytes() if "with a" in kind else _CLEAN
        few, many = sizes
        peaks = [min(_peak(number, data) for _ in range(min(rounds, 2))) for number in sizes]
        growth = (peaks[1] - peaks[0]) * 1000 / (many - few)
        table.add(kind, f"{few:,}", f"{peaks[0]:.0f}", f"{many:,}", f"{peaks[1]:.0f}", f"{growth:.1f}")
    return table


def _peak(number: int, data: bytes) -> float:
    with tempfile.TemporaryDirectory() as folder:
        for index in range(number):
            file = Path(folder) / f"package_{index // 100}" / f"module_{index}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data)
        return peak_memory(Command((sys.executable, "-m", "migrate_trainers", "--quiet", folder)))
