"""TransformersTrainers of a file become TorchTrainers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.configs import has_one_worker
from migrate_trainers.rules.trainer_call import is_absent, warn_of_continuation
from migrate_trainers.rules.transformers.implied_arguments import hides_integrations, say_what_was_implied
from migrate_trainers.rules.transformers.in_place import convert_in_place
from migrate_trainers.rules.transformers.init_function import check_function, convertible_function, definition_of
from migrate_trainers.rules.transformers.mistakes import refuse_mistakes
from migrate_trainers.rules.transformers.releases import say_of_other_files, say_of_passed
from migrate_trainers.rules.transformers.schedule import reports_only_at_saves
from migrate_trainers.rules.transformers.site import define, read_site, write_call
from migrate_trainers.rules.transformers.training import Training
from migrate_trainers.rules.transformers.training_arguments import read_training_arguments
from migrate_trainers.rules.transformers.wrapped import wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import CallSite, Rewrite
    from migrate_trainers.rules.transformers.site import TrainFunction, TransformersSite
    from migrate_trainers.rules.tuning.sites import TunedTrainer


def migrate_transformers(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's TransformersTrainers; raises `Refusal` for the first that can't be."""
    read = [read_site(rewrite, site) for site in sites]
    functions = [pair for group in _sharing(rewrite.program, read) for pair in _train_functions(rewrite, group)]
    define(rewrite, (function for _, function in functions))
    for site, function in functions:
        if site.resumes:
            warn_of_continuation(rewrite, site.arguments)
        write_call(rewrite, site, function)


def migrate_tuned(rewrite: Rewrite, tuned: TunedTrainer) -> None:
    """Rewrite a TransformersTrainer that Tuners are given; raises `Refusal`."""
    site = read_site(rewrite, tuned.site, tuned)
    assert site.trials is not None
    ((_, function),) = _train_functions(rewrite, [site])
    if rewrite.settings.strict_target:
        if function.definitions and function.place is not tuned.site.statement:
            raise Refusal("MT501", tuned.site.call, "it is not made by a statement of its own")
        own = ("trainer_init_per_worker",)
        site.trials.write_driver(function.name, function.definitions, function.lines, own, site.data)
    else:
        define(rewrite, [function])
        write_call(rewrite, site, function)
        site.trials.name_search_spaces()


def _sharing(program: Program, sites: list[TransformersSite]) -> list[list[TransformersSite]]:
    """The sites, those together that have one function and need the same train function."""
    groups: dict[object, list[TransformersSite]] = {}
    for site in sites:
        function = definition_of(program, site.init.value)
        needs = (function, site.datasets, site.starts, site.resumes)
        groups.setdefault(needs if function is not None else site.site.call, []).append(site)
    return list(groups.values())


def _train_functions(
    rewrite: Rewrite, sites: Sequence[TransformersSite]
) -> Iterator[tuple[TransformersSite, TrainFunction]]:
    """The train function of each of some sites that have one function: the same one where it can be."""
    program = rewrite.program
    arguments = [read_training_arguments(program, site.init.value) for site in sites]
    for site, given in zip(sites, arguments, strict=True):
        check_function(program, site.init)
        refuse_mistakes(rewrite, site.arguments, given)
    training = Training(
        rewrite,
        guide_form=all(reports_only_at_saves(program, given) for given in arguments),
        one_worker=all(_has_one_worker(rewrite, site) for site in sites),
        resumes=sites[0].resumes,
        may_be_given=any(not is_absent(site.arguments, "resume_from_checkpoint") for site in sites),
        drops_integrations=any(hides_integrations(given) for given in arguments),
    )
    for site, given in zip(sites, arguments, strict=True):
        for code in training.findings:
            rewrite.review(code, site.init, "")
        say_what_was_implied(rewrite, site.init, given)
        say_of_other_files(rewrite, site.init)
        say_of_passed(rewrite, site.config, given)
    function = convertible_function(rewrite, [site.init.value for site in sites])
    if function is not None:
        converted = convert_in_place(rewrite, sites, function, training)
        yield from ((site, converted) for site in sites)
    else:
        yield from wrap(rewrite, sites, training)


def _has_one_worker(rewrite: Rewrite, site: TransformersSite) -> bool:
    scaling = site.arguments.get("scaling_config")
    return scaling is not None and has_one_worker(rewrite, scaling.value)
