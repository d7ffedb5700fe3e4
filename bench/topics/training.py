"""Training itself: the same loop on two workers of the bundled runtime and of torchrun."""

from __future__ import annotations

from dataclasses import replace

from bench.commands import bundled, interleaved, ratio, torchrun
from bench.tables import Table

_SCRIPT = "train_loop.py"
_STEPS = {"BENCH_STEPS": "800"}


def measure(rounds: int) -> Table:
    """Steps a second, torchrun's first.

    Raises:
        AssertionError: if the two did not compute the same.
    """
    launched, served = torchrun(_SCRIPT), bundled(_SCRIPT)
    costs = interleaved(
        {
            "torchrun": replace(launched, variables={**launched.variables, **_STEPS}),
            "bundled": replace(served, variables=_STEPS),
        },
        rounds,
    )
    results = [(run.result["loss"], run.result["threads"]) for cost in costs.values() for run in cost.runs]
    assert len(set(results)) == 1, results
    table = Table("Training: steps a second of the same loop", ("", "steps/s", "× torchrun"))
    for name, cost in costs.items():
        table.add(name, f"{cost.result('rate'):.1f}", ratio(cost.result("rate"), costs["torchrun"].result("rate")))
    return table
