"""What the rules about readers share: the edits that they make, and the functions that they write into the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.held import Holdings
from migrate_trainers.rules.checkpoints.kinds import Held
from migrate_trainers.rules.legacy_uses import import_of, module_level_import
from migrate_trainers.writing import templates
from migrate_trainers.writing.placement import definition

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrate_trainers.reading.source import Edit
    from migrate_trainers.rules.checkpoints.families import Family
    from migrate_trainers.rules.rewrite import Rewrite

# What the legacy checkpoint classes loaded from their files.
LOADING_METHODS = ("get_model", "get_tokenizer", "get_training_arguments")


@dataclass(frozen=True)
class _Definition:
    """A function or class that is written into the file, and the nodes at which new code uses it."""

    name: str
    text: str
    users: list[cst.CSTNode]


@dataclass
class Readers:
    """The readers of what one trainer left, in one file.

    `explained` are the expressions that some rule has rewritten, `opened` the statements that stand in a `with`, by
    the text of the checkpoint whose folder this opens; `reads_old` says that a checkpoint may come from
    elsewhere, and hold what the legacy trainer wrote.
    """

    rewrite: Rewrite
    family: Family
    explained: set[cst.CSTNode] = field(default_factory=set)
    opened: dict[cst.SimpleStatementLine, str] = field(default_factory=dict)
    _folder: str = ""
    _definitions: dict[tuple[str, cst.CSTNode], _Definition] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.program = self.rewrite.program
        self.held = Holdings(self.program, self.family)
        self.reads_old = any(self._may_be_old(call) for call in self.program.calls)

    def edit(self, node: cst.CSTNode, *edits: Edit) -> None:
        """Make edits on behalf of a node; a rule that drops one of them with the code around it refuses the file."""
        self.rewrite.edits += edits
        self.rewrite.must_stand += [(node, edit) for edit in edits]

    def explain(self, name: cst.BaseExpression) -> None:
        """Note that a legacy class's name is rewritten, and import from now on what code in its reach can read."""
        self.explained.add(name)
        assert isinstance(name, cst.Name | cst.Attribute)
        self.rewrite.imports.stand_at(import_of(self.program, name))

    def stand_near(self, node: cst.CSTNode) -> None:
        """Import from now on what the code at a node can read; raises `Refusal` if nothing is imported in its reach."""
        if self.rewrite.imports.reaches(node):
            return
        statement = module_level_import(self.program, node)
        if statement is None:
            raise Refusal(self.family.unseen, node, "nothing is imported where this code could read it")
        self.rewrite.imports.stand_at(statement)

    def _may_be_old(self, call: cst.Call) -> bool:
        """Whether a call reads a checkpoint that this file's run may not have made."""
        if isinstance(call.func, cst.Attribute) and call.func.attr.value in LOADING_METHODS:
            return self.held.of(call.func.value) is Held.OLD_CHECKPOINT
        qualified = (self.program.qualified_name(call.func) or "").removesuffix(".from_checkpoint")
        if qualified not in self.family.predictors | {legacy.BATCH_PREDICTOR}:
            return False
        given = [one.value for one in call.args if one.keyword is None or one.keyword.value == "checkpoint"]
        return not given or self.held.of(given[0]) is not Held.CHECKPOINT

    @property
    def folder(self) -> str:
        """The variable for a checkpoint's folder in `with` statements among the file's own."""
        if not self._folder:
            self._folder = self.rewrite.new_name("checkpoint_dir", "checkpoint_folder")
        return self._folder

    def definition(self, candidate: str, node: cst.CSTNode, text: Callable[[str], str]) -> str:
        """The name of a function or class that `text` gives, for the code at a node."""
        self.stand_near(node)
        block = self.rewrite.imports.block
        if (candidate, block) not in self._definitions:
            name = self.rewrite.new_name(candidate)
            self._definitions[candidate, block] = _Definition(name, text(name), [])
        own = self._definitions[candidate, block]
        own.users.append(node)
        return own.name

    def write_definitions(self) -> None:
        """Put the definitions above the first code that needs one of them, in the block whose imports they use."""
        program, unit = self.program, self.program.module.default_indent
        for block in dict.fromkeys(block for _, block in self._definitions):
            own = [one for (_, other), one in self._definitions.items() if other is block]
            first = min((user for one in own for user in one.users), key=lambda user: program.span(user)[0])
            place = program.statement(first)
            while program.block(place) is not block:
                place = program.statement(program.block(place))
            indent = program.indent(place)
            self.rewrite.edits += definition(
                program, place, [templates.indented(one.text, indent, unit) for one in own]
            )
