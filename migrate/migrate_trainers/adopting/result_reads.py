"""How the driver reads of a training's `Result` what a script read of its trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import Rewrite


def metric(key: str, rewrite: Rewrite, result: str) -> str:
    """A metric of the last report; `key` has its brackets."""
    return f"{result}.metrics{key}"


def best_score(name: str, mode: str, rewrite: Rewrite, result: str) -> str:
    """The best value of a metric among the checkpoints, by `min` or `max`."""
    return f'{mode}(metrics["{name}"] for _, metrics in {result}.best_checkpoints)'


def checkpoint_path(callback: str, best: tuple[str, str] | None, rewrite: Rewrite, result: str) -> str:
    """What one of Ray's callbacks wrote into the best checkpoint by a metric and a mode, or into the last one."""
    checkpoint = f"{result}.checkpoint" if best is None else f'{result}.get_best_checkpoint("{best[0]}", "{best[1]}")'
    join = f"{rewrite.imports.module('os')}.path.join"
    return f"{join}({checkpoint}.path, {rewrite.class_named(callback)}.CHECKPOINT_NAME)"
