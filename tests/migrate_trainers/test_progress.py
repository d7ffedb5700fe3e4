"""The progress bar: on a terminal only, for runs that take their time, and gone in the end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rewriting import lightning

if TYPE_CHECKING:
    from pathlib import Path

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals")

IMPATIENT = (
    "from migrate_trainers import progress\nprogress._PATIENCE_S = {}\nfrom migrate_trainers.cli import main\nmain()\n"
)
_CONTROL = re.compile(r"\033\[(?P<number>[?\d]*)(?P<what>[A-Za-z])")


def on_terminal(*arguments: str | Path, patience_s: float = 0, answer: bytes = b"") -> tuple[str, bytes]:
    """What a run draws on the terminal of its standard error, and what it writes to standard output."""
    master, slave = pty.openpty()
    command = [sys.executable, "-c", IMPATIENT.format(patience_s), *map(str, arguments)]
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=slave
    ) as process:
        os.close(slave)
        output, _ = process.communicate(answer)
    drawn = b""
    try:
        while part := os.read(master, 4096):
            drawn += part
    except OSError:  # Linux says so that the other side is closed.
        pass
    finally:
        os.close(master)
    return drawn.decode(), output


def screen(drawn: str) -> list[str]:
    """The lines that a terminal shows in the end, as far as it is told by what a bar needs."""
    lines, row, column, place = [""], 0, 0, 0
    while place < len(drawn):
        control = _CONTROL.match(drawn, place)
        if control is not None:
            place = control.end()
            if control["what"] == "A":
                row -= int(control["number"])
            elif control["what"] == "K":
                lines[row] = ""
            continue
        character = drawn[place]
        place += 1
        if character == "\r":
            column = 0
        elif character == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        else:
            lines[row] = lines[row][:column].ljust(column) + character + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


def test_a_bar_is_drawn_and_gone_in_the_end(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"train_{number}.py").write_text(lightning())

    drawn, output = on_terminal("--output-format", "json", tmp_path)

    for what in ("Searching", "Migrating", "Writing"):
        assert f"{what}  [" in drawn
    assert not any(screen(drawn))
    assert drawn.count("\033[?25l") > 0
    assert drawn.rindex("\033[?25h") > drawn.rindex("\033[?25l"), "the cursor is back"
    assert json.loads(output)["summary"]["migrated"] == 3


@pytest.mark.parametrize(
    ("arguments", "patience_s"),
    [(["--quiet"], 0), (["--interactive"], 0), ([], 60)],
    ids=["quiet", "interactive", "a fast run"],
)
def test_no_bar_is_drawn(arguments: list[str], patience_s: float, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(lightning())

    drawn, _ = on_terminal(*arguments, tmp_path, patience_s=patience_s, answer=b"y\n")

    assert drawn == ""


def test_nothing_is_drawn_into_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(lightning())

    command = [sys.executable, "-c", IMPATIENT.format(0), str(tmp_path)]
    process = subprocess.run(command, capture_output=True, check=True)

    assert process.stderr == b""
