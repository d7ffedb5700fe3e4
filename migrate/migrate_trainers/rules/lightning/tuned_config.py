"""What the trials of a tuned LightningTrainer are made of, deep-merged as Ray did for each of them.

The trainer's own builder comes first, then those of the search spaces and of the mutations of population schedulers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.builder import LightningConfig, read_config
from migrate_trainers.rules.trainer_call import is_absent
from migrate_trainers.rules.tuning.algorithms import entries_of_algorithms
from migrate_trainers.rules.tuning.domains import is_never_a_dictionary, may_hold_domain
from migrate_trainers.rules.tuning.results import configuration_reads
from migrate_trainers.rules.tuning.schedulers import mutated_entries
from migrate_trainers.rules.tuning.trial_config import check_searched
from migrate_trainers.writing.render import free_name

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.lightning.builder import Given
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.tuning.sites import TunedTrainer
    from migrate_trainers.rules.tuning.spaces import Entry

_STRATEGY_METHODS = ("strategy", "ddp_strategy")
CONFIG = "lightning_config"


@dataclass(frozen=True, eq=False)
class Space:
    """A builder's configuration as an entry of search spaces (or mutations): several may share one variable."""

    config: LightningConfig
    entries: list[Entry]
    is_mutation: bool

    @property
    def variable(self) -> cst.Name | None:
        value = self.entries[0].value
        return value if isinstance(value, cst.Name) else None


class TunedConfig:
    """The merged configuration of one tuned trainer; raises `Refusal` where it can't be known.

    `keys` names what the train function reads from its config, by the builder's method and keyword; `static` holds what
    the trainer's own builder gives for such a keyword, if that may be a dictionary to merge into.
    """

    def __init__(self, rewrite: Rewrite, tuned: TunedTrainer, arguments: dict[str, cst.Arg]) -> None:
        self._rewrite = rewrite
        self._program = rewrite.program
        self._tuned = tuned
        self.base = LightningConfig(tuned.site.statement, [], [])
        if not is_absent(arguments, CONFIG):
            self.base = read_config(self._program, arguments[CONFIG].value, tuned.site.statement)
        self.spaces = self._read_spaces()
        self.keys: dict[tuple[str, str], str] = {}
        self.static: dict[tuple[str, str], Given] = {}
        self.merged = self._merge()

    def _read_spaces(self) -> list[Space]:
        """The builders of the search spaces and of the schedulers' mutations, each read once."""
        program = self._program
        check_searched(self._rewrite, self._tuned, CONFIG)
        for name, entry in entries_of_algorithms(program):
            if name.partition("/")[0] == CONFIG:
                raise Refusal("MT501", entry.key, f"the search algorithm has a `{CONFIG}` of its own")
        searched = [
            (tuner.space[CONFIG], self._program.statement(tuner.space[CONFIG].value))
            for tuner in self._tuned.tuners
            if CONFIG in tuner.space
        ]
        if searched and len(searched) < len(self._tuned.tuners):
            raise Refusal("MT501", self._tuned.site.call, "only some of its Tuners search its configuration")
        if len({id(_identity(program, entry)) for entry, _ in searched}) > 1:
            raise Refusal("MT501", self._tuned.site.call, "its Tuners search different configurations")
        mutated = [(entry, program.statement(entry.value)) for entry in mutated_entries(program, CONFIG)]
        spaces: dict[int, Space] = {}
        for is_mutation, (entry, statement) in [*((False, one) for one in searched), *((True, one) for one in mutated)]:
            identity = id(_identity(program, entry))
            if identity in spaces:
                spaces[identity].entries.append(entry)
            else:
                spaces[identity] = Space(read_config(program, entry.value, statement), [entry], is_mutation)
        return list(spaces.values())

    def _merge(self) -> LightningConfig:
        """One configuration of all, as nested dictionaries are merged: what comes later replaces."""
        program = self._program
        merged = LightningConfig(self._tuned.site.statement, [], [])
        for config in (self.base, *(space.config for space in self.spaces)):
            self._check_uses(config)
            if config is not self.base:
                self._check_space(config)
            merged.statements += [one for one in config.statements if one not in merged.statements]
            merged.calls += config.calls
            merged.overwritten += config.overwritten
            if config.module_class is not None:
                _check_class(program, config.module_class)
                merged.overwritten += [merged.module_class] if merged.module_class is not None else []
                merged.module_class = config.module_class
            if any(call.method in _STRATEGY_METHODS for call in config.calls):
                merged.strategy_name = config.strategy_name
            for method, group in groups(config).items():
                for name, given in group.items():
                    self._put(merged, method, name, given, is_searched=config is not self.base)
        merged.module_splats, merged.fit_splats = self.base.module_splats, self.base.fit_splats
        merged.strategy_splats = self.base.strategy_splats
        merged.calls.sort(key=lambda call: program.span(call.call)[1])
        return merged

    def _check_uses(self, config: LightningConfig) -> None:
        """A configuration that goes with this trainer may be given to no other one."""
        program = self._program
        known: list[cst.CSTNode] = [*config.statements, self._tuned.site.call]
        known += [entry.value for space in self.spaces for entry in space.entries]
        for scope in {program.scope(statement) for statement in config.statements}:
            for binding in [binding for bindings in scope.bindings.values() for binding in bindings]:
                if not any(program.contains(statement, binding.node) for statement in config.statements):
                    continue
                for use in program.uses(binding):
                    if not any(program.contains(node, use) for node in known):
                        raise Refusal("MT501", use, f"`{use.value}` is given to another trainer too")

    def _check_space(self, config: LightningConfig) -> None:
        splats = [*config.module_splats, *config.fit_splats, *config.strategy_splats]
        if splats:
            raise Refusal("MT104", splats[0].argument, "a search space has to be written out")
        for own, searched in (
            (self.base.module_splats, config.module),
            (self.base.fit_splats, config.fit),
            (self.base.strategy_splats, config.strategy),
        ):
            if own and searched:
                raise Refusal("MT104", own[0].argument, "they may hold what the search space replaces")

    def check_reads(self) -> None:
        """What the script reads of trials' configurations has to be found under the keys of the train function."""
        for read in configuration_reads(self._program):
            if read.method == "module":
                is_found = read.name is not None or all(method == "module" for method, _ in self.keys)
            else:
                is_found = read.name is not None and self.keys.get((read.method or "", read.name)) == read.name
            if not is_found:
                raise Refusal("MT501", read.node, "a trial's configuration holds something else there from now on")

    def _put(self, merged: LightningConfig, method: str, name: str, given: Given, *, is_searched: bool) -> None:
        """Add one keyword of one builder to the merged configuration."""
        program = self._program
        group = groups(merged)[method]
        key = (method, name)
        # The shape of the module's keywords stays what it was; of the others, only what a search may replace.
        if not is_searched or (
            method != "module" and key not in self.keys and not may_hold_domain(program, given.value)
        ):
            if name in group:
                merged.overwritten.append(group[name])
            group[name] = given
            return
        earlier = group.get(name)
        if earlier is not None and key not in self.keys:
            if is_never_a_dictionary(program, earlier.value) or is_never_a_dictionary(program, given.value):
                merged.overwritten.append(earlier)
            else:
                self.static[key] = earlier
        if key not in self.keys:
            self.keys[key] = self._key_of(method, name)
        group[name] = given

    def _key_of(self, method: str, name: str) -> str:
        """What the train function's config calls a keyword: the module's keep their names, for what reads them."""
        if method == "module":
            return name
        own = {keyword for space in self.spaces for keyword in space.config.module}
        return free_name(own | set(self.keys.values()), name, f"{method}_{name}")


def groups(config: LightningConfig) -> dict[str, dict[str, Given]]:
    """A configuration's keywords by the method that takes them."""
    return {
        "module": config.module,
        "trainer": config.trainer,
        "fit": config.fit,
        "strategy": config.strategy,
        "checkpointing": config.checkpointing,
    }


def _check_class(program: Program, given: Given) -> None:
    """A class can't be searched: the builder looked at what it was given."""
    if isinstance(given.value, cst.Call) and program.qualified_name(given.value.func) in legacy.TUNE_DOMAINS:
        raise Refusal("MT106", given.value, "`.module()` takes a class")


def _identity(program: Program, entry: Entry) -> object:
    """What two entries have in common if they are given the same variable."""
    value = entry.value
    return program.bindings(value)[0] if isinstance(value, cst.Name) and program.bindings(value) else value
