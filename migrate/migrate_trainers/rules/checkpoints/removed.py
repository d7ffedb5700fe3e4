"""Methods of the old Checkpoint class that nothing rewrites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.checkpoints.readers import Readers


# The modules whose `Checkpoint` is Ray's.
_HOMES = ("ray.air", "ray.air.checkpoint", "ray.train")


def refuse_removed_methods(readers: Readers) -> None:
    """Raise `Refusal` for methods that no rule has rewritten, where the object is surely a checkpoint of Ray."""
    program = readers.program
    for attribute in program.attributes:
        name = attribute.attr.value
        if name not in legacy.REMOVED_CHECKPOINT_METHODS or attribute in readers.explained:
            continue
        is_class = (program.qualified_name(attribute.value) or "").rpartition(".")[0] in _HOMES
        if is_class or readers.held.is_checkpoint(attribute.value) or is_checkpoint(program, attribute.value):
            if name == "get_model" and reads_lightning(program):
                raise Refusal("MT411", attribute, f"`{program.text(attribute.value)}` may be of another trainer")
            raise Refusal("MT401", attribute, f"`{name}` of a checkpoint")
        if name == "get_model" and _may_be_checkpoint(program, attribute.value):
            raise Refusal("MT411", attribute, f"what `{program.text(attribute.value)}` is can't be seen")


def _may_be_checkpoint(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an object that nothing else explains may be a Lightning checkpoint: by its name, or by the imports."""
    if program.qualified_name(node) is not None or (isinstance(node, cst.Name) and node.value in ("self", "cls")):
        return False
    text = program.text(node).lower()
    return (reads_lightning(program) and ("checkpoint" in text or "ckpt" in text)) or any(
        binding.imported in legacy.LIGHTNING_CHECKPOINTS
        for scope in program.all_scopes()
        for bindings in scope.bindings.values()
        for binding in bindings
    )


def reads_lightning(program: Program) -> bool:
    """Whether a program imports LightningTrainer or what reads its checkpoints."""
    return any(
        binding.imported in legacy.READERS or legacy.TRAINERS.get(binding.imported or "") == legacy.LIGHTNING_TRAINER
        for scope in program.all_scopes()
        for bindings in scope.bindings.values()
        for binding in bindings
    )


def is_checkpoint(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an expression is surely a checkpoint of Ray: a result's, or what a worker got."""
    if isinstance(node, cst.Attribute):
        return node.attr.value == "checkpoint"
    if isinstance(node, cst.Call):
        qualified = program.qualified_name(node.func) or ""
        return qualified in ("ray.air.session.get_checkpoint", "ray.train.get_checkpoint")
    if isinstance(node, cst.Name):
        return any(
            binding.value is not None and binding.value is not node and is_checkpoint(program, binding.value)
            for binding in program.bindings(node)
            if not isinstance(binding.value, cst.Name)
        )
    return False
