"""The calls that make the RunConfigs of tuned trainers and their Tuners, and the configurations in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.rules.configs import config_arguments, config_class, find_config_call, is_off
from migrate_trainers.rules.literals import is_none
from migrate_trainers.rules.tuning.schedulers import starts_trials_again
from migrate_trainers.writing.arguments import keyword_argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.tuning.sites import TunedTrainer


def tuner_configs(rewrite: Rewrite, trainers: Iterable[TunedTrainer]) -> frozenset[cst.Call]:
    """The calls that make RunConfigs which current Ray's Tuner keeps, or which nothing reads any more."""
    if not rewrite.settings.strict_target:
        return frozenset()
    found: set[cst.Call] = set()
    starts_again = starts_trials_again(rewrite.program)
    for tuned in trainers:
        if starts_again:
            # A call of `tune.run` has what it is given itself.
            runs = [tuner.call for tuner in tuned.tuners if tuner.is_run]
            found |= {nested for run in runs for nested in with_nested(rewrite, run)}
        own = keyword_argument(tuned.site.call, "run_config")
        given = [tuner.arguments["run_config"] for tuner in tuned.tuners if is_given(tuner.arguments)]
        for argument in [*([own] if own is not None else []), *given]:
            config = find_config_call(rewrite.program, argument.value, "RunConfig")
            if config is None:
                continue
            found |= {*with_nested(rewrite, config.call)} if starts_again else {config.call}
            failing = failing_fast(rewrite, config_arguments(rewrite, config.call) or {})
            found |= {failing} if failing is not None else set()
    return frozenset(found)


def failing_fast(rewrite: Rewrite, fields: dict[str, cst.Arg]) -> cst.Call | None:
    """The FailureConfig in a RunConfig that ends a search with its first failed trial, which it starts no more then."""
    given = fields.get("failure_config")
    if given is None or config_class(rewrite.program, given.value) != "FailureConfig":
        return None
    assert isinstance(given.value, cst.Call)
    says = config_arguments(rewrite, given.value) or {}
    fast, failures = says.get("fail_fast"), says.get("max_failures")
    is_alone = failures is None or (isinstance(failures.value, cst.Integer) and failures.value.evaluated_value == 0)
    return given.value if fast is not None and is_alone and not is_off(fast.value) else None


def with_nested(rewrite: Rewrite, made: cst.Call) -> Iterator[cst.Call]:
    """A configuration's call and those of the configurations that it is given."""
    yield made
    for argument in made.args:
        if config_class(rewrite.program, argument.value) is not None:
            assert isinstance(argument.value, cst.Call)
            yield from with_nested(rewrite, argument.value)


def is_given(arguments: dict[str, cst.Arg]) -> bool:
    return "run_config" in arguments and not is_none(arguments["run_config"].value)
