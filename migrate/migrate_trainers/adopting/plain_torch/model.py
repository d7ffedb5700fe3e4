"""The model of a training loop goes through `prepare_model`; code that needs it bare reads it without the wrapper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.plain_torch.loops import model_readings
from migrate_trainers.adopting.plain_torch.variables import (
    calls_of,
    function_called,
    is_handed_on,
    names_below,
    readings,
    variable,
)
from migrate_trainers.reading.scopes import own_returns
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.writing.placement import leading_comments_start

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from migrate_trainers.adopting.plain_torch.loops import TorchLoop
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import Rewrite

_PARALLEL = "torch.nn.parallel.DistributedDataParallel"
DISTRIBUTED_WRAPPERS = frozenset({_PARALLEL, "torch.nn.parallel.distributed.DistributedDataParallel"})
_WRAPPERS = DISTRIBUTED_WRAPPERS | {"torch.nn.DataParallel", "torch.nn.parallel.DataParallel"}
# Arguments that `prepare_model` decides itself, and those of DataParallel, which had no others.
_DECIDED = frozenset({"device_ids", "output_device", "dim"})
# What is the same asked of a model or of DistributedDataParallel around it.
_SAME = frozenset({"buffers", "cpu", "cuda", "eval", "parameters", "to", "train", "zero_grad"})
_ONLY_READ = frozenset(
    {"children", "modules", "named_buffers", "named_children", "named_modules", "named_parameters", "state_dict"}
)


@dataclass(frozen=True)
class BareModel:
    """The model without DistributedDataParallel: `name` in the code that makes it, `inside` in each function."""

    owner: cst.CSTNode
    name: str
    inside: Mapping[cst.FunctionDef, str]

    def name_in(self, function: cst.FunctionDef | None) -> str | None:
        """How code of a function, or of the module, reads it; None where it is given no model."""
        is_own = function is self.owner or (function is None and isinstance(self.owner, cst.Module))
        return self.name if is_own else None if function is None else self.inside.get(function)


def prepare_model(rewrite: Rewrite, loop: TorchLoop, savers: Collection[cst.FunctionDef | None]) -> BareModel:
    """Note the edits; raises `Refusal` where the model is used in a way that would not be the same.

    `savers` are the functions in which new code reads the model without its wrapper; None is the module.
    """
    program = rewrite.program
    owner = loop.model[0].node
    is_saved = (owner if isinstance(owner, cst.FunctionDef) else None) in savers
    wrappers = [call for call in program.calls if program.qualified_name(call.func) in _WRAPPERS]
    if len(wrappers) > 1:
        raise Refusal("MT632", wrappers[1], "there is another one")
    names = model_readings(program, loop)
    if wrappers:
        name, wrapped = _replace_wrapper(rewrite, loop, wrappers[0], is_saved=is_saved)
        names = [*names, *wrapped]
    else:
        name = _wrap(rewrite, loop, is_saved=is_saved)
    inside = {}
    for function in savers:
        given = next((one for one in names if program.enclosing(one, cst.FunctionDef) is function), None)
        if function is not None and function is not owner and given is not None:
            inside[function] = _unwrapped(rewrite, given.value)
    return BareModel(owner, name, inside)


def first_run(program: Program, loop: TorchLoop) -> Statement:
    """The statement by which it begins to train, in whose block all others are that do."""
    first = program.statement(min(loop.runs, key=program.span))
    block = program.block(first)
    if not all(program.contains(block, run) for run in loop.runs):
        raise Refusal("MT631", loop.runs[0], "it trains in several places")
    return first


def training_code(program: Program, loop: TorchLoop) -> list[cst.CSTNode]:
    """The loops over batches, with the functions that are called in them."""
    code: list[cst.CSTNode] = list(loop.batches)
    for node in code:
        for call in program.calls:
            if program.contains(node, call):
                function = function_called(program, call)
                if function is not None and function not in code:
                    code.append(function)
    return code


def _wrap(rewrite: Rewrite, loop: TorchLoop, *, is_saved: bool) -> str:
    """Wrap the model in front of the loop; returns the name of the model itself, where somebody reads it."""
    program = rewrite.program
    scope, name = loop.model
    first = first_run(program, loop)
    start = leading_comments_start(program, first)
    end = _end(program, loop, first)
    readings_of_model = model_readings(program, loop)
    names = [
        one for one in readings_of_model if _is_in_function(program, loop, one) or start <= program.span(one)[0] < end
    ]
    for one in readings_of_model:
        if one not in names and program.span(one)[0] < start:
            _check_earlier(program, loop, one, start)
    code = training_code(program, loop)
    bare = [one for one in names if _is_behind(program, loop, one) or _needs_bare(program, one, code)]
    if not any(_is_called(program, one) and any(program.contains(part, one) for part in code) for one in names):
        raise Refusal("MT632", loop.backwards[0], f"`{name}` isn't what is called in the loop")
    own = [one for one in bare if program.scope(one).lookup(one.value)[0].scope is scope]
    indent = program.indent(first)
    lines = []
    module = ""
    if own or is_saved:
        module = rewrite.new_name("module", f"bare_{name}")
        lines.append(f"{module} = {name}")
    lines.append(f"{name} = {rewrite.function_named('ray.train.torch.prepare_model')}({name})")
    rewrite.edits.append(Edit(start, start, "".join(f"{indent}{line}\n" for line in lines)))
    for one in bare:
        rewrite.edits.append(Edit(*program.span(one), module if one in own else _unwrapped(rewrite, one.value)))
    return module


def _unwrapped(rewrite: Rewrite, name: str) -> str:
    """The model itself, in a function that is given it wrapped or not."""
    return f"({name}.module if isinstance({name}, {rewrite.class_named(_PARALLEL)}) else {name})"


def _is_behind(program: Program, loop: TorchLoop, name: cst.Name) -> bool:
    """Whether a name is read behind the training, by the first worker alone: the wrapper would wait for the others."""
    last_run = max(program.span(run)[1] for run in loop.runs)
    return not _is_in_function(program, loop, name) and program.span(name)[0] >= last_run


def _is_in_function(program: Program, loop: TorchLoop, name: cst.Name) -> bool:
    owner = loop.model[0].node
    return program.enclosing(name, (cst.FunctionDef, cst.Lambda)) is not (
        owner if isinstance(owner, cst.FunctionDef) else None
    )


def _end(program: Program, loop: TorchLoop, first: Statement) -> int:
    """Where the variable of the model means another one, behind the training; refuses one that changes in it."""
    scope, name = loop.model
    last_run = max(program.span(run)[1] for run in loop.runs)
    end = len(program.source.buffer)
    for binding in scope.bindings[name]:
        start = program.span(binding.node)[0]
        call = getattr(binding.node, "value", None)
        function = function_called(program, call) if isinstance(call, cst.Call) else None
        if start < program.span(first)[0] or (function is not None and _returns_model(program, loop, function)):
            continue
        if start < last_run:
            raise Refusal("MT632", binding.node, f"`{name}` becomes another one")
        end = min(end, start)
    return end


def _returns_model(program: Program, loop: TorchLoop, function: cst.FunctionDef) -> bool:
    returned = [one.value for one in own_returns(function.body)]
    names = model_readings(program, loop)
    return bool(returned) and all(any(value is name for name in names) for value in returned)


def _check_earlier(program: Program, loop: TorchLoop, name: cst.Name, start: int) -> None:
    """Refuse another variable for the model, or for what is made around it, that is read where it is wrapped."""
    above = program.parent(name)
    if isinstance(above, cst.Attribute) or _is_called(program, name) or is_handed_on(program, name):
        return
    assignment = program.enclosing(name, (cst.Assign, cst.AnnAssign))
    if assignment is None:
        return
    for scope_bindings in program.scope(name).bindings.values():
        for binding in scope_bindings:
            one = (binding.scope, binding.name)
            if binding.node is assignment and one != loop.model:
                later = [read for read in readings(program, one) if program.span(read)[0] >= start]
                if later:
                    raise Refusal("MT632", later[0], f"`{binding.name}` holds it, too, without DistributedDataParallel")


def _is_called(program: Program, name: cst.Name) -> bool:
    above = program.parent(name)
    return isinstance(above, cst.Call) and above.func is name


def _needs_bare(program: Program, name: cst.Name, code: Sequence[cst.CSTNode]) -> bool:
    """Whether a name must mean the model without DistributedDataParallel; refuses what would not train it then."""
    above = program.parent(name)
    trains = any(program.contains(part, name) for part in code)
    if _is_called(program, name) or is_handed_on(program, name):
        return False
    if isinstance(above, cst.Attribute) and above.value is name:
        outer: cst.CSTNode | None = above
        while isinstance(outer, cst.Attribute):
            inner, outer = outer, program.parent(outer)
        is_plain = inner is above
        if is_plain and above.attr.value in _SAME:
            return False
        is_call = isinstance(outer, cst.Call) and outer.func is inner
        if trains and is_call and not (is_plain and above.attr.value in _ONLY_READ):
            raise Refusal("MT632", above, "the loop calls more of the model than the model itself")
        return True
    if isinstance(above, cst.Return):
        function = program.enclosing(name, cst.FunctionDef)
        if function is not None and all(_is_rebound(program, call, name) for call in calls_of(program, function)):
            return False
    elif isinstance(above, cst.Arg) and not trains:
        return True
    raise Refusal("MT632", name, "it is handed to code that isn't seen")


def _is_rebound(program: Program, call: cst.Call, name: cst.Name) -> bool:
    """Whether a call's result is dropped, or becomes the variable that it was given."""
    above = program.parent(call)
    if isinstance(above, cst.Expr):
        return True
    if not isinstance(above, cst.Assign) or len(above.targets) != 1:
        return False
    target = above.targets[0].target
    given = [one for argument in call.args for one in names_below(argument.value)]
    return isinstance(target, cst.Name) and any(one.value == target.value for one in given)


def _replace_wrapper(
    rewrite: Rewrite, loop: TorchLoop, call: cst.Call, *, is_saved: bool
) -> tuple[str, list[cst.Name]]:
    """A script that wraps its model itself has `prepare_model` do it, with the same arguments.

    Returns the name of the model itself, where somebody reads it, and the names that read the wrapped one.
    """
    program = rewrite.program
    assignment = program.parent(call)
    target = assignment.targets[0].target if isinstance(assignment, cst.Assign) else None
    if not call.args or not isinstance(target, cst.Name) or program.block(program.statement(call)) is None:
        raise Refusal("MT632", call, "what it wraps can't be followed")
    module = next((one for one in call.args if one.keyword is None or one.keyword.value == "module"), call.args[0])
    kwargs = []
    for argument in call.args:
        if argument is module:
            continue
        if argument.keyword is None or argument.star or argument.keyword.value == "process_group":
            raise Refusal("MT632", argument, "what it is given can't be handed to `prepare_model`")
        if argument.keyword.value not in _DECIDED:
            kwargs.append(f'"{argument.keyword.value}": {rewrite.text_of(argument.value)}')
    reads = _wrapped_reads(rewrite, target)
    bare_reads = [one for one in reads if _module_of(program, one) is not None]
    called = [one for one in reads if _is_behind(program, loop, one)]
    called = [one for one in called if _is_called(program, one) or is_handed_on(program, one)]
    is_read = bool(bare_reads or called) or is_saved
    bare = _bare_name(rewrite, call, module, target) if is_read else rewrite.text_of(module.value)
    given = f", parallel_strategy_kwargs={{{', '.join(kwargs)}}}" if kwargs else ""
    prepare = rewrite.function_named("ray.train.torch.prepare_model")
    rewrite.edits.append(Edit(*program.outer_span(call), f"{prepare}({bare}{given})"))
    for one in bare_reads:
        attribute = _module_of(program, one)
        assert attribute is not None
        own = program.scope(one).lookup(one.value)[0].scope is program.scope(target).lookup(target.value)[0].scope
        rewrite.edits.append(Edit(*program.span(attribute), bare if own else _unwrapped(rewrite, one.value)))
    rewrite.edits += [Edit(*program.span(one), bare) for one in called]
    for one in reads:
        above = program.parent(one)
        if isinstance(above, cst.Attribute) and above.attr.value in ("no_sync", "join", "register_comm_hook"):
            raise Refusal("MT632", above, "one worker's model isn't wrapped, and has no such method")
        if isinstance(above, cst.Attribute) and above.attr.value in ("state_dict", "load_state_dict"):
            rewrite.review("MT637", above, "")
    return bare if is_read else "", reads


def _wrapped_reads(rewrite: Rewrite, target: cst.Name) -> list[cst.Name]:
    one = variable(rewrite.program, target)
    if one is None:
        scope = rewrite.program.scope(target)
        found = scope.lookup(target.value)
        one = (found[0].scope, target.value)
    return readings(rewrite.program, one)


def _module_of(program: Program, name: cst.Name) -> cst.Attribute | None:
    """`model.module` for its `model`."""
    above = program.parent(name)
    is_module = isinstance(above, cst.Attribute) and above.value is name and above.attr.value == "module"
    return above if is_module and isinstance(above, cst.Attribute) else None


def _bare_name(rewrite: Rewrite, call: cst.Call, module: cst.Arg, target: cst.Name) -> str:
    """The variable of the model that is wrapped, a new one where it had none of its own."""
    program = rewrite.program
    if isinstance(module.value, cst.Name) and module.value.value != target.value:
        return module.value.value
    name = rewrite.new_name("module", f"bare_{target.value}")
    start = program.source.line_start(program.span(program.statement(call))[0])
    line = f"{program.indent(call)}{name} = {rewrite.text_of(module.value)}\n"
    rewrite.edits.append(Edit(start, start, line))
    return name
