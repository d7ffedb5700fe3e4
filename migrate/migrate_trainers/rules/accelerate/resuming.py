"""`resume_from_checkpoint` of an AccelerateTrainer reaches the train function through its configuration.

checkpoint = session.get_checkpoint()      checkpoint = ray.train.get_checkpoint() or config.get(
                                               "resume_from_checkpoint"
                                           )
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.trainer_call import is_absent

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.accelerate.sites import AccelerateSite
    from migrate_trainers.rules.rewrite import Rewrite

_KEY = "resume_from_checkpoint"
# Where an `or` needs no parentheses.
_LOOSE = (cst.Assign, cst.AnnAssign, cst.Return, cst.Arg)


def start_from_given(rewrite: Rewrite, sites: list[AccelerateSite]) -> None:
    """Hand each trainer's checkpoint to its train function; raises `Refusal` where that can't take it."""
    resuming = [site for site in sites if rewrite.settings.strict_target and not is_absent(site.arguments, _KEY)]
    done: set[cst.Call] = set()
    for site in resuming:
        config, getters = _getters(rewrite.program, site)
        for call in getters:
            if call not in done:
                rewrite.edits += _with_given(rewrite.program, call, config)
                done.add(call)
        rewrite.review("MT412", site.arguments[_KEY], "")
        _give(rewrite, site)


def _getters(program: Program, site: AccelerateSite) -> tuple[str, list[cst.Call]]:
    """The name of a train function's configuration, and its calls of `get_checkpoint`, which are all of the file."""
    argument, loop = site.arguments[_KEY], site.loop
    parameter = loop.parameters[0] if loop.parameters else None
    if loop.program is not program or not isinstance(loop.definition, cst.FunctionDef) or parameter is None:
        raise Refusal("MT403", argument, f"`{_KEY}=...`: the train function and its configuration have to be seen")
    config = parameter.name.value
    bindings = program.scope(loop.definition.body).bindings.get(config, [])
    if len(bindings) != 1 or parameter.default is not None or parameter.star:
        raise Refusal(
            "MT403", argument, f"`{_KEY}=...`: `{config}` of the train function isn't always its configuration"
        )
    if not all(_is_looked_up(program, use) for use in program.uses(bindings[0])):
        raise Refusal("MT403", argument, f"`{_KEY}=...`: `{config}` goes where another entry might not be expected")
    getters = [call for call in program.calls if program.qualified_name(call.func) in legacy.CHECKPOINT_GETTERS]
    if not getters or not all(bindings[0] in program.scope(call).lookup(config) for call in getters):
        raise Refusal("MT403", argument, f"`{_KEY}=...`: not the train function itself asks for the checkpoint")
    return config, getters


def _is_looked_up(program: Program, use: cst.Name) -> bool:
    """Whether a configuration is only asked for an entry: `config["lr"]`, `config.get("lr")`."""
    above = program.parent(use)
    if isinstance(above, cst.Attribute):
        return above.attr.value == "get"
    return isinstance(above, cst.Subscript) and above.value is use


def _with_given(program: Program, call: cst.Call, config: str) -> list[Edit]:
    start, end = program.span(call)
    given = f' or {config}.get("{_KEY}")'
    if isinstance(program.parent(call), _LOOSE):
        return [Edit(end, end, given)]
    return [Edit(start, start, "("), Edit(end, end, f"{given})")]


def _give(rewrite: Rewrite, site: AccelerateSite) -> None:
    """Move a trainer's checkpoint into its `train_loop_config`."""
    given, config = site.arguments[_KEY], site.arguments.get("train_loop_config")
    edits = rewrite.arguments_of(site.call_site.call)
    entry = f'"{_KEY}": {rewrite.text_of(given.value)}'
    if config is None or is_absent(site.arguments, "train_loop_config"):
        if config is not None:
            edits.remove(config)
        edits.replace(given, f"train_loop_config={{{entry}}}")
        return
    edits.remove(given, moves=True)
    if isinstance(config.value, cst.Dict):
        last = config.value.elements[-1]
        end = rewrite.program.outer_span(last.value)[1]
        separator = f"\n{rewrite.program.indent(last)}" if "\n" in rewrite.program.text(config.value) else " "
        rewrite.edits.append(Edit(end, end, f",{separator}{entry}"))
        return
    keyword = "train_loop_config=" if config.keyword is not None else ""
    edits.replace(config, f"{keyword}{{**{rewrite.text_of(config.value)}, {entry}}}")
