"""What a script imports of the well-known libraries, read from its source without running it.

A template process imports this before it is asked for workers. Only libraries are named whose import is known to start
no thread and to leave CUDA alone; the user's own modules never are, as importing them may do anything.
"""

from __future__ import annotations

import ast
import itertools
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LIGHTNING = frozenset({"lightning", "pytorch_lightning"})
_LIBRARIES = _LIGHTNING | {
    "PIL",
    "accelerate",
    "datasets",
    "evaluate",
    "fsspec",
    "huggingface_hub",
    "matplotlib",
    "numpy",
    "pandas",
    "peft",
    "pyarrow",
    "requests",
    "safetensors",
    "scipy",
    "sklearn",
    "tokenizers",
    "torch",
    "torchaudio",
    "torchmetrics",
    "torchvision",
    "tqdm",
    "transformers",
    "yaml",
}
_RUNTIME = ("ray.train", "train_runtime")


@dataclass(frozen=True)
class ScriptImports:
    """What a script's import statements say."""

    uses_runtime: bool
    """Whether it imports `train_runtime`, or `ray.train`."""
    libraries: dict[str, list[str]]
    """The modules of well-known libraries, with the names that it takes from each."""
    leading: list[ast.stmt]
    """Its first statements, as long as they only import such libraries or set environment variables; none without the
    runtime."""


def read(source: bytes) -> ScriptImports:
    """The imports of a script, those in its functions too.

    What is imported under a condition or after a failed import is left out, and so are both Lightning packages if both
    are named: a worker must find in `sys.modules` the one that its script uses.
    """
    if not any(name.partition(".")[0].encode() in source for name in _RUNTIME):
        return ScriptImports(uses_runtime=False, libraries={}, leading=[])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # running the script says it better, and errors too
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return ScriptImports(uses_runtime=False, libraries={}, leading=[])
    uses_runtime = False
    libraries: dict[str, list[str]] = {}
    for module, names in _imports(tree.body):
        uses_runtime |= any(map(_is_runtime, [module, *(f"{module}.{name}" for name in names)]))
        if _package(module) in _LIBRARIES:
            libraries.setdefault(module, []).extend(name for name in names if name != "*")
    known = _LIBRARIES
    if len(_LIGHTNING.intersection(map(_package, libraries))) > 1:
        known -= _LIGHTNING
        libraries = {module: names for module, names in libraries.items() if _package(module) in known}
    leading = itertools.takewhile(lambda statement: _is_leading(statement, known), tree.body) if uses_runtime else ()
    return ScriptImports(uses_runtime, libraries, list(leading))


def _is_leading(statement: ast.stmt, libraries: frozenset[str]) -> bool:
    """Whether the statement only imports these libraries, what Python has, or this runtime, or sets a variable."""
    known = libraries | sys.stdlib_module_names | {"ray", "train_runtime"}
    match statement:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Import(names=aliases):
            return all(_package(alias.name) in known for alias in aliases)
        case ast.ImportFrom(module=str(module), level=0):
            return _package(module) in known
        case ast.Assign(targets=[ast.Subscript(value=variables, slice=ast.Constant())], value=ast.Constant()):
            return ast.unparse(variables) == "os.environ"
        case ast.Expr(value=ast.Call(func=function, args=arguments, keywords=[])):
            return ast.unparse(function) == "os.environ.setdefault" and all(
                isinstance(argument, ast.Constant) for argument in arguments
            )
    return False


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
