"""Runs the scenarios again and again, and prints how often the right rank and cause were blamed, and how fast."""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scenarios import SCENARIOS, Fault, Scenario, train

from train_runtime import RunConfig, ScalingConfig, TorchConfig, TorchTrainer, WorkerGroupError


@dataclass(frozen=True)
class Outcome:
    """How one run of a scenario ended."""

    right_rank: bool
    right_cause: bool
    stopped_s: float
    message: str


def run(scenario: Scenario, rng: random.Random, folder: Path) -> Outcome:
    """Run the scenario once, with 2 to 4 workers."""
    workers = rng.choice([2, 2, 3, 4])
    fault = Fault(rng.randrange(workers), rng.randrange(3), str(folder / "moment"))
    fault.forget()
    trainer = TorchTrainer(
        train,
        train_loop_config={"scenario": scenario.name, "fault": fault},
        torch_config=TorchConfig(timeout_s=scenario.timeout_s),
        scaling_config=ScalingConfig(num_workers=workers),
        run_config=RunConfig(storage_path=folder, name="run"),
    )
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            trainer.fit()
        except WorkerGroupError as error:
            stopped_s = time.monotonic() - scenario.slack_s - fault.when()
            blamed = next(iter(error.worker_failures))
            message = str(error)
            return Outcome(
                blamed == fault.culprit,
                re.search(scenario.cause, message) is not None,
                stopped_s,
                f"{workers} workers, culprit {fault.culprit}, blamed {list(error.worker_failures)}\n{message}",
            )
    return Outcome(False, False, float("inf"), "no error")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="of each scenario")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--show", action="store_true", help="print an error of each scenario")
    options = parser.parse_args()

    print(f"{'scenario':32} {'runs':>5} {'rank':>5} {'cause':>5} {'median s':>9} {'max s':>7}")
    wrong = []
    for scenario in SCENARIOS.values():
        if options.only not in scenario.name:
            continue
        rng = random.Random(f"{options.seed} {scenario.name}")
        with tempfile.TemporaryDirectory() as folder:
            outcomes = [run(scenario, rng, Path(folder)) for _ in range(options.runs)]
        times = [outcome.stopped_s for outcome in outcomes]
        print(
            f"{scenario.name:32} {len(outcomes):5} {sum(outcome.right_rank for outcome in outcomes):5} "
            f"{sum(outcome.right_cause for outcome in outcomes):5} {statistics.median(times):9.3f} {max(times):7.3f}",
            flush=True,
        )
        bad = [outcome for outcome in outcomes if not (outcome.right_rank and outcome.right_cause)]
        wrong += bad
        for outcome in bad[:1] or (outcomes[:1] if options.show else []):
            print(outcome.message)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
