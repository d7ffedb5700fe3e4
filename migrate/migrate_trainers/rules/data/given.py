"""The call of a legacy trainer as far as Ray Data goes: what it was given, and what may go in front of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.data.keys import DatasetKeys, read_keys
from migrate_trainers.rules.legacy_uses import check_place
from migrate_trainers.rules.trainer_call import is_absent

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import CallSite, Rewrite

TRAIN = "train"


@dataclass(frozen=True)
class Codes:
    """The findings of a trainer's rule: for datasets that can't be seen, and for values whose evaluation would move."""

    unseen: str
    moved: str


@dataclass(eq=False)
class RayData:
    """What a trainer was given of Ray Data.

    `splits_others` says that datasets other than `train` are split as `train` is, where the call says nothing of it;
    `splits_train_alone` that this is so whatever the call says.
    `variable` is the name that the datasets get before the trainer's statement, where they need one.
    """

    call_site: CallSite
    arguments: dict[str, cst.Arg]
    keys: DatasetKeys
    codes: Codes
    splits_others: bool
    splits_train_alone: bool = False
    variable: str | None = None

    @property
    def datasets(self) -> cst.BaseExpression:
        return self.arguments["datasets"].value


def read_given(rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg], codes: Codes) -> RayData | None:
    """The datasets of a trainer's call, None if it has none: arguments that say nothing then leave the call."""
    if not is_absent(arguments, "datasets"):
        keys = read_keys(rewrite.program, site, arguments["datasets"].value, codes.unseen)
        return RayData(site, arguments, keys, codes, rewrite.settings.source >= legacy.FIRST_THAT_SPLITS_ALL)
    for name in ("datasets", "dataset_config"):
        if name in arguments:
            drop_effectless(rewrite, site, arguments[name], codes)
    return None


def drop_effectless(rewrite: Rewrite, site: CallSite, argument: cst.Arg, codes: Codes) -> None:
    """Remove an argument without effect on the run; raises `Refusal` if evaluating it may have one."""
    _check_effectless(rewrite.program, argument, site.statement, codes)
    rewrite.arguments_of(site.call).remove(argument)


def _check_effectless(program: Program, argument: cst.Arg, statement: Statement, codes: Codes) -> None:
    analysis = ValueAnalysis(program, statement)
    if any(not analysis.only_reads(part) for part in analysis.immovable_parts(argument.value)):
        raise Refusal(codes.moved, argument, "it had no effect without `datasets`, but what it calls may have")


def refuse_effects_before(rewrite: Rewrite, data: RayData, value: cst.BaseExpression) -> None:
    """Raise `Refusal` where a value that moves to the front of the trainer's call would pass other calls in it."""
    program = rewrite.program
    start = program.span(value)[0]
    for other in program.calls:
        if not program.contains(data.call_site.call, other) or program.span(other)[1] > start:
            continue
        earlier = ["lightning_config", *(["datasets"] if data.variable is not None else [])]
        is_earlier = any(program.contains(data.arguments[name], other) for name in earlier if name in data.arguments)
        qualified = program.qualified_name(other.func) or ""
        # What makes a dataset doesn't see what is made before it.
        passes = qualified in legacy.CONFIG_CLASSES or qualified.startswith("ray.data.")
        if not is_earlier and not passes:
            raise Refusal(data.codes.moved, other, "it is called before other arguments that have to move")


def write_before(rewrite: Rewrite, data: RayData, line: str) -> None:
    """Put a statement directly before the trainer's; raises `Refusal` where that may not run."""
    check_place(rewrite.program, data.call_site)
    program, statement = rewrite.program, data.call_site.statement
    start = program.source.line_start(program.statement_start(statement))
    rewrite.edits.append(Edit(start, start, f"{program.indent(statement)}{line}\n"))
