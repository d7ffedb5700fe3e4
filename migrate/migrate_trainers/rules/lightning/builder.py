"""Reading what a `LightningTrainer` was configured with: the builder's calls, followed to where they were written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import Binding, BindingKind
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.tuning.spaces import is_entry

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program, Statement

METHODS = frozenset({"module", "trainer", "fit_params", "strategy", "ddp_strategy", "checkpointing"})


@dataclass(frozen=True)
class Given:
    """A value that a builder method was given: the argument, its place in the call, and the call's statement."""

    argument: cst.Arg
    index: int
    call: cst.Call
    statement: Statement

    @property
    def value(self) -> cst.BaseExpression:
        return self.argument.value


@dataclass(frozen=True)
class MethodCall:
    """One call of a builder method."""

    method: str
    call: cst.Call
    statement: Statement


@dataclass
class LightningConfig:
    """Everything that a builder holds when it is built, later calls having updated earlier ones.

    `place` is the last statement of the builder, where the train function goes; `statements` those that vanish;
    `overwritten` values that a later call replaced. `build` is the expression that was given to the trainer.
    """

    place: Statement
    statements: list[Statement]
    calls: list[MethodCall]
    module_class: Given | None = None
    module: dict[str, Given] = field(default_factory=dict)
    module_splats: list[Given] = field(default_factory=list)
    trainer: dict[str, Given] = field(default_factory=dict)
    fit: dict[str, Given] = field(default_factory=dict)
    fit_splats: list[Given] = field(default_factory=list)
    strategy_name: str = "ddp"
    strategy: dict[str, Given] = field(default_factory=dict)
    strategy_splats: list[Given] = field(default_factory=list)
    checkpointing: dict[str, Given] = field(default_factory=dict)
    overwritten: list[Given] = field(default_factory=list)

    def named_values(self) -> list[tuple[str, Given]]:
        """Every value with its keyword (or a name for it), in the order in which the script evaluates them."""
        named = [("module_class", self.module_class)] if self.module_class else []
        for group in (self.module, self.trainer, self.fit, self.strategy, self.checkpointing):
            named += group.items()
        for name, splats in (
            ("module_kwargs", self.module_splats),
            ("fit_kwargs", self.fit_splats),
            ("strategy_kwargs", self.strategy_splats),
            ("overwritten", self.overwritten),
        ):
            named += [(name, given) for given in splats]
        order = {id(call.call): index for index, call in enumerate(self.calls)}
        return sorted(named, key=lambda pair: (order[id(pair[1].call)], pair[1].index))

    def values(self) -> list[Given]:
        return [given for _, given in self.named_values()]


def is_builder_call(program: Program, node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Call) and program.qualified_name(node.func) in legacy.BUILDERS


def read_config(program: Program, value: cst.BaseExpression, trainer_statement: Statement) -> LightningConfig:
    """The configuration that an expression given as `lightning_config` builds; raises `Refusal`."""
    statements: list[Statement] = []
    build, place = value, trainer_statement
    if isinstance(value, cst.Name):
        binding = only_assignment(program, value)
        build = _assigned_value(binding, value)
        place = program.statement(binding.node)
        _check_uses_of_config(program, binding)
        statements.append(place)
    calls, chain_statements = _calls_of_build(program, build, place)
    for statement in chain_statements:
        if statement not in statements:
            statements.insert(len(statements) - (place in statements), statement)
    if place is trainer_statement and statements and all(call.statement is not trainer_statement for call in calls):
        place = statements[-1]
    _check_blocks(program, statements, place, trainer_statement, value)
    config = LightningConfig(place, statements, calls)
    for call in calls:
        _apply(program, config, call)
    return config


def only_assignment(program: Program, name: cst.Name) -> Binding:
    """The single plain assignment behind a name; raises `Refusal` if it has none."""
    bindings = program.bindings(name)
    if len(bindings) != 1:
        raise Refusal("MT102", name, f"`{name.value}` is assigned in {len(bindings)} places")
    _assigned_value(bindings[0], name)
    return bindings[0]


def _assigned_value(binding: Binding, name: cst.Name) -> cst.BaseExpression:
    if binding.kind is BindingKind.PARAMETER:
        raise Refusal("MT101", name, f"`{name.value}` is a parameter of the function")
    if binding.kind is BindingKind.IMPORT:
        raise Refusal("MT101", name, f"`{name.value}` is imported from another module")
    if binding.value is None or not _is_plain_assignment(binding):
        raise Refusal("MT101", name, f"`{name.value}` is not simply assigned")
    if binding.scope.is_class:
        raise Refusal("MT101", name, f"`{name.value}` is a class attribute")
    return binding.value


def _is_plain_assignment(binding: Binding) -> bool:
    node = binding.node
    if isinstance(node, cst.Assign):
        return len(node.targets) == 1 and isinstance(node.targets[0].target, cst.Name)
    return isinstance(node, cst.AnnAssign) and isinstance(node.target, cst.Name)


def _check_uses_of_config(program: Program, binding: Binding) -> None:
    """A built configuration may only be handed to trainers: anything else could change it or look into it."""
    for name in program.uses(binding):
        if not is_given_to_trainer(program, name):
            raise Refusal("MT103", name, f"`{binding.name}` is used for more than a trainer's argument")


def _calls_of_build(
    program: Program, build: cst.BaseExpression, place: Statement
) -> tuple[list[MethodCall], list[Statement]]:
    """The builder method calls behind a `….build()` expression, and the statements besides `place` they are in."""
    is_builder = is_builder_call(program, build) or _chain_root_is_builder(program, build)
    if is_builder and not is_build(build):
        raise Refusal("MT106", build, "`.build()` is missing: LightningTrainer takes the built configuration")
    if not is_build(build):
        raise Refusal("MT101", build, "it is not a `LightningConfigBuilder` that is built here")
    assert isinstance(build, cst.Call)
    assert isinstance(build.func, cst.Attribute)
    root, chain = split_chain(program, build.func.value, program.statement(build))
    if is_builder_call(program, root):
        return chain, []
    if not isinstance(root, cst.Name):
        raise Refusal("MT101", root, "the builder comes from another function or object")
    return _calls_on_variable(program, root, chain)


def is_build(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "build"


def _chain_root_is_builder(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an expression is a builder, perhaps after some of its methods, or a variable that is assigned one."""
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        node = node.func.value
        if is_builder_call(program, node):
            return True
    bindings = program.bindings(node) if isinstance(node, cst.Name) else ()
    if len(bindings) != 1 or bindings[0].value in (None, node):
        return False
    value = bindings[0].value
    assert value is not None
    is_built = is_build(value) or program.contains(value, node)
    return not is_built and (is_builder_call(program, value) or _chain_root_is_builder(program, value))


def split_chain(
    program: Program, node: cst.BaseExpression, statement: Statement
) -> tuple[cst.BaseExpression, list[MethodCall]]:
    """Split `root.a(…).b(…)` into its root and its calls, first call first."""
    calls: list[MethodCall] = []
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and not is_builder_call(program, node):
        if node.func.attr.value not in METHODS and not _chain_root_is_builder(program, node.func.value):
            # A method of another object, which may return a builder.
            break
        if node.func.attr.value not in METHODS:
            raise Refusal("MT106", node, f"`LightningConfigBuilder` has no method `{node.func.attr.value}`")
        calls.insert(0, MethodCall(node.func.attr.value, node, statement))
        node = node.func.value
    return node, calls


def _calls_on_variable(
    program: Program, variable: cst.Name, last_chain: list[MethodCall]
) -> tuple[list[MethodCall], list[Statement]]:
    """The calls made on a builder variable before it is built, each in a statement of its own."""
    bindings = program.bindings(variable)
    if not bindings:
        raise Refusal("MT101", variable, f"`{variable.value}` is not known here")
    for binding in bindings:
        _assigned_value(binding, variable)
    calls: list[MethodCall] = []
    statements: list[Statement] = []
    build_start = program.span(variable)[0]
    explained: set[cst.Name] = {variable}
    for index, binding in enumerate(sorted(bindings, key=lambda binding: program.span(binding.node)[0])):
        assert binding.value is not None
        statement = program.statement(binding.node)
        root, chain = split_chain(program, binding.value, statement)
        rebinds = isinstance(root, cst.Name) and root.value == variable.value and index > 0
        if not rebinds and not (index == 0 and is_builder_call(program, root)):
            code = "MT101" if index == 0 else "MT102"
            raise Refusal(code, binding.value, f"`{variable.value}` is not built from `LightningConfigBuilder()` alone")
        if isinstance(root, cst.Name):
            explained.add(root)
        calls += chain
        statements.append(statement)
    for name in program.uses(bindings[0]):
        if name in explained:
            continue
        statement = program.statement(name)
        expression = expression_statement(statement)
        if expression is None:
            if _is_other_build(program, name):
                continue
            raise Refusal("MT103", name, f"`{variable.value}` is used for more than its own methods")
        root, chain = split_chain(program, expression, statement)
        if root is not name:
            raise Refusal("MT103", name, f"`{variable.value}` is used for more than its own methods")
        calls += chain
        statements.append(statement)
    calls.sort(key=lambda call: program.span(call.call)[1])
    if any(program.span(statement)[0] > build_start for statement in statements):
        raise Refusal("MT103", variable, f"`{variable.value}` is changed after it was built")
    statements.sort(key=lambda statement: program.span(statement)[0])
    return calls + last_chain, statements


def _is_other_build(program: Program, name: cst.Name) -> bool:
    """Whether a use is another `builder.build()` for a trainer, which gives the same configuration again."""
    attribute = program.parent(name)
    call = program.parent(attribute) if isinstance(attribute, cst.Attribute) else None
    if not isinstance(call, cst.Call) or call.func is not attribute or not is_build(call):
        return False
    above = program.parent(call)
    if isinstance(above, cst.Assign) and isinstance(above.targets[0].target, cst.Name):
        bindings = program.scope(above).lookup(above.targets[0].target.value)
        uses = [use for binding in bindings[:1] for use in program.uses(binding)]
        return bool(uses) and all(is_given_to_trainer(program, use) for use in uses)
    return is_given_to_trainer(program, call)


def is_given_to_trainer(program: Program, node: cst.CSTNode) -> bool:
    """Whether an expression is an argument of a legacy trainer, or a Tuner hands it to one."""
    argument = program.parent(node)
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    if isinstance(call, cst.Call) and program.qualified_name(call.func) in legacy.TRAINERS:
        return True
    return is_entry(program, node)


def expression_statement(statement: Statement) -> cst.BaseExpression | None:
    if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
        only = statement.body[0]
        return only.value if isinstance(only, cst.Expr) else None
    return None


def _check_blocks(
    program: Program,
    statements: list[Statement],
    place: Statement,
    trainer_statement: Statement,
    value: cst.BaseExpression,
) -> None:
    """The builder's statements must run once, in order, whenever the trainer's does."""
    for statement in statements:
        if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
            raise Refusal("MT102", statement, "the builder shares a line with other statements")
        if program.block(statement) is not program.block(statements[0]):
            detail = "the builder is filled in a branch, in a loop or elsewhere: write `name=a if condition else b`"
            raise Refusal("MT102", statement, detail)
    block = program.block(place)
    if program.parent(block) is not None and isinstance(program.parent(block), cst.ClassDef):
        raise Refusal("MT101", value, "the configuration is made in a class body")
    if not program.contains(block, trainer_statement):
        raise Refusal("MT102", value, "the configuration is made where the trainer is not always reached")
    if program.span(place)[0] > program.span(trainer_statement)[0]:
        raise Refusal("MT102", value, "the configuration is made after the trainer")


def _apply(program: Program, config: LightningConfig, call: MethodCall) -> None:
    """Update the configuration as the builder's method did."""
    if call.method == "module":
        # Each call of `module` sets the class anew, to None if it names none.
        config.module_class = None
    elif call.method in ("strategy", "ddp_strategy"):
        config.strategy_name = "ddp"
    for index, argument in enumerate(call.call.args):
        given = Given(argument, index, call.call, call.statement)
        name = keyword(argument) or positional_name(call, index)
        if argument.star == "**":
            _splat(config, call, given)
        elif name is None or argument.star:
            raise Refusal("MT106", argument, f"`.{call.method}()` takes keyword arguments only")
        elif (call.method, name) == ("module", "cls"):
            config.module_class = given
        elif (call.method, name) == ("strategy", "name"):
            config.strategy_name = strategy_name_of(program, argument)
        else:
            target = _target(config, call.method)
            if name in target:
                config.overwritten.append(target[name])
            target[name] = given


def positional_name(call: MethodCall, index: int) -> str | None:
    first = {"module": "cls", "strategy": "name"}
    return first.get(call.method) if index == 0 else None


def _splat(config: LightningConfig, call: MethodCall, given: Given) -> None:
    """Keep a `**` argument where nothing has to be known of what it holds."""
    splats = {"module": config.module_splats, "fit_params": config.fit_splats}
    if call.method in ("strategy", "ddp_strategy"):
        splats[call.method] = config.strategy_splats
    if call.method not in splats:
        raise Refusal("MT104", given.argument, f"`.{call.method}()` is given keywords that are only known when it runs")
    if call.method == "strategy" and not any(_is_strategy_name(argument) for argument in call.call.args):
        raise Refusal("MT104", given.argument, "the strategy's name may be among these keywords")
    if call.call.args[-1] is not given.argument or sum(other.method == call.method for other in config.calls) > 1:
        raise Refusal("MT104", given.argument, "other keywords may override those that it holds")
    splats[call.method].append(given)


def _is_strategy_name(argument: cst.Arg) -> bool:
    return not argument.star and keyword(argument) in (None, "name")


def _target(config: LightningConfig, method: str) -> dict[str, Given]:
    return {
        "module": config.module,
        "trainer": config.trainer,
        "fit_params": config.fit,
        "strategy": config.strategy,
        "ddp_strategy": config.strategy,
        "checkpointing": config.checkpointing,
    }[method]


def keyword(argument: cst.Arg) -> str | None:
    return argument.keyword.value if argument.keyword is not None else None


def strategy_name_of(program: Program, argument: cst.Arg) -> str:
    value: cst.BaseExpression = argument.value
    if isinstance(value, cst.Name):
        bindings = program.bindings(value)
        if len(bindings) == 1 and bindings[0].value is not None:
            value = bindings[0].value
    if not isinstance(value, cst.SimpleString):
        raise Refusal("MT105", argument, "the strategy's name is only known when the script runs")
    name = value.evaluated_value
    if name not in legacy.STRATEGIES:
        raise Refusal("MT106", argument, f"{name!r} is not a strategy that LightningTrainer had")
    assert isinstance(name, str)
    return name
