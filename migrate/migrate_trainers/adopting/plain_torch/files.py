"""Files that a training loop writes are written by the first worker alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.first_process import is_of_first
from migrate_trainers.writing.arguments import keyword_argument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

_MAKE_FOLDERS = frozenset({"makedirs", "mkdir"})
_WRITES = frozenset({"torch.save", "torch.serialization.save", "json.dump", "pickle.dump", "joblib.dump", "numpy.save"})


def folders_made(program: Program) -> list[cst.CSTNode]:
    """The calls that make sure of a folder, for files that the workers write to it: relative paths start elsewhere."""
    writes = any(program.qualified_name(call.func) in _WRITES for call in program.calls)
    found: list[cst.CSTNode] = []
    for call in program.calls if writes else ():
        is_making = isinstance(call.func, cst.Attribute) and call.func.attr.value in _MAKE_FOLDERS
        may_exist = keyword_argument(call, "exist_ok")
        if is_making and may_exist is not None and program.text(may_exist.value) == "True":
            found.append(call)
    return found


def write_files_once(rewrite: Rewrite, code: Sequence[cst.CSTNode]) -> None:
    """Note the edits for what some code writes that workers run; it says where the files end up."""
    program = rewrite.program
    unit = program.module.default_indent
    for call in program.calls:
        if program.qualified_name(call.func) not in _WRITES or not any(program.contains(one, call) for one in code):
            continue
        statement = program.statement(call)
        rewrite.review("MT642", call, f"`{program.text(call.func)}`")
        if is_of_first(program, call, by_name=True):
            continue
        if not isinstance(statement, cst.SimpleStatementLine) or not isinstance(statement.body[0], cst.Expr):
            raise Refusal("MT631", call, "what it gives is used")
        indent = program.indent(statement)
        start, end = program.span(statement)
        rank = rewrite.function_named("ray.train.get_context")
        rewrite.edits.append(Edit(start, start, f"if {rank}().get_world_rank() == 0:\n{indent}{unit}"))
        while (newline := program.source.buffer.find(b"\n", start, end)) >= 0:
            start = newline + 1
            rewrite.edits.append(Edit(start, start, unit))
