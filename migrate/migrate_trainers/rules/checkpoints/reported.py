"""Which dictionaries a program's reports get as checkpoints, followed through variables, functions and parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind, own_returns
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.own_code import arguments_for, own_function, uses_of_function
from migrate_trainers.rules.legacy_uses import target_name
from migrate_trainers.rules.literals import is_none
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding

# The methods of a checkpoint's class that take a dictionary, or what is one's `model`, with their first parameters.
_MAKERS = {"from_dict": "data"}
_TORCH_MAKERS = {"from_dict": "data", "from_state_dict": "state_dict", "from_model": "model"}


@dataclass(frozen=True)
class MadeDictionary:
    """A call that makes a checkpoint of a dictionary, or of a `value` that is all that this holds."""

    call: cst.Call
    value: cst.BaseExpression
    is_model: bool

    @property
    def brackets(self) -> tuple[str, str]:
        """What stands around the value in the text of the dictionary."""
        return ('{"model": ', "}") if self.is_model else ("", "")


@dataclass(frozen=True)
class Report:
    """A report with the argument that is its checkpoint."""

    call: cst.Call
    argument: cst.Arg


@dataclass(frozen=True)
class Reported:
    """The reports whose checkpoints are dictionaries, and the calls that make these; `others` have other checkpoints.

    `annotations` are the type hints of what holds one of the checkpoints on its way.
    """

    reports: list[Report]
    made: set[cst.Call]
    others: list[Report]
    annotations: set[cst.Annotation] = field(default_factory=set)


def made_dictionaries(program: Program) -> dict[cst.Call, MadeDictionary]:
    """Every call that makes a checkpoint of a dictionary; raises `Refusal` for one with a preprocessor."""
    found = (_made_dictionary(program, call) for call in program.calls)
    return {one.call: one for one in found if one is not None}


def _made_dictionary(program: Program, call: cst.Call) -> MadeDictionary | None:
    qualified = program.qualified_name(call.func) or ""
    owner, _, method = qualified.rpartition(".")
    if qualified in legacy.CHECKPOINTS:
        parameter = "data_dict"
        arguments = bound_arguments(call, ())
    else:
        makers = _TORCH_MAKERS if owner in legacy.TORCH_CHECKPOINTS else _MAKERS
        parameter = makers.get(method, "") if owner in legacy.CHECKPOINTS | legacy.TORCH_CHECKPOINTS else ""
        arguments = bound_arguments(call, (parameter,))
    if not parameter or arguments is None or parameter not in arguments:
        return None
    preprocessor = arguments.get("preprocessor")
    if preprocessor is not None and not is_none(preprocessor.value):
        raise Refusal("MT403", preprocessor, "`preprocessor=...`")
    if not arguments.keys() <= {parameter, "preprocessor"}:
        return None
    return MadeDictionary(call, arguments[parameter].value, is_model=parameter in ("state_dict", "model"))


def read_reports(program: Program, made: Iterable[cst.Call]) -> Reported | None:
    """What the reports of a program get; None if that can't be seen, or more is done with the dictionaries."""
    if not _are_reports_called(program):
        return None
    flow = _Flow(program, frozenset(made))
    reported = Reported([], set(), [], flow.annotations)
    for call in program.calls:
        if program.qualified_name(call.func) not in legacy.REPORTS:
            continue
        arguments = bound_arguments(call, ("metrics", "checkpoint"))
        if arguments is None:
            return None
        if "checkpoint" not in arguments:
            continue
        report = Report(call, arguments["checkpoint"])
        sources = flow.sources(report.argument.value)
        if sources is None:
            reported.others.append(report)
        elif sources:
            reported.reports.append(report)
            reported.made.update(sources)
    return reported if all(map(flow.is_only_reported, reported.made)) else None


def _are_reports_called(program: Program) -> bool:
    """Whether all that a program does with the function that reports is to call it."""
    called = {call.func for call in program.calls}
    nodes: list[cst.BaseExpression] = [*program.names, *program.attributes]
    return all(node in called for node in nodes if program.qualified_name(node) in legacy.REPORTS)


def folder_calls(program: Program) -> set[cst.Call]:
    """The calls that make a checkpoint of a folder."""
    return {
        call
        for call in program.calls
        if (program.qualified_name(call.func) or "").removesuffix(".from_directory") in legacy.CHECKPOINTS
    }


def sources(program: Program, value: cst.BaseExpression, calls: Iterable[cst.Call]) -> set[cst.Call] | None:
    """Which of some calls gave what an expression holds; None if anything else may have."""
    return _Flow(program, frozenset(calls)).sources(value)


class _Flow:
    """Follows the values of some calls between these and the reports."""

    def __init__(self, program: Program, made: frozenset[cst.Call]) -> None:
        self._program = program
        self._made = made
        self._entered: set[cst.CSTNode] = set()
        self.annotations: set[cst.Annotation] = set()

    def sources(self, node: cst.BaseExpression) -> set[cst.Call] | None:
        """The calls that make what an expression holds, None apart; None if anything else may."""
        if is_none(node) or node in self._entered:
            return set()
        if node in self._made:
            assert isinstance(node, cst.Call)
            return {node}
        self._entered.add(node)
        try:
            values = self._values(node)
        finally:
            found = None if values is None else [self.sources(value) for value in values]
            self._entered.discard(node)
        if found is None or None in found:
            return None
        return {call for calls in found if calls is not None for call in calls}

    def _values(self, node: cst.BaseExpression) -> list[cst.BaseExpression] | None:
        """The expressions of which one's value is that of another."""
        if isinstance(node, cst.IfExp):
            return [node.body, node.orelse]
        if isinstance(node, cst.Call):
            function = own_function(self._program, node.func)
            if function is None:
                return None
            self._annotated(function.returns)
            return [one.value for one in own_returns(function.body) if one.value is not None]
        if not isinstance(node, cst.Name):
            return None
        given = [self._given(binding) for binding in self._program.bindings(node)]
        if not given or None in given:
            return None
        return [value for values in given if values is not None for value in values]

    def _given(self, binding: Binding) -> list[cst.BaseExpression] | None:
        """What a variable or parameter is given."""
        node = binding.node
        if binding.kind is BindingKind.PARAMETER and isinstance(node, cst.Param):
            function = self._program.enclosing(node, (cst.FunctionDef, cst.Lambda))
            if not isinstance(function, cst.FunctionDef) or self._is_taken(function):
                return None
            given = arguments_for(self._program, function, node)
            self._annotated(node.annotation)
            return given and [*given, *([node.default] if node.default is not None else [])]
        if isinstance(node, cst.AnnAssign):
            self._annotated(node.annotation)
        is_assignment = isinstance(node, cst.Assign | cst.AnnAssign) and binding.value is not None
        return [binding.value] if is_assignment and binding.value is not None else None

    def _annotated(self, annotation: cst.Annotation | None) -> None:
        if annotation is not None:
            self.annotations.add(annotation)

    def is_only_reported(self, node: cst.BaseExpression) -> bool:
        """Whether all that happens to an expression's value is that it is reported, or compared with None."""
        if node in self._entered:
            return True
        self._entered.add(node)
        try:
            return self._is_only_reported(node)
        finally:
            self._entered.discard(node)

    def _is_only_reported(self, node: cst.BaseExpression) -> bool:
        program, above = self._program, self._program.parent(node)
        if isinstance(above, cst.IfExp):
            return above.test is not node and self.is_only_reported(above)
        if isinstance(above, cst.Comparison):
            return len(above.comparisons) == 1 and is_none(above.comparisons[0].comparator)
        if isinstance(above, cst.Arg):
            call = program.parent(above)
            if isinstance(call, cst.Call) and program.qualified_name(call.func) in legacy.REPORTS:
                return True
            uses = self._uses_of_parameter(call, node) if isinstance(call, cst.Call) else []
        elif isinstance(above, cst.Assign | cst.AnnAssign):
            uses = self._uses_of_targets(above)
        elif isinstance(above, cst.Return):
            uses = self._calls_of_function(above)
        else:
            return False
        return bool(uses) and all(map(self.is_only_reported, uses))

    def _uses_of_parameter(self, call: cst.Call, given: cst.BaseExpression) -> list[cst.BaseExpression]:
        """The uses of the parameter that an argument is given for."""
        function = own_function(self._program, call.func)
        if function is None:
            return []
        for parameter in (*function.params.posonly_params, *function.params.params, *function.params.kwonly_params):
            arguments = arguments_for(self._program, function, parameter)
            if arguments is not None and any(argument is given for argument in arguments):
                bindings = self._program.scope(function.body).lookup(parameter.name.value)
                return [use for binding in bindings for use in self._program.uses(binding)]
        return []

    def _uses_of_targets(self, assignment: cst.Assign | cst.AnnAssign) -> list[cst.BaseExpression]:
        if isinstance(assignment, cst.Assign) and len(assignment.targets) > 1:
            return []
        bindings = self._program.scope(assignment).lookup(target_name(assignment))
        return [use for one in bindings if one.node is assignment for use in self._program.uses(one)]

    def _calls_of_function(self, returned: cst.Return) -> list[cst.BaseExpression]:
        """The calls of the function in which a value is returned; none if it is used otherwise."""
        function = self._program.enclosing(returned, cst.FunctionDef)
        if function is None or self._is_taken(function):
            return []
        calls: list[cst.BaseExpression] = []
        for use in uses_of_function(self._program, function):
            call = self._program.parent(use)
            if not isinstance(call, cst.Call) or call.func is not use:
                return []
            calls.append(call)
        return calls

    def _is_taken(self, function: cst.FunctionDef) -> bool:
        """Whether another file may call a function, too."""
        is_global = isinstance(self._program.block(function), cst.Module)
        return is_global and self._program.file_of(function).is_taken(function.name.value)
