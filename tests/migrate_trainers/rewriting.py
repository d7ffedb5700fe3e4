"""What the tests of the rewriter share: running it on a text, and writing short legacy programs around one part."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING

from migrate_trainers import FileResult, Settings, migrate_source

if TYPE_CHECKING:
    from migrate_trainers.findings import Kind

LIGHTNING_IMPORTS = """\
import pytorch_lightning as pl
from project import DM, Net, effect
from ray.air.config import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.lightning import LightningConfigBuilder, LightningTrainer
"""
TRANSFORMERS_IMPORTS = """\
from project import effect, make_model
from ray.air.config import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.huggingface import TransformersTrainer
from transformers import Trainer, TrainingArguments
"""
ACCELERATE_IMPORTS = """\
from accelerate import Accelerator
from project import effect
from ray.air import session
from ray.air.config import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.huggingface import AccelerateTrainer
"""
SCALING = "ScalingConfig(num_workers=2)"


def migrate(text: str, **settings: object) -> FileResult:
    """The rewriter's result for a dedented text."""
    return migrate_source(dedent(text).encode(), Settings(**settings))  # type: ignore[arg-type]


def after(result: FileResult) -> str:
    """The output, which must differ from the input; its findings are the message if it doesn't."""
    assert result.changed, findings(result)
    return result.after.decode()


def findings(result: FileResult) -> list[str]:
    """Every finding as `code: message`."""
    return [f"{finding.code}: {finding.message}" for finding in result.findings]


def codes(result: FileResult, kind: Kind | None = None) -> list[str]:
    """The codes of the findings, or of those of one kind."""
    return [finding.code for finding in result.findings if kind is None or finding.kind is kind]


def lightning(builder: str = "", *, trainer: str = "", before: str = "", behind: str = "") -> str:
    """A Lightning program with one trainer in a single expression.

    `builder` are calls such as `.trainer(max_epochs=1)`, put behind `.module(Net)` and `.fit_params(datamodule=DM())`;
    `trainer` further arguments of the trainer, `before` and `behind` statements around it.
    """
    arguments = f", {trainer}" if trainer else ""
    return (
        LIGHTNING_IMPORTS
        + dedent(before)
        + f"""
trainer = LightningTrainer(
    lightning_config=LightningConfigBuilder().module(Net).fit_params(datamodule=DM()){builder}.build(),
    scaling_config={SCALING}{arguments},
)
"""
        + dedent(behind)
        + "\nresult = trainer.fit()\n"
    )


def in_function(program: str, *, name: str = "main", parameters: str = "") -> str:
    """A program's statements behind its imports, as the body of a function that is called at the end."""
    lines = program.splitlines(keepends=True)
    first = next(
        number for number, line in enumerate(lines) if line.strip() and not line.startswith(("import ", "from "))
    )
    head, body = "".join(lines[:first]), "".join(lines[first:])
    return f"{head}\ndef {name}({parameters}):\n{indent(body, '    ')}\n{name}()\n"


BASE = ".module(Net, width=3).trainer(max_epochs=2).fit_params(datamodule=DM())"


def tuned(
    space: str = ".module(lr=tune.choice([7]))",
    *,
    base: str | None = BASE,
    trainer: str = "",
    tuner: str = "",
    before: str = "",
    behind: str = "",
) -> str:
    """A Lightning program that tunes one trainer.

    `base` and `space` are the calls of the trainer's own builder, None without one, and of the search space's;
    `trainer` and `tuner` further arguments of these, `before` and `behind` statements around them.
    """
    own = f"lightning_config=LightningConfigBuilder(){base}.build(), " if base is not None else ""
    return (
        f"{LIGHTNING_IMPORTS}from ray import tune\nfrom ray.tune.schedulers import PopulationBasedTraining\n"
        + dedent(before)
        + f"""
trainer = LightningTrainer({own}scaling_config={SCALING}{trainer and ", "}{trainer})
space = LightningConfigBuilder(){space}.build()
tuner = tune.Tuner(trainer, param_space={{"lightning_config": space}}{tuner and ", "}{tuner})
results = tuner.fit()
"""
        + dedent(behind)
    )
