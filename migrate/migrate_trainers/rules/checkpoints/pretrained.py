"""`get_model`, `get_tokenizer` and `get_training_arguments` of a Transformers checkpoint: read from its files.

    model = result.checkpoint.get_model(AutoModel)     with result.checkpoint.as_directory() as checkpoint_dir:
                                                           model = AutoModel.from_pretrained(
                                                               os.path.join(checkpoint_dir, "checkpoint")
                                                           )

The file's own trainer decides where the files are: at the root, as the legacy trainer put them, or in the folder of
Ray's callback. A checkpoint from elsewhere may have either.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.opening import (
    argument_of,
    fits_with,
    load_by_class,
    loading_calls,
    write_call,
    write_with,
)
from migrate_trainers.rules.checkpoints.readers import LOADING_METHODS
from migrate_trainers.rules.transformers.layout import checkpoint_folders
from migrate_trainers.writing import pretrained_templates as templates
from migrate_trainers.writing import render
from migrate_trainers.writing.render import Argument

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.checkpoints.readers import Readers

# What the methods call the class that they are given.
_CLASS_PARAMETERS = {"get_model": "model", "get_tokenizer": "tokenizer"}
_FILE = "training_args.bin"


class _Given(Enum):
    """What `get_model` is given: a class to make the model of, or a model that takes the weights."""

    CLASS = "a class"
    MODEL = "a model"
    EITHER = "either"


def migrate_pretrained(readers: Readers) -> None:
    """Rewrite what is loaded from checkpoints that surely are TransformersTrainer's; raises `Refusal`."""
    program = readers.program
    calls = loading_calls(readers, LOADING_METHODS)
    for call in calls:
        assert isinstance(call.func, cst.Attribute)
        readers.explained.add(call.func)
        readers.rewrite.review(readers.family.loaded, call.func, "")
        readers.stand_near(call)
        is_alone = sum(program.contains(program.statement(call), other) for other in calls) == 1
        fits = is_alone and _own_folder(readers) is not None and fits_with(readers, call)
        if call.func.attr.value == "get_training_arguments":
            _load_training_arguments(readers, call, fits=fits)
        else:
            _load_by_class(readers, call, call.func.attr.value, fits=fits)


def _own_folder(readers: Readers) -> str | None:
    """The folder of this file's checkpoints that has the model's files, empty for their root; None for either."""
    folders = checkpoint_folders(readers.program)
    return folders.pop() if len(folders) == 1 else None


def _path(readers: Readers, *file: str) -> str:
    """The path of a file below the folder that a `with` opens."""
    parts = [f'"{part}"' for part in (_own_folder(readers), *file) if part]
    if not parts:
        return readers.folder
    return f"{readers.rewrite.imports.module('os')}.path.join({', '.join([readers.folder, *parts])})"


def opening_of(readers: Readers) -> str:
    """The lines of a function that open its checkpoint, wherever that has its files."""
    folder = None if readers.reads_old else _own_folder(readers)
    return templates.opening(folder, readers.rewrite.imports.module("os") if folder != "" else "")


# Models and tokenizers


def _load_by_class(readers: Readers, call: cst.Call, method: str, *, fits: bool) -> None:
    argument = argument_of(call, _CLASS_PARAMETERS[method])
    given = _Given.CLASS
    if method == "get_model":
        given = _given(readers.program, argument.value) if argument is not None else _Given.EITHER
    is_name = argument is not None and isinstance(argument.value, cst.Name | cst.Attribute)
    if fits and given is _Given.CLASS and is_name:
        assert argument is not None
        write_with(readers, call)
        path, parameter = _path(readers), "pretrained_model_name_or_path"
        load_by_class(readers, call, argument, path, method="from_pretrained", parameter=parameter)
        return
    if argument is None:
        raise Refusal(readers.family.unseen, call, f"the arguments of `{method}` have to be written out")
    write_call(readers, call, _LOADERS[given](readers, call))
    if argument.keyword is not None:
        if call.args[0] is not argument:
            raise Refusal(readers.family.unseen, call, f"`{argument.keyword.value}=` stands behind other arguments")
        start = readers.program.span(argument.keyword)[0]
        readers.edit(call, Edit(start, readers.program.outer_span(argument.value)[0], ""))


def _given(program: Program, node: cst.BaseExpression) -> _Given:
    """Whether an expression is a class or a model, as far as its names tell."""
    if _is_class(program, node):
        return _Given.CLASS
    if isinstance(node, cst.Name):
        bindings = program.bindings(node)
        values = [one.value for one in bindings if one.kind is BindingKind.ASSIGNMENT]
        is_model = bool(values) and len(values) == len(bindings) and all(_makes_model(program, one) for one in values)
        return _Given.MODEL if is_model else _Given.EITHER
    return _Given.MODEL if _makes_model(program, node) else _Given.EITHER


def _makes_model(program: Program, node: cst.BaseExpression | None) -> bool:
    """Whether an expression is `Net(…)`, or `Net.from_config(…)` and the like."""
    if not isinstance(node, cst.Call):
        return False
    is_made = isinstance(node.func, cst.Attribute) and node.func.attr.value in ("from_config", "from_pretrained")
    maker = node.func.value if isinstance(node.func, cst.Attribute) and is_made else node.func
    return _is_class(program, maker)


def _is_class(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an expression names a class of the file, or something imported that is written like one."""
    qualified = program.qualified_name(node)
    if qualified is not None:
        name = qualified.rpartition(".")[2]
        return name[:1].isupper() and not name.isupper()
    bindings = program.bindings(node) if isinstance(node, cst.Name) else ()
    return bool(bindings) and all(isinstance(binding.node, cst.ClassDef) for binding in bindings)


def _pretrained_loader(readers: Readers, node: cst.CSTNode) -> str:
    """The name of a function of the file that loads a model or tokenizer by its class."""
    return _loader(readers, node, "load_pretrained", templates.LOAD_PRETRAINED)


def _weights_loader(readers: Readers, node: cst.CSTNode) -> str:
    """The name of a function of the file that fills a model."""
    return _loader(readers, node, "load_weights", templates.LOAD_WEIGHTS)


def _model_loader(readers: Readers, node: cst.CSTNode) -> str:
    """The name of a function of the file that takes a class or a model."""
    load_pretrained, load_weights = _pretrained_loader(readers, node), _weights_loader(readers, node)

    def text(name: str) -> str:
        torch = readers.rewrite.imports.module("torch")
        return templates.LOAD_MODEL.format(
            name=name, torch=torch, load_pretrained=load_pretrained, load_weights=load_weights
        )

    return readers.definition("load_model", node, text)


_LOADERS = {_Given.CLASS: _pretrained_loader, _Given.MODEL: _weights_loader, _Given.EITHER: _model_loader}


def _loader(readers: Readers, node: cst.CSTNode, candidate: str, template: str) -> str:
    imports = readers.rewrite.imports

    def text(name: str) -> str:
        modules = {
            module: imports.module(qualified)
            for module, qualified in (("os", "os"), ("torch", "torch"), ("safetensors", "safetensors.torch"))
            if f"{{{module}}}" in template
        }
        return template.format(name=name, opening=opening_of(readers), **modules)

    return readers.definition(candidate, node, text)


# Training arguments


def _load_training_arguments(readers: Readers, call: cst.Call, *, fits: bool) -> None:
    """The Trainer pickles its arguments beside the model, in each checkpoint that this file's run makes."""
    program = readers.program
    if not fits:
        write_call(readers, call, _loader(readers, call, "load_training_arguments", templates.LOAD_TRAINING_ARGUMENTS))
        return
    write_with(readers, call)
    statement = program.statement(call)
    unit = program.module.default_indent
    before = program.source.slice(program.span(statement)[0], program.span(call)[0])
    load = f"{readers.rewrite.imports.module('torch')}.load"
    arguments = [Argument(_path(readers, _FILE)), Argument("False", "weights_only")]
    text = render.call(load, arguments, program.indent(statement) + unit, unit, before=before)
    readers.edit(call, Edit(*program.span(call), text))
