"""What the rules about readers share: the edits that they make, and the functions that they write into the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.legacy_uses import import_of
from migrate_trainers.rules.lightning.reports import checkpoint_file
from migrate_trainers.writing import templates
from migrate_trainers.writing.placement import definition

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrate_trainers.reading.source import Edit
    from migrate_trainers.rules.checkpoints.held import Holdings
    from migrate_trainers.rules.rewrite import Rewrite


@dataclass
class Readers:
    """The readers of one file.

    `explained` are the legacy names that some rule has rewritten; `reads_old` says that a model may come from what
    LightningTrainer wrote.
    """

    rewrite: Rewrite
    held: Holdings
    explained: set[cst.CSTNode] = field(default_factory=set)
    reads_old: bool = False
    _folder: str = ""

    def __post_init__(self) -> None:
        self.program = self.rewrite.program
        self.file = checkpoint_file(self.program)

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
        for statement in self.program.imports:
            if isinstance(self.program.block(self.program.statement(statement)), cst.Module):
                self.rewrite.imports.stand_at(statement)
                return
        raise Refusal("MT411", node, "nothing is imported where this code could read it")

    @property
    def folder(self) -> str:
        """The variable for a checkpoint's folder in `with` statements among the file's own."""
        if not self._folder:
            self._folder = self.rewrite.new_name("checkpoint_dir", "checkpoint_folder")
        return self._folder

    def loader(self, node: cst.CSTNode) -> str:
        """The name of a function of the file that loads a module from a checkpoint."""

        def text(name: str) -> str:
            template = templates.LOAD_ANY_MODEL if self.reads_old else templates.LOAD_MODEL
            other = templates.other_file(self.file)
            return template.format(name=name, os=self.rewrite.imports.module("os"), file=self.file, other=other)

        return self.function("load_model", node, text)

    def function(self, candidate: str, node: cst.CSTNode, text: Callable[[str], str]) -> str:
        """The name of a definition that `text` gives, written above the first code that needs it."""
        place = self.program.statement(node)
        while isinstance(self.program.parent(place), cst.If):
            # An `elif`, above which nothing can stand.
            place = self.program.statement(self.program.block(place))
        name, definitions = self.rewrite.own_definition(candidate, place, text)
        if definitions:
            self.rewrite.edits += definition(self.program, place, definitions)
        return name
