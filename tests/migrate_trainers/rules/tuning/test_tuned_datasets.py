"""Tuned trainers that are given datasets of Ray: each trial's trainer splits them as the legacy trainer did."""

from __future__ import annotations

import pytest
from rewriting import (
    ACCELERATE_IMPORTS,
    LIGHTNING_IMPORTS,
    SCALING,
    TRANSFORMERS_IMPORTS,
    after,
    codes,
    in_function,
    migrate,
)
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

DATA = """
import ray
from ray import tune
from ray.air.config import DatasetConfig
from ray.train import DataConfig

train = ray.data.from_items([{"x": i} for i in range(11)])
other = ray.data.from_items([{"x": -i} for i in range(7)])
sets = {"train": train}
"""
# By trainer: the file's head, the trainer's first arguments and its search space, the name of the other dataset.
FORMS = {
    "Lightning": (
        LIGHTNING_IMPORTS + DATA,
        "LightningTrainer(LightningConfigBuilder().module(Net, width=3).trainer(max_epochs=2).build(), "
        "datasets_iter_config={'batch_size': 4}",
        "{'lightning_config': LightningConfigBuilder().module(lr=tune.grid_search([7, 8])).build()}",
        "val",
    ),
    "Transformers": (
        f"""{TRANSFORMERS_IMPORTS}{DATA}
def init(train_dataset, eval_dataset, **config):
    args = TrainingArguments("out", report_to="none", max_steps=4)
    return Trainer(model=make_model(**config), args=args, train_dataset=train_dataset, eval_dataset=eval_dataset)
""",
        "TransformersTrainer(init",
        "{'trainer_init_config': {'lr': tune.grid_search([7, 8])}}",
        "evaluation",
    ),
    "Accelerate": (
        f"""{ACCELERATE_IMPORTS}{DATA}
def loop(config):
    for batch in session.get_dataset_shard("train").iter_torch_batches(batch_size=config["lr"], prefetch_blocks=1):
        effect(str(batch))
""",
        "AccelerateTrainer(loop, accelerate_config={}",
        "{'train_loop_config': {'lr': tune.grid_search([7, 8])}}",
        "test",
    ),
}
GIVEN = {
    "train alone": "datasets={'train': train}",
    "in a variable": "datasets=sets",
    "made by dict": "datasets=dict(train=train)",
    "another one": "datasets={'train': train, 'OTHER': other}",
    "made in place": "datasets={'train': ray.data.from_items([{'x': 1}] * 5)}",
    "the old configuration": "datasets={'train': train, 'OTHER': other}, dataset_config={'OTHER': DatasetConfig()}",
    "nothing in it": "datasets={'train': train}, dataset_config={}, preprocessor=None",
    "the new configuration": "datasets={'train': train, 'OTHER': other}, dataset_config=DataConfig()",
    "what is split": (
        "datasets={'train': train, 'OTHER': other}, dataset_config=DataConfig(datasets_to_split=['train'])"
    ),
}


def tuned(form: str, given: str) -> str:
    head, trainer, space, other = FORMS[form]
    made = f"{trainer}, {given.replace('OTHER', other)}, scaling_config={SCALING})"
    return f"{head}\ntrainer = {made}\ntune.Tuner(trainer, param_space={space}).fit()\n"


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN.keys())
@pytest.mark.parametrize("form", FORMS)
def test_datasets(form: str, given: str) -> None:
    program = tuned(form, given)

    assert_same_calls(program, after(migrate(program)))


@pytest.mark.parametrize("form", ["Lightning", "Accelerate"])
def test_datasets_in_a_function_on_newer_ray(form: str) -> None:
    program = in_function(tuned(form, GIVEN["another one"]))

    output = after(migrate(program, source_version=(2, 7)))

    assert "datasets_to_split" not in output
    assert_same_calls(program, output, version=(2, 7))


@pytest.mark.parametrize("form", FORMS)
def test_older_target_gives_them_to_the_trainer_itself(form: str) -> None:
    output = after(migrate(tuned(form, GIVEN["another one"]), target_version=(2, 9)))

    assert "datasets_to_split=" in output
    assert "tune.Tuner(trainer, param_space={" in output


LEFT = {
    "a preprocessor": ("datasets=sets, preprocessor=effect(1)", "MT403"),
    "datasets that can't be seen": ("datasets=effect(1)", None),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("given", "code"), LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(form: str, given: str, code: str | None) -> None:
    result = migrate(tuned(form, given))

    if form == "Accelerate" and code is None:
        assert result.changed
        return
    assert not result.changed
    assert code is None or codes(result, Kind.MANUAL) == [code]


def test_arguments_of_the_batches_that_only_the_driver_knows() -> None:
    program = tuned("Lightning", GIVEN["train alone"]).replace("'batch_size': 4", "'batch_size': effect(4)")

    assert codes(migrate(program), Kind.MANUAL) == ["MT107"]


def test_datamodule_that_the_datasets_replace() -> None:
    program = tuned("Lightning", GIVEN["train alone"]).replace(".trainer(", ".fit_params(datamodule=DM()).trainer(")

    result = migrate(program)

    assert "MT121" in codes(result)
    assert_same_calls(program, after(result))
