"""The RunConfig of a tuned trainer and its Tuner's: the one in force, and what each of the new ones says."""

from __future__ import annotations

import pytest
from rewriting import after, codes, in_function, migrate, tuned
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

FULL = (
    "RunConfig(name='search', storage_path='/s', stop={'epoch': 1}, verbose=2, callbacks=[effect], "
    "failure_config=FailureConfig(max_failures=2), "
    "checkpoint_config=CheckpointConfig(num_to_keep=3, checkpoint_score_attribute='loss'))"
)
# The trainer's, the Tuner's, and the statements before.
GIVEN = {
    "none": (None, None, ""),
    "None twice": ("None", "None", ""),
    "the trainer's": (FULL, None, ""),
    "the Tuner's": (None, FULL, ""),
    "both": (
        "RunConfig(name='own', checkpoint_config=CheckpointConfig(num_to_keep=5))",
        "RunConfig(name='search')",
        "",
    ),
    "the trainer's in a variable": ("run", None, f"run = {FULL}"),
    "the trainer's in a variable, of training alone": (
        "run",
        None,
        "run = RunConfig(checkpoint_config=CheckpointConfig(num_to_keep=3))",
    ),
    "the Tuner's in a variable": (None, "run", f"run = {FULL}"),
    "both in variables": ("own", "run", f"run = {FULL}\nown = RunConfig(name='own')"),
    "one variable for both": ("run", "run", f"run = {FULL}"),
    "positional": (None, "RunConfig('search', '/s')", ""),
    "positional for the trainer": ("RunConfig('search', '/s')", None, ""),
    "a local_dir": (None, "RunConfig('search', local_dir='/s')", ""),
    "through ray.air": (
        None,
        "air.RunConfig(name='search', failure_config=air.FailureConfig(2))",
        "from ray import air",
    ),
    "values that only the driver can make": (
        None,
        "RunConfig(name=effect('search'), storage_path=effect('/s'), "
        "checkpoint_config=CheckpointConfig(num_to_keep=effect(3)))",
        "",
    ),
    "such values in one statement with the trainer": (
        "RunConfig(name=effect('search'), storage_path=effect('/s'))",
        None,
        "",
    ),
    "the first failure ends it": (
        None,
        "RunConfig(name='search', failure_config=FailureConfig(0, fail_fast='raise'), "
        "checkpoint_config=CheckpointConfig(num_to_keep=3))",
        "",
    ),
    "values of the trainer's that only the driver can make": (
        "RunConfig(checkpoint_config=CheckpointConfig(num_to_keep=effect(3)))",
        None,
        "",
    ),
    "the trainer's says so": ("RunConfig(failure_config=FailureConfig(fail_fast=effect(True)))", None, ""),
    "an object's attributes": (
        None,
        "RunConfig(name=args.name, storage_path=args.to, checkpoint_config=CheckpointConfig(num_to_keep=args.keep))",
        "import argparse\nargs = argparse.Namespace(name='search', to='/s', keep=3)",
    ),
}


@pytest.mark.parametrize("is_in_function", [False, True], ids=["at module level", "in a function"])
@pytest.mark.parametrize(("trainer", "tuner", "before"), GIVEN.values(), ids=GIVEN.keys())
def test_run_config(trainer: str | None, tuner: str | None, before: str, is_in_function: bool) -> None:
    program = tuned(
        trainer=f"run_config={trainer}" if trainer else "", tuner=f"run_config={tuner}" if tuner else "", before=before
    )
    if is_in_function:
        program = in_function(program)

    assert_same_calls(program, after(migrate(program)))


@pytest.mark.parametrize(("trainer", "tuner", "before"), GIVEN.values(), ids=GIVEN.keys())
def test_run_config_of_a_population(trainer: str | None, tuner: str | None, before: str) -> None:
    scheduler = (
        "scheduler = PopulationBasedTraining(hyperparam_mutations={"
        "'lightning_config': LightningConfigBuilder().module(lr=tune.uniform(8, 9)).build()})"
    )
    given = f", run_config={tuner}" if tuner else ""
    program = tuned(
        trainer=f"run_config={trainer}" if trainer else "",
        tuner=f"tune_config=tune.TuneConfig(scheduler=scheduler){given}",
        before=f"{before}\n{scheduler}",
    )

    assert_same_calls(program, after(migrate(program)))


@pytest.mark.parametrize("given", ["trainer", "tuner"])
def test_first_failure_is_the_searchs_affair(given: str) -> None:
    output = after(migrate(tuned(**{given: "run_config=RunConfig(failure_config=FailureConfig(fail_fast=True))"})))

    assert output.count("FailureConfig(") == output.count("run_config=tune.RunConfig(failure_config=tune.Fail") == 1
    assert "import FailureConfig" not in output
    assert ", FailureConfig" not in output


@pytest.mark.parametrize("arguments", ["2, True", "max_failures=effect(0), fail_fast=True", "**{'fail_fast': True}"])
def test_first_failure_that_can_not_be_told_apart(arguments: str) -> None:
    result = migrate(tuned(tuner=f"run_config=RunConfig(failure_config=FailureConfig({arguments}))"))

    assert set(codes(result, Kind.MANUAL)) <= {"MT403", "MT104"}
    assert not result.changed


def test_callbacks_and_stoppers_are_the_tuners() -> None:
    callbacks = "[WandbLoggerCallback(project='p')]"
    stop = "lambda trial, result: result['loss'] < 1"
    output = after(
        migrate(
            tuned(
                before="from ray.air.callbacks.wandb import WandbLoggerCallback",
                trainer=f"run_config=RunConfig(stop={stop}, callbacks={callbacks})",
            )
        )
    )

    assert "from ray.air.integrations.wandb import WandbLoggerCallback" in output
    assert f"callbacks = {callbacks}" in output
    assert f"run_config=tune.RunConfig(stop={stop}, callbacks=callbacks)" in " ".join(output.split()).replace(
        "tune.RunConfig( ", "tune.RunConfig("
    ).replace(", )", ")")


def test_what_only_the_tuners_function_knows() -> None:
    program = tuned().replace(
        'tuner = tune.Tuner(trainer, param_space={"lightning_config": space})\nresults = tuner.fit()\n',
        "def search(keep):\n"
        "    run = RunConfig(checkpoint_config=CheckpointConfig(num_to_keep=keep))\n"
        "    return tune.Tuner(trainer, param_space={'lightning_config': space}, run_config=run).fit()\n"
        "search(3)\n",
    )
    assert "def search" in program

    result = migrate(program)

    assert codes(result, Kind.MANUAL) == ["MT501"]
    assert not result.changed
