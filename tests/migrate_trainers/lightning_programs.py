"""A Hypothesis strategy for LightningTrainer programs, in the styles in which people write them."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from program_places import INTERLUDES, SETUP, indented, placed

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[st.SearchStrategy[Any]], Any]

# Names that the output would like to use itself.
_TAKEN = (
    "train",
    "train_func",
    "module_class",
    "trainer_kwargs",
    "config",
    "model",
    "trainer",
    "checkpoint",
    "datamodule",
    "max_epochs",
    "lr",
    "os",
    "replace",
)
_VALUES = (
    *("1", "-1", "0.5", "None", "True", "'text'", '"text"', "1e-3", "(1, 2)", "[1, 2]", "{'a': 1}", "1 + 2"),
    *("count()", "effect('called')", "effect([1])", "max(2, count())"),
    *("rebound", "mutable", "settings", "deleted", "constant"),
    *("args.lr", "Net.WIDTH", "settings['width']", "len(mutable)"),
    *("lambda: constant", "lambda: args.lr", "f'{rebound}-{constant}'", "[*mutable]", "{**settings}", "not rebound"),
)
_IGNORED = ("devices=2", "strategy='ddp'", "num_nodes=count()", "accelerator='auto'")
_CALLBACKS = (
    "callbacks=[pl.callbacks.EarlyStopping(rebound), Beep(count())]",
    "callbacks=[*mutable, Beep()]",
    "callbacks=mutable",
    "callbacks=[]",
    "plugins=[effect('plugin')]",
)
_FIT = (
    ("datamodule=DM(count())",),
    ("train_dataloaders=mutable", "val_dataloaders=effect('val')"),
    ("datamodule=constant", "ckpt_path=rebound"),
    ("**loaders",),
)
# Beside datasets: Lightning took no dataloaders there.
_FIT_BESIDE_DATASETS = ((), ("ckpt_path=rebound",), ("datamodule=DM(count())",), ("datamodule=mutable",))
_DATASETS = (
    "datasets={'train': rows, 'val': rows}",
    'datasets={"train": ray.data.from_items([rebound, 2]), "val": rows, "more": rows}',
    "datasets=dict(train=rows)",
    "datasets=both",
    "datasets=either",
    "datasets=effect(both)",
    "datasets={**both}",
)
_ITER_CONFIGS = (
    "datasets_iter_config={'batch_size': 2}",
    "datasets_iter_config=dict(batch_size=len(mutable), drop_last=rebound)",
    'datasets_iter_config={\n    "batch_size": count() + 1,  # a comment on the size\n    "collate_fn": str,\n}',
    "datasets_iter_config={'collate_fn': lambda rows: (rebound, rows)}",
    "datasets_iter_config={'collate_fn': effect(len), 'dtypes': None}",
    "datasets_iter_config=once",
    "datasets_iter_config=settings and {'batch_size': 1}",
)
_OF_DATASETS = (
    "preprocessor=StandardScaler(mutable)",
    "preprocessor=scaler",
    "preprocessor=None",
    "dataset_config=None",
)
_STRATEGIES = ("'ddp'", "name='fsdp'", '"deepspeed"', "")
_CHECKPOINTING = (
    *("monitor='loss'", "mode='max'", "save_top_k=2", "save_top_k=-1"),
    *("every_n_epochs=count()", "dirpath='here'"),
)
_SCALING = ("ScalingConfig(num_workers=2)", "ScalingConfig(num_workers=2, use_gpu=True)")
_RUNS = (
    None,
    "RunConfig(name='run')",
    "RunConfig('run', '/somewhere')",
    "RunConfig(failure_config=FailureConfig(max_failures=2))",
    "RunConfig(checkpoint_config=CheckpointConfig(num_to_keep=3))",
    'RunConfig(checkpoint_config=CheckpointConfig(checkpoint_score_order="max"))',
)
_STYLES = ("inline", "parentheses", "backslashes", "statements", "assignments", "mixed", "helper", "attribute")
# What a statement that fills the builder may stand in.
_BLOCKS = (
    "if args:\n{statement}",
    "if not args:\n{statement}",
    "for turn in range(2):\n{statement}",
    "try:\n{statement}finally:\n    effect('filled')\n",
    "with block():\n{statement}",
)
_SPLATS = {
    "trainer": ("**{'max_steps': count()}", "**dict(log_every_n_steps=rebound)"),
    "checkpointing": ("**{'save_top_k': 3}", "**dict(monitor='loss')"),
}
# What people do to a configuration that is built, or to its builder then.
_LATE = (
    "built['_module_init_config']['lr'] = rebound",
    "builder.trainer(max_steps=9)",
    "builder.module(Net, late=count())",
)
_COMMENT = "# a comment"
_DATA_SETUP = """\
rows = ray.data.from_items([{'x': 1}, {'x': 2}, {'x': 3}])
both = {'train': rows, 'val': rows}
either = {'train': rows}
if rebound:
    either['val'] = rows
once = {'batch_size': 2, 'drop_last': rebound}
scaler = StandardScaler(['x'])
"""


@st.composite
def lightning_programs(draw: Draw) -> str:
    """A program that makes a LightningTrainer (one a turn, in a loop) and fits it."""
    feeds = draw(st.booleans())
    filling, config = _built(draw, _builder_calls(draw, feeds=feeds))
    before, arguments = _trainer_arguments(draw, config, feeds=feeds)
    interlude = draw(st.sampled_from(INTERLUDES))
    epilogue = draw(st.sampled_from((*INTERLUDES, "del deleted")))
    call = f"LightningTrainer({', '.join(arguments)})"
    if draw(st.booleans()):
        call = "LightningTrainer(\n" + "".join(f"    {line}\n" for line in ",\n".join(arguments).splitlines()) + ")"
    made = [f"made = {call}", epilogue, "made.fit()"]
    if not epilogue and draw(st.booleans()):
        made = [f"result = {call}.fit()"]
    body = "".join(f"{line}\n" for line in (*before, *filling, interlude, *made) if line)
    text = placed(draw, SETUP + (_DATA_SETUP if feeds else ""), body)
    taken = draw(st.lists(st.sampled_from(_TAKEN), unique=True, max_size=3))
    text = _imports(draw) + "".join(f"{name} = 'mine'\n" for name in taken) + text
    return indented(draw, text)


# How a configuration gets from where it is made to its trainer: `make` and `built` are statements and an expression
# that make it, `fill` calls on a builder that is given.
_WAYS = {
    "function": "def make(argument):\n{make}    return {built}\nconfig = make(1)\n",
    "function that gives the builder": "def make(argument):\n{make}    return {builder}\nconfig = make(1).build()\n",
    "function that fills": (
        "def make(builder, argument):\n{fill}    return builder\nconfig = make(LightningConfigBuilder(), 1).build()\n"
    ),
    "method": (
        "class Maker:\n    def __init__(self, argument):\n        self.argument = argument\n"
        "    def make(self):\n{deep_make}        return {built}\nconfig = Maker(1).make()\n"
    ),
    "attribute": (
        "class Maker:\n    def __init__(self, argument):\n{deep_make}        self.config = {built}\n"
        "config = Maker(1).config\n"
    ),
    "dictionary": (
        "configs = {{}}\nfor key in 'ab':\n{make}    configs[key] = {built}\nconfig = configs['a']\nfit(configs['b'])\n"
    ),
}


@st.composite
def followed_programs(draw: Draw) -> str:
    """A program whose configuration passes through a function, an object or a container before it is used."""
    calls = _builder_calls(draw, feeds=False)
    make, built = _built(draw, calls)
    # An assignment would make the variable the function's own.
    make = [line for line in make if line != "rebound = 'amid'"]
    fill = [f"builder{_call(method, arguments, broken=False, commented=False)}" for method, arguments in calls]
    way = _WAYS[draw(st.sampled_from(sorted(_WAYS)))]
    if "return {builder}" in way and built != "builder.build()":
        way = _WAYS["function"]
    text = way.format(
        make=indent("".join(f"{line}\n" for line in make), "    "),
        deep_make=indent("".join(f"{line}\n" for line in make), "        "),
        fill=indent("".join(f"{line}\n" for line in fill), "    "),
        built=built,
        builder="builder",
    )
    fit = (
        "def fit(given):\n    scaling_config = ScalingConfig(num_workers=2, use_gpu=True)\n"
        "    LightningTrainer(given, scaling_config=scaling_config).fit()\n"
    )
    interlude = draw(st.sampled_from(INTERLUDES))
    body = f"{fit}{text}{interlude}\nfit(config)\n"
    return _imports(draw) + placed(draw, SETUP, body, among=("module", "function", "main guard", "try"))


def _keywords(draw: Draw, *names: str) -> list[str]:
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=3))
    return [f"{name}={draw(st.sampled_from(_VALUES))}" for name in chosen]


def _builder_calls(draw: Draw, *, feeds: bool) -> list[tuple[str, list[str]]]:
    """The method calls of a builder in some order, each with its arguments."""
    keywords = _keywords(draw, "width", "lr", "model", "config")
    if not keywords and draw(st.booleans()):
        keywords = ["**settings"]
    calls = [("module", [draw(st.sampled_from(("Net", "cls=Net"))), *keywords])]
    for _ in range(draw(st.integers(0, 2))):
        keywords = _keywords(draw, "max_epochs", "precision", "logger", "log_every_n_steps")
        keywords += draw(st.lists(st.sampled_from(_IGNORED), max_size=1))
        keywords += draw(st.lists(st.sampled_from(_CALLBACKS), max_size=1))
        calls.append(("trainer", _with_splat(draw, "trainer", keywords)))
    calls.append(("fit_params", list(draw(st.sampled_from(_FIT_BESIDE_DATASETS if feeds else _FIT)))))
    if draw(st.booleans()):
        arguments = [
            draw(st.sampled_from(_STRATEGIES)),
            *_keywords(draw, "timeout", "checkpoint_io", "precision_plugin"),
        ]
        calls.append(("strategy", [argument for argument in arguments if argument]))
    if draw(st.booleans()):
        chosen = st.lists(st.sampled_from(_CHECKPOINTING), unique_by=lambda text: text.partition("=")[0], max_size=3)
        calls.append(("checkpointing", _with_splat(draw, "checkpointing", draw(chosen))))
    return list(draw(st.permutations(calls)))


def _with_splat(draw: Draw, method: str, arguments: list[str]) -> list[str]:
    """The arguments of a call, seldom with some that are unpacked behind them and that none of them names."""
    if draw(st.integers(0, 9)) or any(
        "save_top_k" in text or "monitor" in text or "log_every" in text for text in arguments
    ):
        return arguments
    return [*arguments, draw(st.sampled_from(_SPLATS[method]))]


def _built(draw: Draw, calls: list[tuple[str, list[str]]]) -> tuple[list[str], str]:
    """Statements that fill a builder, and the expression that is the built configuration."""
    style = draw(st.sampled_from(_STYLES))
    broken, commented = (False, False) if style == "backslashes" else (draw(st.booleans()), draw(st.booleans()))
    texts = [_call(method, arguments, broken=broken, commented=commented) for method, arguments in calls]
    above = [f"{_COMMENT} above the builder"] if commented else []
    if style == "inline":
        return above, f"LightningConfigBuilder(){''.join(texts)}.build()"
    if style == "parentheses":
        inside = indent("".join(f"\n{text}" for text in texts), "    ")
        return [*above, f"built = (\n    LightningConfigBuilder(){inside}\n    .build()\n)"], "built"
    if style == "backslashes":
        inside = "".join(f" \\\n    {text}" for text in texts)
        return [*above, f"built = LightningConfigBuilder(){inside} \\\n    .build()"], "built"
    statements = [*above, "builder = LightningConfigBuilder()"]
    if style == "assignments":
        statements += [f"builder = builder{text}" for text in texts]
    elif style == "mixed":
        statements += [f"builder{''.join(texts[:2])}", *(f"builder{text}" for text in texts[2:])]
    else:
        statements += [
            _in_block(draw, f"builder{text}\n", method) for text, (method, _) in zip(texts, calls, strict=True)
        ]
    if style == "helper":
        result = draw(st.sampled_from(("builder", "builder.build()")))
        body = indent("\n".join([*statements, f"return {result}\n"]), "    ")
        made = "made_by_helper()" if result.endswith("build()") else "made_by_helper().build()"
        return [f"def made_by_helper():\n{body}", *draw(st.sampled_from(([], ["effect('helper')"])))], made
    if style == "attribute":
        return [*statements, "kept = Namespace(config=builder.build())"], "kept.config"
    if draw(st.booleans()):
        amid = draw(st.sampled_from(("effect('amid')", "rebound = 'amid'", "effect(1); effect(2)")))
        statements.insert(draw(st.integers(1, len(statements))), amid)
    if draw(st.booleans()):
        late = draw(st.lists(st.sampled_from(_LATE), max_size=1)) if draw(st.booleans()) else []
        return [*statements, "built = builder.build()", *late], "built"
    return statements, "builder.build()"


def _in_block(draw: Draw, statement: str, method: str) -> str:
    """A statement, seldom under a condition or in a loop; the module's class and the data are always given."""
    if method in ("module", "fit_params") or draw(st.integers(0, 7)):
        return statement.rstrip("\n")
    return draw(st.sampled_from(_BLOCKS)).format(statement=indent(statement, "    ")).rstrip("\n")


def _call(method: str, arguments: list[str], *, broken: bool, commented: bool) -> str:
    if not broken or not arguments:
        return f".{method}({', '.join(arguments)})"
    mark = f"  {_COMMENT} on {method}" if commented else ""
    lines = "".join(f"\n    {argument},{mark}" for argument in arguments)
    return f".{method}({lines}\n)"


def _trainer_arguments(draw: Draw, config: str, *, feeds: bool) -> tuple[list[str], list[str]]:
    """Statements that make configurations, and the trainer's arguments."""
    before = []
    arguments = [f"scaling_config={draw(st.sampled_from(_SCALING))}"]
    run = draw(st.sampled_from(_RUNS))
    if run is not None and draw(st.booleans()):
        before.append(f"run = {run}")
        run = "run"
    if run is not None:
        arguments.append(f"run_config={run}")
    if feeds:
        arguments += [draw(st.sampled_from(_DATASETS)), draw(st.sampled_from(_ITER_CONFIGS))]
        arguments += draw(st.lists(st.sampled_from(_OF_DATASETS), unique_by=lambda text: text[:5], max_size=2))
    if draw(st.booleans()):
        return before, [config, *arguments]
    return before, list(draw(st.permutations([f"lightning_config={config}", *arguments])))


def _imports(draw: Draw) -> str:
    names = "LightningConfigBuilder, LightningTrainer"
    one_a_line = "    LightningConfigBuilder,  # its builder\n    LightningTrainer,\n"
    forms = (names, f"(\n{one_a_line})", f"{names}  # noqa: E402")
    home = draw(st.sampled_from(("ray.air", "ray.air.config", "ray.train")))
    package = draw(st.sampled_from(("pytorch_lightning", "lightning.pytorch")))
    statements = [
        f"from ray.train.lightning import {draw(st.sampled_from(forms))}\n",
        f"from {home} import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig\n",
        f"import {package} as pl\n",
        "import ray\nfrom ray.data.preprocessors import StandardScaler\n",
        "from project import DM, Beep, Namespace, Net, args, count, effect, loaders\n",
        "from contextlib import nullcontext as block\n",
    ]
    return "".join(draw(st.permutations(statements)))
