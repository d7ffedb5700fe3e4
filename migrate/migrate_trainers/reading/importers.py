"""Which files of a tree may import some of them, as far as a search of their bytes tells."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

# A statement that imports, and more: a word is enough to begin one, and a line goes on in parentheses and behind `\`.
_IMPORT = re.compile(rb"\b(?:from|import)\b(?:\((?:[^)#]|#[^\r\n]*(?:[\r\n]|\Z))*\)|\\\r?\n|[^\n(])*")
_WORD = re.compile(rb"[\w\x80-\xff]+")
# `from . import name` reaches the package around a file without its name.
_RELATIVE = re.compile(rb"\bfrom[\s\\]*\.")
# For so many words it is faster to look for each first.
_FEW = 8


class Importers:
    """The files that may import others: no importer is missing, and not all of them need to be one.

    `sought` are those that will be asked for: one search through all files finds the importers of them all.
    """

    def __init__(self, files: Collection[Path], read: Callable[[Path], bytes], sought: Iterable[Path]) -> None:
        self._files = files
        self._read = read
        self._sought = frozenset(sought)
        self._found: dict[Path, list[Path]] = {}

    def of(self, path: Path) -> list[Path]:
        """The files that may import another one, in the order of the tree."""
        if path not in self._found:
            self._search(self._sought if path in self._sought else {path})
        return self._found[path]

    def _search(self, sought: Collection[Path]) -> None:
        self._found |= {path: [] for path in sought}
        by_word: defaultdict[bytes, list[Path]] = defaultdict(list)
        packages: defaultdict[Path, list[Path]] = defaultdict(list)
        for path in sought:
            is_package = path.name == "__init__.py"
            by_word[(path.parent.name if is_package else path.stem).encode("utf-8", "surrogateescape")].append(path)
            if is_package:
                packages[path.parent].append(path)
        words = frozenset(by_word)
        for user in self._files:
            data = self._read(user)
            named = [path for word in _imported_words(data, words) for path in by_word[word]]
            if packages and _RELATIVE.search(data):
                named += [path for folder in user.parents for path in packages.get(folder, ())]
            for path in dict.fromkeys(named):
                if path != user:
                    self._found[path].append(user)


def _imported_words(data: bytes, words: frozenset[bytes]) -> frozenset[bytes]:
    """Those of some words that stand in a statement that may import something."""
    if len(words) <= _FEW and not any(word in data for word in words):
        return frozenset()
    return words.intersection(_WORD.findall(b" ".join(_IMPORT.findall(data))))
