"""Code that is too deep for the parser: a finding, whether Python can parse it or not, and never the process's end."""

from __future__ import annotations

import ast
import json

import pytest
from notebooks import notebook

from migrate_trainers import migrate_source
from migrate_trainers.reading.nesting import depth_of_text, depth_of_tree, joins_many_strings

IMPORT = "from ray.train.lightning import LightningTrainer\n"
# No Python parses it, and a later one might.
NEWER = "x = = 1\n"
MANY = 5000
CHAINS = {
    "and": " and ".join(["a"] * MANY),
    "plus": " + ".join(["a"] * MANY),
    "power": "**".join(["a"] * MANY),
    "attributes": "a" + ".b" * MANY,
    "calls": "a" + "()" * MANY,
    "methods": "a" + ".b(1, 2)" * MANY,
    "elements": "a" + "[0]" * MANY,
    "not": "not " * MANY + "a",
    "minus": "-" * MANY + "a",
    "if": "a if b else " * MANY + "c",
    "lambda": "lambda: " * MANY + "c",
    "strings": "x = " + "'a' " * MANY,
    "strings of several lines": "x = (" + "'a'\n" * MANY + ")",
    "elif": "if a:\n    pass\n" + "elif b:\n    pass\n" * MANY,
    "for": "[a " + "for a in b " * MANY + "]",
    "parentheses": "(" * MANY + "a" + ")" * MANY,
    "lists": "f(1, [" * MANY + "a" + "])" * MANY,
    "alternatives": "x: " + " | ".join(["a"] * MANY),
    "module": "import a" + ".b" * MANY,
    "formats": "f'" + "{a:" * MANY + "}" * MANY + "'",
    "behind a comma": "x = (1, " + " + ".join(["a"] * MANY) + ")",
}


@pytest.mark.parametrize("newer", ["", NEWER], ids=["Python", "newer"])
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_a_chain_that_is_too_long_is_a_finding(chain: str, newer: str) -> None:
    result = migrate_source(f"{IMPORT}{newer}{chain}\n".encode())

    assert [finding.code for finding in result.findings] == ["MT914"]
    assert not result.changed


def test_a_chain_in_a_cell_is_a_finding_too() -> None:
    data = json.dumps(notebook(IMPORT, NEWER + "-" * MANY + "a")).encode()

    assert "MT914" in [finding.code for finding in migrate_source(data).findings]


ORDINARY = {
    "many short lines": "a = b.c + d[0]\n" * MANY,
    "a large table": "x = {" + "'key': [a.b, c + 1, 'x' 'y'],\n" * MANY + "}\n",
    "prose": '"""' + "One, two. Three (four). " * MANY + '"""\n',
    "many functions": "def f(a, b):\n    return a.b(c)\n" * MANY,
    "many strings": "x = [" + "'a', 'b',\n" * MANY + "'', '']\n",
    "a long string": f"x = '{'a.b + ' * MANY}'\n",
    "a parenthesis in a string": "x = f'('\n" + "def f():\n    return a.b\n" * MANY,
}


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_what_people_write_is_not_too_deep(text: str) -> None:
    assert depth_of_text(text) < 50
    assert depth_of_tree(ast.parse(text)) < 50
    assert not joins_many_strings(text)
