"""What an expression surely holds of a training run: its result, a checkpoint, or something that leads to one."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import Binding, BindingKind, own_returns
from migrate_trainers.rules.checkpoints.families import ACCELERATE, families_in
from migrate_trainers.rules.checkpoints.kinds import (
    ALL_CHECKPOINTS,
    CHECKPOINTS,
    Held,
    Kind,
    Listed,
    Named,
    Parts,
    attribute_of,
    element_of,
    given_by_builtin,
    merged,
    part_of,
    returned_by,
)
from migrate_trainers.rules.checkpoints.own_code import arguments_for, class_of_self, own_function
from migrate_trainers.rules.literals import is_none, string

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.checkpoints.families import Family


# Methods that put something into a list.
_ADDING = ("append", "appendleft", "add")


class Holdings:
    """Answers what expressions of one program hold of runs of one legacy trainer.

    None where that is something else, something of another trainer, or can't be seen.
    """

    def __init__(self, program: Program, family: Family) -> None:
        self._program = program
        self._family = family
        self._known: dict[cst.CSTNode, Kind | None] = {}

    def of(self, node: cst.CSTNode) -> Kind | None:
        if node not in self._known:
            # A definition that leads back to itself tells nothing.
            self._known[node] = None
            self._known[node] = self._look(node)
        return self._known[node]

    def is_checkpoint(self, node: cst.CSTNode) -> bool:
        """Whether an expression surely is a checkpoint of the trainer."""
        return self.of(node) in CHECKPOINTS

    def is_any_checkpoint(self, node: cst.CSTNode) -> bool:
        """Whether an expression surely is a checkpoint, if only of another trainer."""
        return self.of(node) in ALL_CHECKPOINTS

    def _look(self, node: cst.CSTNode) -> Kind | None:
        if isinstance(node, cst.Name):
            return self._of_bindings(self._program.reaching(node))
        if isinstance(node, cst.Attribute):
            held = self.of(node.value)
            if held:
                return attribute_of(held, node.attr.value)
            imported = self._program.named(node)
            return self._of_bindings(imported) if imported else self._of_self(node)
        if isinstance(node, cst.Call):
            return self._of_call(node)
        if isinstance(node, cst.Subscript):
            return self._of_subscript(node)
        if isinstance(node, cst.IfExp):
            return self._common([node.body, node.orelse])
        if isinstance(node, cst.BooleanOperation):
            return self._common([node.left, node.right])
        if isinstance(node, cst.Tuple):
            return Parts(tuple(self.of(element.value) for element in node.elements))
        if isinstance(node, cst.NamedExpr):
            return self.of(node.value)
        return self._of_container(node) if self._is_container(node) else None

    def _common(self, nodes: Iterable[cst.CSTNode]) -> Kind | None:
        """What several expressions hold alike, those that are None apart."""
        found = {self.of(node) for node in nodes if not (isinstance(node, cst.BaseExpression) and is_none(node))}
        return merged(found)

    def _of_call(self, node: cst.Call) -> Kind | None:
        qualified = self._program.qualified_name(node.func) or ""
        if legacy.TRAINERS.get(qualified) == self._family.trainer:
            return Held.TRAINER
        if self._family is ACCELERATE and qualified in legacy.TORCH_TRAINERS:
            return Held.TRAINER
        if qualified in legacy.TUNERS | legacy.TUNER_RESTORES:
            given = {self.of(argument.value) for argument in node.args}
            return Held.TUNER if Held.TRAINER in given else None
        if self._family is ACCELERATE and qualified in legacy.CHECKPOINT_GETTERS:
            return Held.CHECKPOINT
        if qualified in legacy.TUNE_RUN:
            return Held.ANALYSIS if node.args and self.of(node.args[0].value) is Held.TRAINER else None
        module, _, method = qualified.rpartition(".")
        if qualified in self._family.checkpoints or module in self._family.checkpoints:
            return self._of_constructor(node, method)
        if legacy.CHECKPOINTS & {qualified, module}:
            return self._of_constructor(node, method) if self._is_of_only_family else Held.ANY_CHECKPOINT
        if legacy.TRAINERS.get(module) == self._family.trainer and method == "restore":
            return Held.TRAINER
        if isinstance(node.func, cst.Attribute):
            held = self.of(node.func.value)
            if held is not None:
                return returned_by(held, node.func.attr.value)
        if isinstance(node.func, cst.Name) and not self._program.bindings(node.func):
            held = self.of(node.args[0].value) if node.args else None
            return given_by_builtin(held, node.func.value) if held is not None else None
        function = own_function(self._program, node.func)
        return self._of_function(function) if function is not None else None

    def _of_constructor(self, node: cst.Call, method: str) -> Held:
        """A checkpoint of the trainer's own class: of this file's run if made of that one's checkpoint or its path."""
        if method not in ("from_path", "from_model") and len(node.args) == 1:
            given = node.args[0].value
            if isinstance(given, cst.Attribute) and given.attr.value in ("path", "uri"):
                given = given.value
            if self.of(given) is Held.CHECKPOINT:
                return Held.CHECKPOINT
        return Held.OLD_CHECKPOINT

    def _of_subscript(self, node: cst.Subscript) -> Kind | None:
        held = self.of(node.value)
        if held is None or len(node.slice) != 1:
            return None
        index = node.slice[0].slice
        if isinstance(held, Named):
            return held.of
        if isinstance(held, Parts):
            if isinstance(index, cst.Index) and isinstance(index.value, cst.Integer):
                return part_of(held, index.value.evaluated_value)
            return None
        element = element_of(held)
        return held if element is not None and isinstance(index, cst.Slice) else element

    # Lists, tuples and dictionaries

    def _is_container(self, node: cst.CSTNode) -> bool:
        """Whether an expression makes a list or dictionary, if only an empty one."""
        if isinstance(node, cst.Call) and not node.args:
            return any(self._program.is_builtin(node.func, name) for name in ("dict", "list"))
        return isinstance(node, cst.Dict | cst.List | cst.DictComp | cst.ListComp | cst.GeneratorExp)

    def _of_container(self, node: cst.CSTNode, uses: Iterable[cst.CSTNode] = ()) -> Kind | None:
        """What a display or comprehension makes, with what is put into it where it is used."""
        values: list[cst.CSTNode] = []
        if isinstance(node, cst.DictComp):
            values.append(node.value)
        elif isinstance(node, cst.ListComp | cst.GeneratorExp):
            values.append(node.elt)
        elif isinstance(node, cst.Dict | cst.List):
            values += [element.value for element in node.elements]
        values += [value for use in uses for value in self._put_into(use)]
        found = self._common(values)
        if found is None:
            return None
        is_named = isinstance(node, cst.Dict | cst.DictComp)
        if isinstance(node, cst.Call):
            is_named = self._program.is_builtin(node.func, "dict")
        return Named(found) if is_named else Listed(found)

    def _put_into(self, use: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The expressions that are put into a list or dictionary where it is used."""
        program = self._program
        parent = program.parent(use)
        if isinstance(parent, cst.Subscript) and parent.value is use:
            target = program.parent(parent)
            assignment = program.parent(target) if isinstance(target, cst.AssignTarget) else None
            if isinstance(assignment, cst.Assign):
                yield assignment.value
        elif isinstance(parent, cst.Attribute) and parent.value is use:
            call = program.parent(parent)
            if isinstance(call, cst.Call) and call.func is parent and parent.attr.value in _ADDING:
                yield from (argument.value for argument in call.args)

    # Variables

    def _of_bindings(self, bindings: Iterable[Binding]) -> Kind | None:
        found = set()
        for binding in bindings:
            value = _assigned(binding)
            if value is None:
                found.add(self._of_binding(binding))
            elif self._is_container(value):
                found.add(self._of_container(value, self._program.uses(binding)))
            elif not is_none(value):
                found.add(self.of(value))
        return merged(found)

    def _of_binding(self, binding: Binding) -> Kind | None:
        node = binding.node
        if binding.kind is BindingKind.PARAMETER:
            assert isinstance(node, cst.Param)
            return self._of_parameter(node)
        if isinstance(node, cst.For | cst.CompFor):
            held = self.of(node.iter)
            return self._in_target(node.target, element_of(held) if held else None, binding.name)
        if isinstance(node, cst.Assign):
            held = self.of(node.value)
            return merged({self._in_target(target.target, held, binding.name) for target in node.targets})
        return None

    def _in_target(self, target: cst.CSTNode, held: Kind | None, name: str) -> Kind | None:
        """What a name in an assignment's target is bound to, if the whole target is bound to `held`."""
        if held is None:
            return None
        if isinstance(target, cst.Name):
            return held if target.value == name else None
        if isinstance(target, cst.Tuple | cst.List):
            found = {
                self._in_target(element.value, part_of(held, index), name)
                for index, element in enumerate(target.elements)
                if isinstance(element, cst.Element)
            }
            return merged(found - {None})
        return None

    def _of_parameter(self, parameter: cst.Param) -> Kind | None:
        """What every call of the file gives for a parameter; without calls, what its annotation names."""
        function = self._program.enclosing(parameter, (cst.FunctionDef, cst.Lambda))
        given: list[cst.BaseExpression] | None = None
        if isinstance(function, cst.FunctionDef):
            given = arguments_for(self._program, function, parameter)
        if given:
            values = [*given, parameter.default] if parameter.default is not None else given
            return self._common(values)
        return self._of_annotation(parameter.annotation) if given is not None else None

    def _of_annotation(self, annotation: cst.Annotation | None) -> Kind | None:
        return self._of_hint(annotation.annotation) if annotation is not None else None

    def _of_hint(self, hint: cst.BaseExpression) -> Kind | None:
        """What a type hint says, also one that allows None, or is a string."""
        name = string(hint)
        if name is not None:
            imported = {binding.imported for binding in self._program.module_scope.lookup(name)}
            qualified = next(iter(imported)) if len(imported) == 1 else None
        elif isinstance(hint, cst.BinaryOperation):
            parts = [part for part in (hint.left, hint.right) if not is_none(part)]
            return self._of_hint(parts[0]) if len(parts) == 1 else None
        elif isinstance(hint, cst.Subscript):
            index = hint.slice[0].slice
            is_optional = self._program.qualified_name(hint.value) == "typing.Optional"
            return self._of_hint(index.value) if is_optional and isinstance(index, cst.Index) else None
        else:
            qualified = self._program.qualified_name(hint)
        if qualified in self._family.checkpoints:
            return Held.OLD_CHECKPOINT
        if qualified in legacy.CHECKPOINTS:
            return Held.OLD_CHECKPOINT if self._is_of_only_family else Held.ANY_CHECKPOINT
        is_result = legacy.CONFIG_CLASSES.get(qualified or "") == "Result"
        return Held.RESULT if is_result and self._is_of_only_family else None

    @cached_property
    def _is_of_only_family(self) -> bool:
        """Whether all that the program does with runs is about this trainer's."""
        return families_in(self._program) == [self._family]

    # Functions and attributes of the file

    def _of_function(self, function: cst.FunctionDef) -> Kind | None:
        returned = [one.value for one in own_returns(function.body) if one.value is not None]
        return self._common(returned)

    def _of_self(self, node: cst.Attribute) -> Kind | None:
        """What the methods of a class assign to an attribute of `self`."""
        owner = class_of_self(self._program, node)
        if owner is None:
            return None
        values: list[cst.BaseExpression] = []
        uses = []
        for other in self._program.attributes:
            target = self._program.parent(other)
            if other.attr.value != node.attr.value:
                continue
            uses.append(other)
            if not isinstance(target, cst.AssignTarget | cst.AnnAssign):
                continue
            if isinstance(target, cst.AnnAssign) and target.target is not other:
                continue
            if class_of_self(self._program, other) is not owner:
                return None
            assignment = target if isinstance(target, cst.AnnAssign) else self._program.parent(target)
            assert isinstance(assignment, cst.Assign | cst.AnnAssign)
            if assignment.value is not None:
                values.append(assignment.value)
        if any(self._is_container(value) for value in values):
            return merged({self._of_container(value, uses) for value in values})
        return self._common(values)


def _assigned(binding: Binding) -> cst.BaseExpression | None:
    """The expression whose value a binding takes, also as one of a tuple: `best, loss = result, 0.1`."""
    node = binding.node
    if not isinstance(node, cst.Assign) or not isinstance(node.value, cst.Tuple) or len(node.targets) != 1:
        return node.value if isinstance(node, cst.NamedExpr) else binding.value
    target = node.targets[0].target
    if not isinstance(target, cst.Tuple | cst.List) or len(target.elements) != len(node.value.elements):
        return binding.value
    for one, element in zip(target.elements, node.value.elements, strict=True):
        if isinstance(one, cst.StarredElement) or isinstance(element, cst.StarredElement):
            return None
        if isinstance(one.value, cst.Name) and one.value.value == binding.name:
            return element.value
    return None
