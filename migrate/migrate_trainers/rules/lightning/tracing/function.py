"""The train function of configurations that are followed through the file: it unpacks what reaches the trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.legacy_uses import is_lightning_trainer
from migrate_trainers.rules.lightning.builder import keyword
from migrate_trainers.rules.lightning.flow import DICTIONARIES
from migrate_trainers.rules.lightning.flow_function import FlowFunction
from migrate_trainers.rules.lightning.mistakes import check_setting
from migrate_trainers.rules.lightning.sites import GivenCheckpoint, refuse_earlier_effects, take_given_checkpoint
from migrate_trainers.rules.lightning.tracing.dictionaries import Dictionaries
from migrate_trainers.rules.lightning.tracing.keys import (
    KEYS,
    MODULE_CLASS,
    STRATEGY,
    STRATEGY_CLASS,
    STRATEGY_KWARGS,
    literal_keys,
)
from migrate_trainers.rules.literals import display_of
from migrate_trainers.rules.trainer_call import rename_trainer, train_function_argument, warn_of_continuation
from migrate_trainers.writing.placement import definition
from migrate_trainers.writing.render import Argument, sequence

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Statement
    from migrate_trainers.rules.lightning.checkpoints import FilledIn
    from migrate_trainers.rules.lightning.sites import LightningSite
    from migrate_trainers.rules.lightning.tracing.reading import TracedFlow
    from migrate_trainers.rules.lightning.tracing.trace import Trace
    from migrate_trainers.rules.rewrite import Rewrite


class TracedFunction(FlowFunction):
    """One train function for all trainers whose configurations belong together."""

    def __init__(self, rewrite: Rewrite, sites: list[LightningSite], trace: Trace, flow: TracedFlow) -> None:
        super().__init__(rewrite, sites, [flow])
        self.traced = flow
        self.trace = trace
        self.dictionaries = Dictionaries(rewrite, trace, flow)
        self.body = self.program.indent(self.place) + self.unit
        self.names = {name: name for name in flow.sections}
        self.strategy_class = STRATEGY_CLASS if flow.chooses_strategy else None
        self.module_class = MODULE_CLASS
        # Where the dictionaries that a trainer gets had to be given a name, by its site.
        self._variables: dict[LightningSite, str] = {}
        self._named: list[Edit] = []
        self._check_parts()

    def write(self) -> None:
        rewrite = self.rewrite
        if self.resumes:
            warn_of_continuation(rewrite, self.sites[0].arguments)
        if self.batches is not None:
            self.batches.settle(self._add_config)
        passed = [Argument(f'"{key}": {text}') for key, text in self.config.items()]
        given = {site: take_given_checkpoint(rewrite, [site]) for site in self.sites}
        body = self._function_lines(self._read_checkpoint([one for one in given.values() if one is not None]))
        if self.traced.may_hold_nodes:
            body.insert(0, f'{self.body}{self._read("trainer_kwargs")}.pop("num_nodes", None)')
        name = rewrite.new_name("train_func")
        for site in self.sites:
            self._keep_checkpoints(site)
            rename_trainer(rewrite, site.call_site)
            text = self._variables.get(site) or self._made_text(site)
            items = list(passed)
            if (checkpoint := given[site]) is not None:
                items.append(Argument(f'"resume_from_checkpoint": {checkpoint.text}'))
            if items:
                text = self._merged(site, text, items)
            train_function_argument(rewrite, site.call_site, site.arguments["lightning_config"], name, text)
        function = "\n".join([f"def {name}({self.config_name}):", *body])
        rewrite.edits += definition(self.program, self.place, [*self.reports.definitions, function])
        # Behind the function where both stand before the same statement.
        trainers = [call for call in self.program.calls if is_lightning_trainer(self.program, call)]
        arguments = [argument for call in trainers for argument in call.args]
        rewrite.edits += [*self._named, *self.dictionaries.edits(arguments), *self._renamed_annotations()]

    def _read_checkpoint(self, given: list[GivenCheckpoint]) -> GivenCheckpoint | None:
        """How the function reads what some of the trainers were given to start from."""
        if not given:
            return None
        has_own = "ckpt_path" in self.traced.keywords("fit_params") or self.traced.unpacks("fit_params")
        some_are_files = any(one.is_file for one in given)
        if some_are_files and (has_own or not all(one.is_file for one in given)):
            raise Refusal("MT102", self.sites[0].call_site.call, "the trainers start from files of several kinds")
        return GivenCheckpoint(f'{self.config_name}.get("resume_from_checkpoint")', is_file=some_are_files)

    def _merged(self, site: LightningSite, text: str, items: list[Argument]) -> str:
        """What reaches a trainer's configuration with further items."""
        self.rewrite.arguments_of(site.call_site.call).spread_if_too_long(sum(len(item.text) for item in items))
        entries = [Argument(text, star="**"), *items]
        return sequence("{", entries, "}", self._argument_indent(site), self.unit, before="train_loop_config=,")

    def _find_place(self) -> Statement:
        """The statement that holds the first trainer in the block in which its names are imported."""
        program = self.program
        block = self.rewrite.imports.block
        place = self.sites[0].call_site.statement
        while program.block(place) is not block:
            place = program.statement(program.block(place))
        return place

    def _check_parts(self) -> None:
        """A configuration that is written out has to have all parts that LightningTrainer read."""
        for name, settings in self.traced.settings.get("trainer", {}).items():
            check_setting(self.rewrite, name, settings[0])
        written = {use.key for use in self.traced.keys}
        for node in self.trace.nodes:
            if not isinstance(node, cst.Dict) or node is not self.traced.key:
                continue
            for key in KEYS.keys() - written - {"_ddp_strategy_config", "_strategy_config"}:
                raise Refusal("MT106", node, f"the configuration has no `{key}`, which LightningTrainer reads")

    def _read(self, name: str) -> str:
        if self.traced.chooses_strategy and name in (STRATEGY_CLASS, STRATEGY_KWARGS):
            inner = "class" if name == STRATEGY_CLASS else "kwargs"
            return f'{self.config_name}["{STRATEGY}"]["{inner}"]'
        return f'{self.config_name}["{name}"]'

    def _sets_accelerator(self) -> bool:
        """Whether each builder is given an accelerator by the expression that makes it, or right behind."""
        program = self.program
        blocks = [
            (program.block(call.statement), program.text(self.trace.split_chain(call.call)[0]))
            for call in self.traced.calls
            if call.method == "trainer" and any(keyword(argument) == "accelerator" for argument in call.call.args)
        ]
        origins = [one for one in self.trace.nodes if self._makes_one(one)]
        return bool(origins) and all(
            _names_accelerator(origin)
            or any(
                (text == program.text(origin) and block is program.block(program.statement(origin)))
                or self._is_assigned(origin, block, text)
                for block, text in blocks
            )
            for origin in origins
        )

    def _makes_one(self, node: cst.CSTNode) -> bool:
        if not isinstance(node, cst.Call | cst.Dict):
            return False
        is_origin = any(getattr(value, "origin", None) is node for value in self.trace.of(node))
        return is_origin and self.trace.origins.root(node) is self.traced.key

    def _is_assigned(self, origin: cst.CSTNode, block: cst.CSTNode, text: str) -> bool:
        statement = self.program.statement(origin)
        if not isinstance(statement, cst.SimpleStatementLine) or self.program.block(statement) is not block:
            return False
        only = statement.body[0]
        return isinstance(only, cst.Assign) and self.program.text(only.targets[0].target) == text

    def _made_text(self, site: LightningSite) -> str:
        """The expression that gives the dictionaries where a trainer is made."""
        return self.dictionaries.text(site.config, self._argument_indent(site))

    def _argument_indent(self, site: LightningSite) -> str:
        edits = self.rewrite.arguments_of(site.call_site.call)
        return edits.line_indent or edits.base_indent()

    def _fill_in_for(self, site: LightningSite) -> FilledIn:
        name = self.names.get(DICTIONARIES["checkpointing"])
        if name is None:
            return self._filled_in(None)
        variable = self.dictionaries.reads_again(site.config)
        if variable is None:
            variable = self._variables[site] = self.rewrite.new_name("lightning_config")
            refuse_earlier_effects(self.rewrite, site)
            statement = site.call_site.statement
            indent = self.program.indent(statement)
            start = self.program.source.line_start(self.program.statement_start(statement))
            line = f"{indent}{variable} = {self.dictionaries.text(site.config, indent)}\n"
            self._named.append(Edit(start, start, line))
        return self._filled_in(f'{variable}["{name}"]')

    def _renamed_annotations(self) -> list[Edit]:
        """Annotations that name the builder: it is a dictionary now."""
        return [
            Edit(*self.program.span(node), "dict")
            for node in (*self.program.names, *self.program.attributes)
            if self.program.qualified_name(node) in legacy.BUILDERS
            and self.program.enclosing(node, cst.Annotation) is not None
        ]


def _names_accelerator(origin: cst.CSTNode) -> bool:
    """Whether a configuration that is written out says the accelerator."""
    entries = display_of(origin) if isinstance(origin, cst.Dict) else None
    settings = (entries or {}).get("_trainer_init_config")
    return isinstance(settings, cst.Dict) and "accelerator" in literal_keys(settings)
