"""What the user keeps the tool from: rules that are not followed, and statements with a comment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from migrate_trainers.reading.directives import changed_although_skipped, misunderstood, skipped_statements
from migrate_trainers.reading.linked import file_and_line
from migrate_trainers.reading.source import Source
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules import legacy_uses
from migrate_trainers.rules.rewrite import finding
from migrate_trainers.rules.tuning.sites import tuned_trainers
from migrate_trainers.selection import RULES

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from migrate_trainers.findings import FileResult, Finding
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import CallSite
    from migrate_trainers.selection import Rules

_TUNED = "MT500"
_READERS = ("MT410", "MT420", "MT430")


def left_by_choice(program: Program, rules: Rules, sites: Sequence[CallSite]) -> list[Finding] | None:
    """None where all of a program is to be migrated; else what to say about the call sites that could have been.

    A program is migrated whole or not at all: one trainer that is to be left keeps all others.
    """
    if not sites:
        is_left = legacy_uses.only_reads(program) and not any(map(rules.follows, _READERS))
        return [] if is_left else None
    skipped = skipped_statements(program)
    tuned: Container[CallSite] = () if rules.follows(_TUNED) else _tuned(program, sites)
    reasons = {
        site: "a comment skips it" if site.statement in skipped else "its rule is not selected"
        for site in sites
        if site.statement in skipped or site in tuned or not rules.follows(RULES[site.trainer])
    }
    if not reasons:
        return None
    first, why = next(iter(reasons.items()))
    _, line = file_and_line(program.source.position(program.span(first.call)[0])[0])
    detail = f"`{program.text(first.call.func)}` in line {line} is left, as {why}"
    return [finding(program, "MT907", site.call.func, detail) for site in sites if site not in reasons]


def _tuned(program: Program, sites: Sequence[CallSite]) -> Container[CallSite]:
    """The sites whose trainer is tuned: all of them where that can't be told."""
    try:
        return tuned_trainers(program, list(sites))
    except Refusal:
        return sites


def kept_by_comment(program: Program, after: bytes) -> Finding | None:
    """What to say where the migration would have changed a statement that a comment keeps it from."""
    statement = changed_although_skipped(program, Source.decode(after).text)
    if statement is None:
        return None
    return finding(program, "MT907", statement, "a comment skips this statement, and it would have to change")


def about_comments(program: Program, result: FileResult) -> FileResult:
    """A result that also says which comments for the tool are none."""
    found = [finding(program, "MT908", comment, detail) for comment, detail in misunderstood(program)]
    return replace(result, findings=tuple(sorted((*result.findings, *found)))) if found else result
