"""Methods of the old Checkpoint class that nothing rewrites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.families import LIGHTNING, TRANSFORMERS, families_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.checkpoints.families import Family
    from migrate_trainers.rules.checkpoints.readers import Readers


# The file in which the old class kept a dictionary.
_DICTIONARY_FILE = "dict_checkpoint.pkl"
# That of a TorchCheckpoint since it is a folder.
_MODEL_FILE = "model.pt"
# What the families' own checkpoint classes loaded.
_LOADING = {
    "get_model": (LIGHTNING, TRANSFORMERS),
    "get_tokenizer": (TRANSFORMERS,),
    "get_training_arguments": (TRANSFORMERS,),
}

# What there is instead, where the finding's own advice doesn't say it.
_IN_A_FILE = ": pickle the preprocessor into the folder, or keep it in a variable of the driver"
_AS_A_FOLDER = ": `to_directory` writes its files to a folder, and `Checkpoint.from_directory` takes one"
_ADVICE = {
    "uri": ": it lies at `path` on `filesystem`, and `Checkpoint(path, filesystem)` is the same again",
    "to_bytes": _AS_A_FOLDER,
    "from_bytes": _AS_A_FOLDER,
    "get_preprocessor": _IN_A_FILE,
    "set_preprocessor": _IN_A_FILE,
    "get_internal_representation": ": it always is a folder",
}
# Methods that are Ray's where the object is called a checkpoint.
_DISTINCT = ("to_dict", "to_bytes", "to_uri", "get_preprocessor", "set_preprocessor")


def refuse_removed_methods(program: Program, readers: Sequence[Readers]) -> None:
    """Raise `Refusal` for methods that no rule has rewritten, where the object is surely a checkpoint of Ray."""
    explained = {node for one in readers for node in one.explained}
    families = families_in(program)
    is_folder = any(one.rewrite.settings.source >= legacy.FIRST_TARGET for one in readers)
    keeps_model_file = is_folder and not legacy.TORCH_CHECKPOINTS.isdisjoint(program.reached_names)
    for node in program.strings:
        if _DICTIONARY_FILE in program.text(node):
            raise Refusal("MT401", node, f"the file `{_DICTIONARY_FILE}` of a checkpoint")
        if keeps_model_file and _MODEL_FILE in program.text(node):
            raise Refusal("MT401", node, f"the file `{_MODEL_FILE}` of a TorchCheckpoint")
    for attribute in program.attributes:
        name = attribute.attr.value
        if name not in legacy.REMOVED_CHECKPOINT_METHODS or attribute in explained:
            continue
        owner = attribute.value
        loading = next((family for family in _LOADING.get(name, ()) if family in families), None)
        is_class = any(binding.imported in legacy.CHECKPOINTS for binding in program.named(owner))
        is_class = is_class or program.qualified_name(owner) in legacy.CHECKPOINTS
        if is_class or any(one.held.is_any_checkpoint(owner) for one in readers) or is_checkpoint(program, owner):
            if loading is not None:
                raise Refusal(loading.unseen, attribute, f"`{program.text(owner)}` may be of another trainer")
            raise Refusal("MT401", attribute, f"`{name}` of a checkpoint{_ADVICE.get(name, '')}")
        if loading is not None and _may_be_checkpoint(program, owner, loading):
            raise Refusal(loading.unseen, attribute, f"what `{program.text(owner)}` is can't be seen")
        if name in _DISTINCT and _is_named_checkpoint(owner) and program.qualified_name(owner) is None:
            raise Refusal("MT401", attribute, f"what `{program.text(owner)}` is can't be seen")


def _may_be_checkpoint(program: Program, node: cst.BaseExpression, family: Family) -> bool:
    """Whether an object that nothing else explains may be a checkpoint of a trainer: by its name, or by the imports."""
    if program.qualified_name(node) is not None or (isinstance(node, cst.Name) and node.value in ("self", "cls")):
        return False
    text = program.text(node).lower()
    return "checkpoint" in text or "ckpt" in text or not family.checkpoints.isdisjoint(program.imported_names)


def _is_named_checkpoint(node: cst.BaseExpression) -> bool:
    """Whether a variable or attribute is called a checkpoint."""
    name = node.attr.value if isinstance(node, cst.Attribute) else node.value if isinstance(node, cst.Name) else ""
    return name.lower().endswith(("checkpoint", "ckpt"))


def is_checkpoint(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an expression is surely a checkpoint of Ray: a result's, or what a worker got."""
    if isinstance(node, cst.Attribute):
        return node.attr.value == "checkpoint"
    if isinstance(node, cst.Call):
        return program.qualified_name(node.func) in legacy.CHECKPOINT_GETTERS
    if isinstance(node, cst.Name):
        return any(
            binding.value is not None and binding.value is not node and is_checkpoint(program, binding.value)
            for binding in program.bindings(node)
            if not isinstance(binding.value, cst.Name)
        )
    return False
