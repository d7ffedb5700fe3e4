"""What the tool can read: the syntax of every Python, deep and large files, odd encodings, form feeds anywhere."""

from __future__ import annotations

import re
import warnings

import pytest
from rewriting import LIGHTNING_IMPORTS, codes, lightning
from worker_calls import assert_same_calls

from migrate_trainers import migrate_source

NEWER = {
    "3.8: assignment expressions": "if (n := 10) > 5:\n    def f(a, /, b): ...\nprint(f'{n=}')\n",
    "3.9: decorators": "@effect[0].x\ndef f(): ...\n",
    "3.10: match": "match effect():\n    case {'a': [x, *_]} | x if x: pass\n    case Net(a=1): pass\n",
    "3.10: parenthesised with": "with (open('a') as a, open('b') as b):\n    pass\n",
    "3.11: groups of exceptions": "try:\n    effect()\nexcept* ValueError as group:\n    pass\n",
    "3.11: starred index": "def f(*args: *Net): x[*args]\n",
    "3.12: type parameters": "type A[T] = list[T]\ndef f[T: int, *Ts, **P](x: T) -> T: ...\nclass C[T]: ...\n",
    "3.12: f-strings": "x = f\"{'a' + f'{effect(\"b\")}'}\"\ny = f'{effect(  # a comment\n    1\n)}'\n",
    "3.13: defaults of type parameters": "class C[T = int]: ...\n",
    "3.14: exceptions without parentheses": "try:\n    effect()\nexcept ValueError, TypeError:\n    pass\n",
    "3.14: template strings": "x = t'{effect()!r:>{10}} and {1}'\n",
}


@pytest.mark.parametrize("addition", NEWER.values(), ids=NEWER)
def test_syntax_of_every_python_is_read_and_kept(addition: str) -> None:
    result = migrate_source(lightning(before=f"\n{addition}").encode())

    assert result.migrated == 1, result.findings
    assert addition in result.after.decode()
    assert migrate_source(result.after).call_sites == 0


OLDER = {
    "print statement": "print 'x'\n",
    "exception with a comma": "try:\n    pass\nexcept ValueError, e:\n    pass\n",
    "backticks": "x = `1`\n",
    "octal": "x = 0777\n",
    "tabs and spaces": "if 1:\n        x = 1\n\ty = 2\n",
}


@pytest.mark.parametrize("addition", [*OLDER.values(), "x = '\0'\n", "lazy import os\n"], ids=[*OLDER, "null", "later"])
def test_other_syntax_is_a_finding_only_where_there_is_legacy_code(addition: str) -> None:
    legacy = lightning(before=f"\n{addition}").encode()

    result = migrate_source(legacy)

    if result.changed:  # A Python 3 reading of the same text: `except ValueError, e` is one since 3.14.
        assert addition.encode() in result.after
    else:
        assert codes(result) == ["MT900"]
    assert migrate_source(f"# LightningTrainer\n{addition}".encode()).findings == ()


DEEP = {
    "brackets": "(" * 5000 + "1" + ")" * 5000,
    "lists": "[" * 50000 + "]" * 50000,
    "sum": "+".join("1" * 20000),
    "attributes": "x" + ".a" * 20000,
    "calls": "x" + ".a()" * 5000,
    "conditions": "a and " * 20000 + "1",
    "negations": "not " * 20000 + "1",
    "minus": "-" * 20000 + "1",
    "lambdas": "lambda: " * 3000 + "1",
    "choices": "1 if x else " * 5000 + "1",
    "powers": "2**" * 5000 + "1",
    "new strings": "t'' + " + "(" * 5000 + "1" + ")" * 5000,
}


@pytest.mark.parametrize("expression", DEEP.values(), ids=DEEP)
def test_deep_nesting_is_a_finding(expression: str) -> None:
    result = migrate_source(lightning(before=f"\nvalue = {expression}\n").encode())

    assert not result.changed
    assert codes(result) == ["MT914"]


@pytest.mark.parametrize(
    "code",
    [
        "x = " + "+".join("1" * 300) + "\n",
        "x = " + "(" * 150 + "1" + ")" * 150 + "\n",
        "if 1:\n    pass\n" + "elif 1:\n    pass\n" * 200,
        "".join(f"{' ' * depth}if 1:\n" for depth in range(90)) + " " * 90 + "pass\n",
    ],
    ids=["sum", "brackets", "branches", "blocks"],
)
def test_nesting_that_people_write_is_read(code: str) -> None:
    assert migrate_source(lightning(before=f"\n{code}").encode()).migrated == 1


def test_a_huge_file_is_a_finding_only_where_it_may_hold_legacy_code() -> None:
    lines = b"x = 1\n" * 1_700_000

    assert codes(migrate_source(b"from ray.train.lightning import LightningTrainer\n" + lines)) == ["MT914"]
    assert migrate_source(b"# LightningTrainer of ray\n" + lines).findings == ()


def test_a_huge_string_is_no_reason_to_leave_a_file() -> None:
    assert migrate_source(lightning(before=f"\nDATA = '{'x' * 10_000_000}'\n").encode()).migrated == 1


def test_nobody_is_warned_of_code_that_is_read() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        assert migrate_source(lightning(before="\npattern = '\\d'\n").encode()).migrated == 1


FORM_FEEDS = {
    "before a statement": "\n\x0cvalue = 1\n",
    "before a function": "\n\x0c\ndef f():\n    pass\n\x0c\n\x0cdef g():\n    pass\n",
    "in a body": "\ndef f():\n    x = 1\n\x0c    y = 2\n    \x0c\n    return x\n",
    "several": "\n\x0c\x0c \x0cvalue = 1\n",
    "in a line": "\nvalue =\x0c1\x0c\n",
    "before a comment": "\n\x0c# a comment\nvalue = 1\n",
    "in a string": '\nvalue = """\n\x0ctext\n"""\n\x0cother = 1\n',
    "in brackets": "\nvalue = [\n\x0c    1,\n]\n",
    "behind a backslash": "\nvalue = 1 + \\\n\x0c 2\n",
}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("addition", FORM_FEEDS.values(), ids=FORM_FEEDS)
def test_form_feeds_stay_where_they_are(addition: str, newline: str) -> None:
    text = lightning(before=addition).replace("\n", newline)

    result = migrate_source(text.encode())

    assert result.migrated == 1, result.findings
    assert addition.replace("\n", newline).encode() in result.after
    assert migrate_source(result.after).after == result.after


def test_form_feeds_at_the_start_and_in_code_that_is_rewritten() -> None:
    program = "\x0c" + lightning().replace("    lightning_config", "\x0c    lightning_config")

    result = migrate_source(program.encode())

    assert result.migrated == 1, result.findings
    assert result.after.startswith(b"\x0cimport")
    assert_same_calls(program.replace("\x0c", ""), result.after.replace(b"\x0c", b""))


ENCODINGS = {
    "iso-8859-15": "€ü",
    "koi8-r": "привет",
    "shift_jis": "日本語",
    "euc-kr": "한국어",
    "gb18030": "中文 😀",
    "iso-2022-jp": "日本語",
    "mac-roman": "ü",
    "utf-8": "ü 😀",
    "utf-8-sig": "ü",
}


@pytest.mark.parametrize(("encoding", "text"), ENCODINGS.items(), ids=ENCODINGS)
def test_declared_encodings_are_kept(encoding: str, text: str) -> None:
    program = f"# -*- coding: {encoding} -*-\n# {text}\n{lightning(before=f'''print('{text}')''')}# {text}\n"

    result = migrate_source(program.encode(encoding))

    assert result.migrated == 1, result.findings
    assert result.after.decode(encoding).count(text) == 3


ODD = (
    "utf-16 utf-16-le utf-32 utf-7 hex rot13 base64 zlib undefined idna punycode unicode_escape raw_unicode_escape "
    "cp037 mbcs no-such-encoding"
)


@pytest.mark.parametrize("encoding", ODD.split())
@pytest.mark.parametrize("addition", [b"", b"# \\ud800 +2AA- \xff\xfe\n", b"#"])
def test_encodings_that_are_none_of_a_python_file_never_fail(encoding: str, addition: bytes) -> None:
    data = f"# coding: {encoding}\n".encode() + addition + lightning().encode()

    result = migrate_source(data)

    if result.changed:
        first, last = re.escape(data[:20]), re.escape(b"result = trainer.fit()\n")
        assert re.match(first, result.after)
        assert re.search(last, result.after)
    else:
        assert codes(result) in (["MT900"], ["MT901"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
def test_a_file_in_utf_16_is_no_python(encoding: str) -> None:
    assert not migrate_source(LIGHTNING_IMPORTS.encode(encoding)).changed
