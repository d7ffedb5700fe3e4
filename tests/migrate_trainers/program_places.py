"""What the generated programs of all frameworks share: where their code stands, and what happens around it."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Draw = Callable[[st.SearchStrategy[Any]], Any]

SETUP = "rebound = 1\nmutable = [1]\nsettings = {'width': 4}\ndeleted = 'gone'\nconstant = 42\n"
# What stands before the trainer or behind it: a value that is read too late is another one then.
INTERLUDES = (
    "",
    "effect('between')",
    "rebound = 'again'",
    "mutable.append(5)",
    "args.lr = 7",
    "settings['width'] = 9",
)
# Each place takes the setup and the statements, both indented as deep as it wants them.
PLACES = {
    "module": (0, "{setup}{body}"),
    "function": (1, "\n\ndef main(parameter=1):\n{setup}{body}\n\nmain()\n"),
    "main guard": (1, "\n\nif __name__ == '__main__':\n{setup}{body}"),
    "method": (2, "\n\nclass Job:\n    def run(self):\n{setup}{body}\n\nJob().run()\n"),
    "nested function": (2, "def outer():\n    def inner(argument=2):\n{setup}{body}    inner()\nouter()\n"),
    "loop": (1, "for turn in range(2):\n    kept = turn\n{setup}    rebound = turn\n{body}"),
    "branch": (1, "if args:\n{setup}{body}else:\n    pass\n"),
    "class": (2, "class Job:\n    def make(self, trainer=None):\n{setup}{body}\n    run = make\nJob().run()\n"),
    "closure": (2, "def outer(train_func, config=3):\n    def inner():\n{setup}{body}    return inner\nouter(1)()\n"),
    "try": (1, "try:\n{setup}{body}finally:\n    effect('finally')\n"),
}


def placed(draw: Draw, setup: str, body: str, *, among: Sequence[str] = tuple(PLACES)) -> str:
    """A setup and a body in one of some places."""
    level, place = PLACES[draw(st.sampled_from(sorted(among)))]
    margin = "    " * level
    return place.format(setup=indent(setup, margin), body=indent(body, margin))


def indented(draw: Draw, text: str) -> str:
    """A program with one of the usual indentations."""
    unit = draw(st.sampled_from(("    ", "  ", "\t")))
    lines = []
    for line in text.splitlines(keepends=True):
        content = line.lstrip(" ")
        levels, rest = divmod(len(line) - len(content), 4)
        lines.append(unit * levels + " " * rest + content)
    return "".join(lines)
