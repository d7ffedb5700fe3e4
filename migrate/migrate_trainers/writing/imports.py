"""Import edits: names that go, names that move to another module, names that new code needs.

Everything is planned first and written once (`ImportPlan.edits`), so that no module is imported twice.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind, dotted_name
from migrate_trainers.reading.source import Edit
from migrate_trainers.writing.render import LINE_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.scopes import Binding, Scope

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
class _Place:
    """What new code in one block needs: local names by module and name, and expressions by plainly imported module."""

    anchor: cst.Import | cst.ImportFrom
    wanted: dict[tuple[str, str], str] = field(default_factory=dict)
    plain: dict[str, str] = field(default_factory=dict)


@dataclass
class _Change:
    """What happens to one existing import statement: what it keeps, and the new lines that take its place."""

    kept: list[cst.ImportAlias]
    lines: dict[str, _Line] = field(default_factory=dict)
    plain: list[str] = field(default_factory=list)


class ImportPlan:
    """The imports of one program after the rewrite.

    `anchor` is the statement beside which new imports go, until `stand_at` names another. `by_module` says that new
    code reaches classes through their modules, as the file does (`import ray.train.lightning`). `moved` gives the new
    qualified name of a name that has moved, else None.
    """

    def __init__(
        self,
        program: Program,
        anchor: cst.Import | cst.ImportFrom,
        moved: Callable[[str], str | None],
        *,
        by_module: bool,
    ) -> None:
        self._program = program
        self._anchor = anchor
        self._by_module = by_module
        self._moved = moved
        self._removed: set[cst.ImportAlias] = set()
        self._places: dict[cst.CSTNode, _Place] = {}
        self._local_names: dict[str, str] = {}
        self.stand_at(anchor)
        self._taken = program.all_bound_names() | program.unresolved_names()

    @property
    def are_at_module_level(self) -> bool:
        """Whether what new code imports can be read everywhere in the module."""
        return isinstance(self._block(self._anchor), cst.Module)

    def stand_at(self, anchor: cst.Import | cst.ImportFrom) -> None:
        """Put what is asked for from now on beside a statement, so that code in its block can read it."""
        self._anchor = anchor
        place = self._places.setdefault(self._block(anchor), _Place(anchor))
        self._wanted, self._plain = place.wanted, place.plain

    def remove(self, alias: cst.ImportAlias) -> None:
        self._removed.add(alias)

    def reserve(self, name: str) -> None:
        """Note a name that new code binds."""
        self._taken.add(name)

    def is_free(self, name: str) -> bool:
        return name not in self._taken

    def name(self, qualified: str) -> str:
        """The expression by which new code reaches a class or function, in the file's own style."""
        existing = self._existing(qualified)
        if existing is not None:
            return existing
        module, _, name = qualified.rpartition(".")
        is_ours = module.partition(".")[0] in ("ray", "train_runtime")
        if not is_ours and self._module_alias(module) is not None:
            return f"{self.module(module)}.{name}"
        if is_ours and (self._by_module or (module in self._plain and not self._imports_from(module))):
            return f"{self.module(module)}.{name}"
        if (module, name) not in self._wanted:
            self._wanted[module, name] = self._local_name(module, name)
        return self._wanted[module, name]

    def _local_name(self, module: str, name: str) -> str:
        """The name that an import binds: its own, if that means nothing else in the file."""
        qualified = f"{module}.{name}"
        if qualified not in self._local_names:
            local = name
            while not self.is_free(local) and not self._frees(local):
                top = module.partition(".")[0]
                local = f"{top.title().replace('_', '')}{local}" if local[0].isupper() else f"{top}_{local}"
            self._taken.add(local)
            self._local_names[qualified] = local
        return self._local_names[qualified]

    def member(self, qualified: str) -> str:
        """The expression `module.name` for functions whose bare names say little (`ray.train.report`)."""
        module, _, name = qualified.rpartition(".")
        if not self._by_module:
            for (wanted_module, wanted), local in self._wanted.items():
                if (wanted_module, wanted) == (module, name):
                    return local
        top = module.partition(".")[0]
        if self._module_alias(module) is None and not self._can_bind(top):
            return self.name(qualified)
        return f"{self.module(module)}.{name}"

    def module(self, module: str) -> str:
        """The expression for a module, importing it if it isn't imported."""
        alias = self._module_alias(module)
        if alias is not None:
            return alias
        if module not in self._plain:
            local = module
            if not self._can_bind(module.partition(".")[0]):
                local = f"{module.replace('.', '_')}_module"
                while not self.is_free(local):
                    local += "_"
                self._taken.add(local)
            self._plain[module] = local
        return self._plain[module]

    def _existing(self, qualified: str) -> str | None:
        """The local name of something that the file imports (and still will)."""
        for local, bindings in self._visible_bindings():
            if len(bindings) != 1 or bindings[0].kind is not BindingKind.IMPORT:
                continue
            alias, imported = bindings[0].node, bindings[0].imported
            if alias in self._removed or imported is None or not isinstance(alias, cst.ImportAlias):
                continue
            if (self._moved(imported) or imported) == qualified and self._means_everywhere(local, imported):
                return local
        return None

    def _module_alias(self, module: str) -> str | None:
        """How the file reaches a module: by an alias, by `from ray import train`, or through `import ray`."""
        for local, bindings in self._visible_bindings():
            if len({binding.imported for binding in bindings}) != 1:
                continue
            binding = bindings[0]
            if binding.kind is not BindingKind.IMPORT or not isinstance(binding.node, cst.ImportAlias):
                continue
            if all(other.node in self._removed for other in bindings):
                continue
            if not self._means_everywhere(local, binding.imported):
                continue
            if binding.imported == module:
                return local
            # `import ray` is enough for `ray.train`, as the new imports load it.
            if local == "ray" and binding.imported == "ray" and (module == "ray.train" or self._imports_module(module)):
                return module
        return None

    def _imports_from(self, module: str) -> bool:
        """Whether the file imports names from a module, or will once its names have moved."""
        for statement in self._program.imports:
            if isinstance(statement, cst.ImportFrom) and not isinstance(statement.names, cst.ImportStar):
                for alias in statement.names:
                    qualified = f"{dotted_name(statement.module)}.{dotted_name(alias.name)}"
                    if (
                        alias not in self._removed
                        and (self._moved(qualified) or qualified).rpartition(".")[0] == module
                    ):
                        return True
        return False

    def _imports_module(self, module: str) -> bool:
        return any(
            dotted_name(alias.name) == module
            for statement in self._program.imports
            if isinstance(statement, cst.Import)
            for alias in statement.names
            if alias.asname is None and alias not in self._removed
        )

    def _can_bind(self, top: str) -> bool:
        """Whether `import top.…` would leave every other meaning of the name alone."""
        return self._means_everywhere(top, top)

    def _means_everywhere(self, local: str, imported: str | None) -> bool:
        """Whether no scope of the file binds a name to anything but one imported thing."""
        return all(
            binding.imported == imported
            for scope in self._program.all_scopes()
            for binding in scope.bindings.get(local, [])
        )

    def _visible_bindings(self) -> Iterator[tuple[str, list[Binding]]]:
        scope: Scope | None = self._program.scope(self._anchor)
        while scope is not None:
            yield from scope.bindings.items()
            scope = scope.parent

    def _frees(self, local: str) -> bool:
        """Whether the only bindings of a name are imports that this plan removes."""
        bindings = [binding for scope in self._program.all_scopes() for binding in scope.bindings.get(local, [])]
        return bool(bindings) and all(binding.node in self._removed for binding in bindings)

    # Writing

    def edits(self) -> list[Edit]:
        changes: dict[cst.Import | cst.ImportFrom, _Change] = {}
        for statement in self._program.imports:
            self._plan_statement(statement, changes)
        for place in self._places.values():
            self.stand_at(place.anchor)
            for (module, name), local in place.wanted.items():
                self._line(module, place.anchor, changes).add(name, None if local == name else local)
            for module, local in place.plain.items():
                if module.partition(".")[0] not in sys.stdlib_module_names:
                    self._change(self._beside(module, changes), changes).plain.append(_import_text(module, local))
        edits = [self._write(statement, change) for statement, change in changes.items()]
        for place in self._places.values():
            self.stand_at(place.anchor)
            edits += self._standard_library_edits()
        return edits

    def _plan_statement(
        self, statement: cst.Import | cst.ImportFrom, changes: dict[cst.Import | cst.ImportFrom, _Change]
    ) -> None:
        if isinstance(statement.names, cst.ImportStar):
            return
        for alias in statement.names:
            if alias in self._removed:
                self._change(statement, changes).kept.remove(alias)
            elif isinstance(statement, cst.ImportFrom) and not statement.relative:
                qualified = f"{dotted_name(statement.module)}.{dotted_name(alias.name)}"
                target = self._moved(qualified)
                if target is not None:
                    self._change(statement, changes).kept.remove(alias)
                    module, _, name = target.rpartition(".")
                    local = (
                        alias.asname.name.value if alias.asname and isinstance(alias.asname.name, cst.Name) else None
                    )
                    if local is None and name != dotted_name(alias.name):
                        local = dotted_name(alias.name)
                    self._line(module, statement, changes).add(name, local)

    def _change(
        self, statement: cst.Import | cst.ImportFrom, changes: dict[cst.Import | cst.ImportFrom, _Change]
    ) -> _Change:
        if statement not in changes:
            assert not isinstance(statement.names, cst.ImportStar)
            changes[statement] = _Change(list(statement.names))
        return changes[statement]

    def _line(
        self,
        module: str,
        near: cst.Import | cst.ImportFrom,
        changes: dict[cst.Import | cst.ImportFrom, _Change],
    ) -> _Line:
        """The line of the result that imports from a module: in a statement that does so already, else near one."""
        block = self._block(near)
        for statement in self._program.imports:
            if self._block(statement) is not block:
                continue
            if statement in changes and module in changes[statement].lines:
                return changes[statement].lines[module]
        for statement in self._program.imports:
            if (
                isinstance(statement, cst.ImportFrom)
                and not statement.relative
                and not isinstance(statement.names, cst.ImportStar)
                and dotted_name(statement.module) == module
                and self._block(statement) is block
            ):
                return self._change(statement, changes).lines.setdefault(module, _Line(module))
        return self._change(self._relative_of(module, near), changes).lines.setdefault(module, _Line(module))

    def _relative_of(self, module: str, near: cst.Import | cst.ImportFrom) -> cst.Import | cst.ImportFrom:
        """The statement beside which a module's line goes: one that imports from the same package, if any."""
        package = module.partition(".")[0]
        for statement in (near, *reversed(self._program.imports)):
            if (
                isinstance(statement, cst.ImportFrom)
                and self._block(statement) is self._block(near)
                and dotted_name(statement.module).partition(".")[0] == package
            ):
                return statement
        return near

    def _beside(self, module: str, changes: dict[cst.Import | cst.ImportFrom, _Change]) -> cst.Import | cst.ImportFrom:
        """The statement in whose place a plain import goes: the first one that changes and imports from the package."""
        block = self._block(self._anchor)
        package = module.partition(".")[0]
        for statement in self._program.imports:
            if self._block(statement) is block and statement in (*changes, self._anchor):
                first = dotted_name(
                    statement.module if isinstance(statement, cst.ImportFrom) else statement.names[0].name
                )
                if first.partition(".")[0] == package:
                    return statement
        return self._anchor

    def _block(self, statement: cst.Import | cst.ImportFrom) -> cst.CSTNode:
        return self._program.block(self._program.statement(statement))

    def _write(self, statement: cst.Import | cst.ImportFrom, change: _Change) -> Edit:
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

    def _texts(self, statement: cst.Import | cst.ImportFrom, change: _Change, indent: str) -> list[str]:
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

    def _deletion(self, line: cst.SimpleStatementLine, statement: cst.Import | cst.ImportFrom) -> Edit:
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
        return Edit(program.source.line_start(start), program.source.line_end(end), "")

    def _standard_library_edits(self) -> list[Edit]:
        """`import os` and the like, among the file's own standard library imports or above its first import."""
        modules = sorted(module for module in self._plain if module.partition(".")[0] in sys.stdlib_module_names)
        if not modules:
            return []
        program = self._program
        block = self._block(self._anchor)
        statements: list[Statement] = []
        for node in program.imports:
            is_future = isinstance(node, cst.ImportFrom) and dotted_name(node.module) == "__future__"
            if self._block(node) is block and not is_future:
                statements.append(program.statement(node))
        edits = []
        leading = [line for line in statements if _is_standard_import(line)]
        for module in modules:
            text = _import_text(module, self._plain[module])
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
