"""Pages with code blocks: which blocks are Python, which belong together, and how they are put back."""

from __future__ import annotations

from pathlib import Path, PurePath
from textwrap import indent

import pytest
from click.testing import CliRunner
from rewriting import LIGHTNING_IMPORTS, SCALING, codes, lightning

from migrate_trainers import FileResult, migrate_project, migrate_source
from migrate_trainers.cli import main
from migrate_trainers.containers.markdown import markdown_blocks
from migrate_trainers.containers.restructured import restructured_blocks
from migrate_trainers.findings import Kind

PROGRAM = lightning()
AFTER = migrate_source(PROGRAM.encode()).after.decode()


def migrate_page(text: str, suffix: str = ".md") -> FileResult:
    return migrate_source(text.encode(), path=PurePath(f"page{suffix}"))


def fenced(program: str, fence: str = "```", info: str = "python") -> str:
    return f"{fence}{info}\n{program}{fence}\n"


def directive(program: str, name: str = "code-block:: python", options: str = "", margin: str = "") -> str:
    return indent(f".. {name}\n{options}\n{indent(program, '   ')}", margin)


@pytest.mark.parametrize(
    "info",
    [
        *("python", "py", "python3", "Python", " python ", "pycon", "ipython3"),
        *('python title="train.py"', "python hl_lines='1'", "python {1,3}", "python,notest"),
        *("{python}", "{.python .annotate}", "{python, echo=FALSE}", "{code-block} python", "{code-cell} ipython3"),
        "{testcode}",
    ],
)
def test_fences_of_python(info: str) -> None:
    assert migrate_page(f"# Title\n\n{fenced(PROGRAM, info=info)}\nText.\n").after.decode() == (
        f"# Title\n\n{fenced(AFTER, info=info)}\nText.\n"
    )


@pytest.mark.parametrize(
    "info", ["", "bash", "console", "pytb", "python-console", "cython", "{literalinclude} a.py", "toml"]
)
def test_fences_of_other_languages(info: str) -> None:
    result = migrate_page(fenced(PROGRAM, info=info))

    assert not result.changed
    assert codes(result) == ["MT913"]


def _quoted(text: str, mark: str = "> ") -> str:
    return indent(text, mark, lambda line: True).replace(f"{mark}\n", f"{mark.rstrip()}\n")


@pytest.mark.parametrize(
    "around",
    [
        fenced,
        lambda program: fenced(program, "~~~"),
        lambda program: fenced(program, "`````"),
        lambda program: "- item\n\n" + indent(fenced(program), "  "),
        lambda program: "1. item\n   - item\n\n" + indent(fenced(program), "     "),
        lambda program: "- " + indent(fenced(program), "  ").lstrip(),
        lambda program: _quoted(fenced(program)),
        lambda program: _quoted(_quoted(fenced(program))),
        lambda program: _quoted("- item\n\n" + indent(fenced(program), "  ")),
        lambda program: f"<details>\n\n{fenced(program)}\n</details>\n",
        lambda program: indent(fenced(program), "  "),
        lambda program: f"```python\n{program}",
        lambda program: fenced(program).replace("\n", "\r\n"),
        lambda program: "\ufeff" + fenced(program).rstrip("\n"),
        lambda program: f"---\ntitle: é\n---\n{fenced(program)}",
        lambda program: f"```{{code-block}} python\n:linenos:\n:caption: x\n\n{program}```\n",
        lambda program: f"```{{code-block}} python\n---\nlinenos: true\n---\n{program}```\n",
        lambda program: f":::{{note}}\n{fenced(program)}:::\n",
    ],
)
def test_fences_in_their_surroundings(around: object) -> None:
    before, after = around(PROGRAM), around(AFTER)  # type: ignore[operator]

    assert migrate_page(before).after.decode() == after
    assert not migrate_page(after).changed


@pytest.mark.parametrize(
    "page",
    [
        indent(fenced(PROGRAM), "    "),
        f"````markdown\n{fenced(PROGRAM)}````\n",
        f"<!--\n{fenced(PROGRAM)}-->\n",
        f"<pre>\n{fenced(PROGRAM)}</pre>\n",
        f"Text.\n{PROGRAM}",
    ],
    ids=["indented code", "fence in a fence", "comment", "pre", "no code"],
)
def test_what_is_no_fence(page: str) -> None:
    assert not migrate_page(page).changed


@pytest.mark.parametrize(
    "around",
    [
        directive,
        lambda program: directive(program, "code:: python"),
        lambda program: directive(program, "sourcecode:: py"),
        lambda program: directive(program, "testcode::"),
        lambda program: directive(program, "testcode:: group"),
        lambda program: directive(program, options="   :linenos:\n   :caption: x\n"),
        lambda program: directive(program, margin="   ") + "\n   Text.\n",
        lambda program: ".. note::\n\n" + directive(program, margin="   "),
        lambda program: "* item\n\n" + directive(program, margin="  ") + "\n* item\n",
        lambda program: f".. code-block:: python\n\n{indent(program, chr(9))}".replace(chr(9), "      "),
        lambda program: directive(program).replace("\n", "\r\n"),
        lambda program: directive(program).rstrip("\n"),
        lambda program: f"Literal::\n\n    $ ls\n\n{directive(program)}\nText\n",
        lambda program: f".. _target:\n\n.. [1] Note\n\n.. |x| replace:: y\n\n{directive(program)}",
    ],
)
def test_directives_in_their_surroundings(around: object) -> None:
    before, after = around(PROGRAM), around(AFTER)  # type: ignore[operator]

    assert migrate_page(before, ".rst").after.decode() == after
    assert not migrate_page(after, ".rst").changed


@pytest.mark.parametrize(
    "page",
    [
        directive(PROGRAM, "code-block:: console"),
        directive(PROGRAM, "code-block::"),
        directive(PROGRAM, "testoutput::"),
        f".. A comment\n\n{directive(PROGRAM, margin='   ')}",
        f"Literal::\n\n{directive(PROGRAM, margin='   ')}",
        f"Text::\n\n{indent(PROGRAM, '    ')}",
        ".. code-block:: python\n\n" + indent(PROGRAM, "\t"),
    ],
    ids=["console", "no language", "output", "comment", "literal block", "literal", "tabs"],
)
def test_what_is_no_directive_of_python(page: str) -> None:
    assert not migrate_page(page, ".rst").changed


def _prompted(program: str) -> str:
    """A session's inputs, whose statements stand on one line each."""
    return "".join(f">>> {line}\n" for line in program.splitlines() if line)


ONE_LINE = (
    f"{LIGHTNING_IMPORTS}trainer = LightningTrainer(lightning_config=LightningConfigBuilder().module(Net)"
    f".fit_params(datamodule=DM()).build(), scaling_config={SCALING})\n"
)


@pytest.mark.parametrize(
    ("page", "suffix", "margin"),
    [
        ("{}", ".rst", ""),
        ("{}", ".rst", "    "),
        (".. doctest::\n\n{}", ".rst", "   "),
        ("```python\n{}```\n", ".md", ""),
        ("```pycon\n{}```\n", ".md", ""),
        ("- item\n\n  ```python\n{}  ```\n", ".md", "  "),
        ("> ```python\n{}> ```\n", ".md", "> "),
    ],
)
def test_sessions_keep_prompts_and_outputs(page: str, suffix: str, margin: str) -> None:
    session = f"{_prompted(ONE_LINE)}>>> trainer.fit()\nResult(\n  a LightningTrainer made)\n>>> 1 +\\\n... 2\n3\n"
    before = page.format(indent(session, margin))
    after = migrate_page(before, suffix).after.decode()

    assert after != before
    lines = after.splitlines()
    start = lines.index(f"{margin}>>> def train_func():")
    assert lines[start + 1] == f"{margin}...     model = Net()"
    assert f"{margin}>>> trainer = TorchTrainer(" in lines
    assert lines[lines.index(f"{margin}>>> trainer.fit()") :][:6] == [
        f"{margin}{line}"
        for line in (
            ">>> trainer.fit()",
            "Result(",
            "  a LightningTrainer made)",
            ">>> 1 +\\",
            "... 2",
            "3",
        )
    ]
    assert not migrate_page(after, suffix).changed


def test_blocks_that_use_each_other_are_one_program() -> None:
    config = "config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()\n"
    trainer = f"trainer = LightningTrainer(lightning_config=config, scaling_config={SCALING})\n"
    page = "\nText.\n\n".join(map(fenced, (LIGHTNING_IMPORTS, "print('between')\n", config, trainer)))
    result = migrate_page(page)

    assert (result.call_sites, result.migrated) == (1, 1)
    assert "LightningConfigBuilder" not in result.after.decode()
    assert fenced("print('between')\n") in result.after.decode()


def test_programs_of_a_page_are_apart() -> None:
    left = lightning(trainer="**more")
    page = f"{fenced(PROGRAM)}\n{fenced(left)}\n{fenced(PROGRAM)}"
    result = migrate_page(page)

    assert result.after.decode() == f"{fenced(AFTER)}\n{fenced(left)}\n{fenced(AFTER)}"
    assert (result.call_sites, result.migrated) == (3, 2)
    manual = [finding.line for finding in result.findings if finding.kind is Kind.MANUAL]
    lines = page.splitlines()
    assert manual
    assert all("LightningTrainer" in lines[line - 1] or "more" in lines[line - 1] for line in manual)


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("trainer = LightningTrainer(config, <workers>)\n", 4),
        ("trainer = LightningTrainer(config)\n", 4),
        ("LightningTrainer?\n", 4),
        ("!grep LightningTrainer .\n", 4),
        ("    trainer = LightningTrainer(config)\nelse:\n", 4),
    ],
)
def test_fragments_are_left_quietly(code: str, line: int) -> None:
    page = f"# Ray\n\n{fenced(code)}"
    result = migrate_page(page)

    assert result.after.decode() == page
    assert [(finding.code, finding.line) for finding in result.findings] == [("MT913", line)]
    assert not result.has(Kind.ERROR)


@pytest.mark.parametrize(
    "page",
    [
        "Their own `LightningTrainer`:\n\n```python\ntrainer = LightningTrainer(config)\n```\n",
        "# Ray\n\nLightningTrainer is gone.\n\n```python\nprint(1)\n```\n",
        "# Ray\n\n```python\nx = 'LightningTrainer'\n```\n\n```python\nbroken(\n```\n",
    ],
)
def test_pages_with_nothing_to_do(page: str) -> None:
    result = migrate_page(page)

    assert result.after.decode() == page
    assert not result.findings


@pytest.mark.parametrize(
    ("page", "suffix", "line"),
    [
        (f"# Ray\n\n```\n{PROGRAM}```\n", ".md", 7),
        (f"# Ray\n\n<Tabs>\n```python\n{PROGRAM}```\n</Tabs>\n", ".mdx", 8),
        (f"Ray\n===\n\nText::\n\n{indent(PROGRAM, '    ')}", ".rst", 9),
        (f"Ray\n===\n\n.. code-block:: python\n\n{indent(PROGRAM, chr(9))}", ".rst", 9),
    ],
    ids=["no language", "inside of HTML", "literal block", "tabs"],
)
def test_imports_that_are_in_no_block_of_python_are_pointed_out(page: str, suffix: str, line: int) -> None:
    result = migrate_page(page, suffix)

    assert not result.changed
    assert [(one.code, one.line) for one in result.findings] == [("MT913", line)]


def test_text_about_the_old_code_is_pointed_out() -> None:
    page = f"A `LightningTrainer`.\n\n```python hl_lines='1'\n{PROGRAM}```\n"

    assert [(one.line, one.column) for one in migrate_page(page).findings if one.code == "MT915"] == [(1, 4), (3, 1)]


def test_findings_are_at_their_place_in_the_page() -> None:
    page = "> - item\n>\n" + _quoted(indent(fenced(f"{LIGHTNING_IMPORTS}LightningTrainer(x()).fit()\n"), "  "))
    result = migrate_page(page)
    place = next((one.line, one.column) for one in result.findings if one.kind is Kind.MANUAL)

    assert page.splitlines()[place[0] - 1][place[1] - 1 :].startswith("x()")


def test_bytes_that_are_no_text() -> None:
    data = b"\xff ray LightningTrainer"

    assert codes(migrate_source(data, path=PurePath("page.md"))) == ["MT901"]


def test_pages_are_found_in_folders_with_docs_only(tmp_path: Path) -> None:
    for name, text in (("a.md", fenced(PROGRAM)), ("b.rst", directive(PROGRAM))):
        (tmp_path / name).write_text(text)
    without = CliRunner().invoke(main, ["--check", str(tmp_path)])
    named = CliRunner().invoke(main, ["--check", str(tmp_path / "a.md")])
    result = CliRunner().invoke(main, ["--docs", str(tmp_path)])

    assert (without.exit_code, named.exit_code, result.exit_code) == (0, 1, 0), result.output
    assert (tmp_path / "a.md").read_text() == fenced(AFTER)
    assert (tmp_path / "b.rst").read_text() == directive(AFTER)


def test_pages_are_no_modules() -> None:
    files = {Path("train.py"): PROGRAM.encode(), Path("project.md"): fenced("def effect(): ...\n").encode()}

    assert list(migrate_project(files)) == [Path("train.py")]


@pytest.mark.parametrize("scan", [markdown_blocks, restructured_blocks])
@pytest.mark.parametrize(
    "text", ["", "\n", "```python", "```python\n```", ">>> ", ".. code-block:: python", "..", "::"]
)
def test_pages_with_hardly_anything(scan: object, text: str) -> None:
    list(scan(text.split("\n")))  # type: ignore[operator]
