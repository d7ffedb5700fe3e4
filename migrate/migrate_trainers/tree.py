"""The files of one project that hold legacy trainers, with the files that these take Lightning classes from.

The index of the tree is built only where a trainer depends on other files, or they might on what it is given.
"""

from __future__ import annotations

import ast
import os
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.engine import read_program
from migrate_trainers.linking import handed_out
from migrate_trainers.reading import legacy
from migrate_trainers.reading.importers import Importers
from migrate_trainers.reading.lightning_names import OLD_PACKAGE
from migrate_trainers.reading.modules import Modules, absolute
from migrate_trainers.reading.prefilter import mentions_old_api
from migrate_trainers.reading.program import Program
from migrate_trainers.reading.scopes import dotted_name, is_star, module_of
from migrate_trainers.reading.source import Source, UndecodableError
from migrate_trainers.reading.syntax import check_depth, check_size, syntax_tree
from migrate_trainers.rules.lightning.conversion import outside_names
from migrate_trainers.rules.old_api import RULE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import PurePath
    from typing import Any

    from migrate_trainers.findings import FileResult
    from migrate_trainers.reading.program import Elsewhere, ReadFile, Users
    from migrate_trainers.settings import Settings

# Files that are rewritten as one program.
Unit = frozenset[Path]

_OLD_PACKAGE = OLD_PACKAGE.encode()
_MAKERS = frozenset(name.rpartition(".")[2] for name in (*legacy.BUILDERS, *legacy.TRAINERS))
_LIGHTNING_TRAINER = b"LightningTrainer"
# Trees of files are large: of the files that are done, no more are kept.
_KEPT = 20


class Tree:
    """All files that may be looked at: those that were given, and those around them, which stay as they are.

    `hits` are those with a legacy name. Files are named by their absolute paths here. In another process the tree is
    the same, but for the programs, which are parsed when they are asked for.
    """

    def __init__(
        self,
        files: Mapping[Path, bytes],
        others: Mapping[Path, bytes],
        hits: Iterable[Path],
        settings_of: Callable[[Path], Settings],
        read_data: Callable[[Path], bytes],
    ) -> None:
        self.given = {absolute(path): path for path in files}
        self.hits = frozenset(map(absolute, hits))
        self._files = files
        self._others = others
        self._settings_of = settings_of
        self._read_data = read_data
        self._programs: dict[Path, Program] = {}
        self._reaching: dict[Path, frozenset[Path]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_programs": {}}

    @cached_property
    def _names(self) -> dict[Path, Path]:
        """How each file was named, by its absolute path."""
        return {absolute(path): path for path in self._others} | self.given

    @cached_property
    def _modules(self) -> Modules:
        return Modules(self._names, self.read)

    @cached_property
    def _importers(self) -> Importers:
        return Importers(self._names, self._read_or_nothing, self.hits)

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

    def hit(self, path: Path) -> Program | FileResult:
        """A file with a legacy name, parsed, or else its result: nothing to do, or bytes that can't be read."""
        if path in self._programs:
            return self._programs[path]
        read = read_program(self.read(path))
        if isinstance(read, Program):
            read.elsewhere, read.read_file, read.users = self._surroundings(path)
            self._programs[path] = read
        return read

    def program(self, path: Path) -> Program:
        """A file, parsed; raises `ValueError` or `OSError` if it can't be."""
        if path not in self._programs and not (path in self.hits and isinstance(self.hit(path), Program)):
            source = Source.decode(self.read(path))
            check_size(source.text)
            if (tree := syntax_tree(source.text)) is not None:
                check_depth(tree)
            try:
                self._programs[path] = Program(source, *self._surroundings(path))
            except cst.ParserSyntaxError as error:
                raise ValueError(error.message) from error
        return self._programs[path]

    def forget(self, done: Iterable[Path]) -> None:
        """Let go of the programs of some files, and of the others where these are many."""
        for path in done:
            self._programs.pop(path, None)
        if len(self._programs) > _KEPT:
            self._programs.clear()

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

    def units(self) -> list[Unit]:
        """The files with legacy names, those together that hand builders, trainers or results to each other."""
        handed_on = (frozenset(pair) for pair in self._handed_on())
        return _joined([*(frozenset({path}) for path in sorted(self.hits)), *handed_on])

    def apart(self, units: Iterable[Unit]) -> list[list[Unit]]:
        """The units in sets that have nothing to do with each other, as far as that is known without parsing them."""
        reached = {unit: unit.union(*map(self._reached_by_migration, unit)) for unit in units}
        sets = _joined(reached.values())
        found: dict[Unit, list[Unit]] = {one: [] for one in sets}
        by_file = {path: one for one in sets for path in one}
        for unit in reached:
            found[by_file[next(iter(unit))]].append(unit)
        return list(found.values())

    def _reached_by_migration(self, path: Path) -> set[Path]:
        """The files that may have to change with one, as far as bytes and imports tell."""
        connected = self.connected(path) if _LIGHTNING_TRAINER in self._read_or_nothing(path) else ()
        with_old_api = (one for one in self.imported_with(path) if mentions_old_api(self._read_or_nothing(one)))
        return {*connected, *with_old_api}

    def _handed_on(self) -> Iterator[tuple[Path, Path]]:
        """Each file that makes a configuration or a trainer, with one that imports what comes of it."""
        made = {path: names for path in sorted(self.hits) if (names := self._made(path))}
        pending = list(made)
        while pending:
            path = pending.pop()
            for user in self._mentioning(path, made[path]):
                taken, reads = self._taken(user, path, made[path])
                if taken or reads:
                    yield path, user
                names = handed_out(self.program(user), taken, reads)
                if not names <= made.get(user, set()):
                    made[user] = names | made.get(user, set())
                    pending.append(user)

    def _made(self, path: Path) -> set[str]:
        """What a file with a legacy name hands out of its trainers, as far as others may take it from there."""
        data = self._read_or_nothing(path)
        if not _may_bind(data, _MAKERS):
            return set()
        # Few files are parsed in any case, of many only those that others import.
        if len(self.hits) > _KEPT and not self._importers_of(path):
            return set()
        read = self.hit(path)
        return handed_out(read) if isinstance(read, Program) else set()

    def _importers_of(self, path: Path) -> list[Path]:
        return [user for user in self._importers.of(path) if path in self._modules.imported_by(user)]

    def _mentioning(self, path: Path, names: set[str], mentioned: str = "") -> list[Path]:
        """The files that import another file, and mention one of some names, and a text."""
        needles = [name.encode() for name in names]
        found = []
        for user in self._importers_of(path):
            data = self._read_or_nothing(user)
            if mentioned.encode() in data and any(needle in data for needle in needles) and self._is_readable(user):
                found.append(user)
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

    def read_through_stars(self, path: Path) -> Iterator[tuple[Path, str]]:
        """The files that take what a file's trainers give from it by `from ... import *`, with a name of that each."""
        names = self._made(path) if path in self.hits else set()
        for user in self._mentioning(path, names, "*") if names else ():
            program = self.program(user)
            stars = (one for one in program.imports if isinstance(one, cst.ImportFrom) and is_star(one))
            if any(path in self._modules.locate(user, module_of(one))[0] for one in stars):
                yield from ((user, name) for name in sorted(names & program.unresolved_names())[:1])

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

    def connected(self, path: Path) -> frozenset[Path]:
        """The files that import `pytorch_lightning` and that a file's run may bring together, directly or not."""
        members = self._reached(path)
        grows = bool(members)
        while grows:
            joining = [user for user in self._old_package_users - members if self._reached(user) & members]
            members = members.union(*map(self._reached, joining))
            grows = bool(joining)
        return members

    def _reached(self, path: Path) -> frozenset[Path]:
        """The importers of `pytorch_lightning` that are imported with a file, itself perhaps among them."""
        if path not in self._reaching:
            found = filter(self._imports_old_package, self._modules.reached_from(path))
            self._reaching[path] = frozenset(found)
        return self._reaching[path]

    @cached_property
    def _old_package_users(self) -> frozenset[Path]:
        return frozenset(filter(self._imports_old_package, self._names))

    def _imports_old_package(self, path: Path) -> bool:
        names = self._modules.names_imported_by(path) if _OLD_PACKAGE in self._read_or_nothing(path) else ()
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


def _may_bind(data: bytes, names: Collection[str]) -> bool:
    """Whether a file may bind something that it makes with one of some names; True where this Python can't tell."""
    if not any(name.encode() in data for name in names):
        return False
    try:
        tree = syntax_tree(Source.decode(data).text)
    except UndecodableError:
        return False
    if tree is None:
        return True
    aliases = (alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names)
    local = {alias.asname or alias.name for alias in aliases if alias.name in names}.union(names)
    binding = (one for one in tree.body if not isinstance(one, ast.Expr | ast.Import | ast.ImportFrom))
    nodes = (node for statement in binding for node in ast.walk(statement))
    return any(getattr(node, field, None) in local for node in nodes for field in ("id", "attr"))


def _joined(sets: Iterable[frozenset[Path]]) -> list[frozenset[Path]]:
    """Sets of which no two have a file in common, each the union of some that were given."""
    found: dict[Path, set[Path]] = {}
    for one in sets:
        union = set(one)
        for other in {id(found[path]): found[path] for path in one if path in found}.values():
            union |= other
        found |= dict.fromkeys(union, union)
    return [frozenset(one) for one in {id(one): one for one in found.values()}.values()]
