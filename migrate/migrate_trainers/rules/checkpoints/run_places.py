"""Where runs are stored, as texts that can be compared: paths that scripts write, and what a RunConfig says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.rules.configs import fields, find_config_call
from migrate_trainers.rules.legacy_uses import written_for
from migrate_trainers.rules.literals import string
from migrate_trainers.writing.arguments import bound_arguments, keyword_argument

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.settings import Settings

# Calls that only say where their argument is, or what it is.
_SAME_PLACE = ("os.path.expanduser", "os.path.abspath", "os.fspath", "pathlib.Path")
_DEFAULT_STORAGE = "~/ray_results"


def place_of_run(program: Program, settings: Settings, trainer: cst.Call) -> str | None:
    """The folder of a trainer's run, from its RunConfig."""
    given = keyword_argument(trainer, "run_config")
    found = find_config_call(program, given.value, "RunConfig") if given is not None else None
    if found is None:
        return None
    version = settings.source_version or written_for(program)
    arguments = bound_arguments(found.call, fields("RunConfig", version))
    if arguments is None or "name" not in arguments:
        return None
    storage = arguments.get("storage_path") or arguments.get("local_dir")
    folder = place(program, storage.value) if storage is not None else _DEFAULT_STORAGE
    name = place(program, arguments["name"].value)
    return None if folder is None or name is None else _normal(f"{folder}/{name}")


def place(program: Program, node: cst.BaseExpression) -> str | None:
    """A path as text in which each variable has a mark of its own; None for what can't be compared."""
    text = _path_text(program, node)
    return None if text is None else _normal(text)


def _path_text(program: Program, node: cst.BaseExpression) -> str | None:
    literal = string(node)
    if literal is not None:
        return literal
    if isinstance(node, cst.Name):
        return _variable_text(program, node)
    if isinstance(node, cst.Attribute):
        base = _path_text(program, node.value)
        is_assigned = program.text(node) in program.assigned_attributes
        return None if base is None or is_assigned else f"{base}.{node.attr.value}"
    if isinstance(node, cst.FormattedString):
        return _joined("", [_part_text(program, part) for part in node.parts])
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Add | cst.Divide):
        separator = "" if isinstance(node.operator, cst.Add) else "/"
        return _joined(separator, [_path_text(program, part) for part in (node.left, node.right)])
    if isinstance(node, cst.Call) and node.args and all(one.keyword is None and not one.star for one in node.args):
        qualified = program.qualified_name(node.func)
        if qualified == "os.path.join" or qualified in _SAME_PLACE or program.is_builtin(node.func, "str"):
            return _joined("/", [_path_text(program, one.value) for one in node.args])
    return None


def _variable_text(program: Program, name: cst.Name) -> str | None:
    """What a variable that is bound once holds, or a mark for it."""
    bindings = program.bindings(name)
    if len(bindings) != 1 or program.loop_around(bindings[0].node) is not None:
        return None
    value = bindings[0].value if bindings[0].kind is BindingKind.ASSIGNMENT else None
    known = _path_text(program, value) if value is not None else None
    return f"<{id(bindings[0])}>" if known is None else known


def _part_text(program: Program, part: cst.BaseFormattedStringContent) -> str | None:
    if isinstance(part, cst.FormattedStringText):
        return part.value
    assert isinstance(part, cst.FormattedStringExpression)
    is_plain = part.conversion is None and part.format_spec is None
    return _path_text(program, part.expression) if is_plain else None


def _joined(separator: str, texts: list[str | None]) -> str | None:
    known = [text for text in texts if text is not None]
    if len(known) != len(texts):
        return None
    return separator.join(_normal(text) if separator else text for text in known)


def _normal(path: str) -> str:
    return path.rstrip("/") or path
