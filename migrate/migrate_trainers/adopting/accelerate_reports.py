"""What an Accelerator logs is reported, where it surely is a dictionary of numbers which each worker comes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.rules.literals import display_of
from migrate_trainers.rules.tuning.reach import assigned_variable, uses_of
from migrate_trainers.writing.render import free_name, names_in

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

# What asks which worker a process is: code behind it doesn't run in all of them.
_RANKS = frozenset(
    {
        "is_main_process",
        "is_local_main_process",
        "is_last_process",
        "process_index",
        "local_process_index",
        "on_main_process",
        "on_local_main_process",
        "on_last_process",
        "on_process",
        "on_local_process",
        "get_rank",
    }
)
_NUMBER_METHODS = frozenset({"item", "time", "perf_counter"})
_NUMBER_CALLS = ("float", "int", "len", "round", "bool")
_MATHS = ("math.", "statistics.")


def report_logs(rewrite: Rewrite, call: cst.Call) -> int:
    """Report what the Accelerator of a call logs once an epoch or more rarely; returns how many logs are reported."""
    program = rewrite.program
    variable = assigned_variable(program, call)
    reported = 0
    for use in uses_of(program, variable) if variable is not None else ():
        attribute = program.parent(use)
        log = program.parent(attribute) if isinstance(attribute, cst.Attribute) else None
        if isinstance(attribute, cst.Attribute) and attribute.attr.value == "log" and isinstance(log, cst.Call):
            reported += _report(rewrite, log)
    return reported


def _report(rewrite: Rewrite, log: cst.Call) -> bool:
    program, statement = rewrite.program, rewrite.program.statement(log)
    values = next((one for one in log.args if one.keyword is None or one.keyword.value == "values"), None)
    is_alone = isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1
    if values is None or not is_alone or not _is_of_numbers(program, values.value) or not _runs_in_all(program, log):
        return False
    indent, source = program.indent(statement), program.source
    report = rewrite.function_named("ray.train.report")
    name = program.text(values.value)
    if not isinstance(values.value, cst.Name):
        function = program.enclosing(log, cst.FunctionDef) or program.module
        name = free_name(names_in(function), "metrics", "logged_metrics")
        start = source.line_start(program.span(statement)[0])
        rewrite.edits.append(Edit(start, start, f"{indent}{name} = {program.text(values.value)}\n"))
        rewrite.edits.append(Edit(*program.span(values.value), name))
    end = source.line_end(program.span(statement)[1])
    break_before = "" if source.buffer[:end].endswith((b"\n", b"\r")) else "\n"
    rewrite.edits.append(Edit(end, end, f"{break_before}{indent}{report}({name})\n"))
    return True


def _runs_in_all(program: Program, log: cst.Call) -> bool:
    """Whether all workers log, and not for each batch: reports wait for all workers."""
    loops = 0
    for above in program.ancestors(log):
        if isinstance(above, cst.FunctionDef):
            names = {name for decorator in above.decorators for name in _words(program, decorator)}
            return loops <= 1 and not names & _RANKS
        if isinstance(above, cst.For | cst.While):
            loops += 1
        if isinstance(above, cst.If) and _words(program, above.test) & _RANKS:
            return False
        if isinstance(above, cst.Lambda | cst.Try | cst.With) and _words(program, above) & _RANKS:
            return False
    return loops <= 1


def _words(program: Program, node: cst.CSTNode) -> set[str]:
    """The names and attributes in a node."""
    attributes = {one.attr.value for one in program.attributes if program.contains(node, one)}
    return attributes | {name.value for name in program.names if program.contains(node, name)}


def _is_of_numbers(program: Program, node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.Name):
        values = [binding.value for binding in program.reaching(node)]
        return len(values) == 1 and isinstance(values[0], cst.Dict) and _is_of_numbers(program, values[0])
    entries = display_of(node) if isinstance(node, cst.Dict) else None
    return bool(entries) and all(is_number(program, value) for value in (entries or {}).values())


def is_number(program: Program, node: cst.BaseExpression, seen: frozenset[cst.BaseExpression] = frozenset()) -> bool:
    """Whether an expression surely gives a number, and no tensor."""
    if node in seen:
        return True
    seen |= {node}
    if isinstance(node, cst.Integer | cst.Float):
        return True
    if isinstance(node, cst.UnaryOperation):
        return is_number(program, node.expression, seen)
    if isinstance(node, cst.BinaryOperation):
        return is_number(program, node.left, seen) and is_number(program, node.right, seen)
    if isinstance(node, cst.Call):
        return _gives_number(program, node)
    if not isinstance(node, cst.Name):
        return False
    bindings = program.bindings(node)
    return bool(bindings) and all(_binds_number(program, one.node, node, seen) for one in bindings)


def _gives_number(program: Program, call: cst.Call) -> bool:
    if isinstance(call.func, cst.Attribute) and call.func.attr.value in _NUMBER_METHODS:
        return True
    if any(program.is_builtin(call.func, name) for name in _NUMBER_CALLS):
        return True
    return (program.qualified_name(call.func) or "").startswith(_MATHS)


def _binds_number(program: Program, node: cst.CSTNode, name: cst.Name, seen: frozenset[cst.BaseExpression]) -> bool:
    """Whether a binding gives its variable a number: an assignment, an addition, or a loop that counts."""
    if isinstance(node, cst.Assign | cst.AnnAssign):
        target = node.targets[0].target if isinstance(node, cst.Assign) else node.target
        is_plain = isinstance(target, cst.Name) and node.value is not None
        return is_plain and node.value is not None and is_number(program, node.value, seen)
    if isinstance(node, cst.AugAssign):
        return is_number(program, node.value, seen)
    if not isinstance(node, cst.For) or not isinstance(node.iter, cst.Call):
        return False
    if program.is_builtin(node.iter.func, "enumerate"):
        first = node.target.elements[0].value if isinstance(node.target, cst.Tuple) else None
        return isinstance(first, cst.Name) and first.value == name.value
    return isinstance(node.target, cst.Name) and program.is_builtin(node.iter.func, "range")
