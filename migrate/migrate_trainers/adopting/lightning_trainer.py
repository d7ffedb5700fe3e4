"""The arguments of a `pl.Trainer` whose processes, devices and strategy are Ray's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.lightning_strategies import is_rays, use_ray_strategy
from migrate_trainers.reading import legacy
from migrate_trainers.reading.lightning_arguments import (
    REMOVED_IN_LIGHTNING_2,
    TRAINER_ARGUMENTS,
    WITHOUT_EFFECT_UNDER_RAY,
)
from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import lightning_name
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.mistakes import current_name
from migrate_trainers.rules.literals import is_none, string
from migrate_trainers.rules.unused_imports import remove_imports_of
from migrate_trainers.writing.arguments import keyword_argument

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

_GPU = frozenset({"cuda", "gpu", "mps"})
_PLAIN = frozenset({"auto", "cpu"})
_ENVIRONMENT, _REPORTS = "RayLightningEnvironment", "RayTrainReportCallback"


def is_complete(program: Program, call: cst.Call) -> bool:
    """Whether a trainer leaves devices, strategy and processes to Ray already."""
    devices = keyword_argument(call, "devices")
    strategy = keyword_argument(call, "strategy")
    has_strategy = strategy is not None and is_rays(program, strategy.value)
    return has_strategy and (devices is None or string(devices.value) == "auto") and _has_rays(program, call, "plugins")


def change_arguments(rewrite: Rewrite, call: cst.Call, *, reports: bool, plain: bool) -> None:
    """Leave to Ray what is Ray's; raises `Refusal` where that can't be told.

    `reports` says that a callback of Ray's is to report, `plain` that the script hasn't chosen its workers yet.
    """
    program, arguments = rewrite.program, rewrite.arguments_of(call)
    _check_arguments(rewrite, call)
    was_rays = (strategy := keyword_argument(call, "strategy")) is not None and is_rays(program, strategy.value)
    _set_auto(rewrite, call, "devices")
    if not was_rays:
        _set_accelerator(rewrite, call)
    if plain:
        _keep_order(rewrite, call)
        _tell_of_devices(rewrite, call)
    use_ray_strategy(rewrite, call)
    for name in ("num_nodes", *WITHOUT_EFFECT_UNDER_RAY):
        if (given := keyword_argument(call, name)) is not None:
            arguments.remove(given)
    if not _has_rays(program, call, "plugins"):
        _without_environments(rewrite, call)
        _extend(rewrite, call, "plugins", f"{rewrite.class_named(f'ray.train.lightning.{_ENVIRONMENT}')}()")
    if reports and not _has_rays(program, call, "callbacks"):
        _extend(rewrite, call, "callbacks", f"{rewrite.class_named(f'ray.train.lightning.{_REPORTS}')}()")
    arguments.spread()


def _check_arguments(rewrite: Rewrite, call: cst.Call) -> None:
    has_lightning_2 = rewrite.settings.target >= legacy.FIRST_WITH_LIGHTNING_2
    for argument in call.args:
        name = argument.keyword.value if argument.keyword is not None else None
        if name is None:
            _check_star(rewrite.program, argument)
            continue
        if has_lightning_2 and name in REMOVED_IN_LIGHTNING_2:
            raise Refusal("MT128", argument, f"`{name}`; write {REMOVED_IN_LIGHTNING_2[name]}")
        if (new := current_name(name, rewrite.settings)) != name:
            rewrite.arguments_of(call).rename(argument, new)
            rewrite.review("MT127", argument, f"`{name}` is `{new}` now")


def _check_star(program: Program, argument: cst.Arg) -> None:
    """Refuse arguments that can't be seen, or that would have to change where they are."""
    value = argument.value
    value = (program.assigned_value(value) or value) if isinstance(value, cst.Name) else value
    ours = {"accelerator", "callbacks", "devices", "num_nodes", "plugins", "strategy", "use_distributed_sampler"}
    keys: set[str | None] = {None}
    if argument.star == "**" and isinstance(value, cst.Dict):
        keys = {string(one.key) if isinstance(one, cst.DictElement) else None for one in value.elements}
    elif argument.star == "**" and isinstance(value, cst.Call) and program.is_builtin(value.func, "dict"):
        keys = {one.keyword.value if one.keyword is not None else None for one in value.args}
    if not keys <= TRAINER_ARGUMENTS - ours:
        raise Refusal("MT602", argument, f"`{program.text(argument).rstrip(' ,')}`")


def _set_auto(rewrite: Rewrite, call: cst.Call, name: str) -> None:
    given = keyword_argument(call, name)
    if given is None:
        rewrite.arguments_of(call).append(lambda indent: f'{name}="auto"')
    elif string(given.value) != "auto":
        rewrite.arguments_of(call).replace(given, f'{name}="auto"')


def _set_accelerator(rewrite: Rewrite, call: cst.Call) -> None:
    """What the worker has: a script that trains on the CPU goes on doing so, unless the workers are given GPUs."""
    adoption = rewrite.settings.adoption
    assert adoption is not None
    given = keyword_argument(call, "accelerator")
    name = string(given.value) if given is not None else "auto"
    if name == "cpu" and not adoption.use_gpu:
        return
    if given is not None and name not in _GPU | _PLAIN and string(given.value) is not None:
        raise Refusal("MT603", given, f"the accelerator `{name}`")
    if name in _GPU and not adoption.use_gpu and given is not None:
        rewrite.review("MT605", given, f"`{name}`")
    _set_auto(rewrite, call, "accelerator")


def _keep_order(rewrite: Rewrite, call: cst.Call) -> None:
    """Let a single worker read the data in the order in which the script has read it on one device."""
    if keyword_argument(call, "use_distributed_sampler") is not None or _is_distributed(call):
        return
    adoption = rewrite.settings.adoption
    assert adoption is not None
    detail = "it shuffles the training data, and each worker reads a part"
    if adoption.num_workers == 1:
        size = f"{rewrite.function_named('ray.train.get_context')}().get_world_size()"
        rewrite.arguments_of(call).append(lambda indent: f"use_distributed_sampler={size} > 1")
        _seed_once(rewrite)
        detail = "with several workers, it shuffles the training data, and each worker reads a part"
    rewrite.review("MT604", call.func, detail)


def _seed_once(rewrite: Rewrite) -> None:
    """Have the random numbers of a single worker go on as on one device: where it can, DDP seeds again."""
    program = rewrite.program
    for call in program.calls:
        name = lightning_name(program.qualified_name(call.func)) or program.qualified_name(call.func) or ""
        statement = program.statement(call)
        is_alone = isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1
        if name.rpartition(".")[2] != "seed_everything" or not is_alone:
            continue
        end = program.source.line_end(program.span(statement)[1])
        lead = "" if program.source.buffer[:end].endswith((b"\n", b"\r")) else "\n"
        line = f'{rewrite.imports.module("os")}.environ.pop("PL_GLOBAL_SEED", None)  # DDP would seed again with it'
        edit = Edit(end, end, f"{lead}{program.indent(statement)}{line}\n")
        if edit not in rewrite.edits:
            rewrite.edits.append(edit)


def _is_distributed(call: cst.Call) -> bool:
    """Whether a trainer trained in several processes before, or may have, and so dealt its data out already."""
    strategy = keyword_argument(call, "strategy")
    return strategy is not None and not is_none(strategy.value) and string(strategy.value) != "auto"


def _tell_of_devices(rewrite: Rewrite, call: cst.Call) -> None:
    """Say where the script trained on another number of devices than it has workers now."""
    adoption = rewrite.settings.adoption
    assert adoption is not None
    for name in ("devices", "gpus", "num_processes"):
        given = keyword_argument(call, name)
        nodes = keyword_argument(call, "num_nodes")
        number = _number(given.value) if given is not None else None
        number_of_nodes = _number(nodes.value) if nodes is not None else 1
        if given is None or number is None or number_of_nodes is None:
            continue
        before = number * number_of_nodes
        if before not in (1, adoption.num_workers):
            rewrite.review("MT607", given, f"{before} devices, and {adoption.num_workers} workers")


def _number(value: cst.BaseExpression) -> int | None:
    if isinstance(value, cst.Integer):
        return int(value.evaluated_value)
    return len(value.elements) if isinstance(value, cst.List) else None


def _has_rays(program: Program, call: cst.Call, name: str) -> bool:
    """Whether one of a list of callbacks or plugins is Ray's, or derived from it in the file."""
    given = keyword_argument(call, name)
    value = given.value if given is not None else None
    value = (program.assigned_value(value) or value) if isinstance(value, cst.Name) else value
    if not isinstance(value, cst.List):
        return False
    return any(is_rays(program, one.value) or _is_derived(program, one.value) for one in value.elements)


def _is_derived(program: Program, value: cst.BaseExpression) -> bool:
    bindings = program.named(value.func) if isinstance(value, cst.Call) else ()
    return any(
        (program.qualified_name(base.value) or "").endswith((f".{_ENVIRONMENT}", f".{_REPORTS}"))
        for binding in bindings
        if isinstance(binding.node, cst.ClassDef)
        for base in binding.node.bases
    )


def _without_environments(rewrite: Rewrite, call: cst.Call) -> None:
    """Take Lightning's own cluster environments out of a list of plugins that is made before, and their imports."""
    program = rewrite.program
    given = keyword_argument(call, "plugins")
    value = given.value if given is not None else None
    held = program.assigned_value(value) if isinstance(value, cst.Name) else value
    plugins = [one.value for one in held.elements] if isinstance(held, cst.List) else [held] if held else []
    gone = [one for one in plugins if _is_environment(program, one)]
    for one in gone:
        remove_imports_of(rewrite, one)
    if gone and isinstance(held, cst.List) and held is not value:
        texts = [program.text(one) for one in plugins if one not in gone]
        rewrite.edits.append(Edit(*program.span(held), f"[{', '.join(texts)}]"))


def _is_environment(program: Program, value: cst.BaseExpression) -> bool:
    """Whether an expression makes one of Lightning's cluster environments."""
    name = lightning_name(program.qualified_name(value.func)) if isinstance(value, cst.Call) else None
    return name is not None and ("environments." in name or name.endswith("Environment"))


def _extend(rewrite: Rewrite, call: cst.Call, name: str, item: str) -> None:
    """Put an object behind those that the trainer is given already."""
    program, arguments = rewrite.program, rewrite.arguments_of(call)
    given = keyword_argument(call, name)
    if given is None:
        arguments.append(lambda indent: f"{name}=[{item}]")
        return
    value = given.value
    held = (program.assigned_value(value) or value) if isinstance(value, cst.Name) else value
    if is_none(value) or _is_environment(program, held):
        text = f"[{item}]"
    elif isinstance(value, cst.List):
        text = _longer(program, value, item)
    elif isinstance(held, cst.Call) and _is_object(program, held):
        text = f"[{program.text(value)}, {item}]"
    else:
        text = _spliced(program, value, item)
    arguments.replace(given, f"{name}={text}")


def _spliced(program: Program, value: cst.BaseExpression, item: str) -> str:
    text = program.outer_text(value)
    is_plain = isinstance(value, cst.Name | cst.Attribute | cst.Call | cst.Subscript)
    return f"[*{text if is_plain else f'({text})'}, {item}]"


def _is_object(program: Program, value: cst.Call) -> bool:
    """Whether a call makes one callback or plugin, and not a list: it is named as classes are."""
    name = program.text(value.func).rpartition(".")[2]
    return name[:1].isupper()


def _longer(program: Program, value: cst.List, item: str) -> str:
    """A list's text with one more item, and without cluster environments."""
    environments = [one for one in value.elements if _is_environment(program, one.value)]
    if environments:
        texts = [program.text(one.value) for one in value.elements if one not in environments]
        return f"[{', '.join([*texts, item])}]"
    if not value.elements:
        return f"[{item}]"
    last = value.elements[-1]
    (start, end), behind = program.span(value), program.outer_span(last.value)[1]
    head, rest = program.source.slice(start, behind), program.source.slice(behind, end - 1)
    if "\n" not in rest:
        return f"{head}, {item}]"
    comma = "" if isinstance(last.comma, cst.Comma) else ","
    tail = rest[len(rest.rstrip()) :]
    return f"{head}{comma}{rest.rstrip()}\n{program.indent(last)}{item},{tail}]"
