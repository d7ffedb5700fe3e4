"""Where a program trains: at module level, under `if __name__ == "__main__":`, in a function, in a train function."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.tuning.reach import assigned_variable, uses_of
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.adopting.framework import TrainingSite
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.scopes import Scope

# How functions are named that read what a user has chosen.
_CHOICES = re.compile(r"arg|cfg|conf|hparam|option|param|pars|setting|environ|getenv", re.IGNORECASE)
# Packages whose functions call a script's own with what its command line says, or in processes of their own.
_RUNNERS = frozenset(
    {"absl", "accelerate", "click", "fire", "hydra", "jsonargparse", "simple_parsing", "torch", "typer", "tyro"}
)
_TRAINERS = legacy.TORCH_TRAINERS | {"train_runtime.torch.TorchTrainer"}


class Place(Enum):
    MODULE = "module"
    GUARD = "guard"
    FUNCTION = "function"
    TRAIN_FUNCTION = "train function"

    @property
    def is_module(self) -> bool:
        """Whether its variables are the module's."""
        return self in (Place.MODULE, Place.GUARD)


@dataclass(frozen=True)
class Region:
    """The block in which a program trains.

    `function` is the one whose body it is; `guard` the `if __name__ == "__main__":` whose body it is.
    """

    place: Place
    block: cst.Module | cst.IndentedBlock
    scope: Scope
    function: cst.FunctionDef | None = None
    guard: cst.If | None = None

    def statements(self, program: Program) -> list[Statement]:
        """What runs in the region's variables, in order: above a guard, the module's statements too."""
        own: list[Statement] = list(self.block.body)  # type: ignore[arg-type]
        if self.guard is None:
            return own
        above = list(program.module.body)
        return [*above[: above.index(self.guard)], *own]


def lifted(program: Program, sites: Sequence[TrainingSite]) -> list[TrainingSite]:
    """The sites with the calls that train, seen from where the data and the models are made.

    What trains in a method, or in a function that is given more than the command line, trains where that is called.
    """
    return [replace(one, runs=tuple(dict.fromkeys(_lifted(program, one.runs))) or one.runs) for one in sites]


def _lifted(program: Program, runs: Sequence[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    pending, seen = list(runs), set[cst.CSTNode]()
    while pending:
        run = pending.pop(0)
        function = program.enclosing(run, cst.FunctionDef)
        owner = program.enclosing(run, cst.ClassDef)
        held = owner if owner is not None and isinstance(program.parent(owner), cst.Module) else function
        uses = _uses_outside(program, held) if held is not None else []
        is_main = held is function and function is not None and _is_main(program, function, uses)
        if held is None or not uses or is_main:
            yield run
        elif held not in seen:
            seen.add(held)
            pending += uses
            # An object that trains may do so in each of its methods.
            pending += [found for use in uses if held is owner for found in _uses_of_object(program, use)]


def _uses_of_object(program: Program, made: cst.Name) -> list[cst.Name]:
    """The names that read a variable which is assigned an object of a class."""
    call = program.parent(made)
    variable = assigned_variable(program, call) if isinstance(call, cst.Call) and call.func is made else None
    return uses_of(program, variable) if variable is not None else []


def _uses_outside(program: Program, definition: cst.FunctionDef | cst.ClassDef) -> list[cst.Name]:
    bindings = program.scope(definition).lookup(definition.name.value)
    own = [one for one in bindings if one.node is definition] or [
        one for one in program.module_scope.lookup(definition.name.value) if one.node is definition
    ]
    return [use for binding in own for use in program.uses(binding) if not program.contains(definition, use)]


def _is_main(program: Program, function: cst.FunctionDef, uses: Sequence[cst.Name]) -> bool:
    """Whether a function is the script's own: a train function, or called with nothing but what the user has chosen."""
    if (
        is_train_function(program, function)
        or function.decorators
        or not isinstance(program.parent(function), cst.Module)
    ):
        return True
    calls = [program.parent(use) for use in uses]
    if any(not isinstance(call, cst.Call) or call.func is not use for use, call in zip(uses, calls, strict=True)):
        _check_caller(program, function, uses)
        return True
    return all(_is_chosen(program, one.value) for call in calls if isinstance(call, cst.Call) for one in call.args)


def _check_caller(program: Program, function: cst.FunctionDef, uses: Sequence[cst.Name]) -> None:
    """Refuse a function that something else calls with what it likes, but for those who read a command line."""
    for use in uses:
        argument = program.parent(use)
        call = program.parent(argument) if isinstance(argument, cst.Arg) else None
        if not isinstance(call, cst.Call) or not function.params.params:
            continue
        if (program.qualified_name(call.func) or "").partition(".")[0] not in _RUNNERS:
            detail = f"`{program.text(call.func)}` calls `{function.name.value}`, with arguments that can't be seen"
            raise Refusal("MT640", use, detail)


def _is_chosen(program: Program, value: cst.BaseExpression) -> bool:
    """Whether a value comes from the command line, a configuration or the file's text, as far as names tell."""
    if isinstance(value, cst.Attribute | cst.Subscript | cst.Await):
        return _is_chosen(program, value.value) if not isinstance(value, cst.Await) else False
    if isinstance(value, cst.Name):
        bindings = program.bindings(value)
        return not bindings or all(
            one.kind is BindingKind.PARAMETER or (one.value is not None and _is_chosen(program, one.value))
            for one in bindings
        )
    if isinstance(value, cst.Call):
        return _CHOICES.search(program.text(value.func)) is not None
    if isinstance(value, cst.Dict | cst.List | cst.Tuple):
        return all(_is_chosen(program, element.value) for element in value.elements)
    return isinstance(value, cst.BaseNumber | cst.SimpleString | cst.UnaryOperation)


def region_of(program: Program, sites: Sequence[TrainingSite]) -> Region:
    """The one region in which all sites train; raises `Refusal` where there is none, or several."""
    found = {_around(program, site, run) for site in sites for run in site.runs}
    if len(found) > 1:
        raise Refusal("MT640", sites[-1].node, "it trains in several places")
    return found.pop()


def _around(program: Program, site: TrainingSite, run: cst.CSTNode) -> Region:
    function = program.enclosing(run, cst.FunctionDef)
    if function is None:
        return _of_module(program, site, run)
    if is_train_function(program, function):
        return _of_function(program, function, Place.TRAIN_FUNCTION)
    if not isinstance(program.parent(function), cst.Module):
        raise Refusal("MT640", site.node, f"it trains in `{function.name.value}`, which is no function of the module")
    return _of_function(program, function, Place.FUNCTION)


def _of_module(program: Program, site: TrainingSite, run: cst.CSTNode) -> Region:
    for above in program.ancestors(run):
        if isinstance(above, cst.If) and is_guard(program, above) and program.contains(above.body, run):
            assert isinstance(above.body, cst.IndentedBlock)
            return Region(Place.GUARD, above.body, program.module_scope, guard=above)
    top = program.top_level_statement(program.statement(run))
    if isinstance(top, cst.If) and "__name__" in program.text(top.test):
        raise Refusal("MT640", site.node, "it trains under a condition with `__name__` that has more to it")
    return Region(Place.MODULE, program.module, program.module_scope)


def _of_function(program: Program, function: cst.FunctionDef, place: Place) -> Region:
    if not isinstance(function.body, cst.IndentedBlock) or function.asynchronous is not None:
        raise Refusal("MT640", function, f"`{function.name.value}` can't be taken apart")
    return Region(place, function.body, program.scope(function.body), function=function)


def is_guard(program: Program, node: cst.If) -> bool:
    """Whether a statement is `if __name__ == "__main__":` at module level, without an `else`."""
    if not isinstance(program.parent(node), cst.Module) or not isinstance(node.body, cst.IndentedBlock):
        return False
    test = node.test
    if not isinstance(test, cst.Comparison) or len(test.comparisons) != 1 or node.orelse is not None:
        return False
    sides = {program.text(test.left), program.text(test.comparisons[0].comparator).replace("'", '"')}
    return isinstance(test.comparisons[0].operator, cst.Equal) and sides == {"__name__", '"__main__"'}


def is_train_function(program: Program, function: cst.FunctionDef) -> bool:
    """Whether a TorchTrainer runs a function, or one that calls it."""
    pending, seen = [function], set[cst.FunctionDef]()
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        for binding in program.scope(current).lookup(current.name.value):
            for use in program.uses(binding):
                if _is_given_to_trainer(program, use):
                    return True
                caller = program.enclosing(use, cst.FunctionDef)
                pending += [caller] if caller is not None else []
    return False


def _is_given_to_trainer(program: Program, use: cst.Name) -> bool:
    argument = program.parent(use)
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    if not isinstance(call, cst.Call) or program.qualified_name(call.func) not in _TRAINERS:
        return False
    given = bound_arguments(call, ("train_loop_per_worker",)) or {}
    return given.get("train_loop_per_worker") is argument or call.args[0] is argument
