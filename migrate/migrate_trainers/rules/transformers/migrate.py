"""TransformersTrainers of a file become TorchTrainers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.rules.trainer_call import warn_of_continuation
from migrate_trainers.rules.transformers.in_place import convert_in_place
from migrate_trainers.rules.transformers.init_function import check_parameters, convertible_function
from migrate_trainers.rules.transformers.site import read_site, write_call
from migrate_trainers.rules.transformers.training import Training
from migrate_trainers.rules.transformers.training_arguments import (
    adapt_training_arguments,
    reports_only_at_saves,
    training_arguments,
)
from migrate_trainers.rules.transformers.wrapped import wrap

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import CallSite, Rewrite
    from migrate_trainers.rules.transformers.site import TrainFunction, TransformersSite
    from migrate_trainers.rules.tuning.sites import TunedTrainer


def migrate_transformers(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's TransformersTrainers; raises `Refusal` for the first that can't be."""
    for site in sites:
        _migrate_site(rewrite, site)


def _migrate_site(rewrite: Rewrite, call_site: CallSite) -> None:
    site = read_site(rewrite, call_site)
    function = _train_function(rewrite, site)
    if site.resumes:
        warn_of_continuation(rewrite, site.arguments)
    write_call(rewrite, site, function)


def migrate_tuned(rewrite: Rewrite, tuned: TunedTrainer) -> None:
    """Rewrite a TransformersTrainer that Tuners are given; raises `Refusal`."""
    site = read_site(rewrite, tuned.site, tuned)
    assert site.trials is not None
    function = _train_function(rewrite, site)
    if rewrite.settings.strict_target:
        site.trials.write_driver(function.name, function.definitions, function.lines, ("trainer_init_per_worker",))
    else:
        write_call(rewrite, site, function)
        site.trials.name_search_spaces()


def _train_function(rewrite: Rewrite, site: TransformersSite) -> TrainFunction:
    program = rewrite.program
    check_parameters(program, site.init)
    calls = training_arguments(program)
    training = Training(rewrite, guide_form=reports_only_at_saves(program, calls), resumes=site.resumes)
    function = convertible_function(program, site.init.value)
    adapt_training_arguments(rewrite, site.init, calls, guide_form=training.guide_form)
    if function is not None:
        return convert_in_place(rewrite, site, function, training)
    return wrap(rewrite, site, training)
