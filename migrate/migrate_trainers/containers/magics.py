"""What IPython understands and Python doesn't: magics, shell lines and help lines, read as Python and put back.

Each becomes the call of a function that doesn't exist, on as many lines and at the same indentation:

    %matplotlib inline               __magic_1__()
    files = !ls {folder}             files = __magic_2__(folder)
    %time result = trainer.fit()     __magic_3__(); result = trainer.fit()
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.reading.cells import PLACEHOLDER
from migrate_trainers.reading.syntax import is_python

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Cell magics that run the rest of their cell as Python, with the notebook's names.
PYTHON_CELL_MAGICS = frozenset({"capture", "debug", "prun", "time", "timeit"})
_CELL_MAGIC = re.compile(r"\s*%%(?P<name>\w*)[^\n]*\n?")
_TOKEN = re.compile(
    r"""(?P<string>[rRbBuUfFtT]{0,2}(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}"""
    r"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))"""
    r"""|(?P<comment>\#[^\n]*)|(?P<opening>[(\[{])|(?P<closing>[)\]}])|(?P<joined>\\\n)|(?P<newline>\n)|.""",
    re.DOTALL,
)
# A magic goes on behind a backslash at the end of its line.
_LINE = r"(?:[^\n\\]|\\\n|\\.)*\\?"
# Commands that IPython takes without a `%`, if that reads like no Python.
_AUTOMAGIC = r"(?:cat|cd|conda|cp|ls|mamba|mkdir|mv|pip|rm)[ \t]+(?!(?:and|for|if|in|is|not|or)\b)(?=[\w./~-])"
_STATEMENT = re.compile(rf"[ \t]*(?P<magic>(?:[%!]|\?\??(?=[\w%*])|[/,;](?=[A-Za-z_])|{_AUTOMAGIC}){_LINE})", re.DOTALL)
_HELP = re.compile(r"[ \t]*(?P<magic>%{0,2}[A-Za-z_][\w.*\[\]'\"]*\?\??)[ \t]*(?=\n|$)")
_ASSIGNMENT = re.compile(rf"[ \t]*[A-Za-z_][\w., \t\[\]*'\"]*=[ \t]*(?P<magic>[!%](?=[^\s=]){_LINE})", re.DOTALL)
# Line magics that run the rest of their line as Python.
_PYTHON_LINE = re.compile(r"%(?:time|timeit|prun|memit|mprun|lprun)\b(?:[ \t]+-\w+(?:[ \t]*\d+)?)*[ \t]+(?=\S)")
# Names of the notebook that a shell line reads, and those that a magic may.
_SHELL_NAME = re.compile(r"[{$]([A-Za-z_]\w*)")
_MAGIC_NAME = re.compile(r"(?<![\w.%-])([A-Za-z_]\w*)")


@dataclass(frozen=True)
class MagicText:
    """A cell's text as Python, what each call in it stands for, and the text of its lines that are no Python."""

    python: str
    magics: tuple[tuple[str, str], ...] = ()

    def restored(self, python: str) -> str:
        """An edited text with its magics; raises `ValueError` unless each is there as it was."""
        parts, done = [], 0
        found = list(PLACEHOLDER.finditer(python))
        if [match[0] for match in found] != [call.removesuffix("; ") for call, _ in self.magics]:
            raise ValueError("a magic line was lost or changed")
        for match, (call, magic) in zip(found, self.magics, strict=True):
            if not python.startswith(call, match.start()):
                raise ValueError("a magic line was changed")
            parts += [python[done : match.start()], magic]
            done = match.start() + len(call)
        return "".join([*parts, python[done:]])

    def column(self, line: int, column: int) -> int:
        """The column of the cell in which stands what stands at a place in its Python."""
        text = self.python.split("\n")[line - 1] if line <= self.python.count("\n") + 1 else ""
        moved = 0
        for call, magic in self.magics:
            start = text.find(call)
            if 0 <= start < column - 1:
                moved += min(len(call), column - 1 - start) - len(magic)
        return max(column - moved, 1)


def read_cell(text: str, first: int = 1) -> MagicText | None:
    """A cell's text as Python, its magics numbered from `first`; None for a cell that a magic takes whole."""
    if is_python(text):
        return MagicText(text)
    cell_magic = _CELL_MAGIC.match(text)
    if cell_magic is not None and cell_magic["name"] not in PYTHON_CELL_MAGICS:
        return None
    start = 0
    found: list[tuple[int, int, str]] = []
    if cell_magic is not None:
        start = cell_magic.end()
        line = cell_magic[0].rstrip("\n")
        begin = len(line) - len(line.lstrip())
        found.append((begin, len(line), "{}()"))
    found += _magics(text, start)
    return _replaced(text, found, first)


def _replaced(text: str, found: Iterable[tuple[int, int, str]], first: int) -> MagicText:
    parts, magics, done = [], [], 0
    for number, (start, end, template) in enumerate(found, start=first):
        call = template.format(f"__magic_{number}__")
        parts += [text[done:start], call]
        magics.append((call, text[start:end]))
        done = end
    return MagicText("".join([*parts, text[done:]]), tuple(magics))


def _magics(text: str, start: int) -> Iterator[tuple[int, int, str]]:
    """Where magics stand, each with the template of the call that stands for it."""
    for begin in _statements(text, start):
        match = _STATEMENT.match(text, begin) or _HELP.match(text, begin) or _ASSIGNMENT.match(text, begin)
        if match is None:
            continue
        magic, place = match["magic"], match.start("magic")
        python = _PYTHON_LINE.match(magic)
        if python is not None and _is_simple(magic[python.end() :]):
            yield place, place + python.end(), "{}(); "
            continue
        pattern = {"!": _SHELL_NAME, "%": _MAGIC_NAME}.get(magic[0])
        names = dict.fromkeys(pattern.findall(magic)) if pattern is not None else {}
        read = ", ".join(name for name in names if not keyword.iskeyword(name))
        yield place, match.end("magic"), f"{{}}({read}{chr(10) * magic.count(chr(10))})"


def _statements(text: str, start: int) -> Iterator[int]:
    """Where the lines start that go on no earlier one."""
    position, depth = start, 0
    is_new = True
    while position < len(text):
        if is_new:
            yield position
            magic = _STATEMENT.match(text, position) or _ASSIGNMENT.match(text, position)
            position = magic.end() if magic is not None else position
            is_new = False
            continue
        token = _TOKEN.match(text, position)
        assert token is not None
        position = token.end()
        depth += {"opening": 1, "closing": -1}.get(token.lastgroup or "", 0)
        depth = max(depth, 0)
        is_new = token.lastgroup == "newline" and not depth


def _is_simple(text: str) -> bool:
    """Whether a text is simple statements, as may stand behind a semicolon."""
    return "\n" not in text and is_python(f"(); {text}")
