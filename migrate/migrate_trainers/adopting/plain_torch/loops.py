"""Reading a training loop of plain torch: what it trains, the loops over epochs and batches, and the data loaders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.plain_torch.spawn import STARTS
from migrate_trainers.adopting.plain_torch.variables import calls_of, names_below, origins, readings
from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.adopting.plain_torch.variables import Variable
    from migrate_trainers.reading.program import Program

_OPTIMIZER = re.compile(r"torch\.optim\.(?!lr_scheduler\.|swa_utils\.)(?:\w+\.)?([A-Z]\w*)")
_OPTIMIZERS_THAT_SEARCH = frozenset({"LBFGS"})
# What trains in its own way, or on its own processes.
_OTHER_WAYS = (
    *("apex", "colossalai", "deepspeed", "fairscale", "fastai", "horovod", "ignite", "lightning.fabric"),
    *("lightning_fabric", "torch.distributed.fsdp", "torch.distributed.pipelining", "torch.distributed.rpc"),
    *("torch.distributed.tensor", "torch_xla", "torch.distributed.device_mesh"),
)
DATA_LOADERS = frozenset({"torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader"})
_AROUND_LOADERS = frozenset({"enumerate", "tqdm", "trange", "track", "zip"})


@dataclass(frozen=True, eq=False)
class TorchLoop:
    """One training: the variable of its model, the optimizers, the calls of `backward`, and the loops around them.

    `runs` are the loops, or calls of functions with such, by which the code that makes the model trains; `batches` the
    loops over data loaders in which `backward` is called, `epochs` those around them.
    """

    model: Variable
    optimizers: tuple[cst.Call, ...]
    backwards: tuple[cst.Call, ...]
    runs: tuple[cst.CSTNode, ...]
    batches: tuple[cst.For, ...]
    epochs: tuple[cst.For | cst.While, ...]


def read_loop(program: Program) -> TorchLoop | None:
    """The training of a program, None where there is none without Ray; raises `Refusal` for one that isn't plain."""
    backwards = [call for call in program.calls if _is_backward(call)]
    packages = {name.partition(".")[0] for name in program.imported_names}
    if not backwards or "torch" not in packages or packages & {"ray", "train_runtime"}:
        return None
    first = backwards[0]
    for name in sorted(program.imported_names):
        if (other := next((way for way in _OTHER_WAYS if f"{name}.".startswith(f"{way}.")), None)) is not None:
            raise Refusal("MT631", first, f"it uses `{other}`")
    for call in program.calls:
        if program.qualified_name(call.func) in STARTS:
            raise Refusal("MT631", call, "it starts its processes itself")
    for text in program.strings:
        if isinstance(text, cst.SimpleString) and text.raw_value in ("--local_rank", "--local-rank"):
            raise Refusal("MT631", text, "workers have no command line that says their rank")
    optimizers = [call for call in program.calls if _optimizer(program, call) is not None]
    if not optimizers:
        raise Refusal("MT631", first, "no optimizer of `torch.optim` is made in this file")
    for call in optimizers:
        if _optimizer(program, call) in _OPTIMIZERS_THAT_SEARCH:
            raise Refusal("MT631", call, "each worker would search along its own losses")
    model = _model(program, optimizers)
    runs = dict.fromkeys(run for call in backwards for run in _runs(program, call, model))
    if not runs:
        return None
    batches = dict.fromkeys(_batch_loop(program, call) for call in backwards)
    epochs = dict.fromkeys(loop for one in batches for loop in _loops_around(program, one))
    return TorchLoop(model, tuple(optimizers), tuple(backwards), tuple(runs), tuple(batches), tuple(epochs))


def loaders(program: Program, loop: TorchLoop) -> list[Variable]:
    """The variables of the data loaders over which a training loops."""
    found: dict[Variable, None] = {}
    for batch in loop.batches:
        for name in _iterated(program, batch.iter):
            found.update(dict.fromkeys(sorted(origins(program, name), key=lambda one: one[1])))
    return list(found)


def loader_read(program: Program, loop: cst.For) -> cst.Name:
    """The name that a loop over batches reads its data loader by."""
    return next(_iterated(program, loop.iter))


def _is_backward(call: cst.Call) -> bool:
    return isinstance(call.func, cst.Attribute) and call.func.attr.value == "backward"


def _optimizer(program: Program, call: cst.Call) -> str | None:
    """The class of optimizer that a call makes."""
    match = _OPTIMIZER.fullmatch(program.qualified_name(call.func) or "")
    return match[1] if match is not None else None


def _model(program: Program, optimizers: Sequence[cst.Call]) -> Variable:
    """The one variable whose parameters the optimizers change."""
    found: dict[Variable, None] = {}
    for call in optimizers:
        names = list(_owners(program, call))
        if not names:
            raise Refusal("MT632", call, "the parameters that it is given aren't those of a variable")
        for name in names:
            found.update(dict.fromkeys(origins(program, name)))
    if len(found) > 1:
        raise Refusal("MT632", optimizers[0], f"several are trained: {', '.join(f'`{name}`' for _, name in found)}")
    return next(iter(found))


def _owners(program: Program, optimizer: cst.Call) -> Iterator[cst.Name]:
    """The names before `.parameters()` in what an optimizer is given first."""
    if not optimizer.args:
        return
    pending: list[cst.CSTNode] = [optimizer.args[0].value]
    seen: set[cst.CSTNode] = set()
    while pending:
        node = pending.pop()
        for name in names_below(node):
            above = program.parent(name)
            if isinstance(above, cst.Attribute) and above.value is name:
                root, attributes = name, _attributes(program, name)
                if attributes[-1:] and attributes[-1] in ("parameters", "named_parameters"):
                    yield root
                continue
            binding = program.sole_assignment(name)
            if binding is not None and binding.value is not None and binding.node not in seen:
                seen.add(binding.node)
                pending.append(binding.value)


def _attributes(program: Program, name: cst.Name) -> list[str]:
    """`["layers", "parameters"]` for the `model` of `model.layers.parameters`."""
    names, node = [], program.parent(name)
    while isinstance(node, cst.Attribute):
        names.append(node.attr.value)
        node = program.parent(node)
    return names


def _runs(program: Program, backward: cst.Call, model: Variable) -> Iterator[cst.CSTNode]:
    """The nodes in the code that makes the model by which it comes to a call of `backward`."""
    owner = model[0].node
    pending: list[cst.CSTNode] = [backward]
    seen: set[cst.FunctionDef] = set()
    while pending:
        node = pending.pop()
        function = program.enclosing(node, (cst.FunctionDef, cst.Lambda))
        if function is (owner if isinstance(owner, cst.FunctionDef) else None):
            yield _outermost_loop(program, node) or node
        elif isinstance(function, cst.FunctionDef):
            if isinstance(program.parent(program.parent(function) or function), cst.ClassDef):
                raise Refusal("MT631", node, f"it stands in the method `{function.name.value}`")
            if function not in seen:
                seen.add(function)
                pending += calls_of(program, function)
        else:
            raise Refusal("MT631", node, "where it runs can't be seen")


def _outermost_loop(program: Program, node: cst.CSTNode) -> cst.CSTNode | None:
    loops = list(_around(program, node))
    return loops[-1] if loops else None


def _around(program: Program, node: cst.CSTNode) -> Iterator[cst.For | cst.While]:
    """The loops around a node within its function, from the inside."""
    loop = program.loop_around(node)
    while isinstance(loop, cst.For | cst.While):
        yield loop
        loop = program.loop_around(loop)


def _batch_loop(program: Program, backward: cst.Call) -> cst.For:
    """The loop over a data loader in which `backward` is called."""
    pending: list[cst.CSTNode] = [backward]
    seen: set[cst.CSTNode] = set()
    while pending:
        node = pending.pop()
        for loop in _around(program, node):
            if isinstance(loop, cst.For) and _iterates_loader(program, loop):
                return loop
        function = program.enclosing(node, cst.FunctionDef)
        if function is not None and function not in seen:
            seen.add(function)
            pending += calls_of(program, function)
    raise Refusal("MT633", backward, "no loop over a `DataLoader` is around it")


def _loops_around(program: Program, batches: cst.For) -> Iterator[cst.For | cst.While]:
    """The nearest loop around one over batches: in its function, or around the calls of that."""
    pending: list[cst.CSTNode] = [batches]
    seen: set[cst.CSTNode] = set()
    while pending:
        node = pending.pop()
        loop = next(_around(program, node), None)
        if loop is not None:
            yield loop
            continue
        function = program.enclosing(node, cst.FunctionDef)
        if function is not None and function not in seen:
            seen.add(function)
            pending += calls_of(program, function)


def _iterates_loader(program: Program, loop: cst.For) -> bool:
    names = list(_iterated(program, loop.iter))
    return bool(names) and any(is_loader(program, one) for name in names[:1] for one in origins(program, name))


def is_loader(program: Program, one: Variable) -> bool:
    """Whether a variable holds data loaders alone: `DataLoader(...)`, or what a function that makes such returns."""
    bindings = one[0].bindings.get(one[1], [])
    return bool(bindings) and all(_makes_loader(program, one.node, one.value) for one in bindings)


def _makes_loader(program: Program, node: cst.CSTNode, value: cst.BaseExpression | None) -> bool:
    if value is None and isinstance(node, cst.Assign):
        value = node.value  # one of several that are unpacked
    if not isinstance(value, cst.Call):
        return False
    if program.qualified_name(value.func) in DATA_LOADERS:
        return True
    bindings = program.named(value.func)
    function = bindings[0].node if len(bindings) == 1 else None
    return isinstance(function, cst.FunctionDef) and any(
        program.qualified_name(call.func) in DATA_LOADERS and program.contains(function, call) for call in program.calls
    )


def _iterated(program: Program, node: cst.BaseExpression) -> Iterator[cst.Name]:
    """The names of the data loaders that a loop reads: `enumerate(tqdm(loader))`, or a name for that."""
    if isinstance(node, cst.Name):
        binding = program.sole_assignment(node)
        value = binding.value if binding is not None else None
        if isinstance(value, cst.Name) or (isinstance(value, cst.Call) and _goes_around(value)):
            yield from _iterated(program, value)
        elif not any(one.kind is BindingKind.IMPORT for one in program.bindings(node)):
            yield node
    elif isinstance(node, cst.Call) and _goes_around(node) and node.args:
        yield from _iterated(program, node.args[0].value)


def _goes_around(call: cst.Call) -> bool:
    function = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
    return isinstance(function, cst.Name) and function.value in _AROUND_LOADERS


def model_readings(program: Program, loop: TorchLoop) -> list[cst.Name]:
    """All names that read the model, in the functions that are given it, too."""
    return readings(program, loop.model)
