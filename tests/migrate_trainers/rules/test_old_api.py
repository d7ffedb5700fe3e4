"""The old API where no legacy trainer is: in files that had one, and in those that `--select MT4` names."""

from __future__ import annotations

import pytest
from rewriting import after, codes, migrate

from migrate_trainers.findings import Kind
from migrate_trainers.selection import Rules

SELECTED = Rules(select=("MT4",))
HAD_ONE = """\
from ray.air import session
from ray.air.config import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer


def train_func():
    session.report({"rank": session.get_world_rank()})


TorchTrainer(train_func, scaling_config=ScalingConfig(num_workers=2), run_config=RunConfig("x", "/runs")).fit()
"""
LOOP_ALONE = """\
from ray.air import session


def train_func(config):
    session.report({"lr": config["lr"], "is_fresh": session.get_checkpoint() is None})
"""
MIGRATED_FOR_AN_EARLIER_RAY = """\
from ray.train import RunConfig, ScalingConfig, get_context
from ray.train.base_trainer import TrainingFailedError
from ray.train.torch import TorchTrainer


def train_func():
    print(get_context().get_trial_name())


try:
    TorchTrainer(train_func, run_config=RunConfig(name="x", verbose=2)).fit()
except TrainingFailedError:
    raise
"""


def test_file_that_had_a_trainer() -> None:
    text = after(migrate(HAD_ONE))

    assert "ray.air" not in text
    assert 'RunConfig(name="x", storage_path="/runs")' in text
    assert not migrate(text).changed
    assert not codes(migrate(text))


def test_train_function_alone_is_rewritten_on_request() -> None:
    assert not migrate(LOOP_ALONE).changed

    text = after(migrate(LOOP_ALONE, rules=SELECTED))

    assert 'ray.train.report({"lr": config["lr"], "is_fresh": ray.train.get_checkpoint() is None})' in text
    assert "ray.air" not in text


@pytest.mark.parametrize(
    "rules", [Rules(ignore=("MT4",)), Rules(select=("MT1",)), Rules(select=("MT4",), ignore=("MT400",))]
)
def test_rule_that_is_not_followed(rules: Rules) -> None:
    assert not migrate(HAD_ONE, rules=rules).changed
    assert not migrate(LOOP_ALONE, rules=rules).changed


def test_file_that_was_migrated_for_an_earlier_ray() -> None:
    text = after(migrate(MIGRATED_FOR_AN_EARLIER_RAY))

    assert "get_context().get_experiment_name()" in text
    assert 'RunConfig(name="x")' in text
    assert "from ray.train import RunConfig, ScalingConfig, TrainingFailedError, get_context" in text
    assert not migrate(MIGRATED_FOR_AN_EARLIER_RAY, target_version=(2, 9)).changed


@pytest.mark.parametrize(
    "program",
    [
        "from ray.train import RunConfig\nfrom ray.train.torch import TorchTrainer\nfrom callbacks import Mine\n"
        "TorchTrainer(print, run_config=RunConfig(callbacks=[Mine()])).fit()\n",
        "from ray.train import RunConfig\nfrom ray.train.torch import TorchTrainer\nRunConfig(**given)\n",
        "from ray import air\nfrom ray.air.integrations.wandb import setup_wandb\nimport ray.train.torch\n",
        "import ray.air, TorchTrainer  # of others\nclass TorchTrainer(\n",
        "from ray.tune import RunConfig\nfrom ray.train.torch import TorchTrainer\nRunConfig(stop={'a': 1})\n",
        "# TorchTrainer, ray.air\nimport ray\n",
    ],
)
def test_current_code_is_left_alone(program: str) -> None:
    result = migrate(program)

    assert not result.changed
    assert not result.findings


def test_callbacks_of_tune_are_left_with_advice() -> None:
    program = """\
from ray.air.integrations.wandb import WandbLoggerCallback
from ray.train import RunConfig
from ray.train.torch import TorchTrainer
TorchTrainer(print, run_config=RunConfig(callbacks=[WandbLoggerCallback()])).fit()
"""
    assert codes(migrate(program), Kind.MANUAL) == ["MT403"]


def test_trials_have_sessions_of_their_own() -> None:
    program = HAD_ONE + "from ray import tune\ntune.Tuner(train_func).fit()\n"

    assert codes(migrate(program), Kind.MANUAL) == ["MT501"]
