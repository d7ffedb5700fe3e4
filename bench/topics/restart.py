"""A killed worker: how soon its group runs again."""

from __future__ import annotations

from bench.commands import bundled, interleaved, real_ray
from bench.tables import Table


def measure(rounds: int) -> Table:
    """A row an engine; Ray is run once."""
    commands = {"bundled": bundled("restart.py"), "Ray": real_ray("restart.py")}
    table = Table(
        "Restart: from a worker's death by SIGKILL to the train function running again on 2 workers", ("", "s")
    )
    for name, costs in interleaved(commands, rounds, once=["Ray"]).items():
        table.add(name, f"{costs.result('seconds'):.2f}")
    return table
