"""Which files a run looks at: git's own list inside a work tree, else the folders with their `.gitignore`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from migrate_trainers.containers import NOTEBOOK_SUFFIXES
from migrate_trainers.repository import GitError, has_submodules, is_ignored, listed_files, work_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pathspec import GitIgnoreSpec

SUFFIXES = (".py", ".pyi", *NOTEBOOK_SUFFIXES)
# Folders that hold other people's code or a tool's own files, tracked or not.
_FOREIGN_FOLDERS = frozenset(
    {".eggs", ".git", ".hg", ".nox", ".svn", ".tox", ".venv"}
    | {"__pycache__", "__pypackages__", "node_modules", "site-packages", "venv"}
)
# Where nothing says what is ignored, these are taken for what a build has left.
_BUILT_FOLDERS = frozenset({"_build", "buck-out", "build", "dist"})
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"


@dataclass(frozen=True)
class Patterns:
    """Patterns of a `.gitignore`, which hold for the files below a folder."""

    folder: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """Which files below a folder are taken: by suffix, by what git ignores, and by patterns of the user's own.

    Files that are given by name are taken whatever these say, unless `force_exclude`.
    """

    suffixes: tuple[str, ...] = SUFFIXES
    gitignore: bool = True
    exclude: tuple[Patterns, ...] = ()
    force_exclude: bool = False


_DEFAULT = Selection()


@dataclass(frozen=True)
class Found:
    """The names of the files of a run, each once, and which of them were given by name."""

    names: Sequence[str]
    named: frozenset[str]


def find_files(paths: Iterable[Path], selection: Selection = _DEFAULT) -> Found:
    """The files among and below some paths."""
    excluded = _matcher(selection.exclude)
    names: dict[str, None] = {}
    named: set[str] = set()
    for path in map(str, paths):
        if not os.path.isdir(path):
            if not (selection.force_exclude and excluded(path)):
                names[path] = None
                named.add(path)
        elif not selection.exclude:
            names.update(dict.fromkeys(_below(path, selection)))
        elif not (selection.force_exclude and excluded(path)):
            names.update((name, None) for name in _below(path, selection) if not excluded(name))
    return Found(list(names), frozenset(named))


def files_around(paths: Iterable[Path]) -> Iterator[Path]:
    """The Python files of the trees that some paths belong to: a git work tree, else a folder with its packages."""
    seen: set[Path] = set()
    for path in paths:
        folder = path if path.is_dir() else path.parent
        if not folder.is_dir():
            continue
        root = work_tree(folder)
        if root not in seen and folder not in seen:
            seen |= {folder} if root is None else {root}
            yield from _packages_below(folder) if root is None else map(Path, _below(str(root), _DEFAULT))


def _packages_below(folder: Path) -> Iterator[Path]:
    """A folder's own files, and those of the packages in it."""
    for entry in sorted(folder.iterdir()):
        if entry.suffix == ".py" and entry.is_file():
            yield entry
        elif (entry / "__init__.py").is_file():
            yield from _packages_below(entry)


def _below(folder: str, selection: Selection) -> Iterator[str]:
    if selection.gitignore:
        try:
            listed = listed_files(folder)
        except GitError:
            yield from _walk(folder, selection)
            return
        # A folder that git ignores was given all the same: for what is in it.
        if listed or not is_ignored(folder):
            yield from _of_list(folder, listed, selection)
            return
    yield from _walk(folder, selection)


def _of_list(folder: str, listed: list[str], selection: Selection) -> Iterator[str]:
    """The files of git's list that are taken, those of the work trees within it among them."""
    prefix = "" if folder == "." else os.path.join(folder, "")
    marker = f"/{_VIRTUAL_ENVIRONMENT}"
    foreign = tuple(name.removesuffix(_VIRTUAL_ENVIRONMENT) for name in listed if name.endswith(marker))
    submodules = has_submodules(folder)
    for name in listed:
        is_file = name.endswith(selection.suffixes)
        is_tree = not is_file and (name.endswith("/") or (submodules and os.path.isdir(prefix + name)))
        if not (is_file or is_tree):
            continue
        if not _FOREIGN_FOLDERS.isdisjoint(name.split("/")) or (foreign and name.startswith(foreign)):
            continue
        if is_file:
            yield prefix + name
        else:
            yield from _below(prefix + name.rstrip("/"), selection)


def _walk(folder: str, selection: Selection, ignored: tuple[Callable[[str], bool | None], ...] = ()) -> Iterator[str]:
    """The files below a folder of which git knows nothing; `ignored` are the rules of the folders above."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    names = {entry.name for entry in entries}
    if selection.gitignore and ".gitignore" in names:
        ignored = (*ignored, _rules(folder))
    for entry in entries:
        path = entry.name if folder == "." else entry.path
        if entry.is_dir(follow_symlinks=False):
            if not _is_foreign(entry.name, path) and not _is_ignored(path + "/", ignored):
                yield from _walk(path, selection, ignored)
        elif entry.name.endswith(selection.suffixes) and not _is_ignored(path, ignored):
            yield path


def _is_foreign(name: str, path: str) -> bool:
    known = name.startswith(".") or name in _FOREIGN_FOLDERS or name in _BUILT_FOLDERS
    return known or os.path.exists(os.path.join(path, _VIRTUAL_ENVIRONMENT))


def _is_ignored(path: str, rules: tuple[Callable[[str], bool | None], ...]) -> bool:
    """Whether the nearest `.gitignore` that says anything about a path ignores it."""
    verdicts = (rule(path) for rule in reversed(rules))
    return next((verdict for verdict in verdicts if verdict is not None), False)


def _rules(folder: str) -> Callable[[str], bool | None]:
    """What a folder's `.gitignore` says about a path: ignored, taken all the same, or nothing."""
    try:
        with open(os.path.join(folder, ".gitignore"), encoding="utf-8", errors="surrogateescape") as file:
            spec = _spec(file)
    except OSError:
        return lambda path: None
    return lambda path: spec.check_file(_relative(path, folder)).include


def _matcher(exclude: Iterable[Patterns]) -> Callable[[str], bool]:
    """Whether a path is excluded by patterns of the user's own."""
    specs = [(patterns.folder, _spec(patterns.lines)) for patterns in exclude]
    return lambda path: any(spec.match_file(_relative(path, folder)) for folder, spec in specs)


def _spec(lines: Iterable[str]) -> GitIgnoreSpec:
    # Imported late: most runs have no rules of their own to read.
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(lines)


def _relative(path: str, folder: str) -> str:
    """A path as the patterns of a folder see it; a slash at the end, which says that it is a folder, stays."""
    return os.path.relpath(path, folder).replace(os.sep, "/") + ("/" if path.endswith("/") else "")
