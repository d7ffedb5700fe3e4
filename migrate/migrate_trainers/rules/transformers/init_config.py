"""`trainer_init_config`, of which TransformersTrainer made a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import only_looks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite


def with_items(
    rewrite: Rewrite, value: cst.BaseExpression, before: Mapping[str, str], behind: Mapping[str, str]
) -> list[Edit]:
    """Edits that add items to a configuration which has some."""
    first = [f'"{key}": {item}' for key, item in before.items()]
    last = [f'"{key}": {item}' for key, item in behind.items()]
    if isinstance(value, cst.Dict):
        return _in_display(rewrite.program, value, first, last)
    text = rewrite.text_of(value)
    if isinstance(value, cst.IfExp | cst.BooleanOperation) and not value.lpar:
        text = f"({text})"
    own = f"**{text}" if _is_dictionary(rewrite.program, value) else f"**({text} or {{}})"
    return [Edit(*rewrite.program.outer_span(value), f"{{{', '.join([*first, own, *last])}}}")]


def _in_display(program: Program, value: cst.Dict, first: Sequence[str], last: Sequence[str]) -> list[Edit]:
    """Items before and behind those of a display, on lines of their own beside one that is."""
    source, edits = program.source, []
    if first:
        start = program.span(value.elements[0])[0]
        head = source.slice(source.line_start(start), start)
        separator = ", " if head.strip() else f",\n{head}"
        edits.append(Edit(start, start, "".join(f"{item}{separator}" for item in first)))
    if last:
        start, end = program.span(value.elements[-1])
        head = source.slice(source.line_start(start), start)
        separator = ", " if head.strip() else f",\n{head}"
        edits.append(Edit(end, end, "".join(f"{separator}{item}" for item in last)))
    return edits


def kept_as_it_was(rewrite: Rewrite, call: cst.Call, value: cst.BaseExpression) -> list[Edit]:
    """Edits that make a copy where the program may change the dictionary between the trainer's making and its fit."""
    program = rewrite.program
    if not isinstance(value, cst.Name | cst.Attribute | cst.Subscript) or _fits_at_once(program, call):
        return []
    if isinstance(value, cst.Name) and not _is_changed_later(program, call, value):
        return []
    text = rewrite.text_of(value)
    return [
        Edit(*program.outer_span(value), f"dict({text})" if _is_dictionary(program, value) else f"dict({text} or {{}})")
    ]


def _is_dictionary(program: Program, value: cst.BaseExpression) -> bool:
    """Whether a value is surely a dictionary: None was one without items too."""
    if isinstance(value, cst.Dict | cst.DictComp):
        return True
    if isinstance(value, cst.Call):
        return program.is_builtin(value.func, "dict")
    bindings = program.named(value)
    return bool(bindings) and all(
        binding.value is not None and not isinstance(binding.value, cst.Name) and _is_dictionary(program, binding.value)
        for binding in bindings
    )


def _fits_at_once(program: Program, call: cst.Call) -> bool:
    """Whether the trainer is fitted where it is made, or in the next statement."""
    above = program.parent(call)
    if isinstance(above, cst.Attribute) and above.attr.value == "fit":
        return True
    statement = program.statement(call)
    if not isinstance(above, cst.Assign) or len(above.targets) != 1:
        return False
    block = program.block(statement)
    assert isinstance(block, cst.Module | cst.IndentedBlock)
    following = block.body[block.body.index(statement) + 1 :][:1]
    fit = f"{program.text(above.targets[0].target)}.fit"
    return any(
        isinstance(following[0], cst.SimpleStatementLine)
        and program.contains(following[0], attribute)
        and program.text(attribute) == fit
        for attribute in program.attributes
        if following
    )


def _is_changed_later(program: Program, call: cst.Call, name: cst.Name) -> bool:
    """Whether anything that may run behind a call could change what a variable holds."""
    bindings = program.bindings(name)
    uses = [use for binding in bindings for use in program.uses(binding) if use is not name]
    # The caller has what a parameter holds too, but for a `**` one.
    is_shared = any(isinstance(binding.node, cst.Param) and binding.node.star != "**" for binding in bindings)
    return is_shared or any(
        _gives_another_name(program, use) or (_may_run_later(program, use, call) and not only_looks(program, use))
        for use in uses
    )


def _may_run_later(program: Program, use: cst.Name, call: cst.Call) -> bool:
    if program.scope(use) is not program.scope(program.statement(call)):
        return True
    loop = program.loop_around(call)
    return program.span(use)[0] >= program.span(call)[1] or (loop is not None and program.contains(loop, use))


def _gives_another_name(program: Program, use: cst.Name) -> bool:
    """Whether a use lets something else hold the same object."""
    return isinstance(program.parent(use), cst.Assign | cst.AnnAssign | cst.Element | cst.DictElement | cst.Return)
