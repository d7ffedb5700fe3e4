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
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.opening import (
    argument_of,
    fits_with,
    load_by_class,
    loading_calls,
    write_call,
    write_with,
)
from migrate_trainers.rules.lightning.reports import checkpoint_file
from migrate_trainers.writing import templates

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.checkpoints.readers import Readers


def migrate_models(readers: Readers) -> None:
    """Rewrite every `get_model` of a checkpoint that surely is Lightning's."""
    program = readers.program
    calls = loading_calls(readers, ("get_model",))
    for call in calls:
        readers.explained.add(call.func)
        readers.rewrite.review("MT410", call.func, "")
        readers.stand_near(call)
        if _load_file(readers, call):
            continue
        model_class = _model_class(call)
        is_alone = sum(program.contains(program.statement(call), other) for other in calls) == 1
        if model_class is not None and is_alone and fits_with(readers, call):
            write_with(readers, call)
            os = readers.rewrite.imports.module("os")
            file = checkpoint_file(program)
            _load_from(readers, call, model_class, f'{os}.path.join({readers.folder}, "{file}")')
        else:
            write_call(readers, call, model_loader(readers, call))


def model_loader(readers: Readers, node: cst.CSTNode) -> str:
    """The name of a function of the file that loads a module from a checkpoint, for code at a node."""
    file = checkpoint_file(readers.program)

    def text(name: str) -> str:
        template = templates.LOAD_ANY_MODEL if readers.reads_old else templates.LOAD_MODEL
        os = readers.rewrite.imports.module("os")
        return template.format(name=name, os=os, file=file, other=templates.other_file(file))

    return readers.definition("load_model", node, text)


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


def _load_from(readers: Readers, call: cst.Call, model_class: cst.Arg, file: str) -> None:
    """Turn `checkpoint.get_model(Net, …)` into `Net.load_from_checkpoint(file, …)`."""
    load_by_class(readers, call, model_class, file, method="load_from_checkpoint", parameter="checkpoint_path")


def _model_class(call: cst.Call) -> cst.Arg | None:
    """The class that `get_model` is given, if it can be named before the file is."""
    given = argument_of(call, "model_class")
    return given if given is not None and isinstance(given.value, cst.Name | cst.Attribute) else None
