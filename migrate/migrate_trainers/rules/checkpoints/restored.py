"""`restore` of a legacy trainer: current Ray continues a run whose name and storage path it has seen, by itself.

    if LightningTrainer.can_restore(path):               trainer = TorchTrainer(
        trainer = LightningTrainer.restore(path)             …, run_config=RunConfig(name=…, storage_path=…)
    else:                                                )
        trainer = LightningTrainer(
            …, run_config=RunConfig(name=…, storage_path=…)
        )

This is a step of its own before all others: it leaves a legacy program that only constructs its trainers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.run_places import place, place_of_run
from migrate_trainers.rules.legacy_uses import is_trainer
from migrate_trainers.rules.literals import is_none
from migrate_trainers.rules.rewrite import finding
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from migrate_trainers.findings import Finding
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.settings import Settings


@dataclass(frozen=True)
class Continuation:
    """The edits that leave only constructions of trainers, and what to say about them."""

    edits: list[Edit]
    findings: list[Finding]


def continue_by_name(program: Program, settings: Settings) -> Continuation:
    """Take out every `if <legacy trainer>.can_restore(…)`; raises `Refusal` where something else is restored."""
    edits: list[Edit] = []
    findings: list[Finding] = []
    explained: set[cst.Call] = set()
    calls = restoring_calls(program) if settings.strict_target else []
    for call in calls:
        if _method(call) == "can_restore":
            choice = _choice(program, call)
            if choice is not None:
                restore, made = choice.restoring, [choice.fresh]
                edits += _kept_value(program, choice)
            else:
                branches = _read_branches(program, call)
                restore, made = _restore_in(program, branches), _trainers_made(program, branches)
                edits += _kept_alone(program, branches)
            _check_same_place(program, settings, call, restore, made)
            findings.append(finding(program, "MT416", call.func, ""))
            explained |= {call, restore}
    for call in calls:
        if call not in explained:
            raise Refusal("MT415", call.func, f"no `if` asks `can_restore` before this `{_method(call)}`")
    return Continuation(edits, findings)


def restoring_calls(program: Program) -> list[cst.Call]:
    """Every call of `restore` and `can_restore` of a legacy trainer."""
    return [call for call in program.calls if is_restoring(program, call.func)]


def is_restoring(program: Program, function: cst.BaseExpression) -> bool:
    trainer, _, method = (program.qualified_name(function) or "").rpartition(".")
    return trainer in legacy.TRAINERS and method in legacy.RESTORING_METHODS


def _method(call: cst.Call) -> str:
    assert isinstance(call.func, cst.Attribute)
    return call.func.attr.value


# The statement


@dataclass(frozen=True)
class _Choice:
    """`restore(…) if can_restore(…) else LightningTrainer(…)`."""

    expression: cst.IfExp
    restoring: cst.Call
    fresh: cst.Call


def _choice(program: Program, asked: cst.Call) -> _Choice | None:
    found = program.parent(asked)
    if not isinstance(found, cst.IfExp) or found.test is not asked:
        return None
    restoring, fresh = found.body, found.orelse
    if not isinstance(restoring, cst.Call) or not isinstance(fresh, cst.Call) or not is_trainer(program, fresh):
        return None
    is_restore = is_restoring(program, restoring.func) and _method(restoring) == "restore"
    return _Choice(found, restoring, fresh) if is_restore else None


@dataclass(frozen=True)
class _Branches:
    """An `if` that asks `can_restore`: what it does to restore, and what else, which may stand behind it.

    `replaced` is the trainer that is made in front of it, in whose place the restored one comes.
    """

    statement: cst.If
    restoring: cst.IndentedBlock
    fresh: cst.IndentedBlock | None
    replaced: cst.Call | None = None


def _read_branches(program: Program, call: cst.Call) -> _Branches:
    statement: cst.CSTNode | None = program.parent(call)
    negated = isinstance(statement, cst.UnaryOperation) and isinstance(statement.operator, cst.Not)
    if statement is not None and negated:
        statement = program.parent(statement)
    if not isinstance(statement, cst.If) or isinstance(program.parent(statement), cst.If):
        raise Refusal("MT415", call.func, "it is not all that an `if` asks")
    other = statement.orelse.body if isinstance(statement.orelse, cst.Else) else None
    restoring, fresh = (other, statement.body) if negated else (statement.body, other)
    if isinstance(statement.orelse, cst.If) or not isinstance(restoring, cst.IndentedBlock):
        raise Refusal("MT415", call.func, "its `if` has other branches, or stands on one line")
    if fresh is not None and not isinstance(fresh, cst.IndentedBlock):
        raise Refusal("MT415", call.func, "its `else` stands on one line")
    replaced = _made_before(program, statement, restoring) if fresh is None else None
    if fresh is None and replaced is None and not _returns(restoring):
        raise Refusal("MT415", call.func, "its `if` has no `else`")
    return _Branches(statement, restoring, fresh, replaced)


def _made_before(program: Program, statement: cst.If, restoring: cst.IndentedBlock) -> cst.Call | None:
    """The trainer that the statement in front of an `if` assigns to what the `if` assigns a restored one to."""
    above = program.parent(statement)
    body = list(above.body) if isinstance(above, cst.Module | cst.IndentedBlock) else []
    index = body.index(statement) if statement in body else 0
    before, only = body[index - 1] if index else None, restoring.body[0]
    if len(restoring.body) != 1 or not isinstance(before, cst.SimpleStatementLine):
        return None
    if not isinstance(only, cst.SimpleStatementLine) or _target(program, before) != _target(program, only):
        return None
    made = before.body[0]
    value = made.value if isinstance(made, cst.Assign) else None
    return value if isinstance(value, cst.Call) and is_trainer(program, value) else None


def _returns(block: cst.IndentedBlock) -> bool:
    line = block.body[0]
    return len(block.body) == 1 and isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[0], cst.Return)


def _restore_in(program: Program, branches: _Branches) -> cst.Call:
    """The `restore` of a branch that does nothing else, but for what the other one does too."""
    calls = [
        call
        for call in restoring_calls(program)
        if _method(call) == "restore" and program.contains(branches.restoring, call)
    ]
    if len(calls) != 1:
        raise Refusal("MT415", branches.statement.test, "the branch doesn't restore a trainer")
    fresh = _statements(branches.fresh)
    texts = {program.text(one) for one in fresh}
    targets = {_target(program, one) for one in fresh}
    for statement in branches.restoring.body:
        assert isinstance(statement, cst.SimpleStatementLine | cst.BaseCompoundStatement)
        if not program.contains(statement, calls[0]):
            if program.text(statement) not in texts:
                raise Refusal("MT415", statement, "nothing tells a continued run from a new one any more")
        elif branches.fresh is not None and (_target(program, statement) or "") not in targets:
            raise Refusal("MT415", statement, "the other branch doesn't make the trainer under this name")
    return calls[0]


def _statements(block: cst.IndentedBlock | None) -> list[Statement]:
    found = block.body if block is not None else ()
    return [one for one in found if isinstance(one, cst.SimpleStatementLine | cst.BaseCompoundStatement)]


def _target(program: Program, statement: Statement) -> str | None:
    """What a statement assigns to, or that it returns."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return None
    only = statement.body[0]
    if isinstance(only, cst.Assign) and len(only.targets) == 1:
        return program.text(only.targets[0].target)
    return "return" if isinstance(only, cst.Return) else None


# The place


def _check_same_place(
    program: Program, settings: Settings, asked: cst.Call, restore: cst.Call, made: list[cst.Call]
) -> None:
    """The experiment that is restored must be the one that the new trainer would make."""
    arguments = bound_arguments(restore, ("path",))
    asked_arguments = bound_arguments(asked, ("path",))
    if arguments is None or asked_arguments is None or "path" not in arguments or set(asked_arguments) != {"path"}:
        raise Refusal("MT415", restore, "its path has to be written out")
    places = {place(program, one["path"].value) for one in (arguments, asked_arguments)}
    for trainer in made:
        places.add(place_of_run(program, settings, trainer))
        if _trainer_of(program, trainer.func) != _trainer_of(program, restore.func):
            raise Refusal("MT415", restore, "another trainer is restored than is made")
        own = {one.keyword.value: program.text(one.value) for one in trainer.args if one.keyword is not None}
        for name, argument in arguments.items():
            if name != "path" and not is_none(argument.value) and own.get(name) != program.text(argument.value):
                raise Refusal("MT415", argument, f"the trainer is made without the same `{name}`")
    if not made or len(places) != 1 or None in places:
        raise Refusal("MT415", asked, "that it is `storage_path` and `name` of the trainer's `RunConfig` can't be seen")


def _trainer_of(program: Program, function: cst.BaseExpression) -> str | None:
    """Which legacy trainer is made or restored."""
    qualified = program.qualified_name(function) or ""
    return legacy.TRAINERS.get(qualified) or legacy.TRAINERS.get(qualified.rpartition(".")[0])


def _trainers_made(program: Program, branches: _Branches) -> list[cst.Call]:
    """The trainers that are made if there is nothing to restore."""
    if branches.replaced is not None:
        return [branches.replaced]
    end = program.span(branches.statement)[1]
    function = program.enclosing(branches.statement, cst.FunctionDef)
    return [
        call
        for call in program.calls
        if (program.qualified_name(call.func) or "") in legacy.TRAINERS
        and (
            program.contains(branches.fresh, call)
            if branches.fresh is not None
            else function is not None and program.contains(function, call) and program.span(call)[0] > end
        )
    ]


# The edits


def _kept_value(program: Program, choice: _Choice) -> list[Edit]:
    """Leave of an expression only the trainer that is made."""
    start, end = program.span(choice.expression)
    kept_start, kept_end = program.outer_span(choice.fresh)
    return [Edit(start, kept_start, ""), Edit(kept_end, end, "")]


def _kept_alone(program: Program, branches: _Branches) -> list[Edit]:
    """Leave of an `if` only the branch that makes the trainer, one level further out; comments stay."""
    source, statement = program.source, branches.statement
    start, end = source.line_start(program.span(statement)[0]), source.line_end(program.span(statement)[1] - 1)
    while branches.fresh is None and end < len(source.buffer) and not source.slice(end, source.line_end(end)).strip():
        end = source.line_end(end)
    kept = (end, end)
    edits = []
    if branches.fresh is not None:
        first, last = branches.fresh.body[0], branches.fresh.body[-1]
        kept = _leading_comments(program, first), source.line_end(program.span(last)[1] - 1)
        surplus = len(program.indent(first)) - len(program.indent(statement))
        edits = [Edit(line, line + surplus, "") for line in _lines(program, *kept, surplus)]
    indent = program.indent(statement)
    for low, high in ((start, kept[0]), (kept[1], end)):
        comments = [program.text(one) for one in program.comments if low <= program.span(one)[0] < high]
        if low < high:
            edits.append(Edit(low, high, "".join(f"{indent}{comment}\n" for comment in comments)))
    return edits


def _leading_comments(program: Program, first: cst.CSTNode) -> int:
    """Offset of the first line of a block, comments above its first statement included."""
    source = program.source
    start = source.line_start(program.span(first)[0])
    while source.slice(source.line_start(start - 1), start).lstrip().startswith("#"):
        start = source.line_start(start - 1)
    return start


def _lines(program: Program, start: int, end: int, surplus: int) -> list[int]:
    """Offsets of the lines that start with at least some white space outside a string."""
    source = program.source
    strings = [program.span(one) for one in program.strings]
    found = []
    while start < end:
        head = source.slice(start, min(start + surplus, end))
        if not head.strip() and "\n" not in head and not any(low < start < high for low, high in strings):
            found.append(start)
        start = source.line_end(start)
    return found
