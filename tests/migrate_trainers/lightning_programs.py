"""A Hypothesis strategy for plain LightningTrainer programs in the styles in which people write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent, indent
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

# Names that the output would like to use itself.
_TAKEN = ("train_func", "config", "model", "trainer", "checkpoint", "datamodule", "max_epochs", "lr", "os", "replace")
_LITERALS = ("1", "-1", "0.5", "None", "True", "'text'", '"text"', "1e-3", "(1, 2)", "[1, 2]", "{'a': 1}", "1 + 2")
_CALLS = ("count()", "effect('called')", "effect([1])", "max(2, count())")
_COMMENT = "# a comment"

# What stands between the builder and the trainer, or behind the trainer: code that would change a value read too late.
_INTERLUDES = (
    "",
    "effect('between')",
    "rebound = 'again'",
    "mutable.append(5)",
    "args.lr = 7",
    "settings['width'] = 9",
    "del deleted",
)
_SETUP = """\
rebound = 1
mutable = [1]
settings = {'width': 4}
deleted = 'gone'
constant = 42
"""
_NAMES = ("rebound", "mutable", "settings", "deleted", "constant", "args.lr", "Net.WIDTH", "settings['width']", "len(mutable)")
_LAZY = ("lambda: constant", "lambda: args.lr", "f'{rebound}-{constant}'", "[*mutable]", "{**settings}", "not rebound")


@dataclass
class Program:
    """A legacy program, and whether it does something before the rewriter's edits that a test may look for."""

    text: str
    comments: list[str] = field(default_factory=list)


def _value() -> st.SearchStrategy[str]:
    return st.sampled_from(_LITERALS + _CALLS + _NAMES + _LAZY)


@st.composite
def _keywords(draw: Callable[..., str], names: tuple[str, ...], *, splat: bool = False) -> list[str]:
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=3))
    arguments = [f"{name}={draw(_value())}" for name in chosen]
    if splat and not chosen and draw(st.booleans()):
        arguments.append("**settings")
    return arguments


@st.composite
def _builder_calls(draw: Callable[..., str]) -> list[tuple[str, list[str]]]:
    """The method calls of a builder, in some order, each with its arguments."""
    module = ["Net", *draw(_keywords(("width", "lr", "model", "config"), splat=True))]
    if draw(st.booleans()):
        module[0] = "cls=Net"
    calls = [("module", module)]
    for _ in range(draw(st.integers(0, 2))):
        keywords = draw(_keywords(("max_epochs", "precision", "logger", "log_every_n_steps")))
        if draw(st.booleans()):
            keywords.append(draw(st.sampled_from(("devices=2", "strategy='ddp'", "num_nodes=count()", "accelerator='auto'"))))
        if draw(st.booleans()):
            keywords.append(
                draw(
                    st.sampled_from(
                        (
                            "callbacks=[pl.callbacks.EarlyStopping(rebound), Beep(count())]",
                            "callbacks=[*mutable, Beep()]",
                            "callbacks=mutable",
                            "callbacks=[]",
                            "plugins=[effect('plugin')]",
                        )
                    )
                )
            )
        calls.append(("trainer", keywords))
    fit = draw(
        st.sampled_from(
            (
                ["datamodule=DM(count())"],
                ["train_dataloaders=mutable", "val_dataloaders=effect('val')"],
                ["datamodule=constant", "ckpt_path=rebound"],
                ["**loaders"],
            )
        )
    )
    calls.append(("fit_params", list(fit)))
    if draw(st.booleans()):
        name = draw(st.sampled_from(("'ddp'", "name='fsdp'", '"deepspeed"', "")))
        keywords = draw(_keywords(("timeout", "stage", "bucket")))
        calls.append(("strategy", [argument for argument in (name, *keywords) if argument]))
    if draw(st.booleans()):
        checkpointing = draw(
            st.lists(
                st.sampled_from(
                    ("monitor='loss'", "mode='max'", "save_top_k=2", "save_top_k=-1", "every_n_epochs=count()", "dirpath='here'")
                ),
                unique_by=lambda argument: argument.partition("=")[0],
                max_size=3,
            )
        )
        calls.append(("checkpointing", checkpointing))
    return list(draw(st.permutations(calls)))


def _call(method: str, arguments: list[str], *, broken: bool, comment: bool) -> str:
    if not broken or not arguments:
        return f".{method}({', '.join(arguments)})"
    mark = f"  {_COMMENT} on {method}" if comment else ""
    lines = "".join(f"\n    {argument},{mark}" for argument in arguments)
    return f".{method}({lines}\n)"


@st.composite
def _built(draw: Callable[..., str], calls: list[tuple[str, list[str]]]) -> tuple[list[str], str]:
    """Statements that fill a builder, and the expression that is the built configuration."""
    style = draw(st.sampled_from(("parentheses", "backslashes", "inline", "statements", "assignments", "mixed")))
    broken, comment = draw(st.booleans()), draw(st.booleans())
    texts = [_call(method, arguments, broken=broken, comment=comment) for method, arguments in calls]
    above = [f"{_COMMENT} above the builder"] if comment else []
    if style == "inline":
        return above, f"LightningConfigBuilder(){''.join(texts)}.build()"
    if style == "parentheses":
        inside = indent("".join(f"\n{text}" for text in texts), "    ")
        return [*above, f"built = (\n    LightningConfigBuilder(){inside}\n    .build()\n)"], "built"
    if style == "backslashes":
        texts = [_call(method, arguments, broken=False, comment=False) for method, arguments in calls]
        inside = "".join(f" \\\n    {text}" for text in texts)
        return [*above, f"built = LightningConfigBuilder(){inside} \\\n    .build()"], "built"
    statements = [*above, "builder = LightningConfigBuilder()"]
    if style == "assignments":
        statements += [f"builder = builder{text}" for text in texts]
    elif style == "statements":
        statements += [f"builder{text}" for text in texts]
    else:
        half = len(texts) // 2
        statements += ["builder" + "".join(texts[:half])] * bool(half) + [f"builder{text}" for text in texts[half:]]
    if draw(st.booleans()):
        statements.insert(draw(st.integers(1, len(statements))), draw(st.sampled_from(("effect('amid')", "rebound = 'amid'"))))
    if draw(st.booleans()):
        return [*statements, "built = builder.build()"], "built"
    return statements, "builder.build()"


@st.composite
def _trainer(draw: Callable[..., str], config: str) -> tuple[list[str], list[str]]:
    """Statements that make configurations, and the trainer's arguments."""
    before: list[str] = []
    arguments = [config if draw(st.booleans()) else f"lightning_config={config}"]
    arguments.append(draw(st.sampled_from(("scaling_config=ScalingConfig(num_workers=2)", "scaling_config=ScalingConfig(num_workers=2, use_gpu=True)"))))
    run = draw(
        st.sampled_from(
            (
                None,
                "RunConfig(name='run')",
                "RunConfig('run', '/somewhere')",
                "RunConfig(failure_config=FailureConfig(max_failures=2))",
                "RunConfig(checkpoint_config=CheckpointConfig(num_to_keep=3))",
                "RunConfig(checkpoint_config=CheckpointConfig(checkpoint_score_order=\"max\"))",
            )
        )
    )
    if run is not None and draw(st.booleans()):
        before.append(f"run = {run}")
        run = "run"
    if run is not None:
        arguments.append(f"run_config={run}")
    if not arguments[0].startswith("lightning_config"):
        return before, arguments
    return before, list(draw(st.permutations(arguments)))


@st.composite
def lightning_programs(draw: Callable[..., str]) -> str:
    """A program that makes a LightningTrainer (one a turn, in a loop) and fits it."""
    filling, config = draw(_built(draw(_builder_calls())))
    before, arguments = draw(_trainer(config))
    interlude, epilogue = draw(st.sampled_from(_INTERLUDES)), draw(st.sampled_from(_INTERLUDES))
    if interlude == epilogue:
        epilogue = ""
    if draw(st.booleans()):
        call = f"LightningTrainer({', '.join(arguments)})"
    else:
        call = "LightningTrainer(\n" + indent("".join(f"{argument},\n" for argument in arguments), "    ") + ")"
    made = [f"made = {call}", epilogue, "made.fit()"]
    if not epilogue and draw(st.booleans()):
        made = [f"result = {call}.fit()"]
    body = "\n".join(line for line in [*before, *filling, interlude, *made] if line) + "\n"
    body = _in_place(draw, _SETUP, body)
    unit = draw(st.sampled_from(("    ", "  ", "\t")))
    text = _imports(draw) + _clashes(draw) + body
    return _indented_by(text, unit)


def _imports(draw: Callable[..., str]) -> str:
    names = "LightningConfigBuilder, LightningTrainer"
    ray = draw(
        st.sampled_from(
            (
                f"from ray.train.lightning import {names}\n",
                f"from ray.train.lightning import (\n    {names.replace(', ', ',  # its builder' + chr(10) + '    ')},\n)\n",
                f"from ray.train.lightning import {names}  # noqa: E402\n",
            )
        )
    )
    home = draw(st.sampled_from(("ray.air", "ray.air.config", "ray.train")))
    configs = f"from {home} import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig\n"
    package = draw(st.sampled_from(("import pytorch_lightning as pl\n", "import lightning.pytorch as pl\n")))
    mine = "from project import DM, Beep, Net, args, count, effect, loaders\n"
    return "".join(draw(st.permutations([ray, configs, package, mine])))


def _clashes(draw: Callable[..., str]) -> str:
    taken = draw(st.lists(st.sampled_from(_TAKEN), unique=True, max_size=3))
    return "".join(f"{name} = 'mine'\n" for name in taken)


def _in_place(draw: Callable[..., str], setup: str, body: str) -> str:
    """The statements at module level, or in a function, method, loop, branch or the like."""
    place = draw(st.sampled_from(("module", "function", "main guard", "method", "loop", "branch", "try", "nested")))
    inner = indent(setup + body, "    ")
    if place == "module":
        return setup + body
    if place == "function":
        return f"\n\ndef main(parameter=1):\n{inner}\n\nmain()\n"
    if place == "main guard":
        return f"\n\nif __name__ == '__main__':\n{inner}"
    if place == "method":
        return f"\n\nclass Job:\n    def run(self):\n{indent(inner, '    ')}\n\nJob().run()\n"
    if place == "loop":
        return setup + f"for turn in range(2):\n    deleted = turn\n    rebound = turn\n{indent(body, '    ')}"
    if place == "branch":
        return setup + f"if constant:\n{indent(body, '    ')}else:\n    pass\n"
    if place == "try":
        return setup + f"try:\n{indent(body, '    ')}finally:\n    effect('finally')\n"
    return dedent("def outer():\n") + f"{indent(setup, '    ')}    def inner():\n        nonlocal rebound\n        deleted = 1\n{indent(body, '        ')}    inner()\nouter()\n"


def _indented_by(text: str, unit: str) -> str:
    lines = []
    for line in text.splitlines(keepends=True):
        content = line.lstrip(" ")
        levels, rest = divmod(len(line) - len(content), 4)
        lines.append(unit * levels + " " * rest + content)
    return "".join(lines)
