"""Which lines come out of what a worker writes, whatever the pieces in which it arrives."""

from __future__ import annotations

import io

import pytest

from train_runtime._rows import Rows

UP = "\x1b[A"
EXAMPLES = {
    "whole lines, empty ones and a piece": ("a\n\nb\nc", ["a", "", "b", "c"]),
    "no output": ("", []),
    "ends of lines as on Windows": ("a\r\nb\r\n", ["a", "b"]),
    "a bar, then a line": ("\r 1%\r 50%\r100%\ndone\n", ["100%", "done"]),
    "a bar over a line's beginning": ("start\r 1%\r 2%", [" 2%"]),
    "a bar that wipes itself": ("\r 1%\r    \rdone\n", ["done"]),
    "a bar inside a bar": (
        f"\router 0\n\rinner 0{UP}\n\rinner 1{UP}\router 1\n\rinner 0{UP}\n\r       \r{UP}\router 2\ndone\n",
        ["outer 2", "done"],
    ),
    "a bar inside a bar, both left": (
        f"\router 0\n\rinner 0{UP}\router 1\n\rinner 1\nend",
        ["outer 1", "inner 1", "end"],
    ),
    "a bar that ends": ("50%\r\nnext\n", ["50%", "next"]),
    "colours": ("\x1b[31mred\x1b[0m\n", ["\x1b[31mred\x1b[0m"]),
    "up at the top": (f"{UP}{UP}a\n", ["a"]),
}


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(("written", "lines"), EXAMPLES.values(), ids=EXAMPLES)
def test_lines(written: str, lines: list[str], size: int) -> None:
    rows, data = Rows(), written.encode()
    found = [line for start in range(0, len(data), size) for line in rows.feed(data[start : start + size])]
    assert [line.decode() for line in found + rows.finish()] == lines


def test_a_bar_is_known_while_it_may_change() -> None:
    rows = Rows()
    rows.feed(b"plain")
    assert rows.bar == b""
    rows.feed(b"\r 45%|####  ")
    assert rows.bar == b"45%|####"
    rows.feed(b"\nnext\n")
    assert rows.bar == b""


def test_a_line_without_end_is_passed_on_in_pieces() -> None:
    rows = Rows()
    lines = [line for _ in range(40) for line in rows.feed(b"x" * 65536)]
    assert len(lines) == 2
    assert len(b"".join(lines + rows.finish())) == 40 * 65536


def test_tqdm_bars_come_out_once() -> None:
    tqdm = pytest.importorskip("tqdm").tqdm
    stream = io.StringIO()
    for _ in tqdm(range(3), file=stream, desc="outer", mininterval=0):
        for _ in tqdm(range(5), file=stream, desc="inner", mininterval=0, leave=False, position=1):
            pass
    print("done", file=stream)
    rows = Rows()
    lines = [line.decode() for line in rows.feed(stream.getvalue().encode())]
    assert len(lines) == 2
    assert lines[0].startswith("outer: 100%")
    assert lines[1] == "done"
