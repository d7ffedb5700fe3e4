"""`ray.air.session`, and other names that moved: their uses and imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind, dotted_name
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.families import families_in
from migrate_trainers.rules.checkpoints.held import Holdings
from migrate_trainers.rules.checkpoints.kinds import Held
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.rewrite import moved_name
from migrate_trainers.rules.session import migrate_context, session_function
from migrate_trainers.rules.tuning.reach import reach_of

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

_SESSION_OBJECT = "`session` is used as an object"


def migrate_moved_names(rewrite: Rewrite) -> dict[cst.CSTNode, str]:
    """The new text of every expression that reaches a moved name through a module; raises `Refusal`.

    Imports whose every use is replaced are removed. Names that were imported one by one move with their imports.
    """
    program = rewrite.program
    _remove_plain_imports(rewrite)
    replaced: dict[cst.CSTNode, str] = {}
    for attribute in program.attributes:
        found = _replacement(rewrite, attribute)
        if found is not None:
            replaced[found[0]] = found[1]
    replaced |= _replace_imported_getters(rewrite)
    replaced |= migrate_context(rewrite)
    _remove_unused_modules(rewrite, replaced)
    if rewrite.settings.bundled:
        _leave_ray(rewrite)
    _report_lost_metrics(rewrite)
    _report_missing_metrics(rewrite)
    return replaced


def _replacement(rewrite: Rewrite, attribute: cst.Attribute) -> tuple[cst.CSTNode, str] | None:
    """The node that is written anew for a name that has moved, and its text."""
    qualified = rewrite.program.qualified_name(attribute)
    if qualified is None:
        return None
    if qualified == legacy.SESSION_MODULE and not isinstance(rewrite.program.parent(attribute), cst.Attribute):
        raise Refusal("MT401", attribute, _SESSION_OBJECT)
    if qualified.startswith(f"{legacy.SESSION_MODULE}."):
        return session_function(rewrite, attribute, qualified)
    if any(call.func is attribute for call in rewrite.tuner_configs):
        return attribute, rewrite.function_named(f"ray.tune.{qualified.rpartition('.')[2]}")
    if moved_name(qualified, rewrite.settings) is None:
        return None
    if qualified not in legacy.MOVED and not _is_class_of_target(qualified):
        return None
    return attribute, rewrite.function_named(legacy.MOVED.get(qualified, qualified))


def _is_class_of_target(qualified: str) -> bool:
    """Whether a dotted `ray.train` name ends in a class or function rather than a module on the way to one."""
    classes = legacy.TRAINERS.keys() | legacy.BUILDERS | legacy.READERS
    if qualified in classes or qualified.rpartition(".")[0] in classes:
        return False
    return qualified.startswith("ray.train.") and qualified not in legacy.TARGET_MODULES


def _replace_imported_getters(rewrite: Rewrite) -> dict[cst.CSTNode, str]:
    """`from ray.air.session import get_world_rank`: the getters are methods of the context now."""
    program = rewrite.program
    replaced: dict[cst.CSTNode, str] = {}
    for name in program.names:
        qualified = program.qualified_name(name)
        if qualified is None or not qualified.startswith(f"{legacy.SESSION_MODULE}."):
            continue
        if qualified.rpartition(".")[2] in legacy.SESSION_FUNCTIONS:
            continue
        found = session_function(rewrite, name, qualified)
        if found is not None:
            replaced[found[0]] = found[1]
            rewrite.imports.remove(_alias(program, name))
    return replaced


def _alias(program: Program, name: cst.Name) -> cst.ImportAlias:
    node = program.bindings(name)[0].node
    assert isinstance(node, cst.ImportAlias)
    return node


def _remove_unused_modules(rewrite: Rewrite, replaced: dict[cst.CSTNode, str]) -> None:
    """Drop `from ray.air import session` and the like once nothing reads them."""
    program = rewrite.program
    emptied = legacy.EMPTIED_MODULES | ({"ray.train"} if rewrite.settings.bundled else set())
    for binding in list(program.all_bindings()):
        if binding.kind is not BindingKind.IMPORT or binding.imported not in emptied:
            continue
        uses = program.uses(binding)
        left = [name for name in uses if not any(program.contains(node, name) for node in replaced)]
        if left:
            if binding.imported == legacy.SESSION_MODULE:
                raise Refusal("MT401", left[0], _SESSION_OBJECT)
            continue
        assert isinstance(binding.node, cst.ImportAlias)
        rewrite.imports.remove(binding.node)


def _remove_plain_imports(rewrite: Rewrite) -> None:
    """Drop `import ray.air.config` and the like where every name that is read through them has moved."""
    program = rewrite.program
    for attribute in program.attributes:
        above = program.parent(attribute)
        if isinstance(above, cst.Attribute) and above.value is attribute and program.qualified_name(above):
            continue
        qualified = program.qualified_name(attribute) or ""
        if qualified.startswith("ray.air") and not _has_moved(qualified):
            return
    for statement in program.imports:
        if isinstance(statement, cst.Import):
            for alias in statement.names:
                if alias.asname is None and dotted_name(alias.name) in legacy.EMPTIED_MODULES:
                    rewrite.imports.remove(alias)


def _has_moved(qualified: str) -> bool:
    module, _, name = qualified.rpartition(".")
    getters = legacy.SESSION_FUNCTIONS | legacy.SESSION_GETTERS | legacy.SESSION_TRIAL_GETTERS
    parts = qualified.split(".")
    # `ray.air.Checkpoint.from_directory` reads a method of a class that has moved.
    prefixes = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return bool(prefixes & legacy.MOVED.keys()) or (module == legacy.SESSION_MODULE and name in getters)


def _leave_ray(rewrite: Rewrite) -> None:
    """Drop plain imports of `ray.train`, whose uses name the bundled runtime now; say where else Ray is used."""
    program = rewrite.program
    for statement in program.imports:
        if isinstance(statement, cst.Import):
            for alias in statement.names:
                if f"{dotted_name(alias.name)}.".startswith("ray.train."):
                    rewrite.imports.remove(alias)
    for attribute in program.attributes:
        qualified = program.qualified_name(attribute) or ""
        if qualified.count(".") == 1 and qualified.startswith("ray.") and qualified not in ("ray.train", "ray.air"):
            rewrite.review("MT407", attribute, f"`{qualified}`")


def _report_lost_metrics(rewrite: Rewrite) -> None:
    """Reports without a checkpoint leave no trace in current Ray's result: say so, once a file."""
    if not rewrite.settings.strict_target or rewrite.settings.bundled:
        return
    program = rewrite.program
    trainers = [call for call in program.calls if program.qualified_name(call.func) in legacy.TRAINERS]
    if trainers and all(reach_of(program, call).tuners for call in trainers):
        # Tune hears of all reports of its trials.
        return
    reports = [call for call in program.calls if program.qualified_name(call.func) in legacy.REPORTS]
    if reports and all(len(call.args) == 1 and not call.args[0].star for call in reports):
        rewrite.review("MT404", reports[0], "no report of this file has one")


def _report_missing_metrics(rewrite: Rewrite) -> None:
    """Say where the script reads a metric that Ray itself used to add: `result.metrics["training_iteration"]`."""
    if not rewrite.settings.strict_target:
        return
    program = rewrite.program
    holdings = [Holdings(program, family) for family in families_in(program)]
    for node in program.strings:
        name = string(node)
        metrics = _looked_up(program, node) if name in legacy.AUTOFILLED_METRICS else None
        result = _result_of(program, metrics) if metrics is not None else None
        # Tune still adds them to what it gives of a trial.
        if result is not None and not any(held.of(result) is Held.TRIAL for held in holdings):
            rewrite.review("MT406", node, f"`{name}`")


def _looked_up(program: Program, key: cst.CSTNode) -> cst.BaseExpression | None:
    """What a string is looked up in: `…[key]` or `….get(key)`."""
    parent = program.parent(key)
    if isinstance(parent, cst.Index):
        subscript = program.enclosing(parent, cst.Subscript)
        return subscript.value if subscript is not None else None
    call = program.parent(parent) if isinstance(parent, cst.Arg) else None
    if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and call.args[0] is parent:
        return call.func.value if call.func.attr.value == "get" else None
    return None


def _result_of(program: Program, node: cst.BaseExpression) -> cst.BaseExpression | None:
    """The result whose metrics, or table of them, an expression may be."""
    if isinstance(node, cst.Name):
        found = (
            _result_of(program, one.value) for one in program.bindings(node) if isinstance(one.value, cst.Attribute)
        )
        return next((result for result in found if result is not None), None)
    if isinstance(node, cst.Attribute) and node.attr.value in ("metrics", "metrics_dataframe"):
        return node.value
    return None
