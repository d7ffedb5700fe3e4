"""Where a program uses the legacy names: call sites, and uses that no rule understands."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind, dotted_name, is_future_import
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.rewrite import CallSite, finding

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from migrate_trainers.findings import Finding
    from migrate_trainers.reading.program import Program

_LEGACY = legacy.TRAINERS.keys() | legacy.BUILDERS | legacy.READERS
# What only code that had something to do with a legacy trainer can have imported.
_OF_TRAINERS = _LEGACY - legacy.GENERAL_READERS
_LEGACY_NAMES = frozenset(name.rpartition(".")[2] for name in _LEGACY)


def call_sites(program: Program) -> list[CallSite]:
    """Every construction of a legacy trainer, in the order of the file."""
    sites = []
    for call in program.calls:
        trainer = legacy.TRAINERS.get(program.qualified_name(call.func) or "")
        if trainer is not None:
            sites.append(CallSite(trainer, call, program.statement(call)))
    return sorted(sites, key=lambda site: program.span(site.call)[0])


def references(program: Program) -> Iterator[cst.Name | cst.Attribute]:
    """Every expression that reaches a legacy trainer or builder."""
    nodes: list[cst.Name | cst.Attribute] = [*program.names, *program.attributes]
    for node in nodes:
        qualified = program.qualified_name(node)
        if qualified in legacy.TRAINERS or qualified in legacy.BUILDERS:
            yield node


def reader_references(program: Program) -> Iterator[cst.Name | cst.Attribute]:
    """Every expression that reaches a class which reads what LightningTrainer left, in the order of the file."""
    nodes: list[cst.Name | cst.Attribute] = [*program.names, *program.attributes]
    found = [node for node in nodes if program.qualified_name(node) in legacy.READERS]
    yield from sorted(found, key=lambda node: program.span(node)[0])


def only_reads(program: Program) -> bool:
    """Whether a program makes no trainer, but reads what one left."""
    return next(references(program), None) is None and any(
        program.qualified_name(node) not in legacy.GENERAL_READERS for node in reader_references(program)
    )


def findings_without_call_site(program: Program) -> list[Finding]:
    """What a person must look at in a file that constructs no legacy trainer."""
    found = [finding(program, *_use(program, node)) for node in references(program)]
    found += [
        finding(program, refusal.code, refusal.node, refusal.detail)
        for refusal in _hidden_constructions(program, _OF_TRAINERS)
    ]
    if not found:
        for alias in _plain_imports(program):
            found.append(finding(program, "MT904", alias, f"`{dotted_name(alias.name)}` is imported"))
    return found


def check_uses(program: Program) -> None:
    """Raise `Refusal` for what keeps the file as a whole from being migrated."""
    for refusal in _hidden_constructions(program, _LEGACY):
        raise refusal
    for statement in program.imports:
        if isinstance(statement.names, cst.ImportStar) and _module_of(statement) in legacy.EMPTIED_MODULES:
            raise Refusal("MT904", statement, f"what comes from `{_module_of(statement)}` can't be seen")
    for node in (*program.names, *program.attributes):
        qualified = program.qualified_name(node)
        if qualified is None:
            continue
        if legacy.TRAINERS.get(qualified) == legacy.TRANSFORMERS_TRAINER and _is_base(program, node):
            raise Refusal("MT205", node, "")
        if qualified in legacy.UNSUPPORTED and not is_given_as(program, node, "dataset_config"):
            raise Refusal("MT401", node, f"`{legacy.UNSUPPORTED[qualified]}`")
    for binding in program.module_scope.bindings.get("__all__", []):
        exported = {string for string in _strings(binding.node) if string in _LEGACY_NAMES}
        if exported:
            raise Refusal("MT904", binding.node, f"`__all__` exports {', '.join(sorted(exported))}")


def _module_of(statement: cst.Import | cst.ImportFrom) -> str:
    return dotted_name(statement.module) if isinstance(statement, cst.ImportFrom) else ""


def written_for(program: Program) -> tuple[int, int]:
    """The Ray that a program was written for, as far as the names that it uses tell."""
    for call in program.calls:
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == legacy.FIRST_STRATEGY_METHOD:
            return legacy.FIRST_SOURCE
    for node in (*program.names, *program.attributes):
        if program.qualified_name(node) in legacy.NEW_CONFIGS:
            return legacy.FIRST_TARGET
    return legacy.USUAL_SOURCE


def is_unconditional(program: Program, site: CallSite) -> bool:
    """Whether code before a call's statement runs exactly when the call does."""
    try:
        check_place(program, site)
    except Refusal:
        return False
    return True


def check_place(program: Program, site: CallSite) -> None:
    """Refuse a call that has no statement of its own before which code could go and run exactly when it does."""
    conditional = (cst.Lambda, cst.BaseComp, cst.DictComp, cst.IfExp, cst.BooleanOperation, cst.Comparison)
    inner: cst.CSTNode = site.call
    for above in program.ancestors(site.call):
        if above is site.statement:
            break
        if isinstance(above, conditional):
            raise Refusal("MT904", site.call, "the trainer is made inside an expression that may not run, or run often")
        if isinstance(above, cst.SimpleStatementSuite):
            raise Refusal("MT904", site.call, "the trainer stands on the line that opens a block")
        inner = above
    statement = site.statement
    if isinstance(statement, cst.While | cst.Match | cst.Try) or not isinstance(
        program.parent(statement), cst.Module | cst.IndentedBlock
    ):
        raise Refusal("MT904", site.call, "the trainer is made in the head of a block")
    if isinstance(statement, cst.SimpleStatementLine) and statement.body[0] is not inner:
        raise Refusal("MT904", site.call, "other statements stand before the trainer on its line")


def import_statement(program: Program, site: CallSite) -> cst.Import | cst.ImportFrom:
    """The import through which a call site reaches the legacy trainer; raises `Refusal` if it may not run."""
    assert isinstance(site.call.func, cst.Name | cst.Attribute)
    return import_of(program, site.call.func)


def import_of(program: Program, node: cst.Name | cst.Attribute) -> cst.Import | cst.ImportFrom:
    """The import through which a legacy name is reached; raises `Refusal` if it may not run."""
    root: cst.BaseExpression = node
    while isinstance(root, cst.Attribute):
        root = root.value
    assert isinstance(root, cst.Name)
    qualified = program.qualified_name(node) or ""
    candidates = []
    for binding in program.bindings(root):
        statement = program.parent(binding.node)
        assert isinstance(binding.node, cst.ImportAlias)
        assert isinstance(statement, cst.Import | cst.ImportFrom)
        candidates.append((qualified.startswith(f"{dotted_name(binding.node.name)}."), statement))
    statement = max(candidates, key=lambda candidate: candidate[0])[1]
    if program.enclosing(statement, cst.Try) is not None or program.enclosing(statement, cst.TryStar) is not None:
        raise Refusal("MT904", statement, "the import is guarded by `try`")
    block = program.block(program.statement(statement))
    if not program.contains(block, node):
        raise Refusal("MT904", statement, "the import is made under a condition")
    return statement


def is_trainer(program: Program, node: cst.CSTNode | None) -> bool:
    """Whether a node is a call that makes a legacy trainer."""
    return isinstance(node, cst.Call) and program.qualified_name(node.func) in legacy.TRAINERS


def module_level_import(program: Program, near: cst.CSTNode | None = None) -> cst.Import | cst.ImportFrom | None:
    """The first import beside which others can stand that all code of the module, the one `near` is in, reads."""
    file = program.file_of(near) if near is not None else None
    for statement in program.imports:
        if file is not None and program.file_of(statement) is not file:
            continue
        if isinstance(program.block(program.statement(statement)), cst.Module) and not is_future_import(statement):
            return statement
    return None


def string_annotations(program: Program, names: Container[str]) -> Iterator[tuple[cst.CSTNode, Callable[[str], Edit]]]:
    """The annotations that are strings and name some imported classes, each with the edit that names another there."""
    local_names = {binding.name for binding in program.all_bindings() if binding.imported in names}
    pattern = re.compile(r"\b(" + "|".join(sorted(local_names)) + r")\b")
    for node in program.strings:
        if local_names and program.enclosing(node, cst.Annotation) is not None and pattern.search(program.text(node)):
            yield node, partial(_with_name, program, node, pattern)


def _with_name(program: Program, node: cst.CSTNode, pattern: re.Pattern[str], name: str) -> Edit:
    return Edit(*program.span(node), pattern.sub(name, program.text(node)))


def is_trainer_argument(program: Program, node: cst.CSTNode) -> bool:
    """Whether an expression is the whole of an argument of a legacy trainer."""
    argument = program.parent(node)
    return isinstance(argument, cst.Arg) and is_trainer(program, program.parent(argument))


def is_lightning_trainer(program: Program, call: cst.Call) -> bool:
    """Whether a call makes a LightningTrainer."""
    return legacy.TRAINERS.get(program.qualified_name(call.func) or "") == legacy.LIGHTNING_TRAINER


def is_given_as(program: Program, node: cst.CSTNode, keyword: str) -> bool:
    """Whether a node is part of an argument of a legacy trainer, or of a variable that is only given as that."""
    for above in program.ancestors(node):
        if isinstance(above, cst.Assign | cst.AnnAssign):
            bindings = program.scope(above).lookup(target_name(above))
            uses = [use for binding in bindings if binding.node is above for use in program.uses(binding)]
            return bool(uses) and all(
                not program.contains(above, use) and is_given_as(program, use, keyword) for use in uses
            )
        if _is_argument(program, above, keyword):
            return True
    return False


def target_name(assignment: cst.Assign | cst.AnnAssign) -> str:
    """The variable that an assignment binds first, empty for none."""
    target = assignment.targets[0].target if isinstance(assignment, cst.Assign) else assignment.target
    return target.value if isinstance(target, cst.Name) else ""


def _is_argument(program: Program, node: cst.CSTNode | None, keyword: str) -> bool:
    if not isinstance(node, cst.Arg) or node.keyword is None or node.keyword.value != keyword:
        return False
    return is_trainer(program, program.parent(node))


def _hidden_constructions(program: Program, names: Container[str]) -> Iterator[Refusal]:
    """Calls of a name that may be one of some legacy ones: its import is guarded, or came with a star."""
    stars = {
        dotted_name(statement.module)
        for statement in program.imports
        if isinstance(statement, cst.ImportFrom) and isinstance(statement.names, cst.ImportStar)
    }
    for call in program.calls:
        # `LightningCheckpoint.from_uri(…)` makes one as well as `LightningTrainer(…)` does.
        name = call.func.value if isinstance(call.func, cst.Attribute) else call.func
        if not isinstance(name, cst.Name):
            continue
        bindings = program.bindings(name)
        if not bindings and name.value in _LEGACY_NAMES and stars & legacy.LEGACY_MODULES:
            yield Refusal("MT904", name, f"`{name.value}` comes from `import *`")
        elif program.qualified_name(name) is None and any(binding.imported in names for binding in bindings):
            yield Refusal("MT904", name, f"`{name.value}` may be something else: it is bound in several places")


def _is_base(program: Program, node: cst.CSTNode) -> bool:
    """Whether a class derives from what a node names."""
    parent = program.parent(node)
    return isinstance(parent, cst.Arg) and isinstance(program.parent(parent), cst.ClassDef)


def _strings(node: cst.CSTNode) -> Iterator[str]:
    if isinstance(node, cst.SimpleString):
        yield str(node.evaluated_value)
    for child in node.children:
        yield from _strings(child)


def _plain_imports(program: Program) -> Iterator[cst.ImportAlias]:
    """Imports of legacy names that run whenever their module is imported."""
    for bindings in program.module_scope.bindings.values():
        for binding in bindings:
            legacy_name = binding.imported in _OF_TRAINERS
            if binding.kind is BindingKind.IMPORT and legacy_name and isinstance(binding.node, cst.ImportAlias):
                statement = program.statement(binding.node)
                if isinstance(program.block(statement), cst.Module):
                    yield binding.node


def _use(program: Program, node: cst.CSTNode) -> tuple[str, cst.CSTNode, str]:
    """The finding about a use of a legacy name in a file that makes no trainer: its code, place and detail."""
    name = program.text(node)
    parent = program.parent(node)
    if isinstance(parent, cst.Attribute) and parent.attr.value in legacy.RESTORING_METHODS:
        return "MT415", parent, "no trainer is made in this file"
    if isinstance(parent, cst.Call) and parent.func is node:
        return "MT904", node, f"`{name}` is filled here for a trainer in another place"
    if _is_base(program, node):
        if legacy.TRAINERS.get(program.qualified_name(node) or "") == legacy.TRANSFORMERS_TRAINER:
            return "MT205", node, ""
        return "MT904", node, f"a class derives from `{name}`"
    return "MT904", node, f"`{name}` is used without being constructed"
