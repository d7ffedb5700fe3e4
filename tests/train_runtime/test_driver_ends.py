"""However the driver ends, its template and its workers end with it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Fit

SCRIPT = """
import os, subprocess, threading
from multiprocessing import Process
from multiprocessing.shared_memory import SharedMemory
from train_runtime import RunConfig, ScalingConfig, TorchTrainer

def train():
    import torch
    torch.multiprocessing.set_sharing_strategy("file_system")
    tensor = torch.ones(1000).share_memory_()
    memory = SharedMemory(create=True, size=1000)
    child = Process(target=threading.Event().wait)
    child.start()
    other = subprocess.Popen(["sleep", "1000"])
    print("pid", os.getpid(), os.getppid(), child.pid, other.pid, "memory", memory.name, flush=True)
    threading.Event().wait()

TorchTrainer(
    train,
    scaling_config=ScalingConfig(num_workers=2),
    run_config=RunConfig(storage_path="."),
    datasets={"train": list(range(10))},
).fit()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for processes by pidfd, which Linux has")
@pytest.mark.parametrize(
    ("number", "template"),
    [
        (signal.SIGINT, "1"),
        (signal.SIGTERM, "1"),
        (signal.SIGTERM, "0"),
        (signal.SIGHUP, "1"),
        (signal.SIGKILL, "1"),
        (signal.SIGKILL, "0"),
    ],
)
def test_nothing_is_left(tmp_path: Path, number: signal.Signals, template: str) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "TRAIN_RUNTIME_TEMPLATE": template},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert driver.stdout is not None
    lines = [driver.stdout.readline().split("pid ")[1] for _ in range(2)]
    pids = {int(pid) for line in lines for pid in line.split(" memory ")[0].split()}
    assert (driver.pid in pids) is (template == "0")
    assert list(tmp_path.glob("train_runtime_*/private/datasets*"))
    processes = [os.pidfd_open(pid) for pid in pids | _children(driver.pid) - {driver.pid}]

    if number == signal.SIGKILL:
        os.killpg(driver.pid, number)
    else:
        driver.send_signal(number)

    for process in processes:
        ended, _, _ = select.select([process], [], [], 60)
        os.close(process)
        assert ended, "a process outlived the driver"
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == -number
    assert ("KeyboardInterrupt" in err) is (number == signal.SIGINT)
    assert not list(tmp_path.glob("train_runtime_*"))
    memory = [line.split(" memory ")[1].strip() for line in lines]
    assert not [name for name in memory if Path("/dev/shm", name).exists()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the process in /proc")
def test_a_run_goes_on_without_its_janitor(fit: Fit) -> None:
    driver = os.getpid()
    find = _children

    def train() -> int:
        janitors = [pid for pid in find(driver) if b"_janitor.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        for janitor in janitors:
            os.kill(janitor, signal.SIGKILL)
        return len(janitors)

    assert fit(train, workers=1).return_value == 1


def _children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "lambda *_: sys.exit(7)"])
def test_a_handler_of_the_programs_own_is_left_alone(tmp_path: Path, handler: str) -> None:
    script = f"""
import os, signal, sys
from train_runtime import RunConfig, ScalingConfig, TorchTrainer
signal.signal(signal.SIGTERM, {handler})
driver = os.getpid()
def train():
    os.kill(driver, signal.SIGTERM)
    if "SIG_IGN" not in {handler!r}:
        import threading; threading.Event().wait()
TorchTrainer(train, run_config=RunConfig(storage_path=".")).fit()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == (0 if "SIG_IGN" in handler else 7)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for processes by pidfd, which Linux has")
@pytest.mark.parametrize("number", [None, signal.SIGKILL])
@pytest.mark.parametrize("start", ["main thread", "other thread", "fork"])
def test_an_unused_template_ends(tmp_path: Path, number: signal.Signals | None, start: str) -> None:
    """Also one that a thread started which has ended since, and a fork of the driver."""
    code = "pid = _template.current()._process.pid; print(pid, flush=True)"
    if start == "other thread":
        code = f"t = threading.Thread(target=exec, args=({code!r}, globals())); t.start(); t.join()"
    code = f"import threading; from train_runtime import _template\n{code}\ninput()"
    (tmp_path / "script.py").write_text(code)
    driver = subprocess.Popen(
        [sys.executable, *(["-m", "train_runtime", "script.py"] if start == "fork" else ["-c", code])],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert driver.stdout is not None
    template = os.pidfd_open(int(driver.stdout.readline()))
    assert not select.select([template], [], [], 0.2)[0], "it lives as long as its driver"
    if number is None:
        driver.communicate("\n", timeout=60)
    else:
        driver.send_signal(number)
    assert select.select([template], [], [], 60)[0], "the template outlived the driver"
    os.close(template)
    driver.communicate(timeout=60)
