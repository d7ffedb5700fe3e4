"""What the README and the pages in `docs/` show is what the tool does."""

from __future__ import annotations

import re
import runpy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from migrate_trainers import Kind, Settings, migrate_project, migrate_source
from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.cli import main
from migrate_trainers.examples import EXAMPLES
from migrate_trainers.reading import legacy
from migrate_trainers.settings import Adoption

if TYPE_CHECKING:
    from migrate_trainers.entry import Version

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAIRS = re.findall(
    r"### (\w+)\n.*?Before:\n\n```python\n(.*?)```\n\nAfter:\n\n```python\n(.*?)```", README, flags=re.DOTALL
)


def test_shows_a_pair_for_each_trainer() -> None:
    assert [name for name, _, _ in PAIRS] == ["LightningTrainer", "TransformersTrainer", "AccelerateTrainer"]


@pytest.mark.parametrize(("before", "after"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_pair_is_what_the_tool_writes(before: str, after: str) -> None:
    # The module that the README's script takes its classes from.
    digits = b"import pytorch_lightning as pl\n\nClassifier, DigitsData = pl.LightningModule, pl.LightningDataModule\n"
    script = Path("train.py")

    result = migrate_project({script: before.encode(), Path("digits.py"): digits})[script]

    assert result.after.decode() == after
    assert not result.has(Kind.MANUAL)


def test_adopted_script_is_what_the_tool_writes() -> None:
    plain, adopted = re.findall(r"```python\n(.*?)```", README.partition("## Adopt a plain script\n")[2], re.DOTALL)[:2]

    assert migrate_source(plain.encode(), Settings(adoption=Adoption(2))).after.decode() == adopted


def test_names_only_options_that_exist() -> None:
    options = {option for parameter in main.params for option in parameter.opts}
    pages = [README, *(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")))]
    used = {option for page in pages for option in re.findall(r"migrate-trainers[^\n`]*? (--[a-z-]+)", page)}

    assert used
    assert used <= options


def test_table_of_findings_is_that_of_the_catalogue() -> None:
    with_table = runpy.run_path(str(ROOT / "tools" / "findings_table.py"))["with_table"]

    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert with_table(page) == page, "`make docs` writes the table"
    assert all(f"| {code} |" in page for code in CATALOGUE)


def test_every_finding_about_code_has_an_example() -> None:
    about_the_tool = {code for code in CATALOGUE if code.startswith("MT9")}

    assert set(EXAMPLES) == set(CATALOGUE) - about_the_tool


@pytest.mark.parametrize("code", sorted(EXAMPLES))
def test_example_gives_its_finding(code: str) -> None:
    example, kind = EXAMPLES[code], CATALOGUE[code].kind

    result = example.migrated(example.before)

    assert code in [finding.code for finding in result.findings]
    assert result.changed is (kind is not Kind.MANUAL)
    assert bool(example.instead) is (kind is Kind.MANUAL)


@pytest.mark.parametrize("code", sorted(code for code in EXAMPLES if EXAMPLES[code].instead))
def test_what_an_example_advises_is_understood(code: str) -> None:
    example = EXAMPLES[code]

    result = example.migrated(example.instead)

    assert compile(example.instead, code, "exec")
    assert result.migrated == result.call_sites
    assert not result.has(Kind.MANUAL)
    assert not result.has(Kind.ERROR)


@pytest.mark.parametrize(("code", "title"), [("MT100", "After"), ("MT106", "Write instead")])
def test_explanation_shows_the_example(code: str, title: str) -> None:
    output = CliRunner().invoke(main, ["--explain", code]).output

    before, after = output.split(f"\n{title}:\n\n")
    assert "    trainer = LightningTrainer(" in before
    assert ("    trainer = TorchTrainer(" in after) is (title == "After")


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_explains_every_finding(code: str) -> None:
    result = CliRunner().invoke(main, ["--explain", code.lower()])

    assert result.exit_code == 0
    assert CATALOGUE[code].title in result.output
    assert CATALOGUE[code].help in result.output


def test_refuses_to_explain_an_unknown_code() -> None:
    result = CliRunner().invoke(main, ["--explain", "MT000"])

    assert result.exit_code == 2
    assert "MT000" in result.output


@pytest.mark.parametrize("code", sorted(code for code in EXAMPLES if CATALOGUE[code].versions))
def test_finding_is_given_for_the_versions_that_it_names(code: str) -> None:
    example, entry = EXAMPLES[code], CATALOGUE[code]
    settings = example.settings or Settings()

    def is_given(**versions: Version) -> bool:
        result = replace(example, settings=replace(settings, **versions)).migrated(example.before)
        return code in [finding.code for finding in result.findings]

    if entry.first_target > legacy.FIRST_TARGET:
        assert is_given(target_version=entry.first_target)
        assert not is_given(target_version=(2, entry.first_target[1] - 1))
    if entry.first_source > legacy.FIRST_SOURCE:
        assert is_given(source_version=entry.first_source)
        assert not is_given(source_version=(2, entry.first_source[1] - 1))
    if entry.last_source is not None:
        assert is_given(source_version=entry.last_source)
        assert not is_given(source_version=(2, entry.last_source[1] + 1))
