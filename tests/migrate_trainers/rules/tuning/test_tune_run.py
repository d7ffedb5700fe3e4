"""`tune.run(trainer.as_trainable())`: the driver function is run instead, with what is left of the arguments."""

from __future__ import annotations

import pytest
from rewriting import ACCELERATE_IMPORTS, BASE, LIGHTNING_IMPORTS, SCALING, after, codes, in_function, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

HEAD = f"""\
{ACCELERATE_IMPORTS}from ray import tune
from ray.tune.schedulers import HyperBandScheduler, PopulationBasedTraining

def loop(config):
    Accelerator(mixed_precision=config)
"""
TRAINER = f"AccelerateTrainer(loop, train_loop_config={{'width': 3}}, accelerate_config={{}}, scaling_config={SCALING})"
OWN = f"trainer = {TRAINER}\n"
SPACE = "{'train_loop_config': {'lr': tune.grid_search([7, 8])}}"
FORMS = {
    "in place": f"{OWN}tune.run(trainer.as_trainable(), config={SPACE}, num_samples=2)",
    "in one expression": f"tune.run({TRAINER}.as_trainable(), config={SPACE})",
    "by its name": f"{OWN}tune.run(config={SPACE}, run_or_experiment=trainer.as_trainable())",
    "a variable": f"{OWN}trainable = trainer.as_trainable()\ntune.run(trainable, config={SPACE})",
    "a trainer of a function": (
        f"def make(width):\n    return {TRAINER.replace('3', 'width')}\n"
        f"tune.run(make(effect(3)).as_trainable(), config={SPACE})"
    ),
    "a trainable of a function": (
        f"def make():\n    {OWN}    return trainer.as_trainable()\ntune.run(make(), config={SPACE})"
    ),
    "the search space in a variable": f"{OWN}space = {SPACE}\ntune.run(trainer.as_trainable(), config=space)",
    "nothing searched": f"{OWN}tune.run(trainer.as_trainable())",
    "where it is stored": (
        f"{OWN}tune.run(trainer.as_trainable(), config={SPACE}, name='runs', storage_path='there', metric='loss',\n"
        "         checkpoint_config=CheckpointConfig(num_to_keep=2))"
    ),
    "effects in their order": (
        f"{OWN}tune.run(trainer.as_trainable(), name=effect('runs'), storage_path=effect('there'), config={SPACE},\n"
        "         stop=effect({}))"
    ),
    "a RunConfig of its own, which is not in force": (
        f"trainer = {TRAINER[:-1]}, run_config=RunConfig(name=effect('own'), storage_path='other'))\n"
        f"tune.run(trainer.as_trainable(), config={SPACE})"
    ),
    "what the trials were": (
        f"{OWN}analysis = tune.run(trainer.as_trainable(), config={SPACE}, metric='loss', mode='min')\n"
        "effect(analysis.best_config['train_loop_config']['lr'])\n"
        "effect(analysis.get_best_config('loss', 'min')['train_loop_config']['lr'])\n"
        "effect(analysis.best_result['config']['train_loop_config']['lr'])"
    ),
    "beside a function": (
        f"def other(config):\n    pass\n{OWN}tune.run(trainer.as_trainable(), config={SPACE})\n"
        "if effect(0):\n    tune.run(other)"
    ),
}


@pytest.mark.parametrize("is_in_function", [False, True], ids=["at module level", "in a function"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_form(form: str, is_in_function: bool) -> None:
    program = f"{HEAD}{form}\n"
    program = in_function(program) if is_in_function else program

    output = after(migrate(program))

    assert "as_trainable" not in output
    assert_same_calls(program, output)


def test_lightning() -> None:
    program = (
        f"{LIGHTNING_IMPORTS}from ray import tune\n"
        f"trainer = LightningTrainer(LightningConfigBuilder(){BASE}.build(), scaling_config={SCALING})\n"
        "space = LightningConfigBuilder().module(lr=tune.grid_search([7, 8])).build()\n"
        "analysis = tune.run(trainer.as_trainable(), config={'lightning_config': space}, metric='loss', mode='min')\n"
        "effect(analysis.best_config['lightning_config']['_module_init_config']['lr'])\n"
    )

    output = after(migrate(program))

    assert 'os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")' in output
    assert_same_calls(program, output)


def test_older_target_keeps_the_trainable() -> None:
    output = after(migrate(f"{HEAD}{FORMS['in place']}\n", target_version=(2, 9)))

    assert f"tune.run(trainer.as_trainable(), config={SPACE}, num_samples=2)" in output


def test_local_dir_has_another_name() -> None:
    program = f"{HEAD}{OWN}tune.run(trainer.as_trainable(), config={SPACE}, local_dir='there')\n"

    output = after(migrate(program))

    assert output.count("storage_path='there'") == 2


LEFT = {
    "a checkpoint of the best trial": "print(tune.run(trainer.as_trainable(), metric='loss').best_checkpoint)",
    "a checkpoint of a trial": "for trial in tune.run(trainer.as_trainable()).trials:\n    print(trial.checkpoint)",
    "arguments behind a star": "kw = {'num_samples': 2}\ntune.run(trainer.as_trainable(), **kw)",
    "several experiments": "tune.run_experiments({'one': {'run': trainer.as_trainable()}})",
    "registered by name": "tune.register_trainable('train', trainer.as_trainable())\ntune.run('train')",
    "checkpoints kept for a score that is only known later": (
        "tune.run(trainer.as_trainable(), checkpoint_score_attr=effect('loss'))"
    ),
    "checkpoints kept twice": (
        "tune.run(trainer.as_trainable(), keep_checkpoints_num=2, checkpoint_config=CheckpointConfig())"
    ),
}


@pytest.mark.parametrize("use", LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(use: str) -> None:
    result = migrate(f"{HEAD}{OWN}{use}\n")

    assert not result.changed
    assert set(codes(result, Kind.MANUAL)) <= {"MT501", "MT506", "MT104"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("keep_checkpoints_num=2", "num_to_keep=2"),
        ("keep_checkpoints_num=None", "num_to_keep=None"),
        (
            "keep_checkpoints_num=effect(2), num_samples=2, checkpoint_score_attr='min-loss'",
            "num_to_keep=effect(2), checkpoint_score_attribute='loss', checkpoint_score_order=\"min\"",
        ),
        (
            "checkpoint_score_attr='acc', keep_checkpoints_num=1",
            "num_to_keep=1, checkpoint_score_attribute='acc'",
        ),
        ("checkpoint_score_attr=None, keep_checkpoints_num=1", "num_to_keep=1"),
    ],
)
@pytest.mark.parametrize("imports", ["", "from ray.tune import run"], ids=["tune.run", "run"])
def test_older_arguments_of_kept_checkpoints(arguments: str, expected: str, imports: str) -> None:
    function = "run" if imports else "tune.run"
    program = f"{HEAD}{imports}\n{OWN}{function}(trainer.as_trainable(), {arguments})\n"

    output = after(migrate(program))

    made = output[
        output.index("CheckpointConfig(") if "effect" not in arguments else output.index("checkpoint_config =") :
    ]
    assert f"CheckpointConfig({expected})" in made
    assert "keep_checkpoints_num" not in output
    assert migrate(program, target_version=(2, 9)).after.decode().count(arguments) == 1


def test_population_keeps_its_checkpoints_in_tune() -> None:
    scheduler = "PopulationBasedTraining(hyperparam_mutations={'train_loop_config': {'lr': [8, 9]}})"
    program = (
        f"{HEAD}{OWN}tune.run(trainer.as_trainable(), config={SPACE}, scheduler={scheduler},\n"
        "         checkpoint_config=CheckpointConfig(num_to_keep=2))\n"
    )

    output = after(migrate(program))

    assert "checkpoint_config=tune.CheckpointConfig(num_to_keep=2))" in output
    assert_same_calls(program, output)
