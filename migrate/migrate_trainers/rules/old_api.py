"""The old API in files without a legacy trainer: those that had one, and those that `--select MT4` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.configs import holds_old_arguments
from migrate_trainers.rules.data.preprocessor_classes import bases_to_set_up
from migrate_trainers.rules.legacy_uses import call_sites, only_reads, references
from migrate_trainers.rules.rewrite import moved_name
from migrate_trainers.rules.session import trial_getters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program
    from migrate_trainers.settings import Settings

# The finding of what is rewritten.
RULE = "MT400"
_OLD_HOMES = ("ray.air.", "ray.train.base_trainer.")
# What the output of a migration uses: a file with one of them had a legacy trainer, or could have had.
_NEW_NAMES = ("ray.train.torch.TorchTrainer", "ray.train.lightning.", "ray.train.huggingface.transformers.")


def is_taken(program: Program, settings: Settings) -> bool:
    """Whether a program without a legacy trainer is to be rewritten for what it still uses of the old API."""
    if not settings.rules.follows(RULE) or call_sites(program) or only_reads(program):
        return False
    if next(references(program), None) is not None or not (settings.rules.names(RULE) or had_trainer(program)):
        return False
    uses = old_uses(program, settings)
    # Current Ray still has TorchCheckpoint.
    is_named = settings.rules.names(RULE)
    return any(is_named or program.qualified_name(use) not in legacy.TORCH_CHECKPOINTS for use in uses)


def old_uses(program: Program, settings: Settings) -> list[cst.Name | cst.Attribute]:
    """Every expression that reaches the old API, in the order of the file."""
    return sorted(_uses(program, settings), key=lambda node: program.span(node)[0])


def check_tuners(program: Program, settings: Settings) -> None:
    """Raise `Refusal` where the sessions and configurations may be those of trials: Tune has others on current Ray."""
    runs = legacy.TUNERS | legacy.TUNE_RUNS
    for call in program.calls:
        if settings.strict_target and program.qualified_name(call.func) in runs:
            raise Refusal("MT501", call.func, "no legacy trainer is tuned here")


def had_trainer(program: Program) -> bool:
    """Whether a program uses what the output of a migration does."""
    return any(name.startswith(_NEW_NAMES) for name in program.reached_names)


def _uses(program: Program, settings: Settings) -> Iterator[cst.Name | cst.Attribute]:
    getters = legacy.SESSION_GETTERS | legacy.SESSION_TRIAL_GETTERS
    nodes: list[cst.Name | cst.Attribute] = [*program.names, *program.attributes]
    for node in nodes:
        qualified = program.qualified_name(node) or ""
        is_session = qualified.startswith(f"{legacy.SESSION_MODULE}.")
        is_of_session = is_session and qualified.rpartition(".")[2] in legacy.SESSION_FUNCTIONS | getters
        has_moved = qualified.startswith(_OLD_HOMES) and moved_name(qualified, settings) is not None
        is_other = qualified in legacy.FIRST_GETTERS or qualified in legacy.GENERAL_READERS
        if is_of_session or has_moved or is_other:
            yield node
    if settings.strict_target:
        yield from (context for _, context in trial_getters(program))
        yield from bases_to_set_up(program)
        for call in program.calls:
            if isinstance(call.func, cst.Name | cst.Attribute) and holds_old_arguments(program, call):
                yield call.func
