"""A function of the script that makes the configuration: it returns the dictionaries instead, as `train_loop_config`.

def make_config(lr):                                  def make_config(lr):
    builder = LightningConfigBuilder()                    trainer_kwargs = {}
    builder.trainer(max_epochs=3)                         trainer_kwargs.update(max_epochs=3)
    return builder.build()                                return {"trainer_kwargs": trainer_kwargs, ...}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import own_returns
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.builder import is_build, is_given_to_trainer, only_assignment
from migrate_trainers.rules.lightning.flow import BuilderFlow, read_flow
from migrate_trainers.rules.lightning.flow_function import FlowFunction
from migrate_trainers.rules.lightning.sites import LightningSite, refuse_earlier_effects, take_given_checkpoint
from migrate_trainers.rules.trainer_call import rename_trainer, train_function_argument, warn_of_continuation
from migrate_trainers.writing.placement import definition
from migrate_trainers.writing.render import Argument, relocated, sequence

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.lightning.checkpoints import FilledIn
    from migrate_trainers.rules.rewrite import Rewrite


@dataclass(frozen=True)
class Factory:
    """A function that makes a configuration, with what it does to its builder up to its only `return`."""

    node: cst.FunctionDef
    flow: BuilderFlow
    returned: Statement


def read_factory(program: Program, value: cst.BaseExpression) -> Factory:
    """The function behind `lightning_config=make_config(...)`; raises `Refusal` if it does or is used for more."""
    made = _made_by(program, value)
    assert isinstance(made.func, cst.Name)
    binding = program.bindings(made.func)[0]
    node = binding.node
    assert isinstance(node, cst.FunctionDef)
    if node.decorators or node.asynchronous is not None or not isinstance(node.body, cst.IndentedBlock):
        raise Refusal("MT101", made, f"`{node.name.value}` is not a plain function")
    last = node.body.body[-1]
    returns = list(own_returns(node.body))
    if len(returns) != 1 or not isinstance(last, cst.SimpleStatementLine) or last.body[0] is not returns[0]:
        raise Refusal("MT101", made, f"`{node.name.value}` doesn't end in its only `return`")
    if returns[0].value is None:
        raise Refusal("MT106", made, f"`{node.name.value}` returns nothing")
    for name in program.uses(binding):
        _check_use(program, name)
    flow = read_flow(program, returns[0].value, last, built=not _is_built_by_caller(program, value))
    return Factory(node, flow, last)


def _made_by(program: Program, value: cst.BaseExpression) -> cst.Call:
    """The call of the script's own function behind an argument."""
    if isinstance(value, cst.Name):
        binding = only_assignment(program, value)
        assert binding.value is not None
        value = binding.value
    if is_build(value):
        assert isinstance(value, cst.Call)
        assert isinstance(value.func, cst.Attribute)
        value = value.func.value
    if isinstance(value, cst.Call) and isinstance(value.func, cst.Name):
        bindings = program.bindings(value.func)
        if len(bindings) == 1 and isinstance(bindings[0].node, cst.FunctionDef):
            return value
    raise Refusal("MT101", value, "the configuration doesn't come from a function of this file")


def _is_built_by_caller(program: Program, value: cst.BaseExpression) -> bool:
    if isinstance(value, cst.Name):
        binding = only_assignment(program, value)
        assert binding.value is not None
        value = binding.value
    return is_build(value)


def _check_use(program: Program, name: cst.Name) -> None:
    """What the function makes may only reach trainers."""
    node = program.parent(name)
    if not isinstance(node, cst.Call) or node.func is not name:
        raise Refusal("MT103", name, f"`{name.value}` is used for more than being called")
    above = program.parent(node)
    if isinstance(above, cst.Attribute):
        build = program.parent(above)
        if not isinstance(build, cst.Call) or not is_build(build):
            raise Refusal("MT103", name, f"what `{name.value}` returns is changed later")
        node, above = build, program.parent(build)
    if isinstance(above, cst.Assign) and isinstance(above.targets[0].target, cst.Name):
        target = above.targets[0].target
        scope = program.scope(above)
        uses = [use for use in program.names if use.value == target.value and program.scope(use) is scope]
        if all(is_given_to_trainer(program, use) for use in uses):
            return
    elif is_given_to_trainer(program, node):
        return
    raise Refusal("MT103", name, f"what `{name.value}` returns is used for more than a trainer's argument")


class FactoryFunction(FlowFunction):
    """The train function for the configurations that one function makes: it reads dictionaries from its `config`."""

    def __init__(self, rewrite: Rewrite, sites: list[LightningSite], factory: Factory) -> None:
        if not rewrite.imports.are_at_module_level:
            raise Refusal("MT101", factory.node.name, "the names that it needs are imported in a function")
        super().__init__(rewrite, sites, [factory.flow])
        self.factory = factory
        self.place = self.program.top_level_statement(factory.node)
        self.body = self.unit
        self._variables: dict[LightningSite, str] = {}

    def write(self) -> None:
        rewrite = self.rewrite
        self._write_factory()
        if self.resumes:
            warn_of_continuation(rewrite, self.sites[0].arguments)
        given = take_given_checkpoint(rewrite, self.sites)
        text = f'{self.config_name}.get("resume_from_checkpoint")'
        body = self._function_lines(replace(given, text=text) if given else None)
        name = rewrite.new_name("train_func")
        for site in self.sites:
            self._keep_checkpoints(site)
            rename_trainer(rewrite, site.call_site)
            text = self._variables.get(site) or self._made_text(site)
            if given:
                text = f'{{**{text}, "resume_from_checkpoint": {given.text}}}'
            train_function_argument(rewrite, site.call_site, site.arguments["lightning_config"], name, text)
        function = "\n".join([*self.comments.rest(), f"def {name}({self.config_name}):", *body])
        rewrite.edits += definition(self.program, self.place, [*self.reports.definitions, function])

    def _write_factory(self) -> None:
        """Turn the function's statements into updates, and what it returned into a dictionary of dictionaries."""
        flow, program = self.flow, self.program
        variables = [self.module_class, *self.names.values()]
        variables += [self.strategy_class] if self.strategy_class is not None else []
        self.config = {name: name for name in variables}
        end = flow.place if flow.replaces else self.factory.returned
        for one in flow.statements:
            if one.statement is not end:
                self._write_statement(one)
        lines = [line for one in flow.statements if one.statement is end for line in self._statement_lines(one)]
        lines += self._lines_before_function()
        indent = program.indent(end)
        head = "return "
        if flow.replaces:
            assert isinstance(end, cst.SimpleStatementLine)
            assert isinstance(end.body[0], cst.Assign)
            head = f"{program.text(end.body[0].targets[0].target)} = "
        items = [Argument(f'"{name}": {name}') for name in variables]
        lines.append(head + sequence("{", items, "}", indent, self.unit, before=head))
        self.rewrite.edits.append(Edit(*program.span(end), f"\n{indent}".join(lines)))

    def _made_text(self, site: LightningSite) -> str:
        """The expression that gives the dictionaries where a trainer is made."""
        if isinstance(site.config, cst.Name):
            self._strip_build(site.config)
            return self.program.outer_text(site.config)
        indent = self.program.indent(site.call_site.statement)
        return relocated(self.program, _made_by(self.program, site.config), indent)

    def _strip_build(self, name: cst.Name) -> None:
        """`config = make_builder().build()` loses its `build()`."""
        value = only_assignment(self.program, name).value
        if value is not None and is_build(value):
            made = _made_by(self.program, value)
            self.rewrite.edits.append(Edit(self.program.outer_span(made)[1], self.program.span(value)[1], ""))

    def _fill_in_for(self, site: LightningSite) -> FilledIn:
        name = self.names.get("checkpoint_kwargs")
        if name is None:
            return self._filled_in(None)
        if isinstance(site.config, cst.Name):
            variable = site.config.value
        else:
            variable = self._variables[site] = self.rewrite.new_name("lightning_config")
            refuse_earlier_effects(self.rewrite, site)
            statement = site.call_site.statement
            start = self.program.source.line_start(self.program.statement_start(statement))
            line = f"{self.program.indent(statement)}{variable} = {self._made_text(site)}\n"
            self.rewrite.edits.append(Edit(start, start, line))
        return self._filled_in(f'{variable}["{name}"]')
