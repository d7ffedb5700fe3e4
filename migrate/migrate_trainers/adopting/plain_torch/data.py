"""The data loaders of a training loop deal each worker its share: `prepare_data_loader` sees to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.plain_torch.loops import DATA_LOADERS, is_loader, loader_read, loaders
from migrate_trainers.adopting.plain_torch.process_group import asked_in_group
from migrate_trainers.adopting.plain_torch.variables import function_called, names_below, origins, readings
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import is_none, string
from migrate_trainers.writing.arguments import bound_arguments
from migrate_trainers.writing.placement import below, leading_comments_start

if TYPE_CHECKING:
    from migrate_trainers.adopting.plain_torch.loops import TorchLoop
    from migrate_trainers.adopting.plain_torch.variables import Variable
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import Rewrite

_POSITIONAL = ("dataset", "batch_size", "shuffle", "sampler", "batch_sampler", "num_workers", "collate_fn")
_OWN_WAYS = frozenset({"batch_sampler", "sampler"})
_SAMPLERS = frozenset({"torch.utils.data.DistributedSampler", "torch.utils.data.distributed.DistributedSampler"})
_ITERABLE = frozenset({"torch.utils.data.IterableDataset", "torch.utils.data.dataset.IterableDataset"})
_MOVES = frozenset({"cuda", "to"})
_COUNTING = frozenset({"range", "trange"})


def prepare_loaders(rewrite: Rewrite, loop: TorchLoop) -> None:
    """Note the edits; raises `Refusal` where the data can't be dealt out."""
    program = rewrite.program
    for one in loaders(program, loop):
        calls = _constructions(program, one)
        shards = [_deals_out(program, call) for call in calls]
        if all(shards):
            continue
        if any(shards) or asked_in_group(program):
            raise Refusal("MT633", calls[0], "the script's own processes share the data in another way")
        _prepare(rewrite, loop, one)
        if any(_may_shuffle(call) for call in calls):
            _count_epochs(rewrite, loop, one)
        rewrite.review("MT634", calls[0].func, f"`{one[1]}`")
        _warn_of_lengths(rewrite, one)


def move_batches(rewrite: Rewrite, loop: TorchLoop) -> None:
    """Have the data loaders of a script that knows no devices give batches on the worker's GPU, where it has one."""
    program, adoption = rewrite.program, rewrite.settings.adoption
    moves = any(isinstance(call.func, cst.Attribute) and call.func.attr.value in _MOVES for call in program.calls)
    if adoption is None or not adoption.use_gpu or moves:
        return
    scope = loop.model[0]
    trained = loaders(program, loop)
    for name in scope.bindings:
        one = (scope, name)
        if not is_loader(program, one):
            continue
        if one not in trained:
            _prepare(rewrite, loop, one, ", add_dist_sampler=False")
        elif all(_deals_out(program, call) for call in _constructions(program, one)):
            _prepare(rewrite, loop, one)


def _constructions(program: Program, one: Variable) -> list[cst.Call]:
    """The calls of `DataLoader` that may have made what a variable holds."""
    found: dict[cst.Call, None] = {}
    for binding in one[0].bindings[one[1]]:
        value = getattr(binding.node, "value", None)
        assert isinstance(value, cst.Call)
        holder = value if program.qualified_name(value.func) in DATA_LOADERS else function_called(program, value)
        for call in program.calls:
            is_loader = program.qualified_name(call.func) in DATA_LOADERS
            if is_loader and holder is not None and program.contains(holder, call):
                found[call] = None
    return list(found)


def _deals_out(program: Program, call: cst.Call) -> bool:
    """Whether a data loader has a sampler that deals each process its share; refuses other samplers."""
    given = _given(program, call)
    if given is None:
        raise Refusal("MT633", call, "what it is given can't be seen")
    for name in sorted(_OWN_WAYS):
        argument = given.get(name)
        if argument is None or is_none(argument.value):
            continue
        if name == "sampler" and _is_distributed(program, argument.value):
            return True
        raise Refusal("MT633", argument, f"`prepare_data_loader` would replace its `{name}`")
    if "batch_size" in given and is_none(given["batch_size"].value):
        raise Refusal("MT633", given["batch_size"], "its dataset makes the batches")
    if "dataset" in given and _is_iterable(program, given["dataset"].value):
        raise Refusal("MT633", given["dataset"], "an `IterableDataset` deals out its items itself")
    return False


def _given(program: Program, call: cst.Call) -> dict[str, cst.Arg] | None:
    """A data loader's arguments by name, without those of dictionaries in which the file puts no sampler."""
    stars = [argument for argument in call.args if argument.star]
    if not all(argument.star == "**" and _holds_no_sampler(program, argument.value) for argument in stars):
        return None
    return bound_arguments(call.with_changes(args=[one for one in call.args if not one.star]), _POSITIONAL)


def _holds_no_sampler(program: Program, value: cst.BaseExpression) -> bool:
    bindings = program.named(value)
    keys = {string(one) for one in program.strings if isinstance(one, cst.SimpleString)}
    return bool(bindings) and not keys & _OWN_WAYS and all(_is_dictionary(program, one.value) for one in bindings)


def _is_dictionary(program: Program, value: cst.BaseExpression | None) -> bool:
    if isinstance(value, cst.Call):
        keywords = {argument.keyword.value for argument in value.args if argument.keyword is not None}
        return program.is_builtin(value.func, "dict") and len(keywords) == len(value.args) and not keywords & _OWN_WAYS
    return isinstance(value, cst.Dict) and all(isinstance(one, cst.DictElement) for one in value.elements)


def _is_distributed(program: Program, value: cst.BaseExpression) -> bool:
    values = [value]
    for name in names_below(value):
        values += [one.value for one in program.bindings(name) if one.value is not None]
    return any(
        program.qualified_name(call.func) in _SAMPLERS
        for call in program.calls
        if any(program.contains(one, call) for one in values)
    )


def _is_iterable(program: Program, dataset: cst.BaseExpression) -> bool:
    """Whether a dataset is of a class of the file that is derived from IterableDataset."""
    values = [dataset]
    for name in names_below(dataset):
        values += [one.value for one in program.bindings(name) if one.value is not None]
    for call in (value for value in values if isinstance(value, cst.Call)):
        for binding in program.named(call.func):
            if isinstance(binding.node, cst.ClassDef):
                bases = {program.qualified_name(base.value) for base in binding.node.bases}
                if bases & _ITERABLE:
                    return True
    return False


def _may_shuffle(call: cst.Call) -> bool:
    if any(argument.star for argument in call.args):
        return True
    given = (bound_arguments(call, _POSITIONAL) or {}).get("shuffle")
    return given is not None and not (isinstance(given.value, cst.Name) and given.value.value == "False")


def _prepare(rewrite: Rewrite, loop: TorchLoop, one: Variable, argument: str = "") -> None:
    """Prepare a data loader where it is made, so that whoever asks for its length gets the worker's."""
    program = rewrite.program
    scope, name = one
    last = max((binding.node for binding in scope.bindings[name]), key=lambda node: program.span(node)[0])
    statement = _outermost(program, loop, last)
    if scope is not loop.model[0] or any(program.contains(statement, run) for run in loop.runs):
        raise Refusal("MT633", last, f"`{name}` isn't made once, beside the model")
    prepare = rewrite.function_named("ray.train.torch.prepare_data_loader")
    rewrite.edits.append(below(program, statement, f"{name} = {prepare}({name}{argument})"))


def _outermost(program: Program, loop: TorchLoop, node: cst.CSTNode) -> Statement:
    """The statement that holds a node in the block of the training, or in a block around that."""
    statement = program.statement(node)
    while not all(program.contains(program.block(statement), run) for run in loop.runs):
        block = program.block(statement)
        if isinstance(block, cst.Module):
            break
        statement = program.statement(block)
    return statement


def _count_epochs(rewrite: Rewrite, loop: TorchLoop, one: Variable) -> None:
    """Have the sampler that Ray adds shuffle otherwise in each epoch."""
    program = rewrite.program
    names = readings(program, one)
    for epochs in loop.epochs:
        if not any(one in origins(program, loader_read(program, batches)) for batches in loop.batches):
            continue
        if not isinstance(epochs, cst.For) or not isinstance(epochs.target, cst.Name) or not counts(epochs.iter):
            raise Refusal("MT631", epochs, "its epochs have no number, which shuffling needs")
        function = program.enclosing(epochs, cst.FunctionDef)
        own = [name for name in names if program.enclosing(name, cst.FunctionDef) is function]
        own = [name for name in own if program.contains(epochs, name)]
        if not own or not isinstance(epochs.body, cst.IndentedBlock):
            raise Refusal("MT631", epochs, "its data loader can't be told the epoch")
        first = program.statement(epochs.body.body[0])
        start, indent = leading_comments_start(program, first), program.indent(first)
        context = rewrite.function_named("ray.train.get_context")
        unit = program.module.default_indent
        lines = (
            f"{indent}if {context}().get_world_size() > 1:\n"
            f"{indent}{unit}{own[0].value}.sampler.set_epoch({epochs.target.value})\n"
        )
        rewrite.edits.append(Edit(start, start, lines))


def counts(iterated: cst.BaseExpression) -> bool:
    """Whether a loop is over whole numbers: `range(3)`, `tqdm(range(3))`."""
    if not isinstance(iterated, cst.Call):
        return False
    function = iterated.func.attr if isinstance(iterated.func, cst.Attribute) else iterated.func
    if not isinstance(function, cst.Name):
        return False
    if function.value in _COUNTING:
        return True
    return function.value == "tqdm" and bool(iterated.args) and counts(iterated.args[0].value)


def _warn_of_lengths(rewrite: Rewrite, one: Variable) -> None:
    """Say where figures are divided by the number of all rows, of which a worker sees its share."""
    program = rewrite.program
    for name in readings(program, one):
        above = program.parent(name)
        call = program.enclosing(name, cst.Call)
        is_dataset = isinstance(above, cst.Attribute) and above.attr.value == "dataset"
        if is_dataset and call is not None and program.is_builtin(call.func, "len"):
            rewrite.review("MT636", call, f"`{program.text(call)}`")
