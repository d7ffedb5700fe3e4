"""A tree after edits is the tree of the edited text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate_trainers.reading.parsing import Parsed
from migrate_trainers.reading.source import Edit, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = [
    "# a comment",
    "",
    "import os",
    "x = [1,",
    "     2]  # é",
    "def f(a):",
    "class A:",
    "    '''text'''",
    "    return a",
    "        y = 1",
    "    # inside",
    "if x:",
    "else:",
    "    pass; z = 2",
    "@decorated",
    "\t# tab",
]


def nodes(parsed: Parsed) -> Iterator[tuple[str, tuple[int, int], str]]:
    """Every node in the order of the text: its class, its place, and the class of what holds it."""
    pending = [parsed.module]
    while pending:
        node = pending.pop()
        above = parsed.parents.get(id(node))
        yield type(node).__name__, parsed.spans[id(node)], type(above).__name__
        pending += reversed(parsed.children.get(id(node), ()))


def assert_same(parsed: Parsed, data: bytes) -> None:
    fresh = Parsed.of(data)
    assert list(nodes(parsed)) == list(nodes(fresh))
    assert [len(part) for part in (parsed.module.header, parsed.module.body, parsed.module.footer)] == [
        len(part) for part in (fresh.module.header, fresh.module.body, fresh.module.footer)
    ]
    assert parsed.module.has_trailing_newline == fresh.module.has_trailing_newline


@st.composite
def edited_texts(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    """A text of a few lines that may be Python, and edits of it."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    lines = draw(st.lists(st.sampled_from(LINES), max_size=12))
    text = newline.join(lines) + draw(st.sampled_from(["", newline]))
    places = sorted(draw(st.lists(st.integers(0, len(text.encode())), max_size=6)))
    inserted = st.lists(st.sampled_from(LINES), max_size=3).map(lambda chosen: "".join(f"{line}\n" for line in chosen))
    edits = [
        Edit(start, end, draw(inserted | st.just("x"))) for start, end in zip(places[::2], places[1::2], strict=False)
    ]
    return text, edits


@settings(max_examples=400, deadline=None)
@given(edited_texts())
def test_edited_text_has_the_tree_of_the_text_as_it_is_then(example: tuple[str, list[Edit]]) -> None:
    text, edits = example
    source = Source.decode(text.encode())
    try:
        before = Parsed.of(source.buffer)
        edited = source.rewritten(edits)
        fresh = Parsed.of(edited.buffer)
    except (cst.ParserSyntaxError, ValueError):
        return

    after = before.edited(edited.edits, edited.buffer)

    assert after.module.code == fresh.module.code
    assert_same(after, edited.buffer)


def test_statements_away_from_the_edits_keep_their_nodes() -> None:
    text = b"".join(b"value_%d = %d\n" % (number, number) for number in range(9))
    before = Parsed.of(text)
    start = text.index(b"value_4")

    after = before.edited([Edit(start, start, "# more\n")], text[:start] + b"# more\n" + text[start:])

    kept = [new is old for new, old in zip(after.module.body, before.module.body, strict=True)]
    # Those beside the edit, and the next, to which comments might belong.
    assert kept == [number not in (3, 4, 5) for number in range(9)]
    assert after.spans[id(after.module.body[8])][0] == text.index(b"value_8") + len(b"# more\n")


def test_an_error_after_edits_is_that_of_the_whole() -> None:
    text = b"".join(b"value_%d = %d\n" % (number, number) for number in range(9))
    start = text.index(b"value_4")
    wrong = text[:start] + b"a b\n" + text[start:]

    with pytest.raises(cst.ParserSyntaxError, match="error at 5:3"):
        Parsed.of(text).edited([Edit(start, start, "a b\n")], wrong)


def test_places_of_findings_are_right_behind_a_first_step_in_a_file_with_carriage_returns() -> None:
    lines = [f"value_{number} = {number}\r\n" for number in range(9)]
    source = Source.decode("".join(lines).encode())
    start = sum(len(line) for line in lines[:2])

    edited = source.rewritten([Edit(start, start, "".join(f"new_{number} = 0\n" for number in range(5)))])

    assert edited.position(edited.buffer.index(b"value_7")) == (8, 1)
