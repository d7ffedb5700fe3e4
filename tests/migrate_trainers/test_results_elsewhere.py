"""Files that read what a trainer of another file leaves change with it, also those without a legacy name."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate_trainers import FileResult, migrate_project

LIGHTNING = """\
from net import Net
from ray.air.config import ScalingConfig
from ray.train.lightning import LightningConfigBuilder, LightningTrainer

config = LightningConfigBuilder().module(Net).fit_params(train_dataloaders=[]).build()
trainer = LightningTrainer(lightning_config=config, scaling_config=ScalingConfig(num_workers=2))
result = trainer.fit()


def run():
    return trainer.fit()
"""
TRANSFORMERS = """\
from project import make_trainer
from ray.air.config import ScalingConfig
from ray.train.huggingface import TransformersTrainer


def init(train_dataset, eval_dataset=None, **config):
    return make_trainer(train_dataset)


result = TransformersTrainer(init, scaling_config=ScalingConfig(num_workers=2)).fit()
"""
ACCELERATE = """\
from ray.air import Checkpoint, session
from ray.air.config import ScalingConfig
from ray.train.huggingface import AccelerateTrainer


def loop(config):
    session.report({"loss": 1.0}, checkpoint=Checkpoint.from_dict({"epoch": 1}))


trainer = AccelerateTrainer(loop, accelerate_config={}, scaling_config=ScalingConfig(num_workers=2))
result = trainer.fit()
"""
TUNED = """\
from ray import tune
from ray.air import session
from ray.air.config import ScalingConfig
from ray.train.huggingface import AccelerateTrainer


def loop(config):
    session.report({"loss": config["lr"]})


trainer = AccelerateTrainer(loop, accelerate_config={}, scaling_config=ScalingConfig(num_workers=2))
tuner = tune.Tuner(
    trainer,
    param_space={"train_loop_config": {"lr": tune.uniform(0, 1)}},
    tune_config=tune.TuneConfig(metric="loss", mode="min"),
)
results = tuner.fit()
"""


def migrate(given: dict[str, str], others: dict[str, str] | None = None) -> dict[str, FileResult]:
    files = {Path(name): text.encode() for name, text in given.items()}
    around = {Path(name): text.encode() for name, text in (others or {}).items()}
    return {str(path): result for path, result in migrate_project(files, others=around).items()}


@pytest.mark.parametrize(
    ("trainer", "reader", "expected"),
    [
        (
            LIGHTNING,
            "from train import result\n\nmodel = result.checkpoint.get_model(print)\n",
            'model = print.load_from_checkpoint(os.path.join(checkpoint_dir, "checkpoint.ckpt"))',
        ),
        (LIGHTNING, "from train import run\n\nrun().checkpoint.get_model(print)\n", "load_from_checkpoint("),
        (LIGHTNING, "import train\n\ntrain.run().checkpoint.get_model(print)\n", "load_from_checkpoint("),
        (LIGHTNING, "import train\n\nprint(train.result.log_dir)\n", "print(train.result.path)"),
        (
            LIGHTNING,
            "from train import run\n\n\ndef main():\n    return run().log_dir / 'a'\n",
            "from pathlib import Path\nfrom train import run\n\n\ndef main():\n    return Path(run().path) / 'a'",
        ),
        (
            TRANSFORMERS,
            "from train import result\nfrom project import Auto\n\nprint(result.checkpoint.get_model(Auto))\n",
            "print(Auto.from_pretrained(checkpoint_dir))",
        ),
        (
            ACCELERATE.replace("AccelerateTrainer\n", "AccelerateTrainer as T\n").replace("AccelerateTrainer(", "T("),
            "from train import result\n\nresult.checkpoint.to_dict()\n",
            "load_dictionary(result.checkpoint)",
        ),
        (ACCELERATE, "from train import result\n\nresult.checkpoint.to_dict()\n", "load_dictionary(result.checkpoint)"),
        (
            TUNED,
            "from train import results\n\nbest = results.get_best_result()\nprint(best.checkpoint)\n",
            "from ray.train import Checkpoint\nfrom train import results\n\nbest = results.get_best_result()\n"
            'print(Checkpoint(best.metrics["checkpoint_path"]))',
        ),
    ],
)
def test_reader_changes_with_the_trainer(trainer: str, reader: str, expected: str) -> None:
    results = migrate({"train.py": trainer, "evaluate.py": reader, "net.py": "class Net:\n    pass\n"})

    text = results["evaluate.py"].after.decode()
    assert expected in text
    compile(text, "evaluate.py", "exec")
    assert {Path("train.py"), Path("evaluate.py")} <= results["train.py"].together


@pytest.mark.parametrize(
    ("reader", "expected"),
    [
        ("from train import *\nprint(result.metrics)\n", True),
        ("from .train import *\nprint(result.metrics)\n", True),
        ("from train import *\nprint(loop)\n", False),
        ("from train import *\nresult = 1\nprint(result)\n", False),
        ("from other import *\nfrom train import loop\nprint(result)\n", False),
    ],
)
def test_reader_through_a_star_is_named(reader: str, expected: bool) -> None:
    results = migrate({"train.py": ACCELERATE, "evaluate.py": reader})

    messages = [finding.message for finding in results["train.py"].findings if finding.code == "MT918"]
    assert len(messages) == expected
    assert all("`evaluate.py`, which uses `result`" in message for message in messages)


def test_reader_behind_a_file_that_hands_on() -> None:
    between = "from train import trainer\n\n\ndef run():\n    return trainer.fit()\n"
    reader = "from between import run\n\nprint(run().checkpoint.to_dict())\n"

    results = migrate({"train.py": ACCELERATE, "between.py": between, "evaluate.py": reader})

    assert b"print(load_dictionary(run().checkpoint))" in results["evaluate.py"].after
    assert "between.py" not in results


@pytest.mark.parametrize(
    ("trainer", "line", "code"),
    [
        (ACCELERATE, "result.checkpoint.to_bytes()", "MT401"),
        (ACCELERATE, "result.config", "MT405"),
        (TUNED, "results.get_best_result().best_checkpoints", "MT501"),
        (TUNED, "tuner.fit().get_best_result().get_best_checkpoint('loss', 'min')", "MT501"),
    ],
)
def test_reader_that_cannot_change_keeps_the_trainer(trainer: str, line: str, code: str) -> None:
    results = migrate({"train.py": trainer, "evaluate.py": f"from train import *\n{line}\n"})
    assert results["train.py"].changed  # what a star brings in can't be seen
    assert "MT918" in [finding.code for finding in results["train.py"].findings]

    name = line.partition(".")[0]
    results = migrate({"train.py": trainer, "evaluate.py": f"from train import {name}\n{line}\n"})

    assert not any(result.changed for result in results.values())
    assert [finding.code for finding in results["evaluate.py"].findings] == [code]
    assert {finding.code for finding in results["train.py"].findings} == {"MT906"}


def test_reader_that_was_not_given() -> None:
    reader = "from train import result\nresult.checkpoint.to_dict()\n"

    results = migrate({"train.py": ACCELERATE}, {"evaluate.py": reader, "train.py": ACCELERATE})

    assert results.keys() == {"train.py"}
    assert "`evaluate.py` has to change too, and was not given" in results["train.py"].findings[0].message


@pytest.mark.parametrize(
    ("trainer", "line", "code"),
    [
        (LIGHTNING, "result.metrics_dataframe", "MT418"),
        (LIGHTNING, "result.metrics['training_iteration']", "MT406"),
        (LIGHTNING, "open(f'{result.checkpoint.path}/model')", "MT111"),
        (TUNED, "results[0].path", "MT507"),
        (TUNED, "results[0].metrics['training_iteration']", None),
        (ACCELERATE, "result.metrics['loss']", None),
    ],
)
def test_reader_that_stays(trainer: str, line: str, code: str | None) -> None:
    name = next(one for one in ("results", "result") if one in line)
    files = {"train.py": trainer, "evaluate.py": f"from train import {name}\n{line}\n"}

    results = migrate({**files, "net.py": "class Net:\n    pass\n"})

    assert results["train.py"].changed
    found = [one.code for one in results["evaluate.py"].findings] if "evaluate.py" in results else []
    assert found == ([code] if code else [])
