"""Ways in which one rank of a group fails, and what must be said of each."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import torch
import torch.distributed as dist

import train_runtime

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Scenario:
    """`fail` is called on the culprit where its peers wait for it in `meet`; the error must match `cause`."""

    name: str
    cause: str
    fail: Callable[[Fault], Any]
    meet: Callable[[], None]
    cope: Callable[[RuntimeError], NoReturn] | None = None
    timeout_s: int = 1800
    slack_s: float = 0.0  # what the scenario itself takes from the fault on


@dataclass(frozen=True)
class Fault:
    """One run of a scenario: which rank fails, and the file that says when it did."""

    culprit: int
    steps: int
    moment: str

    def happens(self) -> None:
        """Note that the failure happens now."""
        Path(self.moment).write_text(str(time.monotonic()))

    def when(self) -> float:
        """When it happened; infinitely late if the group was stopped before."""
        moment = Path(self.moment)
        return float(moment.read_text()) if moment.exists() else float("inf")

    def forget(self) -> None:
        """Prepare for a run."""
        Path(self.moment).unlink(missing_ok=True)


class OutOfDataError(Exception):
    """A failure of the culprit's own."""


class StepFailedError(Exception):
    """What a careful loop makes of any error in a step."""


def train(config: dict[str, Any]) -> None:
    """Some good steps, then the scenario."""
    scenario, fault = SCENARIOS[config["scenario"]], config["fault"]
    for step in range(fault.steps):
        dist.all_reduce(torch.ones(1))
        train_runtime.report({"step": step})
    if dist.get_rank() == fault.culprit:
        scenario.fail(fault)
        return
    if scenario.cope is None:
        scenario.meet()
        return
    try:
        scenario.meet()
    except RuntimeError as error:
        scenario.cope(error)


def in_all_reduce() -> None:
    dist.all_reduce(torch.ones(1000))


def in_report() -> None:
    train_runtime.report({"last": 1})


def in_store() -> None:
    dist.distributed_c10d._get_default_store().get("never set")


def in_backward() -> None:
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    model(torch.ones(1, 2)).sum().backward()


def asleep() -> None:
    threading.Event().wait()


def raises(fault: Fault) -> None:
    fault.happens()
    raise OutOfDataError("no batch is left")


def raises_after_leaving(fault: Fault) -> None:
    try:
        raise OutOfDataError("no batch is left")
    finally:
        dist.destroy_process_group()
        time.sleep(0.4)
        fault.happens()


def raises_network_error_after_leaving(fault: Fault) -> None:
    try:
        raise ConnectionResetError(104, "Connection reset by peer")
    finally:
        dist.destroy_process_group()
        time.sleep(0.4)
        fault.happens()


def raises_network_error(fault: Fault) -> None:
    fault.happens()
    raise ConnectionResetError(104, "Connection reset by peer")


def raises_with_a_cause(fault: Fault) -> None:
    fault.happens()
    raise OutOfDataError("no batch is left") from ValueError("the file is empty")


def kills_itself(number: int) -> Callable[[Fault], None]:
    def fail(fault: Fault) -> None:
        fault.happens()
        os.kill(os.getpid(), number)
        time.sleep(10)

    return fail


def killed_in_report(fault: Fault) -> None:
    def kill() -> None:
        time.sleep(0.05)
        fault.happens()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=kill).start()
    train_runtime.report({"last": 1})


def exits(status: int) -> Callable[[Fault], None]:
    def fail(fault: Fault) -> None:
        fault.happens()
        os._exit(status)

    return fail


def exits_in_a_thread(fault: Fault) -> None:
    threading.Timer(0.05, exits(5), [fault]).start()
    asleep()


def ends_by_sys_exit(fault: Fault) -> None:
    fault.happens()
    sys.exit("nothing to train")


def reads_null(fault: Fault) -> None:
    fault.happens()
    ctypes.string_at(0)


def reports_a_tensor(fault: Fault) -> None:
    fault.happens()
    train_runtime.report({"loss": torch.ones(1)})


class _DyingDataset(torch.utils.data.Dataset[int]):
    def __init__(self, fault: Fault) -> None:
        self.fault = fault

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        if index == 1:
            self.fault.happens()
            os.kill(os.getpid(), signal.SIGKILL)
        return index


def loses_its_data_loader(fault: Fault) -> None:
    # Batches of plain numbers: taking a tensor over from a process that dies is another error, of the same worker.
    for _ in torch.utils.data.DataLoader(_DyingDataset(fault), batch_size=None, num_workers=1):
        pass


def killed_with_a_data_loader(fault: Fault) -> None:
    batches = iter(torch.utils.data.DataLoader(range(100), num_workers=1))
    next(batches)
    fault.happens()
    os.kill(os.getpid(), signal.SIGKILL)


def sleeps(fault: Fault) -> None:
    fault.happens()
    threading.Event().wait()


def returns(fault: Fault) -> None:
    fault.happens()


def wraps(error: RuntimeError) -> NoReturn:
    raise StepFailedError("the step failed") from error


def gives_up(error: RuntimeError) -> NoReturn:
    sys.exit(1)


def leaves_first(error: RuntimeError) -> NoReturn:
    dist.destroy_process_group()
    raise StepFailedError("the step failed") from error


_OWN = r"OutOfDataError: no batch is left"
_KILL = kills_itself(signal.SIGKILL)

SCENARIOS = {
    scenario.name: scenario
    for scenario in [
        Scenario("raises, peers in all_reduce", _OWN, raises, in_all_reduce),
        Scenario("raises, peers in report", _OWN, raises, in_report),
        Scenario("raises, peers asleep", _OWN, raises, asleep),
        Scenario("raises with a cause", _OWN, raises_with_a_cause, in_all_reduce),
        Scenario("raises late, group destroyed", _OWN, raises_after_leaving, in_all_reduce),
        Scenario("raises late, peers wrap", _OWN, raises_after_leaving, in_all_reduce, wraps),
        Scenario("network error", "ConnectionResetError", raises_network_error, in_all_reduce),
        Scenario("network error late", "ConnectionResetError", raises_network_error_after_leaving, in_all_reduce),
        Scenario("kill -9, peers in all_reduce", "SIGKILL", _KILL, in_all_reduce),
        Scenario("kill -9, peers in backward", "SIGKILL", _KILL, in_backward),
        Scenario("kill -9, peers in report", "SIGKILL", _KILL, in_report),
        Scenario("kill -9, peers at the store", "SIGKILL", _KILL, in_store),
        Scenario("kill -9, peers wrap", "SIGKILL", _KILL, in_all_reduce, wraps),
        Scenario("kill -9, peers leave", "SIGKILL", _KILL, in_all_reduce, leaves_first),
        Scenario("kill -9, peers give up", "SIGKILL", _KILL, in_all_reduce, gives_up),
        Scenario("kill -9 in report", "SIGKILL", killed_in_report, asleep),
        Scenario("kill -9, with a data loader", "SIGKILL", killed_with_a_data_loader, asleep),
        Scenario("SIGTERM", "SIGTERM", kills_itself(signal.SIGTERM), in_all_reduce),
        Scenario("abort", "SIGABRT", kills_itself(signal.SIGABRT), in_all_reduce),
        Scenario("segmentation fault", "SIGSEGV", reads_null, in_all_reduce),
        Scenario("os._exit(3)", "exited with status 3", exits(3), in_all_reduce),
        Scenario("os._exit(3), peers give up", "exited with status 3", exits(3), in_all_reduce, gives_up),
        Scenario("os._exit(0)", "exited with status 0", exits(0), in_report),
        Scenario("os._exit in a thread", "exited with status 5", exits_in_a_thread, in_all_reduce),
        Scenario("sys.exit", "SystemExit: nothing to train", ends_by_sys_exit, in_all_reduce),
        Scenario("report of a tensor", "ValueError: .*tensor", reports_a_tensor, in_report),
        Scenario("data loader killed", "DataLoader worker .*", loses_its_data_loader, in_all_reduce),
        Scenario("sleeps", "did not take part", sleeps, in_all_reduce, timeout_s=1, slack_s=1.0),
        Scenario("returns early", "has returned", returns, in_all_reduce, timeout_s=1, slack_s=1.0),
    ]
}
