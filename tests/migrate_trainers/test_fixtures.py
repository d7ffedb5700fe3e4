"""Every program in `fixtures/`: the output is `after.py`, the findings are `findings.txt`, and nothing else is lost."""

from __future__ import annotations

import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

import pytest

from migrate_trainers import FileResult, Settings, migrate_source
from migrate_trainers.findings import Kind
from migrate_trainers.settings import parse_version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIXTURES = Path(__file__).parents[2] / "fixtures"
FOLDERS = sorted(before.parent for before in FIXTURES.glob("*/*/before.py"))
MIGRATED = [folder for folder in FOLDERS if (folder / "after.py").exists()]
UNTOUCHED = [folder for folder in FOLDERS if folder.parent.name == "untouched"]
# Comments that say something about code which is gone, by fixture.
COMMENTS_THAT_GO: dict[str, set[str]] = {}


def _name(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def _settings(folder: Path) -> Settings:
    case = tomllib.loads((folder / "case.toml").read_text())
    return Settings(
        source_version=parse_version(case.get("source-version", "2.6")),
        target_version=parse_version(case.get("target-version", "latest")),
        bundled=case.get("runtime") == "bundled",
    )


def _migrated(folder: Path) -> FileResult:
    return migrate_source((folder / "before.py").read_bytes(), _settings(folder))


def _comments(data: bytes) -> Counter[str]:
    tokens = tokenize.tokenize(io.BytesIO(data).readline)
    return Counter(token.string for token in tokens if token.type == tokenize.COMMENT)


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_output(folder: Path) -> None:
    after = folder / "after.py"
    expected = after if after.exists() else folder / "before.py"

    assert _migrated(folder).after.decode() == expected.read_bytes().decode()


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_findings(folder: Path) -> None:
    file = folder / "findings.txt"
    expected = file.read_text().splitlines() if file.exists() else []

    assert [
        f"{finding.line}:{finding.column} {finding.code} {finding.kind.value} {finding.message}"
        for finding in _migrated(folder).findings
    ] == expected


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_either_migrated_whole_or_left_with_a_reason(folder: Path) -> None:
    result = _migrated(folder)

    assert result.migrated == (result.call_sites if result.changed else 0)
    assert not result.has(Kind.ERROR)
    if result.call_sites:
        assert result.changed != result.has(Kind.MANUAL)


@pytest.mark.parametrize("folder", MIGRATED, ids=_name)
def test_second_run_changes_nothing(folder: Path) -> None:
    again = migrate_source((folder / "after.py").read_bytes(), _settings(folder))

    assert not again.changed
    assert again.call_sites == 0
    assert not again.has(Kind.MANUAL)


@pytest.mark.parametrize("folder", MIGRATED, ids=_name)
def test_output_compiles(folder: Path) -> None:
    source = (folder / "after.py").read_bytes()

    assert compile(source, str(folder / "after.py"), "exec").co_names


@pytest.mark.parametrize("folder", MIGRATED, ids=_name)
def test_every_comment_is_kept(folder: Path) -> None:
    before, after = _comments((folder / "before.py").read_bytes()), _comments((folder / "after.py").read_bytes())

    assert set(before - after) == COMMENTS_THAT_GO.get(_name(folder), set())


@pytest.mark.parametrize("folder", UNTOUCHED, ids=_name)
def test_untouched_program_asks_nothing_of_anybody(folder: Path) -> None:
    result = _migrated(folder)

    assert result.after == result.before
    assert not result.has(Kind.MANUAL)
    assert result.call_sites == 0
