"""Carrying values from the driver's code into the train function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import CHANGES_IN_LOOP, Refusal
from migrate_trainers.writing.render import as_statement_value, relocated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from migrate_trainers.reading.program import Program, Statement


class ValueMover:
    """Decides for each value of one train function where it is evaluated, and gives its text in the function.

    `place` is the statement that the train function replaces or precedes, `trainer` the statement that makes the
    trainer, or None where several do. `hoisted` are the lines to put where a statement stood, `names` the variables
    that they bind; `config` the items of `train_loop_config`, by key, as text for the trainer's call.
    """

    def __init__(
        self,
        program: Program,
        place: Statement,
        trainer: Statement | None,
        quiet: Iterable[Statement],
        new_name: Callable[[str], str],
        config_name: str,
    ) -> None:
        self._program = program
        self._place = place
        self._trainer = trainer
        self._quiet = set(quiet)
        self._new_name = new_name
        self._config_name = config_name
        self._in_worker: dict[cst.CSTNode, str] = {}
        self._on_driver: dict[cst.CSTNode, str] = {}
        self._effects_left = 0
        self.names: set[str] = set()
        self.hoisted: dict[Statement, list[str]] = {}
        self.config: dict[str, str] = {}

    def expect(self, values: Iterable[tuple[cst.BaseExpression, Statement]]) -> None:
        """Look at all values that will come: one that only reads must not pass another's effect."""
        for value, statement in values:
            analysis = ValueAnalysis(self._program, statement)
            self._effects_left += sum(not analysis.only_reads(part) for part in analysis.immovable_parts(value))

    def take(
        self,
        value: cst.BaseExpression,
        statement: Statement,
        hint: str,
        *,
        on_driver: bool = False,
        stays: bool = False,
    ) -> None:
        """Settle where the parts of a value are evaluated; values must be taken in their order of evaluation.

        `on_driver` says that the driver still evaluates it, `stays` that it does so in the same statement.
        """
        analysis = ValueAnalysis(self._program, statement)
        for part in analysis.immovable_parts(value):
            reads = analysis.only_reads(part)
            if part is not value:
                hint = _hint_of(self._program, part) or hint
            if reads and not self._effects_left and (stays or self._stays_until_trainer(part, statement)):
                if not on_driver:
                    self._pass(part, hint, relocated(self._program, part, ""))
                continue
            self._effects_left -= not reads
            self._hoist(part, statement, hint, on_driver=on_driver)

    def take_unpacked(self, value: cst.BaseExpression, statement: Statement, hint: str) -> None:
        """Settle where `**value` is evaluated: the builder copied the keywords when it was given them."""
        analysis = ValueAnalysis(self._program, statement)
        if not analysis.may_be_unpacked_later(value):
            self._effects_left -= sum(not analysis.only_reads(part) for part in analysis.immovable_parts(value))
            self._hoist(value, statement, hint, on_driver=False, unpacked=True)

    def discard(self, value: cst.BaseExpression, statement: Statement) -> None:
        """Keep the effects of a value that nothing uses any more."""
        analysis = ValueAnalysis(self._program, statement)
        for part in analysis.immovable_parts(value):
            if not analysis.only_reads(part):
                self._effects_left -= 1
                text = relocated(self._program, part, self._program.indent(statement))
                self.hoisted.setdefault(statement, []).append(text)

    def add_config(self, key: str, text: str) -> str:
        """Pass a driver's expression through `train_loop_config`; returns how the train function reads it."""
        unique = key
        number = 2
        while unique in self.config:
            unique = f"{key}_{number}"
            number += 1
        self.config[unique] = text
        return f'{self._config_name}["{unique}"]'

    def read_as(self, value: cst.BaseExpression, text: str) -> None:
        """Let the train function read a whole value in another way, whatever becomes of its parts."""
        parts = [part for part in self._in_worker if self._program.contains(value, part)]
        for part in parts:
            del self._in_worker[part]
        self._in_worker[value] = text

    def in_worker(self, value: cst.BaseExpression, indent: str) -> str:
        return relocated(self._program, value, indent, self._in_worker)

    def on_driver(self, value: cst.BaseExpression, indent: str) -> str:
        return relocated(self._program, value, indent, self._on_driver)

    def is_replaced(self, value: cst.BaseExpression) -> bool:
        """Whether the train function reads a whole value from elsewhere."""
        return value in self._in_worker

    def _pass(self, part: cst.BaseExpression, key: str, text: str) -> None:
        self._in_worker[part] = self.add_config(key, text)

    def _hoist(
        self, part: cst.BaseExpression, statement: Statement, hint: str, *, on_driver: bool, unpacked: bool = False
    ) -> None:
        name = self._new_name(hint)
        self.names.add(name)
        indent = self._program.indent(statement)
        text = relocated(self._program, part, indent)
        text = f"{{**{text}}}" if unpacked else as_statement_value(text)
        self.hoisted.setdefault(statement, []).append(f"{name} = {text}")
        self._on_driver[part] = name
        self._in_worker[part] = name
        if on_driver:
            return
        if self._program.loop_around(self._place) is not None:
            if not self._shares_block():
                raise Refusal("MT102", part, CHANGES_IN_LOOP)
            self._pass(part, hint, name)

    def _shares_block(self) -> bool:
        return self._trainer is not None and self._program.block(self._trainer) is self._program.block(self._place)

    def _stays_until_trainer(self, part: cst.BaseExpression, statement: Statement) -> bool:
        """Whether an expression that only reads gives the same in the trainer's call as in its own statement."""
        if self._trainer is None or self._program.block(statement) is not self._program.block(self._trainer):
            return False
        block = self._program.block(statement)
        assert isinstance(block, cst.Module | cst.IndentedBlock)
        body = list(block.body)
        between = body[body.index(statement) + 1 : body.index(self._trainer)]
        roots = _names(part)
        return all(self._is_quiet(other, roots) for other in between)

    def _is_quiet(self, statement: cst.CSTNode, roots: set[str]) -> bool:
        """Whether a statement can't change what the named variables hold."""
        if statement in self._quiet:
            return True
        if isinstance(statement, cst.FunctionDef | cst.ClassDef):
            return not statement.decorators and statement.name.value not in roots
        if not isinstance(statement, cst.SimpleStatementLine):
            return False
        for small in statement.body:
            if isinstance(small, cst.Import | cst.ImportFrom | cst.Pass):
                continue
            if not isinstance(small, cst.Assign | cst.Expr):
                return False
            if isinstance(small, cst.Assign):
                for target in small.targets:
                    if not isinstance(target.target, cst.Name) or target.target.value in roots:
                        return False
            if not self._is_harmless(small.value):
                return False
        return True

    def _is_harmless(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Call):
            qualified = self._program.qualified_name(node.func)
            is_print = (
                isinstance(node.func, cst.Name) and node.func.value == "print" and not self._program.bindings(node.func)
            )
            if not is_print and (qualified is None or qualified not in legacy.CONFIG_CLASSES):
                return False
        if isinstance(node, cst.NamedExpr | cst.Await | cst.Yield):
            return False
        return all(self._is_harmless(child) for child in node.children)


def _hint_of(program: Program, part: cst.BaseExpression) -> str | None:
    """A name for a part of a value: the keyword that it is given as, or what it constructs."""
    parent = program.parent(part)
    if isinstance(parent, cst.Arg) and parent.keyword is not None:
        return parent.keyword.value
    if isinstance(part, cst.Attribute):
        return part.attr.value
    if isinstance(part, cst.Call):
        function = part.func.attr if isinstance(part.func, cst.Attribute) else part.func
        if isinstance(function, cst.Name):
            return snake_case(function.value)
    return part.value if isinstance(part, cst.Name) else None


def snake_case(name: str) -> str:
    """`EarlyStopping` as `early_stopping`."""
    letters: list[str] = []
    for index, letter in enumerate(name):
        if letter.isupper() and index and (name[index - 1].islower() or name[index + 1 : index + 2].islower()):
            letters.append("_")
        letters.append(letter.lower())
    return "".join(letters).strip("_").replace("__", "_")


def _names(node: cst.CSTNode) -> set[str]:
    if isinstance(node, cst.Name):
        return {node.value}
    if isinstance(node, cst.Attribute):
        return _names(node.value)
    return {name for child in node.children for name in _names(child)}
