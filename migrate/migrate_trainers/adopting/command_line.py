"""What reads a script's command line: it stays on the driver, as workers have none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import own_returns
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.accelerate.train_loop import reached_definitions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from migrate_trainers.adopting.lines import Line
    from migrate_trainers.reading.program import Program, Statement

_PARSERS = frozenset(
    {
        *("argparse.ArgumentParser", "configargparse.ArgumentParser", "configargparse.ArgParser"),
        *("jsonargparse.ArgumentParser", "optparse.OptionParser", "simple_parsing.ArgumentParser"),
        *("tap.Tap", "transformers.HfArgumentParser", "transformers.hf_argparser.HfArgumentParser"),
    }
)
# Functions that read the command line themselves, and give what they have read.
_READERS = frozenset(
    {
        *("chz.entrypoint", "docopt.docopt", "draccus.parse", "jsonargparse.auto_cli", "jsonargparse.CLI"),
        *("omegaconf.OmegaConf.from_cli", "pyrallis.parse", "simple_parsing.parse", "tyro.cli"),
    }
)
_METHODS = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args", "parse_args_into_dataclasses"})
_BUILTINS = frozenset({"bool", "dict", "float", "int", "len", "list", "str", "tuple", "vars"})
_VALUES = frozenset({"argparse.Namespace", "os.path.abspath", "os.path.join", "pathlib.Path", "types.SimpleNamespace"})
_LOADERS = frozenset(
    {
        *("json.load", "json.loads", "omegaconf.OmegaConf.load", "toml.load", "tomllib.load"),
        *("yaml.full_load", "yaml.load", "yaml.safe_load", "yaml.unsafe_load"),
    }
)
_SETTINGS = re.compile(r"(?:\w+_)?(?:args|cfg|conf|config|configuration|hparams|options|opts|params|settings)")
_NAMED_FOR_IT = re.compile(r"arg|cli|config|opt|pars", re.IGNORECASE)
_NAMESPACES = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args"})
_ARGV = frozenset({"sys.argv", "sys.orig_argv"})
# What can only be asked in the process that the command line started.
_OF_THE_DRIVER = frozenset(
    {
        "absl.flags.FLAGS",
        "click.get_current_context",
        "hydra.core.hydra_config.HydraConfig",
        "hydra.utils.get_original_cwd",
        "hydra.utils.to_absolute_path",
    }
)


def parsing_lines(program: Program, lines: Sequence[Line]) -> set[Line]:
    """The statements that read the command line: those that make a parser, fill it and ask it, or call what does.

    Those that load a file of settings are like them: its path is one for the folder in which the script is run.
    """
    parsers = {name for line in lines for name in line.binds if _makes_parser(program, line)}
    return {
        line
        for line in lines
        if not line.is_definition
        and (
            line.binds & parsers
            or line.names & parsers
            or (line.binds and _only_reads(program, line.statement))
            or _loads_settings(program, line)
        )
    }


def check_worker_code(program: Program, moved: Sequence[cst.CSTNode]) -> None:
    """Raise `Refusal` where code that moves, or what it calls, asks for the command line."""
    for node in reached_definitions(program, moved):
        if (found := next(iter(_asked(program, node)), None)) is not None:
            raise Refusal("MT646", found, f"`{program.text(found)}` is the driver's")


def gives_namespace(program: Program, value: cst.BaseExpression | None) -> bool:
    """Whether an expression gives argparse's namespace: `parser.parse_args()`, or a function that returns such."""
    if not isinstance(value, cst.Call):
        return False
    if isinstance(value.func, cst.Attribute) and value.func.attr.value in _NAMESPACES:
        return any(one.partition(".")[0] == "argparse" for one in program.imported_names)
    found = list(program.definitions(value.func))
    if len(found) != 1 or not isinstance(found[0][1].node, cst.FunctionDef):
        return False
    owner, function = found[0][0], found[0][1].node
    returned = [one.value for one in own_returns(function.body)]
    return bool(returned) and all(one is not None and _is_namespace(owner, one) for one in returned)


def _is_namespace(program: Program, value: cst.BaseExpression) -> bool:
    if not isinstance(value, cst.Name):
        return gives_namespace(program, value)
    values = [getattr(binding.node, "value", None) for binding in program.bindings(value)]
    return bool(values) and all(gives_namespace(program, one) for one in values)


def _makes_parser(program: Program, line: Line) -> bool:
    return any(
        program.qualified_name(call.func) in _PARSERS
        for call in program.calls
        if program.contains(line.statement, call)
    )


def _loads_settings(program: Program, line: Line) -> bool:
    """Whether a statement loads a file into a variable for settings: `config = yaml.safe_load(open(path))`."""
    if not any(_SETTINGS.fullmatch(name) for name in line.binds):
        return False
    calls = [call for call in program.calls if program.contains(line.statement, call)]
    loads = [call for call in calls if program.qualified_name(call.func) in _LOADERS]
    others = [call for call in calls if call not in loads]
    return bool(loads) and all(
        program.qualified_name(call.func) in _VALUES or program.is_builtin(call.func, "open") for call in others
    )


def _only_reads(program: Program, statement: Statement) -> bool:
    """Whether a statement reads the command line, and makes nothing else of that than values."""
    return _reads(program, statement) and all(
        _is_reading(program, call) for call in program.calls if program.contains(statement, call)
    )


def _is_reading(program: Program, call: cst.Call) -> bool:
    """Whether a call reads the command line, or makes a value of what another one has read."""
    qualified = program.qualified_name(call.func)
    if qualified in _READERS | _VALUES or any(program.is_builtin(call.func, name) for name in _BUILTINS):
        return True
    name = call.func.attr.value if isinstance(call.func, cst.Attribute) else program.text(call.func)
    return _NAMED_FOR_IT.search(name) is not None or (isinstance(call.func, cst.Name) and _reads(program, call))


def _reads(program: Program, node: cst.CSTNode) -> bool:
    """Whether some code reads the command line, itself or in the functions that it calls."""
    pending: list[tuple[Program, cst.CSTNode]] = [(program, node)]
    seen: set[cst.CSTNode] = set()
    while pending:
        owner, current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        if next(iter(_asked(owner, current)), None) is not None:
            return True
        for call in owner.calls:
            if owner.contains(current, call):
                found = owner.definitions(call.func)
                pending += [(other, one.node) for other, one in found if isinstance(one.node, cst.FunctionDef)]
    return False


def _asked(program: Program, node: cst.CSTNode) -> Iterable[cst.BaseExpression]:
    """The expressions below a node that ask for the command line."""
    for call in program.calls:
        if program.contains(node, call):
            is_method = isinstance(call.func, cst.Attribute) and call.func.attr.value in _METHODS
            if is_method or program.qualified_name(call.func) in _READERS:
                yield call
    for one in (*program.attributes, *program.names):
        if not program.contains(node, one):
            continue
        qualified = program.qualified_name(one)
        is_asked = qualified in _ARGV | _OF_THE_DRIVER
        if is_asked or (isinstance(one, cst.Name) and _is_flags(program, one)):
            yield one


def _is_flags(program: Program, name: cst.Name) -> bool:
    """Whether a name is a variable for absl's flags: `FLAGS = flags.FLAGS`."""
    value = program.assigned_value(name)
    return value is not None and program.qualified_name(value) == "absl.flags.FLAGS"
