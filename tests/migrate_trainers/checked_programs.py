"""What has to hold for a generated program: its output does the same, or it is left with a finding."""

from __future__ import annotations

import io
import tokenize
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from untouched import assert_untouched
from worker_calls import assert_same_calls

from migrate_trainers import FileResult, Settings, migrate_project, migrate_source
from migrate_trainers.findings import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEGACY = Settings(source_version=(2, 6))
_ROOT = Path("/project")
MAIN = "main"


def check_program(program: str) -> Counter[bool]:
    """How many call sites were migrated, and how many left; every way to be wrong is an assertion."""
    return check_files({MAIN: program})


def check_files(files: Mapping[str, str]) -> Counter[bool]:
    """The same for modules by their names, of which `main` is run."""
    results = _migrated(files, _LEGACY)
    findings = [finding for result in results.values() for finding in result.findings]
    assert not any(finding.kind is Kind.ERROR for finding in findings), findings
    sites, migrated = _sites(results)
    if any(finding.kind is Kind.MANUAL for finding in findings):
        _assert_left(results)
        return Counter({True: migrated, False: sites - migrated})
    assert migrated == sites
    assert migrated
    after = {name: results[name].after.decode() if name in results else text for name, text in files.items()}
    # Where the arguments are out of sight, a finding says that the device may be another one.
    is_said = any(finding.code == "MT227" for finding in findings)
    assert_same_calls(files[MAIN], after[MAIN], but="device" if is_said else None, files=(files, after))
    assert_kept(files, after)
    again = _migrated(after, Settings())
    assert _sites(again) == (0, 0)
    assert not any(result.changed for result in again.values())
    return Counter({True: migrated})


def assert_kept(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Check that all comments are somewhere, and what has nothing to do with trainers where it was."""
    for name, text in before.items():
        compile(after[name], name, "exec", dont_inherit=True)
        assert not _comments(text) - _comments("".join(after.values()))
        assert_untouched(text, after[name])


def _migrated(files: Mapping[str, str], settings: Settings) -> dict[str, FileResult]:
    """The results by module; one file alone is given to the tool as bytes."""
    if set(files) == {MAIN}:
        return {MAIN: migrate_source(files[MAIN].encode(), settings)}
    paths = {_path(name, files): name for name in files}
    results = migrate_project({path: files[name].encode() for path, name in paths.items()}, settings)
    return {paths[path]: result for path, result in results.items()}


def _path(name: str, files: Mapping[str, str]) -> Path:
    is_package = any(other.startswith(f"{name}.") for other in files)
    path = _ROOT.joinpath(*name.split("."))
    return path / "__init__.py" if is_package else path.with_suffix(".py")


def _sites(results: Mapping[str, FileResult]) -> tuple[int, int]:
    """How many call sites there are, and how many of them were migrated."""
    found = list(results.values())
    return sum(result.call_sites for result in found), sum(result.migrated for result in found)


def _assert_left(results: Mapping[str, FileResult]) -> None:
    """A file with a trainer that is left is as it was; whoever depends on it too."""
    for result in results.values():
        if any(finding.kind is Kind.MANUAL for finding in result.findings):
            assert result.after == result.before


def _comments(text: str) -> Counter[str]:
    return Counter(
        token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    )
