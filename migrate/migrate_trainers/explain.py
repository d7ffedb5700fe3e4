"""What `--explain` prints: a finding's meaning, and a program that gets it."""

from __future__ import annotations

import difflib
import textwrap
from typing import TYPE_CHECKING

import click

from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.examples import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator


def explanation(code: str) -> str:
    """The text for a finding's code, in any case; raises `KeyError`, with a hint, for what is no code."""
    entry = CATALOGUE.get(code.strip().upper())
    if entry is None:
        raise KeyError(f"{code} is not the code of a finding{_hint(code)}")
    kind = entry.kind.value
    text = f"{click.style(entry.code, bold=True)} ({kind}): {entry.title}\n\n{entry.why}\n\nWhat to do: {entry.help}\n"
    if entry.versions:
        text += f"Given for: {entry.versions}\n"
    for title, program in _example_of(entry.code):
        text += f"\n{click.style(title, bold=True)}:\n\n{textwrap.indent(program, '    ')}"
    return text


def _hint(code: str) -> str:
    number = "".join(character for character in code if character.isdecimal())
    near = difflib.get_close_matches(f"MT{number}", CATALOGUE, n=3, cutoff=0.8)
    known = ", ".join(sorted(near)) or f"{min(CATALOGUE)} to {max(CATALOGUE)}"
    return f"; {'near ones are' if near else 'they run from'} {known}"


def _example_of(code: str) -> Iterator[tuple[str, str]]:
    """A program that gives a finding, and what the tool or a person makes of it, with titles."""
    example = EXAMPLES.get(code)
    if example is None:
        return
    yield "Before", example.before
    if example.instead:
        yield "Write instead", example.instead
    else:
        yield "After", example.migrated(example.before).after.decode()
