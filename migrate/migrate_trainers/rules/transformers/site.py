"""One TransformersTrainer's call: what it says, and how the call of a TorchTrainer says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.trainer_call import (
    function_argument,
    is_absent,
    may_resume,
    refuse_unsupported,
    rename_trainer,
    trainer_arguments,
)
from migrate_trainers.rules.transformers.datasets import dataset_arguments

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.rules.rewrite import CallSite, Rewrite
    from migrate_trainers.rules.transformers.datasets import DatasetArguments

_OWN_ARGUMENTS = ("trainer_init_per_worker", "trainer_init_config")


@dataclass(frozen=True)
class TransformersSite:
    """A call with what its arguments mean.

    `init` is `trainer_init_per_worker`, `config` is `trainer_init_config`; `given` the checkpoint to resume from where
    the train function has to take it out of its configuration, and `resumes` whether a worker can find any.
    """

    site: CallSite
    arguments: dict[str, cst.Arg]
    init: cst.Arg
    config: cst.Arg | None
    datasets: DatasetArguments
    given: cst.Arg | None
    resumes: bool

    @property
    def configured(self) -> bool:
        """Whether the train function is given a configuration."""
        return self.config is not None or self.given is not None

    def resume(self, config: str) -> str | None:
        """How the train function takes the given checkpoint out of its configuration."""
        return None if self.given is None else f'{config}.pop("resume_from_checkpoint")'


def read_site(rewrite: Rewrite, site: CallSite) -> TransformersSite:
    """Raises `Refusal` for a call that can't be migrated."""
    arguments = trainer_arguments(site, _OWN_ARGUMENTS)
    datasets = dataset_arguments(rewrite, site, arguments)
    refuse_unsupported(rewrite, site, arguments)
    if "trainer_init_per_worker" not in arguments:
        raise Refusal("MT106", site.call, "it has no `trainer_init_per_worker`")
    is_given = rewrite.settings.strict_target and not is_absent(arguments, "resume_from_checkpoint")
    return TransformersSite(
        site,
        arguments,
        arguments["trainer_init_per_worker"],
        arguments.get("trainer_init_config"),
        datasets,
        arguments["resume_from_checkpoint"] if is_given else None,
        may_resume(rewrite, arguments),
    )


def write_call(rewrite: Rewrite, site: TransformersSite, name: str) -> None:
    """Make the call construct a TorchTrainer with the train function of a name."""
    edits = rewrite.arguments_of(site.site.call)
    config = {}
    if site.given is not None:
        config["resume_from_checkpoint"] = rewrite.program.outer_text(site.given.value)
        edits.remove(site.given)
    if site.config is not None and site.given is not None:
        item = f'"resume_from_checkpoint": {config.popitem()[1]}'
        edits.replace(site.config, f"train_loop_config={{**({rewrite.program.outer_text(site.config.value)}), {item}}}")
    elif site.config is not None:
        edits.rename(site.config, "train_loop_config")
    function_argument(rewrite, site.site, site.init, name, config)
    rename_trainer(rewrite, site.site)
