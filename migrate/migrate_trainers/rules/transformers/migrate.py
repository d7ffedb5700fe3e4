"""TransformersTrainers of a file become TorchTrainers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.rules.trainer_call import warn_of_continuation
from migrate_trainers.rules.transformers.in_place import convert_in_place
from migrate_trainers.rules.transformers.init_function import check_parameters, convertible_function
from migrate_trainers.rules.transformers.site import read_site
from migrate_trainers.rules.transformers.training import Training
from migrate_trainers.rules.transformers.training_arguments import (
    adapt_training_arguments,
    reports_only_at_saves,
    training_arguments,
)
from migrate_trainers.rules.transformers.wrapped import wrap

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import CallSite, Rewrite


def migrate_transformers(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's TransformersTrainers; raises `Refusal` for the first that can't be."""
    for site in sites:
        _migrate_site(rewrite, site)


def _migrate_site(rewrite: Rewrite, call_site: CallSite) -> None:
    program = rewrite.program
    site = read_site(rewrite, call_site)
    check_parameters(program, site.init)
    calls = training_arguments(program)
    training = Training(rewrite, guide_form=reports_only_at_saves(program, calls), resumes=site.resumes)
    function = convertible_function(program, site.init.value)
    adapt_training_arguments(rewrite, site.init, calls, guide_form=training.guide_form)
    if site.resumes:
        warn_of_continuation(rewrite, site.arguments)
    if function is not None:
        convert_in_place(rewrite, site, function, training)
    else:
        wrap(rewrite, site, training)
