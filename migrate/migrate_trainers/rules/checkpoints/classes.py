"""`LightningCheckpoint`, `Checkpoint.from_uri` and the other ways to make one: a checkpoint is only a directory now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.families import LIGHTNING, TRANSFORMERS
from migrate_trainers.rules.checkpoints.models import file_argument, is_only_loaded
from migrate_trainers.rules.legacy_uses import string_annotations
from migrate_trainers.rules.lightning.reports import checkpoint_file
from migrate_trainers.rules.literals import is_none
from migrate_trainers.rules.trainer_call import is_given_for_resuming
from migrate_trainers.writing import pretrained_templates, templates
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from migrate_trainers.rules.checkpoints.readers import Readers

# Keywords of the constructor (as it was in Ray 2.6 and in 2.7) that say where the checkpoint is.
_PLACES = ("local_path", "path", "uri")
_OPERANDS = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)


def migrate_classes(readers: Readers) -> None:
    """Rewrite every construction of a checkpoint by one of the family's classes."""
    program = readers.program
    for call in sorted(program.calls, key=lambda call: program.span(call)[0]):
        module, _, method = (program.qualified_name(call.func) or "").rpartition(".")
        if call.func in readers.explained:
            continue
        if f"{module}.{method}" in readers.family.checkpoints:
            _write_constructor(readers, call, call.func)
        elif module in readers.family.checkpoints:
            assert isinstance(call.func, cst.Attribute)
            _write_method(readers, call, method, call.func.value)


def migrate_plain_classes(readers: Readers) -> None:
    """Rewrite every construction of Ray's own Checkpoint that the directory checkpoint knows in another form."""
    program = readers.program
    for call in program.calls:
        module, _, method = (program.qualified_name(call.func) or "").rpartition(".")
        keywords = {one.keyword.value for one in call.args if one.keyword is not None}
        if call.func in readers.explained:
            continue
        if f"{module}.{method}" in legacy.CHECKPOINTS and not keywords <= {"path", "filesystem"}:
            _write_constructor(readers, call, call.func)
        elif module in legacy.CHECKPOINTS and method in ("from_uri", "from_checkpoint"):
            assert isinstance(call.func, cst.Attribute)
            readers.explained.add(call.func)
            _write_method(readers, call, method, call.func.value)


def _write_method(readers: Readers, call: cst.Call, method: str, name: cst.BaseExpression) -> None:
    readers.explain(name)
    if method == "from_directory":
        readers.edit(call, Edit(*readers.program.span(name), readers.rewrite.class_named("ray.train.Checkpoint")))
    elif method == "from_uri":
        _write_constructor(readers, call, name)
    elif method == "from_checkpoint":
        _write_same(readers, call)
    elif method == "from_path" and readers.family is LIGHTNING:
        _write_file(readers, call)
    elif method == "from_model" and readers.family is TRANSFORMERS:
        _write_model(readers, call)
    else:
        raise Refusal("MT401", call.func, f"`{method}` of a checkpoint's class")


def _write_constructor(readers: Readers, call: cst.Call, name: cst.BaseExpression) -> None:
    """`TransformersCheckpoint(path)`, `.from_uri(uri)`: a Checkpoint takes paths and URIs alike."""
    program = readers.program
    readers.explain(name)
    given = [one for one in call.args if one.keyword is None or one.keyword.value in _PLACES]
    if len(call.args) != 1 or not given or given[0].star:
        raise Refusal("MT401", call, f"a `{readers.program.text(name)}` that is not made of a path")
    readers.edit(call, Edit(*program.outer_span(call.func), readers.rewrite.class_named("ray.train.Checkpoint")))
    keyword = given[0].keyword
    if keyword is not None:
        readers.edit(call, Edit(program.span(keyword)[0], program.outer_span(given[0].value)[0], ""))


def _write_same(readers: Readers, call: cst.Call) -> None:
    """`TransformersCheckpoint.from_checkpoint(checkpoint)` is the checkpoint."""
    program = readers.program
    if len(call.args) != 1 or call.args[0].star:
        raise Refusal("MT106", call, "`from_checkpoint` takes a checkpoint")
    value = call.args[0].value
    start, end = program.span(call)
    if isinstance(value, _OPERANDS) and "\n" not in program.text(call):
        readers.edit(call, Edit(start, program.span(value)[0], ""), Edit(program.span(value)[1], end, ""))
        return
    opening = program.source.buffer.index(b"(", program.outer_span(call.func)[1])
    readers.edit(call, Edit(start, opening, ""))
    keyword = call.args[0].keyword
    if keyword is not None:
        readers.edit(call, Edit(program.span(keyword)[0], program.outer_span(value)[0], ""))


def _write_file(readers: Readers, call: cst.Call) -> None:
    """`LightningCheckpoint.from_path(file)` copied the file: so does a function, where it isn't loaded at once."""
    program, rewrite = readers.program, readers.rewrite
    file = file_argument(call)
    if is_only_loaded(program, call) or is_given_for_resuming(rewrite, call):
        return

    def text(name: str) -> str:
        return templates.CHECKPOINT_OF_FILE.format(
            name=name,
            os=rewrite.imports.module("os"),
            shutil=rewrite.imports.module("shutil"),
            tempfile=rewrite.imports.module("tempfile"),
            checkpoint=rewrite.class_named("ray.train.Checkpoint"),
            file=checkpoint_file(program),
        )

    readers.edit(call, Edit(*program.outer_span(call.func), readers.definition("checkpoint_of_file", call, text)))
    for argument in call.args:
        if argument is not file:
            rewrite.arguments_of(call).remove(argument)


def _write_model(readers: Readers, call: cst.Call) -> None:
    """`TransformersCheckpoint.from_model(model, tokenizer, path=…)` saved both: so does a function."""
    rewrite = readers.rewrite
    arguments = bound_arguments(call, ("model", "tokenizer"))
    if arguments is None or "model" not in arguments:
        raise Refusal("MT106", call, "`from_model` takes a model")
    for name, argument in arguments.items():
        if name == "preprocessor":
            if not is_none(argument.value):
                raise Refusal("MT403", argument, "`preprocessor=...`")
            rewrite.arguments_of(call).remove(argument)
        elif name not in ("model", "tokenizer", "path"):
            raise Refusal("MT106", argument, f"`from_model` has no argument `{name}`")

    def text(name: str) -> str:
        return pretrained_templates.CHECKPOINT_OF_MODEL.format(
            name=name,
            tempfile=rewrite.imports.module("tempfile"),
            os=rewrite.imports.module("os"),
            torch=rewrite.imports.module("torch"),
            pretrained_model=rewrite.imports.name("transformers.PreTrainedModel"),
            checkpoint=rewrite.class_named("ray.train.Checkpoint"),
        )

    readers.edit(
        call, Edit(*readers.program.outer_span(call.func), readers.definition("checkpoint_of_model", call, text))
    )


def migrate_class_names(readers: Readers) -> None:
    """Rename the checkpoint classes in annotations and `isinstance`; raises `Refusal` where one is used otherwise."""
    program = readers.program
    for node in (*program.names, *program.attributes):
        if program.qualified_name(node) not in readers.family.checkpoints or node in readers.explained:
            continue
        if program.enclosing(node, cst.Annotation) is None and not _is_type_test(readers, node):
            detail = f"`{program.text(node)}` is neither constructed nor an annotation"
            raise Refusal(readers.family.unseen, node, detail)
        readers.explain(node)
        readers.edit(node, Edit(*program.span(node), readers.rewrite.class_named("ray.train.Checkpoint")))
    _rename_in_strings(readers)


def _is_type_test(readers: Readers, node: cst.CSTNode) -> bool:
    """Whether a class's name is what `isinstance` or `cast` compares with."""
    program = readers.program
    argument = program.parent(node)
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    if not isinstance(call, cst.Call):
        return False
    if program.is_builtin(call.func, "isinstance"):
        return call.args[-1] is argument
    return program.qualified_name(call.func) == "typing.cast" and call.args[0] is argument


def _rename_in_strings(readers: Readers) -> None:
    """The class's name inside annotations that are strings."""
    for node, edit_of in string_annotations(readers.program, readers.family.checkpoints):
        readers.edit(node, edit_of(readers.rewrite.class_named("ray.train.Checkpoint")))
