"""Files that workers write: what reads them after the training finds them where the first worker runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.rules.accelerate.train_loop import reached_definitions, uses_by_definition
from migrate_trainers.rules.literals import string

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from migrate_trainers.adopting.region import Region
    from migrate_trainers.reading.program import Program

# Functions that write, or make the folder to write to, by their last name.
_WRITERS = re.compile(
    r"(?:dump|export|save|write)\w*|savefig|savetxt|savez\w*|to_(?:csv|json|onnx|parquet|pickle)|make_?dirs?|mkdir"
)
# Functions of a path itself.
_OF_PATHS = re.compile(r"write_\w+|mkdir|open")
# Classes whose objects write to the folder that they are given first.
_WRITING_CLASSES = re.compile(r"\w*(?:TrainingArguments|ModelCheckpoint|Logger|SummaryWriter|ProjectConfiguration)")
_KEYWORDS = frozenset(
    {
        *("default_root_dir", "dir", "dirpath", "file", "filename", "filepath", "fname", "folder", "log_dir"),
        *("logging_dir", "output_dir", "path", "project_dir", "save_dir", "save_directory"),
    }
)
_NAMED_FOR_PATHS = re.compile(r"ckpt|checkpoint|dest|dir|file|folder|location|out|path|root|save", re.IGNORECASE)
# Functions that say a path, and don't look where it leads.
_SAYING = re.compile(r"(?:click\.)?echo|print|pprint|(?:\w+\.)*(?:critical|debug|error|info|warn|warning)")
_MAKE_FOLDERS = re.compile(r"(?:\w+\.)*(?:makedirs|mkdir)")
_MAKES_PATH = re.compile(r"os\.(?:path\.\w+|fspath)|pathlib\.\w+|(?:builtins\.)?str")
# How many variables are followed to the text of a path.
_DEPTH = 4


def written_paths(program: Program, moved: Sequence[cst.CSTNode]) -> frozenset[str]:
    """The paths that moved statements, and what they call, may write to: texts, or how they are computed."""
    nodes = reached_definitions(program, moved)
    return frozenset(
        path
        for call in program.calls
        if any(program.contains(node, call) for node in nodes)
        for given in _written(program, call)
        for path in _paths(program, given)
    )


def reads_of(
    program: Program, nodes: Sequence[cst.CSTNode], paths: frozenset[str], known: Sequence[cst.CSTNode] = ()
) -> cst.BaseExpression | None:
    """The first expression in some code by which a function is given one of some paths, but for those `known`."""
    for call in program.calls if paths else ():
        is_saying = _SAYING.fullmatch(program.text(call.func)) is not None
        if not is_saying and any(program.contains(one, call) for one in nodes):
            for argument in call.args:
                is_one = any(_overlaps(path, paths) for path in _paths(program, argument.value))
                if is_one and argument.value not in known:
                    return argument.value
    return None


def read_elsewhere(program: Program, region: Region, paths: frozenset[str]) -> cst.BaseExpression | None:
    """The first expression by which a path is read by what the module runs beside the function that trains."""
    if region.function is None:
        return None
    nodes: list[cst.CSTNode] = [
        one for one in program.module.body if not isinstance(one, cst.FunctionDef | cst.ClassDef)
    ]
    definitions = uses_by_definition(program)
    for one in nodes:
        nodes += [
            node
            for node, uses in definitions.items()
            if node is not region.function and node not in nodes and any(program.contains(one, use) for use in uses)
        ]
    return reads_of(program, nodes, paths)


def makes_folder(program: Program, node: cst.CSTNode, paths: frozenset[str]) -> bool:
    """Whether a statement does nothing but make sure of a folder above one of some paths."""
    expression = node.body[0] if isinstance(node, cst.SimpleStatementLine) and len(node.body) == 1 else None
    call = expression.value if isinstance(expression, cst.Expr) else None
    if not isinstance(call, cst.Call) or _MAKE_FOLDERS.search(program.text(call.func)) is None:
        return False
    return any(_overlaps(path, paths) for given in _written(program, call) for path in _paths(program, given))


def _overlaps(path: str, paths: Iterable[str]) -> bool:
    """Whether a path is one of others, stands below one of them, or above one."""
    return any(path == one or path.startswith(f"{one}/") or one.startswith(f"{path}/") for one in paths)


def _written(program: Program, call: cst.Call) -> Iterator[cst.BaseExpression]:
    """The arguments by which a call is told where to write."""
    name = program.text(call.func).rpartition(".")[2]
    places = [one for one in call.args if one.keyword is None and not one.star]
    if name == "open" and isinstance(call.func, cst.Name):
        mode = string(call.args[1].value) if len(call.args) > 1 else None
        if mode is not None and set(mode) & set("wax"):
            yield places[0].value
        return
    is_class = _WRITING_CLASSES.fullmatch(name) is not None
    is_writer = _WRITERS.fullmatch(name) is not None and name != "save_hyperparameters"
    for argument in call.args:
        keyword = argument.keyword.value if argument.keyword is not None else ""
        if keyword == "default_root_dir" or (keyword in _KEYWORDS and (is_class or is_writer)):
            yield argument.value
    for argument in places[: 1 if is_class else 2 if is_writer else 0]:
        yield argument.value
    if isinstance(call.func, cst.Attribute) and _OF_PATHS.fullmatch(name):
        yield call.func.value


def _paths(program: Program, node: cst.BaseExpression, depth: int = _DEPTH) -> Iterator[str]:
    """What an expression says of a path: its text where that is written out, else how it is computed, and of what."""
    if isinstance(node, cst.SimpleString):
        text = (string(node) or "").removeprefix("./").rstrip("/")
        if text not in ("", ".") and not text.startswith(("/", "~")) and "://" not in text:
            yield text
        return
    value = program.assigned_value(node) if isinstance(node, cst.Name) else None
    if value is not None and value is not node and depth:
        yield from _paths(program, value, depth - 1)
        return
    text = program.text(node)
    start = _start(program, node)
    if start is not None:
        yield f"`{text}`"
        yield from [start] if isinstance(start, str) else _paths(program, start, depth)
    elif isinstance(node, cst.Name | cst.Attribute | cst.Subscript) and _NAMED_FOR_PATHS.search(text):
        yield f"`{text}`"


def _start(program: Program, node: cst.BaseExpression) -> cst.BaseExpression | str | None:
    """What a path that is put together starts with."""
    if isinstance(node, cst.BinaryOperation):
        return node.left
    if isinstance(node, cst.Call) and node.args and _MAKES_PATH.fullmatch(program.qualified_name(node.func) or ""):
        return node.args[0].value
    first = next(iter(node.parts), None) if isinstance(node, cst.FormattedString) else None
    if isinstance(first, cst.FormattedStringExpression):
        return first.expression
    if isinstance(first, cst.FormattedStringText):
        return first.value.rpartition("/")[0].removeprefix("./") or first.value
    return None
