"""Writing import statements: what is left of the old ones, and new ones where a reader would look for them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeGuard

import libcst as cst

from migrate_trainers.reading.cells import crosses_boundary
from migrate_trainers.reading.scopes import dotted_name, is_future_import
from migrate_trainers.reading.source import Edit
from migrate_trainers.writing.import_texts import (
    alias_text,
    for_other_names,
    from_text,
    import_text,
    is_directive,
    pair_text,
    with_comments,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from migrate_trainers.reading.program import Program, Statement

_Import = cst.Import | cst.ImportFrom


@dataclass
class _Line:
    """One `from module import names` of the result; `has_moved` says that some come from an old line, not new code."""

    module: str
    names: list[tuple[str, str | None]] = field(default_factory=list)
    has_moved: bool = False

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
        # At one place the standard library comes first.
        edits = [edit for place in places for edit in self._standard_library_edits(place)]
        edits += [self._write(statement, change) for statement, change in self._changes.items()]
        edits += [Edit(place, place, "".join(sorted(texts))) for place, texts in self._inserted.items()]
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
                        line = self._line(module, statement)
                        line.add(name, local)
                        line.has_moved = True
                    else:
                        self._change(statement).plain.append(import_text(name, local or name))

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
        text = import_text(module, local)
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
        texts = self._texts(statement, change)
        if not texts:
            return self._deletion(line, statement)
        separator = "; "
        if len(line.body) == 1:
            separator = "\n" + program.indent(line)
            trailing = line.trailing_whitespace.comment
            if trailing is not None and is_directive(trailing.value):
                end = program.span(trailing)[1]
        return Edit(start, end, separator.join(texts))

    def _texts(self, statement: _Import, change: _Change) -> list[str]:
        """The comments and imports that take the place of a statement."""
        program = self._program
        line = program.statement(statement)
        assert isinstance(line, cst.SimpleStatementLine)
        indent = program.indent(line)
        inner = [program.text(comment) for comment in program.comments if program.contains(statement, comment)]
        directives = []
        if len(line.body) == 1:
            found = (*inner, self._trailing_comment(line))
            directives = list(dict.fromkeys(comment for comment in found if is_directive(comment)))
        is_below_code = self._is_below_code(line)
        others = [for_other_names(comment, is_below_code=is_below_code) for comment in directives]
        texts: list[str] = []
        lines = dict(change.lines)
        kept = [alias_text(alias) for alias in change.kept]
        if isinstance(statement, cst.Import):
            texts += [with_comments(f"import {', '.join(kept)}", directives)] if kept else []
        else:
            module = "." * len(statement.relative) + dotted_name(statement.module)
            own = lines.pop(module, _Line(module))
            names = [*kept, *(name for name in map(pair_text, own.names) if name not in kept)]
            if kept == sorted(kept):
                names.sort()
            if names:
                has_moved = bool(kept) or own.has_moved
                lines[module] = _Line(module, [(name, None) for name in names], has_moved)
        texts += [with_comments(text, others) for text in sorted(change.plain)]
        for module in sorted(lines):
            names = [pair_text(pair) for pair in lines[module].names]
            if isinstance(statement, cst.Import) or module != dotted_name(statement.module):
                names.sort()
            text = f"from {module} import {', '.join(names)}"
            if text != program.text(statement):
                text = from_text(module, names, indent, program.module.default_indent)
            texts.append(with_comments(text, directives if lines[module].has_moved else others))
        return [*(comment for comment in inner if not is_directive(comment)), *texts] if texts else texts

    def _is_below_code(self, line: cst.SimpleStatementLine) -> bool:
        """Whether something else than imports and the docstring stands above a line of the module."""
        block = self._program.block(line)
        above = block.body[: block.body.index(line)] if isinstance(block, cst.Module) else ()
        return not all(is_import_line(other) or _is_docstring(other) for other in above)

    def _trailing_comment(self, line: cst.SimpleStatementLine) -> str:
        comment = line.trailing_whitespace.comment
        return comment.value if comment is not None else ""

    def _deletion(self, line: cst.SimpleStatementLine, statement: _Import) -> Edit:
        program = self._program
        if len(line.body) > 1:
            return Edit(*program.span(statement), "pass")
        start, end = program.span(line)
        comment = self._trailing_comment(line)
        if comment and not is_directive(comment):
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
            text = import_text(module, place_of_new.plain[module])
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


def _is_docstring(line: cst.CSTNode) -> bool:
    if not isinstance(line, cst.SimpleStatementLine) or not isinstance(line.body[0], cst.Expr):
        return False
    return isinstance(line.body[0].value, cst.BaseString)


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
