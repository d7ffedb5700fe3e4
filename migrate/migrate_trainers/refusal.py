"""How a rule says that it leaves code alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import libcst as cst

# A value of a trainer in a loop that can't be evaluated once a worker.
CHANGES_IN_LOOP = "its value changes from turn to turn of a loop: make the trainer in a function that the loop calls"


class Refusal(Exception):
    """A call site can't be migrated: `code` names the finding, `node` the place, `detail` fills in the why."""

    def __init__(self, code: str, node: cst.CSTNode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.node = node
        self.detail = detail
