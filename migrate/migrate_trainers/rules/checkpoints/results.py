"""What scripts read of a result beside its checkpoint: the folder of the run, the table of reports, folders by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.kinds import Held

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.checkpoints.readers import Readers
    from migrate_trainers.rules.rewrite import Rewrite

# Functions that take a path as text as well as a Path.
_TAKES_TEXT = ("os.path.join", "os.listdir", "os.path.exists", "os.path.basename", "os.walk", "pathlib.Path")
_TAKES_TEXT_BUILTINS = ("open", "print", "str")
_PATTERN = re.compile(r"[*?\[]")


def migrate_results(readers: Readers) -> None:
    """Read `result.path` where the script reads `result.log_dir`; say where less or other things are found.

    Raises `Refusal` for `result.config`, on which current Ray raises.
    """
    for attribute in readers.program.attributes:
        held = readers.held.of(attribute.value)
        if attribute.attr.value == "log_dir" and held in (Held.RESULT, Held.TRIAL):
            if readers.rewrite.settings.strict_target and held is Held.RESULT:
                readers.rewrite.review("MT419", attribute, "")
            _write_path(readers, attribute)
        elif held is not Held.RESULT:
            continue
        elif attribute.attr.value == "config" and readers.rewrite.settings.strict_target:
            raise Refusal("MT405", attribute, "`config` of a result")
        elif attribute.attr.value == "metrics_dataframe" and _forgets_reports(readers):
            readers.rewrite.review("MT418", attribute, "")


def _forgets_reports(readers: Readers) -> bool:
    return readers.rewrite.settings.strict_target and not readers.rewrite.settings.bundled


def _write_path(readers: Readers, attribute: cst.Attribute) -> None:
    """`result.log_dir` was a Path; `result.path` is text."""
    program, rewrite = readers.program, readers.rewrite
    start, end = program.span(attribute.attr)
    if _is_text_enough(program, attribute):
        readers.edit(attribute, Edit(start, end, "path"))
        return
    readers.stand_near(attribute)
    path = rewrite.imports.name("pathlib.Path")
    outer = program.span(attribute)[0]
    readers.edit(attribute, Edit(outer, outer, f"{path}("), Edit(start, end, "path)"))


def _is_text_enough(program: Program, node: cst.CSTNode) -> bool:
    """Whether a path as text does where an expression stands."""
    parent = program.parent(node)
    if isinstance(parent, cst.FormattedStringExpression):
        return True
    call = program.parent(parent) if isinstance(parent, cst.Arg) else None
    if not isinstance(call, cst.Call):
        return False
    is_builtin = any(program.is_builtin(call.func, name) for name in _TAKES_TEXT_BUILTINS)
    return is_builtin or program.qualified_name(call.func) in _TAKES_TEXT


def review_folder_names(rewrite: Rewrite) -> None:
    """Say where a pattern, or a name alone, is that of a folder which is called otherwise now."""
    program = rewrite.program
    trainers = {program.qualified_name(one.func) or "" for one in program.calls} & legacy.TRAINERS.keys()
    if not trainers:
        return
    names = sorted(f"{trainer.rpartition('.')[2]}_" for trainer in trainers)
    if rewrite.settings.strict_target:
        names.append("checkpoint_0")
    for node in program.strings:
        text = program.text(node)
        is_open = isinstance(node, cst.FormattedString) or _PATTERN.search(text) or "/" not in text
        for name in names:
            if is_open and name in text:
                rewrite.review("MT417", node, f"`{name}…`")
