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
from migrate_trainers.writing.render import as_statement_value, free_name, names_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.transformers.datasets import DatasetArguments
    from migrate_trainers.rules.transformers.site import TransformersSite
    from migrate_trainers.rules.transformers.training import Training

_FUNCTION = "trainer_init_per_worker"


@dataclass(frozen=True)
class _Trainer:
    """How a train function makes the Trainer: by the expression `made`, behind `lines`, of `datasets`.

    `config` is what the function calls its configuration, which it reads here where `reads_config`. `hoisted` are lines
    to put before it, `passed` is what the trainer's call passes in the configuration besides.
    """

    made: str
    datasets: DatasetArguments
    config: str
    reads_config: bool
    lines: tuple[str, ...] = ()
    hoisted: tuple[str, ...] = ()
    passed: tuple[tuple[str, str], ...] = ()


def wrap(
    rewrite: Rewrite, sites: Sequence[TransformersSite], training: Training
) -> Iterator[tuple[TransformersSite, TrainFunction]]:
    """The train functions, for before the trainers' statements, of sites that have one function: few of them.

    Each makes the Trainer as the user does.
    """
    program = rewrite.program
    takes_config = any(site.takes_config for site in sites)
    written: list[TrainFunction] = []
    for site in sites:
        found = next((one for one in written if _serves(program, one, site)), None)
        if found is not None:
            yield site, replace(found, definitions=())
            continue
        written.append(_train_function(rewrite, site, training, takes_config=takes_config))
        yield site, written[-1]


def _serves(program: Program, function: TrainFunction, site: TransformersSite) -> bool:
    """Whether a train function that an earlier trainer of the same function has is in reach of another."""
    block, call = program.block(function.place), site.site.call
    if function.lines or function.passed or not program.contains(block, call):
        return False
    return not program.scope(block).is_class or program.scope(call) is program.scope(block)


def _train_function(
    rewrite: Rewrite, site: TransformersSite, training: Training, *, takes_config: bool
) -> TrainFunction:
    program = rewrite.program
    place = _place(rewrite, site.site.call)
    indent = program.indent(place) + program.module.default_indent
    used = names_in(site.init.value)
    made = _inlined(rewrite, site, place, indent) or _called(rewrite, site, place, indent, takes_config=takes_config)
    first = list(made.lines)
    resume = site.resume(made.config)
    if resume is not None:
        taken = free_name(used, "resume_from_checkpoint")
        first.insert(0, f"{taken} = {resume}")
        resume = taken
    callback, definitions = training.callback(place)
    name = rewrite.new_name("train_func")
    trainer = free_name(used, "trainer", "hf_trainer")
    lines = [*first, f"{trainer} = {made.made}", *training.lines(trainer, callback, used, resume, made.datasets.reader)]
    parameter = made.config if made.reads_config or site.configured else ""
    text = f"def {name}({parameter}):\n" + "\n".join(f"{indent}{line}" for line in lines)
    return TrainFunction(name, place, (*made.datasets.definitions, *definitions, text), made.hoisted, made.passed)


def _inlined(rewrite: Rewrite, site: TransformersSite, place: Statement, indent: str) -> _Trainer | None:
    """The body of a lambda, where a train function before the trainer's statement can have it."""
    program, value = rewrite.program, site.init.value
    if not isinstance(value, cst.Lambda) or not _can_read(program, value, place) or _has_comments(program, value):
        return None
    signature = read_signature(program, value, place)
    if signature is None:
        return None
    config = config_name(program, signature, value.body)
    datasets = read_datasets(program, signature, value.body, site.datasets).at(rewrite, place)
    lines = parameter_lines(program, signature, value.body, site, datasets, config, indent)
    made = as_statement_value(rewrite.moved_text(value.body, indent))
    return _Trainer(made, datasets, config, is_read(program, value.body, config), tuple(lines))


def _called(rewrite: Rewrite, site: TransformersSite, place: Statement, indent: str, *, takes_config: bool) -> _Trainer:
    """A call of the function that the trainer was given: of the one that its expression gave then."""
    program, value = rewrite.program, site.init.value
    config = free_name(names_in(value), "config", "train_loop_config")
    rest = f", **{config}" if takes_config else ""
    datasets = site.datasets.at(rewrite, place)
    given = f"({datasets.train}, {datasets.evaluation}{rest})"
    is_fixed = ValueAnalysis(program, place).is_movable(value) or _is_own_method(program, value)
    if is_fixed and _can_read(program, value, place):
        text = rewrite.moved_text(value, indent)
        needs_brackets = not isinstance(value, cst.Name | cst.Attribute | cst.Call) and not value.lpar
        return _Trainer((f"({text})" if needs_brackets else text) + given, datasets, config, takes_config)
    text = rewrite.moved_text(value, program.indent(place))
    if place is site.site.statement and _is_evaluated_first(program, site):
        name = rewrite.new_name(_FUNCTION)
        hoisted = f"{name} = {as_statement_value(text)}"
        return _Trainer(name + given, datasets, config, takes_config, hoisted=(hoisted,))
    if site.trials is not None:
        raise Refusal("MT501", site.init, "its function may be another one in each turn of a loop")
    taken = f'{_FUNCTION} = {config}.pop("{_FUNCTION}")'
    return _Trainer(_FUNCTION + given, datasets, config, True, (taken,), passed=((_FUNCTION, text),))


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
    members = [
        binding.node for scope in program.all_scopes() if scope.is_class for binding in scope.bindings.get(name, ())
    ]
    # A decorator may make another function of it each time that it is read.
    are_methods = all(isinstance(member, cst.FunctionDef) and not member.decorators for member in members)
    is_assigned = any(text.endswith(f".{name}") for text in program.assigned_attributes)
    return bool(members) and are_methods and not is_assigned


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
