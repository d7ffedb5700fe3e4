"""`trainer_init_per_worker` is kept, and called by a new train function; a lambda's body moves into it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.legacy_uses import is_unconditional
from migrate_trainers.rules.transformers.signature import (
    config_name,
    is_read,
    parameter_lines,
    read_datasets,
    read_signature,
)
from migrate_trainers.rules.transformers.site import TrainFunction
from migrate_trainers.writing.render import as_statement_value, free_name, names_in, relocated

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.transformers.site import TransformersSite
    from migrate_trainers.rules.transformers.training import Training

_FUNCTION = "trainer_init_per_worker"


@dataclass(frozen=True)
class _Function:
    """How the train function reaches the user's: by the expression `text`.

    `hoisted` are the lines to put before it, `passed` what the trainer's call passes in the configuration.
    """

    text: str
    hoisted: tuple[str, ...] = ()
    passed: str | None = None


def wrap(rewrite: Rewrite, site: TransformersSite, training: Training) -> TrainFunction:
    """A train function that makes the Trainer as the user does, for before the trainer's statement."""
    program, value = rewrite.program, site.init.value
    place = _place(rewrite, site.site.call)
    indent = program.indent(place) + program.module.default_indent
    used = names_in(value)
    trainer = free_name(used, "trainer", "hf_trainer")
    signature = None
    if isinstance(value, cst.Lambda) and _can_read(program, value, place) and not _has_comments(program, value):
        signature = read_signature(program, value, place)
    passed: tuple[tuple[str, str], ...] = ()
    hoisted: tuple[str, ...] = ()
    if signature is not None:
        assert isinstance(value, cst.Lambda)
        config = config_name(signature, value.body)
        fed = read_datasets(program, signature, value.body, site.datasets).at(rewrite, place)
        takes_config = site.configured or is_read(program, value.body, config)
        lines = parameter_lines(program, signature, value.body, site, fed, config, indent)
        made = as_statement_value(_moved(rewrite, value.body, indent))
    else:
        config = free_name(used, "config", "train_loop_config")
        fed = site.datasets.at(rewrite, place)
        function = _function(rewrite, site, place, indent)
        hoisted = function.hoisted
        lines = []
        if function.passed is not None:
            passed = ((_FUNCTION, function.passed),)
            lines.append(f'{_FUNCTION} = {config}.pop("{_FUNCTION}")')
        takes_config = site.configured or bool(passed)
        rest = f", **{config}" if site.takes_config else ""
        made = f"{function.text}({fed.train}, {fed.evaluation}{rest})"
    resume = site.resume(config)
    if resume is not None:
        taken = free_name(used, "resume_from_checkpoint")
        lines.insert(0, f"{taken} = {resume}")
        resume = taken
    callback, definitions = training.callback(place)
    name = rewrite.new_name("train_func")
    lines = [*lines, f"{trainer} = {made}", *training.lines(trainer, callback, used, resume, fed.reader)]
    text = f"def {name}({config if takes_config else ''}):\n" + "\n".join(f"{indent}{line}" for line in lines)
    return TrainFunction(name, place, (*fed.definitions, *definitions, text), hoisted, passed)


def _place(rewrite: Rewrite, call: cst.Call) -> Statement:
    """The statement before which the train function goes, so that the call can read its name; raises `Refusal`."""
    program = rewrite.program
    place = program.statement(call)
    while True:
        above = program.parent(place)
        assert above is not None
        if not isinstance(above, cst.Module | cst.IndentedBlock):
            place = program.statement(above)
            continue
        scope = program.scope(above)
        if not scope.is_class or program.scope(call) is scope:
            break
        place = program.statement(scope.node)
    if not rewrite.imports.reaches(place):
        raise Refusal("MT904", call, "the trainer stands on the line that opens a block")
    return place


def _function(rewrite: Rewrite, site: TransformersSite, place: Statement, indent: str) -> _Function:
    """Where the expression that gives the user's function is evaluated, so that it is the function it was."""
    program, value = rewrite.program, site.init.value
    is_fixed = ValueAnalysis(program, place).is_movable(value) or _is_own_method(program, value)
    if is_fixed and _can_read(program, value, place):
        text = _moved(rewrite, value, indent)
        needs_brackets = not isinstance(value, cst.Name | cst.Attribute | cst.Call) and not value.lpar
        return _Function(f"({text})" if needs_brackets else text)
    text = _moved(rewrite, value, program.indent(place))
    if place is site.site.statement and _is_evaluated_first(program, site):
        name = rewrite.new_name(_FUNCTION)
        return _Function(name, hoisted=(f"{name} = {as_statement_value(text)}",))
    if site.trials is not None:
        raise Refusal("MT501", site.init, "its function may be another one in each turn of a loop")
    return _Function(_FUNCTION, passed=text)


def _moved(rewrite: Rewrite, node: cst.BaseExpression, indent: str) -> str:
    """An expression's text with what is changed in it, for a line of an indentation."""
    program = rewrite.program
    line = program.indent(node)
    edits = [replace(edit, text=edit.text.replace(f"\n{line}", f"\n{indent}")) for edit in rewrite.edits_in(node)]
    return relocated(program, node, indent, edits=edits)


def _can_read(program: Program, value: cst.BaseExpression, place: Statement) -> bool:
    """Whether a function that is defined before a statement sees every variable that an expression reads."""
    scope = program.scope(program.block(place))
    visible = set()
    while True:
        if not scope.is_class:
            visible.add(scope)
        if scope.parent is None:
            break
        scope = scope.parent
    return all(
        binding.scope in visible or program.contains(value, binding.scope.node)
        for name in program.names
        if program.contains(value, name)
        for binding in program.bindings(name)
    )


def _has_comments(program: Program, value: cst.Lambda) -> bool:
    """Whether there are comments about a lambda, besides those in its body."""
    (start, end), (first, last) = program.outer_span(value), program.outer_span(value.body)
    places = [program.span(comment)[0] for comment in program.comments]
    return any(start <= place < end and not first <= place < last for place in places)


def _is_own_method(program: Program, value: cst.BaseExpression) -> bool:
    """Whether an expression is `self.method`, of a class of the file, which nothing replaces."""
    if not isinstance(value, cst.Attribute) or not isinstance(value.value, cst.Name):
        return False
    bindings = program.bindings(value.value)
    method = program.enclosing(value, cst.FunctionDef)
    if len(bindings) != 1 or method is None or not isinstance(program.block(method), cst.IndentedBlock):
        return False
    first = method.params.params[:1]
    if not first or bindings[0].node is not first[0] or not program.scope(program.block(method)).is_class:
        return False
    name = value.attr.value
    is_method = any(
        isinstance(binding.node, cst.FunctionDef)
        for scope in program.all_scopes()
        if scope.is_class
        for binding in scope.bindings.get(name, ())
    )
    return is_method and not any(text.endswith(f".{name}") for text in program.assigned_attributes)


def _is_evaluated_first(program: Program, site: TransformersSite) -> bool:
    """Whether a line above the statement could bind the function's expression to a variable for a train function.

    It has to run exactly when the expression was evaluated, and a function below it has to see its variable.
    """
    statement, call = site.site.statement, site.site.call
    if not is_unconditional(program, site.site) or program.loop_around(call) is not None:
        return False
    if not isinstance(statement, cst.SimpleStatementLine) or program.scope(program.block(statement)).is_class:
        return False
    start = program.span(site.init.value)[0]
    return all(
        program.span(other)[1] > start or program.qualified_name(other.func) in legacy.CONFIG_CLASSES
        for other in program.calls
        if program.contains(statement, other)
    )
