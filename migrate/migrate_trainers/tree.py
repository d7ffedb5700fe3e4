"""The files of one project that hold legacy trainers, with the files that these take Lightning classes from.

The index of the tree is built only if a LightningTrainer's file imports from another file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.engine import failure, migrate_program, read_program
from migrate_trainers.findings import FileResult, Kind
from migrate_trainers.reading import legacy
from migrate_trainers.reading.lightning_names import OLD_PACKAGE
from migrate_trainers.reading.modules import Modules, absolute
from migrate_trainers.reading.program import Program
from migrate_trainers.reading.source import Source, UndecodableError
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.conversion import (
    convert,
    has_lightning_trainer,
    imported_packages,
    outside_names,
    package_alone,
    prefers_lightning,
)
from migrate_trainers.rules.rewrite import Package, finding
from migrate_trainers.verify import compiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from migrate_trainers.settings import Settings

_NEEDLE = OLD_PACKAGE.encode()


def migrate_hits(
    hits: Mapping[Path, bytes], files: Mapping[Path, bytes], others: Mapping[Path, bytes], settings: Settings
) -> dict[Path, FileResult]:
    """The results for files with a legacy name, and for those that have to change with them."""
    results: dict[Path, FileResult] = {}
    programs: dict[Path, Program] = {}
    for path, data in hits.items():
        read = read_program(data)
        if isinstance(read, Program):
            programs[path] = read
        elif read.findings:
            results[path] = read
    tree = Tree(files, others, programs)
    trainers = [path for path, program in programs.items() if has_lightning_trainer(program)]
    for group in tree.groups(trainers) if prefers_lightning(settings) else ():
        try:
            results |= group.migrate(settings)
        except Exception as error:  # A fault of the tool in some files must not keep it from the others.
            results |= {tree.name(path): failure(tree.read(path), error) for path in group.trainers}
    for path, program in programs.items():
        if path not in results:
            results[path] = _migrated(program, settings, package_alone(program, settings))
    return {path: result for path, result in results.items() if result.findings or result.changed}


def _migrated(program: Program, settings: Settings, package: Package) -> FileResult:
    try:
        return migrate_program(program, settings, package)
    except Exception as error:  # A fault of the tool in one file must not keep it from the others.
        return failure(program.source.data, error)


class Tree:
    """All files that may be looked at: those that were given, and those around them, which stay as they are.

    Files are named by their absolute paths here.
    """

    def __init__(
        self, files: Mapping[Path, bytes], others: Mapping[Path, bytes], programs: Mapping[Path, Program]
    ) -> None:
        self.given = {absolute(path): path for path in files}
        self.hits = {absolute(path) for path in programs}
        self._files = files
        self._others = others
        self._programs = {absolute(path): program for path, program in programs.items()}
        for path, program in self._programs.items():
            program.elsewhere = partial(self._find, path)

    @cached_property
    def _names(self) -> dict[Path, Path]:
        """How each file was named, by its absolute path."""
        return {absolute(path): path for path in self._others} | self.given

    @cached_property
    def _modules(self) -> Modules:
        return Modules(self._names, self.read)

    def name(self, path: Path) -> Path:
        return self._names[path]

    def read(self, path: Path) -> bytes:
        return self._files[self.given[path]] if path in self.given else self._others[self._names[path]]

    def program(self, path: Path) -> Program:
        """A file, parsed; raises `ValueError` or `OSError` if it can't be."""
        if path not in self._programs:
            try:
                self._programs[path] = Program(Source.decode(self.read(path)), partial(self._find, path))
            except cst.ParserSyntaxError as error:
                raise ValueError(error.message) from error
        return self._programs[path]

    def _find(self, path: Path, imported: str) -> tuple[Program, str] | None:
        """The program that defines what a file imports, and the name there; None if there is none, or several."""
        found, name = self._modules.locate(path, imported)
        if len(found) != 1 or not name or "." in name:
            return None
        try:
            return self.program(found[0]), name
        except (ValueError, OSError):
            return None

    def groups(self, trainers: Iterable[Path]) -> list[Group]:
        """The files with LightningTrainers, by the modules of `pytorch_lightning` that they have in common."""
        groups: list[Group] = []
        for path in map(absolute, trainers):
            group = Group(self, {path}, self._connected(path))
            for other in [other for other in groups if other.members & group.members]:
                groups.remove(other)
                group = Group(self, group.trainers | other.trainers, group.members | other.members)
            groups.append(group)
        return groups

    def _connected(self, path: Path) -> set[Path]:
        """The files that import `pytorch_lightning` and that a file's run may bring together, directly or not."""
        members = self._reached(path)
        grows = True
        while grows:
            joining = [user for user in self._old_package_users - members if self._reached(user) & members]
            members = members.union(*(self._reached(user) for user in joining))
            grows = bool(joining)
        return members

    def _reached(self, path: Path) -> set[Path]:
        """The importers of `pytorch_lightning` that are imported with a file, itself perhaps among them."""
        return {file for file in self._modules.reached_from(path) if self._imports_old_package(file)}

    @cached_property
    def _old_package_users(self) -> set[Path]:
        return {path for path in self._names if self._imports_old_package(path)}

    def _imports_old_package(self, path: Path) -> bool:
        try:
            mentions = _NEEDLE in self.read(path)
        except OSError:
            return False
        names = self._modules.names_imported_by(path) if mentions else ()
        return any(name.partition(".")[0] == OLD_PACKAGE for name in names)

    def unseen(self, path: Path, name: str | None = None, seen: set[tuple[Path, str | None]] | None = None) -> str:
        """Something that may bring Lightning classes into a file, and is in no file of the tree; empty for nothing."""
        seen = set() if seen is None else seen
        if (path, name) in seen:
            return ""
        seen.add((path, name))
        for imported in outside_names(self.program(path), name):
            found, rest = self._modules.locate(path, imported)
            if not found:
                return imported
            for file in found if rest else ():
                try:
                    deeper = self.unseen(file, rest.partition(".")[0], seen)
                except (ValueError, OSError):
                    deeper = imported
                if deeper:
                    return deeper
        return ""


@dataclass(frozen=True)
class Group:
    """Files with LightningTrainers, and the files that import `pytorch_lightning` and are used with them.

    All say `lightning.pytorch` after the migration, or all keep the old package.
    """

    tree: Tree
    trainers: set[Path]
    members: set[Path]

    def migrate(self, settings: Settings) -> dict[Path, FileResult]:
        """The results for the files of the group, by the names that were given."""
        try:
            conversions = {path: self._converted(path) for path in self.members}
            self._check_all_seen()
        except _Kept as kept:
            return self._with_old_package(settings, str(kept))
        missing = sorted(path for path in conversions if path not in self.tree.given)
        if missing:
            return self._named({path: self._left(path, missing[0]) for path in self.trainers})
        results = {path: self._result(path, settings, Package(converts=True)) for path in self._hits()}
        refused = sorted(path for path, result in results.items() if _is_left(result))
        if not refused:
            changed = {path: result for path, result in results.items() if result.changed}
            return self._named(conversions | changed)
        if len(results | conversions) == 1:
            return self._named(results)
        reason = f"`{self.tree.name(refused[0])}` uses the same modules and can't be migrated"
        return self._with_old_package(settings, reason)

    def _with_old_package(self, settings: Settings, reason: str) -> dict[Path, FileResult]:
        package = Package(keeps_old=reason if self.members else "")
        return {self.tree.name(path): self._result(path, settings, package) for path in self.trainers}

    def _named(self, results: dict[Path, FileResult]) -> dict[Path, FileResult]:
        together = frozenset(self.tree.name(path) for path, result in results.items() if result.changed)
        return {self.tree.name(path): replace(result, together=together) for path, result in results.items()}

    def _hits(self) -> set[Path]:
        return self.trainers | (self.members & self.tree.hits)

    def _result(self, path: Path, settings: Settings, package: Package) -> FileResult:
        program = self.tree.program(path)
        if len(imported_packages(program)) > 1:
            package = Package()
        return _migrated(program, settings, package)

    def _converted(self, path: Path) -> FileResult:
        """A file of the group with the new package; raises `_Kept` if it can't have it."""
        where = f"in `{self.tree.name(path)}`, " if path not in self.trainers else ""
        try:
            program = self.tree.program(path)
            conversion = convert(program)
            after = program.source.apply(conversion.edits)
        except Refusal as refusal:
            raise _Kept(where + refusal.detail) from refusal
        except (UndecodableError, ValueError, OSError) as error:
            raise _Kept(f"`{self.tree.name(path)}` can't be read: {error}") from error
        if compiles(program.source.text) and not compiles(Source.decode(after).text):
            raise _Kept(f"`{self.tree.name(path)}` would not compile")
        data = program.source.data
        return FileResult(data, after, findings=tuple(sorted(conversion.findings)))

    def _check_all_seen(self) -> None:
        for path in self.trainers:
            if unseen := self.tree.unseen(path):
                raise _Kept(f"`{unseen}` is defined where it can't be seen")

    def _left(self, path: Path, missing: Path) -> FileResult:
        """A file that has to change together with one that was not given."""
        program = self.tree.program(path)
        calls = [call for call in program.calls if legacy.TRAINERS.get(program.qualified_name(call.func) or "")]
        detail = f"`{self.tree.name(missing)}` has to say `lightning.pytorch` too, and was not given"
        findings = tuple(finding(program, "MT906", call.func, detail) for call in calls)
        return FileResult(program.source.data, program.source.data, len(calls), 0, tuple(sorted(findings)))


def _is_left(result: FileResult) -> bool:
    return result.has(Kind.MANUAL) or result.has(Kind.ERROR)


class _Kept(Exception):
    """Why a group keeps the old package."""
