"""Kills processes of training runs at random moments, and looks at what is left: checkpoints, processes, the result."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from training import read

_SCRIPT = Path(__file__).with_name("training.py")
_CLEAR_S = 5.0
_LONGEST_S = 0.5


@dataclass
class Tally:
    """What the kills did."""

    kills: Counter[str] = field(default_factory=Counter)
    restarts_s: list[float] = field(default_factory=list)
    clears_s: list[float] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Run:
    """One training run, whose driver is started again as often as it is killed."""

    def __init__(self, folder: Path, tally: Tally) -> None:
        self._folder = folder
        self._tally = tally
        self._latest = ""
        (folder / "tmp").mkdir()
        self._start()

    def _start(self) -> None:
        self._starts_before = len(self._starts())
        self._has_janitor = True
        # A driver without a janitor leaves its folder when it is killed.
        self._folders_before = self._folders()
        self._driver = subprocess.Popen(
            [sys.executable, str(_SCRIPT), str(self._folder)],
            cwd=self._folder,
            env={**os.environ, "TMPDIR": str(self._folder / "tmp")},
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "stderr").open("a"),
        )

    def metrics(self) -> str | None:
        """The run's last metrics, once it is done."""
        if self._driver.poll() is None:
            return None
        self.look()
        file = self._folder / "metrics"
        return file.read_text() if file.exists() else f"none: {(self._folder / 'stderr').read_text()[-2000:]}"

    def kill(self, kind: str) -> None:
        """Kill a process of this kind, if there is one."""
        victims = self._processes().get(kind)
        if not victims:
            return
        victim = random.choice(victims)
        processes = [pid for pids in self._processes().values() for pid in pids]
        now = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGTERM if kind == "driver, SIGTERM" else signal.SIGKILL)
            self._tally.kills[kind] += 1
        if kind == "janitor":
            self._has_janitor = False
        elif kind.startswith("driver"):
            self._driver.wait()
            self._tally.clears_s.append(self._cleared_s(processes, now))
            self.look()
            self._start()
        elif kind == "worker":
            self._wait_for_restart(now)

    def _processes(self) -> dict[str, list[int]]:
        driver = self._driver.pid
        if self._driver.poll() is not None:
            return {}
        children = _children(driver)
        janitors = [pid for pid in children if b"_janitor" in _command(pid)]
        fresh = [pid for pid in children if b"connect_to_driver" in _command(pid)]
        templates = [pid for pid in children if pid not in janitors + fresh]
        workers = [pid for template in templates for pid in _children(template)] + fresh
        kinds = {"worker": workers, "template": templates, "janitor": janitors}
        return {**kinds, "driver, SIGKILL": [driver], "driver, SIGTERM": [driver]}

    def _starts(self) -> list[float]:
        file = self._folder / "starts"
        return [float(line) for line in file.read_text().split()] if file.exists() else []

    def wait(self) -> None:
        """Wait for a moment to kill: mostly of the training, sometimes of the start before it."""
        seconds = random.uniform(0, _LONGEST_S)
        if random.random() < 0.2:
            seconds *= 3
        else:
            while self._driver.poll() is None and len(self._starts()) < self._starts_before + 2:
                time.sleep(0.01)
        time.sleep(seconds)

    def _wait_for_restart(self, killed_at: float) -> None:
        """Both ranks' train functions run again; unless the run ends first."""
        while self._driver.poll() is None and time.monotonic() < killed_at + 60:
            after = [start for start in self._starts() if start > killed_at]
            if len(after) >= 2:
                self._tally.restarts_s.append(after[1] - killed_at)
                return
            time.sleep(0.01)

    def _cleared_s(self, processes: list[int], since: float) -> float:
        """How long it took until nothing of the killed driver was left."""
        while True:
            passed = time.monotonic() - since
            left = [pid for pid in processes if os.path.exists(f"/proc/{pid}")]
            folders = self._folders() - self._folders_before if self._has_janitor else set()
            if not left and not folders:
                return passed
            if passed > _CLEAR_S:
                self._tally.problems.append(f"left after {_CLEAR_S} s: {left} {folders}")
                return passed
            time.sleep(0.01)

    def _folders(self) -> set[Path]:
        return set((self._folder / "tmp").glob("train_runtime_*"))

    def look(self) -> None:
        """Every checkpoint is whole, and none is older than what was there before."""
        checkpoints = sorted((self._folder / "run").glob("checkpoint_2*")) if (self._folder / "run").exists() else []
        for checkpoint in checkpoints:
            try:
                for rank in range(2):
                    read(checkpoint, rank)
            except (OSError, ValueError) as error:
                self._tally.problems.append(f"torn: {error!r}")
        latest = checkpoints[-1].name if checkpoints else ""
        if latest < self._latest:
            self._tally.problems.append(f"lost: {self._latest}, latest is {latest}")
        self._latest = latest


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


KINDS = ["worker"] * 12 + ["driver, SIGKILL"] * 2 + ["driver, SIGTERM", "template", "janitor"]


def kill_at_random(kills: int, seed: int = 0, seconds: float = float("inf")) -> Tally:
    """Train once undisturbed, then again and again with this many kills, or for so long."""
    random.seed(seed)
    tally, began, shared = Tally(), time.monotonic(), set(os.listdir("/dev/shm"))
    while not tally.metrics or (sum(tally.kills.values()) < kills and time.monotonic() - began < seconds):
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder), tally)
            while (metrics := run.metrics()) is None:
                run.wait()
                if tally.metrics and sum(tally.kills.values()) < kills:
                    run.kill(random.choice(KINDS))
            tally.metrics.append(metrics)
            if metrics != tally.metrics[0]:
                tally.problems.append(f"other metrics: {metrics}, not {tally.metrics[0]}")
    if left := {name for name in os.listdir("/dev/shm") if name.startswith(("torch_", "psm_", "sem."))} - shared:
        tally.problems.append(f"shared memory left: {left}")
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no other run after so long")
    options = parser.parse_args()
    tally = kill_at_random(options.kills, options.seed, options.seconds)
    for kind, count in sorted(tally.kills.items()):
        print(f"{kind:20} killed {count:4} times")
    print(f"{len(tally.metrics)} runs ended with {tally.metrics[0]}")
    for name, times in (("restarted", tally.restarts_s), ("cleared", tally.clears_s)):
        if times:
            print(f"{name} after {statistics.median(times):.3f} s (median), {max(times):.3f} s at most")
    print("\n".join(tally.problems) or "nothing lost, torn or left")
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
