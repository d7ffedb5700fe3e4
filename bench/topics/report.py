"""Reports on two workers: how many a second, and with a checkpoint of 100 MB beside a copy of its files."""

from __future__ import annotations

from dataclasses import replace

from bench.commands import bundled, interleaved, ratio, real_ray
from bench.tables import Table

_SCRIPT = "reports.py"


def measure(rounds: int) -> Table:
    """A row an engine; Ray is run once, with fewer reports."""
    commands = {
        "bundled": replace(bundled(_SCRIPT), variables={"BENCH_REPORTS": "5000", "BENCH_CHECKPOINTS": "25"}),
        "Ray": replace(real_ray(_SCRIPT), variables={"BENCH_REPORTS": "3", "BENCH_CHECKPOINTS": "5"}),
    }
    table = Table(
        "Reports on 2 workers; copy: shutil.copytree of the checkpoint's 100 MB on the same file system",
        ("", "report(metrics) a second", "with checkpoint, ms", "copy, ms", "× copy"),
    )
    for name, costs in interleaved(commands, rounds, once=["Ray"]).items():
        checkpoint, copy = costs.result("checkpoint"), costs.result("copy")
        table.add(
            name,
            f"{costs.result('rate'):,.0f}" if costs.result("rate") > 10 else f"{costs.result('rate'):.2f}",
            f"{checkpoint * 1000:.0f}",
            f"{copy * 1000:.0f}",
            ratio(checkpoint, copy),
        )
    return table
