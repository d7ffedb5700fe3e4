"""All rules over one program: what they decide, put together into edits."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import dotted_name
from migrate_trainers.reading.source import Edit, without_nested
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.accelerate.migrate import migrate_accelerate
from migrate_trainers.rules.accelerate.tuned import migrate_tuned as migrate_tuned_accelerate
from migrate_trainers.rules.checkpoints.migrate import migrate_readers
from migrate_trainers.rules.checkpoints.restored import is_restoring
from migrate_trainers.rules.configs import migrate_configs
from migrate_trainers.rules.data.ingest import remove_gone_classes
from migrate_trainers.rules.data.preprocessor_classes import migrate_preprocessor_classes
from migrate_trainers.rules.legacy_uses import (
    call_sites,
    check_place,
    check_uses,
    import_of,
    import_statement,
    module_level_import,
    only_reads,
    reader_references,
    references,
    string_annotations,
    written_for,
)
from migrate_trainers.rules.lightning.migrate import migrate_lightning
from migrate_trainers.rules.lightning.tuned import migrate_tuned as migrate_tuned_lightning
from migrate_trainers.rules.moved_names import migrate_moved_names
from migrate_trainers.rules.old_api import check_tuners, old_uses
from migrate_trainers.rules.rewrite import Rewrite, finding, moved_name
from migrate_trainers.rules.trainer_call import check_workers
from migrate_trainers.rules.transformers.migrate import migrate_transformers
from migrate_trainers.rules.transformers.migrate import migrate_tuned as migrate_tuned_transformers
from migrate_trainers.rules.transformers.releases import adapt_to_release
from migrate_trainers.rules.tuning.config_calls import tuner_configs
from migrate_trainers.rules.tuning.results import migrate_results
from migrate_trainers.rules.tuning.sites import tuned_trainers
from migrate_trainers.writing.imports import ImportPlan
from migrate_trainers.writing.placement import without_spare_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.findings import Finding
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import CallSite, Package
    from migrate_trainers.settings import Settings

_RULES = {
    legacy.LIGHTNING_TRAINER: ("MT100", migrate_lightning),
    legacy.TRANSFORMERS_TRAINER: ("MT200", migrate_transformers),
    legacy.ACCELERATE_TRAINER: ("MT300", migrate_accelerate),
}
_TUNED_RULES = {
    legacy.LIGHTNING_TRAINER: migrate_tuned_lightning,
    legacy.TRANSFORMERS_TRAINER: migrate_tuned_transformers,
    legacy.ACCELERATE_TRAINER: migrate_tuned_accelerate,
}
# Modules that no longer exist, or are empty: a plain import of one has to go.
_GONE_NAMES = legacy.TRAINERS.keys() | legacy.BUILDERS | legacy.READERS
_GONE_MODULES = (legacy.LEGACY_MODULES | {name.rpartition(".")[0] for name in legacy.READERS}) - {
    "ray.train.lightning",
    "ray.train.huggingface.transformers",
    "ray.train.torch",
}


def rewrite_sites(
    program: Program, settings: Settings, sites: list[CallSite], package: Package, *, partly: bool = False
) -> tuple[list[Edit], list[Finding]]:
    """The edits that migrate some call sites of a program and its readers, and what to say about them.

    `partly` says that the program has other call sites, whose legacy names may stay. Raises `Refusal`.
    """
    check_uses(program)
    settings = replace(settings, source_version=settings.source_version or written_for(program))
    names = [site.call.func for site in sites]
    if not names and only_reads(program):
        names += reader_references(program)
    elif not names:
        check_tuners(program, settings)
        names += old_uses(program, settings)
    imports = ImportPlan(
        program,
        _anchor(program, names),
        lambda name: moved_name(name, settings),
        by_module=isinstance(names[0], cst.Attribute),
    )
    rewrite = Rewrite(program, settings, imports, package)
    tuned = {site: one for site, one in tuned_trainers(program, call_sites(program)).items() if site in sites}
    for site in sites:
        # A train function that only defines something may stand before a statement that doesn't always run.
        if site.trainer != legacy.TRANSFORMERS_TRAINER or site in tuned:
            check_place(program, site)
    rewrite.tuner_configs = tuner_configs(rewrite, tuned.values())
    _remove_legacy_imports(rewrite)
    rewrite.edits += [Edit(*program.span(node), text) for node, text in migrate_moved_names(rewrite).items()]
    migrate_configs(rewrite)
    if tuned:
        migrate_results(rewrite)
    migrate_readers(rewrite)
    if any(site.trainer == legacy.TRANSFORMERS_TRAINER for site in sites):
        adapt_to_release(rewrite)
    for trainer, (code, rule) in _RULES.items():
        own = [site for site in sites if site.trainer == trainer and site not in tuned]
        trials = [tuned[site] for site in sites if site.trainer == trainer and site in tuned]
        parts = [(group[0], partial(rule, rewrite, group)) for group in _by_import(program, own)]
        parts += [(one.site, partial(_TUNED_RULES[trainer], rewrite, one)) for one in trials]
        # In the order of the file, so that the first that needs a class of its own has it before itself.
        for site, migrate in sorted(parts, key=lambda part: program.span(part[0].call)):
            rewrite.imports.stand_at(import_statement(program, site))
            migrate()
        for one in trials:
            rewrite.findings.append(finding(program, "MT500", one.site.call.func, ""))
            for call in one.given_to:
                if program.qualified_name(call.func) in legacy.TUNER_RESTORES:
                    rewrite.review("MT508", call.func, "")
        for site in own:
            check_workers(rewrite, site)
            rewrite.findings.append(finding(program, code, site.call.func, ""))
    remove_gone_classes(rewrite)
    migrate_preprocessor_classes(rewrite)
    edits = list(rewrite.edits)
    for arguments in rewrite.argument_edits.values():
        edits += arguments.edits()
    for late in rewrite.late:
        edits += late(edits)
    if not partly:
        edits += _rename_annotations(rewrite, edits)
    edits += _rename_string_annotations(rewrite)
    # Imports go above definitions that are put at the same place.
    edits = without_nested([*rewrite.imports.edits(), *edits])
    _check_readers_stand(rewrite, edits)
    return without_spare_lines(program, edits), rewrite.findings


def _check_readers_stand(rewrite: Rewrite, edits: list[Edit]) -> None:
    """Raise `Refusal` where a reader's new text was lost with the code around it."""
    kept = set(edits)
    for node, edit in rewrite.must_stand:
        is_carried = any(start <= edit.start and edit.end <= end for start, end in rewrite.carried)
        if edit not in kept and not is_carried:
            raise Refusal("MT411", node, "it stands in code that moves into the train function")


def _by_import(program: Program, sites: list[CallSite]) -> list[list[CallSite]]:
    """Call sites by the block in which their trainer is imported: what one needs, another may not see."""
    groups: dict[cst.CSTNode, list[CallSite]] = {}
    for site in sites:
        block = program.block(program.statement(import_statement(program, site)))
        groups.setdefault(block, []).append(site)
    return list(groups.values())


def _anchor(program: Program, names: list[cst.BaseExpression]) -> cst.Import | cst.ImportFrom:
    """The import beside which new imports go: at module level if that of any legacy name is."""
    statements = [import_of(program, name) for name in names if isinstance(name, cst.Name | cst.Attribute)]
    for statement in statements:
        if isinstance(program.block(program.statement(statement)), cst.Module):
            return statement
    block = program.block(program.statement(statements[0]))
    if all(program.contains(block, node) for node in (*statements, *_moved_uses(program))):
        return statements[0]
    above = module_level_import(program)
    if above is not None:
        return above
    raise Refusal("MT904", statements[0], "the legacy names are imported in a function and needed outside it")


def _moved_uses(program: Program) -> Iterator[cst.CSTNode]:
    """Expressions that reach a moved name through a module: they will need the module where they stand."""
    for attribute in program.attributes:
        qualified = program.qualified_name(attribute) or ""
        if qualified in legacy.MOVED or qualified.startswith(f"{legacy.SESSION_MODULE}."):
            yield attribute


def _remove_legacy_imports(rewrite: Rewrite) -> None:
    for statement in rewrite.program.imports:
        if isinstance(statement.names, cst.ImportStar):
            continue
        for alias in statement.names:
            name = dotted_name(alias.name)
            if isinstance(statement, cst.Import):
                gone = name in _GONE_MODULES
            else:
                qualified = f"{dotted_name(statement.module)}.{name}"
                gone = qualified in _GONE_NAMES or qualified in _GONE_MODULES
            if gone and not _is_relative(statement):
                rewrite.imports.remove(alias)


def _is_relative(statement: cst.Import | cst.ImportFrom) -> bool:
    return isinstance(statement, cst.ImportFrom) and bool(statement.relative)


def _rename_annotations(rewrite: Rewrite, edits: list[Edit]) -> list[Edit]:
    """Legacy names that no edit covers: annotations and `restore` are renamed, anything else is a `Refusal`."""
    program = rewrite.program
    renamed = []
    for node in references(program):
        start, end = program.span(node)
        if any(edit.start <= start and end <= edit.end for edit in edits):
            continue
        above = program.parent(node)
        if isinstance(above, cst.Attribute) and is_restoring(program, above):
            rewrite.review("MT416", above, "")
        elif not isinstance(node, cst.Name | cst.Attribute) or program.enclosing(node, cst.Annotation) is None:
            raise Refusal("MT904", node, f"`{program.text(node)}` is used beside the trainer's call")
        if program.qualified_name(node) in legacy.BUILDERS:
            raise Refusal("MT904", node, "the builder is named in an annotation")
        root: cst.CSTNode = node
        while isinstance(root, cst.Attribute):
            root = root.value
        assert isinstance(root, cst.Name)
        statement = program.parent(program.bindings(root)[0].node)
        assert isinstance(statement, cst.Import | cst.ImportFrom)
        rewrite.imports.stand_at(statement)
        renamed.append(Edit(start, end, rewrite.class_named("ray.train.torch.TorchTrainer")))
    return renamed


def _rename_string_annotations(rewrite: Rewrite) -> list[Edit]:
    """Legacy class names inside annotations that are strings."""
    named = string_annotations(rewrite.program, legacy.TRAINERS)
    return [edit_of(rewrite.class_named("ray.train.torch.TorchTrainer")) for _, edit_of in named]
