"""However the driver ends, its workers end with it."""

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
    print("pid", os.getpid(), flush=True)
    threading.Event().wait()

TorchTrainer(train, scaling_config=ScalingConfig(num_workers=2), run_config=RunConfig(storage_path=".")).fit()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for processes by pidfd, which Linux has")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_is_left(tmp_path: Path, number: signal.Signals) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert driver.stdout is not None
    lines = [driver.stdout.readline() for _ in range(2)]
    workers = [os.pidfd_open(int(line.split("pid ")[1])) for line in lines]

    driver.send_signal(number)

    for worker in workers:
        ended, _, _ = select.select([worker], [], [], 60)
        os.close(worker)
        assert ended, "a worker outlived its driver"
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == -number
    assert ("KeyboardInterrupt" in err) is (number == signal.SIGINT)
