"""Where a program makes a `transformers.Trainer`, or one of a library that derives from it, and trains with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind, own_returns
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.transformers.made_trainers import functions_behind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from migrate_trainers.reading.program import Program

# Libraries whose `...Trainer` classes are derived from that of Transformers.
_LIBRARIES = frozenset({"transformers", "trl", "sentence_transformers"})
_PREPARE = ("ray.train.huggingface.transformers.", "train_runtime.huggingface.transformers.")
# How many calls of the file's own functions are followed to a Trainer.
_DEPTH = 4


@dataclass(frozen=True)
class Training:
    """One Trainer: the expressions that `made` it, the calls that `train` with it, and all calls that it is used in.

    `name` is its variable, None where it trains where it is made.
    """

    made: tuple[cst.BaseExpression, ...]
    trains: tuple[cst.Call, ...]
    runs: tuple[cst.CSTNode, ...]
    name: cst.Name | None


def trainings(program: Program) -> list[Training]:
    """What a program trains with Trainers that Ray hasn't prepared; raises `Refusal` where that can't be followed."""
    found = list(_trainings(program))
    if not found and not _is_prepared(program) and (made := _left_alone(program)) is not None:
        raise Refusal("MT615", made.func, "nothing in the file trains with it")
    for training in found:
        if any(program.loop_around(one) is not None for one in training.made):
            raise Refusal("MT614", training.made[0], "a Trainer is made in each turn of a loop")
        function = program.enclosing(training.trains[0], cst.FunctionDef)
        if any(program.enclosing(one, cst.FunctionDef) is not function for one in training.made):
            raise Refusal("MT615", training.made[0], "it trains in another function than the one that makes it")
    if len(found) > 1:
        raise Refusal("MT614", found[1].trains[0].func, "another Trainer trains, too")
    for scope in program.all_scopes() if found else ():
        if isinstance(scope.node, cst.ClassDef) and any(is_arguments(program, base.value) for base in scope.node.bases):
            raise Refusal("MT619", scope.node.name, "")
    return found


def other_runs(program: Program, training: Training) -> list[cst.CSTNode]:
    """The calls in which Trainers are used that don't train: each worker has to make them, too."""
    names = [name for name in program.names if name not in uses_of_trainer(program, training.name)]
    return [run for name in names if any(_makers(program, name)) and (run := _run(program, name)) is not None]


def is_trainer(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an expression names a class of Trainers, of a library or of the file."""
    return _is_class(program, node, lambda name: name.endswith("Trainer"))


def is_arguments(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an expression names a class of `TrainingArguments`, by whichever name a library has for its own."""
    return _is_class(program, node, lambda name: name.endswith("TrainingArguments")) or (
        (program.qualified_name(node) or "").startswith("trl.") and program.text(node).endswith("Config")
    )


def _is_class(program: Program, node: cst.BaseExpression, accepts: Callable[[str], bool]) -> bool:
    qualified = program.qualified_name(node)
    if qualified is not None:
        library, _, name = qualified.partition(".")
        return library in _LIBRARIES and accepts(name)
    bindings = program.named(node)
    definition = bindings[0].node if len(bindings) == 1 else None
    bases = definition.bases if isinstance(definition, cst.ClassDef) else ()
    return any(_is_class(program, base.value, accepts) for base in bases)


def _is_prepared(program: Program) -> bool:
    called = (program.qualified_name(call.func) or "" for call in program.calls)
    return any(name.startswith(_PREPARE) and name.endswith(".prepare_trainer") for name in called)


def _left_alone(program: Program) -> cst.Call | None:
    """A call that makes a Trainer of which nothing is asked in this file."""
    for call in program.calls:
        if is_trainer(program, call.func) and not isinstance(program.parent(call), cst.Attribute):
            target = program.parent(call)
            names = [one.target for one in target.targets] if isinstance(target, cst.Assign) else []
            uses = {name.value for name in program.names}
            if not any(isinstance(name, cst.Name) and name.value in uses for name in names):
                return call
    return None


def _trainings(program: Program) -> Iterator[Training]:
    if _is_prepared(program):
        return
    seen = set()
    for call in program.calls:
        if not isinstance(call.func, cst.Attribute) or call.func.attr.value not in ("train", "hyperparameter_search"):
            continue
        trainer = call.func.value
        made = tuple(_makers(program, trainer))
        if not made:
            continue
        if call.func.attr.value != "train":
            raise Refusal("MT614", call.func, "it trains with many hyperparameters")
        if not isinstance(trainer, cst.Name):
            yield Training(made, (call,), (call,), None)
            continue
        variable = frozenset(program.bindings(trainer))
        if variable not in seen:
            seen.add(variable)
            yield _of_variable(program, trainer, made)


def _of_variable(program: Program, trainer: cst.Name, made: tuple[cst.BaseExpression, ...]) -> Training:
    """All that is done with the Trainer of a variable."""
    uses = uses_of_trainer(program, trainer)
    runs = [run for use in uses if (run := _run(program, use)) is not None]
    trains = [run for run in runs if isinstance(run.func, cst.Attribute) and run.func.attr.value == "train"]
    trains = [run for run in trains if isinstance(run.func, cst.Attribute) and run.func.value in uses]
    return Training(made, tuple(trains), tuple(runs), trainer)


def uses_of_trainer(program: Program, trainer: cst.Name | None) -> list[cst.Name]:
    """The names that read a variable, by one of them."""
    if trainer is None:
        return []
    bindings = program.bindings(trainer)
    return [name for name in program.names if name.value == trainer.value and program.bindings(name) == bindings]


def _run(program: Program, use: cst.Name) -> cst.Call | None:
    """The call of a method of a Trainer, or the one that is given the Trainer."""
    parent = program.parent(use)
    above = program.parent(parent) if isinstance(parent, cst.Attribute | cst.Arg) else None
    if not isinstance(above, cst.Call) or (isinstance(parent, cst.Attribute) and above.func is not parent):
        return None
    return above


def _makers(program: Program, node: cst.BaseExpression, depth: int = _DEPTH) -> Iterator[cst.BaseExpression]:
    """The calls that give an expression its Trainer; raises `Refusal` where an attribute holds one."""
    if isinstance(node, cst.Call):
        if is_trainer(program, node.func) or (depth and _returns_trainer(program, node, depth)):
            yield node
    elif isinstance(node, cst.Name):
        for binding in program.bindings(node):
            if binding.kind is BindingKind.ASSIGNMENT and binding.value is not None and binding.value is not node:
                yield from _makers(program, binding.value, depth) if isinstance(binding.value, cst.Call) else ()
    elif isinstance(node, cst.Attribute) and any(_is_assigned(program, node)):
        raise Refusal("MT615", node, "an attribute holds it")


def _is_assigned(program: Program, attribute: cst.Attribute) -> Iterator[bool]:
    """For each place that assigns to an attribute of that name: whether it gives it a Trainer."""
    for other in program.attributes:
        target = program.parent(other)
        statement = program.parent(target) if isinstance(target, cst.AssignTarget) else None
        if isinstance(statement, cst.Assign) and other.attr.value == attribute.attr.value:
            yield isinstance(statement.value, cst.Call) and is_trainer(program, statement.value.func)


def _returns_trainer(program: Program, call: cst.Call, depth: int) -> bool:
    functions = functions_behind(program, call.func)
    returned = [one.value for one in functions if isinstance(one, cst.FunctionDef) for one in own_returns(one.body)]
    return bool(returned) and all(
        value is not None and any(True for _ in _makers(program, value, depth - 1)) for value in returned
    )
