"""Reading `accelerate_config`: what it set that a worker's Accelerator has to know."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import libcst as cst

from migrate_trainers.reading.values import ValueAnalysis, makes_dictionary, only_looks
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.accelerate.settings import (
    DEEPSPEED_DEFAULTS,
    DYNAMO_DEFAULTS,
    DYNAMO_VARIABLES,
    PLAIN_TYPES,
    SECTIONS,
    SETTINGS_OF,
    WITHOUT_EFFECT,
    WITHOUT_EQUIVALENT,
    AccelerateSettings,
)
from migrate_trainers.rules.configs import uses_gpu
from migrate_trainers.rules.constants import Constants, FilePath, Unknown
from migrate_trainers.rules.legacy_uses import call_sites
from migrate_trainers.writing.render import relocated

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.rewrite import CallSite, Rewrite

# They have the same answer all the time.
_DEVICE_QUESTIONS = frozenset({"torch.cuda.is_available", "torch.cuda.is_bf16_supported", "torch.cuda.device_count"})
_LOCAL_MAIN_PROCESS = frozenset({"is_local_main_process", "on_local_main_process"})


def read_settings(
    rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg]
) -> tuple[AccelerateSettings, list[Binding]]:
    """What a trainer told accelerate, and the variables that say it. Raises `Refusal`."""
    argument = arguments.get("accelerate_config")
    constants = Constants(rewrite.program, site.statement, _given_configurations(rewrite.program))
    entries = _entries(rewrite, argument, constants) if argument is not None else None
    if entries is None:
        rewrite.review("MT310", site.call, "")
        reading = _Reading(rewrite, site, site.call)
    else:
        assert argument is not None
        reading = _Reading(rewrite, site, argument)
        reading.read(entries)
    scaling = arguments.get("scaling_config")
    gpu = uses_gpu(rewrite, scaling.value if scaling is not None else None)
    if gpu is None:
        rewrite.review("MT312", scaling or site.call, "")
    elif not gpu:
        _warn_of_local_main_process(rewrite)
    cpu = None if gpu is None else not gpu
    settings = AccelerateSettings(reading.keywords, reading.variables, cpu, reading.values)
    return settings, constants.read


def _given_configurations(program: Program) -> frozenset[cst.CSTNode]:
    """What the file's trainers are given: they only add accelerate's defaults to it."""
    arguments = (one for site in call_sites(program) for one in site.call.args)
    return frozenset(one.value for one in arguments if one.keyword and one.keyword.value == "accelerate_config")


def _entries(rewrite: Rewrite, argument: cst.Arg, constants: Constants) -> dict[str, Any] | None:
    """The entries of a configuration, None where it is that of accelerate's default file."""
    value = constants.of(argument.value)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = FilePath(PurePosixPath(value))
    if isinstance(value, FilePath):
        return _entries_of_file(rewrite, argument, value)
    if isinstance(value, dict):
        return value
    raise Refusal("MT301", argument, "it is not written out as a dictionary or as the path of a file")


def _entries_of_file(rewrite: Rewrite, argument: cst.Arg, file: FilePath) -> dict[str, Any]:
    """The entries of a configuration file, in the form that accelerate gives to older ones."""
    found = list((file.beside or rewrite.program).read_file(file.path, file.beside is not None))
    if not found:
        raise Refusal("MT304", argument, f"`{file.path}` is not among the files around the script")
    if len(found) > 1:
        raise Refusal("MT304", argument, f"several files around the script are called `{file.path}`")
    entries = _parsed(argument, file.path, found[0])
    if "fp16" in entries and not entries.setdefault("mixed_precision", "fp16" if entries["fp16"] else None):
        del entries["mixed_precision"]
    entries.pop("fp16", None)
    for name in ("mixed_precision", "distributed_type"):
        # YAML takes a bare `no` for a flag.
        if entries.get(name) is False:
            entries[name] = "no" if name == "mixed_precision" else "NO"
    rewrite.review("MT316", argument, f"`{file.path}`")
    return entries


def _parsed(argument: cst.Arg, path: PurePosixPath, data: bytes) -> dict[str, Any]:
    # Imported late: only a program that names such a file pays for it.
    import yaml

    try:
        entries = json.loads(data) if path.suffix == ".json" else yaml.safe_load(data)
    except (ValueError, yaml.YAMLError) as error:
        raise Refusal("MT304", argument, f"`{path}`: {str(error).splitlines()[0]}") from error
    if not isinstance(entries, dict) or not all(isinstance(key, str) for key in entries):
        raise Refusal("MT304", argument, f"`{path}` holds no dictionary")
    return entries


class _Reading:
    """Collects what the entries of a configuration set; findings stand at `node`."""

    def __init__(self, rewrite: Rewrite, site: CallSite, node: cst.CSTNode) -> None:
        self.rewrite = rewrite
        self.site = site
        self.node = node
        self.keywords: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        self.values: dict[str, str] = {}

    def read(self, entries: dict[str, Any]) -> None:
        """Take all entries; raises `Refusal` for what can't be carried over."""
        kind = self._text("distributed_type", entries.get("distributed_type") or "NO")
        environment = self._text("compute_environment", entries.get("compute_environment") or "LOCAL_MACHINE")
        if environment != "LOCAL_MACHINE":
            raise Refusal("MT302", self.node, f"`compute_environment` {environment}")
        if kind not in PLAIN_TYPES and kind not in SETTINGS_OF:
            raise Refusal("MT302", self.node, f"`distributed_type` {kind}")
        dynamo = dict(self._section("dynamo_config", entries.get("dynamo_config")))
        dynamo.setdefault("dynamo_backend", entries.get("dynamo_backend"))
        for key, value in entries.items():
            self._read_entry(key, value, kind)
        if kind != "DEEPSPEED":
            self._read_dynamo(dynamo)
        elif self._is_on(dynamo["dynamo_backend"]):
            self._gone("dynamo_backend", "AccelerateTrainer didn't hand it on with DeepSpeed")
        if kind in SETTINGS_OF:
            self.variables[f"ACCELERATE_USE_{kind}"] = '"true"'
        if kind == "DEEPSPEED" and "ACCELERATE_DEEPSPEED_CONFIG_FILE" not in self.variables:
            self.variables = DEEPSPEED_DEFAULTS | self.variables

    def _read_entry(self, key: str, value: Any, kind: str) -> None:
        if key in ("distributed_type", "compute_environment", "dynamo_backend", "dynamo_config"):
            return
        if key in WITHOUT_EFFECT or (value is None and key != "gpu_ids"):
            return
        if key == "mixed_precision":
            if isinstance(value, Unknown):
                self.variables["ACCELERATE_MIXED_PRECISION"] = f'{self._named(key, value)} or "no"'
            elif self._is_on(value):
                self.keywords[key] = f'"{self._text(key, value).lower()}"'
        elif key == "gpu_ids":
            if value not in (None, "all"):
                self._gone(key, "it chose the visible devices; Ray assigns them to the workers")
        elif key == "debug":
            if self._text(key, value) == "true":
                self.variables["ACCELERATE_DEBUG_MODE"] = '"true"'
        elif key in SECTIONS:
            self._read_section(key, self._section(key, value), kind)
        elif key == "ipex_config":
            if self._section(key, value):
                self._gone(key, "accelerate takes Intel's extension as torch brings it")
        elif key in WITHOUT_EQUIVALENT:
            if self._section(key, value):
                raise Refusal("MT302", self.node, f"`{key}`")
        else:
            raise Refusal("MT302", self.node, _never_taken(key))

    def _section(self, key: str, value: Any) -> dict[str, Any]:
        """A nested dictionary."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise Refusal("MT301", self.node, f"`{key}` is not written out as a dictionary")
        return value

    def _read_section(self, name: str, entries: dict[str, Any], kind: str) -> None:
        """The variables for the settings of a way to distribute, if it is the one that is used."""
        section = SECTIONS[name]
        if SETTINGS_OF.get(kind) != name:
            if entries:
                self._gone(name, f"it did nothing where `distributed_type` is {kind}")
            return
        for given, value in entries.items():
            key = given if name != "fsdp_config" or "fsdp" in given else f"fsdp_{given}"
            if value is None:
                continue
            if key in section.ignored:
                continue
            if key not in section.variables:
                raise Refusal("MT302", self.node, f"`{given}` in `{name}`")
            if key in section.later:
                self.rewrite.review("MT314", self.node, f"`{given}`")
            if isinstance(value, Unknown):
                self.variables[section.variables[key]] = f"str({self._named(key, value)})"
                continue
            text = self._text(key, value)
            self.variables[section.variables[key]] = f'"{text.lower() if key.startswith("offload_") else text}"'

    def _read_dynamo(self, entries: dict[str, Any]) -> None:
        backend = entries.pop("dynamo_backend")
        unknown = sorted(entries.keys() - DYNAMO_VARIABLES.keys())
        if not self._is_on(backend):
            return
        if unknown:
            raise Refusal("MT302", self.node, f"`{unknown[0]}` in `dynamo_config`")
        self.keywords["dynamo_backend"] = f'"{self._text("dynamo_backend", backend).lower()}"'
        self.variables |= DYNAMO_DEFAULTS
        for key, value in entries.items():
            if value is not None:
                self.variables[DYNAMO_VARIABLES[key]] = f'"{self._text(key, value)}"'

    def _is_on(self, value: Any) -> bool:
        return value is not None and str(value).lower() != "no"

    def _text(self, key: str, value: Any) -> str:
        """A setting as a variable's text; flags in small letters, as every version of accelerate reads them."""
        if isinstance(value, Unknown) or not isinstance(value, str | int | float):
            raise Refusal("MT301", self.node, f"`{key}` is not a literal")
        text = str(value)
        if '"' in text or "\\" in text or "\n" in text:
            raise Refusal("MT301", self.node, f"`{key}` can't be written as a variable")
        return text.lower() if text in ("True", "False") else text

    def _named(self, key: str, value: Unknown) -> str:
        """A name for a setting that only a run of the script tells, if it may be read where the trainer is made."""
        rewrite, program, node = self.rewrite, self.rewrite.program, value.node
        place = self.site.statement
        if not isinstance(node, cst.BaseExpression) or not _is_same_at(program, node, place):
            raise Refusal("MT301", self.node, f"`{key}` is not a literal")
        name = rewrite.new_name(key)
        self.values[name] = relocated(program, node, program.indent(place))
        return name

    def _gone(self, key: str, why: str) -> None:
        self.rewrite.review("MT311", self.node, f"`{key}`: {why}")


def _is_same_at(program: Program, node: cst.BaseExpression, place: Statement) -> bool:
    """Whether an expression only reads what means the same where a later statement stands."""
    if program.parent(node) is None or program.scope(node) is not program.scope(place):
        return False
    own = program.statement(node)
    analysis = ValueAnalysis(program, own)
    names = [name for name in program.names if program.contains(node, name)]
    read = {program.text(one) for one in program.attributes if program.contains(node, one)}
    reads_items = own is not place and not all(_reads_what_stays(program, node, name) for name in names)
    is_still = not reads_items and not read & program.assigned_attributes
    return _only_asks(program, analysis, node) and is_still and all(analysis.is_stable(name) for name in names)


def _reads_what_stays(program: Program, node: cst.BaseExpression, name: cst.Name) -> bool:
    """Whether a name in an expression reads no item, or one of a dictionary that the program changes nowhere."""
    if not any(isinstance(one, cst.Subscript) and program.contains(node, one) for one in program.ancestors(name)):
        return True
    variable = program.sole_assignment(name)
    if variable is None or not makes_dictionary(program, variable):
        return False
    return all(only_looks(program, use) for use in program.uses(variable))


def _only_asks(program: Program, analysis: ValueAnalysis, node: cst.BaseExpression) -> bool:
    """Whether an expression only reads, or asks for the machine's devices."""
    if isinstance(node, cst.Call):
        return program.qualified_name(node.func) in _DEVICE_QUESTIONS and not node.args
    if isinstance(node, cst.IfExp):
        return all(_only_asks(program, analysis, part) for part in (node.test, node.body, node.orelse))
    if isinstance(node, cst.BooleanOperation):
        return all(_only_asks(program, analysis, part) for part in (node.left, node.right))
    if isinstance(node, cst.Comparison):
        compared = (node.left, *(one.comparator for one in node.comparisons))
        return all(_only_asks(program, analysis, part) for part in compared)
    return analysis.only_reads(node)


def _never_taken(key: str) -> str:
    if key == "gradient_accumulation_steps":
        return (
            "accelerate takes `gradient_accumulation_steps` inside `deepspeed_config` only, and raised TypeError; "
            "write `Accelerator(gradient_accumulation_steps=...)` in the train function"
        )
    return f"accelerate never took `{key}`, and raised TypeError"


def _warn_of_local_main_process(rewrite: Rewrite) -> None:
    for attribute in rewrite.program.attributes:
        if attribute.attr.value in _LOCAL_MAIN_PROCESS:
            rewrite.review("MT313", attribute, f"`{attribute.attr.value}`")
            return
