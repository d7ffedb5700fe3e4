"""The modules that are imported with a legacy trainer and use the old API: they change with the trainer, or it stays.

On current Ray a worker's call of `ray.air.session.report` does nothing, without a word.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrate_trainers.engine import migrate_program, read_program
from migrate_trainers.file_findings import file_finding
from migrate_trainers.findings import FileResult
from migrate_trainers.reading.modules import absolute
from migrate_trainers.reading.prefilter import mentions_old_api
from migrate_trainers.rules import legacy_uses
from migrate_trainers.rules.old_api import RULE, had_trainer, old_uses
from migrate_trainers.rules.rewrite import Package
from migrate_trainers.selection import Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from migrate_trainers.settings import Settings
    from migrate_trainers.tree import Tree

# A module that has only the old API is migrated for the trainer's sake.
_RULES = Rules(select=(RULE,))


@dataclass(frozen=True)
class _Module:
    """A module with old API: what becomes of it, and the files that import it: `users` have legacy trainers.

    `had_trainers` are those with the trainers of a migration.
    """

    path: Path
    result: FileResult
    users: frozenset[Path]
    had_trainers: frozenset[Path]


def with_modules(tree: Tree, hits: Iterable[Path], results: Mapping[Path, FileResult]) -> dict[Path, FileResult]:
    """The results of files with those of such modules of the hits among them; paths are absolute."""
    modules = _modules(tree, hits, results)
    merged = dict(results)
    stays = True
    while stays:
        stays = False
        for module in modules:
            reason = _why_left(tree, module, merged)
            changed = [path for path in module.users if path in merged and merged[path].changed]
            if reason and changed:
                stays = True
                for path in {other for user in changed for other in _together(tree, merged[user], user)}:
                    merged[path] = _left(merged[path], reason)
    for module in modules:
        reason = _why_left(tree, module, merged)
        if reason:
            has_reasons = not module.result.changed and module.path in tree.given
            merged |= {module.path: module.result} if has_reasons else {}
            if module.path not in tree.given:
                merged |= {path: _with_reason(tree, merged, path, reason) for path in module.had_trainers}
            continue
        together = {module.path}.union(*(_together(tree, merged[user], user) for user in module.users))
        merged[module.path] = module.result
        merged |= {path: replace(merged[path], together=frozenset(map(tree.name, together))) for path in together}
    return merged


def _modules(tree: Tree, hits: Iterable[Path], results: Mapping[Path, FileResult]) -> list[_Module]:
    users: dict[Path, set[Path]] = {}
    had: dict[Path, set[Path]] = {}
    for path in sorted(hits):
        program, settings = tree.program(path), tree.settings_of(path)
        makes_trainer = bool(legacy_uses.call_sites(program))
        may_have = makes_trainer or (settings.rules.follows(RULE) and had_trainer(program))
        for module in tree.imported_with(path) if may_have and settings.strict_target else ():
            if module != path and _uses_old_api(tree, module, settings):
                users.setdefault(module, set()).update({path} if makes_trainer else ())
                had.setdefault(module, set()).update(() if makes_trainer else {path})
    found = []
    for module, importers in users.items():
        settings = replace(tree.settings_of(min(importers, default=module)), rules=_RULES)
        result = _migrated(tree, module, results.get(module), settings)
        found.append(_Module(module, result, frozenset(importers), frozenset(had[module])))
    return found


def _uses_old_api(tree: Tree, path: Path, settings: Settings) -> bool:
    try:
        if tree.is_of_ray(path) or not mentions_old_api(tree.read(path)):
            return False
        program = tree.program(path)
    except (ValueError, OSError):
        return False
    has_legacy_names = next(legacy_uses.references(program), None) is not None
    return not has_legacy_names and not legacy_uses.only_reads(program) and bool(old_uses(program, settings))


def _migrated(tree: Tree, path: Path, result: FileResult | None, settings: Settings) -> FileResult:
    """A module without the old API, behind what else becomes of it."""
    before = tree.read(path)
    program = read_program(result.after if result is not None else before)
    if isinstance(program, FileResult):
        return program
    migrated = migrate_program(program, settings, Package())
    findings = (*(result.findings if result is not None else ()), *migrated.findings)
    return replace(migrated, before=before, findings=tuple(sorted(findings)))


def _why_left(tree: Tree, module: _Module, results: Mapping[Path, FileResult]) -> str:
    """Why a module keeps its old API, if it does."""
    name = tree.name(module.path)
    if module.path not in tree.given:
        return f"`{name}` uses the old API, has to change too, and was not given"
    if not module.result.changed:
        return f"`{name}` uses the old API, and can't be migrated"
    left = sorted(path for path in module.users if path not in results or not results[path].changed)
    return f"`{name}` uses the old API, as does `{tree.name(left[0])}`, which is left" if left else ""


def _with_reason(tree: Tree, results: Mapping[Path, FileResult], path: Path, reason: str) -> FileResult:
    """The result for a file that had a trainer, and that imports a module which is left."""
    data = tree.read(path)
    result = results.get(path, FileResult(data, data))
    return replace(result, findings=tuple(sorted({*result.findings, file_finding("MT906", reason)})))


def _together(tree: Tree, result: FileResult, path: Path) -> set[Path]:
    return {absolute(name) for name in result.together} or {path}


def _left(result: FileResult, reason: str) -> FileResult:
    findings = (file_finding("MT906", reason),)
    return FileResult(result.before, result.before, result.call_sites, 0, findings)
