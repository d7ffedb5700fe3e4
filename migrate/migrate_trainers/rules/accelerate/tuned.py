"""A tuned AccelerateTrainer: its train function is given the trainer's configuration, and in it the searched one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.accelerate.migrate import carry_over, migrate_accelerate
from migrate_trainers.rules.accelerate.sites import OWN_ARGUMENTS, read_site
from migrate_trainers.rules.accelerate.train_function import own_function
from migrate_trainers.rules.data.shards import migrate_shards
from migrate_trainers.rules.trainer_call import trainer_arguments
from migrate_trainers.rules.tuning.trial_config import LOOP_CONFIG, START
from migrate_trainers.rules.tuning.trials import Trials
from migrate_trainers.writing.placement import at_top
from migrate_trainers.writing.render import free_name, names_in

if TYPE_CHECKING:
    from migrate_trainers.rules.accelerate.sites import AccelerateSite
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.tuning.sites import TunedTrainer

_GET_CHECKPOINT = frozenset({f"{legacy.SESSION_MODULE}.get_checkpoint", "ray.train.get_checkpoint"})


def migrate_tuned(rewrite: Rewrite, tuned: TunedTrainer) -> None:
    """Rewrite an AccelerateTrainer that Tuners are given; raises `Refusal`."""
    arguments = trainer_arguments(tuned.site, OWN_ARGUMENTS)
    if not rewrite.settings.strict_target:
        migrate_accelerate(rewrite, [tuned.site])
        Trials(rewrite, tuned, arguments, LOOP_CONFIG).name_search_spaces()
        return
    site = read_site(rewrite, tuned.site)
    function = site.function
    trials = Trials(rewrite, tuned, site.arguments, LOOP_CONFIG)
    site = replace(site, is_searched=trials.config.is_searched)
    if trials.config.starts:
        trials.config = replace(trials.config, starts=_takes_start(rewrite, site))
    wrapper = next((wrapper for _, wrapper in carry_over(rewrite, [site])), None)
    if wrapper is not None:
        name, lines = wrapper.name, list(wrapper.lines)
    elif ValueAnalysis(rewrite.program, tuned.site.statement).is_movable(function.value):
        name, lines = rewrite.program.outer_text(function.value), []
    else:
        name = rewrite.new_name("train_loop")
        lines = [f"{name} = {rewrite.text_of(function.value)}"]
        if rewrite.program.loop_around(tuned.site.statement) is not None:
            raise Refusal("MT303", function, "it changes from turn to turn of a loop")
    trials.write_driver(
        name,
        [wrapper.definition] if wrapper is not None else [],
        lines,
        ("train_loop_per_worker", "accelerate_config"),
        site.data,
    )
    migrate_shards(rewrite, [site.data])


def _takes_start(rewrite: Rewrite, site: AccelerateSite) -> bool:
    """Let the train function find the checkpoint that a trial is started from, if it asks for any.

    Legacy Ray gave it by `session.get_checkpoint()`; from now on that only gives those of the trial itself.
    """
    program = rewrite.program
    calls = [call for call in program.calls if program.qualified_name(call.func) in _GET_CHECKPOINT]
    function = own_function(program, site)
    if function is None or not all(program.contains(function, call) for call in calls):
        raise Refusal("MT501", site.function, "it may ask for its checkpoint in a function that a trial can't tell it")
    if not calls:
        return False
    parameters = site.loop.parameters or ()
    if len(parameters) != 1:
        raise Refusal("MT501", site.function, "it asks for its checkpoint, which a trial can only tell in its `config`")
    name = free_name(names_in(function), START, "start_checkpoint")
    rewrite.edits.append(at_top(program, function, [f'{name} = {parameters[0].name.value}.pop("{START}")']))
    for call in calls:
        start, end = program.span(call)
        is_whole = isinstance(program.parent(call), cst.Assign)
        rewrite.edits += [Edit(end, end, f" or {name}" if is_whole else f" or {name})")]
        rewrite.edits += [] if is_whole else [Edit(start, start, "(")]
    return True
