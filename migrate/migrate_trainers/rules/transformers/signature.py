"""The parameters of a `trainer_init_per_worker`, and the lines by which a train function binds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.writing.render import free_name, names_in, relocated

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.transformers.datasets import DatasetArguments, Datasets
    from migrate_trainers.rules.transformers.site import TransformersSite


@dataclass(frozen=True)
class Signature:
    """What a function or lambda takes.

    `datasets` are the names of its first two parameters, `options` the others, which are items of the configuration,
    with their defaults; `rest` is the name of the `**` parameter.
    """

    datasets: tuple[str, str]
    options: tuple[cst.Param, ...]
    rest: str | None


def read_signature(program: Program, function: cst.FunctionDef | cst.Lambda, origin: Statement) -> Signature | None:
    """The parameters, if the train function can bind them: each has a name, and defaults that `origin` may lose."""
    parameters = function.params
    positional = [*parameters.posonly_params, *parameters.params]
    if len(positional) < 2 or len(parameters.posonly_params) > 2 or isinstance(parameters.star_arg, cst.Param):
        return None
    options = (*positional[2:], *parameters.kwonly_params)
    analysis = ValueAnalysis(program, origin)
    if not all(option.default is None or analysis.is_movable(option.default) for option in options):
        return None
    rest = parameters.star_kwarg.name.value if parameters.star_kwarg is not None else None
    # An option that nothing takes out would stay among the rest.
    stays = any(not _is_needed(program, function.body, option.name.value) for option in options)
    if stays and rest is not None and is_read(program, function.body, rest):
        return None
    return Signature((positional[0].name.value, positional[1].name.value), options, rest)


def is_read(program: Program, body: cst.CSTNode, name: str) -> bool:
    """Whether a body, or what is defined in it, reads a variable of a name."""
    return any(read.value == name and program.contains(body, read) for read in program.names)


def read_datasets(program: Program, signature: Signature, body: cst.CSTNode, datasets: Datasets) -> Datasets:
    """Those datasets that a body reads."""
    train, evaluation = (_is_needed(program, body, name) for name in signature.datasets)
    return datasets.only(train=train, evaluation=evaluation)


def config_name(program: Program, signature: Signature, body: cst.CSTNode) -> str:
    """What the train function calls its configuration: as the body does, or else so that it hides nothing."""
    if signature.rest is not None and is_read(program, body, signature.rest):
        return signature.rest
    defaults = [option.default for option in signature.options if option.default is not None]
    names = {option.name.value for option in signature.options}.union(*map(names_in, (body, *defaults)))
    return free_name(names, "config", "train_loop_config")


def parameter_lines(
    program: Program,
    signature: Signature,
    body: cst.CSTNode,
    site: TransformersSite,
    datasets: DatasetArguments,
    config: str,
    indent: str,
) -> list[str]:
    """The lines that bind the parameters which a body reads; raises `Refusal` where one was never given a value."""
    takes_out = signature.rest is not None and is_read(program, body, signature.rest)
    lines = []
    for option in signature.options:
        if option.default is None and not site.takes_config:
            raise Refusal("MT106", site.init, f"`{option.name.value}` has no default, and no configuration gives it")
        if _is_needed(program, body, option.name.value):
            value = _option(program, option, config if site.takes_config else "", indent, takes_out=takes_out)
            lines.append(f"{option.name.value} = {value}")
    return lines + _dataset_lines(program, signature, datasets, body)


def _option(program: Program, option: cst.Param, config: str, indent: str, *, takes_out: bool) -> str:
    """How a parameter is read from the configuration, if there is one; `takes_out` says that others pass it on."""
    key = f'"{option.name.value}"'
    if option.default is None:
        return f"{config}.pop({key})" if takes_out else f"{config}[{key}]"
    default = relocated(program, option.default, indent)
    if not config:
        return default
    if takes_out:
        return f"{config}.pop({key}, {default})"
    return f"{config}.get({key})" if default == "None" else f"{config}.get({key}, {default})"


def _dataset_lines(program: Program, signature: Signature, datasets: DatasetArguments, body: cst.CSTNode) -> list[str]:
    given = zip(signature.datasets, (datasets.train, datasets.evaluation), strict=True)
    return [f"{name} = {value}" for name, value in given if _is_needed(program, body, name)]


def _is_needed(program: Program, body: cst.CSTNode, name: str) -> bool:
    """Whether a body reads a parameter before (or without) assigning it in a statement of its own."""
    reads = [program.span(read)[0] for read in program.names if read.value == name and program.contains(body, read)]
    assigned = [
        program.span(binding.node)[1]
        for binding in program.scope(body).bindings.get(name, ())
        if isinstance(binding.node, cst.Assign) and program.block(program.statement(binding.node)) is body
    ]
    # What the first assignment itself reads comes before it.
    return bool(reads) and (not assigned or min(reads) < min(assigned))
