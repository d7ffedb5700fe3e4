"""Which `TrainingArguments(...)` reach the Trainer that `trainer_init_per_worker` makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind, own_returns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from migrate_trainers.reading.program import Program

_TRAINING_ARGUMENTS = ("TrainingArguments", "Seq2SeqTrainingArguments")
_TRAINERS = ("Trainer", "Seq2SeqTrainer")
_REPLACE = ("dataclasses.replace", "copy.replace")
_COPIES = ("copy.copy", "copy.deepcopy")
PARTIAL = "functools.partial"
# Where `Trainer` takes its `args` by position.
_ARGS_POSITION = 1
# How many calls of the file's own functions are followed.
_DEPTH = 4


@dataclass
class Reach:
    """The calls of `TrainingArguments` whose object the workers' Trainer gets.

    `replaced` are the `dataclasses.replace(...)` calls on the way. `is_complete` says that there are no others,
    `leads_away` that some come from a function that is imported.
    """

    calls: list[cst.Call] = field(default_factory=list)
    replaced: list[cst.Call] = field(default_factory=list)
    is_complete: bool = True
    leads_away: bool = False


def training_arguments_calls(program: Program) -> list[cst.Call]:
    """The calls of `TrainingArguments` in the file, and of its own classes that only add fields to it."""
    return [call for call in program.calls if _is_training_arguments(program, call.func)]


def trainer_calls(program: Program) -> list[cst.Call]:
    """The calls of `transformers.Trainer` in the file, and of its own classes that take the same arguments."""
    return [call for call in program.calls if _is_plain_trainer(program, call.func)]


def is_trainer_class(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an expression names `transformers.Trainer`, or a class of the file that is derived from it."""
    return _is_of(program, node, _TRAINERS, lambda _: True)


def reach_of(program: Program, init: cst.BaseExpression) -> Reach:
    """What reaches the Trainers that a `trainer_init_per_worker` makes."""
    reach = Reach()
    functions = functions_behind(program, init)
    trainers = [call for function in functions for call in _trainers_in(program, function, _DEPTH)]
    reach.leads_away = _names_others(program, init) or any(
        _is_made_elsewhere(program, value, trainers) for function in functions for value in _returned_by(function)
    )
    reach.is_complete = bool(trainers) and not reach.leads_away
    for call in trainers:
        given = _args_of(call)
        if given is None:
            reach.is_complete = False
        else:
            _follow(program, given, reach, set())
    if not reach.is_complete and not reach.leads_away and trainers:
        _take_only_one(program, trainers, reach)
    return reach


def _take_only_one(program: Program, trainers: list[cst.Call], reach: Reach) -> None:
    """The one `TrainingArguments(...)` of a file is the one that its one kind of Trainers gets."""
    calls = training_arguments_calls(program)
    others = [call for call in trainer_calls(program) if call not in trainers]
    if len(calls) == 1 and not others and not reach.replaced and not _parses_arguments(program):
        reach.calls, reach.is_complete = calls, True


def _parses_arguments(program: Program) -> bool:
    """Whether `HfArgumentParser` makes arguments in this file."""
    return any((program.qualified_name(call.func) or "").endswith("HfArgumentParser") for call in program.calls)


def _names_others(program: Program, node: cst.BaseExpression) -> bool:
    """Whether a `trainer_init_per_worker` may also be a function of another file."""
    if isinstance(node, cst.IfExp):
        return _names_others(program, node.body) or _names_others(program, node.orelse)
    if isinstance(node, cst.Name):
        return any(
            binding.kind is BindingKind.IMPORT
            or (binding.value is not None and binding.value is not node and _names_others(program, binding.value))
            for binding in program.bindings(node)
        )
    if isinstance(node, cst.Call) and node.args and program.qualified_name(node.func) == PARTIAL:
        return _names_others(program, node.args[0].value)
    return isinstance(node, cst.Attribute) and program.qualified_name(node) is not None


def _is_made_elsewhere(program: Program, value: cst.BaseExpression, trainers: list[cst.Call]) -> bool:
    """Whether what a function returns may be the Trainer of an imported function, which isn't given one of these."""
    if isinstance(value, cst.IfExp):
        return any(_is_made_elsewhere(program, one, trainers) for one in (value.body, value.orelse))
    if isinstance(value, cst.Name):
        values = [binding.value for binding in program.reaching(value) if binding.kind is BindingKind.ASSIGNMENT]
        return any(
            one is not None and not program.contains(one, value) and _is_made_elsewhere(program, one, trainers)
            for one in values
        )
    if not isinstance(value, cst.Call):
        return False
    if _calls_foreign_base(program, value):
        return True
    if program.qualified_name(value.func) is None or value in trainers:
        return False
    return not any(_holds_trainer(program, argument.value, trainers) for argument in value.args)


def _calls_foreign_base(program: Program, call: cst.Call) -> bool:
    """Whether a call is `super().method(…)` in a class that no class of this file gives the method."""
    owner = call.func.value if isinstance(call.func, cst.Attribute) else None
    derived = program.enclosing(call, cst.ClassDef)
    if not isinstance(owner, cst.Call) or not program.is_builtin(owner.func, "super") or derived is None:
        return False
    assert isinstance(call.func, cst.Attribute)
    return not _inherits(program, derived, call.func.attr.value)


def _inherits(program: Program, derived: cst.ClassDef, method: str) -> bool:
    """Whether a class of this file among the bases of a class, and their bases, has a method."""
    known = [derived]
    for one in known:
        names = [base.value for base in one.bases if isinstance(base.value, cst.Name)]
        nodes = [binding.node for name in names for binding in program.bindings(name)]
        known += [node for node in nodes if isinstance(node, cst.ClassDef) and node not in known]
    members = [member for one in known[1:] for member in one.body.body]
    return any(isinstance(member, cst.FunctionDef) and member.name.value == method for member in members)


def _holds_trainer(program: Program, value: cst.BaseExpression, trainers: list[cst.Call]) -> bool:
    values = [binding.value for binding in program.reaching(value)] if isinstance(value, cst.Name) else [value]
    return any(one is not None and program.contains(one, trainer) for one in values for trainer in trainers)


def functions_behind(program: Program, node: cst.BaseExpression) -> list[cst.CSTNode]:
    """The functions of this file that an expression may name: one, those of a choice, or the methods of a name."""
    if isinstance(node, cst.Lambda):
        return [node]
    if isinstance(node, cst.IfExp):
        return [*functions_behind(program, node.body), *functions_behind(program, node.orelse)]
    if isinstance(node, cst.Name):
        found: list[cst.CSTNode] = []
        for binding in program.bindings(node):
            if binding.kind is BindingKind.FUNCTION:
                found.append(binding.node)
            elif binding.value is not None and binding.value is not node:
                found += functions_behind(program, binding.value)
        return found
    if isinstance(node, cst.Call) and node.args and program.qualified_name(node.func) == PARTIAL:
        return functions_behind(program, node.args[0].value)
    if isinstance(node, cst.Attribute) and program.qualified_name(node) is None:
        return [
            binding.node
            for scope in program.all_scopes()
            if scope.is_class
            for binding in scope.bindings.get(node.attr.value, ())
            if binding.kind is BindingKind.FUNCTION
        ]
    return []


def _trainers_in(program: Program, function: cst.CSTNode, depth: int) -> Iterator[cst.Call]:
    """The Trainers that a function makes, or that functions of the file make which it calls."""
    for call in program.calls:
        if not program.contains(function, call):
            continue
        if _is_trainer(program, call.func):
            yield call
        elif depth:
            for called in functions_behind(program, call.func):
                if called is not function:
                    yield from _trainers_in(program, called, depth - 1)


def _args_of(call: cst.Call) -> cst.BaseExpression | None:
    """The `args` of a Trainer's call."""
    if any(argument.star for argument in call.args):
        return None
    for index, argument in enumerate(call.args):
        name = argument.keyword.value if argument.keyword is not None else None
        if name == "args" or (name is None and index == _ARGS_POSITION):
            return argument.value
    return None


def _follow(program: Program, node: cst.BaseExpression, reach: Reach, seen: set[cst.CSTNode]) -> None:
    """Collect the calls behind an expression; what can't be followed makes the reach incomplete."""
    if node in seen:
        return
    seen.add(node)
    values = _values_behind(program, node, reach)
    if values is None:
        reach.is_complete = False
        return
    for value in values:
        _follow(program, value, reach, seen)


def _values_behind(program: Program, node: cst.BaseExpression, reach: Reach) -> list[cst.BaseExpression] | None:
    """The expressions that give an expression its value; none for a call that is one, None where they can't be seen."""
    if isinstance(node, cst.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, cst.Name):
        bindings = program.reaching(node)
        values = [binding.value for binding in bindings if binding.kind is BindingKind.ASSIGNMENT]
        found = [value for value in values if value is not None]
        return found if bindings and len(found) == len(bindings) else None
    if isinstance(node, cst.Attribute):
        return _assigned_to(program, node)
    if not isinstance(node, cst.Call):
        return None
    if _is_training_arguments(program, node.func):
        if node not in reach.calls:
            reach.calls.append(node)
        return []
    qualified = program.qualified_name(node.func)
    if qualified in (*_REPLACE, *_COPIES) and node.args and not node.args[0].star:
        if qualified in _REPLACE:
            reach.replaced.append(node)
        return [node.args[0].value]
    functions = functions_behind(program, node.func)
    returned = [one.value for function in functions for one in _returns_of(function)]
    found = [value for value in returned if value is not None]
    reach.leads_away |= not functions and qualified is not None
    return found if found and len(found) == len(returned) else None


def _returns_of(function: cst.CSTNode) -> list[cst.Return]:
    return own_returns(function.body) if isinstance(function, cst.FunctionDef) else []


def _returned_by(function: cst.CSTNode) -> list[cst.BaseExpression]:
    """What a function or lambda returns."""
    if isinstance(function, cst.Lambda):
        return [function.body]
    return [one.value for one in _returns_of(function) if one.value is not None]


def _assigned_to(program: Program, node: cst.Attribute) -> list[cst.BaseExpression] | None:
    """What the file assigns to an attribute by the same words, `self.args`."""
    text = program.text(node)
    targets = [
        target
        for attribute in program.attributes
        if program.text(attribute) == text and isinstance(target := program.parent(attribute), cst.AssignTarget)
    ]
    statements = [program.parent(target) for target in targets]
    values = [statement.value for statement in statements if isinstance(statement, cst.Assign)]
    return values or None


def _is_training_arguments(program: Program, node: cst.BaseExpression) -> bool:
    return _is_of(program, node, _TRAINING_ARGUMENTS, _keeps_init)


def _is_plain_trainer(program: Program, node: cst.BaseExpression) -> bool:
    return _is_of(program, node, _TRAINERS, _keeps_init)


def _is_trainer(program: Program, node: cst.BaseExpression) -> bool:
    """Whether a call makes a Trainer: of Transformers, derived from it, or of a library that calls its class one."""
    qualified = program.qualified_name(node) or ""
    is_named = qualified.endswith("Trainer") and not qualified.startswith("ray.")
    return is_named or is_trainer_class(program, node)


def _is_of(
    program: Program, node: cst.BaseExpression, names: tuple[str, ...], accepts: Callable[[cst.ClassDef], bool]
) -> bool:
    """Whether an expression names one of Transformers' classes, or a class of the file derived from one."""
    qualified = program.qualified_name(node) or ""
    if qualified.startswith("transformers.") and qualified.rpartition(".")[2] in names:
        return True
    bindings = program.bindings(node) if isinstance(node, cst.Name) else ()
    definition = bindings[0].node if len(bindings) == 1 else None
    return (
        isinstance(definition, cst.ClassDef)
        and accepts(definition)
        and any(_is_of(program, base.value, names, accepts) for base in definition.bases)
    )


def _keeps_init(definition: cst.ClassDef) -> bool:
    return not any(isinstance(one, cst.FunctionDef) and one.name.value == "__init__" for one in definition.body.body)
