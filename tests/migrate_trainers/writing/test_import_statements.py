"""Imports: legacy ones go, new ones come in the style of the file, once, and under a free name."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest
from rewriting import SCALING, after, lightning, migrate
from worker_calls import assert_same_calls

from migrate_trainers.reading.program import Program
from migrate_trainers.reading.source import Edit, Source
from migrate_trainers.verify import check

LEGACY = "from ray.train.lightning import LightningConfigBuilder, LightningTrainer\n"
CONFIGS = "from ray.air.config import ScalingConfig, RunConfig\n"
OTHERS = "import pytorch_lightning as pl\nfrom project import DM, Net, effect\n"
BODY = """
config = {lightning}LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()
trainer = {lightning}LightningTrainer(
    config, scaling_config={air}ScalingConfig(num_workers=2), run_config={air}RunConfig(name="x")
)
trainer.fit()
"""


def body(*, lightning: str = "", air: str = "") -> str:
    return dedent(BODY).format(lightning=lightning, air=air)


def imported(text: str) -> list[str]:
    """Every name that a program's imports bind, as `what as name`."""
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name} as {alias.asname or alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [f"{alias.name} as {alias.asname or alias.name}" for alias in node.names]
    return names


STYLES = {
    "from imports": (LEGACY + CONFIGS, "", ""),
    "one name a line": (
        "from ray.train.lightning import LightningConfigBuilder\nfrom ray.train.lightning import LightningTrainer\n"
        "from ray.air.config import ScalingConfig\nfrom ray.air.config import RunConfig\n",
        "",
        "",
    ),
    "aliases of names": (
        "from ray.train.lightning import LightningConfigBuilder as LCB, LightningTrainer as LT\n"
        "from ray.air import ScalingConfig as SC, RunConfig as RC\n",
        "",
        "",
    ),
    "configs from ray.train": (LEGACY + "from ray.train import ScalingConfig, RunConfig\n", "", ""),
    "configs from ray.tune": (LEGACY + "from ray.tune import RunConfig\nfrom ray.air import ScalingConfig\n", "", ""),
    "module imports": ("import ray.train.lightning\nimport ray.air\n", "ray.train.lightning.", "ray.air."),
    "module aliases": ("import ray.train.lightning as rtl\nimport ray.air as air\n", "rtl.", "air."),
    "config module": ("import ray.train.lightning as rtl\nimport ray.air.config\n", "rtl.", "ray.air.config."),
    "modules of from imports": ("from ray.train import lightning\nfrom ray import air\n", "lightning.", "air."),
    "the defining module": (
        "from ray.train.lightning.lightning_trainer import LightningConfigBuilder, LightningTrainer\n" + CONFIGS,
        "",
        "",
    ),
    "an alias of the defining module": (
        "import ray.train.lightning.lightning_trainer as lt\nfrom ray import air\n",
        "lt.",
        "air.",
    ),
    "several modules in a statement": (
        "import ray.air as air, os, ray.train.lightning as rtl\nos.getcwd()\n",
        "rtl.",
        "air.",
    ),
    "parentheses and comments": (
        "from ray.train.lightning import (  # legacy\n    LightningConfigBuilder,  # builds\n    # trains\n"
        "    LightningTrainer,\n)  # done\n" + CONFIGS,
        "",
        "",
    ),
    "hanging parentheses": (
        "from ray.train.lightning import (LightningConfigBuilder,\n                                LightningTrainer)\n"
        + CONFIGS,
        "",
        "",
    ),
    "backslash": (
        "from ray.train.lightning import LightningConfigBuilder, \\\n    LightningTrainer\n" + CONFIGS,
        "",
        "",
    ),
    "noqa": (LEGACY.rstrip() + "  # noqa: E402\n" + CONFIGS.rstrip() + "  # type: ignore\n", "", ""),
    "with ray itself": ("import ray\n" + LEGACY + CONFIGS + "ray.__name__\n", "", ""),
    "under a condition that holds for all": ("if True:\n    import os\n" + LEGACY + CONFIGS, "", ""),
}


@pytest.mark.parametrize(("statements", "lightning_", "air"), STYLES.values(), ids=STYLES.keys())
def test_style_of_the_file(statements: str, lightning_: str, air: str) -> None:
    text = body(lightning=lightning_, air=air)
    if " as LT" in statements:
        for name, alias in (("LightningConfigBuilder", "LCB"), ("LightningTrainer", "LT")):
            text = text.replace(name, alias)
        text = text.replace("=ScalingConfig", "=SC").replace("=RunConfig", "=RC")
    program = OTHERS + statements + text

    result = after(migrate(program))

    assert_same_calls(program, result)
    names = imported(result)
    assert len(names) == len(set(names)), "nothing is imported twice"
    assert not [name for name in names if "ray.air" in name or ("Lightning" in name and "Ray" not in name)]
    for comment in ("# legacy", "# builds", "# trains", "# done", "# noqa: E402", "# type: ignore"):
        assert (comment in result) == (comment in program)


BELOW_CODE = "import sys\n\nsys.path.append('.')\n"
# The new lines that hold names of the old ones, and those that hold none.
DIRECTIVES = {
    "what is unused": ("", "# noqa: F401", "# noqa: F401", ""),
    "anything": ("", "# noqa", "# noqa", ""),
    "anything, below code": (BELOW_CODE, "# noqa", "# noqa", "# noqa"),
    "the place": (BELOW_CODE, "# noqa: E402", "# noqa: E402", "# noqa: E402"),
    "both": (BELOW_CODE, "# noqa: E402,F401", "# noqa: E402,F401", "# noqa: E402"),
    "types": ("", "# type: ignore", "# type: ignore", "# type: ignore"),
}


@pytest.mark.parametrize(("above", "comment", "on_old", "on_new"), DIRECTIVES.values(), ids=DIRECTIVES)
def test_a_comment_for_linters_stays_where_it_holds(above: str, comment: str, on_old: str, on_new: str) -> None:
    imports = OTHERS + LEGACY.rstrip() + f"  {comment}\n" + CONFIGS.rstrip() + f"  {comment}\n"

    lines = after(migrate(above + imports + body())).splitlines()

    def directive(line: str) -> str:
        return line.partition("  ")[2] if line.startswith("from ray.train") else ""

    old = [line for line in lines if line.startswith("from ray.train import")]
    new = [line for line in lines if line.startswith(("from ray.train.lightning", "from ray.train.torch"))]
    assert [directive(line) for line in old] == [on_old]
    assert {directive(line) for line in new} == {on_new}
    assert not [line for line in lines if line.startswith(")  #")], "no tool looks for it behind the last parenthesis"


@pytest.mark.parametrize(
    "statements",
    [
        "from ray.train.torch import TorchTrainer\n",
        "from ray.train import CheckpointConfig\n",
        "from ray.train.lightning import RayDDPStrategy\n",
        "from ray.train.lightning import prepare_trainer\n",
        "import ray.train\n",
        "import os\n",
    ],
)
def test_what_is_imported_already_is_used(statements: str) -> None:
    program = lightning(trainer="run_config=RunConfig(failure_config=FailureConfig(1))")

    text = after(migrate(statements + program))

    names = imported(text)
    assert len(names) == len(set(names))
    assert set(imported(statements)) <= set(names)


TAKEN = {
    "a class": "class TorchTrainer: pass\n",
    "a function": "def prepare_trainer(x): return x\n",
    "an assignment": "RayDDPStrategy = RunConfig_ = 3\n",
    "an import": "from project import effect as CheckpointConfig\n",
    "a loop variable": "for RayTrainReportCallback in (): pass\n",
    "a name in a function": "def helper(TorchTrainer): return TorchTrainer\n",
    "the module ray": "ray = 3\n",
    "the module os": "os = 'mine'\n",
    "the module os in a loop": "for os in (1, 2): pass\n",
    "the function replace": "def replace(a, b): return a\n",
}


@pytest.mark.parametrize("statement", TAKEN.values(), ids=TAKEN.keys())
def test_names_that_the_file_uses_keep_their_meaning(statement: str) -> None:
    name = next(iter(ast.walk(ast.parse(statement))), None)
    assert name is not None
    program = lightning(
        trainer="run_config=run",
        before="run = RunConfig(failure_config=FailureConfig(1))\nother = run\n" + statement,
    ).replace("from ray.air.config import CheckpointConfig, ", "from ray.air.config import ")

    assert_same_calls(program, after(migrate(program)))


def test_imports_in_a_function_stay_there() -> None:
    inner = "".join(f"    {line}\n" for line in (LEGACY + CONFIGS).splitlines())
    indented = "".join(f"    {line}\n" for line in body().strip().splitlines())
    program = f"{OTHERS}\ndef main():\n{inner}{indented}\nmain()\n"

    text = after(migrate(program))

    assert_same_calls(program, text)
    module_level = [node for node in ast.parse(text).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert not [node for node in module_level if ast.unparse(node).count("ray.")]


def test_imports_of_two_functions_stay_in_each() -> None:
    inner = "".join(f"    {line}\n" for line in (LEGACY + CONFIGS).splitlines())
    indented = "".join(f"    {line}\n" for line in body().strip().splitlines())
    program = OTHERS + "".join(f"\ndef main_{n}():\n{inner}{indented}\nmain_{n}()\n" for n in (1, 2))

    text = after(migrate(program))

    assert_same_calls(program, text)
    module_level = [node for node in ast.parse(text).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert not [node for node in module_level if ast.unparse(node).count("ray.")]


PACKAGES = {
    "import pytorch_lightning as pl": ("import pytorch_lightning as pl", "pl.Trainer("),
    "import lightning.pytorch as pl": ("import lightning.pytorch as pl", "pl.Trainer("),
    "import lightning as L": ("import lightning as L", "L.pytorch.Trainer("),
    "import lightning.pytorch": ("import lightning.pytorch", "lightning.pytorch.Trainer("),
    "import pytorch_lightning": ("import pytorch_lightning", "pytorch_lightning.Trainer("),
    "from lightning import pytorch as ptl": ("from lightning import pytorch as ptl", "ptl.Trainer("),
    "from imports": ("from pytorch_lightning import LightningModule, Trainer", " Trainer("),
    "another name of the package": ("from lightning.pytorch import LightningModule", " Trainer("),
    "callbacks only": ("from pytorch_lightning.callbacks import EarlyStopping", "Trainer("),
}


@pytest.mark.parametrize(("statement", "call"), PACKAGES.values(), ids=PACKAGES.keys())
def test_lightning_package_of_the_file(statement: str, call: str) -> None:
    program = lightning().replace("import pytorch_lightning as pl", statement)

    text = after(migrate(program))

    if "import lightning as L" not in statement:
        assert call in text
        assert_same_calls(program, text)
    package = "pytorch_lightning" if "pytorch_lightning" in statement else "lightning"
    other = {"pytorch_lightning": "lightning.pytorch", "lightning": "pytorch_lightning"}[package]
    assert not [name for name in imported(text) if name.startswith(other)]


def test_names_of_another_lightning_class_are_not_taken_for_it() -> None:
    text = after(migrate(lightning(before="class Trainer: pass\n").replace("import pytorch_lightning as pl\n", "")))

    assert "class Trainer: pass" in text
    assert " Trainer(" not in text.replace("class Trainer", "")


def test_output_for_the_bundled_runtime_imports_nothing_of_ray() -> None:
    program = lightning(trainer="run_config=RunConfig(failure_config=FailureConfig(1))")

    names = imported(after(migrate(program, bundled=True)))

    assert not [name for name in names if name.startswith("ray")]
    assert "train_runtime.torch.TorchTrainer as TorchTrainer" in names


@pytest.mark.parametrize("late", ["import argparse", "import asyncio; asyncio.sleep(0)", "from ray.tune import Tuner"])
def test_new_imports_do_not_go_behind_the_code_that_needs_them(late: str) -> None:
    config = "accelerate_config={'distributed_type': 'FSDP'}, scaling_config=ScalingConfig(num_workers=2, use_gpu=True)"
    program = (
        "from accelerate import Accelerator\nimport ray.air.config\nfrom ray.air.config import ScalingConfig\n"
        "import ray.train.huggingface as hf\ndef loop(config):\n    Accelerator()\n"
        f"hf.AccelerateTrainer(loop, {config}).fit()\n{late}\n"
    )

    text = after(migrate(program))

    fit = text.index(".fit()")
    assert text[fit:] == f".fit()\n{late}\n"
    assert text.index("import os\n") < text.index("os.environ") < fit


TORCH = {
    "above the lines of its section": (
        "import os\n\nimport numpy as np\nfrom project import make_model\nLEGACY\n",
        "import os\n\nimport numpy as np\nimport torch\nfrom project import make_model\nfrom ray.train",
    ),
    "not above a gap": (
        "from project import make_model\n\nLEGACY\n",
        "from project import make_model\n\nimport torch\nfrom ray.train",
    ),
    "not above the standard library": (
        "from pathlib import Path\nfrom project import make_model\nLEGACY\n",
        "from pathlib import Path\nimport torch\nfrom project import make_model\nfrom ray.train",
    ),
    "beside its package": (
        "from torch import nn\nfrom project import make_model\nLEGACY\n",
        "import torch\nfrom torch import nn\nfrom project import make_model\nfrom ray.train",
    ),
}


@pytest.mark.parametrize(("before", "expected"), TORCH.values(), ids=TORCH.keys())
def test_a_new_plain_import_stands_where_a_sorter_would_put_it(before: str, expected: str) -> None:
    lines = "from ray.air.config import ScalingConfig\nfrom ray.train.huggingface import TransformersTrainer"
    program = (
        before.replace("LEGACY", lines)
        + """from transformers import Trainer, TrainingArguments
def init(train_dataset, eval_dataset=None, **config):
    return Trainer(make_model(), TrainingArguments("out", logging_strategy="epoch", save_strategy="epoch"))
TransformersTrainer(init, scaling_config=ScalingConfig(num_workers=2)).fit()
"""
    )

    assert after(migrate(program)).startswith(expected)


def test_the_standard_library_comes_first_where_both_are_new() -> None:
    program = """from ray.air import Checkpoint, ScalingConfig, session
from ray.train.huggingface import AccelerateTrainer
def train(config):
    session.report({"loss": 1.0}, checkpoint=Checkpoint.from_dict({"step": 1}))
AccelerateTrainer(train, accelerate_config={}, scaling_config=ScalingConfig(num_workers=2)).fit()
"""

    assert after(migrate(program)).startswith("import os\nimport tempfile\n\nimport torch\nimport ray.train\nfrom ray")


def test_class_stands_below_the_import_of_what_it_derives_from() -> None:
    program = f"""\
from project import make_model
from transformers import Trainer, TrainingArguments


def init(train_dataset=None, eval_dataset=None, **config):
    args = TrainingArguments("out", save_strategy="epoch", logging_strategy="epoch", evaluation_strategy="epoch")
    return Trainer(make_model(), args)


from ray.air.config import ScalingConfig
from ray.train.huggingface import TransformersTrainer

TransformersTrainer(init, scaling_config={SCALING}).fit()
"""
    output = after(migrate(program))

    assert output.index("import RayTrainReportCallback") < output.index("(RayTrainReportCallback):")
    assert output.index("(RayTrainReportCallback):") < output.index("TorchTrainer(")


def test_output_that_reads_a_name_above_its_import_is_refused() -> None:
    text = "import a\n\nprint(a)\n"
    program = Program(Source.decode(text.encode()))
    edits = [Edit(0, text.index("print"), ""), Edit(len(text), len(text), "import a\n")]

    problem = check(program, edits, program.source.apply(edits))

    assert problem == "the output reads names above their import: a"
