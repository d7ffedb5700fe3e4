"""A builder that is filled under conditions, in loops, or with `**`: its calls become updates of plain dictionaries.

    builder = LightningConfigBuilder()              trainer_kwargs = {}
    builder.trainer(max_epochs=3)                   trainer_kwargs.update(max_epochs=3)
    if fast:                                        if fast:
        builder.trainer(limit_train_batches=2)          trainer_kwargs.update(limit_train_batches=2)

The train function unpacks them. `build()` shares its dictionaries with the builder, and so do these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.builder import (
    MethodCall,
    expression_statement,
    is_build,
    is_builder_call,
    keyword,
    only_assignment,
    positional_name,
    split_chain,
)

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program, Statement

# Where a file sets something: an argument, an entry of a dictionary, or an assignment to one.
Setting = cst.Arg | cst.DictElement | cst.Assign
# Builder method -> the dictionary that it updates.
DICTIONARIES = {
    "module": "module_kwargs",
    "trainer": "trainer_kwargs",
    "fit_params": "fit_kwargs",
    "strategy": "strategy_kwargs",
    "ddp_strategy": "strategy_kwargs",
    "checkpointing": "checkpoint_kwargs",
}


@dataclass(frozen=True)
class FlowStatement:
    """One statement on the builder: what it calls, and whether it makes the builder anew."""

    statement: Statement
    calls: tuple[MethodCall, ...]
    creates: bool


@dataclass(frozen=True)
class BuilderFlow:
    """Every statement on one builder; `place` is the one before which (or in whose place) the train function goes.

    `replaces` says that `place` only assigns what `build()` gave, and vanishes; `key` identifies the builder; `builds`
    are the statements of all its `build()` calls.
    """

    key: cst.CSTNode
    statements: tuple[FlowStatement, ...]
    place: Statement
    replaces: bool
    builds: tuple[Statement, ...]

    @property
    def calls(self) -> list[MethodCall]:
        return [call for statement in self.statements for call in statement.calls]

    @property
    def other_strategies(self) -> tuple[str | None, ...]:
        """Strategies that no call names, None for one that isn't known."""
        return ()

    def keywords(self, *methods: str) -> dict[str, list[Setting]]:
        """The keyword arguments that some methods are given anywhere, by name."""
        found: dict[str, list[Setting]] = {}
        for call in self.calls:
            if call.method in methods:
                for index, argument in enumerate(call.call.args):
                    name = keyword(argument) or positional_name(call, index)
                    if name is not None and not argument.star:
                        found.setdefault(name, []).append(argument)
        return found

    def unpacks(self, *methods: str) -> bool:
        """Whether some methods are given keywords that are only known when the script runs."""
        return any(call.method in methods and any(argument.star for argument in call.call.args) for call in self.calls)


def read_flow(
    program: Program, value: cst.BaseExpression, trainer_statement: Statement, *, built: bool = True
) -> BuilderFlow:
    """The statements behind a `lightning_config` argument; raises `Refusal` where they don't explain it.

    `built` says that the value is what `build()` gives, and not the builder itself.
    """
    if not built:
        return _read_filled(program, value, trainer_statement, replaces=False)
    build, place, replaces = value, trainer_statement, False
    if isinstance(value, cst.Name):
        binding = only_assignment(program, value)
        assert binding.value is not None
        if len(program.uses(binding)) != 1:
            raise Refusal("MT103", value, f"`{value.value}` is used in other places too")
        build, place, replaces = binding.value, program.statement(binding.node), True
    if not is_build(build):
        raise Refusal("MT101", build, "it is not a `LightningConfigBuilder` that is built here")
    assert isinstance(build, cst.Call)
    assert isinstance(build.func, cst.Attribute)
    flow = _read_filled(program, build.func.value, place, replaces=replaces)
    _check_scope(program, value, [flow.place, trainer_statement])
    return flow


def _read_filled(program: Program, filled: cst.BaseExpression, place: Statement, *, replaces: bool) -> BuilderFlow:
    """The statements that fill a builder until it is read at a place."""
    root, chain = split_chain(program, filled, place)
    if is_builder_call(program, root):
        return BuilderFlow(root, (FlowStatement(place, tuple(chain), creates=True),), place, replaces, (place,))
    if not isinstance(root, cst.Name) or chain:
        raise Refusal("MT102", root, "the builder is filled in the expression that builds it")
    statements = _statements_on(program, root)
    scope = program.bindings(root)[0].scope
    if scope is not program.scope(place):
        raise Refusal("MT102", root, "the builder is used in several functions")
    _check_scope(program, root, [*(one.statement for one in statements), place])
    if not any(program.span(one.statement)[0] < program.span(place)[0] for one in statements if one.creates):
        raise Refusal("MT102", root, "the builder is made after it is built")
    binding = program.bindings(root)[0]
    builds = tuple(program.statement(name) for name in program.uses(binding) if _is_plain_build(program, name))
    return BuilderFlow(binding.node, tuple(statements), place, replaces, builds)


def _statements_on(program: Program, variable: cst.Name) -> list[FlowStatement]:
    bindings = program.bindings(variable)
    if not bindings:
        raise Refusal("MT101", variable, f"`{variable.value}` is not known here")
    found = []
    explained: set[cst.Name] = set()
    for binding in bindings:
        node = binding.node
        is_plain = isinstance(node, cst.Assign | cst.AnnAssign) and binding.value is not None
        if not is_plain or (isinstance(node, cst.Assign) and len(node.targets) != 1):
            raise Refusal("MT101", variable, f"`{variable.value}` is not only assigned a builder")
        assert binding.value is not None
        statement = program.statement(node)
        root, calls = split_chain(program, binding.value, statement)
        creates = is_builder_call(program, root)
        if isinstance(root, cst.Name) and root.value == variable.value:
            explained.add(root)
        elif not creates:
            raise Refusal("MT101", variable, f"`{variable.value}` comes from another function or object")
        found.append(FlowStatement(statement, tuple(calls), creates))
    for name in program.uses(bindings[0]):
        if name in explained or _is_plain_build(program, name):
            continue
        statement = program.statement(name)
        expression = expression_statement(statement)
        if expression is None:
            raise Refusal("MT103", name, f"`{variable.value}` is used for more than its own methods")
        root, calls = split_chain(program, expression, statement)
        if root is not name:
            raise Refusal("MT103", name, f"`{variable.value}` is used for more than its own methods")
        found.append(FlowStatement(statement, tuple(calls), creates=False))
    return sorted(found, key=lambda one: program.span(one.statement)[0])


def _is_plain_build(program: Program, name: cst.Name) -> bool:
    attribute = program.parent(name)
    call = program.parent(attribute) if isinstance(attribute, cst.Attribute) else None
    return isinstance(call, cst.Call) and call.func is attribute and is_build(call)


def _check_scope(program: Program, node: cst.CSTNode, statements: list[Statement]) -> None:
    """All statements must be of one function (or of the module), each on a line of its own."""
    scope = program.scope(statements[0])
    if scope.is_class:
        raise Refusal("MT101", node, "the configuration is made in a class body")
    for statement in statements:
        if program.scope(statement) is not scope:
            raise Refusal("MT102", statement, "the builder is used in several functions")
        if not isinstance(program.parent(statement), cst.Module | cst.IndentedBlock):
            raise Refusal("MT102", statement, "the builder shares a line with the head of a block")
        if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) != 1:
            raise Refusal("MT102", statement, "the builder shares a line with other statements")
