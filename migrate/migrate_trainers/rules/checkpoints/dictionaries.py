"""Checkpoints that are dictionaries: what train functions of the user's own reported and read.

    session.report(metrics, checkpoint=Checkpoint.from_dict(state))      report_dictionary(metrics, state)
    session.get_checkpoint().to_dict()                                   load_dictionary(ray.train.get_checkpoint())
    Checkpoint.from_dict(state)                                          dictionary_checkpoint(state)
    TorchCheckpoint.from_model(model)                                    the same for {"model": model}
    checkpoint.get_model(model)                                          load_model(checkpoint, model)

Current Ray's checkpoints are folders: functions of the file write the dictionary into one, and read it from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.elsewhere import reports_dictionaries
from migrate_trainers.rules.checkpoints.families import ACCELERATE, families_in
from migrate_trainers.rules.checkpoints.kinds import Held
from migrate_trainers.rules.checkpoints.opening import loading_calls, write_call
from migrate_trainers.rules.checkpoints.removed import is_checkpoint
from migrate_trainers.rules.checkpoints.reported import folder_calls, made_dictionaries, read_reports, sources
from migrate_trainers.rules.checkpoints.wrapped import may_be_wrapped
from migrate_trainers.writing import dictionary_templates as templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from migrate_trainers.rules.checkpoints.readers import Readers
    from migrate_trainers.rules.checkpoints.reported import MadeDictionary, Reported

# Expressions that mean the same without parentheses wherever a call may stand.
_OPERANDS = (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.Dict, cst.DictComp)


def migrate_dictionaries(readers: Readers) -> None:
    """Rewrite the dictionaries of a program whose reports have no other checkpoints; others are left."""
    program = readers.program
    if families_in(program) != [ACCELERATE]:
        return
    made = made_dictionaries(program)
    reported = read_reports(program, made)
    if reported is None or not _can_be_told_apart(readers, reported, made):
        return
    written: list[cst.BaseExpression] = [one.call for one in reported.reports]
    written = written or [one.func for one in made]
    if written:
        readers.rewrite.review("MT430", min(written, key=lambda node: program.span(node)[0]), "")
    unwrap = any(may_be_wrapped(program, one.value) for one in made.values())
    for report in reported.reports:
        readers.edit(report.call, Edit(*program.outer_span(report.call.func), _reporter(readers, report.call, unwrap)))
        _give_dictionary(readers, report.argument, made)
    for annotation in reported.annotations:
        _name_dictionary(readers, annotation)
    given = {report.argument.value for report in reported.reports}
    for call, one in made.items():
        readers.explained.add(call.func)
        if isinstance(call.func, cst.Attribute):
            readers.explained.add(call.func.value)
        if call not in reported.made:
            _write_dictionary(readers, one, _maker(readers, call, unwrap))
        elif call not in given:
            _write_dictionary(readers, one, "")
    _read_dictionaries(readers, reported, is_only=not reported.others)


def _can_be_told_apart(readers: Readers, reported: Reported, made: Iterable[cst.Call]) -> bool:
    """Whether it is known of each report whether its checkpoint is a dictionary, and none of them is the other kind."""
    if reported.reports or not any(True for _ in made):
        return not (reported.reports and reported.others)
    program, folders = readers.program, folder_calls(readers.program)
    return all(sources(program, other.argument.value, folders) for other in reported.others)


def _give_dictionary(readers: Readers, argument: cst.Arg, made: Mapping[cst.Call, MadeDictionary]) -> None:
    """Give the report the dictionary where it was given a checkpoint."""
    program = readers.program
    report = program.parent(argument)
    assert isinstance(report, cst.Call)
    keyword = "" if report.args[0].keyword is None else "data="
    start, end = program.span(argument)
    one = made.get(argument.value) if isinstance(argument.value, cst.Call) else None
    value, (before, behind) = (one.value, one.brackets) if one is not None else (argument.value, ("", ""))
    value_start, value_end = program.outer_span(value)
    # What was said of the call is said of the dictionary.
    gone = [*program.comments_in(start, value_start), *program.comments_in(value_end, end)]
    comments = "".join(f"{comment}\n{program.source.indent_at(start)}" for comment in gone)
    readers.edit(report, Edit(start, value_start, comments + keyword + before))
    if value_end < end:
        readers.edit(report, Edit(value_end, end, behind))


def _write_dictionary(readers: Readers, one: MadeDictionary, function: str) -> None:
    """Leave of a call that makes a checkpoint its dictionary, or give that to a function."""
    program = readers.program
    start, end = program.span(one.call)
    value_start, value_end = program.outer_span(one.value)
    before, behind = one.brackets
    if program.comments_in(start, value_start) or program.comments_in(value_end, end):
        # The parentheses stay around the comments.
        opening = program.source.buffer.index(b"(", program.outer_span(one.call.func)[1])
        argument = program.parent(one.value)
        assert argument is not None
        edits = (Edit(start, opening, function), Edit(program.span(argument)[0], value_start, before))
        readers.edit(one.call, *edits, Edit(value_end, value_end, behind))
        return
    if function or not (one.is_model or isinstance(one.value, _OPERANDS) or one.value.lpar):
        before, behind = f"{function}({before}", f"{behind})"
    readers.edit(one.call, Edit(start, value_start, before), Edit(value_end, end, behind))


def _name_dictionary(readers: Readers, annotation: cst.Annotation) -> None:
    """Say `dict` in a type hint that names the class of the checkpoint."""
    program = readers.program
    classes = legacy.CHECKPOINTS | legacy.TORCH_CHECKPOINTS
    for node in (*program.names, *program.attributes):
        if program.qualified_name(node) in classes and program.contains(annotation, node):
            readers.explained.add(node)
            readers.edit(annotation, Edit(*program.span(node), "dict"))


# Reading them


def _read_dictionaries(readers: Readers, reported: Reported, *, is_only: bool) -> None:
    """Rewrite `to_dict` and `get_model` where the checkpoint surely holds a dictionary."""
    program = readers.program
    trainers = legacy.TRAINERS.keys() | legacy.TORCH_TRAINERS
    has_trainer = any(program.qualified_name(call.func) in trainers for call in program.calls)
    own_are = bool(reported.reports) or (is_only and not has_trainer)
    own_are = own_are or reports_dictionaries(program, reported.others)
    for call in program.calls:
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == "to_dict" and not call.args:
            owner = call.func.value
            held = readers.held.of(owner)
            if held is Held.OLD_CHECKPOINT or (own_are and (held is Held.CHECKPOINT or is_checkpoint(program, owner))):
                readers.explained.add(call.func)
                review_old(readers, owner)
                write_call(readers, call, _loader(readers, call))
    for call in loading_calls(readers, ("get_model",)):
        assert isinstance(call.func, cst.Attribute)
        if own_are or readers.held.of(call.func.value) is Held.OLD_CHECKPOINT:
            readers.explained.add(call.func)
            readers.rewrite.review("MT431", call.func, "")
            review_old(readers, call.func.value)
            write_call(readers, call, torch_model_loader(readers, call))


def review_old(readers: Readers, checkpoint: cst.BaseExpression) -> None:
    """Say that the dictionary of a checkpoint can't be read if an earlier Ray wrote it."""
    program = readers.program
    if readers.held.of(checkpoint) is Held.CHECKPOINT or is_checkpoint(program, checkpoint):
        return
    if not sources(program, checkpoint, made_dictionaries(program)):
        readers.rewrite.review("MT434", checkpoint, "")


def torch_model_loader(readers: Readers, node: cst.CSTNode) -> str:
    """The name of a function of the file that gives the model of a dictionary, for code at a node."""
    if families_in(readers.program) != [ACCELERATE]:
        raise Refusal("MT401", node, "the checkpoint may be of another trainer")
    load_dictionary, torch = _loader(readers, node), readers.rewrite.imports.module("torch")
    return readers.definition(
        "load_model",
        node,
        lambda name: templates.LOAD_TORCH_MODEL.format(name=name, load_dictionary=load_dictionary, torch=torch),
    )


def _loader(readers: Readers, call: cst.CSTNode) -> str:
    imports = readers.rewrite.imports
    return readers.definition(
        "load_dictionary",
        call,
        lambda name: templates.LOAD_DICTIONARY.format(
            name=name, os=imports.module("os"), torch=imports.module("torch")
        ),
    )


# Writing them


def _reporter(readers: Readers, report: cst.Call, unwrap: bool) -> str:
    rewrite = readers.rewrite
    line = _unwrapping(readers, report, " " * 12) if unwrap else ""
    return readers.definition(
        "report_dictionary",
        report,
        lambda name: templates.REPORT_DICTIONARY.format(
            name=name,
            os=rewrite.imports.module("os"),
            tempfile=rewrite.imports.module("tempfile"),
            torch=rewrite.imports.module("torch"),
            get_context=rewrite.function_named("ray.train.get_context"),
            checkpoint_class=rewrite.class_named("ray.train.Checkpoint"),
            report=rewrite.function_named("ray.train.report"),
            unwrap=line,
        ),
    )


def _maker(readers: Readers, call: cst.Call, unwrap: bool) -> str:
    rewrite = readers.rewrite
    line = _unwrapping(readers, call, " " * 4) if unwrap else ""
    return readers.definition(
        "dictionary_checkpoint",
        call,
        lambda name: templates.DICTIONARY_CHECKPOINT.format(
            name=name,
            os=rewrite.imports.module("os"),
            tempfile=rewrite.imports.module("tempfile"),
            torch=rewrite.imports.module("torch"),
            checkpoint_class=rewrite.class_named("ray.train.Checkpoint"),
            unwrap=line,
        ),
    )


def _unwrapping(readers: Readers, node: cst.CSTNode, indent: str) -> str:
    """The line that takes models out of their wrappers, as Ray did with what it was given."""
    name = readers.definition(
        "without_wrapper",
        node,
        lambda name: templates.WITHOUT_WRAPPER.format(name=name, torch=readers.rewrite.imports.module("torch")),
    )
    return templates.UNWRAP.format(indent=indent, name=name)
