"""Configurations that a script writes out for a search, which then read as if a builder had made them.

{"_module_init_config": {"lr": tune.loguniform(1e-4, 1e-1)}}

LightningConfigBuilder().module(lr=tune.loguniform(1e-4, 1e-1)).build()
"""

from __future__ import annotations

import keyword
from contextlib import suppress
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.tuning.schedulers import mutated_entries
from migrate_trainers.rules.tuning.spaces import entries_of, is_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.reading.program import Program

_CONFIG = "lightning_config"
_METHODS = {
    "_module_init_config": "module",
    "_trainer_init_config": "trainer",
    "_trainer_fit_params": "fit_params",
    "_model_checkpoint_config": "checkpointing",
}


def builders_for_dictionaries(program: Program) -> list[Edit]:
    """The edits that make builders of the search spaces' and mutations' dictionaries; none for others."""
    edits: dict[cst.Dict, list[Edit]] = {}
    with suppress(Refusal):
        for value in _searched(program):
            written = _written(program, value)
            builder = _builder_name(program, written) if written is not None else None
            if written is not None and builder is not None and written not in edits:
                edits[written] = _as_builder(program, written, builder)
    return [edit for group in edits.values() for edit in group]


def _searched(program: Program) -> Iterator[cst.BaseExpression]:
    """What search spaces and mutations give as the trainer's configuration."""
    for call in program.calls:
        if program.qualified_name(call.func) in legacy.TUNERS:
            for argument in call.args:
                if argument.keyword is not None and argument.keyword.value == "param_space":
                    yield from (entry.value for key, entry in entries_of(program, argument.value) if key == _CONFIG)
    yield from (entry.value for entry in mutated_entries(program, _CONFIG))


def _written(program: Program, value: cst.BaseExpression) -> cst.Dict | None:
    """The dictionary that a value is, or that a variable is assigned which only searches are given."""
    if isinstance(value, cst.Name):
        variable = program.sole_assignment(value)
        if variable is None or variable.value is None:
            return None
        if not all(is_entry(program, use) for use in program.uses(variable)):
            return None
        value = variable.value
    return value if isinstance(value, cst.Dict) and not value.lpar and _is_plain(value) else None


def _is_plain(written: cst.Dict) -> bool:
    """Whether a dictionary only holds what a builder's methods are given as keywords."""
    for element in written.elements:
        if not isinstance(element, cst.DictElement) or string(element.key) not in _METHODS:
            return False
        if not isinstance(element.value, cst.Dict) or element.value.lpar:
            return False
        for inner in element.value.elements:
            name = string(inner.key) if isinstance(inner, cst.DictElement) else None
            if name is None or not name.isidentifier() or keyword.iskeyword(name):
                return False
    keys = [string(element.key) for element in written.elements if isinstance(element, cst.DictElement)]
    return len(keys) == len(set(keys))


def _builder_name(program: Program, node: cst.Dict) -> str | None:
    """How the script names the builder's class, where that can be read at a node."""
    for call in program.calls:
        root: cst.BaseExpression = call.func
        while isinstance(root, cst.Attribute):
            root = root.value
        if program.qualified_name(call.func) not in legacy.BUILDERS or not isinstance(root, cst.Name):
            continue
        if program.scope(node).lookup(root.value) == program.bindings(root):
            return program.text(call.func)
    return None


def _as_builder(program: Program, written: cst.Dict, builder: str) -> list[Edit]:
    spans_lines = "\n" in program.text(written)
    edits = _braces(
        program, written, f"({builder}()" if spans_lines else f"{builder}()", ".build()" + ")" * spans_lines
    )
    for element in _elements(written):
        edits.append(Edit(program.span(element.key)[0], program.span(element.value)[0], f".{_METHODS[_name(element)]}"))
        if isinstance(element.comma, cst.Comma):
            comma = program.source.buffer.index(b",", program.span(element.value)[1])
            edits.append(Edit(comma, comma + 1, ""))
        assert isinstance(element.value, cst.Dict)
        edits += _braces(program, element.value, "(", ")")
        for inner in _elements(element.value):
            start, end = program.span(inner.key)[0], program.outer_span(inner.value)[0]
            edits.append(Edit(start, end, f"{_name(inner)}="))
    return edits


def _braces(program: Program, node: cst.Dict, opening: str, closing: str) -> list[Edit]:
    start, end = program.span(node)
    return [Edit(start, start + 1, opening), Edit(end - 1, end, closing)]


def _elements(node: cst.Dict) -> Sequence[cst.DictElement]:
    return [element for element in node.elements if isinstance(element, cst.DictElement)]


def _name(element: cst.DictElement) -> str:
    return string(element.key) or ""
