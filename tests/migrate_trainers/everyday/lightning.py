"""LightningTrainer programs: how their builders are filled, and where."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from everyday import running, settings, tuning
from everyday.files import Parts
from everyday.places import HEADERS, filled, formatted, placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from program_places import Draw

_MODELS = (
    "class Net(pl.LightningModule):\n    def __init__(self, lr=1e-3, width=8, **kwargs):\n        super().__init__()\n"
    "        self.save_hyperparameters()\n        self.lr,self.width = lr , width\n\n"
    "    def training_step(self, batch, batch_idx):\n        return self(batch)\n",
    "class Net(pl.LightningModule):\n    '''A small net.'''\n\n    WIDTH: int = 4\n\n"
    "    def __init__(self, lr: float = 0.1, *, width: int = WIDTH) -> None:\n        super().__init__()\n"
    "        self.hparams_ = {'lr': lr, 'width': width}\n\n    @property\n    def size(self): return  self.width\n",
    "class Base(pl.LightningModule):\n    def __init__(self, **kw):\n        super().__init__(**kw)\n\n\n"
    "class Net(Base):\n    def configure_optimizers(self):\n        return None\n",
)
_DATA = (
    "class Data(pl.LightningDataModule):\n    def __init__(self, batch_size=2):\n        super().__init__()\n"
    "        self.batch_size = batch_size\n",
    "def make_loader(batch_size: int, train=True):\n    return ['batch'] * batch_size\n",
)
_PREPARED = {
    _DATA[0]: (
        ("", "datamodule=Data($batch_size)"),
        ("dm = Data(batch_size=$batch_size)\n", "datamodule=dm"),
        ("dm = Data()\ndm.batch_size = $batch_size\n", "datamodule=dm"),
    ),
    _DATA[1]: (
        ("", "train_dataloaders=make_loader($batch_size), val_dataloaders=make_loader(2, train=False)"),
        ("train_loader, val_loader = make_loader($batch_size), make_loader(1)\n",
         "train_dataloaders=train_loader, val_dataloaders=val_loader"),
        ("loaders = {'train_dataloaders': make_loader($batch_size)}\n", "**loaders"),
    ),
}  # fmt: skip
_MODULE = (
    "cls=Net, lr=$lr, width=$width",
    "Net, lr=$lr",
    "Net",
    "Net, **dict(lr=$lr)",
    "cls=Net, lr = $lr*2 , width=max($width,1)",
    "Net, lr=$lr if $epochs > 1 else 0.5",
    "Net, **{'lr': $lr, 'width': $width}",
)
_TRAINER = (
    "max_epochs=$epochs, accelerator='cpu'",
    "max_epochs=$epochs",
    "max_epochs=$epochs, callbacks=[pl.callbacks.EarlyStopping(monitor='loss')], log_every_n_steps=1",
    "max_epochs=int($epochs), precision='bf16' if $width > 8 else 32, enable_progress_bar=False",
    "max_epochs=$epochs, logger=pl.loggers.CSVLogger('logs', name=$name)",
    "**{'max_epochs': $epochs, 'gradient_clip_val': 1.0}",
    "max_epochs=$epochs, devices=2, strategy='ddp', num_nodes=1",
    "max_epochs=$epochs, limit_train_batches=0.5, deterministic=True",
)
_CHECKPOINTING = (
    "",
    "monitor='loss', mode='min', save_top_k=2",
    "save_top_k=1, monitor='val_loss'",
    "save_last=True",
    "every_n_epochs=2",
)
_STRATEGIES = ("", "", "name='ddp', find_unused_parameters=False", "'fsdp'", "name='ddp'")


def _calls(draw: Draw, data: str) -> list[tuple[str, str]]:
    calls = [
        ("module", draw(st.sampled_from(_MODULE))),
        ("trainer", draw(st.sampled_from(_TRAINER))),
        ("fit_params", data),
        ("checkpointing", draw(st.sampled_from(_CHECKPOINTING))),
        ("strategy", draw(st.sampled_from(_STRATEGIES))),
    ]
    calls = [(method, arguments) for method, arguments in calls if arguments]
    return list(draw(st.permutations(calls))) if draw(st.booleans()) else calls


def _builder(draw: Draw, calls: list[tuple[str, str]], styles: Sequence[str]) -> tuple[list[str], str]:
    """Statements that fill a builder, and an expression that is the configuration."""
    texts = [f".{method}({arguments})" for method, arguments in calls]
    style = draw(st.sampled_from(styles))
    chain = "".join(texts)
    over_lines = "".join(f"\n    {text}" for text in texts)
    steps = "".join(f"builder{text}\n" for text in texts)
    again = "".join(f"builder = builder{text}\n" for text in texts)
    if style == "conditions":
        steps = steps.replace("builder.checkpointing", "if $epochs > 1:\n    builder.checkpointing")
        steps = steps.replace("builder.trainer(", "if $name:\n    builder.trainer(accelerator='cpu')\nbuilder.trainer(")
    if style == "collected arguments":
        calls = [(method, arguments) for method, arguments in calls if method != "trainer"]
        steps = "".join(f"builder.{method}({arguments})\n" for method, arguments in calls)
    statements, config = _STYLES[style]
    given = {"chain": chain, "lines": over_lines, "steps": steps, "again": again, "deep": indent(steps, "    ")}
    return [one.format(**given) for one in statements], config.format(**given)


_STYLES = {
    "inline": ((), "LightningConfigBuilder(){chain}.build()"),
    "chained": (("config = (\n    LightningConfigBuilder(){lines}\n    .build()\n)\n",), "config"),
    "built later": (("builder = (\n    LightningConfigBuilder(){lines}\n)\n",), "builder.build()"),
    "steps": (("builder = LightningConfigBuilder()\n", "{steps}", "config = builder.build()\n"), "config"),
    "steps, built in call": (("builder = LightningConfigBuilder()\n{steps}",), "builder.build()"),
    "assigned steps": (("builder = LightningConfigBuilder()\n", "{again}"), "builder.build()"),
    "conditions": (("builder = LightningConfigBuilder()\n{steps}", "lightning_config = builder.build()\n"),
                   "lightning_config"),
    "collected arguments": (
        ("kwargs = {{'max_epochs': $epochs}}\n", "if $name:\n    kwargs['accelerator'] = 'cpu'\n",
         "builder = LightningConfigBuilder()\nbuilder.trainer(**kwargs)\n{steps}"),
        "builder.build()",
    ),
    "helper": (
        ("def make_config():\n    builder = LightningConfigBuilder()\n{deep}    return builder.build()\n",),
        "make_config()",
    ),
    "lambda": (("make_config = lambda: LightningConfigBuilder(){chain}.build()\n",), "make_config()"),
}  # fmt: skip
_STRAIGHT = ("assigned steps", "built later", "chained", "inline", "steps", "steps, built in call")
# Definitions of functions that make the configuration, or the trainer, and how they are called.
_FACTORIES = {
    "config": (
        "def build_config(lr, epochs, width=8, batch_size=2, name='n'):\n{statements}    return {config}\n",
        "build_config($lr, $epochs, batch_size=$batch_size)",
    ),
    "typed config": (
        "def build_config(*, lr: float, epochs: int, width: int, batch_size: int, name: str) -> dict[str, 'object']:\n"
        "    '''The configuration.'''\n{statements}    return {config}\n",
        "build_config(lr=$lr, epochs=$epochs, width=$width, batch_size=$batch_size, name=$name)",
    ),
    "config class": (
        "class Configs:\n    width, name = 4, 'configs'\n\n    def __init__(self, lr, epochs, batch_size):\n"
        "        self.lr = lr\n        self.epochs = epochs\n        self.batch_size = batch_size\n\n"
        "    def build(self):\n        lr, epochs, batch_size = self.lr, self.epochs, self.batch_size\n"
        "        width, name = self.width, self.name\n{deep_statements}        return {config}\n",
        "Configs($lr, epochs=$epochs, batch_size=$batch_size).build()",
    ),
}


_READERS = (
    "model = LightningCheckpoint.from_checkpoint(result.checkpoint).get_model(Net, lr=$lr)\n",
    "model = result.checkpoint.get_model(Net)\neffect('read')\n",
    "checkpoint = result.checkpoint\nprint( checkpoint.path )\n",
)


@st.composite
def lightning_parts(draw: Draw, *, tuned: bool = False, is_straight: bool = False) -> Parts:
    """A program that makes a LightningTrainer; with `is_straight` it is where the builder is filled."""
    held = settings.drawn(draw)
    data = draw(st.sampled_from(_DATA))
    definitions = [held.top, draw(st.sampled_from(_MODELS)), data]
    prepared, given = draw(st.sampled_from(_PREPARED[data]))
    statements, config = _builder(draw, _calls(draw, given), _STRAIGHT if is_straight else sorted(_STYLES))
    statements = [prepared, *statements]
    if not is_straight and draw(st.integers(0, 2)) == 0:
        definition, config = _in_factory(draw, statements, config)
        definitions.append(definition)
        statements = []
    first = f"{draw(st.sampled_from(('lightning_config=', 'lightning_config=', '')))}{config}"
    made, arguments = running.run_arguments(draw, runs=not tuned)
    statements += made
    call = running.called(draw, "LightningTrainer", [first, *arguments])
    if tuned:
        statements += tuning.tuned(draw, call, tuning.lightning_spaces(draw))
    else:
        statements.append(running.fitted(draw, call, _READERS))
    main = placed(draw, held, filled(draw, [one for one in statements if one]), loops=not tuned)
    package = draw(st.sampled_from(("import pytorch_lightning as pl\n", "import lightning.pytorch as pl\n")))
    imports = (package, *tuning.IMPORTS, *settings.IMPORTS, *running.IMPORTS, *running.air_imports(draw))
    texts = tuple(formatted(draw, one) for one in definitions if one)
    parts = Parts(imports, texts, formatted(draw, main), draw(st.sampled_from(HEADERS)))
    home = "ray.train.lightning"
    return running.called_by_ray(draw, parts, home, "LightningConfigBuilder", "LightningTrainer", "LightningCheckpoint")


def _in_factory(draw: Draw, statements: list[str], config: str) -> tuple[str, str]:
    """A function that makes the configuration, and its call."""
    definition, call = _FACTORIES[draw(st.sampled_from(sorted(_FACTORIES)))]
    inside = "".join(statements)
    texts = {"statements": indent(inside, "    "), "deep_statements": indent(inside, " " * 8), "config": config}
    text = definition.format(**texts)
    for key in settings.VALUES:
        text = text.replace(f"${key}", key)
    return text, call
