"""Where a trainer gets to from the expression that makes it: to Tuners, or to code that does something else with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding


@dataclass
class Reach:
    """The calls that run its trials, and the other expressions that a trainer gets to.

    These are calls of `Tuner`, `Tuner.restore` and, for what `as_trainable()` gives, `tune.run`. `made_trainable` are
    the expressions on which that is called, `trainables` all that holds what it gives.
    """

    tuners: list[cst.Call] = field(default_factory=list)
    others: list[cst.BaseExpression] = field(default_factory=list)
    made_trainable: list[cst.BaseExpression] = field(default_factory=list)
    trainables: list[cst.BaseExpression] = field(default_factory=list)


def reach_of(program: Program, node: cst.BaseExpression) -> Reach:
    """Follows variables, attributes of `self`, and what functions of the file return and are given."""
    reach = Reach()
    pending, seen = [(node, False)], set[cst.BaseExpression]()
    while pending:
        current, is_trainable = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        if is_trainable:
            reach.trainables.append(current)
        call = _run_given(program, current) if is_trainable else tuner_given(program, current)
        made = None if is_trainable else trainable_made_of(program, current)
        following = [made] if made is not None else _following(program, current)
        if made is not None:
            reach.made_trainable.append(current)
        if call is not None:
            reach.tuners.append(call)
        elif following is None:
            reach.others.append(current)
        else:
            pending += [(one, is_trainable or made is not None) for one in following]
    reach.tuners.sort(key=lambda one: program.span(one))
    return reach


def tuner_given(program: Program, node: cst.BaseExpression) -> cst.Call | None:
    """The call of `Tuner` or `Tuner.restore` that is given an expression as its `trainable`, if there is one."""
    argument = program.parent(node)
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    if not isinstance(call, cst.Call) or not isinstance(argument, cst.Arg):
        return None
    qualified = program.qualified_name(call.func)
    position = list(call.args).index(argument) if argument.keyword is None and not argument.star else None
    named = argument.keyword is not None and argument.keyword.value == "trainable"
    if qualified in legacy.TUNERS and (position == 0 or named):
        return call
    return call if qualified in legacy.TUNER_RESTORES and (position == 1 or named) else None


def trainable_made_of(program: Program, node: cst.BaseExpression) -> cst.Call | None:
    """The call of a trainer's `as_trainable()`, if an expression is what it is called on."""
    attribute = program.parent(node)
    if not isinstance(attribute, cst.Attribute) or attribute.attr.value != "as_trainable":
        return None
    call = program.parent(attribute)
    return call if isinstance(call, cst.Call) and call.func is attribute and not call.args else None


def _run_given(program: Program, node: cst.BaseExpression) -> cst.Call | None:
    """The call of `tune.run` that is given an expression to run, if there is one."""
    argument = program.parent(node)
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    if not isinstance(call, cst.Call) or not isinstance(argument, cst.Arg):
        return None
    first = call.args[0] is argument and argument.keyword is None and not argument.star
    named = argument.keyword is not None and argument.keyword.value == "run_or_experiment"
    return call if program.qualified_name(call.func) in legacy.TUNE_RUN and (first or named) else None


def assigned_variable(program: Program, value: cst.BaseExpression) -> Binding | None:
    """The variable that is assigned a value, where each use of it reads one assignment only."""
    statement = program.parent(value)
    target = _target(statement)
    if statement is None or not isinstance(target, cst.Name):
        return None
    bindings = program.scope(statement).lookup(target.value)
    own = next((one for one in bindings if one.node is statement and one.kind is BindingKind.ASSIGNMENT), None)
    if own is None or (len(bindings) > 1 and any(len(program.reaching(use)) != 1 for use in program.uses(own))):
        return None
    return own


def uses_of(program: Program, variable: Binding) -> list[cst.Name]:
    """The names that read what an assignment gives its variable, which others may give something else."""
    return [use for use in program.uses(variable) if variable in program.reaching(use)]


def _target(statement: cst.CSTNode | None) -> cst.BaseExpression | None:
    if isinstance(statement, cst.Assign):
        return statement.targets[0].target if len(statement.targets) == 1 else None
    return statement.target if isinstance(statement, cst.AnnAssign) else None


def _following(program: Program, node: cst.BaseExpression) -> list[cst.BaseExpression] | None:
    """The expressions that hold what an expression holds, None where they can't all be seen."""
    parent = program.parent(node)
    if isinstance(parent, cst.Return):
        return _calls_of(program, program.enclosing(parent, cst.FunctionDef))
    if isinstance(parent, cst.Arg):
        return _uses_of_parameter(program, parent)
    target = _target(parent)
    if isinstance(target, cst.Attribute):
        return _uses_of_attribute(program, target)
    variable = assigned_variable(program, node)
    return list(uses_of(program, variable)) if variable is not None else None


def _calls_of(program: Program, function: cst.FunctionDef | None) -> list[cst.BaseExpression] | None:
    """All calls of a function or method of the file, None where it is used in another way."""
    if function is None or function.decorators or function.asynchronous is not None:
        return None
    owner = _class_of_method(program, function)
    if owner is not None:
        uses = _own_attributes(program, owner, function.name.value)
    else:
        bindings = program.scope(function).lookup(function.name.value)
        uses = list(program.uses(bindings[0])) if [one.node for one in bindings] == [function] else None
    if uses is None:
        return None
    calls = [program.parent(use) for use in uses]
    given = [call for use, call in zip(uses, calls, strict=True) if isinstance(call, cst.Call) and call.func is use]
    return list(given) if len(given) == len(uses) else None


def _uses_of_parameter(program: Program, argument: cst.Arg) -> list[cst.BaseExpression] | None:
    """The names that read the parameter of a function of the file that is called once, with this argument."""
    call = program.parent(argument)
    bindings = program.named(call.func) if isinstance(call, cst.Call) and not argument.star else ()
    function = bindings[0].node if len(bindings) == 1 else None
    if not isinstance(function, cst.FunctionDef) or not isinstance(call, cst.Call):
        return None
    if _calls_of(program, function) != [call]:
        return None
    parameters = [*function.params.posonly_params, *function.params.params]
    if argument.keyword is not None:
        parameters = [*function.params.params, *function.params.kwonly_params]
        named = [one for one in parameters if one.name.value == argument.keyword.value]
    else:
        index = list(call.args).index(argument)
        named = parameters[index : index + 1] if not any(one.star for one in call.args[:index]) else []
    if not named:
        return None
    own = program.scope(function.body).lookup(named[0].name.value)
    return list(program.uses(own[0])) if len(own) == 1 and own[0].kind is BindingKind.PARAMETER else None


def _uses_of_attribute(program: Program, target: cst.Attribute) -> list[cst.BaseExpression] | None:
    """The expressions that read `self.name`, which is assigned once."""
    method = program.enclosing(target, cst.FunctionDef)
    owner = _class_of_method(program, method) if method is not None else None
    uses = _own_attributes(program, owner, target.attr.value) if owner is not None else None
    if uses is None or target not in uses:
        return None
    read = [use for use in uses if not isinstance(program.parent(use), cst.AssignTarget | cst.AnnAssign)]
    return read if len(read) == len(uses) - 1 else None


def _own_attributes(program: Program, owner: cst.ClassDef, name: str) -> list[cst.BaseExpression] | None:
    """Every `self.name` in a class, None where objects of the class may be asked for the name elsewhere."""
    own: list[cst.BaseExpression] = []
    for attribute in program.attributes:
        if attribute.attr.value != name:
            continue
        place = _class_of_self(program, attribute)
        if place is owner:
            own.append(attribute)
        elif not (place is not None and _are_strangers(program, owner, place)) and not _is_of_builder(
            program, attribute
        ):
            return None
    return own


def _class_of_self(program: Program, node: cst.Attribute) -> cst.ClassDef | None:
    """The class in whose methods `self.name` stands."""
    if not isinstance(node.value, cst.Name) or node.value.value != "self":
        return None
    return program.enclosing(node, cst.ClassDef)


def _are_strangers(program: Program, first: cst.ClassDef, second: cst.ClassDef) -> bool:
    """Whether neither of two classes names the other, or anything that isn't imported, as its base."""
    bases = [base.value for one in (first, second) for base in one.bases]
    return all(program.qualified_name(base) is not None for base in bases)


def _is_of_builder(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an attribute is a method of a `LightningConfigBuilder`, or of a variable of one: `trainer` is one."""
    root = _root(program, node)
    if not isinstance(root, cst.Name):
        return root is None
    values = [binding.value for binding in program.bindings(root)]
    return bool(values) and all(one is not None and _root(program, one) is None for one in values)


def _root(program: Program, node: cst.BaseExpression) -> cst.BaseExpression | None:
    """What a chain of attributes and calls starts with, None for a `LightningConfigBuilder` that is made there."""
    while isinstance(node, cst.Attribute | cst.Call):
        if isinstance(node, cst.Call) and program.qualified_name(node.func) in legacy.BUILDERS:
            return None
        node = node.value if isinstance(node, cst.Attribute) else node.func
    return node


def _class_of_method(program: Program, function: cst.FunctionDef) -> cst.ClassDef | None:
    block = program.parent(function)
    owner = program.parent(block) if block is not None else None
    return owner if isinstance(owner, cst.ClassDef) else None
