"""Runs commands and says what they cost: time, processor time and memory, of all the processes that they start."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SCRIPTS = Path(__file__).parent / "scripts"
_RESULT = "RESULT "
_SAMPLE_S = 0.02
_LEAVE_S = 10.0

_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray asks for a token and would make one in its home folder, which commands don't share.
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


@dataclass(frozen=True)
class Command:
    """A command line, and the files that lie in the folder in which it runs."""

    arguments: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def statement(code: str) -> Command:
    """`python -c code`."""
    return Command((sys.executable, "-c", code))


def bundled(script: str) -> Command:
    """A script of `bench/scripts/` that imports `ray.train`, on the bundled runtime."""
    return Command((sys.executable, "-m", "train_runtime", script), _file(script))


def bundled_plain(script: str) -> Command:
    """The same script, if it imported `train_runtime` itself."""
    files = {script: _file(script)[script].replace("ray.train", "train_runtime")}
    return Command((sys.executable, script), files)


def real_ray(script: str) -> Command:
    """The same script on the Ray that is installed."""
    return Command((sys.executable, script), _file(script))


def torchrun(script: str) -> Command:
    """A script of `bench/scripts/` on two workers of torchrun's."""
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    return Command((*launcher, script), _file(script), {"OMP_NUM_THREADS": "1"})


def _file(script: str) -> dict[str, str]:
    return {script: (_SCRIPTS / script).read_text(encoding="utf-8")}


@dataclass(frozen=True)
class Cost:
    """What one run of a command took."""

    seconds: float
    processor_seconds: float
    output: str

    @property
    def result(self) -> Any:
        """What the script printed as its result: a line with RESULT and JSON, of whichever process."""
        line = next(line for line in self.output.splitlines() if _RESULT in line)
        return json.loads(line.partition(_RESULT)[2])


@dataclass(frozen=True)
class Costs:
    """What several runs of a command took."""

    runs: tuple[Cost, ...]

    @property
    def seconds(self) -> float:
        """The median time."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def processor_seconds(self) -> float:
        """The median of user and system time."""
        return statistics.median(run.processor_seconds for run in self.runs)

    def result(self, name: str) -> float:
        """The median of a number in the results."""
        return statistics.median(run.result[name] for run in self.runs)


def interleaved(commands: Mapping[str, Command], rounds: int, once: Iterable[str] = ()) -> dict[str, Costs]:
    """Run all commands in turn, `rounds` times, those named in `once` in the first round only.

    A round before that, not counted, fills the caches of the file system.
    """
    runs: dict[str, list[Cost]] = {name: [] for name in commands}
    single = set(once)
    for number in range(-1, rounds):
        for name, command in commands.items():
            if name in single and number != 0:
                continue
            cost = run(command)
            if number >= 0:
                runs[name].append(cost)
    return {name: Costs(tuple(costs)) for name, costs in runs.items()}


def run(command: Command) -> Cost:
    """Run a command in an empty folder, which is its home as well.

    Raises:
        RuntimeError: if it fails.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with _started(command) as started:
        started.process.wait()
        seconds = time.perf_counter() - started.at
        output = started.checked_output()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Cost(seconds, processor, output)


def peak_memory(command: Command) -> float:
    """The most memory that the command's processes hold at once, in MB: their proportional set sizes, sampled."""
    peak = 0
    with _started(command) as started:
        while started.process.poll() is None:
            peak = max(peak, sum(map(_proportional_set_size, _descendants())))
            time.sleep(_SAMPLE_S)
        started.checked_output()
    return peak / 1e6


def adopt_orphans() -> None:
    """Become the parent of processes that commands leave behind, so that they are counted, and ended."""
    set_child_subreaper = 36
    ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1)


@dataclass(frozen=True)
class _Started:
    process: subprocess.Popen[bytes]
    at: float
    output: Path

    def checked_output(self) -> str:
        text = self.output.read_text(encoding="utf-8", errors="replace")
        if self.process.returncode != 0:
            raise RuntimeError(f"{self.process.args} exited with {self.process.returncode}\n{text[-4000:]}")
        return text


@contextlib.contextmanager
def _started(command: Command) -> Iterator[_Started]:
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for file, text in command.files.items():
            (folder / file).write_text(text, encoding="utf-8")
        temporary = folder / "tmp"
        temporary.mkdir()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            **_ENVIRONMENT,
            **command.variables,
            "HOME": name,
            "TMPDIR": str(temporary),
        }
        output = folder / "output.txt"
        with output.open("wb") as file:
            at = time.perf_counter()
            process = subprocess.Popen(
                command.arguments,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            yield _Started(process, at, output)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            _see_off_orphans()


def _see_off_orphans() -> None:
    """Wait for the processes that the command has left; end those that stay."""
    deadline = time.monotonic() + _LEAVE_S
    while left := _descendants():
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if time.monotonic() > deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(_SAMPLE_S)


def _descendants() -> list[int]:
    """The process ids of this process's children, and theirs."""
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            process = waiting.pop()
            for task in os.listdir(f"/proc/{process}/task"):
                children = Path(f"/proc/{process}/task/{task}/children").read_text(encoding="ascii").split()
                waiting += map(int, children)
                found += map(int, children)
    return found


def _proportional_set_size(pid: int) -> int:
    """In bytes; 0 for a process that has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)


def ratio(value: float, reference: float) -> str:
    """`value` in terms of `reference`, for a table."""
    return f"{value / reference:.2f} ×"
