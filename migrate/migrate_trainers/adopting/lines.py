"""What the statements of a region bind and read, and which of them belong to the driver whatever they are read for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.reading.values import only_looks
from migrate_trainers.rules.literals import string
from migrate_trainers.writing.import_lines import is_import_line

if TYPE_CHECKING:
    from migrate_trainers.adopting.region import Region
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.scopes import Binding

# What an environment says of the process itself.
_OF_WORKERS = frozenset({"CUDA_VISIBLE_DEVICES", "GROUP_RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "RANK", "WORLD_SIZE"})


@dataclass(frozen=True, eq=False)
class Line:
    """A statement of a region, with the variables of the region that it binds, and the names that read such."""

    statement: Statement
    binds: frozenset[str]
    reads: tuple[cst.Name, ...]

    @property
    def is_import(self) -> bool:
        return is_import_line(self.statement)

    @property
    def is_definition(self) -> bool:
        return isinstance(self.statement, cst.FunctionDef | cst.ClassDef)

    @property
    def names(self) -> frozenset[str]:
        """The variables that it reads."""
        return frozenset(name.value for name in self.reads)


def read_lines(program: Program, region: Region) -> list[Line]:
    """The statements of a region, in order."""
    statements = region.statements(program)
    holders = {id(statement): index for index, statement in enumerate(statements)}
    reads: list[list[cst.Name]] = [[] for _ in statements]
    binds: list[set[str]] = [set() for _ in statements]
    for name in program.names:
        bindings = program.bindings(name)
        if bindings and bindings[0].scope is region.scope:
            index = _holder(program, holders, name)
            if index is not None:
                reads[index].append(name)
    for bound in region.scope.bindings.values():
        for binding in bound:
            index = _holder(program, holders, binding.node)
            if index is not None:
                binds[index].add(binding.name)
    return [Line(one, frozenset(binds[i]), tuple(reads[i])) for i, one in enumerate(statements)]


def _holder(program: Program, holders: dict[int, int], node: cst.CSTNode) -> int | None:
    return next((holders[id(one)] for one in (node, *program.ancestors(node)) if id(one) in holders), None)


def is_constant(program: Program, line: Line) -> bool:
    """Whether a statement gives names that nothing rebinds values that nothing changes, written out in the file."""
    statement = line.statement
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1 or not line.binds:
        return False
    assignment = statement.body[0]
    if not isinstance(assignment, cst.Assign | cst.AnnAssign) or assignment.value is None:
        return False
    variables = [binding for bindings in _bindings(program, line) for binding in bindings]
    if len(variables) != len(line.binds):
        return False
    is_display = not _is_literal(program, assignment.value)
    if is_display and not all(only_looks(program, use) for one in variables for use in program.uses(one)):
        return False
    return _is_written_out(program, assignment.value)


def _bindings(program: Program, line: Line) -> list[tuple[Binding, ...]]:
    scope = program.scope(line.statement)
    return [scope.lookup(name) for name in line.binds]


def _is_written_out(program: Program, value: cst.BaseExpression) -> bool:
    """Whether a value is a literal, or a display of such."""
    if isinstance(value, cst.List | cst.Set):
        return all(_is_written_out(program, element.value) for element in value.elements)
    if isinstance(value, cst.Dict):
        entries = value.elements
        return all(isinstance(entry, cst.DictElement) and _is_written_out(program, entry.value) for entry in entries)
    return _is_literal(program, value)


def _is_literal(program: Program, value: cst.BaseExpression) -> bool:
    """Whether a value is a number, a string, a flag, or made of such."""
    if isinstance(value, cst.BaseNumber | cst.SimpleString | cst.Ellipsis):
        return True
    if isinstance(value, cst.ConcatenatedString):
        return _is_literal(program, value.left) and _is_literal(program, value.right)
    if isinstance(value, cst.Name):
        if value.value in ("True", "False", "None"):
            return True
        bindings = program.bindings(value)
        return len(bindings) == 1 and _is_literal_above(program, bindings[0], value)
    if isinstance(value, cst.Call):
        return _is_of_environment(program, value)
    if isinstance(value, cst.Tuple):
        return all(_is_literal(program, element.value) for element in value.elements)
    if isinstance(value, cst.UnaryOperation):
        return _is_literal(program, value.expression)
    if isinstance(value, cst.BinaryOperation):
        return _is_literal(program, value.left) and _is_literal(program, value.right)
    return False


def _is_of_environment(program: Program, call: cst.Call) -> bool:
    """Whether a call reads a setting of the driver's environment: a worker has another one."""
    name = program.qualified_name(call.func)
    if isinstance(call.func, cst.Name) and call.func.value in ("bool", "float", "int", "str") and call.args:
        inner = call.args[0].value
        return isinstance(inner, cst.Call) and _is_of_environment(program, inner)
    key = string(call.args[0].value) if call.args else None
    return name in ("os.environ.get", "os.getenv") and key is not None and key not in _OF_WORKERS


def _is_literal_above(program: Program, binding: Binding, name: cst.Name) -> bool:
    """Whether a name reads what a plain assignment above it gives, and that is a literal."""
    if binding.kind is not BindingKind.ASSIGNMENT or program.span(binding.node)[1] > program.span(name)[0]:
        return False
    return binding.value is not None and _is_literal(program, binding.value)
