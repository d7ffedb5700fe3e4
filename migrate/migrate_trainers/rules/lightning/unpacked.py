"""Keywords that a builder's method is given unpacked though the call itself names them, which then read as written out.

builder.trainer(**{"max_epochs": 3}, **dict(precision=16))

builder.trainer(max_epochs=3, precision=16)
"""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.rules.lightning.builder import METHODS, is_builder_call
from migrate_trainers.rules.literals import entries_of

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program


def written_out(program: Program) -> list[Edit]:
    """The edits that name such keywords in the calls of builders."""
    if not any(is_builder_call(program, call) for call in program.calls):
        return []
    edits = []
    for call in program.calls:
        if isinstance(call.func, cst.Attribute) and call.func.attr.value in METHODS and _is_builder(program, call.func):
            edits += _in_call(program, call)
    return edits


def _is_builder(program: Program, method: cst.Attribute) -> bool:
    """Whether a method is called on a builder that is made here, or a variable that only ever has such a one."""
    node: cst.BaseExpression = method
    while isinstance(node, cst.Attribute) or (isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute)):
        if is_builder_call(program, node):
            return True
        node = node.value if isinstance(node, cst.Attribute) else node.func
    if is_builder_call(program, node):
        return True
    bindings = program.bindings(node) if isinstance(node, cst.Name) else ()
    return bool(bindings) and any(
        binding.value is not None and is_builder_call(program, binding.value) for binding in bindings
    )


def _in_call(program: Program, call: cst.Call) -> list[Edit]:
    given = [(argument, _keywords(program, argument)) for argument in call.args]
    if not any(argument.star == "**" and keywords for argument, keywords in given):
        return []
    names = [name for _, keywords in given for name, _ in keywords]
    if len(names) != len(set(names)):
        return []
    return [
        Edit(*program.span(argument), ", ".join(f"{name}={text}" for name, text in keywords))
        for argument, keywords in given
        if argument.star == "**" and keywords
    ]


def _keywords(program: Program, argument: cst.Arg) -> list[tuple[str, str]]:
    """The keywords that an argument gives, with the texts of their values; none of what only a run tells."""
    if argument.keyword is not None:
        return [(argument.keyword.value, program.outer_text(argument.value))]
    value = argument.value
    entries = entries_of(program, value) if argument.star == "**" and "#" not in program.text(value) else None
    if entries is None or (isinstance(value, cst.Dict) and len(entries) < len(value.elements)):
        return []
    if not all(name.isidentifier() and not keyword.iskeyword(name) for name in entries):
        return []
    if any(isinstance(one, cst.NamedExpr) and not one.lpar for one in entries.values()):
        return []
    return [(name, program.outer_text(one)) for name, one in entries.items()]
