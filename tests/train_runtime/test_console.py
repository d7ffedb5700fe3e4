"""What a person sees of a run: on a terminal, in a pipe and in the workers' logs."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import threading
from typing import TYPE_CHECKING

import pytest

from train_runtime import _output
from train_runtime._logs import WorkerLogs
from train_runtime._output import Console
from train_runtime._progress import WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


_TOKEN = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])|(\r|\n)|([^\x1b\r\n]+)")


class Terminal:
    """A pseudo-terminal of which one end is the driver's, and the screen that a person sees, without its colours."""

    def __init__(self, columns: int, lines: int) -> None:
        self._end, driver_end = os.openpty()
        self.file = open(driver_end, "w", encoding="utf-8")  # noqa: SIM115
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.rows = [""]
        self.written = ""
        self._row = self._column = 0
        self.resize(columns, lines)

    def resize(self, columns: int, lines: int) -> None:
        self.columns = columns
        fcntl.ioctl(self.file.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wait_for(self, is_shown: Callable[[str], bool]) -> str:
        """The screen, as soon as it shows something."""
        while not is_shown(self.screen):
            ready, _, _ = select.select([self._end], [], [], 20)
            assert ready, f"Not shown in time:\n{self.screen}"
            self._take(self._decoder.decode(os.read(self._end, 1 << 16)))
        return self.screen

    @property
    def screen(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows)

    def hang_up(self) -> None:
        os.close(self._end)
        self._end = -1

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.file.close()
        if self._end != -1:
            self.hang_up()

    def _take(self, text: str) -> None:
        self.written += text
        for _, number, letter, move, plain in _TOKEN.findall(text):
            if plain:
                row = self.rows[self._row].ljust(self._column)
                self.rows[self._row] = row[: self._column] + plain + row[self._column + len(plain) :]
                self._column += len(plain)
            elif move == "\r":
                self._column = 0
            elif move == "\n":
                self._row, self._column = self._row + 1, 0
                self.rows += [""] * (self._row + 1 - len(self.rows))
            elif letter == "A":
                self._row -= int(number or 1)
                assert self._row >= 0
            elif letter == "C":
                self._column += int(number or 1)
            elif letter in "JK":
                self.rows[self._row] = self.rows[self._row][: self._column]
                del self.rows[self._row + 1 if letter == "J" else len(self.rows) :]
            else:
                assert letter in "mhl", letter


@pytest.fixture
def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Terminal]]:
    """Puts standard output and error on a terminal of 80 columns, with a display that is drawn without delay."""
    terminal = Terminal(80, 24)

    def open_terminal() -> Terminal:  # called by the test: pytest sets the streams anew after its fixtures
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, terminal.file)
        return terminal

    monkeypatch.setattr(_output, "_FIRST_DRAW_S", 0)
    monkeypatch.setattr(_output, "_DRAW_EVERY_S", 0.02)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield open_terminal
    terminal.close()


def test_a_terminal_shows_the_run_below_the_workers_output(open_terminal: Callable[[], Terminal]) -> None:
    terminal = open_terminal()
    with Console("my_run") as console:
        console.workers(2, WorkerState.STARTING)
        terminal.wait_for(lambda screen: "rank 1   starting" in screen)
        console.worker(0, WorkerState.RUNNING)
        console.worker(1, WorkerState.REPORTING)
        console.worker_bar(0, "45%|████▌     |\t\x1b[31m9/20\x1b[0m".encode())
        console.report(1234, {"loss": 0.125, "table": [1]}, "checkpoint_1")
        console.worker_output(1, "stdout", [b"\x1b[31mred\x1b[0m", b"\x1b[2Jmoves\x1b[5A", b"caf\xe9"])
        console.worker_output(0, "stderr", [b"x" * 200])
        screen = terminal.wait_for(lambda screen: "in report" in screen and "xxx" in screen)
        console.report(1235, {"loss": 0.0625}, None)
        console.workers(2, WorkerState.FINISHED)
        console.worker_bar(0, b"")
    output = ["(rank 1) red", "(rank 1) moves", "(rank 1) caf�", f"(rank 0) {'x' * 200}"]
    assert screen.splitlines()[:4] == output
    assert re.sub(r"\d:\d\d:\d\d", "0:00:00", screen).splitlines()[4:] == [
        "",
        "run      0:00:00  1234 reports  my_run",
        "metrics  loss=0.125",
        "saved    checkpoint_1",
        "rank 0   running     45%|████▌     |9/20",
        "rank 1   in report",
    ]
    last = terminal.wait_for(lambda screen: screen.endswith("finished\n"))
    assert last.splitlines()[:4] == output
    assert "1235 reports" in last.splitlines()[4]
    assert last.splitlines()[6:] == ["saved    checkpoint_1", "rank 0   finished", "rank 1   finished"]
    assert "\x1b[32mrunning" in terminal.written
    assert "\x1b[31mred" in terminal.written


def test_the_display_fits_the_terminal(open_terminal: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    with Console("run") as console:
        console.workers(64, WorkerState.RUNNING)
        console.worker(5, WorkerState.REPORTING)
        console.report(1, {f"metric_{n}": n for n in range(50)}, None)
        screen = terminal.wait_for(lambda screen: "1 of 64" in screen)
        assert "63 of 64  running     rank 0-4, 6-63" in screen.splitlines()
        assert "1 of 64   in report   rank 5" in screen.splitlines()
        terminal.resize(30, 5)
        screen = terminal.wait_for(lambda screen: screen.endswith("no checkpoint yet") and "…" in screen)
        assert max(map(len, screen.splitlines())) < 30
    assert not re.search(r"\x1b\[[\d;]*3\dm", terminal.written)


def test_what_others_print_stays(open_terminal: Callable[[], Terminal]) -> None:
    terminal = open_terminal()
    with Console("run") as console:
        console.workers(1, WorkerState.RUNNING)
        terminal.wait_for(lambda screen: "running" in screen)
        with console.aside():
            print("from a callback\non two lines", flush=True)
        screen = terminal.wait_for(lambda screen: "two lines" in screen and "running" in screen)
        assert screen.splitlines()[:3] == ["from a callback", "on two lines", ""]


@pytest.mark.parametrize("how", ["detached", "closed", "hung up"])
def test_a_run_goes_on_without_its_terminal(
    open_terminal: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    terminal = open_terminal()
    with Console("run") as console:
        console.workers(1, WorkerState.RUNNING)
        terminal.wait_for(lambda screen: "running" in screen)
        if how == "hung up":
            terminal.hang_up()
        elif how == "closed":
            terminal.file.close()
        else:
            for name in ("stdout", "stderr"):
                monkeypatch.setattr(sys, name, None)
        console.worker_output(0, "stdout", [b"output"])
        console.report(1, {}, None)
    with Console("run") as console:
        console.report(1, {}, None)


def test_a_script_on_a_terminal(tmp_path: Path, open_terminal: Callable[[], Terminal]) -> None:
    (tmp_path / "script.py").write_text(
        """
import os, sys, threading
import ray.train
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

def train_func(config):
    rank = ray.train.get_context().get_world_rank()
    ray.train.report({"loss": 0.5, "rank": rank})
    if rank == 0:
        print("\\r 10%|#   ", end="", flush=True)
        print("\\r 45%|####", end="", flush=True)
        with open(config["go_on"]) as pipe:
            pipe.read()
        print("\\r100%", flush=True)
    ray.train.report({"loss": 0.25})

config = {"go_on": os.path.abspath("go_on")}
os.mkfifo("go_on")
TorchTrainer(
    train_func,
    train_loop_config=config,
    scaling_config=ScalingConfig(num_workers=2),
    run_config=RunConfig(name="my_run", storage_path="results"),
).fit()
"""
    )
    terminal = open_terminal()
    process = subprocess.Popen(
        [sys.executable, "-m", "train_runtime", "script.py"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=terminal.file,
        stderr=terminal.file,
    )
    shown = terminal.wait_for(lambda screen: "45%" in screen and "in report" in screen)
    assert "1 report  my_run" in shown
    assert "metrics  loss=0.5  rank=0" in shown.splitlines()
    assert shown.splitlines()[-2:] == ["rank 0   running     45%|####", "rank 1   in report"]
    with (tmp_path / "go_on").open("w"):
        pass
    screen = terminal.wait_for(lambda screen: "rank 1   finished\n" in screen)
    assert screen.splitlines()[0] == "(rank 0) 100%"
    assert "metrics  loss=0.25" in screen.splitlines()
    assert process.wait(60) == 0


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_short_runs_and_simple_terminals_get_lines(
    open_terminal: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    terminal = open_terminal()
    monkeypatch.setattr(_output, "_FIRST_DRAW_S", 100)
    monkeypatch.setenv("TERM", term)
    with Console("run") as console:
        console.report(1, {"loss": 1.5}, None)
    terminal.wait_for(lambda screen: screen == "report 1: loss=1.5\n")
    assert "\x1b" not in terminal.written


def test_a_pipe_gets_the_first_reports_those_with_a_checkpoint_and_the_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Console("run") as console:
        for number in range(1, 20_001):
            console.report(number, {"loss": 1}, "saved" if number == 15_000 else None)
    lines = capsys.readouterr().err.splitlines()
    first = [f"report {number}: loss=1" for number in range(1, 11)]
    assert lines[:10] == first
    assert "report 15000: loss=1 → saved" in lines
    assert lines[-1] == "report 20000: loss=1"
    assert len(lines) <= 14  # one more every few seconds


def test_a_pipe_gets_a_report_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    is_printed = threading.Event()

    class Pipe:
        encoding = "utf-8"

        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> None:
            if text == "report 30: x=2\n":
                is_printed.set()

        def flush(self) -> None: ...

    monkeypatch.setattr(sys, "stderr", Pipe())
    monkeypatch.setattr(_output, "_LINE_EVERY_S", 0.05)
    with Console("run") as console:
        for number in range(1, 31):
            console.report(number, {"x": 2}, None)
        assert is_printed.wait(20)


def test_a_quiet_run_prints_warnings_and_output_only(capsys: pytest.CaptureFixture[str]) -> None:
    with Console("run", quiet=True) as console:
        console.report(1, {"loss": 1}, "saved")
        console.note("a note")
        console.line("a warning")
        console.worker_output(0, "stdout", [b"output"])
    assert capsys.readouterr() == ("(rank 0) output\n", "a warning\n")


def test_logs_hold_what_the_workers_wrote_and_say_when_they_were_started_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        with Console("run", logs=WorkerLogs(tmp_path / "logs")) as console:
            console.worker_output(0, "stdout", [b"caf\xe9", b"\x1b[31mred\x1b[0m"])
            console.worker_output(1, "stderr", [b"one"])
            console.restart(2)
            console.worker_output(1, "stdout", [b"two"])
    assert sorted(os.listdir(tmp_path / "logs")) == ["rank_0.log", "rank_1.log"]
    log = (tmp_path / "logs" / "rank_0.log").read_bytes()
    again = rb"=== rank 0 started again, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ===\n"
    assert re.fullmatch(rb"caf\xe9\n\x1b\[31mred\x1b\[0m\n" + again + rb"caf\xe9\n\x1b\[31mred\x1b\[0m\n", log)
    lines = (tmp_path / "logs" / "rank_1.log").read_text().splitlines()
    assert [line for line in lines if "===" not in line] == ["one", "two", "one", "two"]
    assert len(lines) == 7


def test_output_goes_on_when_it_cannot_be_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").write_text("in the way")
    with Console("run", logs=WorkerLogs(tmp_path / "logs")) as console:
        for _ in range(2):
            console.worker_output(0, "stdout", [b"output"])
    out, err = capsys.readouterr()
    assert out == "(rank 0) output\n" * 2
    assert err.count("no longer written") == 1
