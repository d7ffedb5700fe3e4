"""The files of one project that hold legacy trainers, with the files that these take Lightning classes from.

The index of the tree is built only where a trainer depends on other files, or they might on what it is given.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.engine import failure, migrate_program, read_program
from migrate_trainers.findings import FileResult, Kind
from migrate_trainers.linking import made_with_builders, migrate_linked, prepare
from migrate_trainers.reading.directives import changed_although_skipped, skips_file
from migrate_trainers.reading.lightning_names import OLD_PACKAGE
from migrate_trainers.reading.modules import Modules, absolute
from migrate_trainers.reading.program import Program
from migrate_trainers.reading.scopes import dotted_name
from migrate_trainers.reading.source import Source, UndecodableError
from migrate_trainers.reading.syntax import foreign_code, is_python
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules import legacy_uses
from migrate_trainers.rules.choice import about_comments
from migrate_trainers.rules.lightning.conversion import (
    convert,
    has_lightning_trainer,
    imported_packages,
    outside_names,
    prefers_lightning,
)
from migrate_trainers.rules.old_api import RULE
from migrate_trainers.rules.rewrite import Package, finding
from migrate_trainers.surroundings import with_modules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import PurePath

    from migrate_trainers.reading.program import Elsewhere, ReadFile, Users
    from migrate_trainers.settings import Settings

_NEEDLE = OLD_PACKAGE.encode()


@foreign_code()
def migrate_hits(
    hits: Mapping[Path, bytes],
    files: Mapping[Path, bytes],
    others: Mapping[Path, bytes],
    settings_of: Callable[[Path], Settings],
    read_data: Callable[[Path], bytes],
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
    tree = Tree(files, others, programs, settings_of, read_data)
    units = tree.units()
    for group in tree.groups(units):
        try:
            # Files that depend on each other are of one project.
            migrated = group.migrate(tree.settings_of(min(group.legacy)))
        except Exception as error:  # A fault of the tool in some files must not keep it from the others.
            migrated = {path: failure(tree.read(path), error) for unit in group.units for path in unit}
        together = frozenset(tree.name(path) for path, result in migrated.items() if result.changed)
        results |= {tree.name(path): replace(result, together=together) for path, result in migrated.items()}
    absolute_results = {absolute(path): result for path, result in results.items()}
    with_theirs = with_modules(tree, absolute_results)
    results = {tree.name(path): result for path, result in with_theirs.items()}
    for path, program in programs.items():
        results[path] = about_comments(program, results.get(path, FileResult(hits[path], hits[path])))
    return {path: result for path, result in results.items() if result.findings or result.changed}


class Tree:
    """All files that may be looked at: those that were given, and those around them, which stay as they are.

    Files are named by their absolute paths here.
    """

    def __init__(
        self,
        files: Mapping[Path, bytes],
        others: Mapping[Path, bytes],
        programs: Mapping[Path, Program],
        settings_of: Callable[[Path], Settings],
        read_data: Callable[[Path], bytes],
    ) -> None:
        self.given = {absolute(path): path for path in files}
        self.hits = {absolute(path) for path in programs}
        self._files = files
        self._others = others
        self._settings_of = settings_of
        self._read_data = read_data
        self._programs = {absolute(path): program for path, program in programs.items()}
        for path, program in self._programs.items():
            program.elsewhere, program.read_file, program.users = self._surroundings(path)

    @cached_property
    def _names(self) -> dict[Path, Path]:
        """How each file was named, by its absolute path."""
        return {absolute(path): path for path in self._others} | self.given

    @cached_property
    def _modules(self) -> Modules:
        return Modules(self._names, self.read)

    def name(self, path: Path) -> Path:
        return self._names[path]

    def settings_of(self, path: Path) -> Settings:
        """The settings for a file; those of Ray's own package use each other's old API."""
        settings = self._settings_of(self.name(path))
        return replace(settings, rules=settings.rules.without(RULE)) if self.is_of_ray(path) else settings

    def is_of_ray(self, path: Path) -> bool:
        """Whether a file is one of Ray's own package."""
        return any(above.name == "ray" and above / "train" / "__init__.py" in self._names for above in path.parents)

    def imported_with(self, path: Path) -> set[Path]:
        """The files that are imported when a file is, itself among them."""
        return self._modules.reached_from(path)

    def read(self, path: Path) -> bytes:
        return self._files[self.given[path]] if path in self.given else self._others[self._names[path]]

    def program(self, path: Path) -> Program:
        """A file, parsed; raises `ValueError` or `OSError` if it can't be."""
        if path not in self._programs:
            try:
                source = Source.decode(self.read(path))
                self._programs[path] = Program(source, *self._surroundings(path))
            except cst.ParserSyntaxError as error:
                raise ValueError(error.message) from error
        return self._programs[path]

    def _surroundings(self, path: Path) -> tuple[Elsewhere, ReadFile, Users]:
        """What a program asks about the files around it."""
        return partial(self._find, path), partial(self._files_named, path), partial(self._users, path)

    def _users(self, path: Path, name: str, mentioned: str) -> Iterator[Program]:
        """The files that import a name from another one, of those that mention some text."""
        for user in self._mentioning(path, {name}, mentioned):
            if any(self._taken(user, path, {name})):
                yield self.program(user)

    def _find(self, path: Path, imported: str) -> tuple[Program, str] | None:
        """The program that defines what a file imports, and the name there; None if there is none, or several."""
        found, name = self._modules.locate(path, imported)
        if len(found) != 1 or not name or "." in name:
            return None
        try:
            return self.program(found[0]), name
        except (ValueError, OSError):
            return None

    def _files_named(self, script: Path, name: PurePath, beside: bool) -> list[bytes]:
        """What the files of the tree hold that a script may mean by a path, each content once.

        The path starts in the script's folder (`beside`), or else in the one in which somebody runs the script: that,
        or one of those above it.
        """
        root = Path(os.path.commonpath([path.parent for path in self._names]))
        folders = [script.parent] if beside else [above for above in script.parents if above.is_relative_to(root)]
        candidates = dict.fromkeys(absolute(folder / name) for folder in folders)
        found: dict[bytes, None] = {}
        for candidate in candidates:
            if candidate.is_relative_to(root):
                with suppress(OSError):
                    found[self._read_data(candidate)] = None
        return list(found)

    def units(self) -> list[frozenset[Path]]:
        """The files with legacy names, those together that hand builders or configurations to each other."""
        units = [frozenset({path}) for path in sorted(self.hits)]
        for path, user in self._handed_on():
            joined = [unit for unit in units if path in unit or user in unit]
            units = [unit for unit in units if unit not in joined] + [frozenset({path, user}).union(*joined)]
        return units

    def _handed_on(self) -> Iterator[tuple[Path, Path]]:
        """Each file that makes a configuration, with one that imports it from there."""
        made = {path: names for path in self.hits if (names := made_with_builders(self.program(path)))}
        pending = list(made)
        while pending:
            path = pending.pop()
            for user in self._mentioning(path, made[path]):
                taken, reads = self._taken(user, path, made[path])
                if taken or reads:
                    yield path, user
                names = made_with_builders(self.program(user), taken, reads)
                if not names <= made.get(user, set()):
                    made[user] = names | made.get(user, set())
                    pending.append(user)

    def _mentioning(self, path: Path, names: set[str], mentioned: str = "") -> list[Path]:
        """The files that import another file, and mention one of some names, and a text."""
        needles = [name.encode() for name in names]
        found = []
        for user in self._names:
            data = self._read_or_nothing(user) if user != path else b""
            if mentioned.encode() in data and any(needle in data for needle in needles):
                found += [user] if path in self._modules.imported_by(user) and self._is_readable(user) else []
        return found

    def _taken(self, user: Path, path: Path, names: set[str]) -> tuple[set[str], list[cst.Attribute]]:
        """What a file calls the names that it imports from another, and where it reads some through the module."""
        program = self.program(user)
        taken: set[str] = set()
        modules: set[str] = set()
        for binding in program.all_bindings():
            found, rest = self._modules.locate(user, binding.imported) if binding.imported else ((), "")
            if path in found and rest in names:
                taken.add(binding.name)
            elif path in found and not rest:
                modules.add(binding.name)
        reads = [
            attribute
            for attribute in program.attributes
            if attribute.attr.value in names and dotted_name(attribute.value).partition(".")[0] in modules
        ]
        return taken, reads

    def _read_or_nothing(self, path: Path) -> bytes:
        try:
            return self.read(path)
        except OSError:
            return b""

    def _is_readable(self, path: Path) -> bool:
        try:
            self.program(path)
        except (ValueError, OSError):
            return False
        return True

    def groups(self, units: Iterable[frozenset[Path]]) -> list[Group]:
        """The units, those together that have modules of `pytorch_lightning` in common."""
        groups: list[Group] = []
        for unit in units:
            uses_lightning = any(has_lightning_trainer(self.program(path)) for path in unit)
            members = {member for path in unit for member in self._connected(path)} if uses_lightning else set()
            group = Group(self, {unit}, members)
            for other in [other for other in groups if other.files & group.files]:
                groups.remove(other)
                group = Group(self, group.units | other.units, group.members | other.members)
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
        names = self._modules.names_imported_by(path) if _NEEDLE in self._read_or_nothing(path) else ()
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
    """Units that are migrated together: those with LightningTrainers say one Lightning package after the migration.

    `members` are the files, with or without legacy names, that import `pytorch_lightning` and are used with them.
    """

    tree: Tree
    units: set[frozenset[Path]]
    members: set[Path]

    @property
    def legacy(self) -> set[Path]:
        return {path for unit in self.units for path in unit}

    @property
    def files(self) -> set[Path]:
        return self.legacy | self.members

    def migrate(self, settings: Settings) -> dict[Path, FileResult]:
        """The results for the files of the group."""
        trainers = [path for path in self.legacy if has_lightning_trainer(self.tree.program(path))]
        if not trainers or not prefers_lightning(settings):
            return self._migrated(settings, Package())
        try:
            conversions = {path: self._converted(path) for path in self.members}
            self._check_all_seen(trainers)
        except _Kept as kept:
            return self._migrated(settings, Package(keeps_old=str(kept) if self.members else ""))
        missing = sorted(path for path in conversions if path not in self.tree.given)
        if missing:
            detail = f"`{self.tree.name(missing[0])}` has to say `lightning.pytorch` too, and was not given"
            return _left({path: self.tree.program(path) for path in self.legacy}, detail)
        results = self._migrated(settings, Package(converts=True))
        refused = sorted(path for path, result in results.items() if _is_left(result))
        if not refused:
            return conversions | {path: result for path, result in results.items() if result.changed}
        if len(self.units) == 1 and self.members <= self.legacy:
            return results
        reason = f"`{self.tree.name(refused[0])}` uses the same modules and can't be migrated"
        return self._migrated(settings, Package(keeps_old=reason))

    def _migrated(self, settings: Settings, package: Package) -> dict[Path, FileResult]:
        """The results for the files with legacy names."""
        results: dict[Path, FileResult] = {}
        for unit in self.units:
            try:
                results |= self._unit(unit, settings, package)
            except Exception as error:  # A fault of the tool in some files must not keep it from the others.
                results |= {path: failure(self.tree.read(path), error) for path in unit}
        return results

    def _unit(self, unit: frozenset[Path], settings: Settings, package: Package) -> dict[Path, FileResult]:
        originals = {path: self.tree.program(path) for path in unit}
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
        found = {path: results[self.tree.name(path)] for path in unit}
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
        nodes = [site.call.func for site in sites] or list(legacy_uses.references(program))[:1]
        findings = tuple(sorted(finding(program, "MT906", node, detail) for node in nodes))
        results[path] = FileResult(program.source.data, program.source.data, len(sites), 0, findings)
    return results


def _is_left(result: FileResult) -> bool:
    return result.has(Kind.MANUAL) or result.has(Kind.ERROR)


class _Kept(Exception):
    """Why a group keeps the old package."""
