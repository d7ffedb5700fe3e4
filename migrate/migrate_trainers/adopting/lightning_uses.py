"""Where a `pl.Trainer` gets to, what it is asked for, and what is read of it afterwards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.framework import Reader
from migrate_trainers.adopting.result_reads import metric
from migrate_trainers.reading.values import lightning_name
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.tuning.reach import assigned_variable, uses_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program

# What gives the number in a metric that Lightning has logged.
_TRAINERS = frozenset({"Trainer", "trainer.Trainer", "trainer.trainer.Trainer"})
_USES = (cst.Attribute, cst.Arg, cst.Return)
_NUMBER = frozenset({"cpu", "detach", "item", "numpy", "tolist"})


def runs_of_trainer(program: Program, call: cst.Call) -> Iterator[cst.CSTNode]:
    """The calls of a trainer's methods, and those that are given the trainer, in order."""
    found = []
    for held in holders(program, call):
        parent = program.parent(held)
        above = program.parent(parent) if parent is not None else None
        if isinstance(above, cst.Call) and (above.func is parent or isinstance(parent, cst.Arg)):
            found.append(above)
    yield from sorted(found, key=program.span)


def holders(program: Program, call: cst.Call) -> list[cst.BaseExpression]:
    """The expressions that are a trainer: the call where it is used at once, its variable's names, `self.trainer`."""
    pending: list[cst.BaseExpression] = [call]
    found: list[cst.BaseExpression] = []
    while pending:
        node = pending.pop()
        parent = program.parent(node)
        if isinstance(parent, cst.Return):
            pending += _calls_around(program, call, parent)
        elif isinstance(parent, cst.Attribute | cst.Arg):
            found.append(node)
        elif (target := _attribute_of_self(program, parent)) is not None:
            found += target
        elif isinstance(node, cst.Call):
            pending += _uses_of_variable(program, call, node)
    return found


def _uses_of_variable(program: Program, call: cst.Call, value: cst.Call) -> list[cst.Name]:
    """The names that read the variable that is assigned a trainer, or one of several."""
    variable = assigned_variable(program, value)
    if variable is not None:
        return [use for use in uses_of(program, variable) if isinstance(program.parent(use), _USES)]
    target = program.parent(value)
    target = target.targets[0].target if isinstance(target, cst.Assign) and len(target.targets) == 1 else None
    bindings = program.scope(value).lookup(target.value) if isinstance(target, cst.Name) else ()
    if bindings and all(isinstance(one.value, cst.Call) and is_trainer(program, one.value) for one in bindings):
        return [use for use in program.uses(bindings[0]) if isinstance(program.parent(use), _USES)]
    raise Refusal("MT601", call.func, "it is not assigned to a variable of its own")


def _calls_around(program: Program, call: cst.Call, returned: cst.Return) -> list[cst.Call]:
    """The calls of the function that returns a trainer."""
    function = program.enclosing(returned, cst.FunctionDef)
    uses = [
        use
        for binding in (program.scope(function).lookup(function.name.value) if function is not None else ())
        if binding.node is function
        for use in program.uses(binding)
    ]
    calls = [parent for use in uses if isinstance(parent := program.parent(use), cst.Call) and parent.func is use]
    if not uses and isinstance(returned.value, cst.Name):
        return []
    if not calls or len(calls) != len(uses):
        raise Refusal("MT601", call.func, "it is returned, and where it gets to can't be seen")
    return calls


def _attribute_of_self(program: Program, parent: cst.CSTNode | None) -> list[cst.BaseExpression] | None:
    """Every `self.trainer` of the class in which that is assigned."""
    target = parent.targets[0].target if isinstance(parent, cst.Assign) and len(parent.targets) == 1 else None
    if not isinstance(target, cst.Attribute) or not isinstance(target.value, cst.Name):
        return None
    owner = program.enclosing(target, cst.ClassDef)
    text = program.text(target)
    return [
        one
        for one in program.attributes
        if owner is not None and one is not target and program.text(one) == text and program.contains(owner, one)
    ]


def metric_readers(program: Program, call: cst.Call) -> Iterator[Reader]:
    """Where a number is read of what the trainer has logged, which the last report has too."""
    if _logs_late(program):
        return
    for held in holders(program, call):
        attribute = program.parent(held)
        if isinstance(attribute, cst.Attribute) and attribute.attr.value == "callback_metrics":
            item = program.parent(attribute)
            if isinstance(item, cst.Subscript) and item.value is attribute:
                key = program.source.slice(program.span(attribute)[1], program.span(item)[1])
                yield Reader(number_of(program, item), partial(metric, key))


def number_of(program: Program, node: cst.BaseExpression) -> cst.BaseExpression:
    """The expression around a metric that takes the number out of the tensor."""
    attribute = program.parent(node)
    call = program.parent(attribute) if isinstance(attribute, cst.Attribute) else None
    if not isinstance(attribute, cst.Attribute) or attribute.attr.value not in _NUMBER:
        return node
    if not isinstance(call, cst.Call) or call.func is not attribute or call.args:
        return node
    return number_of(program, call)


def _logs_late(program: Program) -> bool:
    """Whether a module of the file logs when an epoch has ended: Ray's callback reports before it does."""
    for call in program.calls:
        function = program.enclosing(call, cst.FunctionDef)
        is_log = isinstance(call.func, cst.Attribute) and call.func.attr.value in ("log", "log_dict")
        if is_log and function is not None and function.name.value in ("on_train_epoch_end", "on_train_end"):
            return True
    return False


def is_trainer(program: Program, call: cst.Call) -> bool:
    """Whether a call makes one of Lightning's trainers."""
    return lightning_name(program.qualified_name(call.func)) in _TRAINERS
