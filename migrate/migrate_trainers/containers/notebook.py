"""Jupyter notebooks: the code cells are read as one program, and put back into the JSON text where they stand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from migrate_trainers.containers.joined import Joined
from migrate_trainers.containers.json_text import Style, elements, loads, members
from migrate_trainers.containers.magics import read_cell
from migrate_trainers.containers.names import LEGACY_NAMES, names_of
from migrate_trainers.file_findings import failure, file_finding
from migrate_trainers.findings import FileResult
from migrate_trainers.reading.prefilter import mentions_legacy_name
from migrate_trainers.reading.syntax import TooLargeError, syntax_error, syntax_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from migrate_trainers.containers.magics import MagicText
    from migrate_trainers.findings import Finding

_BOM = "\ufeff"


@dataclass(frozen=True)
class _Cell:
    """A code cell: its number among all cells, from 1, what it holds, and where its source stands in the JSON text."""

    number: int
    source: str
    run: int | None
    start: int
    end: int


class Notebook:
    """A notebook of nbformat 4, whose Python cells are one program.

    `findings` say why it can't be read, or may not be changed. A notebook in another language has no program.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.findings: tuple[Finding, ...] = ()
        self._text = ""
        self._cells: list[_Cell] = []
        self._has_crlf = False
        self._python: dict[int, MagicText] = {}
        try:
            self._text = data.decode("utf-8").removeprefix(_BOM)
            self._cells = list(_code_cells(self._text))
            self._read_cells()
        except UnicodeDecodeError as error:
            self.findings = (file_finding("MT901", str(error)),)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            self.findings = (file_finding("MT910", str(error)),)

    @property
    def programs(self) -> tuple[bytes, ...]:
        """The notebook's Python, if there is any that may be read."""
        return () if self.findings or not self._python else (self._joined.text.encode(),)

    def result(self, results: Sequence[FileResult]) -> FileResult:
        """The result for the notebook, from that for its program."""
        if not results:
            return FileResult(self._data, self._data, findings=self.findings)
        findings = [self._placed(finding) for finding in results[0].findings]
        try:
            after = self._with(results[0].after) if results[0].changed else self._data
        except ValueError as error:
            return failure(self._data, error)
        if results[0].changed:
            findings += [*self._order_findings(), *self._stale_text()]
        findings.sort(key=lambda one: (one.cell or 0, one.line, one.column))
        return replace(results[0], before=self._data, after=after, findings=tuple(findings))

    @cached_property
    def _joined(self) -> Joined:
        return Joined({number: cell.python for number, cell in self._python.items()})

    def _read_cells(self) -> None:
        findings: list[Finding] = []
        count = 1
        code = "".join(cell.source for cell in self._cells)
        self._has_crlf = "\r\n" in code and "\n" not in code.replace("\r\n", "")
        if self._has_crlf:
            self._cells = [replace(cell, source=cell.source.replace("\r\n", "\n")) for cell in self._cells]
        for cell in self._cells:
            python = read_cell(cell.source, count)
            other = [cell.source] if python is None else [text for _, text in python.magics]
            findings += _hidden(cell, other)
            if python is None:
                continue
            count += len(python.magics)
            self._python[cell.number] = python
            findings += _syntax_errors(cell, python)
        findings += self._imported_elsewhere()
        if mentions_legacy_name(code.encode("utf-8")):
            self.findings = tuple(findings)
        elif any(finding.code == "MT900" for finding in findings):
            self._python = {}

    def _imported_elsewhere(self) -> Iterator[Finding]:
        """The legacy names that no cell imports, where a cell runs other files with the notebook's names."""
        magics = [magic for python in self._python.values() for _, magic in python.magics]
        if not any(magic.startswith("%run") for magic in magics):
            return
        names = {number: names_of(python.python) for number, python in self._python.items()}
        bound = {name for found in names.values() if found is not None for name in found.bound}
        for number, found in names.items():
            for name in sorted(LEGACY_NAMES - bound) if found is not None else ():
                if found is not None and name in found.places:
                    detail = f"`{name}` is imported by what `%run` runs, if at all"
                    yield file_finding("MT904", detail, *found.places[name], number)

    def _placed(self, finding: Finding) -> Finding:
        """A finding about the program, at its place in a cell."""
        cell, line = self._joined.place(finding.line)
        end_cell, end_line = self._joined.place(finding.end_line)
        if cell is None or end_cell is None:
            return finding
        return replace(
            finding,
            cell=cell,
            line=line,
            column=self._python[cell].column(line, finding.column),
            end_line=end_line,
            end_column=self._python[end_cell].column(end_line, finding.end_column),
        )

    def _order_findings(self) -> Iterator[Finding]:
        """What to look at where the cells last ran in another order than that in which they stand."""
        ran = [cell for cell in self._cells if cell.run is not None and cell.source.strip()]
        for above, cell in pairwise(ran):
            if (above.run or 0) > (cell.run or 0):
                message = f"cell {cell.number} last ran before cell {above.number}, which stands above it"
                yield file_finding("MT912", message, cell=cell.number)
                return

    def _stale_text(self) -> Iterator[Finding]:
        """The first cell of text that still names a legacy class."""
        for number, cell in enumerate(loads(self._text)["cells"], start=1):
            if cell["cell_type"] != "code" and mentions_legacy_name(_source(cell).encode("utf-8", "replace")):
                yield file_finding("MT915", "the cell names a legacy class", cell=number)
                return

    def _with(self, program: bytes) -> bytes:
        """The notebook with an edited program; raises `ValueError` if anything else would change."""
        changed = self._joined.split(program.decode("utf-8"))
        sources = {number: self._python[number].restored(text) for number, text in changed.items()}
        if self._has_crlf:
            sources = {number: source.replace("\n", "\r\n") for number, source in sources.items()}
        style = Style(self._text)
        parts, done = [], 0
        for cell in self._cells:
            if cell.number in sources:
                parts += [self._text[done : cell.start], self._written(cell, sources[cell.number], style)]
                done = cell.end
        text = "".join([*parts, self._text[done:]])
        if loads(text) != _with_sources(loads(self._text), sources):
            raise ValueError("the notebook would not be the same but for its code")
        bom = _BOM if self._data.startswith(_BOM.encode()) else ""
        return (bom + text).encode("utf-8")

    def _written(self, cell: _Cell, source: str, style: Style) -> str:
        if self._text[cell.start] == "[":
            return style.lines(source, self._text, cell.start)
        return style.string(source)


def _code_cells(text: str) -> Iterator[_Cell]:
    """The Python cells of a notebook's JSON text; raises `ValueError` and the like if it is no notebook."""
    notebook = loads(text)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("nbformat", 4), int):
        raise ValueError("it is no JSON object of a notebook")
    if notebook.get("nbformat", 4) < 4 or "cells" not in notebook:
        raise ValueError(f"it has version {notebook.get('nbformat')} of the format")
    if not _is_python_notebook(notebook.get("metadata") or {}):
        return
    cells = next(start for key, start, _ in _last_members(text, text.index("{")) if key == "cells")
    for number, ((start, _), cell) in enumerate(zip(elements(text, cells), notebook["cells"], strict=True), start=1):
        language = (cell.get("metadata") or {}).get("vscode", {}).get("languageId", "python")
        if cell["cell_type"] != "code" or language != "python":
            continue
        begin, end = next((begin, end) for key, begin, end in _last_members(text, start) if key == "source")
        yield _Cell(number, _source(cell), cell.get("execution_count"), begin, end)


def _last_members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """The members of an object, the last first: of two with one key, the last counts."""
    yield from reversed(list(members(text, start)))


def _source(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _is_python_notebook(metadata: Mapping[str, Any]) -> bool:
    language = metadata.get("language_info", {}).get("name") or metadata.get("kernelspec", {}).get("language")
    return language is None or language.lower() in ("python", "ipython")


def _with_sources(notebook: dict[str, Any], sources: Mapping[int, str]) -> dict[str, Any]:
    for number, source in sources.items():
        cell = notebook["cells"][number - 1]
        cell["source"] = source if isinstance(cell["source"], str) else source.splitlines(keepends=True)
    return notebook


def _hidden(cell: _Cell, texts: Sequence[str]) -> Iterator[Finding]:
    """What a person must look at where a legacy name stands in lines that aren't Python."""
    for text in texts:
        if mentions_legacy_name(text.encode("utf-8")):
            line = cell.source.count("\n", 0, cell.source.index(text)) + 1
            first = text.strip().split("\n")[0]
            yield file_finding("MT911", f"`{first}`", line, cell=cell.number)


def _syntax_errors(cell: _Cell, python: MagicText) -> Iterator[Finding]:
    try:
        if syntax_tree(python.python) is not None:
            return
        # Syntax that is newer than this Python may be right.
        import libcst as cst

        cst.parse_module(python.python)
    except TooLargeError as error:
        yield file_finding("MT914", str(error), cell=cell.number)
    except cst.ParserSyntaxError as error:
        message, line, column = syntax_error(python.python, error)
        yield file_finding("MT900", message, line, python.column(line, column), cell.number)
