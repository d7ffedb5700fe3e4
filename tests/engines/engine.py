"""Runs a train script on an engine, the bundled runtime, real Ray or legacy Ray, and says what each `fit()` in it gave.

A script runs in a process, a working folder and a home folder of its own, as a user would run it. Use:

    run = BundledRuntime().run(Path("fixtures/lightning/chained_builder/after.py"))
    run.check().fits[0].metrics["val_loss"]

    with RealRay() as ray:  # starts a local cluster once, for as many scripts as are wanted
        ray.run(script)

    LegacyRay(Path(".venv-legacy")).run(legacy_script)
    PlainPython().run(script_without_ray).printed_metrics()
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent
_RECORDER = _HERE / "record_fits.py"
_CLUSTER = _HERE / "hold_cluster.py"


@dataclass(frozen=True)
class Fit:
    """What one `TorchTrainer.fit()` returned or raised."""

    metrics: dict[str, Any] | None
    checkpoints: int  # how many were kept
    files: tuple[tuple[str, ...], ...]  # of each checkpoint that was kept, by their paths in it; none of trials
    error: str | None

    @classmethod
    def read(cls, record: dict[str, Any]) -> Fit:
        """A fit that was written as JSON."""
        return cls(**{**record, "files": tuple(map(tuple, record["files"]))})


@dataclass(frozen=True)
class Run:
    """What one run of a script gave: its fits in their order, its exit status, and all that it printed."""

    script: Path
    fits: tuple[Fit, ...]
    status: int | None
    output: str

    def check(self) -> Run:
        """This run, if the script ended well; AssertionError with the end of its output otherwise."""
        ended = "ran out of time" if self.status is None else f"exited with {self.status}"
        assert self.status == 0, f"{self.script} {ended}\n{self.output[-8000:]}"
        return self

    def printed_metrics(self) -> dict[str, Any]:
        """The last JSON object that is a line of the output, or of a worker's; AssertionError if there is none."""
        objects = re.findall(r"^(?:\S*\(\w+ (?:pid=)?\d+\)\S* )?(\{\".*\})$", self.output, re.MULTILINE)
        assert objects, f"{self.script} printed no metrics\n{self.output[-8000:]}"
        metrics: dict[str, Any] = json.loads(objects[-1])
        return metrics


class Engine(Protocol):
    """Something that runs train scripts."""

    def run(self, script: Path, *, timeout_s: float = 300) -> Run:
        """Run the script as `python script.py` does."""


class BundledRuntime:
    """`python -m train_runtime script.py`."""

    def run(self, script: Path, *, timeout_s: float = 300) -> Run:
        return _run("bundled", script, timeout_s, {})


class RealRay:
    """`python script.py` with the Ray that is installed, on one small local cluster for all scripts."""

    def __init__(self) -> None:
        self._cluster = _Cluster()

    def __enter__(self) -> RealRay:
        self._cluster.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._cluster.__exit__(*details)

    def run(self, script: Path, *, keeps_row_order: bool = False, timeout_s: float = 300) -> Run:
        """Run the script, on request with Ray Data dealing out rows in their order, of which it promises none."""
        variables = {**self._cluster.environment, "RAY_ADDRESS": self._cluster.address}
        if keeps_row_order:
            variables["RECORD_FITS_KEEPS_ROW_ORDER"] = "1"
        return _run("ray", script, timeout_s, variables)


class PlainPython:
    """`python script.py`, or `torchrun --nproc-per-node 1 script.py`, for scripts that know nothing of Ray."""

    def run(self, script: Path, *, by_torchrun: bool = False, timeout_s: float = 300) -> Run:
        """Run the script with one thread, which the workers of both engines have."""
        launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1") if by_torchrun else ()
        command = [sys.executable, *launcher, str(script.resolve())]
        with _folder_of_a_run() as folder:
            status, printed = _output_of(command, folder, {"OMP_NUM_THREADS": "1"}, timeout_s)
        return Run(script, (), status, printed)


class LegacyRay:
    """`python script.py` with the Ray and the libraries that the legacy programs were written for.

    `environment` is a virtual environment with them, made by `make equivalence`; releases of Ray and Transformers other
    than its own lie in folders in it.
    """

    def __init__(self, environment: Path) -> None:
        self._environment = environment

    def run(
        self, script: Path, *, ray: str | None = None, transformers: str | None = None, timeout_s: float = 300
    ) -> Run:
        """Run the script, with releases of Ray and Transformers or those that are installed."""
        variables = {
            "OMP_NUM_THREADS": "1",
            "RAY_AIR_NEW_OUTPUT": "0",
            # These releases load checkpoints with the default that torch had then.
            "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
        }
        folders = [self._environment / name for name in (f"ray-{ray}", f"transformers-{transformers}")]
        variables["PYTHONPATH"] = os.pathsep.join(str(folder) for folder in folders if folder.is_dir())
        return _run("legacy", script, timeout_s, variables, python=self._environment / "bin" / "python")


class _Cluster:
    """A local Ray cluster, held by a process that ends it when its standard input is closed."""

    def __init__(self) -> None:
        self.environment = {
            # The controller looks at its workers, and so takes their reports, this often; its default is 2 s.
            "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
            "RAY_USAGE_STATS_ENABLED": "0",
            # Ray asks for a token and would make one in its home folder, which scripts don't share.
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
        }
        self.address = ""

    def __enter__(self) -> _Cluster:
        self._folder = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, str(_CLUSTER), self._folder.name],
            env=_environment(Path(self._folder.name), self.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            raise RuntimeError(f"no Ray cluster: its process exited with {self._process.wait()}")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # closes its input
        self._folder.cleanup()


def _run(
    engine: str, script: Path, timeout_s: float, variables: dict[str, str], *, python: Path = Path(sys.executable)
) -> Run:
    with _folder_of_a_run() as folder:
        record = folder / "fits.json"
        command = [str(python), str(_RECORDER), engine, str(record), str(script.resolve())]
        status, printed = _output_of(command, folder, variables, timeout_s)
        recorded = json.loads(record.read_text(encoding="utf-8")) if record.exists() else []
    return Run(script, tuple(map(Fit.read, recorded)), status, printed)


@contextmanager
def _folder_of_a_run() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _output_of(command: list[str], folder: Path, variables: dict[str, str], timeout_s: float) -> tuple[int | None, str]:
    """The exit status of a command that is run in a folder, None where it took too long, and all that it printed."""
    with (folder / "output.txt").open("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            command,
            env=_environment(folder, variables),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        return status, output.read()


def _environment(folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """The environment of a script whose home and temporary folders are in `folder`."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PYTHONPATH"))}
    return {
        **inherited,
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **variables,
    }
