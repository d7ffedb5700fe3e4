"""One TransformersTrainer's call: what it says, and how the call of a TorchTrainer says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.data.ingest import write_ingest
from migrate_trainers.rules.trainer_call import (
    drop_absent,
    function_argument,
    is_absent,
    may_resume,
    refuse_unsupported,
    rename_trainer,
    trainer_arguments,
)
from migrate_trainers.rules.transformers.datasets import fed_datasets, read_data
from migrate_trainers.rules.transformers.init_config import kept_as_it_was, with_items
from migrate_trainers.rules.tuning.trials import Trials
from migrate_trainers.writing.placement import definition

if TYPE_CHECKING:
    from collections.abc import Iterable

    import libcst as cst

    from migrate_trainers.reading.program import Statement
    from migrate_trainers.rules.data.given import RayData
    from migrate_trainers.rules.rewrite import CallSite, Rewrite
    from migrate_trainers.rules.transformers.datasets import Datasets
    from migrate_trainers.rules.tuning.sites import TunedTrainer

OWN_ARGUMENTS = ("trainer_init_per_worker", "trainer_init_config")


@dataclass(frozen=True)
class TransformersSite:
    """A call with what its arguments mean.

    `init` is `trainer_init_per_worker`, `config` is `trainer_init_config`; `given` the checkpoint to resume from where
    the train function has to take it out of its configuration, and `resumes` whether a worker can find any. `data` is
    what it is given of Ray Data, and `datasets` what of it reaches the function. `trials` are those of a tuned trainer.
    """

    site: CallSite
    arguments: dict[str, cst.Arg]
    init: cst.Arg
    config: cst.Arg | None
    data: RayData | None
    datasets: Datasets
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
        return self.takes_config or self.starts

    @property
    def starts(self) -> bool:
        """Whether the train function is given a checkpoint in its configuration."""
        return self.given is not None or (self.trials is not None and self.trials.config.starts)

    def resume(self, config: str) -> str | None:
        """How the train function takes the given checkpoint out of its configuration."""
        return f'{config}.pop("resume_from_checkpoint")' if self.starts else None


@dataclass(frozen=True)
class TrainFunction:
    """The train function by its name.

    `definitions` and `lines` go before the statement `place`, if it isn't there yet; `passed` are further items of its
    configuration, as text for the trainer's call.
    """

    name: str
    place: Statement
    definitions: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    passed: tuple[tuple[str, str], ...] = ()


def read_site(rewrite: Rewrite, site: CallSite, tuned: TunedTrainer | None = None) -> TransformersSite:
    """The call of a trainer, which may be tuned. Raises `Refusal` where it can't be migrated."""
    arguments = trainer_arguments(site, OWN_ARGUMENTS)
    data = read_data(rewrite, site, arguments)
    refuse_unsupported(rewrite, site, arguments, preprocesses=data is not None)
    drop_absent(rewrite, site, arguments, "trainer_init_config")
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
        None if is_absent(arguments, "trainer_init_config") else arguments["trainer_init_config"],
        data,
        fed_datasets(rewrite, data, arguments["trainer_init_per_worker"].value),
        arguments["resume_from_checkpoint"] if is_given else None,
        may_resume(rewrite, arguments) or (trials is not None and trials.starts_again),
        trials,
    )


def define(rewrite: Rewrite, functions: Iterable[TrainFunction]) -> None:
    """Put the definitions of train functions where they belong."""
    by_place: dict[Statement, list[TrainFunction]] = {}
    for function in functions:
        if function.definitions:
            by_place.setdefault(function.place, []).append(function)
    for place, together in by_place.items():
        texts = [text for function in together for text in function.definitions]
        lines = [line for function in together for line in function.lines]
        rewrite.edits += definition(rewrite.program, place, texts, lines=lines)


def write_call(rewrite: Rewrite, site: TransformersSite, function: TrainFunction) -> None:
    """Make the call construct a TorchTrainer with a train function."""
    edits = rewrite.arguments_of(site.site.call)
    passed, given = dict(function.passed), {}
    if site.given is not None:
        given["resume_from_checkpoint"] = rewrite.text_of(site.given.value)
        edits.remove(site.given, moves=True)
    items = {**passed, **given}
    if site.config is not None:
        edits.rename(site.config, "train_loop_config")
        if items:
            edits.spread_if_too_long(sum(len(key) + len(value) + 6 for key, value in items.items()))
            # In the order in which they were evaluated.
            order = list(site.site.call.args)
            before = passed if order.index(site.init) < order.index(site.config) else {}
            behind = {key: value for key, value in items.items() if key not in before}
            rewrite.edits += with_items(rewrite, site.config.value, before, behind)
        else:
            rewrite.edits += kept_as_it_was(rewrite, site.site.call, site.config.value)
        items = {}
    function_argument(rewrite, site.site, site.init, function.name, items)
    if site.data is not None:
        write_ingest(rewrite, site.data)
    rename_trainer(rewrite, site.site)
