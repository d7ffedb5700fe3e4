"""How a new builder is filled: the statements behind it that do nothing else, and what their arguments are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.cells import crosses_boundary
from migrate_trainers.reading.program import Statement
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.rules.lightning.builder import (
    MethodCall,
    expression_statement,
    is_builder_call,
    keyword,
    positional_name,
)
from migrate_trainers.writing.render import names_in

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.lightning.tracing.reading import TracedFlow
    from migrate_trainers.rules.lightning.tracing.trace import Trace


def filling(trace: Trace, flow: TracedFlow, chain: cst.Call) -> list[Statement]:
    """The assignment of a new builder, with the statements behind it that do nothing but fill it."""
    program = trace.program
    statement = program.statement(chain)
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return []
    only = statement.body[0]
    if not isinstance(only, cst.Assign) or only.value is not chain or len(only.targets) != 1 or trace.builds(chain):
        return []
    owner = only.targets[0].target
    block = program.block(statement)
    if not only_reads(owner) or not isinstance(block, cst.Module | cst.IndentedBlock):
        return []
    if not is_builder_call(program, trace.split_chain(chain)[0]):
        return []
    found: list[Statement] = [statement]
    for following in block.body[list(block.body).index(statement) + 1 :]:
        assert isinstance(following, Statement)
        filled = expression_statement(following)
        if filled not in flow.chains or trace.builds(filled):
            break
        root, methods = trace.split_chain(filled)
        given = {name for one in methods for argument in one.call.args for name in names_in(argument.value)}
        is_same = program.text(root) == program.text(owner) and not names_in(owner) & given
        if not is_same or not _joins(trace, flow, found, methods):
            break
        if crosses_boundary(program.source, program.span(found[-1])[1], program.span(following)[0]):
            break
        found.append(following)
    return found


def _joins(trace: Trace, flow: TracedFlow, statements: list[Statement], methods: list[MethodCall]) -> bool:
    """Whether a display evaluates what further calls are given in the same order as the calls did."""
    if any(map(hides_strategy, methods)):
        return False
    before = [one.method for one in methods_in(trace, flow, statements)]
    return all(
        one.method not in before
        or before[-1] == one.method
        or not any(acts(trace.program, argument) for argument in one.call.args)
        for one in methods
    )


def methods_in(trace: Trace, flow: TracedFlow, statements: list[Statement]) -> list[MethodCall]:
    """The calls that fill a builder in some statements, in their order."""
    chains = [chain for chain in flow.chains if trace.program.statement(chain) in statements]
    chains.sort(key=lambda chain: trace.program.span(chain)[0])
    return [one for chain in chains for one in trace.split_chain(chain)[1]]


def is_argument(one: MethodCall, index: int, method: str, name: str) -> bool:
    """Whether an argument of a builder's call is a certain one."""
    argument = one.call.args[index]
    if argument.star or one.method != method:
        return False
    return (keyword(argument) or positional_name(one, index)) == name


def hides_strategy(one: MethodCall) -> bool:
    """Whether a strategy's name may be among unpacked keywords."""
    named = any(is_argument(one, index, "strategy", "name") for index in range(len(one.call.args)))
    return one.method == "strategy" and not named and any(argument.star for argument in one.call.args)


def only_reads(node: cst.BaseExpression) -> bool:
    """Whether an expression names something that is there: `builder`, `self.builder`, `builders["a"]`."""
    if isinstance(node, cst.Name):
        return True
    if isinstance(node, cst.Attribute):
        return only_reads(node.value)
    if isinstance(node, cst.Subscript):
        indices = [element.slice.value for element in node.slice if isinstance(element.slice, cst.Index)]
        simple = all(isinstance(index, cst.Name | cst.SimpleString | cst.Integer) for index in indices)
        return bool(indices) and simple and only_reads(node.value)
    return False


def acts(program: Program, argument: cst.Arg) -> bool:
    """Whether evaluating an argument may have an effect."""
    return not ValueAnalysis(program, program.statement(argument)).only_reads(argument.value)
