"""What a script imports of the well-known libraries, read from its source without running it.

A template process imports this before it is asked for workers. Only libraries are named whose import is known to start
no thread and to leave CUDA alone; the user's own modules never are, as importing them may do anything.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LIGHTNING = frozenset({"lightning", "pytorch_lightning"})
_LIBRARIES = _LIGHTNING | {
    "accelerate",
    "datasets",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "torch",
    "torchmetrics",
    "torchvision",
    "transformers",
}
_RUNTIME = ("ray.train", "train_runtime")


@dataclass(frozen=True)
class ScriptImports:
    """What a script's import statements say."""

    uses_runtime: bool
    """Whether it imports `train_runtime`, or `ray.train`."""
    libraries: dict[str, list[str]]
    """The modules of well-known libraries, with the names that it takes from each."""


def read(source: bytes) -> ScriptImports:
    """The imports of a script, those in its functions too.

    What is imported under a condition or after a failed import is left out, and so are both Lightning packages if both
    are named: a worker must find in `sys.modules` the one that its script uses.
    """
    if not any(name.partition(".")[0].encode() in source for name in _RUNTIME):
        return ScriptImports(uses_runtime=False, libraries={})
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):  # running the script says it better
        return ScriptImports(uses_runtime=False, libraries={})
    uses_runtime = False
    libraries: dict[str, list[str]] = {}
    for module, names in _imports(tree.body):
        uses_runtime |= any(map(_is_runtime, [module, *(f"{module}.{name}" for name in names)]))
        if _package(module) in _LIBRARIES:
            libraries.setdefault(module, []).extend(name for name in names if name != "*")
    if len(_LIGHTNING.intersection(map(_package, libraries))) > 1:
        libraries = {module: names for module, names in libraries.items() if _package(module) not in _LIGHTNING}
    return ScriptImports(uses_runtime, libraries)


def _is_runtime(name: str) -> bool:
    return any(f"{name}.".startswith(f"{module}.") for module in _RUNTIME)


def _package(module: str) -> str:
    return module.partition(".")[0]


def _imports(statements: Iterable[ast.stmt]) -> Iterator[tuple[str, list[str]]]:
    """The absolute imports among the statements, as a module and the names taken from it."""
    for statement in statements:
        match statement:
            case ast.Import(names=aliases):
                yield from ((alias.name, []) for alias in aliases)
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                yield module, [alias.name for alias in aliases]
            case ast.If():
                continue
            case _:
                # Of a `try`, what runs if nothing fails; its handlers are no statements.
                yield from _imports(child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt))
