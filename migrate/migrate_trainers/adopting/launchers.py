"""`notebook_launcher(train, (a,), num_processes=2)` becomes `train(a)`: the processes are a TorchTrainer's workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.rewrite import finding
from migrate_trainers.writing.arguments import bound_arguments
from migrate_trainers.writing.imports import ImportPlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.findings import Finding
    from migrate_trainers.reading.program import Program
    from migrate_trainers.settings import Settings

_LAUNCHERS = frozenset(
    f"{module}.{name}"
    for module in ("accelerate", "accelerate.launchers")
    for name in ("notebook_launcher", "debug_launcher")
)
_POSITIONAL = ("function", "args", "num_processes")


def calls_for_launchers(program: Program, settings: Settings) -> tuple[Program, Sequence[Finding]]:
    """The program with its launchers' functions called, and what there is to say; raises `Refusal`."""
    calls = [call for call in program.calls if program.qualified_name(call.func) in _LAUNCHERS]
    if not calls:
        return program, ()
    imports = ImportPlan(program, program.imports[0], lambda name: None, by_module=False)
    for alias in _imported(program, calls):
        imports.remove(alias)
    edits = [Edit(*program.span(call), _called(program, call)) for call in calls]
    findings = [finding(program, "MT624", call.func, _said(program, call)) for call in calls]
    return program.edited([*imports.edits(), *edits]), findings


def _imported(program: Program, calls: Sequence[cst.Call]) -> Iterator[cst.ImportAlias]:
    """What is imported for these calls alone."""
    functions = [call.func for call in calls]
    for binding in {binding for function in functions for binding in program.named(function)}:
        if isinstance(binding.node, cst.ImportAlias) and all(use in functions for use in program.uses(binding)):
            yield binding.node


def _called(program: Program, call: cst.Call) -> str:
    given = bound_arguments(call, _POSITIONAL)
    function = given.get("function") if given is not None else None
    if given is None or function is None or not _is_function(program, function.value):
        raise Refusal("MT625", call.func, "the function that it launches can't be seen")
    arguments = given.get("args")
    if arguments is None:
        return f"{program.text(function.value)}()"
    if not isinstance(arguments.value, cst.Tuple | cst.List):
        return f"{program.text(function.value)}(*{program.text(arguments.value)})"
    texts = [program.text(element).rstrip(", ") for element in arguments.value.elements]
    return f"{program.text(function.value)}({', '.join(texts)})"


def _is_function(program: Program, node: cst.BaseExpression) -> bool:
    bindings = program.named(node)
    return len(bindings) == 1 and bindings[0].kind is BindingKind.FUNCTION


def _said(program: Program, call: cst.Call) -> str:
    given = bound_arguments(call, _POSITIONAL) or {}
    return f"it said `{program.text(given['num_processes'])}`" if "num_processes" in given else ""
