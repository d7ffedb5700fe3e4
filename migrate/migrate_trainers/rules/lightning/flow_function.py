"""The train function of a builder that is filled under conditions: it unpacks dictionaries that the script fills."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.batches import REPLACED_BY_DATASETS, read_batches
from migrate_trainers.rules.lightning.builder import keyword
from migrate_trainers.rules.lightning.checkpoints import FilledIn, keep_checkpoints
from migrate_trainers.rules.lightning.fit import fit_lines
from migrate_trainers.rules.lightning.flow import DICTIONARIES, BuilderFlow
from migrate_trainers.rules.lightning.mistakes import check_arguments, current_name
from migrate_trainers.rules.lightning.package import LightningPackage
from migrate_trainers.rules.lightning.reports import read_flow_reports
from migrate_trainers.rules.lightning.sites import (
    IGNORED,
    LightningSite,
    automatic_accelerator,
    check_fit_arguments,
    refuse_earlier_effects,
    take_given_checkpoint,
)
from migrate_trainers.rules.lightning.strategy import strategy_class, unpacked_strategy
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.trainer_call import function_argument, may_resume, rename_trainer, warn_of_continuation
from migrate_trainers.writing.comments import MovedComments
from migrate_trainers.writing.placement import definition
from migrate_trainers.writing.render import Argument, call, free_name, relocated, sequence

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Statement
    from migrate_trainers.rules.lightning.builder import MethodCall
    from migrate_trainers.rules.lightning.flow import FlowStatement
    from migrate_trainers.rules.lightning.sites import GivenCheckpoint
    from migrate_trainers.rules.rewrite import Rewrite


class FlowFunction:
    """One train function, and the trainers that run it, for one builder."""

    def __init__(self, rewrite: Rewrite, sites: list[LightningSite], flows: list[BuilderFlow]) -> None:
        self.rewrite = rewrite
        self.program = rewrite.program
        self.sites = sites
        self.flows = flows
        self.flow = flows[0]
        self.batches = read_batches(rewrite, sites, self._find_place())
        self._check()
        self.place = self._find_place()
        self.unit = self.program.module.default_indent
        self.body = self.program.indent(self.place) + self.unit
        check_arguments(rewrite, sites, self.flow.calls, self.flow.other_strategies)
        classes = self.flow.keywords("module")["cls"]
        self.package = LightningPackage(rewrite, classes[0].value)
        self.reports = read_flow_reports(rewrite, self.flow)
        self.resumes = any(may_resume(rewrite, site.arguments) for site in sites)
        filled = {DICTIONARIES[one.method] for one in self.flow.calls if any(_is_kept(one, a) for a in one.call.args)}
        self.names = {name: rewrite.new_name(name) for name in dict.fromkeys(DICTIONARIES.values()) if name in filled}
        self.module_class = rewrite.new_name("module_class")
        chooses = any(one.method == "strategy" for one in self.flow.calls)
        self.strategy_class = rewrite.new_name("strategy_class") if chooses else None
        arguments = [argument for one in self.flow.calls for argument in one.call.args]
        regions = [self.program.span(one.statement) for one in self.flow.statements]
        self.comments = MovedComments(self.program, regions, arguments)
        self.read_names = self.batches.names if self.batches is not None else set()
        self.config_name = free_name(self.read_names, "config", "train_loop_config")
        self.config: dict[str, str] = {}

    def write(self) -> None:
        rewrite, program = self.rewrite, self.program
        lines = self._write_statements()
        if self.resumes:
            warn_of_continuation(rewrite, self.sites[0].arguments)
        self._pass_through_config()
        if self.batches is not None:
            self.batches.settle(self._add_config)
        given = take_given_checkpoint(rewrite, self.sites)
        if given is not None:
            given = replace(given, text=self._add_config("resume_from_checkpoint", given.text))
        body = self._function_lines(given)
        name = rewrite.new_name("train_func")
        header = f"def {name}({self.config_name if self.config else ''}):"
        lines += self._lines_before_function()
        for site in self.sites:
            self._keep_checkpoints(site)
            rename_trainer(rewrite, site.call_site)
            function_argument(rewrite, site.call_site, site.arguments["lightning_config"], name, self.config)
        function = f"\n{program.indent(self.place)}".join([*self.comments.rest(), "\n".join([header, *body])])
        run = [self.place] if self.flow.replaces else []
        definitions = [*self.reports.definitions, function]
        rewrite.edits += definition(program, self.place, definitions, lines=lines, run=run)
        for flow in self.flows[1:]:
            if flow.replaces:
                raise Refusal("MT103", flow.place, "the configuration is built twice into variables")

    # Reading

    def _find_place(self) -> Statement:
        """The statement before which (or in whose place) the train function goes."""
        return self.flow.place

    def _check(self) -> None:
        flow = self.flow
        if not flow.keywords("module").get("cls"):
            raise Refusal("MT106", self.sites[0].call_site.call, "no `.module(...)` names a class")
        for one in flow.calls:
            if one.method == "module" and not any(_is_class(one, argument) for argument in one.call.args):
                raise Refusal("MT106", one.call, "this `.module(...)` names no class, which unsets it")
        fit_arguments = flow.keywords("fit_params")
        check_fit_arguments(fit_arguments, flow.unpacks("fit_params"), self.sites[0].call_site, self.batches)
        for name in REPLACED_BY_DATASETS if self.batches is not None else ():
            for argument in fit_arguments.get(name, ()):
                self.rewrite.review("MT121", argument, f"`{name}=...`")
        for name in IGNORED:
            for argument in flow.keywords("trainer").get(name, ()):
                analysis = ValueAnalysis(self.program, self.program.statement(argument))
                if any(not analysis.only_reads(part) for part in analysis.immovable_parts(argument.value)):
                    raise Refusal("MT102", argument, f"`{name}` had no effect, but what it calls may have")
        known = {other.place for other in self.flows} | {site.call_site.statement for site in self.sites}
        for build in flow.builds:
            if build not in known:
                raise Refusal("MT103", build, "the builder is built for more than the trainers")
        self._check_later_calls()

    def _check_later_calls(self) -> None:
        """Calls after a `build()` reach what it built through the shared dictionaries, but not its classes."""
        program, flow = self.program, self.flow
        places = [other.place for other in self.flows]
        built = program.span(places[0])[0]
        after = [one for one in flow.statements if program.span(one.statement)[0] > built]
        if not after:
            return
        if len({program.text(argument.value) for argument in flow.keywords("module")["cls"]}) > 1:
            raise Refusal("MT103", after[0].statement, "the builder gets another module after it was built")
        if any(later.method in ("strategy", "ddp_strategy") for one in after for later in one.calls):
            raise Refusal("MT103", after[0].statement, "the builder gets another strategy after it was built")
        if not self._places_are_ordered(places):
            raise Refusal("MT103", places[1], "the builder is built in several blocks")

    def _places_are_ordered(self, places: list[cst.SimpleStatementLine | cst.BaseCompoundStatement]) -> bool:
        block = self.program.block(places[0])
        return all(self.program.contains(block, place) for place in places)

    # The script's own statements

    def _write_statements(self) -> list[str]:
        """Turn the builder's statements into updates; returns the lines of the one in whose place the function goes."""
        at_place: list[str] = []
        for one in self.flow.statements:
            if one.statement is not self.place:
                self._write_statement(one)
                continue
            at_place = self._statement_lines(one)
            if not self.flow.replaces:
                refuse_earlier_effects(self.rewrite, self.sites[0])
        return at_place

    def _write_statement(self, one: FlowStatement) -> None:
        indent = self.program.indent(one.statement)
        text = f"\n{indent}".join(self._statement_lines(one)) or "pass"
        self.rewrite.edits.append(Edit(*self.program.span(one.statement), text))

    def _statement_lines(self, one: FlowStatement) -> list[str]:
        lines = []
        if one.creates:
            lines += [f"{name} = {{}}" for name in self.names.values()]
            lines += self._strategy_lines(None, "")
        for method_call in one.calls:
            lines += self._call_lines(method_call)
        return lines

    def _strategy_lines(self, name: cst.BaseExpression | None, indent: str) -> list[str]:
        if self.strategy_class is None:
            return []
        text = relocated(self.program, name, indent) if name is not None else ""
        return [f"{self.strategy_class} = {strategy_class(self.rewrite, name, text, indent)}"]

    def _call_lines(self, one: MethodCall) -> list[str]:
        indent = self.program.indent(one.statement)
        lines = []
        arguments = []
        strategy = None
        for argument in one.call.args:
            if _is_class(one, argument):
                lines.append(f"{self.module_class} = {relocated(self.program, argument.value, indent)}")
            elif _is_strategy(one, argument):
                strategy = argument.value
            elif not _is_kept(one, argument):
                self.rewrite.review("MT110", argument, f"`{keyword(argument)}=...`")
            elif not argument.star and keyword(argument) is None:
                raise Refusal("MT106", argument, f"`.{one.method}()` takes keyword arguments only")
            else:
                value = relocated(self.program, argument.value, indent + self.unit)
                before, behind = self.comments.before(argument), self.comments.behind(argument)
                name = keyword(argument)
                if name is not None and one.method == "trainer":
                    name = current_name(name, self.rewrite.settings)
                arguments.append(Argument(value, name, argument.star, before, behind))
        hides_name = strategy is None and any(argument.star for argument in one.call.args)
        if one.method == "strategy" and not hides_name:
            lines += self._strategy_lines(strategy, indent)
        if arguments:
            dictionary = self.names[DICTIONARIES[one.method]]
            lines.append(call(f"{dictionary}.update", arguments, indent, self.unit))
        if one.method == "strategy" and hides_name:
            lines.append(f"{self.strategy_class} = {unpacked_strategy(self.rewrite, dictionary, indent)}")
        return lines

    def _pass_through_config(self) -> None:
        """Hand the dictionaries over with the trainer where the script makes several of a name."""
        creations = [one.statement for one in self.flow.statements if one.creates]
        looped = any(self.program.loop_around(statement) for statement in (*creations, self.place))
        if len(creations) > 1 or looped:
            variables = [self.module_class, *self.names.values()]
            variables += [self.strategy_class] if self.strategy_class is not None else []
            self.config = {name: name for name in variables}

    def _add_config(self, key: str, text: str) -> str:
        """Pass an expression of the trainer's call through `train_loop_config`; returns how the function reads it."""
        self.config[key] = text
        return f'{self.config_name}["{key}"]'

    def _read(self, name: str) -> str:
        return f'{self.config_name}["{name}"]' if name in self.config else name

    def _lines_before_function(self) -> list[str]:
        """Lines on the driver between the last update and the function."""
        lines = []
        trainer = self.names.get("trainer_kwargs")
        if trainer is not None and self.flow.unpacks("trainer"):
            lines.append(f'{trainer}.pop("num_nodes", None)')
        return lines

    # The train function

    def _function_lines(self, given_checkpoint: GivenCheckpoint | None) -> list[str]:
        body = self.body
        used = {*self.names.values(), self.module_class, self.package.root, self.config_name, *self.read_names}
        model, trainer = free_name(used, "model"), free_name(used, "trainer")
        made = call(self._read(self.module_class), self._unpacked("module_kwargs"), body, self.unit)
        prepare = self.rewrite.class_named("ray.train.lightning.prepare_trainer")

        def fit(depth: int, path: str | None) -> str:
            arguments = [Argument(model), *self._fit_arguments(path)]
            return call(f"{trainer}.fit", arguments, body + self.unit * depth, self.unit)

        lines = self.batches.lines(body, used) if self.batches is not None else []
        lines += [
            f"{body}{model} = {made}",
            f"{body}{trainer} = {self._trainer_call()}",
            f"{body}{trainer} = {prepare}({trainer})",
        ]
        if self.resumes:
            return [*lines, *fit_lines(self.rewrite, body, used, given_checkpoint, self.reports.checkpoint_file, fit)]
        return [*lines, f"{body}{fit(0, None)}"]

    def _fit_arguments(self, path: str | None) -> list[Argument]:
        """What `fit` is given: the script's dictionary, the batches of the datasets, a checkpoint file."""
        arguments, batches = self._unpacked("fit_kwargs"), self.batches
        keywords = self.flow.keywords("fit_params")
        if batches is not None and (self.flow.unpacks("fit_params") or {*REPLACED_BY_DATASETS} & set(keywords)):
            arguments = [batches.over(arguments[0].value)]
        elif batches is not None:
            arguments = [*batches.fit_arguments, *arguments]
        if path is None:
            return arguments
        if arguments and arguments[-1].star:
            *others, last = arguments
            return [*others, Argument(f'{{**{last.value}, "ckpt_path": {path}}}', star="**")]
        return [*arguments, Argument(path, "ckpt_path")]

    def _unpacked(self, dictionary: str) -> list[Argument]:
        name = self.names.get(dictionary)
        return [] if name is None else [Argument(self._read(name), star="**")]

    def _trainer_call(self) -> str:
        """`pl.Trainer(...)`: plain keywords where none can be among the script's own, else a dictionary over those."""
        keywords, unpacks = self.flow.keywords("trainer"), self.flow.unpacks("trainer")
        items = self._trainer_items()
        own = self._unpacked("trainer_kwargs")
        if own and (unpacks or any(name in keywords for name in items)):
            entries = [
                Argument(own[0].value, star="**"),
                *(Argument(f'"{name}": {text}') for name, text in items.items()),
            ]
            return f"{self.package.trainer}(**{sequence('{', entries, '}', self.body, self.unit, spread=True)})"
        arguments = [*own, *(Argument(text, name) for name, text in items.items())]
        return call(self.package.trainer, arguments, self.body, self.unit, spread=True)

    def _trainer_items(self) -> dict[str, str]:
        rewrite, keywords, unpacks = self.rewrite, self.flow.keywords("trainer"), self.flow.unpacks("trainer")
        items = {}
        is_auto = any(string(setting.value) == "auto" for setting in keywords.get("accelerator", ()))
        automatic = automatic_accelerator(rewrite, self.sites) if is_auto or not self._sets_accelerator() else None
        if automatic is not None:
            items["accelerator"] = self._accelerator(automatic, is_auto=is_auto)
        items["devices"] = '"auto"'
        if self.strategy_class is None:
            name = rewrite.class_named("ray.train.lightning.RayDDPStrategy")
            items["strategy"] = call(name, self._unpacked("strategy_kwargs"), "", "")
        else:
            items["strategy"] = call(self._read(self.strategy_class), self._unpacked("strategy_kwargs"), "", "")
        environment = f"{rewrite.class_named('ray.train.lightning.RayLightningEnvironment')}()"
        items["plugins"] = self._extended("plugins", [environment])
        items["callbacks"] = self._extended("callbacks", self._report_callbacks())
        if self.reports.uses_model_checkpoint or unpacks or "callbacks" in keywords:
            if unpacks or "enable_checkpointing" in keywords:
                items["enable_checkpointing"] = "True"
        else:
            items["enable_checkpointing"] = "False"
        return items

    def _accelerator(self, automatic: str, *, is_auto: bool) -> str:
        """The user's accelerator, or what stands for it where it is left to Lightning."""
        if "accelerator" not in self.flow.keywords("trainer") and not self.flow.unpacks("trainer"):
            return automatic
        own = self._read(self.names["trainer_kwargs"])
        if not is_auto:
            return f'{own}.get("accelerator", {automatic})'
        return f'{automatic} if {own}.get("accelerator", "auto") == "auto" else {own}["accelerator"]'

    def _sets_accelerator(self) -> bool:
        """Whether the script names the accelerator in any case: wherever it makes the builder, it does so there."""
        blocks = {self.program.block(one.statement) for one in self.flow.statements if one.creates}
        sets = {
            self.program.block(self.program.statement(argument))
            for argument in self.flow.keywords("trainer").get("accelerator", ())
        }
        return all(_surely_runs_one_of(block, sets) for block in blocks)

    def _extended(self, name: str, added: list[str]) -> str:
        items = [Argument(text) for text in added]
        if self.flow.unpacks("trainer") or name in self.flow.keywords("trainer"):
            own = f'{self._read(self.names["trainer_kwargs"])}.get("{name}", [])'
            items.insert(0, Argument(own, star="*"))
        return sequence("[", items, "]", self.body + self.unit, self.unit, before=f'"{name}": ,')

    def _report_callbacks(self) -> list[str]:
        rewrite, reports = self.rewrite, self.reports
        name = self.names.get("checkpoint_kwargs")
        if reports.needs_callback_class:
            callback = reports.define_callback(rewrite, self.package, self.place)
            return [f"{callback}(**{self._read(name)})" if name is not None else f"{callback}()"]
        callback = f"{rewrite.class_named('ray.train.lightning.RayTrainReportCallback')}()"
        if not reports.writes_files or name is None:
            return [callback]
        checkpoint = self.package.named("callbacks.ModelCheckpoint")
        return [f'{checkpoint}(**{{**{self._read(name)}, "save_last": True}})', callback]

    # Which checkpoints are kept

    def _keep_checkpoints(self, site: LightningSite) -> None:
        fill_in = partial(self._fill_in_for, site)
        keep_checkpoints(self.rewrite, site.call_site, site.arguments, fill_in)

    def _fill_in_for(self, site: LightningSite) -> FilledIn:
        """The CheckpointConfig of the legacy constructor, as one trainer's call can write it."""
        return self._filled_in(self.names.get("checkpoint_kwargs"))

    def _filled_in(self, dictionary: str | None) -> FilledIn:
        """The CheckpointConfig of the legacy constructor, read from an expression when the trainer is made."""
        keywords, unpacks = self.flow.keywords("checkpointing"), self.flow.unpacks("checkpointing")
        if dictionary is None:
            return FilledIn((Argument("1", "num_to_keep"),), is_literal=True)
        arguments = []
        if unpacks or "save_top_k" in keywords:
            kept = f'{dictionary}.get("save_top_k", 1)'
            arguments.append(Argument(f"None if {kept} == -1 else max({kept}, 1)", "num_to_keep"))
        else:
            arguments.append(Argument("1", "num_to_keep"))
        if unpacks or "monitor" in keywords:
            arguments.append(Argument(f'{dictionary}.get("monitor")', "checkpoint_score_attribute"))
            arguments.append(Argument(f'{dictionary}.get("mode", "min")', "checkpoint_score_order"))
        return FilledIn(tuple(arguments), is_literal=False)


def _is_class(one: MethodCall, argument: cst.Arg) -> bool:
    """Whether an argument of a builder's method is the module's class."""
    return one.method == "module" and _is_first(one, argument, "cls")


def _is_strategy(one: MethodCall, argument: cst.Arg) -> bool:
    """Whether an argument of a builder's method is the strategy's name."""
    return one.method == "strategy" and _is_first(one, argument, "name")


def _is_first(one: MethodCall, argument: cst.Arg, name: str) -> bool:
    is_positional = argument is one.call.args[0] and argument.keyword is None
    return not argument.star and (is_positional or keyword(argument) == name)


def _is_kept(one: MethodCall, argument: cst.Arg) -> bool:
    """Whether an argument of a builder's method goes into its dictionary."""
    is_ignored = one.method == "trainer" and keyword(argument) in IGNORED
    return not (_is_class(one, argument) or _is_strategy(one, argument) or is_ignored)


def _surely_runs_one_of(block: cst.CSTNode, wanted: set[cst.CSTNode]) -> bool:
    """Whether a block is one of those wanted, or holds an `if` whose branches all run one."""
    if block in wanted:
        return True
    return any(isinstance(child, cst.If) and _all_branches_run(child, wanted) for child in block.children)


def _all_branches_run(node: cst.If, wanted: set[cst.CSTNode]) -> bool:
    other = node.orelse
    if other is None or not _surely_runs_one_of(node.body, wanted):
        return False
    return _all_branches_run(other, wanted) if isinstance(other, cst.If) else _surely_runs_one_of(other.body, wanted)
