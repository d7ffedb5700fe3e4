"""Where code that reads a checkpoint's folder stands: in a `with` around its statement, or in a function of the file.

    model = checkpoint.get_model(Net)      with checkpoint.as_directory() as checkpoint_dir:
                                               model = Net.load_from_checkpoint(…)

Statements that follow each other and read the same checkpoint stand in one `with`. A function takes the place of the
method where the call stands in an expression that a `with` can't be put around, or the checkpoint may be an old one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.rules.checkpoints.kinds import Held

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.checkpoints.readers import Readers

# Parts of a statement that run whenever it does, once, after what stands before them.
_TRANSPARENT = (
    cst.Arg,
    cst.Call,
    cst.Attribute,
    cst.Element,
    cst.List,
    cst.Tuple,
    cst.Dict,
    cst.DictElement,
    cst.BinaryOperation,
    cst.Subscript,
)
_STATEMENTS = (cst.Assign, cst.AnnAssign, cst.Expr, cst.Return)
_EFFECTS = (cst.Call, cst.Await, cst.Yield, cst.NamedExpr, cst.BaseComp, cst.DictComp)


def loading_calls(readers: Readers, methods: Container[str]) -> list[cst.Call]:
    """The calls of some methods of checkpoints that surely are the family's, in the order of the file."""
    program = readers.program
    return [
        call
        for call in sorted(program.calls, key=lambda call: program.span(call)[0])
        if isinstance(call.func, cst.Attribute)
        and call.func.attr.value in methods
        and readers.held.is_checkpoint(call.func.value)
    ]


def fits_with(readers: Readers, call: cst.Call) -> bool:
    """Whether the statement can stand in a `with` that opens the checkpoint, and mean the same."""
    program = readers.program
    statement = program.statement(call)
    assert isinstance(call.func, cst.Attribute)
    if readers.held.of(call.func.value) is Held.OLD_CHECKPOINT or "\n" in program.text(call.func):
        return False
    if any(program.qualified_name(made.func) in legacy.TRAINERS for made in _calls_in(call.func.value)):
        # A trainer that is made here is still to be rewritten, at its place.
        return False
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    if isinstance(program.parent(program.block(statement)), cst.ClassDef):
        return False
    if not isinstance(statement.body[0], _STATEMENTS):
        return False
    above: list[cst.CSTNode] = []
    for node in program.ancestors(call):
        if node is statement.body[0]:
            break
        if not isinstance(node, _TRANSPARENT):
            return False
        above.append(node)
    return not any(
        program.span(node)[0] < program.span(call)[0] and node not in above
        for node in _below(statement.body[0])
        if isinstance(node, _EFFECTS)
    )


def _calls_in(node: cst.CSTNode) -> Iterator[cst.Call]:
    if isinstance(node, cst.Call):
        yield node
    yield from (below for below in _below(node) if isinstance(below, cst.Call))


def _below(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for child in node.children:
        yield child
        yield from _below(child)


def write_with(readers: Readers, call: cst.Call) -> None:
    """Put the statement of a call into a `with` that names the checkpoint's folder `readers.folder`."""
    rewrite, program = readers.rewrite, readers.program
    assert isinstance(call.func, cst.Attribute)
    statement = program.statement(call)
    indent, unit = program.indent(statement), program.module.default_indent
    start, end = program.span(statement)
    checkpoint = call.func.value
    header = unit
    if not _continues(readers, statement, checkpoint):
        header = f"with {rewrite.text_of(checkpoint)}.as_directory() as {readers.folder}:\n{indent}{unit}"
    assert isinstance(statement, cst.SimpleStatementLine)
    readers.opened[statement] = program.text(checkpoint)
    readers.edit(call, Edit(start, start, header))
    readers.edit(call, *(Edit(offset, offset, unit) for offset in _continuation_lines(program, start, end)))
    rewrite.arguments_of(call).stand_at(indent + unit)


def _continues(readers: Readers, statement: Statement, checkpoint: cst.BaseExpression) -> bool:
    """Whether the line above stands in a `with` of the same checkpoint, and leaves that what it is."""
    program = readers.program
    text = program.text(checkpoint)
    above = next((one for one in readers.opened if _is_above(program, one, statement)), None)
    if above is None or readers.opened[above] != text or not _only_names(checkpoint):
        return False
    targets = above.body[0].targets if isinstance(above.body[0], cst.Assign) else ()
    bound = [program.text(node) for target in targets for node in (target.target, *_below(target.target))]
    return not any(text == one or text.startswith(f"{one}.") for one in bound)


def _is_above(program: Program, one: Statement, statement: Statement) -> bool:
    """Whether a statement ends on the line above another one of its block."""
    source = program.source
    is_adjacent = source.line_end(program.span(one)[1]) == source.line_start(program.span(statement)[0])
    return is_adjacent and program.block(one) is program.block(statement)


def _only_names(node: cst.BaseExpression) -> bool:
    """Whether an expression is a name, or attributes of one."""
    return isinstance(node, cst.Name) or (isinstance(node, cst.Attribute) and _only_names(node.value))


def _continuation_lines(program: Program, start: int, end: int) -> list[int]:
    """Offsets of the lines of a statement after its first that start outside a string and hold something."""
    source = program.source
    strings = [program.span(string) for string in program.strings]
    offsets = []
    offset = source.line_end(start)
    while offset < end:
        if (
            not any(low < offset < high for low, high in strings)
            and source.slice(offset, source.line_end(offset)).strip()
        ):
            offsets.append(offset)
        offset = source.line_end(offset)
    return offsets


def load_by_class(
    readers: Readers, call: cst.Call, class_argument: cst.Arg, path: str, *, method: str, parameter: str
) -> None:
    """Turn `checkpoint.get_model(Net, …)` into `Net.method(path, …)`; `parameter` is what that calls the path."""
    program = readers.program
    name = readers.rewrite.text_of(class_argument.value)
    function = f"{name}.{method}"
    readers.edit(call, Edit(*program.outer_span(call.func), function))
    arguments = readers.rewrite.arguments_of(call)
    arguments.replace(class_argument, path if class_argument.keyword is None else f"{parameter}={path}")
    growth = len(function) - len(program.text(call.func)) + len(path) - len(name)
    arguments.spread_if_too_long(growth + len(program.module.default_indent))


def write_call(readers: Readers, call: cst.Call, function: str) -> None:
    """Turn `checkpoint.get_model(…)` into `function(checkpoint, …)`."""
    program = readers.program
    assert isinstance(call.func, cst.Attribute)
    start, end = program.span(call.func.value)
    opening = program.source.buffer.index(b"(", program.outer_span(call.func)[1]) + 1
    rest = program.source.slice(opening, program.span(call.args[0])[0]) if call.args else ""
    separator = "," if "\n" in rest else ", "
    readers.edit(
        call,
        Edit(program.outer_span(call.func)[0], start, f"{function}("),
        Edit(end, opening, separator if call.args else ""),
    )


def argument_of(call: cst.Call, parameter: str) -> cst.Arg | None:
    """What a call gives for its first parameter, if that can be seen."""
    for index, argument in enumerate(call.args):
        is_it = index == 0 if argument.keyword is None else argument.keyword.value == parameter
        if is_it and not argument.star:
            return argument
    return None
