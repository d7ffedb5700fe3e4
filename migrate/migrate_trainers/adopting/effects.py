"""Statements that matter for what they do: they set up their process, write, or draw random numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.rules.literals import string
from migrate_trainers.rules.rewrite import finding
from migrate_trainers.writing.arguments import keyword_argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import Rewrite

# Calls that open a run of a tracking service, which loggers of the same process then write to.
_TRACKING = re.compile(
    r"(?:clearml|comet_ml|mlflow|neptune|wandb)\.(?:init|init_run|set_experiment|set_tracking_uri|start_run)"
)
# Calls that set up the process for all that it does afterwards.
_SETTERS = re.compile(
    r"torch\.(?:manual_seed|seed|set_\w+|use_deterministic_algorithms|(?:cuda|mps|xpu)\.(?:manual_seed(?:_all)?|set_\w+)"
    r"|multiprocessing\.set_\w+|backends\..*)"
    r"|(?:numpy\.random|random)\.seed"
    r"|(?:lightning\.pytorch|lightning|pytorch_lightning)\.(?:seed_everything|utilities\.seed\.seed_everything)"
    r"|(?:lightning\.fabric|lightning_fabric)\.\w*\.?seed_everything"
    r"|(?:transformers|accelerate\.utils)\.(?:\w+\.)*(?:set_seed|enable_full_determinism)"
    r"|(?:transformers|datasets|diffusers)\.(?:utils\.)?(?:logging\.)?(?:set_verbosity\w*|\w+_progress_bars?)"
    r"|warnings\.(?:filterwarnings|simplefilter)"
    r"|mlflow\.(?:\w+\.)?autolog|" + _TRACKING.pattern
)
_SEEDS = re.compile(
    r".*(?:manual_seed(?:_all)?|seed_everything|random\.seed|enable_full_determinism"
    r"|(?:fix|init|set|setup)_(?:\w+_)?seeds?|seed_(?:all|torch))"
)
_NAMED_FOR_SEEDS = re.compile(r"seed|determinis|reproduc|random")
_ASSIGNED = ("torch.backends.",)
# Functions that draw random numbers, unless an argument says how, by their last name.
_DRAWS = frozenset({"rand", "randint", "randn", "random_split", "randperm", "train_test_split"})
_SAYS_HOW = frozenset({"generator", "random_state", "seed"})
_DRAWING = re.compile(
    r"torch\.(?:bernoulli|multinomial|normal|rand\w*|utils\.data\.random_split)|numpy\.random\.(?!seed|default_rng|RandomState)\w+"
    r"|random\.(?!seed|Random)\w+|sklearn\.model_selection\.train_test_split"
)
# What one process has to do for all, by the last name of the function.
_ONCE = frozenset(
    {"copytree", "makedirs", "mkdir", "remove", "rmtree", "unlink", "urlretrieve", "to_csv", "to_json", "to_parquet"}
)
# A path that is looked up from where the process runs; a name on a hub has no suffix, and no dot in front.
_SUFFIXES = "arrow|bin|ckpt|csv|h5|json|jsonl|npy|npz|parquet|pkl|pt|pth|txt|ya?ml"
_RELATIVE = re.compile(rf"\.{{1,2}}/.*|[\w.-]+(?:/[\w.-]+)*\.(?:{_SUFFIXES})")
_PATHS = frozenset(
    {"cache_dir", "ckpt_path", "data_dir", "default_root_dir", "dirpath", "output_dir", "root", "save_dir"}
)
# Findings that say where the files of workers are.
_FILES_OF_WORKERS = frozenset({"MT612", "MT626", "MT642"})
_LOGGERS = frozenset({"CSVLogger", "TensorBoardLogger"})


def sets_state(program: Program, statement: Statement) -> bool:
    """Whether a statement only sets up the process (precision, which warnings are shown), or seeds random numbers."""
    if isinstance(statement, cst.FunctionDef | cst.ClassDef):
        return False
    if seeds(program, statement):
        return True
    if not isinstance(statement, cst.SimpleStatementLine):
        return False
    return all(_sets_state(program, small) for small in statement.body)


def _seeds(program: Program, call: cst.Call) -> bool:
    """Whether a call seeds random numbers of the process, by its name or as a function of the tree that is named so."""
    qualified = program.qualified_name(call.func) or program.text(call.func)
    if _SEEDS.fullmatch(qualified):
        # `torch.Generator().manual_seed(7)` seeds that generator.
        return not (isinstance(call.func, cst.Attribute) and isinstance(call.func.value, cst.Call))
    if _NAMED_FOR_SEEDS.search(qualified.rpartition(".")[2]) is None:
        return False
    return any(
        _SEEDS.fullmatch(other.qualified_name(inner.func) or "")
        for other, binding in program.definitions(call.func)
        if isinstance(binding.node, cst.FunctionDef)
        for inner in other.calls
        if other.contains(binding.node.body, inner)
    )


def _sets_state(program: Program, small: cst.BaseSmallStatement) -> bool:
    if isinstance(small, cst.Expr) and isinstance(small.value, cst.Call):
        qualified = program.qualified_name(small.value.func)
        return qualified is not None and _SETTERS.fullmatch(qualified) is not None
    if isinstance(small, cst.Assign):
        names = [program.qualified_name(target.target) or "" for target in small.targets]
        return all(name.startswith(_ASSIGNED) for name in names)
    return False


def seeds(program: Program, statement: Statement) -> bool:
    """Whether a statement seeds the random numbers of the process."""
    return any(_seeds(program, call) for call in program.calls if program.contains(statement, call))


def draws(program: Program, nodes: Sequence[cst.CSTNode]) -> bool:
    """Whether some code draws random numbers of the process, which no generator of its own gives."""
    for call in program.calls:
        given = {argument.keyword.value for argument in call.args if argument.keyword is not None}
        qualified = program.qualified_name(call.func) or ""
        shuffles = qualified.endswith(".DataLoader") and _is_on(call, "shuffle")
        is_drawing = _DRAWING.fullmatch(qualified) is not None or shuffles
        if is_drawing and not given & _SAYS_HOW and any(program.contains(node, call) for node in nodes):
            return True
    return False


def tell_of_effects(rewrite: Rewrite, moved: Iterable[Statement]) -> None:
    """Say what moved statements do once a worker, or from another folder, that was done once and in this one."""
    program = rewrite.program
    statements = list(moved)
    names = [program.qualified_name(call.func) or "" for call in _calls_in(program, statements)]
    is_seeded = any(_SEEDS.fullmatch(name) for name in names)
    for call in _calls_in(program, statements):
        name = program.text(call.func).rpartition(".")[2]
        given = {argument.keyword.value for argument in call.args if argument.keyword is not None}
        is_tracking = _TRACKING.fullmatch(program.qualified_name(call.func) or "") is not None
        if name in _ONCE or is_tracking or _is_on(call, "download"):
            rewrite.review("MT643", call.func, "each worker does so")
        if not is_seeded and name in _DRAWS and not given & _SAYS_HOW:
            rewrite.review("MT648", call.func, "")
        for argument in call.args:
            is_folder = name in _LOGGERS and argument is call.args[0] and argument.keyword is None
            if (path := _relative_path(argument, is_path=is_folder)) is not None and not _is_told(rewrite, call):
                rewrite.review("MT643", argument, f"`{path}` is looked up from the folder of a worker")


def _is_told(rewrite: Rewrite, call: cst.Call) -> bool:
    """Whether a finding of a framework's own says already where the files of a call are."""
    place = finding(rewrite.program, "MT643", call, "")
    first, last = (place.line, place.column), (place.end_line, place.end_column)
    return any(one.code in _FILES_OF_WORKERS and first <= (one.line, one.column) <= last for one in rewrite.findings)


def _calls_in(program: Program, statements: Sequence[Statement]) -> list[cst.Call]:
    return [call for call in program.calls if any(program.contains(one, call) for one in statements)]


def _is_on(call: cst.Call, name: str) -> bool:
    argument = keyword_argument(call, name)
    return argument is not None and isinstance(argument.value, cst.Name) and argument.value.value == "True"


def _relative_path(argument: cst.Arg, *, is_path: bool) -> str | None:
    """The path that an argument gives from the folder in which the script runs, as far as that can be told."""
    text = string(argument.value)
    if not text or text.startswith(("/", "~")) or "://" in text:
        return None
    is_path |= argument.keyword is not None and argument.keyword.value in _PATHS and text not in ("best", "last", "hpc")
    return text if is_path or _RELATIVE.fullmatch(text) else None
