"""Writing import statements: what is left of the old ones, and new ones where a reader would look for them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeGuard

import libcst as cst

from migrate_trainers.reading.cells import crosses_boundary
from migrate_trainers.reading.scopes import dotted_name, is_future_import
from migrate_trainers.reading.source import Edit
from migrate_trainers.writing.render import LINE_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from migrate_trainers.reading.program import Program, Statement

_Import = cst.Import | cst.ImportFrom
# Comments that speak to a tool about the line on which they stand.
_DIRECTIVES = ("# noqa", "# type:", "# isort:", "# pylint:", "# pyright:", "# ruff:", "# fmt:", "# mypy:")


@dataclass
class _Line:
    """One `from module import names` of the result."""

    module: str
    names: list[tuple[str, str | None]] = field(default_factory=list)

    def add(self, name: str, alias: str | None) -> None:
        if (name, alias) not in self.names:
            self.names.append((name, alias))


@dataclass
class NewImports:
    """What new code in one block needs: local names by module and name, and expressions by plainly imported module.

    `anchor` is the statement beside which they go.
    """

    anchor: _Import
    wanted: dict[tuple[str, str], str] = field(default_factory=dict)
    plain: dict[str, str] = field(default_factory=dict)


@dataclass
class _Change:
    """What happens to one existing import statement: what it keeps, and the new lines that take its place."""

    kept: list[cst.ImportAlias]
    lines: dict[str, _Line] = field(default_factory=dict)
    plain: list[str] = field(default_factory=list)


def has_run_for(program: Program, statement: cst.CSTNode, anchor: _Import) -> bool:
    """Whether a statement of an import's block has run wherever code behind that import reads what it binds."""
    block = program.block(program.statement(anchor))
    line, own = program.statement(statement), program.statement(anchor)
    if program.block(line) is not block:
        return False
    assert isinstance(block, cst.Module | cst.IndentedBlock)
    first, last = block.body.index(own), block.body.index(line)
    if last <= first:
        return True
    return all(is_import_line(between) for between in block.body[first : last + 1]) and not crosses_boundary(
        program.source, program.span(own)[1], program.span(line)[0]
    )


class ImportWriter:
    """Turns removed, moved and wanted names into edits of import statements; no module is imported twice."""

    def __init__(
        self, program: Program, removed: Collection[cst.ImportAlias], moved: Callable[[str], str | None]
    ) -> None:
        self._program = program
        self._removed = removed
        self._moved = moved
        self._changes: dict[_Import, _Change] = {}
        self._inserted: dict[int, list[str]] = {}

    def edits(self, places: Iterable[NewImports]) -> list[Edit]:
        """The edits that remove and move names, and add what new code needs in some blocks."""
        for statement in self._program.imports:
            self._plan_statement(statement)
        places = list(places)
        for place in places:
            for (module, name), local in place.wanted.items():
                self._line(module, place.anchor).add(name, None if local == name else local)
            for module, local in place.plain.items():
                if module.partition(".")[0] not in sys.stdlib_module_names:
                    self._add_plain(module, local, place.anchor)
        edits = [self._write(statement, change) for statement, change in self._changes.items()]
        edits += [Edit(place, place, "".join(sorted(texts))) for place, texts in self._inserted.items()]
        for place in places:
            edits += self._standard_library_edits(place)
        return edits

    def _plan_statement(self, statement: _Import) -> None:
        """Note what a statement loses, and where the names go that have moved."""
        if isinstance(statement.names, cst.ImportStar):
            return
        for alias in statement.names:
            if alias in self._removed:
                self._change(statement).kept.remove(alias)
            elif isinstance(statement, cst.ImportFrom) and not statement.relative:
                qualified = f"{dotted_name(statement.module)}.{dotted_name(alias.name)}"
                target = self._moved(qualified)
                if target is not None:
                    self._change(statement).kept.remove(alias)
                    module, _, name = target.rpartition(".")
                    local = (
                        alias.asname.name.value if alias.asname and isinstance(alias.asname.name, cst.Name) else None
                    )
                    if local is None and name != dotted_name(alias.name):
                        local = dotted_name(alias.name)
                    if module:
                        self._line(module, statement).add(name, local)
                    else:
                        self._change(statement).plain.append(_import_text(name, local or name))

    def _change(self, statement: _Import) -> _Change:
        if statement not in self._changes:
            assert not isinstance(statement.names, cst.ImportStar)
            self._changes[statement] = _Change(list(statement.names))
        return self._changes[statement]

    def _line(self, module: str, near: _Import) -> _Line:
        """The line of the result that imports from a module: in a statement that does so already, else near one."""
        block = self._block(near)
        for statement in self._program.imports:
            if self._block(statement) is not block:
                continue
            if statement in self._changes and module in self._changes[statement].lines:
                return self._changes[statement].lines[module]
        for statement in self._program.imports:
            if (
                isinstance(statement, cst.ImportFrom)
                and not statement.relative
                and not isinstance(statement.names, cst.ImportStar)
                and dotted_name(statement.module) == module
                and has_run_for(self._program, statement, near)
            ):
                return self._change(statement).lines.setdefault(module, _Line(module))
        return self._change(self._relative_of(module, near)).lines.setdefault(module, _Line(module))

    def _relative_of(self, module: str, near: _Import) -> _Import:
        """The statement beside which a module's line goes: one that imports from the same package, if any."""
        package = module.partition(".")[0]
        for statement in (near, *reversed(self._program.imports)):
            if (
                isinstance(statement, cst.ImportFrom)
                and not isinstance(statement.names, cst.ImportStar)
                and has_run_for(self._program, statement, near)
                and dotted_name(statement.module).partition(".")[0] == package
            ):
                return statement
        return near

    def _add_plain(self, module: str, local: str, anchor: _Import) -> None:
        """Note `import module`: beside what comes from its package, else above the `from` lines around the anchor."""
        text = _import_text(module, local)
        beside = self._same_package(module, anchor)
        first = self._first_from_line(anchor)
        if beside is not None or first is None:
            self._change(beside or anchor).plain.append(text)
            return
        place = self._program.source.line_start(self._program.span(first)[0])
        self._inserted.setdefault(place, []).append(f"{self._program.indent(first)}{text}\n")

    def _first_from_line(self, anchor: _Import) -> Statement | None:
        """The first of the `from` lines without a gap above an anchor; None if there is no other."""
        program = self._program
        line = program.statement(anchor)
        block = program.block(line)
        assert isinstance(block, cst.Module | cst.IndentedBlock)
        first = None
        for above in reversed(block.body[: block.body.index(line)]):
            if not _is_third_party_from(above) or not isinstance(line, cst.SimpleStatementLine) or line.leading_lines:
                break
            first = line = above
        return first

    def _same_package(self, module: str, anchor: _Import) -> _Import | None:
        """The first statement that changes and imports from a module's package, if any does."""
        block = self._block(anchor)
        package = module.partition(".")[0]
        for statement in self._program.imports:
            if self._block(statement) is block and statement in (*self._changes, anchor):
                first = dotted_name(
                    statement.module if isinstance(statement, cst.ImportFrom) else statement.names[0].name
                )
                if first.partition(".")[0] == package:
                    return statement
        return None

    def _block(self, statement: _Import) -> cst.CSTNode:
        return self._program.block(self._program.statement(statement))

    def _write(self, statement: _Import, change: _Change) -> Edit:
        program = self._program
        start, end = program.span(statement)
        line = program.statement(statement)
        assert isinstance(line, cst.SimpleStatementLine)
        indent = program.indent(line)
        texts = self._texts(statement, change, indent)
        trailing = self._trailing_comment(line)
        if not texts:
            return self._deletion(line, statement)
        if trailing.startswith(_DIRECTIVES) and len(line.body) == 1:
            texts = [*(f"{text}  {trailing}" for text in texts[:-1]), texts[-1]]
        separator = "\n" + indent if len(line.body) == 1 else "; "
        return Edit(start, end, separator.join(texts))

    def _texts(self, statement: _Import, change: _Change, indent: str) -> list[str]:
        texts: list[str] = []
        lines = dict(change.lines)
        kept = [_alias_text(alias) for alias in change.kept]
        if isinstance(statement, cst.Import):
            texts += [f"import {', '.join(kept)}"] if kept else []
        else:
            module = "." * len(statement.relative) + dotted_name(statement.module)
            added = [_pair_text(pair) for pair in lines.pop(module).names] if module in lines else []
            names = [*kept, *(name for name in added if name not in kept)]
            if kept == sorted(kept):
                names.sort()
            if names:
                lines[module] = _Line(module, [(name, None) for name in names])
        texts += sorted(change.plain)
        for module in sorted(lines):
            names = [_pair_text(pair) for pair in lines[module].names]
            if isinstance(statement, cst.Import) or module != dotted_name(statement.module):
                names.sort()
            texts.append(_from_text(module, names, indent, self._program.module.default_indent))
        comments = [
            text
            for comment in self._program.comments
            if self._program.contains(statement, comment)
            and not (text := self._program.text(comment)).startswith(_DIRECTIVES)
        ]
        return [*comments, *texts] if texts else texts

    def _trailing_comment(self, line: cst.SimpleStatementLine) -> str:
        comment = line.trailing_whitespace.comment
        return comment.value if comment is not None else ""

    def _deletion(self, line: cst.SimpleStatementLine, statement: _Import) -> Edit:
        program = self._program
        if len(line.body) > 1:
            return Edit(*program.span(statement), "pass")
        start, end = program.span(line)
        comment = self._trailing_comment(line)
        if comment and not comment.startswith(_DIRECTIVES):
            comment_start = program.source.buffer.index(comment.encode(), end)
            return Edit(start, comment_start, "")
        block = program.block(line)
        if isinstance(block, cst.IndentedBlock) and len(block.body) == 1:
            return Edit(start, end, "pass")
        start, end = program.source.line_start(start), program.source.line_end(end)
        below = program.source.line_end(end)
        if not program.source.slice(program.source.line_start(max(start - 1, 0)), start).strip() and start:
            # Of the blank lines above and below, those below stay.
            end = below if not program.source.slice(end, below).strip() else end
        return Edit(start, end, "")

    def _standard_library_edits(self, place_of_new: NewImports) -> list[Edit]:
        """`import os` and the like, among the file's own standard library imports or above its first import."""
        modules = sorted(module for module in place_of_new.plain if module.partition(".")[0] in sys.stdlib_module_names)
        if not modules:
            return []
        program = self._program
        statements: list[Statement] = []
        for node in program.imports:
            if has_run_for(program, node, place_of_new.anchor) and not is_future_import(node):
                statements.append(program.statement(node))
        edits = []
        leading = [line for line in statements if _is_standard_import(line)]
        for module in modules:
            text = _import_text(module, place_of_new.plain[module])
            after = [line for line in leading if _first_module(line) < module]
            before = next((line for line in leading if _first_module(line) > module), None)
            if after and (before is None or statements.index(after[-1]) < statements.index(before)):
                place = program.source.line_end(program.span(after[-1])[1])
                edits.append(Edit(place, place, f"{program.indent(after[-1])}{text}\n"))
                continue
            line = before or statements[0]
            place = program.source.line_start(program.span(line)[0])
            gap = "" if _first_module(line).partition(".")[0] in sys.stdlib_module_names else "\n"
            edits.append(Edit(place, place, f"{program.indent(line)}{text}\n{gap}"))
        return _merge_insertions(edits)


def _merge_insertions(edits: list[Edit]) -> list[Edit]:
    merged: dict[int, str] = {}
    for edit in edits:
        earlier = merged.get(edit.start, "")
        merged[edit.start] = earlier.removesuffix("\n\n") + ("\n" if earlier.endswith("\n\n") else "") + edit.text
    return [Edit(start, start, text) for start, text in merged.items()]


def is_import_line(line: cst.CSTNode) -> bool:
    """Whether a statement does nothing but import."""
    if not isinstance(line, cst.SimpleStatementLine):
        return False
    return all(isinstance(small, cst.Import | cst.ImportFrom) for small in line.body)


def _is_third_party_from(line: cst.CSTNode) -> TypeGuard[cst.SimpleStatementLine]:
    """Whether a line is one `from package.module import names` of a package that is installed."""
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return False
    statement = line.body[0]
    if not isinstance(statement, cst.ImportFrom) or statement.relative:
        return False
    return dotted_name(statement.module).partition(".")[0] not in sys.stdlib_module_names


def _is_standard_import(line: Statement) -> bool:
    return (
        _first_module(line).partition(".")[0] in sys.stdlib_module_names
        and isinstance(line, cst.SimpleStatementLine)
        and isinstance(line.body[0], cst.Import)
    )


def _first_module(line: Statement) -> str:
    if not isinstance(line, cst.SimpleStatementLine):
        return ""
    first = line.body[0]
    if isinstance(first, cst.Import):
        return dotted_name(first.names[0].name)
    return dotted_name(first.module) if isinstance(first, cst.ImportFrom) else ""


def _alias_text(alias: cst.ImportAlias) -> str:
    name = dotted_name(alias.name)
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return f"{name} as {alias.asname.name.value}"
    return name


def _pair_text(pair: tuple[str, str | None]) -> str:
    name, alias = pair
    return f"{name} as {alias}" if alias else name


def _import_text(module: str, local: str) -> str:
    return f"import {module}" if local == module else f"import {module} as {local}"


def _from_text(module: str, names: list[str], indent: str, unit: str) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(indent) + len(line) <= LINE_LENGTH:
        return line
    body = "".join(f"{indent}{unit}{name},\n" for name in names)
    return f"from {module} import (\n{body}{indent})"
