"""The call of a LightningTrainer as far as Ray Data goes: what it was given, and what may go in front of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.dataset_keys import DatasetKeys, read_keys
from migrate_trainers.rules.literals import is_none
from migrate_trainers.rules.trainer_call import is_absent

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import CallSite, Rewrite

TRAIN, VALIDATION = "train", "val"


@dataclass(eq=False)
class RayData:
    """What a LightningTrainer was given of Ray Data.

    `variable` is the name that the datasets get before the trainer's statement, where they need one.
    """

    call_site: CallSite
    arguments: dict[str, cst.Arg]
    keys: DatasetKeys
    variable: str | None = None

    @property
    def datasets(self) -> cst.BaseExpression:
        return self.arguments["datasets"].value


def read_data(rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg]) -> RayData | None:
    """The datasets of a trainer's call, None if it has none; raises `Refusal` for those that LightningTrainer refused.

    Arguments that say nothing without datasets leave the call.
    """
    edits = rewrite.arguments_of(site.call)
    if not is_absent(arguments, "datasets"):
        iter_config = arguments.get("datasets_iter_config")
        says_nothing = is_absent(arguments, "datasets_iter_config")
        takes_empty = rewrite.settings.source < legacy.FIRST_THAT_WANTS_ITER_CONFIG
        if iter_config is None or (says_nothing and not (takes_empty and not is_none(iter_config.value))):
            raise Refusal("MT106", arguments["datasets"], "`datasets` needs a `datasets_iter_config`")
        edits.remove(iter_config)
        return RayData(site, arguments, read_keys(rewrite.program, site, arguments["datasets"].value))
    for name in ("datasets", "dataset_config", "datasets_iter_config"):
        if name in arguments:
            _check_effectless(rewrite.program, arguments[name], site.statement)
            edits.remove(arguments[name])
    return None


def _check_effectless(program: Program, argument: cst.Arg, statement: Statement) -> None:
    """An argument without effect on the run can go, if evaluating it had none either."""
    analysis = ValueAnalysis(program, statement)
    if any(not analysis.only_reads(part) for part in analysis.immovable_parts(argument.value)):
        raise Refusal("MT102", argument, "it had no effect without `datasets`, but what it calls may have")


def refuse_effects_before(rewrite: Rewrite, data: RayData, value: cst.BaseExpression) -> None:
    """Raise `Refusal` where a value that moves to the front of the trainer's call would pass other calls in it."""
    program = rewrite.program
    start = program.span(value)[0]
    for other in program.calls:
        if not program.contains(data.call_site.call, other) or program.span(other)[1] > start:
            continue
        earlier = ["lightning_config", *(["datasets"] if data.variable is not None else [])]
        is_earlier = any(program.contains(data.arguments[name], other) for name in earlier if name in data.arguments)
        if not is_earlier and program.qualified_name(other.func) not in legacy.CONFIG_CLASSES:
            raise Refusal("MT102", other, "it is called before other arguments of the trainer that have to move")


def write_before(rewrite: Rewrite, data: RayData, line: str) -> None:
    """Put a statement directly before the trainer's."""
    program, statement = rewrite.program, data.call_site.statement
    start = program.source.line_start(program.statement_start(statement))
    rewrite.edits.append(Edit(start, start, f"{program.indent(statement)}{line}\n"))
