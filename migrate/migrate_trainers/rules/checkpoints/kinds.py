"""Kinds of what a program holds of training runs, and what attributes, methods, items and unpacking give of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Held(Enum):
    """What there is to hold.

    `OLD_CHECKPOINT` may be of any run of the trainer, also one before the migration, `ANY_CHECKPOINT` of any trainer.
    """

    TRAINER = "a trainer"
    RESULT = "the result of a run"
    CHECKPOINT = "a checkpoint of this file's run"
    OLD_CHECKPOINT = "a checkpoint of some run"
    ANY_CHECKPOINT = "a checkpoint of some trainer"
    TUNER = "a tuner of a trainer"
    TRIALS = "the results of all trials"
    TRIAL = "the result of a trial"
    ANALYSIS = "what `tune.run` gave for a trainer"
    ANALYSED_TRIAL = "a trial of that"


@dataclass(frozen=True)
class Parts:
    """A tuple; a part is None where it is something else."""

    parts: tuple[Kind | None, ...]


@dataclass(frozen=True)
class Listed:
    """A list, or anything else that gives its elements one by one."""

    of: Kind


@dataclass(frozen=True)
class Named:
    """A dictionary, by its values."""

    of: Kind


Kind = Held | Parts | Listed | Named

# What surely was made by the trainer in question; all that surely is a checkpoint.
CHECKPOINTS = frozenset({Held.CHECKPOINT, Held.OLD_CHECKPOINT})
ALL_CHECKPOINTS = CHECKPOINTS | {Held.ANY_CHECKPOINT}
# The best checkpoints with their metrics.
_PAIRS = Listed(Parts((Held.CHECKPOINT, None)))
_ATTRIBUTES: dict[tuple[Kind, str], Kind] = {
    (Held.RESULT, "checkpoint"): Held.CHECKPOINT,
    (Held.RESULT, "best_checkpoints"): _PAIRS,
    (Held.TRIAL, "checkpoint"): Held.CHECKPOINT,
    (Held.TRIAL, "best_checkpoints"): _PAIRS,
    (Held.ANALYSIS, "best_checkpoint"): Held.CHECKPOINT,
    (Held.ANALYSIS, "best_trial"): Held.ANALYSED_TRIAL,
    (Held.ANALYSIS, "trials"): Listed(Held.ANALYSED_TRIAL),
    (Held.ANALYSED_TRIAL, "checkpoint"): Held.CHECKPOINT,
}
_METHODS: dict[tuple[Kind, str], Kind] = {
    (Held.TRAINER, "fit"): Held.RESULT,
    (Held.TRAINER, "as_trainable"): Held.TRAINER,
    (Held.RESULT, "get_best_checkpoint"): Held.CHECKPOINT,
    (Held.TRIAL, "get_best_checkpoint"): Held.CHECKPOINT,
    (Held.TUNER, "fit"): Held.TRIALS,
    (Held.TUNER, "get_results"): Held.TRIALS,
    (Held.TRIALS, "get_best_result"): Held.TRIAL,
    (Held.ANALYSIS, "get_best_checkpoint"): Held.CHECKPOINT,
    (Held.ANALYSIS, "get_last_checkpoint"): Held.CHECKPOINT,
    (Held.ANALYSIS, "get_best_trial"): Held.ANALYSED_TRIAL,
}
# Builtins that give elements of what they are given, and those that give the same again.
_CHOOSING = ("max", "min", "next")
_COPYING = ("list", "tuple", "sorted", "reversed", "iter")


def attribute_of(kind: Kind, name: str) -> Kind | None:
    return _ATTRIBUTES.get((kind, name))


def returned_by(kind: Kind, method: str) -> Kind | None:
    """What a method gives."""
    if isinstance(kind, Named):
        if method == "items":
            return Listed(Parts((None, kind.of)))
        if method == "values":
            return Listed(kind.of)
        return kind.of if method in ("get", "pop") else None
    if isinstance(kind, Listed):
        return kind.of if method == "pop" else None
    return _METHODS.get((kind, method))


def given_by_builtin(kind: Kind, function: str) -> Kind | None:
    """What a builtin gives that is called with something of a kind."""
    element = element_of(kind)
    if element is None:
        return None
    if function in _COPYING:
        return kind
    if function == "enumerate":
        return Listed(Parts((None, element)))
    return element if function in _CHOOSING else None


def element_of(kind: Kind) -> Kind | None:
    """What a loop gives."""
    if kind is Held.TRIALS:
        return Held.TRIAL
    if isinstance(kind, Parts):
        return merged(set(kind.parts))
    return kind.of if isinstance(kind, Listed) else None


def part_of(kind: Kind | None, index: int) -> Kind | None:
    """What unpacking gives at a position."""
    if isinstance(kind, Parts):
        return kind.parts[index] if -len(kind.parts) <= index < len(kind.parts) else None
    return kind.of if isinstance(kind, Listed) else None


def merged(found: set[Kind | None]) -> Kind | None:
    """One answer for several places: old and new checkpoints together may be either."""
    if len(found) == 1:
        return next(iter(found))
    if not found or not found <= ALL_CHECKPOINTS:
        return None
    return Held.OLD_CHECKPOINT if found <= CHECKPOINTS else Held.ANY_CHECKPOINT
