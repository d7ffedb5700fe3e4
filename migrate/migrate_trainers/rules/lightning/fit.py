"""The last lines of a train function: `trainer.fit`, from a checkpoint where there can be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.writing import templates
from migrate_trainers.writing.render import free_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from migrate_trainers.rules.lightning.sites import GivenCheckpoint
    from migrate_trainers.rules.rewrite import Rewrite


def fit_lines(
    rewrite: Rewrite,
    body: str,
    used: Collection[str],
    given: GivenCheckpoint | None,
    file: str,
    fit: Callable[[int, str | None], str],
) -> list[str]:
    """Lines that fit from the latest checkpoint if there is one.

    `body` is the function's indentation, `used` names that may not be hidden, `given` what the trainer was given to
    start from, with the text by which the function reads it, `file` how new checkpoints name theirs, and `fit` the call
    at a depth of blocks, from a checkpoint file or afresh.
    """
    unit = rewrite.program.module.default_indent
    checkpoint = free_name(used, "checkpoint", "ray_checkpoint")
    folder = free_name(used, "checkpoint_dir", "checkpoint_folder")
    path = free_name(used, "ckpt_path", "checkpoint_path")
    found = f"{rewrite.function_named('ray.train.get_checkpoint')}()"
    os = rewrite.imports.module("os")
    inner, deeper = body + unit, body + unit * 2
    start = given.text if given and given.is_file else None
    given_text = f" or {given.text}" if given and not given.is_file else ""
    lines = [
        f"{body}{checkpoint} = {found}{given_text}",
        f"{body}if {checkpoint}:",
        f"{inner}with {checkpoint}.as_directory() as {folder}:",
        f'{deeper}{path} = {os}.path.join({folder}, "{file}")',
    ]
    if given_text and not (given and given.is_own):
        other = templates.other_file(file)
        comment = "  # as LightningTrainer wrote it" if other == templates.LEGACY_LIGHTNING_CHECKPOINT else ""
        lines.append(f"{deeper}if not {os}.path.exists({path}):")
        lines.append(f'{deeper}{unit}{path} = {os}.path.join({folder}, "{other}"){comment}')
    return [*lines, f"{deeper}{fit(2, path)}", f"{body}else:", f"{inner}{fit(1, start)}"]
