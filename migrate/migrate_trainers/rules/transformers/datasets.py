"""The two datasets that TransformersTrainer gave its function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.rules.trainer_call import refuse_datasets

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.rules.rewrite import CallSite, Rewrite


@dataclass(frozen=True)
class DatasetArguments:
    """What the train function has in their places, as expressions: None where Ray feeds no dataset."""

    train: str = "None"
    evaluation: str = "None"


def dataset_arguments(rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg]) -> DatasetArguments:
    """What the datasets of a call are in a worker; raises `Refusal` where they come from Ray Data."""
    refuse_datasets(rewrite, site, arguments, "MT202", "datasets", "dataset_config")
    return DatasetArguments()
