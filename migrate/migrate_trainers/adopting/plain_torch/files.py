"""Files that a training loop writes are written by the first worker alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.plain_torch.ranks import is_guarded
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.rules.rewrite import Rewrite

_WRITES = frozenset({"torch.save", "torch.serialization.save", "json.dump", "pickle.dump", "joblib.dump", "numpy.save"})


def write_files_once(rewrite: Rewrite, code: Sequence[cst.CSTNode]) -> None:
    """Note the edits for what some code writes that workers run; it says where the files end up."""
    program = rewrite.program
    unit = program.module.default_indent
    for call in program.calls:
        if program.qualified_name(call.func) not in _WRITES or not any(program.contains(one, call) for one in code):
            continue
        statement = program.statement(call)
        rewrite.review("MT642", call, f"`{program.text(call.func)}`")
        if is_guarded(program, call):
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
