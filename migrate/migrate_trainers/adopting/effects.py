"""Statements that matter for what they do: those that set up the process in which they run, by what they call."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program, Statement

# Calls that set up the process for all that it does afterwards.
_SETTERS = re.compile(
    r"torch\.(?:manual_seed|seed|set_\w+|use_deterministic_algorithms|(?:cuda|mps|xpu)\.(?:manual_seed(?:_all)?|set_\w+)"
    r"|multiprocessing\.set_\w+|backends\..*)"
    r"|(?:numpy\.random|random)\.seed"
    r"|(?:lightning\.pytorch|lightning|pytorch_lightning)\.(?:seed_everything|utilities\.seed\.seed_everything)"
    r"|(?:lightning\.fabric|lightning_fabric)\.\w*\.?seed_everything"
    r"|(?:transformers|accelerate\.utils)\.(?:\w+\.)*(?:set_seed|enable_full_determinism)"
    r"|(?:transformers|datasets|diffusers)\.(?:utils\.)?(?:logging\.)?(?:set_verbosity\w*|\w+_progress_bars?)"
    r"|warnings\.(?:filterwarnings|simplefilter)"
    r"|mlflow\.(?:\w+\.)?autolog"
)
_ASSIGNED = ("torch.backends.",)


def sets_state(program: Program, statement: Statement) -> bool:
    """Whether a statement only sets up the process: seeds, precision, determinism, which warnings are shown."""
    if not isinstance(statement, cst.SimpleStatementLine):
        return False
    return all(_sets_state(program, small) for small in statement.body)


def _sets_state(program: Program, small: cst.BaseSmallStatement) -> bool:
    if isinstance(small, cst.Expr) and isinstance(small.value, cst.Call):
        qualified = program.qualified_name(small.value.func)
        return qualified is not None and _SETTERS.fullmatch(qualified) is not None
    if isinstance(small, cst.Assign):
        names = [program.qualified_name(target.target) or "" for target in small.targets]
        return all(name.startswith(_ASSIGNED) for name in names)
    return False
