"""Workers are forked from a template process, and are otherwise what fresh processes are."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from train_runtime import (
    Checkpoint,
    FailureConfig,
    WorkerDiedError,
    WorkerGroupError,
    _template,
    get_checkpoint,
    report,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Fit, RunScript


class RunPlainly(Protocol):
    def __call__(self, source: str) -> subprocess.CompletedProcess[str]: ...


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every worker is a fresh process")

SCRIPT = """
import os, sys
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

def train():
    loaded = sorted(name for name in ("torch", "lightning.pytorch", "pytorch_lightning") if name in sys.modules)
    print(loaded, os.getppid() != DRIVER)
    {in_function}

DRIVER = os.getpid()
TorchTrainer(train, scaling_config=ScalingConfig(num_workers=2), run_config=RunConfig(storage_path="results")).fit()
"""


@pytest.fixture
def template(monkeypatch: pytest.MonkeyPatch) -> Iterator[_template.Template]:
    """A template that is the test's own."""
    monkeypatch.setattr(_template._Holder, "template", None)
    template = _template.current()
    assert template is not None
    yield template
    template.end()


def lines(completed: subprocess.CompletedProcess[str]) -> list[str]:
    assert completed.returncode == 0, completed.stderr
    return sorted(completed.stdout.splitlines())


@pytest.fixture
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed library, named as a well-known one; the file holds the process ids that imported it."""
    file = tmp_path / "imports"
    package = tmp_path / "site-packages" / "torchvision" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text(f"import os\nwith open({str(file)!r}, 'a') as file:\n    print(os.getpid(), file=file)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package.parents[1]), *sys.path]))
    return file


def test_a_library_is_imported_once_for_all_workers(run_script: RunScript, imports: Path) -> None:
    completed = run_script(SCRIPT.format(in_function="import torchvision"))
    assert lines(completed) == ["(rank 0) ['torch'] True", "(rank 1) ['torch'] True"]
    assert len(imports.read_text().splitlines()) == 1


def add_to_library(imports: Path, source: str) -> None:
    with (imports.with_name("site-packages") / "torchvision" / "__init__.py").open("a") as file:
        file.write(source)


def test_a_library_that_the_script_imports_is_imported_once(run_script: RunScript, imports: Path) -> None:
    completed = run_script("import torch\nimport torchvision" + SCRIPT.format(in_function="torchvision.__name__"))
    assert lines(completed) == ["(rank 0) ['torch'] True", "(rank 1) ['torch'] True"]
    assert len(imports.read_text().splitlines()) == 1


def test_a_library_sees_the_variables_that_the_script_sets_before(run_script: RunScript, imports: Path) -> None:
    add_to_library(imports, "SEEN = os.environ.get('HF_SEEN'), os.environ.get('OMP_NUM_THREADS')\n")
    source = (
        "import os\nos.environ['HF_SEEN'] = 'yes'\nos.environ['OMP_NUM_THREADS'] = '3'\nimport torch, torchvision\n"
    )
    in_function = "print(torchvision.SEEN, os.environ['HF_SEEN'], torch.get_num_threads())"
    completed = run_script(source + SCRIPT.format(in_function=in_function))
    assert [line for line in lines(completed) if "yes" in line] == [
        "(rank 0) ('yes', '3') yes 3",
        "(rank 1) ('yes', '3') yes 3",
    ]
    assert len(imports.read_text().splitlines()) == 1


def test_a_driver_with_a_thread_is_not_forked(run_script: RunScript, imports: Path) -> None:
    add_to_library(imports, "import sys, threading\nif 'train_runtime._template_process' not in sys.modules:\n")
    add_to_library(imports, "    threading.Thread(target=threading.Event().wait, daemon=True).start()\n")
    completed = run_script("import torchvision\n" + SCRIPT.format(in_function="torchvision.__name__"))
    assert lines(completed) == ["(rank 0) ['torch'] True", "(rank 1) ['torch'] True"]
    assert len(imports.read_text().splitlines()) == 2, "by the driver and the template"


def test_a_driver_that_has_imported_a_module_of_the_users_is_not_forked(run_script: RunScript, tmp_path: Path) -> None:
    (tmp_path / "evaluate.py").write_text("import os\nPID = os.getpid()")
    in_function = "print('own', evaluate.PID == os.getpid())"
    completed = run_script("import evaluate\n" + SCRIPT.format(in_function=in_function))
    assert [line for line in lines(completed) if "own" in line] == ["(rank 0) own True", "(rank 1) own True"]


LINKS = """
def LINKS():
    folder = "/proc/self/fd"
    return [os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder) if os.path.lexists(f"{folder}/{fd}")]
"""


def test_a_forked_worker_has_nothing_of_the_drivers(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    in_function = (
        "import __main__; print('TorchTrainer' in vars(__main__), os.fstat(0).st_rdev == os.stat(os.devnull).st_rdev, "
        f"{os.readlink(f'/proc/self/fd/{writing}')!r} in LINKS(), sys.stdout.line_buffering, sys.argv, "
        "os.getsid(0) == os.getpid())"
    )
    source = "import torch\n" + SCRIPT.format(in_function=in_function).replace("DRIVER =", f"{LINKS}\nDRIVER =")
    (tmp_path / "script.py").write_text(f"{source}\nprint('end')")
    command = [sys.executable, "-m", "train_runtime", "script.py", "--flag"]
    with (tmp_path / "output").open("w+") as output:
        subprocess.run(
            command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=output, check=True, timeout=60, pass_fds=[writing]
        )
        output.seek(0)
        *printed, last = output.read().splitlines()
    os.close(reading)
    os.close(writing)
    assert last == "end"
    assert sorted(printed) == [
        f"(rank {rank}) {line}"
        for rank in (0, 1)
        for line in ("False True False True ['script.py', '--flag'] True", "['torch'] True")
    ]


@pytest.fixture
def run_plainly(tmp_path: Path) -> RunPlainly:
    """Run a script that imports `train_runtime` with `python script.py`."""

    def run_plainly(source: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "script.py").write_text(source.replace("ray.train", "train_runtime"))
        command = [sys.executable, "script.py"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    return run_plainly


@pytest.mark.parametrize(
    "line", ["import os, sys, torch, torchvision\n", "import torch\nprint(end='')\nimport torchvision\n"]
)
def test_a_plain_script_that_does_other_things_first_is_not_forked(
    run_plainly: RunPlainly, imports: Path, line: str
) -> None:
    completed = run_plainly(line + SCRIPT.format(in_function="torchvision.__name__"))
    assert lines(completed) == ["(rank 0) ['torch'] True", "(rank 1) ['torch'] True"]
    assert len(imports.read_text().splitlines()) == (2 if "print" in line else 1)


def test_a_plain_scripts_later_imports_come_before_the_fork(run_plainly: RunPlainly, imports: Path) -> None:
    add_to_library(imports, "import warnings; warnings.warn(os.environ['SEEN'], stacklevel=2)\n")
    later = "import os\nos.environ['SEEN'] = 'seen'\nimport torchvision"
    source = SCRIPT.replace("import os, sys", "").replace(
        "import TorchTrainer", f"import TorchTrainer\n{later}\nimport sys"
    )
    completed = run_plainly(source.format(in_function="torchvision.__name__"))
    assert lines(completed) == ["(rank 0) ['torch'] True", "(rank 1) ['torch'] True"]
    assert len(imports.read_text().splitlines()) == 1
    where, statement = completed.stderr.splitlines()
    assert where.endswith("script.py:7: UserWarning: seen")
    assert statement == "  import torchvision"


def test_a_plain_scripts_failing_import_fails_where_it_stands(run_plainly: RunPlainly, imports: Path) -> None:
    add_to_library(imports, "raise OSError('broken')\n")
    completed = run_plainly("from ray.train import TorchTrainer\nimport torchvision\n")
    assert completed.returncode == 1
    first, where, *_ = completed.stderr.splitlines()
    assert first == "Traceback (most recent call last):"
    assert 'script.py", line 2, in <module>' in where
    assert completed.stderr.count("Traceback") == 1
    assert "train_runtime" not in completed.stderr
    assert completed.stderr.endswith("OSError: broken\n")


def test_only_the_script_itself_is_forked_when_it_imports_the_package(
    run_plainly: RunPlainly, imports: Path, tmp_path: Path
) -> None:
    (tmp_path / "fsspec.py").write_text("import os; PID = os.getpid()\nimport train_runtime")
    source = "import fsspec, torchvision\n" + SCRIPT.format(in_function="torchvision.__name__")
    completed = run_plainly(source)
    assert lines(completed) == ["(rank 0) ['torch'] True", "(rank 1) ['torch'] True"]
    assert len(imports.read_text().splitlines()) == 2


def test_a_library_that_starts_a_thread_is_imported_by_each_worker(run_script: RunScript, imports: Path) -> None:
    package = imports.with_name("site-packages") / "torchvision" / "__init__.py"
    with package.open("a") as file:
        file.write("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n")
    completed = run_script(SCRIPT.format(in_function="import torchvision"))
    assert lines(completed) == ["(rank 0) ['torch'] False", "(rank 1) ['torch'] False"]
    assert len(imports.read_text().splitlines()) == 3


def test_a_module_of_the_users_is_left_to_the_workers(run_script: RunScript, tmp_path: Path) -> None:
    (tmp_path / "datasets.py").write_text("import os\nprint('imported', os.getppid() != 1)")
    completed = run_script(SCRIPT.format(in_function="import datasets"))
    assert [line for line in lines(completed) if "imported" in line] == [
        "(rank 0) imported True",
        "(rank 1) imported True",
    ]


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_it_imports_the_scripts_lightning_package_which_knows_its_rank(run_script: RunScript, package: str) -> None:
    loaded = sorted([package, "torch"])
    ranks = "from torchmetrics.utilities import prints; print(*(m.rank_zero_only.rank for m in (pl.utilities, prints)))"
    completed = run_script(SCRIPT.format(in_function=f"import {package} as pl; {ranks}"))
    assert lines(completed) == [
        "(rank 0) 0 0",
        f"(rank 0) {loaded} True",
        "(rank 1) 1 1",
        f"(rank 1) {loaded} True",
    ]


def test_a_restarted_group_comes_from_it_too(fit: Fit, tmp_path: Path, template: _template.Template) -> None:
    def train() -> int:
        if get_checkpoint() is None:
            report({"x": 1}, checkpoint=Checkpoint(str(tmp_path / "checkpoint")))
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getppid()

    (tmp_path / "checkpoint").mkdir()
    assert fit(train, failure_config=FailureConfig(max_failures=1)).return_value == template._process.pid


def test_without_the_template_a_run_goes_on(fit: Fit, template: _template.Template) -> None:
    driver = os.getpid()

    def end_the_template() -> bool:
        import torch.distributed as dist

        if os.getppid() == driver:
            return True
        dist.barrier()
        if dist.get_rank() == 0:
            os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
        return False

    with pytest.raises(WorkerGroupError) as raised:
        fit(end_the_template)
    assert isinstance(raised.value.__cause__, WorkerDiedError)
    assert "killed by SIGKILL" in str(raised.value)
    assert fit(end_the_template).return_value is True


def test_a_group_whose_template_was_killed_is_restarted(fit: Fit, template: _template.Template) -> None:
    driver = os.getpid()

    def train() -> bool:
        if os.getppid() != driver:
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        return True

    assert fit(train, failure_config=FailureConfig(max_failures=1)).return_value is True


def test_workers_have_the_drivers_present_environment(
    fit: Fit, monkeypatch: pytest.MonkeyPatch, template: _template.Template, tmp_path: Path
) -> None:
    monkeypatch.setenv("SET_LATER", "value")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("PATH")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "written_later.py").write_text("VALUE = 7")

    def train() -> dict[str, Any]:
        import tempfile

        import torch
        import written_later  # type: ignore[import-not-found]
        from threadpoolctl import threadpool_info

        numpy_threads = {pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas"}
        return {
            "forked": os.getppid() == template_pid,
            "environment": (os.environ["SET_LATER"], os.environ.get("PATH"), "OPENBLAS_NUM_THREADS" in os.environ),
            "threads": (torch.get_num_threads(), numpy_threads or {3}),
            "temporary": tempfile.gettempdir(),
            "module": written_later.VALUE,
            "directory": os.path.basename(os.getcwd()),
            "leads its group": os.getpgrp() == os.getpid(),
        }

    template_pid = template._process.pid
    assert fit(train, workers=1).return_value == {
        "forked": True,
        "environment": ("value", None, False),
        "threads": (3, {3}),
        "temporary": str(tmp_path),
        "module": 7,
        "directory": "run",
        "leads its group": True,
    }


@pytest.mark.usefixtures("template")
def test_what_libraries_read_once_takes_a_fresh_process(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", "/set/since/the/template/started")
    assert fit(os.getppid, workers=1).return_value == os.getpid()


def test_random_numbers_differ_between_workers(fit: Fit) -> None:
    def train() -> bool:
        import numpy as np
        import torch
        import torch.distributed as dist

        drawn = (random.random(), np.random.rand(), torch.initial_seed(), torch.rand(1).item())
        gathered: list[Any] = [None, None]
        dist.all_gather_object(gathered, drawn)
        return all(mine != theirs for mine, theirs in zip(*gathered, strict=True))

    assert fit(train).return_value is True


@pytest.mark.parametrize(
    ("source", "switch", "is_started"),
    [
        ("from train_runtime import TorchTrainer", "", True),
        ("import train_runtime.torch", "", True),
        ("import beside", "", False),
        ("from train_runtime import TorchTrainer", "0", False),
    ],
)
def test_importing_the_package_starts_it_for_the_script_that_does(
    tmp_path: Path, source: str, switch: str, is_started: bool
) -> None:
    (tmp_path / "beside.py").write_text("from train_runtime import ScalingConfig")
    (tmp_path / "script.py").write_text(
        f"import sys\n{source}\nprint(sys.modules['train_runtime._template']._Holder.template is not None)"
    )
    completed = subprocess.run(
        [sys.executable, "-W", "error", "script.py"],
        cwd=tmp_path,
        env={**os.environ, "TRAIN_RUNTIME_TEMPLATE": switch},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert (completed.stdout, completed.stderr) == (f"{is_started}\n", "")
