"""AccelerateTrainer: its train function stays; what `accelerate_config` set is given to `Accelerator`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.accelerate.configuration import read_settings
from migrate_trainers.rules.accelerate.train_function import carry_over
from migrate_trainers.rules.trainer_call import (
    is_absent,
    refuse_datasets,
    refuse_unsupported,
    rename_trainer,
    trainer_arguments,
)
from migrate_trainers.writing.placement import definition

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.rules.rewrite import CallSite, Rewrite

_OWN_ARGUMENTS = ("train_loop_per_worker", "train_loop_config", "accelerate_config")


def migrate_accelerate(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's AccelerateTrainers; raises `Refusal` for the first that can't be."""
    functions: set[cst.CSTNode] = set()
    for site in sites:
        _migrate(rewrite, site, functions)


def _migrate(rewrite: Rewrite, site: CallSite, functions: set[cst.CSTNode]) -> None:
    arguments = read_arguments(rewrite, site)
    settings = read_settings(rewrite, site, arguments)
    wrapper = carry_over(rewrite, site, arguments, settings, functions)
    if wrapper is not None:
        rewrite.edits += definition(rewrite.program, site.statement, [wrapper.definition])
        function = arguments["train_loop_per_worker"]
        keyword = "" if function.keyword is None else "train_loop_per_worker="
        rewrite.arguments_of(site.call).replace(function, f"{keyword}{wrapper.name}")
    rename_trainer(rewrite, site)


def read_arguments(rewrite: Rewrite, site: CallSite) -> dict[str, cst.Arg]:
    """An AccelerateTrainer's arguments by name; raises `Refusal` for those that can't be carried over."""
    arguments = trainer_arguments(site, _OWN_ARGUMENTS)
    refuse_unsupported(rewrite, site, arguments)
    if not is_absent(arguments, "resume_from_checkpoint") and rewrite.settings.strict_target:
        raise Refusal("MT403", arguments["resume_from_checkpoint"], "`resume_from_checkpoint=...`")
    refuse_datasets(rewrite, site, arguments, "MT202", "datasets", "dataset_config")
    if "train_loop_per_worker" not in arguments:
        raise Refusal("MT106", site.call, "it has no `train_loop_per_worker`")
    return arguments
