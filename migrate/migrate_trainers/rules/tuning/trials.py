"""The trials of a trainer whose train function is given a plain dictionary, which Tuners may search."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.data.ingest import trials_data_config
from migrate_trainers.rules.trainer_call import is_absent
from migrate_trainers.rules.tuning.driver import Driver
from migrate_trainers.rules.tuning.order import check_order, lines_at, start_of
from migrate_trainers.rules.tuning.run_config import TunedRunConfig
from migrate_trainers.rules.tuning.schedulers import starts_trials_again
from migrate_trainers.rules.tuning.trial_config import LOOP_CONFIG, name_search_spaces, read_trial_config
from migrate_trainers.writing.render import Argument

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import libcst as cst

    from migrate_trainers.rules.data.given import RayData
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.tuning.sites import TunedTrainer


def with_data_config(
    rewrite: Rewrite, arguments: dict[str, cst.Arg], data: RayData | None
) -> tuple[dict[str, cst.Arg], list[Argument]]:
    """A trainer's arguments for its driver, and those to add, that say which datasets are split."""
    config = trials_data_config(rewrite, data) if data is not None else None
    kept = {name: one for name, one in arguments.items() if name != "dataset_config"}
    if isinstance(config, str):
        return kept, [Argument(config, "dataset_config")]
    return (kept if config is None else arguments), []


class Trials:
    """The trials of one trainer: `key` is its argument for the dictionary. Raises `Refusal`.

    `arguments` are the trainer's, but for the RunConfig, which is the one in force.
    """

    def __init__(self, rewrite: Rewrite, tuned: TunedTrainer, arguments: dict[str, cst.Arg], key: str) -> None:
        if not is_absent(arguments, "resume_from_checkpoint"):
            raise Refusal("MT501", arguments["resume_from_checkpoint"], "`resume_from_checkpoint=...`")
        self._rewrite = rewrite
        self._tuned = tuned
        self._key = key
        own = None if is_absent(arguments, key) else arguments[key]
        self.config = read_trial_config(rewrite, tuned, key, own)
        starts_again = self.starts_again = starts_trials_again(rewrite.program)
        self._run_config = TunedRunConfig(rewrite, tuned, arguments.get("run_config"), starts_again=starts_again)
        self.arguments = {**arguments, **self._run_config.argument}

    def name_search_spaces(self) -> None:
        """Give the search spaces the keys that reach the train function."""
        name_search_spaces(self._rewrite, self._tuned, self._key)

    def write_driver(
        self,
        function: str,
        definitions: Sequence[str],
        lines: Sequence[str],
        own: Collection[str],
        data: RayData | None,
    ) -> None:
        """Put a driver in the trainer's place.

        `function` is its train function, `definitions` and `lines` go before it, `own` are arguments it doesn't take,
        and `data` is what it is given of Ray Data.
        """
        rewrite = self._rewrite
        self.name_search_spaces()
        self._run_config.split()
        program, statement = rewrite.program, self._tuned.site.statement
        values = [(self.arguments[name].value, statement) for name in own if name in self.arguments]
        check_order(program, self._tuned, values, self._run_config.hoisted)
        offset = start_of(program, statement, values)
        kept = {
            LOOP_CONFIG if name == self._key else name: argument
            for name, argument in self.arguments.items()
            if name not in (*own, "run_config") and not is_absent(self.arguments, name)
        }
        kept, added = with_data_config(rewrite, kept, data)
        driver = Driver(rewrite, self._tuned, kept, self._run_config, self.config, added)
        rewrite.late.append(
            partial(driver.edits, function=function, definitions=definitions, lines=lines_at(offset, lines))
        )
        rewrite.review("MT502", self._tuned.site.call.func, "")
        if self.config.starts:
            rewrite.review("MT504", self._tuned.site.call.func, "")
