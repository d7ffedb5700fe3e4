"""How the train function gets what the driver has: it closes over it, or reads it from `train_loop_config`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.command_line import check_worker_code, gives_namespace
from migrate_trainers.adopting.lines import read_lines
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.writing.render import free_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from migrate_trainers.adopting.moving import Moves
    from migrate_trainers.adopting.region import Region
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite


@dataclass(frozen=True)
class Passed:
    """How the train function gets values of the driver's.

    `config` is the text of `train_loop_config`, empty where there is none; `parameter` what the function calls it.
    `lines` stand first in the function, without indentation; `edits` are made in the code that moves, where nothing but
    `namespace` is read by its attributes.
    """

    config: str = ""
    parameter: str = ""
    lines: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    namespace: str = ""


def passed_values(rewrite: Rewrite, region: Region, moves: Moves, used: Collection[str]) -> Passed:
    """How code that moves gets what it reads of the driver's variables; `used` are the names in that code.

    What a parser of the command line has read is `train_loop_config`. Other variables of a function are items of it; a
    module's are closed over. Raises `Refusal` for what workers don't have.
    """
    program = rewrite.program
    check_worker_code(program, [line.statement for line in moves.moved])
    rebound = _rebound(program, region, moves)
    names = sorted({name.value for name in moves.driver_reads} | rebound)
    for name in names:
        _check_unchanged(program, region, moves, name)
    parameter = free_name({*used, *names}, "config", "train_loop_config")
    arguments = [name for name in names if _is_namespace(program, region, name)]
    if len(arguments) == 1 and (region.place.is_module or len(names) == 1):
        reads = [name for name in moves.driver_reads if name.value == arguments[0]]
        if arguments[0] in rebound:
            return _as_namespace(rewrite, arguments[0], parameter)
        if not region.place.is_module or not _is_read_elsewhere(program, region, moves, arguments[0]):
            return _as_config(rewrite, reads, parameter)
    if region.place.is_module:
        names = sorted(rebound)
    if not names:
        return Passed()
    config = ", ".join(f'"{name}": {name}' for name in names)
    return Passed(f"{{{config}}}", parameter, tuple(f'{name} = {parameter}["{name}"]' for name in names))


def _as_config(rewrite: Rewrite, reads: Sequence[cst.Name], parameter: str) -> Passed:
    """`config["lr"]` for `args.lr`, or a namespace made of the configuration where more than that is asked of it."""
    program, name = rewrite.program, reads[0].value
    attributes = [program.parent(one) for one in reads]
    edits = []
    for one, attribute in zip(reads, attributes, strict=True):
        if not isinstance(attribute, cst.Attribute) or attribute.value is not one or _is_assigned(program, attribute):
            return _as_namespace(rewrite, name, parameter)
        around = program.enclosing(one, cst.FormattedString)
        quote = "'" if around is not None and not around.start.endswith("'") else '"'
        edits.append(Edit(*program.span(attribute), f"{parameter}[{quote}{attribute.attr.value}{quote}]"))
    return Passed(f"vars({name})", parameter, (), tuple(edits), name)


def for_written(rewrite: Rewrite, passed: Passed, texts: Iterable[str]) -> Passed:
    """The same, with a namespace where code that was written of the script's own reads attributes of that."""
    if not passed.namespace or not any(re.search(rf"\b{passed.namespace}\.", text) for text in texts):
        return passed
    return _as_namespace(rewrite, passed.namespace, passed.parameter)


def _as_namespace(rewrite: Rewrite, name: str, parameter: str) -> Passed:
    namespace = rewrite.imports.name("argparse.Namespace")
    return Passed(f"vars({name})", parameter, (f"{name} = {namespace}(**{parameter})",))


def _rebound(program: Program, region: Region, moves: Moves) -> set[str]:
    """The variables that both code that moves and the driver above it assign, and that code reads."""
    moved = {line.statement for line in moves.moved}
    last = program.span(moves.training.statement)
    staying = [
        line
        for line in read_lines(program, region)
        if line.statement not in moved and program.span(line.statement) < last
    ]
    kept = {name for line in staying if not line.is_import and not line.is_definition for name in line.binds}
    bound = {name for line in moves.moved if not line.is_import and not line.is_definition for name in line.binds}
    return kept & bound & {name for line in moves.moved for name in line.names}


def _is_assigned(program: Program, attribute: cst.Attribute) -> bool:
    above = program.parent(attribute)
    if isinstance(above, cst.Call) and above.func is attribute:
        return True
    targets = cst.AssignTarget | cst.AugAssign | cst.AnnAssign | cst.Del
    return isinstance(above, targets) and getattr(above, "target", None) is attribute


def _is_namespace(program: Program, region: Region, name: str) -> bool:
    """Whether a variable is what argparse has read."""
    bindings = region.scope.bindings.get(name, [])
    values = [getattr(binding.node, "value", None) for binding in bindings]
    return bool(values) and all(gives_namespace(program, one) for one in values)


def _is_read_elsewhere(program: Program, region: Region, moves: Moves, name: str) -> bool:
    """Whether functions of the module read a variable of it, too."""
    moved = [line.statement for line in moves.moved]
    for binding in region.scope.bindings.get(name, []):
        for use in program.uses(binding):
            is_moved = any(program.contains(one, use) for one in moved)
            if not is_moved and program.enclosing(use, (cst.FunctionDef, cst.Lambda, cst.ClassDef)) is not None:
                return True
    return False


def _check_unchanged(program: Program, region: Region, moves: Moves, name: str) -> None:
    """Refuse a value that the driver changes once code that moves has read it."""
    reads = [one for line in moves.moved for one in line.reads if one.value == name]
    first = min(program.span(one)[0] for one in reads)
    moved = [line.statement for line in moves.moved]
    for binding in region.scope.bindings.get(name, []):
        for use in program.uses(binding):
            above = program.parent(use)
            is_later = program.span(use)[0] > first and not any(program.contains(one, use) for one in moved)
            is_call = isinstance(above, cst.Attribute) and isinstance(program.parent(above), cst.Call)
            if is_later and isinstance(above, cst.Attribute) and not is_call and _is_assigned(program, above):
                raise Refusal("MT647", above, f"`{program.text(above)}` changes after the training has read `{name}`")
        start = program.span(binding.node)[0]
        if start > first and not any(program.contains(one, binding.node) for one in moved):
            raise Refusal("MT647", binding.node, f"`{name}` changes after the training has read it")
