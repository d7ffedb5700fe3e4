"""`checkpoint.to_uri(uri)`: a function of the file copies the checkpoint's files there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.rules.checkpoints.opening import write_call
from migrate_trainers.rules.checkpoints.removed import is_checkpoint
from migrate_trainers.writing import templates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.rules.checkpoints.readers import Readers


def migrate_uploads(families: Sequence[Readers]) -> None:
    """Rewrite every `to_uri` of what surely is a checkpoint."""
    for readers in families[:1]:
        program = readers.program
        for call in program.calls:
            if not isinstance(call.func, cst.Attribute) or call.func.attr.value != "to_uri":
                continue
            owner = call.func.value
            if any(one.held.is_any_checkpoint(owner) for one in families) or is_checkpoint(program, owner):
                readers.explained.add(call.func)
                write_call(readers, call, _upload(readers, call))


def _upload(readers: Readers, call: cst.Call) -> str:
    return readers.definition(
        "upload_checkpoint",
        call,
        lambda name: templates.UPLOAD_CHECKPOINT.format(
            name=name, copy_files=readers.rewrite.imports.name("pyarrow.fs.copy_files")
        ),
    )
