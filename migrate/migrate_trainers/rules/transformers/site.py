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
from migrate_trainers.rules.tuning.trials import Trials
from migrate_trainers.writing.placement import definition

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.rules.rewrite import CallSite, Rewrite
    from migrate_trainers.rules.transformers.datasets import DatasetArguments
    from migrate_trainers.rules.tuning.sites import TunedTrainer

OWN_ARGUMENTS = ("trainer_init_per_worker", "trainer_init_config")


@dataclass(frozen=True)
class TransformersSite:
    """A call with what its arguments mean.

    `init` is `trainer_init_per_worker`, `config` is `trainer_init_config`; `given` the checkpoint to resume from where
    the train function has to take it out of its configuration, and `resumes` whether a worker can find any. `trials`
    are those of a tuned trainer.
    """

    site: CallSite
    arguments: dict[str, cst.Arg]
    init: cst.Arg
    config: cst.Arg | None
    datasets: DatasetArguments
    given: cst.Arg | None
    resumes: bool
    trials: Trials | None

    @property
    def takes_config(self) -> bool:
        """Whether the user's function is given a configuration."""
        return self.config is not None or (self.trials is not None and self.trials.config.is_searched)

    @property
    def configured(self) -> bool:
        """Whether the train function is given a configuration."""
        return self.takes_config or self._starts

    @property
    def _starts(self) -> bool:
        """Whether the train function is given a checkpoint in its configuration."""
        return self.given is not None or (self.trials is not None and self.trials.config.starts)

    def resume(self, config: str) -> str | None:
        """How the train function takes the given checkpoint out of its configuration."""
        return f'{config}.pop("resume_from_checkpoint")' if self._starts else None


@dataclass(frozen=True)
class TrainFunction:
    """The train function by its name, with the definitions and statements that go before the trainer's statement."""

    name: str
    definitions: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


def read_site(rewrite: Rewrite, site: CallSite, tuned: TunedTrainer | None = None) -> TransformersSite:
    """The call of a trainer, which may be tuned. Raises `Refusal` where it can't be migrated."""
    arguments = trainer_arguments(site, OWN_ARGUMENTS)
    datasets = dataset_arguments(rewrite, site, arguments)
    refuse_unsupported(rewrite, site, arguments)
    if "trainer_init_per_worker" not in arguments:
        raise Refusal("MT106", site.call, "it has no `trainer_init_per_worker`")
    trials = Trials(rewrite, tuned, arguments, "trainer_init_config") if tuned is not None else None
    if trials is not None:
        arguments = trials.arguments
    is_given = rewrite.settings.strict_target and not is_absent(arguments, "resume_from_checkpoint")
    return TransformersSite(
        site,
        arguments,
        arguments["trainer_init_per_worker"],
        arguments.get("trainer_init_config"),
        datasets,
        arguments["resume_from_checkpoint"] if is_given else None,
        may_resume(rewrite, arguments) or (trials is not None and trials.is_population),
        trials,
    )


def write_call(rewrite: Rewrite, site: TransformersSite, function: TrainFunction) -> None:
    """Make the call construct a TorchTrainer with a train function, whose definitions are put before it."""
    if function.definitions:
        rewrite.edits += definition(
            rewrite.program, site.site.statement, list(function.definitions), lines=function.lines
        )
    edits = rewrite.arguments_of(site.site.call)
    config = {}
    if site.given is not None:
        config["resume_from_checkpoint"] = rewrite.text_of(site.given.value)
        edits.remove(site.given)
    if site.config is not None and site.given is not None:
        item = f'"resume_from_checkpoint": {config.popitem()[1]}'
        edits.replace(site.config, f"train_loop_config={{**({rewrite.program.outer_text(site.config.value)}), {item}}}")
    elif site.config is not None:
        edits.rename(site.config, "train_loop_config")
    function_argument(rewrite, site.site, site.init, function.name, config)
    rename_trainer(rewrite, site.site)
