"""Many files at once: in several processes the same comes out as in one, whatever ends some of them."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notebooks import notebook
from rewriting import ACCELERATE_IMPORTS, LIGHTNING_IMPORTS, SCALING, lightning, tuned

from migrate_trainers import clusters, migrate_project, migrate_source, run, tree
from migrate_trainers.cli import main
from migrate_trainers.workers import Lost, spread

LEGACY = lightning()
ACCELERATE = (
    f"{ACCELERATE_IMPORTS}\n\ndef loop(config):\n    accelerator = Accelerator()\n\n\n"
    f"AccelerateTrainer(loop, accelerate_config={{}}, scaling_config={SCALING}).fit()\n"
)
MODELS = "import pytorch_lightning as pl\n\n\nclass Net(pl.LightningModule):\n    pass\n\n\nDM = Net\n"
CONFIG = (
    "from ray.train.lightning import LightningConfigBuilder\nfrom models import DM, Net\n"
    "config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()\n"
)
TRAIN = (
    "from ray.air.config import ScalingConfig\nfrom ray.train.lightning import LightningTrainer\n"
    f"from config import config\nLightningTrainer(config, scaling_config={SCALING}).fit()\n"
)
PROJECTS: list[dict[str, str]] = [
    {"train.py": LEGACY},
    {"train.py": LEGACY.replace("project", "models"), "models.py": MODELS},
    {"train.py": TRAIN, "config.py": CONFIG, "models.py": MODELS},
    {"train.py": TRAIN, "config.py": CONFIG},
    {"train.py": f"{LIGHTNING_IMPORTS}LightningTrainer(effect(), scaling_config={SCALING})\n"},
    {"accelerate.py": ACCELERATE},
    {"tune.py": tuned()},
    {"broken.py": f"{LIGHTNING_IMPORTS}LightningTrainer(\n"},
    {"skipped.py": f"# migrate-trainers: skip-file\n{LEGACY}"},
    {"train.ipynb": json.dumps(notebook(LEGACY))},
    {"page.md": f"Text\n\n```python\n{LEGACY}```\n"},
]


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little there is to do, processes do it."""
    monkeypatch.setattr(clusters, "_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(run, "_processors", lambda: 2)


def sources(projects: list[dict[str, str]]) -> dict[Path, bytes]:
    return {
        Path(f"/projects/{number}/{name}"): text.encode()
        for number, project in enumerate(projects)
        for name, text in project.items()
    }


@pytest.mark.usefixtures("eager")
@given(st.lists(st.sampled_from(PROJECTS), min_size=2, max_size=6))
@settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_the_same_comes_out_of_two_processes(projects: list[dict[str, str]]) -> None:
    files = sources(projects)

    assert list(migrate_project(files, processes=2).items()) == list(migrate_project(files).items())


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("method", sorted({"fork", "spawn"}.intersection(multiprocessing.get_all_start_methods())))
def test_the_same_comes_out_however_processes_start(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sources(PROJECTS)
    monkeypatch.setattr(clusters, "spread", partial(spread, context=multiprocessing.get_context(method)))

    assert list(migrate_project(files, processes=2).items()) == list(migrate_project(files).items())


@pytest.mark.usefixtures("eager")
@pytest.mark.skipif(sys.platform != "linux", reason="only forked processes take over what a test has replaced")
def test_a_process_that_is_killed_loses_its_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_program = tree.read_program

    def read_or_die(data: bytes) -> object:
        if b"too much" in data:
            os.kill(os.getpid(), signal.SIGKILL)
        return read_program(data)

    monkeypatch.setattr(tree, "read_program", read_or_die)
    for number in range(6):
        text = f"# too much\n{ACCELERATE}" if number in (0, 3) else ACCELERATE
        (tmp_path / f"train_{number}.py").write_text(text)

    result = CliRunner().invoke(main, [str(tmp_path)])

    assert result.exit_code == 2
    assert result.output.count("MT914 error") == result.output.count("was ended by SIGKILL") == 2
    migrated = {file.name for file in tmp_path.iterdir() if "TorchTrainer(" in file.read_text()}
    assert migrated == {"train_1.py", "train_2.py", "train_4.py", "train_5.py"}


def _work(task: int) -> int:
    """The square of a task; the process ends in some of them."""
    if task == 3:
        os._exit(7)
    return task * task


def test_tasks_are_done_around_a_process_that_ends() -> None:
    results = dict(spread(_work, range(8), 3))

    assert results.pop(3) == Lost(7)
    assert results == {task: task * task for task in range(8) if task != 3}


def test_work_is_done_here_where_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr("migrate_trainers.workers._Worker", refuse)

    assert dict(spread(_work, range(3), 2)) == {0: 0, 1: 1, 2: 4}


def test_processes_end_with_the_iteration() -> None:
    results = spread(_work, range(1000), 2)
    next(results)
    assert len(multiprocessing.active_children()) >= 2

    results.close()

    assert not multiprocessing.active_children()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("is_writing", [False, True], ids=["migrating", "writing"])
def test_ctrl_c_ends_everything_and_files_are_whole(is_writing: bool, tmp_path: Path) -> None:
    files = [tmp_path / f"train_{number}.py" for number in range(40)]
    for file in files:
        file.write_text(ACCELERATE)
    after = migrate_source(ACCELERATE.encode()).after
    code = (
        "from migrate_trainers import clusters, run\nclusters._WORTH_A_PROCESS = 1\nrun._processors = lambda: 2\n"
        "from migrate_trainers.cli import main\nmain()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while process.poll() is None:
            if files[0].read_text() != ACCELERATE if is_writing else len(children.read_text().split()) == 2:
                break
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate()

    assert (process.returncode, output, errors) == (130, b"", b"")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert {file.read_bytes() for file in files} <= {ACCELERATE.encode(), after}
    assert sorted(tmp_path.iterdir()) == sorted(files)
