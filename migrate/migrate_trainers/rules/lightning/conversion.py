"""`pytorch_lightning` becomes `lightning.pytorch`: the imports, uses and strings of one file.

From Ray 2.8 on, `ray.train.lightning` takes `lightning.pytorch` wherever it is installed, and objects of the two
packages don't fit each other. So a migrated script has to say `lightning.pytorch`, with every module that it takes
Lightning classes from: all together, or none.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.lightning_names import (
    BUILT_ON_OLD_PACKAGE,
    GONE,
    MOVED,
    NEW_PACKAGE,
    OLD_PACKAGE,
    UNIFIED,
    UNIFIED_ROOT,
    WITHOUT_LIGHTNING,
)
from migrate_trainers.reading.scopes import BindingKind, dotted_name
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.legacy_uses import is_lightning_trainer
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.rewrite import Package, finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.findings import Finding
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.settings import Settings

# Calls whose argument names a module.
_TAKES_MODULE_NAME = frozenset({"filterwarnings", "getLogger", "import_module", "patch"})
_DOTTED_PATH = re.compile(r"pytorch_lightning(\.\w+)+")
_REQUIREMENT = re.compile(r"pytorch[-_]lightning(\s*[=<>!~\[].*)?")
# What of a builder's calls may hold Lightning's objects; None for all.
_HOLD_LIGHTNING: dict[str, frozenset[str] | None] = {
    "module": frozenset({"cls"}),
    "fit_params": None,
    "trainer": frozenset({"callbacks", "logger", "plugins", "profiler", "strategy"}),
}


def prefers_lightning(settings: Settings) -> bool:
    """Whether the target's `ray.train.lightning` takes `lightning.pytorch` where both packages are installed."""
    return settings.target >= legacy.FIRST_WITH_LIGHTNING_2 and not settings.bundled


def package_alone(program: Program, settings: Settings) -> Package:
    """What can be settled about the package of a file of which no other file is known."""
    if not has_lightning_trainer(program) or not prefers_lightning(settings):
        return Package()
    if imported_packages(program) != {OLD_PACKAGE}:
        return Package()
    for imported in outside_names(program):
        return Package(keeps_old=f"`{imported}` is defined where it can't be seen")
    return Package(converts=True)


def has_lightning_trainer(program: Program) -> bool:
    return any(is_lightning_trainer(program, call) for call in program.calls)


def imported_packages(program: Program) -> set[str]:
    """Which of the two packages a file imports anything from."""
    return {_package_of(name) for name in _imported_names(program)} - {""}


def _imported_names(program: Program) -> Iterator[str]:
    for statement in program.imports:
        if isinstance(statement, cst.Import):
            yield from (dotted_name(alias.name) for alias in statement.names)
        elif not statement.relative:
            module = dotted_name(statement.module)
            names = () if isinstance(statement.names, cst.ImportStar) else statement.names
            yield from (f"{module}.{dotted_name(alias.name)}" for alias in names)
            yield from () if names else (module,)


def _package_of(imported: str) -> str:
    """The Lightning package that an imported name comes from; empty for others."""
    top = imported.partition(".")[0]
    if top == OLD_PACKAGE:
        return OLD_PACKAGE
    if top == "lightning" and not imported.startswith(("lightning.fabric", "lightning.app")):
        return NEW_PACKAGE
    return ""


@dataclass(frozen=True)
class Conversion:
    """The edits after which a file says `lightning.pytorch` and nowhere `pytorch_lightning`, and what to say of it."""

    edits: list[Edit]
    findings: list[Finding]


def convert(program: Program) -> Conversion:
    """How a file comes to say `lightning.pytorch`; raises `Refusal` if it can't."""
    edits = [edit for statement in program.imports for edit in _import_edits(program, statement)]
    if not edits:
        return Conversion([], [])
    for name in program.names:
        edits += _use_edits(program, name)
    renamed = dict(_renamed_strings(program))
    edits += [Edit(*program.span(node), text) for node, text in renamed.items()]
    first = next(statement for statement in program.imports if any(_import_edits(program, statement)))
    findings = [finding(program, "MT118", first, "")]
    findings += [
        finding(program, "MT119", node, program.text(node))
        for node in program.strings
        if node not in renamed and _REQUIREMENT.fullmatch(string(node) or "")
    ]
    return Conversion(edits, findings)


def outside_names(program: Program, name: str | None = None) -> Iterator[str]:
    """What a file imports from elsewhere that may bring in Lightning classes, as far as the file shows it.

    Such are the module's class and its bases, and what the builder's calls are given; or for one of the file's own
    names what that is made of.
    """
    seen: set[cst.CSTNode] = set()
    if name is None:
        pending = list(_given_to_builders(program))
    else:
        bindings = program.module_scope.lookup(name)
        pending = [node for binding in bindings for node in _defined_by(binding)]
        yield from (one for binding in bindings if (one := binding.imported or "") and not has_no_lightning(one))
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if not isinstance(node, cst.Name):
            pending += _parts(node)
        elif node in program.names:
            imported = program.qualified_name(_whole_path(program, node))
            if imported is not None and not node.value.isupper() and not has_no_lightning(imported):
                yield imported
            pending += [part for binding in program.bindings(node) for part in _defined_by(binding)]


def _whole_path(program: Program, name: cst.Name) -> cst.Name | cst.Attribute:
    """`models.nets.Net` for the name `models` in it."""
    path: cst.Name | cst.Attribute = name
    while isinstance(above := program.parent(path), cst.Attribute) and above.value is path:
        path = above
    return path


def _given_to_builders(program: Program) -> Iterator[cst.CSTNode]:
    for call in program.calls:
        if program.qualified_name(call.func) in legacy.TRAINERS:
            for argument in call.args:
                if argument.keyword is None or argument.keyword.value == "lightning_config":
                    yield argument.value
        elif isinstance(call.func, cst.Attribute) and call.func.attr.value in _HOLD_LIGHTNING:
            yield call


def _parts(node: cst.CSTNode) -> Sequence[cst.CSTNode]:
    """The parts of an expression that may hold Lightning's objects."""
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value in _HOLD_LIGHTNING:
        wanted = _HOLD_LIGHTNING[node.func.attr.value]
        arguments = [
            argument
            for argument in node.args
            if argument.keyword is None or wanted is None or argument.keyword.value in wanted
        ]
        return [node.func.value, *arguments]
    return node.children


def _defined_by(binding: Binding) -> list[cst.CSTNode]:
    """What decides which objects a variable of the file gives."""
    if isinstance(binding.node, cst.ClassDef):
        return [base.value for base in binding.node.bases]
    if isinstance(binding.node, cst.FunctionDef):
        return [binding.node.body]
    return [] if binding.value is None else [binding.value]


def has_no_lightning(imported: str) -> bool:
    top = imported.partition(".")[0]
    return top in UNIFIED or top in WITHOUT_LIGHTNING or top in sys.stdlib_module_names


# Imports


def _import_edits(program: Program, statement: cst.Import | cst.ImportFrom) -> Iterator[Edit]:
    if isinstance(statement, cst.ImportFrom):
        module = "" if statement.relative else dotted_name(statement.module)
        _refuse_old_companion(statement, module)
        if _is_old(module):
            _refuse_guard(program, statement)
            assert statement.module is not None
            yield Edit(*program.span(statement.module), _new_module(statement, module))
        return
    for alias in statement.names:
        module = dotted_name(alias.name)
        _refuse_old_companion(statement, module)
        if _is_old(module):
            _refuse_guard(program, statement)
            if alias.asname is None:
                _refuse_other_meanings(program, alias, module.partition(".")[0])
            yield Edit(*program.span(alias.name), _new_name(statement, module))


def _is_old(module: str) -> bool:
    return module.partition(".")[0] in UNIFIED


def _refuse_old_companion(statement: cst.CSTNode, module: str) -> None:
    if module.partition(".")[0] in BUILT_ON_OLD_PACKAGE:
        raise Refusal("MT113", statement, f"`{module}` is made for `pytorch_lightning`")


def _refuse_guard(program: Program, statement: cst.CSTNode) -> None:
    if program.enclosing(statement, (cst.Try, cst.TryStar)) is not None:
        raise Refusal("MT113", statement, "the import of `pytorch_lightning` is guarded by `try`")


def _refuse_other_meanings(program: Program, alias: cst.ImportAlias, package: str) -> None:
    """Raise `Refusal` where the file uses one of the names that the import binds for something else."""
    for name, imported in ((package, package), (UNIFIED_ROOT, UNIFIED_ROOT)):
        for scope in program.all_scopes():
            declared = name in scope.declared_global | scope.declared_nonlocal
            others = [binding for binding in scope.bindings.get(name, []) if binding.imported != imported]
            if declared or others:
                raise Refusal("MT113", alias, f"the file has a `{name}` of its own")


def _new_module(statement: cst.ImportFrom, module: str) -> str:
    """The module from which a statement imports its names from now on."""
    if isinstance(statement.names, cst.ImportStar):
        return _new_name(statement, module)
    modules = set()
    for alias in statement.names:
        old = dotted_name(alias.name)
        target, _, name = _new_name(statement, f"{module}.{old}").rpartition(".")
        if name != old:
            raise Refusal("MT113", statement, f"`{module}.{old}` has another name in `lightning.pytorch`")
        modules.add(target)
    if len(modules) > 1:
        raise Refusal("MT113", statement, f"the names of `{module}` are in several modules of `lightning.pytorch`")
    return modules.pop()


def _new_name(node: cst.CSTNode, qualified: str) -> str:
    """`lightning.pytorch.x` for `pytorch_lightning.x`; raises `Refusal` for what it doesn't have."""
    package, _, path = qualified.partition(".")
    parts = path.split(".") if path else []
    for end in range(len(parts) if package == OLD_PACKAGE else 0, 0, -1):
        prefix = ".".join(parts[:end])
        if prefix in MOVED:
            return ".".join([UNIFIED[package], MOVED[prefix], *parts[end:]])
        if prefix in GONE:
            raise Refusal("MT113", node, f"`lightning.pytorch` has no `{prefix}`")
    return ".".join([UNIFIED[package], *parts])


# Uses


def _use_edits(program: Program, name: cst.Name) -> Iterator[Edit]:
    """Rename what is read through a name: `pytorch_lightning.Trainer`, and what has moved since 1.x."""
    imported = program.qualified_name(name)
    if imported is None or not _is_old(imported):
        return
    chain = _whole_path(program, name)
    path = (program.qualified_name(chain) or imported).removeprefix(imported)
    old, new = _new_name(chain, imported), _new_name(chain, imported + path)
    is_plain = all(
        isinstance(binding.node, cst.ImportAlias) and binding.node.asname is None and binding.kind is BindingKind.IMPORT
        for binding in program.bindings(name)
    ) and isinstance(program.parent(program.bindings(name)[0].node), cst.Import)
    if new == old + path:
        if is_plain:
            yield Edit(*program.span(name), old)
        return
    if not new.startswith(f"{old}."):
        raise Refusal("MT113", chain, f"`{imported}{path}` is elsewhere in `lightning.pytorch`")
    yield Edit(*program.span(chain), new if is_plain else name.value + new.removeprefix(old))


def _renamed_strings(program: Program) -> Iterator[tuple[cst.SimpleString, str]]:
    """Annotations, and strings that are the dotted path of a module or class, with their new text."""
    for node in program.strings:
        if not isinstance(node, cst.SimpleString) or OLD_PACKAGE not in node.value:
            continue
        value = string(node) or ""
        if program.enclosing(node, cst.Annotation) is not None:
            yield node, _DOTTED_PATH.sub(lambda match: _new_path(match.group()), node.value)
        elif _DOTTED_PATH.fullmatch(value) or (value == OLD_PACKAGE and _names_module(program, node)):
            yield node, node.value.replace(value, _new_path(value))


def _new_path(path: str) -> str:
    try:
        return _new_name(cst.Name(OLD_PACKAGE), path)
    except Refusal:
        return UNIFIED[OLD_PACKAGE] + path.removeprefix(OLD_PACKAGE)


def _names_module(program: Program, node: cst.SimpleString) -> bool:
    argument = program.parent(node)
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    return isinstance(call, cst.Call) and dotted_name(call.func).rpartition(".")[2] in _TAKES_MODULE_NAME
