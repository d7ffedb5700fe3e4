"""TransformersTrainers of a file become TorchTrainers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.rules.transformers.train_function import TrainFunction

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import CallSite, Rewrite


def migrate_transformers(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's TransformersTrainers; raises `Refusal` for the first that can't be."""
    for site in sites:
        TrainFunction(rewrite, site).write()
