"""`TrainingArguments(...)`: what TransformersTrainer read from it and changed in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.transformers_arguments import POSITIONAL
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.rules.literals import entries_of, string
from migrate_trainers.rules.transformers.made_trainers import reach_of

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program

_STRATEGY_CLASSES = ("IntervalStrategy", "EvaluationStrategy", "SaveStrategy")
# Attributes and methods by which a script changes arguments after it has made them.
_CHANGEABLE = frozenset(
    {
        "report_to",
        "logging_strategy",
        "logging_steps",
        "logging_first_step",
        "evaluation_strategy",
        "eval_strategy",
        "eval_steps",
        "save_strategy",
        "save_steps",
        "load_best_model_at_end",
        "no_cuda",
        "use_cpu",
        "set_evaluate",
        "set_logging",
        "set_save",
    }
)


@dataclass(frozen=True)
class GivenArguments:
    """The arguments of one call by name: `written` in the call itself, `unpacked` from a dictionary in sight.

    `hides_some` says that the call may be given others, which only the running script knows.
    """

    call: cst.Call
    written: dict[str, cst.Arg]
    unpacked: dict[str, cst.BaseExpression]
    hides_some: bool

    def value(self, *names: str) -> cst.BaseExpression | None:
        """What an argument is given, by whichever of its names."""
        for name in names:
            if name in self.written:
                return self.written[name].value
            if name in self.unpacked:
                return self.unpacked[name]
        return None

    def has(self, *names: str) -> bool:
        return self.value(*names) is not None


@dataclass(frozen=True)
class TrainersArguments:
    """The `TrainingArguments` of one legacy trainer's workers.

    `is_known` says that no others reach the Trainer; `changes` are the places of the file that change some afterwards.
    """

    given: tuple[GivenArguments, ...]
    is_known: bool
    changes: tuple[cst.CSTNode, ...]

    @property
    def is_settled(self) -> bool:
        """Whether the Trainer gets the arguments as the calls give them."""
        return self.is_known and not self.changes


def read_training_arguments(program: Program, init: cst.BaseExpression) -> TrainersArguments:
    """The `TrainingArguments` that reach the Trainer which a `trainer_init_per_worker` makes."""
    reach = reach_of(program, init)
    changes = [attribute for attribute in program.attributes if _changes(program, attribute)]
    given = tuple(given_arguments(program, call) for call in reach.calls)
    return TrainersArguments(given, reach.is_complete, (*changes, *reach.replaced))


def given_arguments(program: Program, call: cst.Call) -> GivenArguments:
    """A call's arguments by name."""
    written: dict[str, cst.Arg] = {}
    unpacked: dict[str, cst.BaseExpression] = {}
    hides_some = False
    for index, argument in enumerate(call.args):
        if argument.star:
            entries = _entries_in_sight(program, call, argument.value) if argument.star == "**" else None
            hides_some |= entries is None
            unpacked |= entries or {}
        elif argument.keyword is not None:
            written[argument.keyword.value] = argument
        elif index < len(POSITIONAL):
            written[POSITIONAL[index]] = argument
        else:
            hides_some = True
    return GivenArguments(call, written, unpacked, hides_some)


def choice(program: Program, node: cst.BaseExpression | None) -> str | None:
    """The text of a strategy: a string, a member of an enumeration of Transformers, or a variable that is one."""
    if isinstance(node, cst.Attribute) and node.attr.value == "value":
        node = node.value
    if isinstance(node, cst.Attribute):
        owner = (program.qualified_name(node.value) or "").split(".")
        return node.attr.value.lower() if owner[0] == "transformers" and owner[-1] in _STRATEGY_CLASSES else None
    if isinstance(node, cst.Name):
        constant = constant_behind(program, node)
        return None if constant is None else choice(program, constant)
    return string(node)


def constant_behind(program: Program, name: cst.Name) -> cst.BaseExpression | None:
    """What the only assignment of a variable gives it."""
    value = program.assigned_value(name)
    return value if value is not name else None


def _entries_in_sight(
    program: Program, call: cst.Call, node: cst.BaseExpression
) -> dict[str, cst.BaseExpression] | None:
    """The entries of a dictionary that is unpacked, None where the script may put others into it."""
    if isinstance(node, cst.Name):
        constant = constant_behind(program, node)
        is_as_made = ValueAnalysis(program, program.statement(call)).may_be_unpacked_later(node)
        return entries_of(program, constant) if constant is not None and is_as_made else None
    return entries_of(program, node)


def _changes(program: Program, attribute: cst.Attribute) -> bool:
    """Whether an attribute is what a script assigns to, or calls, in order to change arguments."""
    if attribute.attr.value not in _CHANGEABLE:
        return False
    above = program.parent(attribute)
    is_target = isinstance(above, cst.AssignTarget | cst.AnnAssign | cst.AugAssign) and above.target is attribute
    return is_target or (isinstance(above, cst.Call) and above.func is attribute)
