"""Scripts that train, with each framework: the bundled runtime beside real Ray, with the same numbers."""

from __future__ import annotations

from bench.commands import bundled, interleaved, ratio, real_ray
from bench.tables import Table

_FRAMEWORKS = ("torch", "lightning", "transformers", "accelerate")


def measure(rounds: int) -> Table:
    """A row a framework; Ray is run once.

    Raises:
        AssertionError: if the two did not compute the same.
    """
    table = Table("Whole scripts on 2 workers", ("", "bundled, s", "Ray, s", "faster"))
    for framework in _FRAMEWORKS:
        script = f"whole_{framework}.py"
        costs = interleaved({"bundled": bundled(script), "Ray": real_ray(script)}, rounds, once=["Ray"])
        results = [run.result for cost in costs.values() for run in cost.runs]
        assert all(result == results[0] for result in results), results
        ours, its = costs["bundled"].seconds, costs["Ray"].seconds
        table.add(framework, f"{ours:.2f}", f"{its:.2f}", ratio(its, ours))
    return table
