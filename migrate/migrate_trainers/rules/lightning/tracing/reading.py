"""What a file does to the configurations that belong together: every setting, wherever it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.builder import (
    METHODS,
    MethodCall,
    is_build,
    is_builder_call,
    keyword,
    positional_name,
)
from migrate_trainers.rules.lightning.flow import DICTIONARIES, BuilderFlow, Setting
from migrate_trainers.rules.lightning.sites import IGNORED
from migrate_trainers.rules.lightning.tracing.keys import KEYS, METHOD_OF_KEY, STRATEGY_NAME
from migrate_trainers.rules.lightning.tracing.possible import Builder, Config
from migrate_trainers.rules.literals import string

if TYPE_CHECKING:
    from migrate_trainers.rules.lightning.sites import LightningSite
    from migrate_trainers.rules.lightning.tracing.trace import Trace
    from migrate_trainers.rules.lightning.tracing.uses import Uses

# Methods of a dictionary that change nothing in it.
_READERS = frozenset({"get", "items", "keys", "values", "copy", "pop"})


@dataclass(frozen=True)
class KeyUse:
    """A key of a built configuration where the file writes it: a string, or a keyword of `dict(...)`."""

    node: cst.BaseExpression
    key: str


@dataclass(frozen=True)
class TracedFlow(BuilderFlow):
    """Everything that is done to some configurations, in any place.

    `method_calls` are the builder's, `chains` the outermost expressions that these (and `build()`) stand in;
    `settings` holds by method what is set without a method, by name; `edited` the methods whose dictionaries are given
    other contents that can't be seen; `keys` where the file writes keys.
    """

    method_calls: tuple[MethodCall, ...] = ()
    chains: tuple[cst.Call, ...] = ()
    settings: dict[str, dict[str, list[Setting]]] = field(default_factory=dict)
    edited: frozenset[str] = frozenset()
    keys: tuple[KeyUse, ...] = ()

    @property
    def calls(self) -> list[MethodCall]:
        return list(self.method_calls)

    def keywords(self, *methods: str) -> dict[str, list[Setting]]:
        found = super().keywords(*methods)
        for method in methods:
            for name, nodes in self.settings.get(method, {}).items():
                found.setdefault(name, []).extend(nodes)
        return found

    def unpacks(self, *methods: str) -> bool:
        return super().unpacks(*methods) or bool(self.edited & set(methods))

    @property
    def sections(self) -> list[str]:
        """The dictionaries that the train function unpacks."""
        filled = {
            DICTIONARIES[call.method]
            for call in self.method_calls
            if any(not _names_class_or_strategy(call, index) for index in range(len(call.call.args)))
        }
        filled |= {KEYS[use.key] for use in self.keys if use.key in METHOD_OF_KEY}
        return [name for name in dict.fromkeys(DICTIONARIES.values()) if name in filled]

    @property
    def chooses_strategy(self) -> bool:
        """Whether any of them may say another strategy than DDP."""
        names = self.keywords("strategy", "ddp_strategy").get("name", [])
        return self.unpacks("strategy") or any(string(setting.value) != "ddp" for setting in names)

    @property
    def other_strategies(self) -> tuple[str | None, ...]:
        named = self.settings.get("strategy", {}).get("name", [])
        # What is set in the built configuration may follow any strategy.
        return tuple(string(setting.value) for setting in named)

    @property
    def keeps_ignored(self) -> bool:
        """Whether arguments that had no effect must stay, as the file looks into the trainer's dictionary."""
        return any(use.key == "_trainer_init_config" for use in self.keys)

    @property
    def may_hold_nodes(self) -> bool:
        """Whether the trainer's dictionary may name a number of nodes, which Ray decides."""
        return self.unpacks("trainer") or (self.keeps_ignored and "num_nodes" in self.keywords("trainer"))


def read_traced(trace: Trace, uses: Uses, sites: list[LightningSite]) -> TracedFlow:
    """What is done to the configurations that some trainers get; raises `Refusal`."""
    uses.check()
    reader = _Reader(trace, uses)
    reader.read()
    place = sites[0].call_site.statement
    return TracedFlow(
        uses.root,
        (),
        place,
        False,
        (),
        tuple(reader.calls),
        tuple(reader.chains),
        reader.settings,
        frozenset(reader.edited),
        tuple(reader.keys),
    )


def _names_class_or_strategy(call: MethodCall, index: int) -> bool:
    argument = call.call.args[index]
    name = keyword(argument) or positional_name(call, index)
    is_ignored = call.method == "trainer" and name in IGNORED
    return not argument.star and (is_ignored or (call.method, name) in (("module", "cls"), ("strategy", "name")))


class _Reader:
    def __init__(self, trace: Trace, uses: Uses) -> None:
        self.trace = trace
        self.program = trace.program
        self.uses = uses
        self.calls: list[MethodCall] = []
        self.chains: list[cst.Call] = []
        self.settings: dict[str, dict[str, list[Setting]]] = {}
        self.edited: set[str] = set()
        self.keys: list[KeyUse] = []

    def read(self) -> None:
        for node in self.trace.nodes:
            if isinstance(node, cst.Call):
                self._read_call(node)
            elif isinstance(node, cst.Subscript) and self.uses.holds(self.trace.of(node.value), Config):
                self._read_subscript(node)
            elif isinstance(node, cst.Dict) and self.uses.holds(self.trace.of(node), Config):
                self._read_display(node)
            elif isinstance(node, cst.Comparison) and any(
                self.uses.holds(self.trace.of(target.comparator), Config)
                for target in node.comparisons
                if isinstance(target.operator, cst.In | cst.NotIn)
            ):
                self._note_key(node.left)

    def _read_call(self, node: cst.Call) -> None:
        owner = node.func.value if isinstance(node.func, cst.Attribute) else None
        if self.uses.holds(self.trace.of(node), Builder | Config) and self._is_step(node):  # type: ignore[arg-type]
            if isinstance(node.func, cst.Attribute) and node.func.attr.value in METHODS:
                self.calls.append(MethodCall(node.func.attr.value, node, self.program.statement(node)))
            above = self.program.parent(node)
            if not (isinstance(above, cst.Attribute) and self._is_step(self.program.parent(above))):
                self.chains.append(node)
        elif owner is not None and self.uses.holds(self.trace.of(owner), Config):
            self._read_config_method(node)
        elif self.program.is_builtin(node.func, "dict") and self.uses.holds(self.trace.of(node), Config):
            for argument in node.args:
                if argument.keyword is not None:
                    self._note_entry(argument.keyword, argument.keyword.value, argument)

    def _is_step(self, node: cst.CSTNode | None) -> bool:
        """Whether a call makes a builder, fills it, or builds it."""
        if not isinstance(node, cst.Call):
            return False
        if is_builder_call(self.program, node):
            return True
        if not isinstance(node.func, cst.Attribute):
            return False
        is_filled = node.func.attr.value in METHODS or is_build(node)
        return is_filled and self.uses.holds(self.trace.of(node.func.value), Builder)

    def _read_config_method(self, node: cst.Call) -> None:
        assert isinstance(node.func, cst.Attribute)
        name = node.func.attr.value
        if name in ("get", "pop", "setdefault"):
            key = self._note_key(node.args[0].value if node.args else node)
            if key in METHOD_OF_KEY:
                self._look_into(key, node)
        for argument in node.args if name == "update" else ():
            if argument.keyword is not None:
                self._note_entry(argument.keyword, argument.keyword.value, argument)

    def _note_key(self, node: cst.BaseExpression) -> str:
        key = string(node)
        if key is None:
            raise Refusal("MT103", node, "which part it reads is only known when it runs")
        if key not in KEYS:
            raise Refusal("MT106", node, f"a built configuration has no `{key}`")
        self.keys.append(KeyUse(node, key))
        return key

    def _read_subscript(self, node: cst.Subscript) -> None:
        index = node.slice[0].slice
        if not isinstance(index, cst.Index):
            raise Refusal("MT106", node, "a built configuration is no list")
        key = self._note_key(index.value)
        parent = self.program.parent(node)
        statement = self.program.parent(parent) if isinstance(parent, cst.AssignTarget) else None
        if isinstance(statement, cst.Assign):
            self._set(key, statement)
        elif key in METHOD_OF_KEY:
            self._look_into(key, node)

    def _read_display(self, node: cst.Dict) -> None:
        for entry in node.elements:
            if isinstance(entry, cst.DictElement):
                key = self._note_key(entry.key)
                self._set(key, entry)
            elif not self.uses.holds(self.trace.of(entry.value), Config):
                raise Refusal("MT103", entry.value, "which parts it holds is only known when it runs")

    def _note_entry(self, node: cst.BaseExpression, key: str, argument: cst.Arg) -> None:
        if key not in KEYS:
            raise Refusal("MT106", node, f"a built configuration has no `{key}`")
        self.keys.append(KeyUse(node, key))
        self._set(key, argument)

    def _set(self, key: str, setting: Setting) -> None:
        """Note what a whole part of the configuration is set to."""
        if key == "_module_class":
            self.settings.setdefault("module", {}).setdefault("cls", []).append(setting)
            return
        entries = self._entries(setting.value, key)
        if entries is None:
            self._change(key, setting.value)
            return
        for name, entry in entries:
            self._set_one(key, name, entry)

    def _set_one(self, key: str, name: str, setting: Setting) -> None:
        method = METHOD_OF_KEY[key]
        if method in ("strategy", "ddp_strategy") and name == STRATEGY_NAME:
            name = "name"
        self.settings.setdefault(method, {}).setdefault(name, []).append(setting)

    def _entries(self, node: cst.BaseExpression, key: str) -> list[tuple[str, Setting]] | None:
        """The entries that a dictionary is written out with, None where some can't be seen."""
        if isinstance(node, cst.Call) and self.program.is_builtin(node.func, "dict"):
            return self._updates(node)
        if not isinstance(node, cst.Dict):
            return None
        found: list[tuple[str, Setting]] = []
        for entry in node.elements:
            if isinstance(entry, cst.DictElement) and (name := string(entry.key)) is not None:
                found.append((name, entry))
            elif isinstance(entry, cst.DictElement) or not self._is_part(entry.value, key):
                return None
        return found

    def _updates(self, call: cst.Call) -> list[tuple[str, Setting]] | None:
        """The same for what is given to `dict(...)` or `update(...)`."""
        found: list[tuple[str, Setting]] = []
        for argument in call.args:
            if argument.keyword is not None:
                found.append((argument.keyword.value, argument))
            elif isinstance(argument.value, cst.Dict) and (entries := self._entries(argument.value, "")) is not None:
                found += entries
            else:
                return None
        return found

    def _is_part(self, node: cst.BaseExpression, key: str) -> bool:
        """Whether an expression is the same part of a configuration, whose entries are seen elsewhere."""
        if not isinstance(node, cst.Subscript) or not self.uses.holds(self.trace.of(node.value), Config):
            return False
        index = node.slice[0].slice
        return isinstance(index, cst.Index) and string(index.value) == key

    def _look_into(self, key: str, part: cst.BaseExpression) -> None:
        """Note what becomes of one part of a configuration that is read."""
        parent = self.program.parent(part)
        if isinstance(parent, cst.Subscript) and parent.value is part:
            self._look_at_entry(key, parent)
            return
        call = self.program.parent(parent) if isinstance(parent, cst.Attribute) else None
        if isinstance(call, cst.Call) and isinstance(parent, cst.Attribute) and call.func is parent:
            entries = self._updates(call) if parent.attr.value == "update" else None
            for name, entry in entries or ():
                self._set_one(key, name, entry)
            if entries is not None or parent.attr.value in _READERS:
                return
        if isinstance(parent, cst.StarredDictElement) or (isinstance(parent, cst.Arg) and parent.star == "**"):
            return
        self._change(key, part)

    def _look_at_entry(self, key: str, entry: cst.Subscript) -> None:
        program = self.program
        index = entry.slice[0].slice
        name = string(index.value) if isinstance(index, cst.Index) else None
        above = program.parent(entry)
        statement = program.parent(above) if isinstance(above, cst.AssignTarget) else None
        if name is not None and isinstance(statement, cst.Assign):
            self._set_one(key, name, statement)
        elif isinstance(above, cst.AssignTarget | cst.AugAssign | cst.AnnAssign) or name == STRATEGY_NAME:
            self._change(key, entry)

    def _change(self, key: str, node: cst.CSTNode) -> None:
        if METHOD_OF_KEY[key] == "strategy":
            raise Refusal("MT105", node, "the strategy may be changed here")
        self.edited.add(METHOD_OF_KEY[key])
