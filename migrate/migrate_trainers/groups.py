"""Files that are migrated together: with LightningTrainers, all that say one Lightning package after the migration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrate_trainers.engine import migrate_program
from migrate_trainers.file_findings import failure
from migrate_trainers.findings import FileResult, Kind
from migrate_trainers.linking import left_with_others, migrate_linked, prepare
from migrate_trainers.reading.directives import changed_although_skipped, skips_file
from migrate_trainers.reading.source import Source, UndecodableError
from migrate_trainers.reading.syntax import is_python
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules import legacy_uses
from migrate_trainers.rules.lightning.conversion import (
    convert,
    has_lightning_trainer,
    imported_packages,
    prefers_lightning,
)
from migrate_trainers.rules.rewrite import Package

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from migrate_trainers.reading.program import Program
    from migrate_trainers.settings import Settings
    from migrate_trainers.tree import Tree, Unit


def groups(tree: Tree, units: Iterable[Unit]) -> list[Group]:
    """The units, those together that have modules of `pytorch_lightning` in common."""
    found: list[Group] = []
    for unit in units:
        uses_lightning = any(has_lightning_trainer(tree.program(path)) for path in unit)
        members = {member for path in unit for member in tree.connected(path)} if uses_lightning else set()
        group = Group(tree, {unit}, members)
        for other in [other for other in found if other.files & group.files]:
            found.remove(other)
            group = Group(tree, group.units | other.units, group.members | other.members)
        found.append(group)
    return found


@dataclass(frozen=True)
class Group:
    """Units that are migrated together: those with LightningTrainers say one Lightning package after the migration.

    `members` are the files, with or without legacy names, that import `pytorch_lightning` and are used with them.
    """

    tree: Tree
    units: set[Unit]
    members: set[Path]

    @property
    def legacy(self) -> set[Path]:
        return {path for unit in self.units for path in unit}

    @property
    def files(self) -> set[Path]:
        return self.legacy | self.members

    def migrate(self, settings: Settings) -> dict[Path, FileResult]:
        """The results for the files of the group."""
        trainers = [path for path in sorted(self.legacy) if has_lightning_trainer(self.tree.program(path))]
        if not trainers or not prefers_lightning(settings):
            return self._migrated(settings, Package())
        try:
            conversions = {path: self._converted(path) for path in sorted(self.members)}
            self._check_all_seen(trainers)
        except _Kept as kept:
            return self._migrated(settings, Package(keeps_old=str(kept) if self.members else ""))
        missing = sorted(path for path in conversions if path not in self.tree.given)
        if missing:
            detail = f"`{self.tree.name(missing[0])}` has to say `lightning.pytorch` too, and was not given"
            return _left({path: self.tree.program(path) for path in sorted(self.legacy)}, detail)
        results = self._migrated(settings, Package(converts=True))
        refused = sorted(path for path, result in results.items() if _is_left(result))
        if not refused:
            return conversions | {path: result for path, result in results.items() if result.says_something}
        if len(self.units) == 1 and self.members <= self.legacy:
            return results
        reason = f"`{self.tree.name(refused[0])}` uses the same modules and is not migrated"
        return self._migrated(settings, Package(keeps_old=reason))

    def _migrated(self, settings: Settings, package: Package) -> dict[Path, FileResult]:
        """The results for the files with legacy names."""
        results: dict[Path, FileResult] = {}
        for unit in sorted(self.units, key=sorted):
            try:
                results |= self._unit(unit, settings, package)
            except Exception as error:  # A fault of the tool in some files must not keep it from the others.
                results |= {path: failure(self.tree.read(path), error) for path in unit}
        return results

    def _unit(self, unit: Unit, settings: Settings, package: Package) -> dict[Path, FileResult]:
        originals = {path: self.tree.program(path) for path in sorted(unit)}
        if any(len(imported_packages(program)) > 1 for program in originals.values()):
            package = Package()
        if len(unit) == 1 or not any(map(legacy_uses.call_sites, originals.values())):
            return {path: migrate_program(program, settings, package) for path, program in originals.items()}
        prepared = {path: prepare(program, settings, package) for path, program in originals.items()}
        results = migrate_linked(
            {self.tree.name(path): program for path, (program, _) in prepared.items()},
            {self.tree.name(path): program for path, program in originals.items()},
            settings,
            package,
        )
        found = {path: results[self.tree.name(path)] for path in originals}
        changed = sorted(path for path in unit if found[path].changed and path not in self.tree.given)
        if changed:
            return _left(originals, f"`{self.tree.name(changed[0])}` has to change too, and was not given")
        for path, (_, findings) in prepared.items():
            if found[path].changed:
                found[path] = replace(found[path], findings=tuple(sorted((*found[path].findings, *findings))))
        return found

    def _converted(self, path: Path) -> FileResult:
        """A file of the group with the new package; raises `_Kept` if it can't have it."""
        where = f"in `{self.tree.name(path)}`, " if path not in self.legacy else ""
        try:
            program = self.tree.program(path)
            if skips_file(program):
                raise _Kept(f"a comment skips `{self.tree.name(path)}`")
            conversion = convert(program)
            after = program.source.apply(conversion.edits)
            if changed_although_skipped(program, Source.decode(after).text) is not None:
                raise _Kept(f"a comment skips a statement of `{self.tree.name(path)}`")
        except Refusal as refusal:
            raise _Kept(where + refusal.detail) from refusal
        except (UndecodableError, ValueError, OSError) as error:
            raise _Kept(f"`{self.tree.name(path)}` can't be read: {error}") from error
        if is_python(program.source.text) and not is_python(Source.decode(after).text):
            raise _Kept(f"`{self.tree.name(path)}` would not compile")
        return FileResult(program.source.data, after, findings=tuple(sorted(conversion.findings)))

    def _check_all_seen(self, trainers: Iterable[Path]) -> None:
        for path in trainers:
            if unseen := self.tree.unseen(path):
                raise _Kept(f"`{unseen}` is defined where it can't be seen")


def _left(programs: Mapping[Path, Program], detail: str) -> dict[Path, FileResult]:
    """Files that have to change together with one that was not given."""
    results = {}
    for path, program in programs.items():
        sites = legacy_uses.call_sites(program)
        findings = tuple(sorted(left_with_others(program, sites, detail)))
        results[path] = FileResult(program.source.data, program.source.data, len(sites), 0, findings)
    return results


def _is_left(result: FileResult) -> bool:
    return result.has(Kind.MANUAL) or result.has(Kind.ERROR) or bool(result.skipped)


class _Kept(Exception):
    """Why a group keeps the old package."""
