"""Search spaces that a script builds in steps, which then read as if they had been written out at once.

space = {}                                              space = {
space["train_loop_config"] = {"lr": ...}                    "train_loop_config": {"lr": ...},
space["scaling_config"] = {"num_workers": ...}              "scaling_config": {"num_workers": ...},
                                                        }

The steps follow each other directly, so that everything is evaluated in the order in which it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.cells import crosses_boundary
from migrate_trainers.reading.source import Edit
from migrate_trainers.rules.legacy_uses import call_sites
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.tuning.reach import reach_of
from migrate_trainers.writing.arguments import keyword_argument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding

_CONFIG = "lightning_config"
_Step = tuple[cst.SimpleStatementLine, cst.Assign, cst.Subscript]


def dictionaries_for_steps(program: Program) -> list[Edit]:
    """The edits that write search spaces out; none for those that aren't built in steps, or not only in plain ones."""
    edits: list[Edit] = []
    for variable in dict.fromkeys(_spaces(program)):
        statement = program.statement(variable.node)
        written = variable.value
        if isinstance(written, cst.Dict) and not written.lpar and isinstance(statement, cst.SimpleStatementLine):
            steps = _steps(program, variable, statement, written)
            edits += _written_out(program, written, steps) if steps else []
    return edits


def _spaces(program: Program) -> Iterator[Binding]:
    """The variables that searches of legacy trainers are given as their space, or in it as `lightning_config`."""
    for call in (one for site in call_sites(program) for one in reach_of(program, site.call).tuners):
        qualified = program.qualified_name(call.func)
        name = "param_space" if qualified in legacy.TUNERS else "config" if qualified in legacy.TUNE_RUN else ""
        argument = keyword_argument(call, name)
        space = _variable(program, argument.value) if argument is not None else None
        written = space.value if space is not None else argument.value if argument is not None else None
        if space is not None:
            yield space
        for value in _configurations(program, space, written):
            if (variable := _variable(program, value)) is not None:
                yield variable


def _variable(program: Program, value: cst.BaseExpression) -> Binding | None:
    return program.sole_assignment(value) if isinstance(value, cst.Name) else None


def _configurations(
    program: Program, space: Binding | None, written: cst.BaseExpression | None
) -> Iterator[cst.BaseExpression]:
    """What a space holds as `lightning_config`, which has to be read itself."""
    for element in written.elements if isinstance(written, cst.Dict) else ():
        if isinstance(element, cst.DictElement) and string(element.key) == _CONFIG:
            yield element.value
    for line in _lines(program, space) if space is not None else ():
        step = _step(program, line, space) if space is not None else None
        if step is not None and _key(step[2]) == _CONFIG:
            yield step[1].value


def _lines(program: Program, variable: Binding) -> list[cst.SimpleStatementLine]:
    """The lines in the block of an assignment, from it on."""
    statement = program.statement(variable.node)
    block = program.block(statement)
    body = list(block.body) if isinstance(block, cst.Module | cst.IndentedBlock) else []
    return [one for one in body[body.index(statement) :] if isinstance(one, cst.SimpleStatementLine)] if body else []


def _steps(program: Program, variable: Binding, first: cst.SimpleStatementLine, written: cst.Dict) -> list[_Step]:
    """The lines directly behind an assignment that each add an entry with a new key."""
    block = program.block(first)
    if not isinstance(block, cst.Module | cst.IndentedBlock) or not _is_alone(first):
        return []
    keys = {string(element.key) for element in written.elements if isinstance(element, cst.DictElement)}
    if None in keys or len(keys) < len(written.elements):
        return []
    steps: list[_Step] = []
    last: cst.CSTNode = first
    for line in block.body[list(block.body).index(first) + 1 :]:
        step = _step(program, line, variable)
        key = _key(step[2]) if step is not None else None
        if (
            step is None
            or key in keys
            or crosses_boundary(program.source, program.span(last)[1], program.span(line)[0])
        ):
            break
        keys.add(key)
        steps.append(step)
        last = line
    return steps


def _step(program: Program, line: cst.CSTNode, variable: Binding) -> _Step | None:
    """A line `space["key"] = value` whose value doesn't read the variable."""
    only = line.body[0] if isinstance(line, cst.SimpleStatementLine) and _is_alone(line) else None
    target = only.targets[0].target if isinstance(only, cst.Assign) and len(only.targets) == 1 else None
    if not isinstance(target, cst.Subscript) or not isinstance(only, cst.Assign) or _key(target) is None:
        return None
    own = [use for use in program.uses(variable) if program.contains(only, use)]
    assert isinstance(line, cst.SimpleStatementLine)
    return (line, only, target) if own == [target.value] else None


def _is_alone(line: cst.SimpleStatementLine) -> bool:
    """Whether a line has one statement, without a semicolon behind it."""
    return len(line.body) == 1 and not isinstance(line.body[0].semicolon, cst.Semicolon)


def _key(target: cst.Subscript) -> str | None:
    index = target.slice[0].slice
    return string(index.value) if len(target.slice) == 1 and isinstance(index, cst.Index) else None


def _written_out(program: Program, written: cst.Dict, steps: list[_Step]) -> list[Edit]:
    """The edits that take the steps' entries into the dictionary, each on its line."""
    source, unit = program.source, program.module.default_indent
    indent = program.indent(program.statement(written))
    edits = _opened(program, written, f"{indent}{unit}")
    for line, assign, target in steps:
        index = target.slice[0].slice
        assert isinstance(index, cst.Index)
        low, high = program.outer_span(assign.value)
        edits.append(Edit(program.span(line)[0], low, f"{program.text(index.value)}: "))
        edits.append(Edit(high, high, ","))
    last = source.line_end(program.span(steps[-1][0])[1])
    is_ended = source.buffer[:last].endswith((b"\n", b"\r"))
    edits.append(Edit(last, last, f"{indent}}}\n" if is_ended else f"\n{indent}}}"))
    strings = [program.span(one) for one in program.strings]
    start = source.line_end(program.span(written)[1])
    while start < last:
        following = source.line_end(start)
        if source.slice(start, following).strip() and not any(low < start < high for low, high in strings):
            edits.append(Edit(start, start, unit))
        start = following
    return edits


def _opened(program: Program, written: cst.Dict, indent: str) -> list[Edit]:
    """The edits that take the end from a dictionary, whose entries stand on lines of some indentation."""
    source, elements = program.source, written.elements
    start, end = program.span(written)
    edits = []
    if elements:
        first, last = program.span(elements[0])[0], program.outer_span(elements[-1].value)[1]
        if "\n" not in program.text(written):
            edits.append(Edit(start + 1, first, f"\n{indent}"))
        if not isinstance(elements[-1].comma, cst.Comma):
            edits.append(Edit(last, last, ","))
    elif "#" not in program.text(written):
        return [Edit(start + 1, end, "")]
    line, line_end = source.line_start(end), source.line_end(end)
    is_alone = not source.slice(line, end - 1).strip() and not source.slice(end, line_end).strip()
    return [*edits, Edit(line, line_end, "") if is_alone and line > start else Edit(end - 1, end, "")]
