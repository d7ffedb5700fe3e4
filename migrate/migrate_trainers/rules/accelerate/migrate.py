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
    arguments = trainer_arguments(site, _OWN_ARGUMENTS)
    refuse_unsupported(rewrite, site, arguments)
    if not is_absent(arguments, "resume_from_checkpoint") and rewrite.settings.strict_target:
        raise Refusal("MT403", arguments["resume_from_checkpoint"], "`resume_from_checkpoint=...`")
    refuse_datasets(rewrite, site, arguments, "MT202", "datasets", "dataset_config")
    if "train_loop_per_worker" not in arguments:
        raise Refusal("MT106", site.call, "it has no `train_loop_per_worker`")
    settings = read_settings(rewrite, site, arguments)
    carry_over(rewrite, site, arguments, settings, functions)
    rename_trainer(rewrite, site)
