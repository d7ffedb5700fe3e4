"""The configuration that a trial gives its train function: the trainer's own, and in it what the search space has.

Ray merged the two for each trial: dictionaries into dictionaries, key by key; anything else replaced what was there.

TransformersTrainer(..., trainer_init_config={"epochs": 2, "lr": 0.1})      {"epochs": 2, "lr": 0.1, **config[...]}
Tuner(..., param_space={"trainer_init_config": {"lr": ...}})                param_space={"train_loop_config": ...}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis, only_looks
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.configs import config_class, dictionary_behind, find_config_call, uses_gpu
from migrate_trainers.rules.literals import entries_of, string
from migrate_trainers.rules.tuning.algorithms import entries_of_algorithms
from migrate_trainers.rules.tuning.domains import is_never_a_dictionary
from migrate_trainers.rules.tuning.schedulers import is_population, mutated, mutated_entries, starts_trials_again
from migrate_trainers.rules.tuning.settled import is_settled
from migrate_trainers.rules.tuning.spaces import is_entry

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.tuning.sites import TunedTrainer
    from migrate_trainers.rules.tuning.spaces import Entry

# The key of the search space whose value reaches the train function, in every Ray.
LOOP_CONFIG = "train_loop_config"
# The key in it of the checkpoint that a trial starts from.
START = "resume_from_checkpoint"
SCALING = "scaling_config"
# What a trainer's trials may be given one by one.
_KEYS = frozenset({LOOP_CONFIG, "lightning_config", "trainer_init_config"})


@dataclass(frozen=True)
class TrialConfig:
    """What the train function of a trial is given.

    `own` is the configuration of the trainer itself. What the trials search is in it where `is_searched`, in those of
    all Tuners where `is_always_searched`; `is_flat` says that nothing of one is to be merged into something of the
    other. `starts` says that a trial is told its first checkpoint.
    """

    own: cst.BaseExpression | None = None
    is_searched: bool = False
    is_always_searched: bool = True
    is_flat: bool = False
    starts: bool = False

    @property
    def is_empty(self) -> bool:
        return self.own is None and not self.is_searched and not self.starts


def read_trial_config(rewrite: Rewrite, tuned: TunedTrainer, key: str, own: cst.Arg | None) -> TrialConfig:
    """What the trials of a trainer give it as the argument `key`; raises `Refusal` for what can't be given."""
    program = rewrite.program
    check_searched(rewrite, tuned, key)
    spaces = [tuner.space.get(key) for tuner in tuned.tuners]
    searched = _searched(program, tuned, key)
    by_algorithm = [entry for name, entry in entries_of_algorithms(program) if name.partition("/")[0] == key]
    if is_population(program) and not searched:
        raise Refusal("MT501", tuned.site.call, "its scheduler changes nothing of its configuration")
    starts = starts_trials_again(program) and rewrite.settings.strict_target
    if starts and any(string(node) == START for node in program.strings):
        raise Refusal("MT501", tuned.site.call, f"`{START}` is a key of the file, by which a trial is told its start")
    value = own.value if own is not None else None
    return TrialConfig(
        own=value,
        is_searched=bool(searched or by_algorithm),
        is_always_searched=None not in spaces,
        is_flat=(value is not None and _is_flat(program, value))
        or (not by_algorithm and all(_is_flat(program, entry.value) for entry in searched)),
        starts=starts,
    )


def check_searched(rewrite: Rewrite, tuned: TunedTrainer, key: str) -> None:
    """Refuse what trials can't be given: anything but the configuration called `key`, and the ScalingConfig."""
    for tuner in tuned.tuners:
        for name, entry in tuner.space.items():
            if name == "accelerate_config":
                raise Refusal("MT505", entry.key, "")
            if name not in (key, SCALING):
                raise Refusal("MT501", entry.key, f"`{name}` is searched")
    for name, entry in mutated(rewrite.program):
        if name not in _KEYS:
            raise Refusal("MT501", entry.key, f"`{name}` is mutated")
    for name, entry in entries_of_algorithms(rewrite.program):
        if name.partition("/")[0] not in _KEYS:
            raise Refusal("MT501", entry.key, f"the search algorithm has `{name}`")
    spaces = [tuner.space[SCALING] for tuner in tuned.tuners if SCALING in tuner.space]
    if spaces:
        _check_scaling(rewrite, tuned, spaces)


def _check_scaling(rewrite: Rewrite, tuned: TunedTrainer, spaces: list[Entry]) -> None:
    """The trials' ScalingConfig replaces the trainer's; only the trainer's is looked at elsewhere."""
    if len(spaces) < len(tuned.tuners):
        raise Refusal("MT501", spaces[0].key, "only some of its Tuners search the `scaling_config`")
    own = _own_scaling(tuned)
    if own is not None and dictionary_behind(rewrite.program, own) is not None:
        raise Refusal("MT501", spaces[0].key, "the trainer's own is a dictionary, into which it is merged")
    if own is not None and not _has_no_effect(rewrite.program, own, tuned.site.statement):
        raise Refusal("MT501", own, "another takes its place in each trial")
    for entry in spaces:
        if rewrite.settings.strict_target:
            _scaling_call(rewrite.program, entry)
        gpu = uses_gpu(rewrite, entry.value)
        if gpu is None or gpu is not uses_gpu(rewrite, own):
            raise Refusal("MT501", entry.value, "the trials' `use_gpu` may be another than the trainer's")


def _has_no_effect(program: Program, value: cst.BaseExpression, statement: Statement) -> bool:
    analysis = ValueAnalysis(program, statement)
    parts = (
        [one.value for one in value.args] if isinstance(value, cst.Call) and config_class(program, value) else [value]
    )
    return all(analysis.only_reads(part) or is_settled(program, part, statement) for part in parts)


def _scaling_call(program: Program, entry: Entry) -> cst.Call | None:
    """The call that makes the ScalingConfig of a search space, None for a dictionary; raises `Refusal` otherwise."""
    found = find_config_call(program, entry.value, "ScalingConfig")
    if found is None:
        if dictionary_behind(program, entry.value) is None:
            raise Refusal("MT501", entry.value, "what it says can't be seen")
        return None
    uses = program.uses(found.variable) if found.variable is not None else ()
    if not all(is_entry(program, use) for use in uses):
        raise Refusal("MT501", entry.value, "it is used for more than a search space")
    return found.call


def _own_scaling(tuned: TunedTrainer) -> cst.BaseExpression | None:
    given = [one for one in tuned.site.call.args if one.keyword is not None and one.keyword.value == SCALING]
    return given[0].value if given else None


def searches_scaling(tuned: TunedTrainer) -> bool:
    return any(SCALING in tuner.space for tuner in tuned.tuners)


def name_search_spaces(rewrite: Rewrite, tuned: TunedTrainer, key: str) -> None:
    """Call what reaches the train function `train_loop_config`, in search spaces and in schedulers' mutations."""
    program = rewrite.program
    if key != LOOP_CONFIG:
        by_algorithm = [entry for name, entry in entries_of_algorithms(program) if name == key]
        for node in {entry.key for entry in (*_searched(program, tuned, key), *by_algorithm)}:
            name = LOOP_CONFIG if isinstance(program.parent(node), cst.Arg) else f'"{LOOP_CONFIG}"'
            rewrite.edits.append(Edit(*program.span(node), name))
    name_searched_scaling(rewrite, tuned)


def name_searched_scaling(rewrite: Rewrite, tuned: TunedTrainer) -> None:
    """Write ScalingConfigs of search spaces as dictionaries, which is what Tune looks into."""
    if not rewrite.settings.strict_target:
        return
    calls = {_scaling_call(rewrite.program, tuner.space[SCALING]) for tuner in tuned.tuners if SCALING in tuner.space}
    for call in calls - {None}:
        assert call is not None
        rewrite.edits.append(Edit(*rewrite.program.span(call.func), "dict"))


def _searched(program: Program, tuned: TunedTrainer, key: str) -> list[Entry]:
    spaces = [tuner.space[key] for tuner in tuned.tuners if key in tuner.space]
    return [*spaces, *mutated_entries(program, key)]


def _is_flat(program: Program, value: cst.BaseExpression) -> bool:
    """Whether a dictionary is written out and surely holds no other ones, so that nothing is merged into its values."""
    written = value
    if isinstance(value, cst.Name):
        variable = program.sole_assignment(value)
        if variable is None or variable.value is None:
            return False
        if not all(use is value or only_looks(program, use) for use in program.uses(variable)):
            return False
        written = variable.value
    entries = entries_of(program, written)
    return entries is not None and all(is_never_a_dictionary(program, entry) for entry in entries.values())
