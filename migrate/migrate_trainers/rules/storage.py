"""Where a run is stored: `local_dir` and `SyncConfig(upload_dir=...)` are `RunConfig(storage_path=...)` now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import inlined, is_none, string, vanishes
from migrate_trainers.rules.unused_imports import remove_imports_of
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

_ABSOLUTE = frozenset(
    {
        *("os.path.abspath", "os.path.expanduser", "os.path.realpath", "os.getcwd"),
        *("pathlib.Path.home", "pathlib.Path.cwd", "tempfile.mkdtemp", "tempfile.gettempdir"),
    }
)
_ABSOLUTE_METHODS = ("absolute", "resolve", "expanduser")
_LED_BY_FIRST = ("os.path.join", "os.fspath", "pathlib.Path")


def migrate_storage(rewrite: Rewrite, call: cst.Call, arguments: Mapping[str, cst.Arg]) -> frozenset[str]:
    """Give a RunConfig the one argument that says where runs are stored; the fields that are done then.

    Raises `Refusal` for a SyncConfig that says more than can be written.
    """
    given = {field: one for field, one in arguments.items() if not is_none(one.value)}
    upload = _upload_dir(rewrite, given["sync_config"]) if "sync_config" in given else None
    edits = rewrite.arguments_of(call)
    done = set()
    if upload is not None:
        rewrite.review("MT402", given["sync_config"], "of `SyncConfig`, `upload_dir` is `storage_path` now")
        edits.replace(given["sync_config"], _instead_of(rewrite, given["sync_config"], upload))
        done |= {"sync_config", "storage_path"}
        if "storage_path" in arguments:
            edits.remove(arguments["storage_path"])
    if "local_dir" in arguments:
        done.add("local_dir")
        _migrate_local_dir(rewrite, call, arguments, is_staging=upload is not None or "storage_path" in given)
    elif (
        "storage_path" in given
        and upload is None
        and _is_absolute(rewrite.program, given["storage_path"].value) is False
    ):
        done.add("storage_path")
        edits.replace(given["storage_path"], f"storage_path={_absolute_text(rewrite, given['storage_path'].value)}")
    return frozenset(done)


def _migrate_local_dir(rewrite: Rewrite, call: cst.Call, arguments: Mapping[str, cst.Arg], *, is_staging: bool) -> None:
    edits, argument = rewrite.arguments_of(call), arguments["local_dir"]
    if is_none(argument.value):
        edits.remove(argument)
    elif is_staging:
        rewrite.review("MT402", argument, "`local_dir` beside `storage_path` was only a staging folder")
        edits.remove(argument)
    else:
        if "storage_path" in arguments:
            edits.remove(arguments["storage_path"])
        if _is_absolute(rewrite.program, argument.value):
            edits.rename(argument, "storage_path")
        else:
            edits.replace(argument, f"storage_path={_absolute_text(rewrite, argument.value)}")


def is_stored_locally(program: Program, arguments: Mapping[str, cst.Arg]) -> bool:
    """Whether a RunConfig with these arguments surely stores runs in a folder of the file system."""
    given = {field: one.value for field, one in arguments.items() if not is_none(one.value)}
    if "storage_filesystem" in given or ("sync_config" in given and _may_upload(program, given["sync_config"])):
        return False
    return "storage_path" not in given or _is_local(program, given["storage_path"])


def _may_upload(program: Program, sync_config: cst.BaseExpression) -> bool:
    if isinstance(sync_config, cst.Name):
        sync_config = program.assigned_value(sync_config) or sync_config
    is_made = isinstance(sync_config, cst.Call) and program.qualified_name(sync_config.func) in legacy.SYNC_CONFIGS
    arguments = bound_arguments(sync_config, ()) if is_made and isinstance(sync_config, cst.Call) else None
    return arguments is None or "upload_dir" in arguments


def _is_local(program: Program, node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.Name) and (value := program.assigned_value(node)) is not None:
        return _is_local(program, value)
    literal = string(node)
    if literal is not None:
        return "://" not in literal
    return isinstance(node, cst.Call) and _gives_absolute(program, node) is True


def _absolute_text(rewrite: Rewrite, value: cst.BaseExpression) -> str:
    """The legacy classes took relative paths, from the current folder on; Ray 2.7 and newer don't."""
    os = rewrite.imports.module("os")
    text = rewrite.text_of(value)
    is_relative = _is_absolute(rewrite.program, value) is False
    return f"{os}.path.abspath({text})" if is_relative else f"{os}.path.abspath({os}.path.expanduser({text}))"


def _is_absolute(program: Program, node: cst.BaseExpression) -> bool | None:
    """Whether a path starts at a root, at the home folder or is a URL; None where that can't be seen."""
    literal = string(node)
    if literal is not None:
        return literal.startswith(("/", "~", "\\")) or "://" in literal or literal[1:2] == ":"
    if isinstance(node, cst.FormattedString):
        first = node.parts[0] if node.parts else None
        if isinstance(first, cst.FormattedStringText):
            return _is_absolute(program, cst.SimpleString(repr(first.value)))
        return _is_absolute(program, first.expression) if isinstance(first, cst.FormattedStringExpression) else False
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Add | cst.Divide):
        return _is_absolute(program, node.left)
    if isinstance(node, cst.Name):
        value = program.assigned_value(node)
        return None if value is None else _is_absolute(program, value)
    return _gives_absolute(program, node) if isinstance(node, cst.Call) else None


def _gives_absolute(program: Program, call: cst.Call) -> bool | None:
    qualified = program.qualified_name(call.func) or ""
    if qualified in _ABSOLUTE:
        return True
    if qualified in _LED_BY_FIRST or program.is_builtin(call.func, "str"):
        return _is_absolute(program, call.args[0].value) if call.args else False
    is_method = isinstance(call.func, cst.Attribute) and call.func.attr.value in _ABSOLUTE_METHODS
    return True if is_method else None


# SyncConfig


def _upload_dir(rewrite: Rewrite, argument: cst.Arg) -> cst.BaseExpression | None:
    """The folder that a SyncConfig uploads to, which nothing else needs then; None for none."""
    program, value = rewrite.program, argument.value
    variable = value if isinstance(value, cst.Name) else None
    if variable is not None and vanishes(program, variable):
        value = program.assigned_value(variable) or value
    if not isinstance(value, cst.Call) or program.qualified_name(value.func) not in legacy.SYNC_CONFIGS:
        raise Refusal("MT403", argument, "`RunConfig(sync_config=...)`: what it says can't be seen")
    fields = legacy.SYNC_CONFIG_FIELDS if rewrite.settings.source < legacy.FIRST_WITHOUT_UPLOAD_DIR else ()
    arguments = bound_arguments(value, fields)
    if arguments is None:
        raise Refusal("MT403", argument, "`RunConfig(sync_config=...)`: what it says can't be seen")
    upload, syncer = (arguments.get(name) for name in ("upload_dir", "syncer"))
    uploads = upload is not None and not is_none(upload.value)
    if syncer is not None and string(syncer.value) != "auto" and (uploads or not is_none(syncer.value)):
        raise Refusal("MT403", syncer, "`SyncConfig(syncer=...)`")
    if not uploads:
        for name in legacy.GONE_SYNC_CONFIG_FIELDS & arguments.keys():
            rewrite.arguments_of(value).remove(arguments[name])
        return None
    assert upload is not None
    if variable is not None:
        inlined(rewrite, variable)
    remove_imports_of(rewrite, value.func)
    return upload.value


def _instead_of(rewrite: Rewrite, argument: cst.Arg, upload: cst.BaseExpression) -> str:
    """The argument in the place of a SyncConfig, below the comments of one that is made there."""
    program = rewrite.program
    start, end = program.span(argument)
    comments = program.comments_in(start, end)
    if program.contains(argument, upload):
        kept_start, kept_end = program.outer_span(upload)
        comments = program.comments_in(start, kept_start) + program.comments_in(kept_end, end)
    indent = program.source.indent_at(start)
    return "".join(f"{comment}\n{indent}" for comment in comments) + f"storage_path={rewrite.text_of(upload)}"
