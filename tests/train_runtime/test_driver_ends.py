"""However the driver ends, its template and its workers end with it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import os, threading
from train_runtime import RunConfig, ScalingConfig, TorchTrainer

def train():
    print("pid", os.getpid(), os.getppid(), flush=True)
    threading.Event().wait()

TorchTrainer(train, scaling_config=ScalingConfig(num_workers=2), run_config=RunConfig(storage_path=".")).fit()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for processes by pidfd, which Linux has")
@pytest.mark.parametrize(
    ("number", "template"),
    [(signal.SIGINT, "1"), (signal.SIGTERM, "1"), (signal.SIGKILL, "1"), (signal.SIGKILL, "0")],
)
def test_no_process_is_left(tmp_path: Path, number: signal.Signals, template: str) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "TRAIN_RUNTIME_TEMPLATE": template},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert driver.stdout is not None
    lines = [driver.stdout.readline() for _ in range(2)]
    pids = {int(pid) for line in lines for pid in line.split("pid ")[1].split()}
    assert (driver.pid in pids) is (template == "0")
    processes = [os.pidfd_open(pid) for pid in pids - {driver.pid}]

    driver.send_signal(number)

    for process in processes:
        ended, _, _ = select.select([process], [], [], 60)
        os.close(process)
        assert ended, "a process outlived the driver"
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == -number
    assert ("KeyboardInterrupt" in err) is (number == signal.SIGINT)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for processes by pidfd, which Linux has")
@pytest.mark.parametrize("number", [None, signal.SIGKILL])
@pytest.mark.parametrize("thread", ["main", "other"])
def test_an_unused_template_ends(tmp_path: Path, number: signal.Signals | None, thread: str) -> None:
    """Also one that a thread started which has ended since."""
    start = "pid = _template.current()._process.pid; print(pid, flush=True)"
    if thread == "other":
        start = f"t = threading.Thread(target=exec, args=({start!r}, globals())); t.start(); t.join()"
    driver = subprocess.Popen(
        [sys.executable, "-c", f"import threading; from train_runtime import _template\n{start}\ninput()"],
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
