"""Processes that a script starts itself: `mp.spawn(main, args=(world_size, 5), nprocs=world_size)` becomes `main(5)`.

The function asks the process group for its rank, and for how many processes there are, which the call gave it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.writing.arguments import bound_arguments
from migrate_trainers.writing.placement import at_top

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program

_SPAWN = frozenset({"torch.multiprocessing.spawn", "torch.multiprocessing.spawn.spawn"})
STARTS = _SPAWN | {
    *("torch.multiprocessing.start_processes", "torch.multiprocessing.Process", "multiprocessing.Process"),
    "torch.distributed.launcher.api.elastic_launch",
}
_POSITIONAL = ("fn", "args", "nprocs", "join", "daemon", "start_method")


def starts(program: Program) -> cst.Call | None:
    """The call by which a program starts processes that train."""
    return next((call for call in program.calls if program.qualified_name(call.func) in _SPAWN), None)


def call_directly(program: Program) -> Program:
    """The program without calls that start processes of its own; raises `Refusal` where one can't be read."""
    edits: list[Edit] = []
    for call in program.calls:
        if program.qualified_name(call.func) in _SPAWN:
            edits += _edits(program, call)
    return program.edited(edits) if edits else program


def _edits(program: Program, call: cst.Call) -> list[Edit]:
    given = bound_arguments(call, _POSITIONAL) or {}
    function = _function(program, call, given["fn"].value) if "fn" in given else None
    arguments = given["args"].value if "args" in given else None
    if function is None or not isinstance(function.body, cst.IndentedBlock):
        raise Refusal("MT631", call, "which function it starts can't be seen")
    values = list(arguments.elements) if isinstance(arguments, cst.Tuple) else []
    if arguments is not None and not isinstance(arguments, cst.Tuple):
        raise Refusal("MT631", arguments, "what it gives the function can't be seen")
    parameters = list(function.params.params)
    if not parameters or len(parameters) != len(values) + 1 or parameters[0].default is not None:
        raise Refusal("MT631", call, f"what it gives `{function.name.value}` can't be seen")
    number = program.text(given["nprocs"].value) if "nprocs" in given else "1"
    group = _process_group(program, call)
    gone = [parameters[0]]
    lines = [f"{parameters[0].name.value} = {group}.get_rank()"]
    kept = []
    for parameter, element in zip(parameters[1:], values, strict=True):
        if program.text(element.value) == number:
            gone.append(parameter)
            lines.append(f"{parameter.name.value} = {group}.get_world_size()")
        else:
            kept.append(program.text(element.value))
    edits = [Edit(*program.span(call), f"{function.name.value}({', '.join(kept)})"), at_top(program, function, lines)]
    left = [program.text(one).rstrip(", ") for one in parameters if one not in gone]
    start, end = program.span(parameters[0])[0], program.span(parameters[-1])[1]
    return [*edits, Edit(start, end, ", ".join(left))]


def _function(program: Program, call: cst.Call, value: cst.BaseExpression) -> cst.FunctionDef | None:
    """The function of the module that a call starts, if nothing else calls it."""
    bindings = program.named(value)
    node = bindings[0].node if len(bindings) == 1 else None
    if not isinstance(node, cst.FunctionDef) or not isinstance(program.parent(node), cst.Module):
        return None
    others = [use for use in program.uses(bindings[0]) if not program.contains(call, use)]
    params = node.params
    is_plain = not params.posonly_params and not params.kwonly_params and params.star_kwarg is None
    return node if not others and is_plain and not isinstance(params.star_arg, cst.Param) else None


def _process_group(program: Program, call: cst.Call) -> str:
    """How the file names `torch.distributed`."""
    for name, bindings in program.module_scope.bindings.items():
        if {one.imported for one in bindings} == {"torch.distributed"}:
            return name
    for name, bindings in program.module_scope.bindings.items():
        if {one.imported for one in bindings} == {"torch"}:
            return f"{name}.distributed"
    raise Refusal("MT631", call, "`torch.distributed` isn't imported")
