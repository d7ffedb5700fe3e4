"""`checkpoint.get_model(Model, …)`: the model is loaded from the checkpoint's file.

    model = result.checkpoint.get_model(Net)      with result.checkpoint.as_directory() as checkpoint_dir:
                                                      model = Net.load_from_checkpoint(
                                                          os.path.join(checkpoint_dir, "checkpoint.ckpt")
                                                      )

Where the call stands in an expression that a `with` can't be put around, or the checkpoint may be an old one, a
function of the file does it: `load_model(checkpoint, Net)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.kinds import Held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program
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


def migrate_models(readers: Readers) -> None:
    """Rewrite every `get_model` of a checkpoint that surely is Lightning's."""
    program = readers.program
    owners = {
        call: call.func.value
        for call in sorted(program.calls, key=lambda call: program.span(call)[0])
        if isinstance(call.func, cst.Attribute)
        and call.func.attr.value == "get_model"
        and readers.held.is_checkpoint(call.func.value)
    }
    for call in owners:
        readers.explained.add(call.func)
        readers.rewrite.review("MT410", call.func, "")
        readers.stand_near(call)
        if _load_file(readers, call):
            continue
        model_class = _model_class(call)
        is_alone = sum(program.contains(program.statement(call), other) for other in owners) == 1
        if model_class is not None and is_alone and _fits_with(readers, call):
            _write_with(readers, call, model_class)
        else:
            _write_call(readers, call)


def model_file_call(program: Program, node: cst.BaseExpression) -> cst.Call | None:
    """The call `LightningCheckpoint.from_path(file)` that an expression is."""
    if not isinstance(node, cst.Call):
        return None
    module, _, method = (program.qualified_name(node.func) or "").rpartition(".")
    return node if module in legacy.LIGHTNING_CHECKPOINTS and method == "from_path" else None


def file_argument(call: cst.Call) -> cst.Arg:
    """The file that `from_path` is given; raises `Refusal` for a preprocessor, which nothing would apply."""
    files = [argument for argument in call.args if argument.keyword is None or argument.keyword.value == "path"]
    for argument in call.args:
        if argument.star or (argument not in files and not _is_no_preprocessor(argument)):
            raise Refusal("MT403", argument, "`from_path` is given more than a file")
    if len(files) != 1:
        raise Refusal("MT106", call, "`from_path` takes a file")
    return files[0]


def is_only_loaded(program: Program, made: cst.Call) -> bool:
    """Whether all that happens to a `LightningCheckpoint.from_path(…)` is that a model is loaded from the file."""
    attribute = program.parent(made)
    if not isinstance(attribute, cst.Attribute) or attribute.attr.value != "get_model":
        return False
    call = program.parent(attribute)
    return isinstance(call, cst.Call) and call.func is attribute and _model_class(call) is not None


def _is_no_preprocessor(argument: cst.Arg) -> bool:
    return isinstance(argument.value, cst.Name) and argument.value.value == "None"


def _load_file(readers: Readers, call: cst.Call) -> bool:
    """`LightningCheckpoint.from_path(file).get_model(Net)` only ever loads the file: so does the new code."""
    assert isinstance(call.func, cst.Attribute)
    made = model_file_call(readers.program, call.func.value)
    model_class = _model_class(call)
    if made is None or model_class is None:
        return False
    assert isinstance(made.func, cst.Attribute)
    readers.explained |= {made, made.func.value}
    file = readers.rewrite.text_of(file_argument(made).value)
    _load_from(readers, call, model_class, file)
    return True


def _model_class(call: cst.Call) -> cst.Arg | None:
    """The class that `get_model` is given, if it can be named before the file is."""
    for index, argument in enumerate(call.args):
        is_class = index == 0 if argument.keyword is None else argument.keyword.value == "model_class"
        if is_class and not argument.star:
            return argument if isinstance(argument.value, cst.Name | cst.Attribute) else None
    return None


def _load_from(readers: Readers, call: cst.Call, model_class: cst.Arg, file: str) -> None:
    """Turn `checkpoint.get_model(Net, …)` into `Net.load_from_checkpoint(file, …)`."""
    program = readers.program
    name = readers.rewrite.text_of(model_class.value)
    function = f"{name}.load_from_checkpoint"
    readers.edit(call, Edit(*program.outer_span(call.func), function))
    arguments = readers.rewrite.arguments_of(call)
    arguments.replace(model_class, file if model_class.keyword is None else f"checkpoint_path={file}")
    growth = len(function) - len(program.text(call.func)) + len(file) - len(name)
    arguments.spread_if_too_long(growth + len(program.module.default_indent))


def _fits_with(readers: Readers, call: cst.Call) -> bool:
    """Whether the statement can stand in a `with` that opens the checkpoint, and mean the same."""
    program = readers.program
    statement = program.statement(call)
    assert isinstance(call.func, cst.Attribute)
    if readers.held.of(call.func.value) is Held.OLD_CHECKPOINT or "\n" in program.text(call.func):
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


def _below(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for child in node.children:
        yield child
        yield from _below(child)


def _write_with(readers: Readers, call: cst.Call, model_class: cst.Arg) -> None:
    rewrite, program = readers.rewrite, readers.program
    assert isinstance(call.func, cst.Attribute)
    statement = program.statement(call)
    indent, unit = program.indent(statement), program.module.default_indent
    start, end = program.span(statement)
    checkpoint = rewrite.text_of(call.func.value)
    header = f"with {checkpoint}.as_directory() as {readers.folder}:\n{indent}{unit}"
    readers.edit(call, Edit(start, start, header))
    readers.edit(call, *(Edit(offset, offset, unit) for offset in _continuation_lines(program, start, end)))
    path = f'{rewrite.imports.module("os")}.path.join({readers.folder}, "{readers.file}")'
    rewrite.arguments_of(call).stand_at(indent + unit)
    _load_from(readers, call, model_class, path)


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


def _write_call(readers: Readers, call: cst.Call) -> None:
    """Turn `checkpoint.get_model(…)` into `load_model(checkpoint, …)`."""
    program = readers.program
    assert isinstance(call.func, cst.Attribute)
    start, end = program.span(call.func.value)
    opening = program.source.buffer.index(b"(", program.outer_span(call.func)[1]) + 1
    rest = program.source.slice(opening, program.span(call.args[0])[0]) if call.args else ""
    separator = "," if "\n" in rest else ", "
    readers.edit(
        call,
        Edit(program.outer_span(call.func)[0], start, f"{readers.loader(call)}("),
        Edit(end, opening, separator if call.args else ""),
    )
