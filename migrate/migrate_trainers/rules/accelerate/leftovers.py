"""Taking `accelerate_config` out of a trainer's call, with the variables that nothing else reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.rules.dictionary_changes import changing_statement
from migrate_trainers.writing.placement import comments_of, removal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.accelerate.sites import AccelerateSite
    from migrate_trainers.rules.rewrite import Rewrite


def drop_configurations(rewrite: Rewrite, sites: Sequence[AccelerateSite]) -> None:
    """Remove the arguments, and the statements that only made what they were given."""
    program = rewrite.program
    gone: list[cst.CSTNode] = []
    for site in sites:
        argument = site.arguments.get("accelerate_config")
        if argument is not None:
            rewrite.arguments_of(site.call_site.call).remove(argument)
            gone.append(argument)
    arguments = list(gone)
    still_read = {name for site in sites for text in site.settings.values.values() for name in re.findall(r"\w+", text)}
    pending = {binding for site in sites for binding in site.read if binding.name not in still_read}
    while pending:
        removable = {binding: lines for binding in pending if (lines := _lines(program, binding, gone)) is not None}
        if not removable:
            break
        for binding, lines in removable.items():
            pending.remove(binding)
            for line in lines:
                gone.append(line)
                rewrite.edits.append(removal(program, line, comments_of(program, line)))
    _warn_of_defaults(rewrite, arguments, pending)


def _lines(program: Program, binding: Binding, gone: Sequence[cst.CSTNode]) -> list[Statement] | None:
    """The lines that make a variable's value, if nothing is left that reads it; None where they can't be removed."""
    if len(binding.scope.bindings[binding.name]) != 1 or not isinstance(binding.node, cst.Assign | cst.AnnAssign):
        return None
    if isinstance(binding.node, cst.Assign) and len(binding.node.targets) > 1:
        return None
    lines = [program.statement(binding.node)]
    for use in program.uses(binding):
        change = changing_statement(program, use)
        if change is not None:
            lines.append(program.statement(change))
        elif not any(program.contains(one, use) for one in gone):
            return None
    if not all(isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 for line in lines):
        return None
    block = program.block(lines[0])
    assert isinstance(block, cst.Module | cst.IndentedBlock)
    is_filled = any(line not in lines and line not in gone for line in block.body)
    return sorted(lines, key=program.statement_start) if is_filled else None


def _warn_of_defaults(rewrite: Rewrite, arguments: Sequence[cst.CSTNode], kept: set[Binding]) -> None:
    """AccelerateTrainer filled its defaults into the dictionary that it was given: code behind it may read them."""
    program = rewrite.program
    for binding in kept:
        given = [
            argument for argument in arguments if isinstance(argument, cst.Arg) and _names(program, argument, binding)
        ]
        first = min((program.span(argument)[1] for argument in given), default=None)
        later = [
            use
            for use in program.uses(binding)
            if first is not None and program.span(use)[0] > first and program.parent(use) not in given
        ]
        if later:
            rewrite.review("MT315", min(later, key=program.span), f"`{binding.name}`")


def _names(program: Program, argument: cst.Arg, binding: Binding) -> bool:
    return binding in program.named(argument.value)
