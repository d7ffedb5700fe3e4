"""What cannot be pickled is named with the place where it is."""

from __future__ import annotations

import functools
import socket
import threading
from typing import TYPE_CHECKING, Any

import cloudpickle
import pytest

import train_runtime
from train_runtime import TorchTrainer, TrainingFailedError, WorkerGroupError, _pickling
from train_runtime.collective import broadcast_from_rank_zero

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Fit

LOCK = threading.Lock()


class Model:
    def __init__(self) -> None:
        self.lock = LOCK

    def train(self) -> None:
        pass


class Slotted:
    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = LOCK


class Stubborn:
    def __reduce__(self) -> str:
        raise ValueError("not me")


class Endless:
    def __init__(self) -> None:
        self.items = [self, LOCK]


class Unreadable:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return int, ("seven",)


@pytest.fixture(autouse=True)
def by_value() -> Iterator[None]:
    """Treat this module as a script, whose functions and classes are pickled with all they hold."""
    import sys

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def uses_global() -> object:
    return LOCK


def calls_another() -> object:
    return uses_global()


def uses_it_within() -> object:
    return lambda: LOCK


def closes_over() -> Callable[[], object]:
    connection = {"sockets": [Model()]}
    return lambda: connection


def has_default(*, lock: object = LOCK) -> None:
    pass


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"ok": 1, "lock": LOCK}, '`x["lock"]`, a _thread.lock, '),
        ({1: [0, (LOCK,)]}, "`x[1][1][0]`, a _thread.lock, "),
        ([Slotted()], "`x[0].lock`, a _thread.lock, "),
        (frozenset([LOCK]), "`an element of x`, a _thread.lock, "),
        (Model().train, "`x.__self__.lock`, a _thread.lock, "),
        (functools.partial(print, 1, end=LOCK), '`x.keywords["end"]`, a _thread.lock, '),
        (uses_global, "`LOCK` (which `uses_global` uses), a _thread.lock, "),
        (calls_another, "`LOCK` (which `uses_global` uses), a _thread.lock, "),
        (uses_it_within, "`LOCK` (which `uses_it_within` uses), a _thread.lock, "),
        (closes_over(), '`connection["sockets"][0].lock` (which `<lambda>` uses), a _thread.lock, '),
        (has_default, "`the default of a parameter` (which `has_default` uses), a _thread.lock, "),
        ([Stubborn()], f"`x[0]`, a {__name__}.Stubborn, cannot be pickled (not me)."),
        (Endless(), "`x.items[1]`, a _thread.lock, "),
    ],
)
def test_the_smallest_part_is_named(value: object, place: str) -> None:
    with pytest.raises(TypeError) as raised:
        _pickling.dumps(value, "No", x=value)
    assert str(raised.value).startswith(f"No: {place}")
    assert str(raised.value).count("cannot be pickled") == 1


def test_several_parts_are_named_up_to_a_limit() -> None:
    with pytest.raises(TypeError) as raised:
        _pickling.dumps([LOCK], "No", x=dict.fromkeys("abcd", LOCK))
    assert str(raised.value).count("cannot be pickled") == 1, "one object is named once"
    value = {i: threading.Lock() for i in range(9)}
    with pytest.raises(TypeError) as raised:
        _pickling.dumps(value, "No", x=value)
    assert str(raised.value).count("cannot be pickled") == 3


def test_a_trainer_names_what_its_function_and_configuration_hold() -> None:
    def train(config: dict[str, Any]) -> None:
        connection.send(b"")

    connection = socket.socket()
    with pytest.raises(
        TypeError, match=r'`train_loop_config\["lock"\]`, a _thread.lock.*in the train function instead'
    ):
        TorchTrainer(lambda config: None, train_loop_config={"lock": LOCK}).fit()
    with connection, pytest.raises(TypeError, match=r"`connection` \(which `train` uses\), a socket.socket"):
        TorchTrainer(train).fit()


def test_a_dataset_names_what_its_functions_hold(fit: Fit) -> None:
    import train_runtime.data

    dataset = train_runtime.data.from_items([1]).map(lambda row: {"x": LOCK.locked()})
    with pytest.raises(TypeError, match=r"datasets cannot be sent.*`LOCK` \(which `<lambda>` uses\), a _thread.lock"):
        TorchTrainer(lambda: None, datasets={"train": dataset}).fit()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda lock: train_runtime.report({"loss": 1, "lock": lock}), r'metrics\["lock"\]`, a _thread.lock'),
        (lambda lock: broadcast_from_rank_zero([lock]), r"`data\[0\]`, a _thread.lock"),
        (lambda lock: {"lock": lock}, r'`return_value\["lock"\]`, a _thread.lock'),
    ],
)
def test_a_worker_names_what_it_cannot_send(fit: Fit, act: Callable[[object], object], message: str) -> None:
    def train() -> object:
        import threading

        return act(threading.Lock())

    with pytest.raises(WorkerGroupError, match=message):
        fit(train, workers=1)


def test_an_exception_names_what_it_holds(fit: Fit) -> None:
    class HoldsLockError(Exception):
        pass

    def train() -> None:
        import threading

        raise HoldsLockError("odd", threading.Lock())

    with pytest.raises(
        WorkerGroupError, match=r"`HoldsLockError.args\[1\]`, a _thread.lock, cannot be pickled"
    ) as raised:
        fit(train, workers=1)
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_a_return_value_that_the_driver_cannot_make_is_an_error(fit: Fit) -> None:
    with pytest.raises(TrainingFailedError, match=r"cannot make the train function's return value.*ValueError.*seven"):
        fit(Unreadable, workers=1)
