"""Pages with code blocks: blocks that use each other's names are one program, all others one each."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from migrate_trainers.containers.blocks import Block, split_lines
from migrate_trainers.containers.joined import Joined
from migrate_trainers.containers.magics import MagicText, read_cell
from migrate_trainers.containers.names import LEGACY_NAMES, names_of
from migrate_trainers.file_findings import failure, file_finding
from migrate_trainers.findings import FileResult
from migrate_trainers.reading.prefilter import mentions_legacy_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from migrate_trainers.findings import Finding

    Scanner = Callable[[Sequence[str]], Iterable[Block]]

_BOM = "\ufeff"
_LEGACY_IMPORT = re.compile(rf"\bfrom\s+ray[\w.]*\s+import\b.*\b(?:{'|'.join(sorted(LEGACY_NAMES))})\b")
# Options of a block that name lines, and how far above the code they stand at most.
_HIGHLIGHT = re.compile(r":(?:emphasize-lines|lineno-match):|\b(?:hl_lines|highlight)=|```\s*\w+\s*\{[\d,-]+\}")
_OPTION_LINES = 5
_RAY = re.compile(r"\bray\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Piece:
    """A block that is Python, with the names that it binds and those that others have to bind for it."""

    block: Block
    python: MagicText
    bound: frozenset[str]
    needed: frozenset[str]


class Page:
    """A text whose code blocks hold Python, as a scanner finds them."""

    def __init__(self, data: bytes, scanner: Scanner) -> None:
        self._data = data
        self._scanner = scanner
        self.findings: list[Finding] = []
        self._pieces: dict[int, _Piece] = {}
        self._groups: list[list[int]] = []
        try:
            text = data.decode("utf-8").removeprefix(_BOM)
        except UnicodeDecodeError as error:
            self.findings = [file_finding("MT901", str(error))]
            return
        self._lines, self._ends = split_lines(text)
        self._read_blocks(list(scanner(self._lines)))

    @property
    def programs(self) -> tuple[bytes, ...]:
        return tuple(program.text.encode() for program in self._programs)

    def result(self, results: Sequence[FileResult]) -> FileResult:
        """The result for the page, from those for its programs."""
        changed: dict[int, str] = {}
        findings = list(self.findings)
        migrated = 0
        for program, result in zip(self._programs, results, strict=True):
            texts = program.split(result.after.decode("utf-8")) if result.changed else {}
            emptied = [self._pieces[number].block for number, text in texts.items() if not text.strip()]
            if emptied:
                findings += [_left(block, "nothing of it would be left") for block in emptied]
                continue
            changed |= {number: self._pieces[number].python.restored(text) for number, text in texts.items()}
            findings += [self._placed(program, finding) for finding in result.findings]
            migrated += result.migrated
        try:
            after = self._with(changed) if changed else self._data
        except (ValueError, SyntaxError) as error:
            return failure(self._data, error)
        if changed:
            findings += self._stale_text(changed)
        sites = sum(result.call_sites for result in results)
        skipped = sum(result.skipped for result in results)
        return FileResult(self._data, after, sites, migrated, tuple(sorted(findings)), skipped=skipped)

    @cached_property
    def _programs(self) -> list[Joined]:
        return [Joined({number: self._pieces[number].python.python for number in group}) for group in self._groups]

    def _read_blocks(self, blocks: Sequence[Block]) -> None:
        if not any(map(_RAY.search, self._lines)):
            return  # Classes of these names are mostly others'.
        self._shown = {line for block in blocks for line in range(block.first, block.first + len(block.lines))}
        for number, line in enumerate(self._lines):
            if number not in self._shown and _LEGACY_IMPORT.search(line):
                column = len(line) - len(line.lstrip()) + 1
                self.findings.append(file_finding("MT913", "it is in no block of Python", number + 1, column))
        count = 1
        for number, block in enumerate(blocks):
            python = read_cell(block.text, count)
            names = names_of(python.python) if python is not None else None
            if python is None or names is None:
                if mentions_legacy_name(block.text.encode("utf-8", "surrogatepass")):
                    self.findings.append(_left(block, "it is no Python as it stands"))
                continue
            count += len(python.magics)
            self._pieces[number] = _Piece(block, python, names.bound, names.needed)
        for group in self._connected():
            pieces = [self._pieces[number] for number in group]
            if not any(mentions_legacy_name(piece.block.text.encode("utf-8")) for piece in pieces):
                continue
            bound = {name for piece in pieces for name in piece.bound}
            lacking = [(piece, name) for piece in pieces for name in sorted(piece.needed & LEGACY_NAMES - bound)]
            self.findings += [_left(piece.block, f"no block above imports `{name}`") for piece, name in lacking]
            hidden = [piece for piece in pieces if _hides_legacy_name(piece.python)]
            self.findings += [_left(piece.block, "a magic or shell line names a legacy class") for piece in hidden]
            if not lacking and not hidden:
                self._groups.append(group)

    def _connected(self) -> list[list[int]]:
        """The blocks by what they use of each other: of several that bind a name, the last one above."""
        group_of: dict[int, list[int]] = {}
        binding: dict[str, int] = {}
        for number, piece in self._pieces.items():
            group = [number]
            for other in {binding[name] for name in piece.needed if name in binding}:
                if group_of[other] is not group:
                    group = sorted({*group, *group_of[other]})
                    group_of |= dict.fromkeys(group, group)
            group_of |= dict.fromkeys(group, group)
            binding |= dict.fromkeys(piece.bound, number)
        return [group for number, group in group_of.items() if group[0] == number]

    def _placed(self, program: Joined, finding: Finding) -> Finding:
        """A finding about a program, at its place in the page."""
        line, column = self._place(program, finding.line, finding.column)
        end_line, end_column = self._place(program, finding.end_line, finding.end_column)
        return replace(finding, line=line, column=column, end_line=end_line, end_column=end_column)

    def _place(self, program: Joined, line: int, column: int) -> tuple[int, int]:
        number, line = program.place(line)
        if number is None:
            return 1, 1
        block, python = self._pieces[number].block, self._pieces[number].python
        index = min(line, len(block.lines)) - 1
        return block.first + line, len(block.prefixes[index]) + python.column(line, column)

    def _stale_text(self, changed: Collection[int]) -> Iterator[Finding]:
        """What a person must look at beside the blocks that have changed."""
        for number, line in enumerate(self._lines):
            name = next((name for name in sorted(LEGACY_NAMES) if name in line), None)
            if number not in self._shown and name is not None:
                yield file_finding("MT915", f"`{name}` stands in the text", number + 1, line.index(name) + 1)
                break
        for block in (self._pieces[number].block for number in changed):
            above = range(max(block.first - _OPTION_LINES, 0), block.first)
            for number in (number for number in above if _HIGHLIGHT.search(self._lines[number])):
                yield file_finding("MT915", "lines are highlighted by number", number + 1)

    def _with(self, changed: dict[int, str]) -> bytes:
        """The page with other texts in some blocks; raises `ValueError` if it wouldn't be the same but for these."""
        text = self._spliced(changed)
        before = [changed.get(number, block.text) for number, block in enumerate(self._scanner(self._lines))]
        after = [block.text for block in self._scanner(split_lines(text)[0])]
        if list(map(_code, before)) != list(map(_code, after)):
            raise ValueError("the page's blocks would be others")
        bom = _BOM if self._data.startswith(_BOM.encode()) else ""
        return (bom + text).encode("utf-8")

    def _spliced(self, changed: dict[int, str]) -> str:
        parts, done = [], 0
        for number, text in sorted(changed.items()):
            block = self._pieces[number].block
            parts += [self._slice(done, block.first)]
            done = block.first + len(block.lines)
            parts += [self._ends[block.first].join(block.page_lines(text)), self._ends[done - 1]]
        return "".join([*parts, self._slice(done, len(self._lines))])

    def _slice(self, start: int, end: int) -> str:
        return "".join(line + stop for line, stop in zip(self._lines[start:end], self._ends[start:end], strict=True))


def _code(text: str) -> list[str]:
    """What a text says, in whichever way its blank lines are written."""
    return [line.rstrip() for line in text.split("\n") if line.strip()]


def _left(block: Block, reason: str) -> Finding:
    return file_finding("MT913", reason, block.first + 1, len(block.prefixes[0]) + 1)


def _hides_legacy_name(python: MagicText) -> bool:
    return any(mentions_legacy_name(magic.encode("utf-8")) for _, magic in python.magics)
