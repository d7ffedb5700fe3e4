"""Trials that Tune starts again: after a pause, from another trial's checkpoint, or with a search that is restored."""

from __future__ import annotations

import pytest
from rewriting import ACCELERATE_IMPORTS, SCALING, TRANSFORMERS_IMPORTS, after, codes, findings, migrate, tuned
from worker_calls import assert_same_calls

from migrate_trainers import Settings
from migrate_trainers.findings import Kind

NEWEST = Settings().target_version
RESUMES = "checkpoint = ray.train.get_checkpoint()"
SCHEDULERS = "from ray.tune.schedulers import HyperBandScheduler, MedianStoppingRule"


def scheduled(scheduler: str) -> str:
    return tuned(
        before=f"{SCHEDULERS}\nscheduler = {scheduler}", tuner="tune_config=tune.TuneConfig(scheduler=scheduler)"
    )


@pytest.mark.parametrize("scheduler", ["HyperBandScheduler(max_t=4)", "MedianStoppingRule(hard_stop=False)"])
@pytest.mark.parametrize("target", [(2, 9), NEWEST], ids=str)
def test_paused_trials_go_on_from_their_checkpoints(target: tuple[int, int], scheduler: str) -> None:
    program = scheduled(scheduler)

    result = migrate(program, target_version=target)

    assert RESUMES in after(result)
    assert ("MT504" in codes(result)) == (target == NEWEST)
    if target == NEWEST:
        assert "fit_in_trial(trainer, reports)" in after(result)
        assert_same_calls(program, after(result))


UNKNOWN = {
    "a file of configurations": "tune.schedulers.PopulationBasedTrainingReplay('policy.txt')",
    "a name": "'pbt'",
    "made by a name": "tune.create_scheduler('hyperband', max_t=3)",
    "made by any name": "tune.create_scheduler(effect('asha'))",
    "mutations by position": "PopulationBasedTraining('time', 'loss', 'min', 1, 0, {'lightning_config': {}})",
    "mutations behind a star": "PopulationBasedTraining(**effect({}))",
    "other mutations": "PopulationBasedTraining(hyperparam_mutations={'lightning_config/lr': [1, 2]})",
    "one of another file": "make_scheduler(max_t=3)\nfrom project import make_scheduler",
    "one of another file's module": "project.schedulers.best\nimport project",
    "a class that derives from one": "Own()\nclass Own(HyperBandScheduler):\n    pass",
}


@pytest.mark.parametrize("scheduler", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_schedulers_that_are_left(scheduler: str) -> None:
    program = scheduled(scheduler).replace("scheduler=scheduler", f"scheduler={scheduler.splitlines()[0]}")
    result = migrate(program)

    assert set(codes(result, Kind.MANUAL)) == {"MT501"}, findings(result)


@pytest.mark.parametrize(
    "scheduler",
    ["'asha'", "tune.create_scheduler('async_hyperband', max_t=3)", "MedianStoppingRule('t', 'loss', hard_stop=True)"],
)
def test_schedulers_that_only_stop_trials(scheduler: str) -> None:
    program = scheduled(scheduler).replace("scheduler=scheduler", f"scheduler={scheduler}")

    assert RESUMES not in after(migrate(program))


RESTORED = """
if tune.Tuner.can_restore("/runs/search"):
    tuner = tune.Tuner.restore("/runs/search", TRAINER)
"""


@pytest.mark.parametrize("target", [(2, 9), NEWEST], ids=str)
@pytest.mark.parametrize("given", ["trainable=trainer, resume_errored=True", "trainer, restart_errored=True"])
def test_restored_search_goes_on(given: str, target: tuple[int, int]) -> None:
    program = tuned(behind=RESTORED.replace("TRAINER", given))

    result = migrate(program, target_version=target)

    assert RESUMES in after(result)
    assert "MT508" in codes(result)
    if target == NEWEST:
        assert 'restore("/runs/search", ' in after(result)
        assert f"{given.partition('trainer')[0]}tune.with_resources(train_driver" in after(result)
        assert_same_calls(program, after(result))


def test_train_loop_without_a_parameter_can_not_be_told_where_it_starts() -> None:
    program = f"""\
{ACCELERATE_IMPORTS}from ray import tune

def loop():
    checkpoint = session.get_checkpoint()
    Accelerator(mixed_precision=checkpoint)

trainer = AccelerateTrainer(loop, accelerate_config={{}}, scaling_config={SCALING})
tune.run(trainer.as_trainable(), num_samples=2, max_failures=3)
"""
    assert codes(migrate(program), Kind.MANUAL) == ["MT501"]
    assert migrate(program.replace("max_failures=3", "verbose=1")).changed


RESTORED_OTHERWISE = {
    "with a search space of its own": "trainable=trainer, param_space={'lightning_config': space}",
    "with arguments behind a star": "trainable=trainer, **effect({})",
}


@pytest.mark.parametrize("given", RESTORED_OTHERWISE.values(), ids=RESTORED_OTHERWISE.keys())
def test_restored_search_that_is_left(given: str) -> None:
    result = migrate(tuned(behind=RESTORED.replace("TRAINER", given)))

    assert set(codes(result, Kind.MANUAL)) <= {"MT501", "MT104"}
    assert not result.changed


@pytest.mark.parametrize("more", ["max_failures=2", "resume=True"])
def test_run_whose_trials_are_tried_again(more: str) -> None:
    program = f"""\
{TRANSFORMERS_IMPORTS}from ray import tune

def init(train_dataset, eval_dataset, **config):
    return Trainer(model=make_model(**config), args=TrainingArguments("out", report_to="none"))

trainer = TransformersTrainer(init, scaling_config={SCALING})
tune.run(trainer.as_trainable(), config={{"trainer_init_config": {{"lr": tune.uniform(0, 1)}}}}, {more})
"""
    assert "trainer.train(resume_from_checkpoint=" in after(migrate(program))
