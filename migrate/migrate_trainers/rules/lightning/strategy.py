"""The class of the current API for the name of a strategy, which may only be known when the script runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import string
from migrate_trainers.writing.render import Argument, sequence

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.rules.rewrite import Rewrite


def strategy_class(rewrite: Rewrite, name: cst.BaseExpression | None, text: str, indent: str) -> str:
    """The expression for a strategy's class in a line indented by `indent`.

    `text` is how new code evaluates a name that is no literal.
    """
    literal = "ddp" if name is None else string(name)
    if literal is None:
        return f"{_classes(rewrite, indent)}[{text}]"
    if literal not in legacy.STRATEGIES:
        assert name is not None
        raise Refusal("MT106", name, f"{literal!r} is not a strategy that LightningTrainer had")
    return _class(rewrite, literal)


def unpacked_strategy(rewrite: Rewrite, dictionary: str, indent: str) -> str:
    """The same where the name may be among keywords that were unpacked into a dictionary."""
    return f'{_classes(rewrite, indent)}[{dictionary}.pop("name", "ddp")]'


def _classes(rewrite: Rewrite, indent: str) -> str:
    classes = [Argument(f'"{known}": {_class(rewrite, known)}') for known in legacy.STRATEGIES]
    return sequence("{", classes, "}", indent, rewrite.program.module.default_indent, spread=True)


def _class(rewrite: Rewrite, name: str) -> str:
    return rewrite.class_named(f"ray.train.lightning.{legacy.STRATEGIES[name]}")
