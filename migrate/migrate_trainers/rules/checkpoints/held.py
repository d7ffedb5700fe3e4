"""What an expression surely holds of a training run: its result, a checkpoint, or something that leads to one."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import Binding, BindingKind, own_returns
from migrate_trainers.rules.literals import is_none, string

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from migrate_trainers.reading.program import Program


class Held(Enum):
    """What there is to hold. `OLD_CHECKPOINT` may be of any run, also one that a legacy trainer made."""

    TRAINER = "a trainer"
    RESULT = "the result of a run"
    CHECKPOINT = "a checkpoint of this file's run"
    OLD_CHECKPOINT = "a checkpoint of some run"
    PAIR = "a checkpoint with its metrics"
    PAIRS = "the best checkpoints with their metrics"
    NUMBERED_PAIR = "a number and a checkpoint with its metrics"
    NUMBERED_PAIRS = "the best checkpoints, numbered"
    TUNER = "a tuner of a trainer"
    TRIALS = "the results of all trials"
    TRIAL = "the result of a trial"


CHECKPOINTS = frozenset({Held.CHECKPOINT, Held.OLD_CHECKPOINT})
_ATTRIBUTES = {
    (Held.RESULT, "checkpoint"): Held.CHECKPOINT,
    (Held.RESULT, "best_checkpoints"): Held.PAIRS,
    (Held.TRIAL, "checkpoint"): Held.CHECKPOINT,
    (Held.TRIAL, "best_checkpoints"): Held.PAIRS,
}
_METHODS = {
    (Held.TRAINER, "fit"): Held.RESULT,
    (Held.RESULT, "get_best_checkpoint"): Held.CHECKPOINT,
    (Held.TRIAL, "get_best_checkpoint"): Held.CHECKPOINT,
    (Held.TUNER, "fit"): Held.TRIALS,
    (Held.TUNER, "get_results"): Held.TRIALS,
    (Held.TRIALS, "get_best_result"): Held.TRIAL,
}
# What unpacking or indexing gives, by position.
_PARTS = {
    (Held.PAIR, 0): Held.CHECKPOINT,
    (Held.NUMBERED_PAIR, 1): Held.PAIR,
}
_ELEMENTS = {Held.PAIRS: Held.PAIR, Held.NUMBERED_PAIRS: Held.NUMBERED_PAIR, Held.TRIALS: Held.TRIAL}
# Builtins that give elements of what they are given, and those that give the same again.
_CHOOSING = ("max", "min", "next")
_COPYING = ("list", "tuple", "sorted", "reversed", "iter")


class Holdings:
    """Answers what expressions of one program hold; None where it is something else, or can't be seen."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: dict[cst.CSTNode, Held | None] = {}

    def of(self, node: cst.CSTNode) -> Held | None:
        if node not in self._known:
            # A definition that leads back to itself tells nothing.
            self._known[node] = None
            self._known[node] = self._look(node)
        return self._known[node]

    def is_checkpoint(self, node: cst.CSTNode) -> bool:
        return self.of(node) in CHECKPOINTS

    def _look(self, node: cst.CSTNode) -> Held | None:
        if isinstance(node, cst.Name):
            return self._of_bindings(self._program.bindings(node))
        if isinstance(node, cst.Attribute):
            held = self.of(node.value)
            return _ATTRIBUTES.get((held, node.attr.value)) if held else self._of_self(node)
        if isinstance(node, cst.Call):
            return self._of_call(node)
        if isinstance(node, cst.Subscript):
            return self._of_subscript(node)
        if isinstance(node, cst.IfExp):
            return self._common([node.body, node.orelse])
        if isinstance(node, cst.BooleanOperation):
            return self._common([node.left, node.right])
        return self.of(node.value) if isinstance(node, cst.NamedExpr) else None

    def _common(self, nodes: Iterable[cst.CSTNode]) -> Held | None:
        """What several expressions hold alike, those that are None apart."""
        found = {self.of(node) for node in nodes if not (isinstance(node, cst.BaseExpression) and is_none(node))}
        return _merged(found)

    def _of_call(self, node: cst.Call) -> Held | None:
        qualified = self._program.qualified_name(node.func) or ""
        if legacy.TRAINERS.get(qualified) == legacy.LIGHTNING_TRAINER:
            return Held.TRAINER
        if qualified in legacy.TUNERS | legacy.TUNER_RESTORES:
            given = {self.of(argument.value) for argument in node.args}
            return Held.TUNER if Held.TRAINER in given else None
        module, _, method = qualified.rpartition(".")
        if qualified in legacy.LIGHTNING_CHECKPOINTS or module in legacy.LIGHTNING_CHECKPOINTS:
            return self._of_constructor(node, method)
        if legacy.TRAINERS.get(module) == legacy.LIGHTNING_TRAINER and method == "restore":
            return Held.TRAINER
        if isinstance(node.func, cst.Attribute):
            held = self.of(node.func.value)
            if held is not None:
                return _METHODS.get((held, node.func.attr.value))
        if isinstance(node.func, cst.Name) and not self._program.bindings(node.func):
            return self._of_builtin(node.func.value, node)
        function = self._own_function(node.func)
        return self._of_function(function) if function is not None else None

    def _of_constructor(self, node: cst.Call, method: str) -> Held:
        """A LightningCheckpoint: of this file's run if it is made of that one's checkpoint or its path."""
        if method != "from_path" and len(node.args) == 1:
            given = node.args[0].value
            if isinstance(given, cst.Attribute) and given.attr.value in ("path", "uri"):
                given = given.value
            if self.of(given) is Held.CHECKPOINT:
                return Held.CHECKPOINT
        return Held.OLD_CHECKPOINT

    def _of_builtin(self, name: str, node: cst.Call) -> Held | None:
        held = self.of(node.args[0].value) if node.args else None
        if held is None:
            return None
        if name in _COPYING:
            return held if held in _ELEMENTS else None
        if name == "enumerate":
            return Held.NUMBERED_PAIRS if held is Held.PAIRS else None
        return _ELEMENTS.get(held) if name in _CHOOSING else None

    def _of_subscript(self, node: cst.Subscript) -> Held | None:
        held = self.of(node.value)
        if held is None or len(node.slice) != 1:
            return None
        index = node.slice[0].slice
        if held in _ELEMENTS:
            return held if isinstance(index, cst.Slice) else _ELEMENTS[held]
        if isinstance(index, cst.Index) and isinstance(index.value, cst.Integer):
            return _PARTS.get((held, index.value.evaluated_value))
        return None

    # Variables

    def _of_bindings(self, bindings: Iterable[Binding]) -> Held | None:
        found = set()
        for binding in bindings:
            if binding.value is None or not is_none(binding.value):
                found.add(self._of_binding(binding))
        return _merged(found)

    def _of_binding(self, binding: Binding) -> Held | None:
        node = binding.node
        if binding.kind is BindingKind.PARAMETER:
            assert isinstance(node, cst.Param)
            return self._of_parameter(node)
        if binding.value is not None:
            return self.of(binding.value)
        if isinstance(node, cst.For | cst.CompFor):
            held = self.of(node.iter)
            return self._in_target(node.target, _ELEMENTS.get(held) if held else None, binding.name)
        if isinstance(node, cst.Assign):
            held = self.of(node.value)
            return _merged({self._in_target(target.target, held, binding.name) for target in node.targets})
        return self.of(node.value) if isinstance(node, cst.NamedExpr) else None

    def _in_target(self, target: cst.CSTNode, held: Held | None, name: str) -> Held | None:
        """What a name in an assignment's target is bound to, if the whole target is bound to `held`."""
        if held is None:
            return None
        if isinstance(target, cst.Name):
            return held if target.value == name else None
        if isinstance(target, cst.Tuple | cst.List):
            found = {
                self._in_target(element.value, _PARTS.get((held, index)), name)
                for index, element in enumerate(target.elements)
                if isinstance(element, cst.Element)
            }
            return _merged(found - {None})
        return None

    def _of_parameter(self, parameter: cst.Param) -> Held | None:
        """What every call of the file gives for a parameter; without calls, what its annotation names."""
        function = self._program.enclosing(parameter, (cst.FunctionDef, cst.Lambda))
        given: list[cst.BaseExpression] | None = None
        if isinstance(function, cst.FunctionDef):
            given = self._arguments_for(function, parameter)
        if given:
            values = [*given, parameter.default] if parameter.default is not None else given
            return self._common(values)
        return self._of_annotation(parameter.annotation) if given is not None else None

    def _arguments_for(self, function: cst.FunctionDef, parameter: cst.Param) -> list[cst.BaseExpression] | None:
        """What the calls of a function give for one of its parameters; None where the function is used otherwise."""
        parameters = [*function.params.posonly_params, *function.params.params]
        names = [one.name.value for one in (*parameters, *function.params.kwonly_params)]
        if parameter.name.value not in names or function.decorators:
            return None
        is_method = isinstance(self._program.parent(self._program.block(function)), cst.ClassDef)
        found = []
        for use in self._uses_of_function(function):
            call = self._program.parent(use)
            if not isinstance(call, cst.Call) or call.func is not use or any(one.star for one in call.args):
                return None
            for index, argument in enumerate(call.args):
                name = argument.keyword.value if argument.keyword is not None else None
                position = index + is_method
                if name is None and position < len(parameters):
                    name = parameters[position].name.value
                if name == parameter.name.value:
                    found.append(argument.value)
        return found

    def _uses_of_function(self, function: cst.FunctionDef) -> Iterator[cst.CSTNode]:
        program, name = self._program, function.name.value
        owner = program.parent(program.block(function))
        if isinstance(owner, cst.ClassDef) and name == "__init__":
            for binding in program.scope(program.block(owner)).lookup(owner.name.value):
                yield from program.uses(binding)
            return
        if isinstance(owner, cst.ClassDef):
            for attribute in program.attributes:
                if attribute.attr.value == name:
                    yield attribute
            return
        for binding in program.scope(program.block(function)).lookup(name):
            if binding.node is function:
                yield from program.uses(binding)

    def _of_annotation(self, annotation: cst.Annotation | None) -> Held | None:
        return self._of_hint(annotation.annotation) if annotation is not None else None

    def _of_hint(self, hint: cst.BaseExpression) -> Held | None:
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
        if qualified in legacy.LIGHTNING_CHECKPOINTS:
            return Held.OLD_CHECKPOINT
        return Held.RESULT if legacy.CONFIG_CLASSES.get(qualified or "") == "Result" else None

    # Functions and attributes of the file

    def _own_function(self, node: cst.BaseExpression) -> cst.FunctionDef | None:
        """The function or method of the file that an expression calls."""
        if isinstance(node, cst.Name):
            bindings = self._program.bindings(node)
            definition = bindings[0].node if len(bindings) == 1 else None
        else:
            definition = self._own_method(node)
        if not isinstance(definition, cst.FunctionDef) or definition.decorators or definition.asynchronous:
            return None
        return definition

    def _own_method(self, node: cst.BaseExpression) -> cst.CSTNode | None:
        owner = self._class_of_self(node)
        if owner is None or not isinstance(node, cst.Attribute):
            return None
        found = [
            statement
            for statement in owner.body.body
            if isinstance(statement, cst.FunctionDef) and statement.name.value == node.attr.value
        ]
        return found[0] if len(found) == 1 else None

    def _of_function(self, function: cst.FunctionDef) -> Held | None:
        returned = [one.value for one in own_returns(function.body) if one.value is not None]
        return self._common(returned)

    def _of_self(self, node: cst.Attribute) -> Held | None:
        """What the methods of a class assign to an attribute of `self`."""
        owner = self._class_of_self(node)
        if owner is None:
            return None
        values: list[cst.CSTNode] = []
        for other in self._program.attributes:
            target = self._program.parent(other)
            if other.attr.value != node.attr.value or not isinstance(target, cst.AssignTarget | cst.AnnAssign):
                continue
            if isinstance(target, cst.AnnAssign) and target.target is not other:
                continue
            if self._class_of_self(other) is not owner:
                return None
            assignment = target if isinstance(target, cst.AnnAssign) else self._program.parent(target)
            assert isinstance(assignment, cst.Assign | cst.AnnAssign)
            if assignment.value is not None:
                values.append(assignment.value)
        return self._common(values)

    def _class_of_self(self, node: cst.CSTNode) -> cst.ClassDef | None:
        """The class in whose methods `self.name` stands."""
        if not isinstance(node, cst.Attribute) or not isinstance(node.value, cst.Name) or node.value.value != "self":
            return None
        return self._program.enclosing(node, cst.ClassDef)


def _merged(found: set[Held | None]) -> Held | None:
    """One answer for several places: old and new checkpoints together may be either."""
    if len(found) == 1:
        return next(iter(found))
    return Held.OLD_CHECKPOINT if found and found <= CHECKPOINTS else None
