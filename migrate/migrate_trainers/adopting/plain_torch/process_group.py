"""Ray starts the processes and their group: what a script does for that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.plain_torch.variables import calls_of, function_called
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import string
from migrate_trainers.writing.arguments import bound_arguments
from migrate_trainers.writing.placement import comments_of, removal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import Rewrite

_MODULES = ("torch.distributed", "torch.distributed.distributed_c10d")
_STARTS = frozenset(f"{module}.init_process_group" for module in _MODULES)
_ENDS = frozenset(f"{module}.destroy_process_group" for module in _MODULES)
_POSITIONAL = ("backend", "init_method", "timeout", "world_size", "rank")
# What Ray decides; anything else would be lost.
_DECIDED = frozenset({"backend", "device_id", "init_method", "rank", "world_size"})
_OF_PROCESSES = frozenset({"LOCAL_RANK", "LOCAL_WORLD_SIZE", "RANK", "WORLD_SIZE"})
_ENVIRONMENT = frozenset({"os.environ", "os.environ.get", "os.getenv"})
_VARIABLES = frozenset({"MASTER_ADDR", "MASTER_PORT"})


def leave_processes_to_ray(rewrite: Rewrite, code: Sequence[cst.CSTNode]) -> None:
    """Note the edits; raises `Refusal` where a call can't be taken out, or the driver needs a rank."""
    program = rewrite.program
    gone: list[Statement] = []
    for call in program.calls:
        qualified = program.qualified_name(call.func)
        if qualified in _STARTS:
            _warn_of_settings(rewrite, call)
        if qualified in _STARTS | _ENDS:
            statement = program.statement(call)
            if not isinstance(statement, cst.SimpleStatementLine) or not _is_whole(program, call, statement):
                raise Refusal("MT631", call, "what else the statement does needs it")
            gone.append(statement)
    if gone:
        gone += _address_lines(program)
    functions = _emptied(program, gone)
    gone = [one for one in gone if not any(program.contains(function, one) for function in functions)]
    for function in functions:
        for call in calls_of(program, function):
            if not isinstance(program.parent(call), cst.Expr):
                raise Refusal("MT631", call, "its result is used")
            gone.append(program.statement(call))
        rewrite.edits.append(removal(program, function, []))
    for node in _asked_directly(program):
        is_gone = any(program.contains(one, node) for one in (*gone, *functions))
        if not is_gone and not any(program.contains(one, node) for one in code) and _runs(program, node):
            raise Refusal("MT631", node, "the driver is no process of the group, and comes to this")
    _remove(rewrite, gone)


def _runs(program: Program, node: cst.CSTNode) -> bool:
    """Whether a node is in code of the module, or in a function that something calls."""
    function = program.enclosing(node, cst.FunctionDef)
    return function is None or any(function_called(program, call) is function for call in program.calls)


def _remove(rewrite: Rewrite, gone: Sequence[Statement]) -> None:
    """Take statements out, but for their comments; a block that is left without any gets a `pass`."""
    program = rewrite.program
    emptied = set()
    for statement in gone:
        block = program.block(statement)
        assert isinstance(block, cst.Module | cst.IndentedBlock)
        lines = comments_of(program, statement)
        if block not in emptied and not isinstance(block, cst.Module) and all(one in gone for one in block.body):
            emptied.add(block)
            lines.append("pass")
        rewrite.edits.append(removal(program, statement, lines))


def _is_whole(program: Program, call: cst.Call, statement: cst.SimpleStatementLine) -> bool:
    small = statement.body[0]
    in_block = isinstance(program.block(statement), cst.Module | cst.IndentedBlock)
    return in_block and len(statement.body) == 1 and isinstance(small, cst.Expr) and small.value is call


def _warn_of_settings(rewrite: Rewrite, call: cst.Call) -> None:
    given = bound_arguments(call, _POSITIONAL)
    if given is None:
        raise Refusal("MT631", call, "what the process group is given can't be seen")
    for name in given.keys() - _DECIDED:
        rewrite.review("MT639", given[name], f"`{name}`")
    backend = given.get("backend")
    wanted = string(backend.value) if backend is not None else None
    usual = "nccl" if rewrite.settings.adoption is not None and rewrite.settings.adoption.use_gpu else "gloo"
    if backend is not None and wanted is not None and wanted != usual:
        rewrite.review("MT639", backend, f"`{wanted}`")


def _address_lines(program: Program) -> list[Statement]:
    """The statements that say where the processes meet: `os.environ["MASTER_PORT"] = "12355"`."""
    found = []
    for node in program.strings:
        index = program.enclosing(node, cst.Subscript)
        target = program.parent(index) if index is not None else None
        if not isinstance(node, cst.SimpleString) or string(node) not in _VARIABLES or index is None:
            continue
        if program.qualified_name(index.value) == "os.environ" and isinstance(target, cst.AssignTarget):
            statement = program.statement(node)
            if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
                found.append(statement)
    return list(dict.fromkeys(found))


def _emptied(program: Program, gone: Collection[Statement]) -> list[cst.FunctionDef]:
    """The functions of the module that did nothing else."""
    found = []
    for statement in program.module.body:
        if isinstance(statement, cst.FunctionDef) and isinstance(statement.body, cst.IndentedBlock):
            does = [line for line in statement.body.body if not _is_docstring(line)]
            if does and all(line in gone for line in does):
                found.append(statement)
    return found


def _is_docstring(line: cst.CSTNode) -> bool:
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return False
    small = line.body[0]
    return isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString | cst.ConcatenatedString)


def asked_in_group(program: Program) -> list[cst.CSTNode]:
    """What only a process of the group can evaluate: calls of `torch.distributed`, its variables, and what has such."""
    found = _asked_directly(program)
    for node in found:
        function = program.enclosing(node, cst.FunctionDef)
        found += [
            call
            for call in program.calls
            if function is not None and function_called(program, call) is function and call not in found
        ]
    return found


def _asked_directly(program: Program) -> list[cst.CSTNode]:
    found: list[cst.CSTNode] = []
    for call in program.calls:
        qualified = program.qualified_name(call.func) or ""
        if qualified.startswith("torch.distributed.") and not qualified.rpartition(".")[2].startswith("is_"):
            found.append(call)
    for text in program.strings:
        if isinstance(text, cst.SimpleString) and string(text) in _OF_PROCESSES:
            around = program.enclosing(text, (cst.Subscript, cst.Call))
            owner = around.value if isinstance(around, cst.Subscript) else getattr(around, "func", None)
            if owner is not None and (program.qualified_name(owner) or "") in _ENVIRONMENT:
                found.append(text)
    return found
