"""Which datasets a trainer has: the keys of the dictionary that it is given, as far as they can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.legacy_uses import is_trainer
from migrate_trainers.rules.literals import entries_of, string

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import CallSite


@dataclass(frozen=True)
class DatasetKeys:
    """The names of a trainer's datasets: those that are surely there, and (where it can be known) all there may be."""

    certain: frozenset[str]
    possible: frozenset[str] | None

    def has(self, name: str) -> bool | None:
        """Whether there is a dataset of a name, None where that is only known when the script runs."""
        if name in self.certain:
            return True
        return None if self.possible is None or name in self.possible else False

    def has_only(self, name: str) -> bool:
        return self.possible is not None and self.possible <= {name}


def read_keys(program: Program, site: CallSite, datasets: cst.BaseExpression, code: str) -> DatasetKeys:
    """The keys of what a trainer's call is given as `datasets`; raises `Refusal` where they change later."""
    entries = entries_of(program, datasets)
    if entries is not None:
        return DatasetKeys(frozenset(entries), frozenset(entries))
    if isinstance(datasets, cst.Name):
        return _keys_in_variable(program, site, datasets, code)
    return DatasetKeys(frozenset(), None)


def _keys_in_variable(program: Program, site: CallSite, variable: cst.Name, code: str) -> DatasetKeys:
    """The keys of a dictionary that is assigned once, and perhaps filled by `datasets["val"] = ...` lines."""
    nothing = DatasetKeys(frozenset(), None)
    binding = program.sole_assignment(variable)
    if binding is None or binding.value is None:
        return nothing
    entries = entries_of(program, binding.value)
    if entries is None:
        return nothing
    made = program.statement(binding.node)
    certain, possible, is_open = set(entries), set(entries), False
    for name in program.uses(binding):
        key = _stored_key(program, name)
        statement = program.statement(name)
        if key is not None:
            if program.span(statement)[0] > program.span(site.statement)[0]:
                raise Refusal(code, name, f"`{variable.value}` gets another dataset after the trainer is made")
            possible.add(key)
            if program.block(statement) is program.block(made):
                certain.add(key)
        elif not _only_reads_items(program, name):
            is_open = True
    return DatasetKeys(frozenset(certain), None if is_open else frozenset(possible))


def _stored_key(program: Program, name: cst.Name) -> str | None:
    """`val` for the name in `datasets["val"] = ...`."""
    subscript = program.parent(name)
    if not isinstance(subscript, cst.Subscript) or subscript.value is not name:
        return None
    if not isinstance(program.parent(subscript), cst.AssignTarget) or len(subscript.slice) != 1:
        return None
    index = subscript.slice[0].slice
    return string(index.value) if isinstance(index, cst.Index) else None


def _only_reads_items(program: Program, name: cst.Name) -> bool:
    """Whether a use of the dictionary leaves its keys as they are: a trainer's argument, or `datasets["train"]`."""
    parent = program.parent(name)
    if isinstance(parent, cst.Arg):
        return is_trainer(program, program.parent(parent))
    if isinstance(parent, cst.Subscript):
        changes = cst.AssignTarget | cst.AugAssign | cst.AnnAssign | cst.Del
        return parent.value is name and not isinstance(program.parent(parent), changes)
    return False
