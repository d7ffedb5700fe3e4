"""Whether a builder is used by nothing else, so that what `build()` copied may be taken as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind, own_returns
from migrate_trainers.rules.lightning.builder import is_builder_call
from migrate_trainers.rules.lightning.tracing.reaching import reaching

if TYPE_CHECKING:
    from migrate_trainers.rules.lightning.tracing.trace import Trace


def is_owned(trace: Trace, node: cst.BaseExpression, depth: int = 0) -> bool:
    """Whether nothing else will use the builder that an expression gives, so that it needs no copy."""
    if trace.builds(node):
        return False
    root = trace.split_chain(node)[0]
    if is_builder_call(trace.program, root):
        return True
    if isinstance(root, cst.Name):
        return _is_last_use(trace, root)
    callees = trace.callables.callees(root) if isinstance(root, cst.Call) and depth < 3 else None
    return callees is not None and all(
        isinstance(function, cst.FunctionDef)
        and bool(returns := own_returns(function.body))
        and all(one.value is not None and is_owned(trace, one.value, depth + 1) for one in returns)
        for function, _ in callees
    )


def _is_last_use(trace: Trace, name: cst.Name) -> bool:
    program = trace.program
    bindings = program.bindings(name)
    uses = [use for binding in bindings[:1] for use in program.uses(binding)]
    scope = program.scope(name)
    if scope.is_class or any(
        binding.kind is not BindingKind.ASSIGNMENT
        or binding.value is None
        or binding.scope is not scope
        or not _makes_or_fills(trace, binding.value, name.value)
        for binding in bindings
    ):
        return False
    if any(program.scope(use) is not scope or program.span(use)[0] > program.span(name)[0] for use in uses):
        return False
    if any(use is not name and not isinstance(program.parent(use), cst.Attribute) for use in uses):
        return False
    loop = program.loop_around(name)
    return loop is None or all(program.contains(loop, binding.node) for binding in reaching(program, name))


def _makes_or_fills(trace: Trace, value: cst.BaseExpression, name: str) -> bool:
    if trace.builds(value):
        return False
    root = trace.split_chain(value)[0]
    return is_builder_call(trace.program, root) or (isinstance(root, cst.Name) and root.value == name)
