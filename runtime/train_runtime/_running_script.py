"""The script of `python script.py`, which runs already when it imports this package."""

from __future__ import annotations

import ast
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_PACKAGE = os.path.dirname(__file__)


def source() -> bytes:
    """The running script's source; nothing where there is none."""
    try:
        with open(getattr(sys.modules["__main__"], "__file__", None) or os.devnull, "rb") as file:
            return file.read()
    except OSError:
        return b""


def run_ahead(leading: Sequence[ast.stmt]) -> bool:
    """Run those of the script's leading statements that it has not come to yet, as it is about to.

    True if the process has then done nothing but run these statements.
    """
    frame = _frame()
    if frame is None or not any(_covers(statement, frame.f_lineno) for statement in leading):
        return False
    later = [statement for statement in leading if statement.lineno > frame.f_lineno]
    code = compile(ast.Module(later, []), frame.f_code.co_filename, "exec", dont_inherit=True)
    try:
        exec(code, dict(frame.f_globals))
    except (Exception, SystemExit):  # the script will meet it
        return False
    return True


def _covers(statement: ast.stmt, line: int) -> bool:
    return statement.lineno <= line <= (statement.end_lineno or statement.lineno)


def _frame() -> FrameType | None:
    """The script's frame, if it is the script itself that imports this package; None if others run it, or import."""
    frame = sys._getframe()
    while frame.f_back is not None:
        if not frame.f_code.co_filename.startswith((_PACKAGE, "<frozen importlib")):
            return None
        frame = frame.f_back
    return frame if frame.f_globals is vars(sys.modules["__main__"]) else None
