"""The keys of built configurations wherever the file writes them: each gets the name that its dictionary has now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.tracing.keys import (
    KEYS,
    METHOD_OF_KEY,
    STRATEGY,
    STRATEGY_KWARGS,
    STRATEGY_NAME,
)
from migrate_trainers.rules.literals import string
from migrate_trainers.writing.render import Argument

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.lightning.tracing.reading import KeyUse, TracedFlow
    from migrate_trainers.rules.lightning.tracing.strategies import Strategies
    from migrate_trainers.rules.lightning.tracing.texts import Texts


class RenamedKeys:
    """Writes the new keys, and the strategies that are set by them, into `texts`."""

    def __init__(self, program: Program, flow: TracedFlow, texts: Texts, strategies: Strategies) -> None:
        self._program = program
        self._chooses_strategy = flow.chooses_strategy
        self._texts = texts
        self._strategies = strategies
        self._uses = flow.keys

    def write(self) -> None:
        for use in self._uses:
            self._rename(use)

    def _rename(self, use: KeyUse) -> None:
        new = KEYS[use.key]
        if isinstance(use.node, cst.Name):
            if METHOD_OF_KEY.get(use.key) == "strategy" and self._chooses_strategy:
                raise Refusal("MT105", use.node, "it is a keyword of `dict(...)`")
            self._texts.parts[use.node] = new
            return
        quote = self._program.text(use.node)[-1]
        self._texts.parts[use.node] = f"{quote}{new}{quote}"
        if new == STRATEGY_KWARGS and self._chooses_strategy:
            self._rename_strategy(use, quote)

    def _rename_strategy(self, use: KeyUse, quote: str) -> None:
        """`_strategy_config` held the name with the arguments; its dictionary holds the class beside them."""
        program = self._program
        parent = program.parent(use.node)
        strategy = f"{quote}{STRATEGY}{quote}"
        if isinstance(parent, cst.DictElement):
            self._texts.parts[use.node] = strategy
            self._texts.parts[parent.value] = self._strategy_display(parent.value)
            return
        part = program.parent(program.parent(parent)) if isinstance(parent, cst.Index) else None  # type: ignore[arg-type]
        if not isinstance(part, cst.Subscript):
            raise Refusal("MT105", use.node, "the strategy may be looked for here")
        entry = program.parent(part)
        target = program.parent(entry) if isinstance(entry, cst.Subscript) else None
        index = entry.slice[0].slice if isinstance(entry, cst.Subscript) else None
        statement = program.parent(target) if isinstance(target, cst.AssignTarget) else None
        if isinstance(index, cst.Index) and string(index.value) == STRATEGY_NAME and isinstance(statement, cst.Assign):
            self._texts.parts[use.node] = strategy
            self._texts.parts[index.value] = f"{quote}class{quote}"
            chosen = self._strategies.class_for(statement.value, statement, program.indent(statement))
            self._texts.parts[statement.value] = chosen
        elif isinstance(entry, cst.AssignTarget):
            whole = program.parent(entry)
            assert isinstance(whole, cst.Assign)
            self._texts.parts[use.node] = strategy
            self._texts.parts[whole.value] = self._strategy_display(whole.value)
        else:
            self._texts.parts[use.node] = f"{strategy}][{quote}kwargs{quote}"

    def _strategy_display(self, node: cst.BaseExpression) -> str:
        """A `_strategy_config` that is written out."""
        if not isinstance(node, cst.Dict):
            raise Refusal("MT105", node, "the strategy's settings are not written out here")
        indent = self._program.indent(node)
        name = None
        entries = []
        for element in node.elements:
            key = string(element.key) if isinstance(element, cst.DictElement) else None
            if key is None:
                raise Refusal("MT105", node, "the strategy's name may be among these settings")
            if key == STRATEGY_NAME:
                name = element.value
            else:
                entries.append(Argument(f'"{key}": {self._texts.of(element.value, indent)}'))
        kwargs = f"{{{', '.join(entry.text for entry in entries)}}}"
        return f'{{"class": {self._strategies.class_for(name, node, indent)}, "kwargs": {kwargs}}}'
