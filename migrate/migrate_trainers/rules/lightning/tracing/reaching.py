"""Which of a variable's assignments a name may read, where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import Binding, BindingKind

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Scope


def reaching(program: Program, name: cst.Name) -> list[Binding]:
    """The bindings whose value a name may read: all of the variable, unless some are surely replaced before."""
    bindings = program.bindings(name)
    scope = _outside_comprehensions(program.scope(name))
    if len(bindings) < 2 or any(not _is_own(program, binding, scope) for binding in bindings):
        return list(bindings)
    use = program.span(name)[0]
    found: list[Binding] = []
    last = None
    for binding in sorted(bindings, key=lambda one: _takes_effect(program, one), reverse=True):
        if _takes_effect(program, binding) <= use and not _is_head_behind(program, binding, name):
            found.append(binding)
            if _is_always_made_before(program, binding, name):
                last = binding
                break
    loop = program.loop_around(name)
    while loop is not None and not (last is not None and program.contains(loop, last.node)):
        found += [binding for binding in bindings if program.contains(loop, binding.node) and binding not in found]
        loop = program.loop_around(loop)
    return found


def _is_own(program: Program, binding: Binding, scope: Scope) -> bool:
    if binding.scope is not scope:
        return False
    if binding.kind is BindingKind.PARAMETER:
        return True
    # A function that says `global` or `nonlocal` binds a variable from within.
    inner = program.scope(program.parent(binding.node) or binding.node)
    return _outside_comprehensions(inner) is scope


def _takes_effect(program: Program, binding: Binding) -> int:
    """From which offset on the variable holds what is bound."""
    node = binding.node
    if binding.kind is BindingKind.PARAMETER:
        return -1
    start, end = program.span(node)
    return start if isinstance(node, cst.For | cst.CompFor) else end


def _is_head_behind(program: Program, binding: Binding, name: cst.Name) -> bool:
    """Whether a loop binds its variable only after it has read a name in its head."""
    return isinstance(binding.node, cst.For) and program.contains(binding.node.iter, name)


def _is_always_made_before(program: Program, binding: Binding, name: cst.Name) -> bool:
    node = binding.node
    if binding.kind is BindingKind.PARAMETER:
        return True
    if isinstance(node, cst.For):
        return program.contains(node.body, name)
    if not isinstance(node, cst.Assign | cst.AnnAssign | cst.FunctionDef | cst.ClassDef | cst.ImportAlias):
        return False
    block = program.block(program.statement(node))
    inner = program.statement(name)
    if isinstance(block, cst.SimpleStatementSuite) or program.statement(node) is inner:
        return False
    # In a `try` that failed half way, the assignment may not have been reached.
    return program.contains(block, name)


def _outside_comprehensions(scope: Scope) -> Scope:
    while isinstance(scope.node, cst.BaseComp | cst.DictComp) and scope.parent is not None:
        scope = scope.parent
    return scope
