"""What a script says of its device becomes the worker's: `ray.train.torch.get_device()`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.plain_torch.variables import is_handed_on, readings, variable
from migrate_trainers.reading.source import Edit
from migrate_trainers.rules.literals import string

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.rules.rewrite import Rewrite

_AVAILABLE = frozenset({"torch.cuda.is_available", "torch.accelerator.is_available"})
_ACCELERATOR = "torch.accelerator.current_accelerator"
_INDEX = re.compile(r"(?:\w+\.)*(?:(?:local_)?rank|gpu(?:_id)?|device_id)", re.IGNORECASE)
_KEYWORDS = frozenset({"device", "map_location"})


def take_workers_devices(rewrite: Rewrite, code: Sequence[cst.CSTNode], *, moves_module: bool) -> None:
    """Note the edits of all devices in some code that workers run; the module's own variables may be the driver's."""
    _Devices(rewrite, moves_module=moves_module).edit(code)


class _Devices:
    def __init__(self, rewrite: Rewrite, *, moves_module: bool) -> None:
        self._moves_module = moves_module
        self._rewrite = rewrite
        self._program = rewrite.program
        self._done: list[cst.CSTNode] = []

    def edit(self, code: Sequence[cst.CSTNode]) -> None:
        for node in code:
            for call in self._program.calls:
                if self._program.contains(node, call) and not self._is_done(call):
                    self._edit_call(call)
            for name in self._program.names:
                if self._program.contains(node, name) and self._is_modules_device(name):
                    self._edit_read(name)
            for choice in _conditionals(node):
                if not self._is_done(choice) and self._is_gpu_choice(choice):
                    self._edit_choice(choice)

    def _is_done(self, node: cst.CSTNode) -> bool:
        return any(self._program.contains(one, node) for one in self._done)

    def _replace(self, node: cst.BaseExpression, text: str = "") -> None:
        device = self._rewrite.function_named("ray.train.torch.get_device")
        self._done.append(node)
        self._rewrite.edits.append(Edit(*self._program.outer_span(node), text or f"{device}()"))

    def _is_modules_device(self, name: cst.Name) -> bool:
        """Whether a name reads a variable of the module, which the driver sets, for a GPU if there is one."""
        binding = None if self._moves_module else self._program.sole_assignment(name)
        if binding is None or binding.scope is not self._program.module_scope or binding.value is None:
            return False
        value = binding.value
        if isinstance(value, cst.Call) and self._program.qualified_name(value.func) == "torch.device" and value.args:
            value = value.args[0].value
        return isinstance(value, cst.IfExp) and self._is_gpu_choice(value)

    def _edit_read(self, name: cst.Name) -> None:
        """`DEVICE`, where a worker asks for its own."""
        is_device = isinstance(self._program.assigned_value(name), cst.Call)
        is_default = self._program.enclosing(name, cst.Param) is not None
        if not is_default and (is_device or (self._takes_device(name) and not is_handed_on(self._program, name))):
            self._replace(name)
        else:
            self._rewrite.review("MT638", name, f"`{name.value}` is the driver's")

    def _edit_call(self, call: cst.Call) -> None:
        program = self._program
        qualified = program.qualified_name(call.func)
        first = call.args[0].value if call.args and not call.args[0].star else None
        if qualified == "torch.device" and first is not None:
            self._edit_device(call, first)
        elif qualified == _ACCELERATOR and not isinstance(program.parent(call), cst.Attribute):
            self._replace(call)
        elif qualified == "torch.cuda.set_device" and first is not None:
            if self._is_gpu(first):
                self._replace(first)
        elif isinstance(call.func, cst.Attribute) and call.func.attr.value == "cuda" and qualified is None:
            self._edit_cuda(call)
        elif _is_to(call) and qualified is None and self._names_gpu_first(call):
            self._replace(call.args[0].value)
        for argument in call.args:
            if argument.keyword is not None and argument.keyword.value in _KEYWORDS and _is_cuda(argument.value):
                self._replace(argument.value)

    def _names_gpu_first(self, call: cst.Call) -> bool:
        return bool(call.args) and call.args[0].keyword is None and self._is_gpu(call.args[0].value)

    def _edit_device(self, call: cst.Call, first: cst.BaseExpression) -> None:
        """`torch.device(...)` of a GPU, or of one if there is one."""
        if isinstance(first, cst.IfExp) and self._is_gpu_choice(first):
            self._replace(call)
        elif isinstance(first, cst.IfExp) and self._is_gpu(first.body) and string(first.orelse) == "cpu":
            device = self._rewrite.function_named("ray.train.torch.get_device")
            rest = f"{self._program.text(call.func)}({self._program.text(first.orelse)})"
            text = f"{device}() if {self._program.text(first.test)} else {rest}"
            is_whole = isinstance(self._program.parent(call), cst.Assign | cst.AnnAssign)
            self._replace(call, text if is_whole else f"({text})")
        elif self._is_gpu(first):
            self._replace(call)

    def _edit_cuda(self, call: cst.Call) -> None:
        """`tensor.cuda(rank, non_blocking=True)` as `tensor.to(device, non_blocking=True)`."""
        assert isinstance(call.func, cst.Attribute)
        program, span = self._program, self._program.span
        kept = [one for one in call.args if one.keyword is not None and one.keyword.value == "non_blocking"]
        rest = "".join(f", {program.text(one).rstrip(', ')}" for one in kept)
        device = self._rewrite.function_named("ray.train.torch.get_device")
        start, end = span(call.func.attr)[0], span(call)[1]
        self._rewrite.edits.append(Edit(start, end, f"to({device}(){rest})"))

    def _edit_choice(self, choice: cst.IfExp) -> None:
        """`"cuda" if torch.cuda.is_available() else "cpu"`, whose value is a string."""
        if self._may_be_device(choice):
            self._replace(choice)
        else:
            self._rewrite.review("MT638", choice, f"`{self._program.text(choice)}`")

    def _may_be_device(self, choice: cst.IfExp) -> bool:
        """Whether all that reads the string takes a device as well."""
        program = self._program
        above = program.parent(choice)
        if isinstance(above, cst.Arg):
            return self._takes_device(choice)
        target = above.targets[0].target if isinstance(above, cst.Assign) and len(above.targets) == 1 else None
        if not isinstance(target, cst.Name):
            return False
        bindings = program.scope(choice).lookup(target.value)
        if not bindings:
            return False
        return all(self._takes_device(name) for name in readings(program, (bindings[0].scope, target.value)))

    def _takes_device(self, node: cst.BaseExpression) -> bool:
        program = self._program
        above = program.parent(node)
        if isinstance(above, cst.FormattedStringExpression):
            return True
        call = program.parent(above) if isinstance(above, cst.Arg) else None
        if not isinstance(above, cst.Arg) or not isinstance(call, cst.Call):
            return False
        if isinstance(node, cst.Name) and is_handed_on(program, node):
            return True
        if above.keyword is not None:
            return above.keyword.value in _KEYWORDS
        return (
            _is_to(call)
            or program.qualified_name(call.func) == "torch.device"
            or program.is_builtin(call.func, "print")
        )

    def _is_gpu_choice(self, choice: cst.IfExp) -> bool:
        """Whether a conditional is a GPU where there is one, else no other device than Ray knows."""
        program = self._program
        test = choice.test
        if not isinstance(test, cst.Call) or program.qualified_name(test.func) not in _AVAILABLE:
            return False
        if not self._is_gpu(choice.body) and not self._is_accelerator(choice.body):
            return False
        rest = choice.orelse
        while isinstance(rest, cst.IfExp) and string(rest.body) == "mps":
            rest = rest.orelse
        return string(rest) == "cpu"

    def _is_accelerator(self, node: cst.BaseExpression) -> bool:
        inner = node.value if isinstance(node, cst.Attribute) else node
        return isinstance(inner, cst.Call) and self._program.qualified_name(inner.func) == _ACCELERATOR

    def _is_gpu(self, node: cst.BaseExpression) -> bool:
        """Whether an expression names a GPU, or is its number among those of the machine."""
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Modulo):
            return self._is_gpu(node.left)
        if isinstance(node, cst.Name) and variable(self._program, node) is None:
            return False
        return _is_cuda(node) or _INDEX.fullmatch(self._program.text(node)) is not None


def _is_to(call: cst.Call) -> bool:
    return isinstance(call.func, cst.Attribute) and call.func.attr.value == "to"


def _is_cuda(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.FormattedString):
        first = node.parts[0] if node.parts else None
        return isinstance(first, cst.FormattedStringText) and first.value.startswith("cuda")
    return (string(node) or "").startswith("cuda")


def _conditionals(node: cst.CSTNode) -> list[cst.IfExp]:
    """The conditional expressions below a node, the outer ones first."""
    found = [node] if isinstance(node, cst.IfExp) else []
    return found + [one for child in node.children for one in _conditionals(child)]
