"""The files of a tree as modules: which file an import means, and which files a file imports."""

from __future__ import annotations

import ast
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from migrate_trainers.reading.source import Source, UndecodableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

# Folders beside a script's own whose modules a project's scripts import without naming the folder.
_SOURCE_ROOTS = frozenset({"lib", "python", "src"})


class Modules:
    """Some files, looked at as modules without being run; paths are absolute and normalised.

    Every file is read when it is asked for, and parsed at most once.
    """

    def __init__(self, files: Collection[Path], read: Callable[[Path], bytes]) -> None:
        self._files = files
        self._read = read
        self._by_name: defaultdict[str, set[Path]] = defaultdict(set)
        for path in files:
            self._by_name[_module_name(path)].add(path)
        self._names: dict[Path, frozenset[str]] = {}
        self._imported: dict[Path, frozenset[Path]] = {}

    def resolve(self, importer: Path, module: str) -> list[Path]:
        """The files that a module's name may mean in a file, the likeliest first; none for installed modules.

        A script finds what lies beside it, a package's module what lies in the folders above, and both what lies in
        the `src` folder of one of those.
        """
        dots, parts = _split(module)
        name = ".".join(parts)
        if dots:
            folder = importer.parents[min(len(dots), len(importer.parents)) - 1]
            return [path for path in _paths_of(folder, name) if path in self._files]
        candidates = self._by_name.get(name.rpartition(".")[2], ())
        if not candidates:
            return []
        roots = [*importer.parents, *(above / root for above in importer.parents for root in sorted(_SOURCE_ROOTS))]
        return [path for root in roots for path in _paths_of(root, name) if path in candidates]

    def locate(self, importer: Path, qualified: str) -> tuple[list[Path], str]:
        """The files of the longest module that a dotted name starts with, and what is left of the name."""
        dots, parts = _split(qualified)
        for end in range(len(parts), -1 if dots else 0, -1):
            found = self.resolve(importer, dots + ".".join(parts[:end]))
            if found:
                return found, ".".join(parts[end:])
        return [], qualified

    def imported_by(self, path: Path) -> frozenset[Path]:
        """The files that a file imports, with the packages around them; none where this Python can't parse it."""
        if path not in self._imported:
            found = {file for name in self.names_imported_by(path) for file in self.resolve(path, name)}
            self._imported[path] = frozenset(found)
        return self._imported[path]

    def reached_from(self, path: Path) -> set[Path]:
        """The files that are imported when a file is, itself among them."""
        reached: set[Path] = set()
        pending = [path]
        while pending:
            file = pending.pop()
            if file not in reached:
                reached.add(file)
                pending += self.imported_by(file)
        return reached

    def names_imported_by(self, path: Path) -> frozenset[str]:
        """Every dotted name that a file's imports name, with the packages around it."""
        if path not in self._names:
            self._names[path] = frozenset(self._imported_names(path))
        return self._names[path]

    def _imported_names(self, path: Path) -> Iterator[str]:
        try:
            tree = ast.parse(Source.decode(self._read(path)).text)
        except (SyntaxError, ValueError, RecursionError, MemoryError, UndecodableError, OSError):
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from _with_packages(alias.name)
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                yield from _with_packages(module)
                for alias in node.names:
                    yield module + alias.name if module.endswith(".") else f"{module}.{alias.name}"


def absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _module_name(path: Path) -> str:
    return path.parent.name if path.name == "__init__.py" else path.stem


def _paths_of(root: Path, name: str) -> Iterable[Path]:
    """Where a module would be below a folder; the folder's own package for an empty name."""
    base = root.joinpath(*name.split(".")) if name else root
    return (base / "__init__.py", *([base.with_name(f"{base.name}.py")] if name else []))


def _split(module: str) -> tuple[str, list[str]]:
    """The leading dots of a module's name, and its parts."""
    name = module.lstrip(".")
    return module[: len(module) - len(name)], name.split(".") if name else []


def _with_packages(module: str) -> Iterator[str]:
    """`a`, `a.b` and `a.b.c` for `a.b.c`, as importing the last runs them all."""
    dots, parts = _split(module)
    if dots:
        yield dots
    for end in range(1, len(parts) + 1):
        yield dots + ".".join(parts[:end])
