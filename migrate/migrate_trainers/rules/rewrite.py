"""One file being rewritten: what the rules read, and what they have decided so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.findings import Finding, Kind
from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit, without_nested
from migrate_trainers.writing import templates
from migrate_trainers.writing.arguments import ArgumentEdits
from migrate_trainers.writing.placement import definition
from migrate_trainers.writing.render import relocated

if TYPE_CHECKING:
    from collections.abc import Callable

    import libcst as cst

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.settings import Settings
    from migrate_trainers.writing.imports import ImportPlan


@dataclass(frozen=True)
class CallSite:
    """One construction of a legacy trainer."""

    trainer: str
    call: cst.Call
    statement: Statement


def finding(program: Program, code: str, node: cst.CSTNode, detail: str, *, kind: Kind | None = None) -> Finding:
    """A finding of the catalogue about a node."""
    entry = CATALOGUE[code]
    start, end = program.span(node)
    line, column = program.source.position(start)
    end_line, end_column = program.source.position(end)
    message = f"{entry.title}: {detail}" if detail else entry.title
    return Finding(line, column, end_line, end_column, code, kind or entry.kind, message, entry.help)


@dataclass(frozen=True)
class Package:
    """What is settled about a file's Lightning package before it is rewritten.

    Either the file and all that it takes Lightning classes from say `lightning.pytorch` from now on (`converts`), or
    `keeps_old` says why they keep `pytorch_lightning`, or nothing is known.
    """

    converts: bool = False
    keeps_old: str = ""


@dataclass
class Rewrite:
    """The decisions about one program; rules add to it and never look at what other rules added.

    `must_stand` are edits that have to be among the output, each with the node that it is about; `carried` the spans
    whose edited text was taken to another place.
    """

    program: Program
    settings: Settings
    imports: ImportPlan
    package: Package
    edits: list[Edit] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    argument_edits: dict[cst.Call, ArgumentEdits] = field(default_factory=dict)
    adapted: set[cst.Call] = field(default_factory=set)
    tuner_configs: frozenset[cst.Call] = frozenset()
    late: list[Callable[[list[Edit]], list[Edit]]] = field(default_factory=list)
    must_stand: list[tuple[cst.CSTNode, Edit]] = field(default_factory=list)
    carried: list[tuple[int, int]] = field(default_factory=list)
    _definitions: dict[str, tuple[str, cst.CSTNode]] = field(default_factory=dict)

    def review(self, code: str, node: cst.CSTNode, detail: str) -> None:
        new = finding(self.program, code, node, detail)
        if new not in self.findings:
            self.findings.append(new)

    def arguments_of(self, call: cst.Call) -> ArgumentEdits:
        """The edits of a call's arguments; every rule that changes the call shares them."""
        if call not in self.argument_edits:
            self.argument_edits[call] = ArgumentEdits(self.program, call)
        return self.argument_edits[call]

    def new_name(self, *candidates: str) -> str:
        """The first candidate that the file doesn't use, reserved; numbered where all are used."""
        for candidate in candidates:
            if self.imports.is_free(candidate):
                self.imports.reserve(candidate)
                return candidate
        number = 2
        while not self.imports.is_free(f"{candidates[0]}_{number}"):
            number += 1
        name = f"{candidates[0]}_{number}"
        self.imports.reserve(name)
        return name

    def edits_in(self, node: cst.BaseExpression) -> list[Edit]:
        """All edits made in an expression so far, those of its calls' arguments too, for code that takes it along."""
        calls = [edits for call, edits in self.argument_edits.items() if self.program.contains(node, call)]
        return self._taken_along(node, [*self.edits, *(edit for edits in calls for edit in edits.edits())])

    def _taken_along(self, node: cst.BaseExpression, edits: list[Edit]) -> list[Edit]:
        start, end = self.program.outer_span(node)
        self.carried.append((start, end))
        return without_nested(edit for edit in edits if start <= edit.start and edit.end <= end)

    def text_of(self, node: cst.BaseExpression) -> str:
        """An expression's text with the edits made in it so far, for code that takes it to another place."""
        start, end = self.program.outer_span(node)
        source, parts, done = self.program.source, [], start
        for edit in self._taken_along(node, self.edits):
            parts += [source.slice(done, edit.start), edit.text]
            done = edit.end
        return "".join([*parts, source.slice(done, end)])

    def moved_text(self, node: cst.BaseExpression, indent: str) -> str:
        """An expression's text with the edits made in it so far, for a line of an indentation."""
        line = self.program.indent(node)
        edits = [replace(edit, text=edit.text.replace(f"\n{line}", f"\n{indent}")) for edit in self.edits_in(node)]
        return relocated(self.program, node, indent, edits=edits)

    def own_definition(self, candidate: str, place: Statement, text: Callable[[str], str]) -> tuple[str, list[str]]:
        """The name of a class or function for code at a place, and the definition that has to stand there, if any.

        `text` gives the definition for a name. It goes to module level, unless the imports that it needs are in a
        function, and below these; a definition that an earlier place in reach has serves again.
        """
        if candidate in self._definitions:
            name, block = self._definitions[candidate]
            if self.program.contains(block, place):
                return name, []
        name = self.new_name(candidate)
        unit = self.program.module.default_indent
        top_level = self.program.top_level_statement(place)
        if (below := self.imports.statement_below(top_level)) is not None:
            self._definitions[candidate] = name, self.program.block(top_level)
            self.edits += definition(self.program, below, [templates.indented(text(name), "", unit)])
            return name, []
        if top_level is not place and self.imports.are_at_module_level:
            self._definitions[candidate] = name, self.program.block(top_level)
            self.edits += definition(self.program, top_level, [templates.indented(text(name), "", unit)])
            return name, []
        self._definitions[candidate] = name, self.program.block(place)
        return name, [templates.indented(text(name), self.program.indent(place), unit)]

    def class_named(self, qualified: str) -> str:
        """How new code names a class or function of the target API."""
        return self.imports.name(self.target(qualified))

    def function_named(self, qualified: str) -> str:
        """How new code names a function that reads better behind its module."""
        return self.imports.member(self.target(qualified))

    def target(self, qualified: str) -> str:
        """A qualified name of `ray.train` in the package that the output imports."""
        return target_name(qualified, bundled=self.settings.bundled)


def target_name(qualified: str, *, bundled: bool) -> str:
    """`ray.train.x`, or `train_runtime.x` where the output runs on the bundled runtime."""
    if bundled and (qualified == "ray.train" or qualified.startswith("ray.train.")):
        return "train_runtime" + qualified.removeprefix("ray.train")
    return qualified


def moved_name(qualified: str, settings: Settings) -> str | None:
    """Where a name lives on the target, if that is somewhere else than where the code looks for it."""
    target = legacy.MOVED.get(qualified)
    if qualified == "ray.train.base_trainer.TrainingFailedError" and not settings.strict_target:
        target = None
    if qualified.startswith(f"{legacy.SESSION_MODULE}."):
        name = qualified.rpartition(".")[2]
        target = f"ray.train.{name}" if name in legacy.SESSION_FUNCTIONS else None
    moved = target_name(target or qualified, bundled=settings.bundled)
    return None if moved == qualified else moved
