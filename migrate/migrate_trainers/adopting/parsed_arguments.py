"""`HfArgumentParser`: the driver reads the command line, and each worker makes the dataclasses of what was read.

a, b = parser.parse_args_into_dataclasses()      arguments = vars(parser.parse_args())
                                                 a, b = (kind(**{...}) for kind in (A, B))

`TrainingArguments` know the device and the rank of the process that makes them: the driver must not make them. Nor can
a worker make the parser: dataclasses of a script reach it as copies, of which it believes that no field is required.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.transformers_trainings import trainings
from migrate_trainers.reading.scopes import dotted_name, is_future_import
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import is_none
from migrate_trainers.writing.arguments import bound_arguments
from migrate_trainers.writing.imports import ImportPlan
from migrate_trainers.writing.render import free_name, names_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.findings import Finding
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.settings import Settings

_PARSERS = frozenset({"transformers.HfArgumentParser", "transformers.hf_argparser.HfArgumentParser"})
# Parsers that are asked otherwise.
_OTHER_PARSERS = frozenset({"trl.TrlParser", "trl.scripts.TrlParser", "trl.scripts.utils.TrlParser"})
_METHODS = frozenset({"parse_args_into_dataclasses", "parse_json_file", "parse_yaml_file"})


def dictionaries_for_parsers(program: Program, settings: Settings) -> tuple[Program, Sequence[Finding]]:
    """The program with what its parsers read as a dictionary; raises `Refusal` for calls of another form."""
    calls = [call for call in program.calls if _is_parsing(program, call)]
    others = [call for call in program.calls if program.qualified_name(call.func) in _OTHER_PARSERS]
    if not (calls or others) or not trainings(program):
        return program, ()
    if others:
        raise Refusal("MT617", others[0].func, "it also reads files that it finds itself")
    imports = ImportPlan(program, _anchor(program), lambda name: None, by_module=False)
    name = free_name(names_in(program.module), "arguments", "script_arguments")
    edits = [edit for group in _groups(program, calls) for edit in _rewritten(program, settings, imports, group, name)]
    return program.edited([*imports.edits(), *edits]), ()


def _is_parsing(program: Program, call: cst.Call) -> bool:
    if not isinstance(call.func, cst.Attribute) or call.func.attr.value not in _METHODS:
        return False
    return _parser_of(program, call) is not None


def _parser_of(program: Program, call: cst.Call) -> cst.Call | None:
    """The call that makes the parser whose method another one calls."""
    assert isinstance(call.func, cst.Attribute)
    parser: cst.BaseExpression | None = call.func.value
    if isinstance(parser, cst.Name):
        parser = program.assigned_value(parser)
    is_parser = isinstance(parser, cst.Call) and program.qualified_name(parser.func) in _PARSERS
    return parser if is_parser and isinstance(parser, cst.Call) else None


def _anchor(program: Program) -> cst.Import | cst.ImportFrom:
    """The import beside which those of the standard library go."""
    own = [one for one in program.imports if isinstance(program.block(program.statement(one)), cst.Module)]
    if not own:
        raise Refusal("MT617", program.imports[0], "it is imported in a function")
    return next((one for one in reversed(own) if _is_of_library(one)), own[0])


def _is_of_library(statement: cst.Import | cst.ImportFrom) -> bool:
    module = dotted_name(statement.module if isinstance(statement, cst.ImportFrom) else statement.names[0].name)
    return module.partition(".")[0] in sys.stdlib_module_names and not is_future_import(statement)


def _groups(program: Program, calls: Sequence[cst.Call]) -> list[tuple[Statement, list[cst.Call]]]:
    """The calls by the statement behind which their dataclasses are needed: the `if` of which they are the branches."""
    groups: dict[Statement, list[cst.Call]] = {}
    for call in calls:
        statement = program.statement(call)
        while isinstance(above := program.block(statement), cst.IndentedBlock) and _is_branch(program, above):
            statement = program.statement(above)
        groups.setdefault(statement, []).append(call)
    return list(groups.items())


def _is_branch(program: Program, block: cst.IndentedBlock) -> bool:
    """Whether a block is a branch of an `if` that does nothing but ask the parser."""
    owner = program.parent(block)
    while isinstance(owner, cst.Else):
        owner = program.parent(owner)
    return isinstance(owner, cst.If) and program.text(owner.test).find("argv") >= 0


def _rewritten(
    program: Program, settings: Settings, imports: ImportPlan, group: tuple[Statement, list[cst.Call]], name: str
) -> list[Edit]:
    statement, calls = group
    assigned = {_target(program, call) for call in calls}
    parser = _parser_of(program, calls[0])
    if len(assigned) > 1 or parser is None:
        raise Refusal("MT617", calls[-1].func, "its branches assign different variables")
    if any(_parser_of(program, call) is not parser for call in calls):
        raise Refusal("MT617", calls[-1].func, "its branches ask different parsers")
    assert settings.adoption is not None
    told = "" if settings.adoption.use_gpu else ' | {"use_cpu": True}'
    edits = []
    for call in calls:
        own = program.statement(call)
        *above, read = _read(program, imports, call)
        lines = [*above, f"{name} = {read}{told}"]
        edits.append(Edit(*program.span(own), f"\n{program.indent(own)}".join(lines)))
    used = names_in(program.module)
    kind, field = free_name(used, "kind", "dataclass_type"), free_name(used, "field", "one", "data_field")
    fields, indent = imports.name("dataclasses.fields"), program.indent(statement)
    inner = indent + program.module.default_indent
    given = f"{{{field}.name: {name}[{field}.name] for {field} in {fields}({kind}) if {field}.name in {name}}}"
    lines = [
        f"{indent}{assigned.pop()} = (",
        f"{inner}{kind}(**{given})",
        f"{inner}for {kind} in {_types(program, parser)}",
        f"{indent})",
    ]
    end = program.source.line_end(program.span(statement)[1])
    break_before = "" if program.source.buffer[:end].endswith((b"\n", b"\r")) else "\n"
    return [*edits, Edit(end, end, break_before + "".join(f"{line}\n" for line in lines))]


def _types(program: Program, parser: cst.Call) -> str:
    """The expression for the dataclasses of a parser, one after the other."""
    given = (bound_arguments(parser, ("dataclass_types",)) or {}).get("dataclass_types")
    if given is None:
        raise Refusal("MT617", parser.func, "its dataclasses can't be seen")
    value = program.assigned_value(given.value) if isinstance(given.value, cst.Name) else None
    if isinstance(value or given.value, cst.Tuple | cst.List):
        return program.outer_text(given.value)
    named = program.named(given.value)
    if program.qualified_name(given.value) or (named and all(isinstance(one.node, cst.ClassDef) for one in named)):
        return f"({program.text(given.value)},)"
    raise Refusal("MT617", given, "its dataclasses can't be seen")


def _target(program: Program, call: cst.Call) -> str:
    """What a statement assigns the dataclasses to; raises `Refusal` for one that does more than that."""
    assignment = program.parent(call)
    statement = program.statement(call)
    is_plain = isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1
    if not isinstance(assignment, cst.Assign) or len(assignment.targets) != 1 or not is_plain:
        raise Refusal("MT617", call.func, "it is more than assigned")
    return program.outer_text(assignment.targets[0].target)


def _read(program: Program, imports: ImportPlan, call: cst.Call) -> list[str]:
    """The expression that gives the driver what a parser reads, behind the lines that it needs."""
    assert isinstance(call.func, cst.Attribute)
    if call.func.attr.value == "parse_args_into_dataclasses":
        return _parsed(program, call, call.func)
    if len(call.args) != 1 or call.args[0].star:
        raise Refusal("MT617", call.func, "only its path is understood")
    path = program.text(call.args[0].value)
    opened = f'{imports.name("pathlib.Path")}({path}).read_text(encoding="utf-8")'
    if call.func.attr.value == "parse_json_file":
        return [f"{imports.module('json')}.loads({opened})"]
    return [f"{imports.module('yaml')}.safe_load({opened})"]


def _parsed(program: Program, call: cst.Call, method: cst.Attribute) -> list[str]:
    """A parser that is made in the call gets a line of its own, as the driver's."""
    given = []
    for argument in call.args:
        name = argument.keyword.value if argument.keyword is not None else ""
        if name == "args" or (not name and argument is call.args[0]):
            given.append(program.text(argument.value))
        elif name != "look_for_args_file" and not is_none(argument.value):
            raise Refusal("MT617", argument, "it gives more than the dataclasses")
    parser = program.text(method.value)
    if isinstance(method.value, cst.Name):
        return [f"vars({parser}.parse_args({', '.join(given)}))"]
    variable = free_name(names_in(program.module), "parser", "argument_parser")
    return [f"{variable} = {parser}", f"vars({variable}.parse_args({', '.join(given)}))"]
