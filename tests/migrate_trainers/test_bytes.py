"""What isn't rewritten keeps its bytes: encodings, line ends, tabs, form feeds and the end of the file."""

from __future__ import annotations

import codecs
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rewriting import lightning
from worker_calls import assert_same_calls

from migrate_trainers import migrate_source
from migrate_trainers.findings import FileResult, Kind
from migrate_trainers.reporting.diffs import unified_diff

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[2] / "fixtures"
CHOSEN = (
    "lightning/chained_builder",
    "lightning/statement_by_statement",
    "lightning/in_main_function",
    "lightning/train_every_n_steps",
    "transformers/plain",
    "transformers/save_no",
    "accelerate/literal_config",
)
BEFORE_AND_AFTER = [
    pytest.param((FIXTURES / name / "before.py").read_bytes(), (FIXTURES / name / "after.py").read_bytes(), id=name)
    for name in CHOSEN
]


def _first_comment_behind_cookie(data: bytes, cookie: bytes, text: bytes) -> bytes:
    """A source with an encoding cookie and a line of other characters behind the first lines."""
    if data.startswith(b"#!"):
        first, _, rest = data.partition(b"\n")
        return first + b"\n" + cookie + b"\n" + text + b"\n" + rest
    return cookie + b"\n" + text + b"\n" + data


VARIANTS: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "CR": lambda data: data.replace(b"\n", b"\r"),
    "byte order mark": lambda data: codecs.BOM_UTF8 + data,
    "byte order mark and CRLF": lambda data: codecs.BOM_UTF8 + data.replace(b"\n", b"\r\n"),
    "no final newline": lambda data: data.rstrip(b"\n"),
    "blank lines at the end": lambda data: data + b"\n\n",
    "form feeds": lambda data: data.replace(b"\n\n\n", b"\n\x0c\n\n", 1) + b"\x0c\n",
    "UTF-8 characters": lambda data: _first_comment_behind_cookie(
        data, b"# coding: utf-8", "# gr\u00fc\u00df \U0001f600".encode()
    ),
    "latin-1 cookie": lambda data: _first_comment_behind_cookie(
        data, b"# -*- coding: latin-1 -*-", "# gr\u00fc\u00df".encode("latin-1")
    ),
    "windows cookie and CRLF": lambda data: _first_comment_behind_cookie(
        data, b"# vim: set fileencoding=cp1252 :", "# \u20ac".encode("cp1252")
    ).replace(b"\n", b"\r\n"),
    "trailing white space": lambda data: data + b"value = 1   \n\t\n",
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize(("before", "after"), BEFORE_AND_AFTER)
def test_same_edit_whatever_the_bytes(before: bytes, after: bytes, variant: Callable[[bytes], bytes]) -> None:
    result = migrate_source(variant(before))

    assert not result.has(Kind.ERROR), result.findings
    assert result.after == variant(after)


@pytest.mark.parametrize(("unit", "name"), [("\t", "tab"), ("  ", "two spaces"), ("        ", "eight spaces")])
@pytest.mark.parametrize(
    "program",
    [
        "def main():\n    config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()\n"
        "    trainer = LightningTrainer(config, scaling_config=ScalingConfig(num_workers=2))\n"
        "    trainer.fit()\nmain()\n",
        "class Job:\n    def run(self):\n        return LightningTrainer(\n"
        "            LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build(),\n"
        "            scaling_config=ScalingConfig(num_workers=2),\n        ).fit()\nJob().run()\n",
    ],
    ids=["function", "method"],
)
def test_new_code_is_indented_like_the_file(program: str, unit: str, name: str) -> None:
    head = lightning().partition("\ntrainer = ")[0] + "\n"
    text = head + "".join(
        unit * ((len(line) - len(line.lstrip(" "))) // 4) + line.lstrip(" ")
        for line in program.splitlines(keepends=True)
    )

    result = migrate_source(text.encode())

    lines = result.after.decode().splitlines()
    body = next(line for line in lines if line.lstrip().startswith("model = "))
    function = next(line for line in lines if line.lstrip().startswith("def train_func"))
    assert body[: -len(body.lstrip())] == function[: len(function) - len(function.lstrip())] + unit, name
    assert_same_calls(text, result.after)


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_of_the_user_are_kept(quote: str) -> None:
    program = lightning(f".checkpointing(monitor={quote}loss{quote})", trainer=f"run_config=RunConfig({quote}x{quote})")

    after = migrate_source(program.encode()).after.decode()

    assert f"name={quote}x{quote}" in after
    assert f"checkpoint_score_attribute={quote}loss{quote}" in after


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"# -*- coding: ascii -*-\n# \xfc\nfrom ray.train.lightning import LightningTrainer\n", "MT901"),
        (b"# -*- coding: no-such-encoding -*-\nfrom ray.train.lightning import LightningTrainer\n", "MT901"),
        (b"\x00\xff\xfeLightningTrainer(", "MT901"),
        (b"from ray.train.lightning import LightningTrainer\nLightningTrainer(\n", "MT900"),
        (b"from ray.train.lightning import LightningTrainer\nif x:\n   a\n  b\n", "MT900"),
    ],
    ids=["not ASCII", "unknown encoding", "binary", "unfinished call", "wrong indentation"],
)
def test_what_is_no_python_is_an_error_and_stays(data: bytes, code: str) -> None:
    result = migrate_source(data)

    assert result.after == data
    assert [finding.code for finding in result.findings] == [code]
    assert result.findings[0].kind is Kind.ERROR


def test_a_syntax_error_is_told_as_python_tells_it() -> None:
    lines = ["from ray.train.lightning import LightningTrainer", "x = 1", "print 'old'", "", ""]

    (finding,) = migrate_source("\n".join(lines).encode()).findings

    assert (finding.line, finding.column) == (3, 1)
    assert "Missing parentheses in call to 'print'" in finding.message


def test_form_feed_before_a_statement_is_never_lost() -> None:
    data = lightning(before="\n\x0cvalue = 1\n").encode()

    result = migrate_source(data)

    assert b"\n\x0cvalue = 1\n" in result.after


def test_binary_data_without_a_legacy_name_is_not_even_decoded() -> None:
    data = bytes(range(256)) * 4

    assert migrate_source(data) == FileResult(data, data)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize(("before", "after"), BEFORE_AND_AFTER[:2])
def test_diff_is_what_git_applies(
    before: bytes, after: bytes, variant: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    file = tmp_path / "a folder" / "script.py"
    file.parent.mkdir()
    file.write_bytes(variant(before))
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "config", "core.autocrlf", "false"], cwd=tmp_path, check=True)

    diff = unified_diff(file, migrate_source(file.read_bytes()))
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=tmp_path, input=diff, check=True)

    assert file.read_bytes() == variant(after)
