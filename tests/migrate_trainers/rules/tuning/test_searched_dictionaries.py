"""What tuned TransformersTrainers and AccelerateTrainers are given: their configuration, and in it the searched one."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest
from rewriting import ACCELERATE_IMPORTS, SCALING, TRANSFORMERS_IMPORTS, after, codes, findings, in_function, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

TUNE = "from ray import tune\nfrom ray.tune import Tuner\nfrom ray.tune.schedulers import PopulationBasedTraining\n"
TRANSFORMERS = f"""\
{TUNE}{TRANSFORMERS_IMPORTS}
def init(train_dataset, eval_dataset, **config):
    return Trainer(model=make_model(**config), args=TrainingArguments("out", report_to="none"))
"""
ACCELERATE = f"""\
{TUNE}{ACCELERATE_IMPORTS}
def loop(config):
    Accelerator(mixed_precision=config)
"""
# The trainer's class, its function and its argument for the configuration.
FORMS = {
    "Transformers": (TRANSFORMERS, "TransformersTrainer", "init", "trainer_init_config"),
    "Accelerate": (ACCELERATE, "AccelerateTrainer", "loop", "train_loop_config"),
}
each_trainer = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())


def filled(form: tuple[str, str, str, str], program: str) -> str:
    """A program of one trainer: TRAINER, FUNCTION, CONFIG and SCALING stand for what it says."""
    imports, trainer, function, config = form
    first = "trainer_init_per_worker" if trainer == "TransformersTrainer" else "train_loop_per_worker"
    program = program.replace("FIRST", first)
    more = ", accelerate_config={}" if trainer == "AccelerateTrainer" else ""
    text = dedent(program).replace("TRAINER", trainer).replace("FUNCTION", f"{function}{more}")
    return imports + text.replace("CONFIG", config).replace("SCALING", f"scaling_config={SCALING}")


def check(program: str) -> list[Any]:
    return assert_same_calls(program, after(migrate(program))).fits


SPACE = "{'lr': tune.grid_search([7, 8])}"
# The trainer's own configuration, and the searched one.
CONFIGURATIONS = {
    "none of its own": (None, SPACE),
    "an empty one": ("{}", SPACE),
    "other keys": ("{'width': 3}", SPACE),
    "the same key": ("{'width': 3, 'lr': 1}", SPACE),
    "several lines": (
        """{
        # The width.
        'width': 3,
        'lr': 1,  # unused
    }""",
        SPACE,
    ),
    "a dictionary in both": ("{'optim': {'lr': 1, 'momentum': 2}}", "{'optim': {'lr': tune.grid_search([7, 8])}}"),
    "a dictionary that a number replaces": ("{'optim': {'lr': 1}}", "{'optim': tune.uniform(7, 8)}"),
    "a number that a dictionary replaces": ("{'optim': 1}", "{'optim': {'lr': tune.uniform(7, 8)}}"),
    "a choice of dictionaries": ("{'optim': {'lr': 1}}", "{'optim': tune.grid_search([{'momentum': 2}, {'lr': 3}])}"),
    "a choice of all": ("{'width': 3, 'optim': {'a': 1}}", "tune.grid_search([{'optim': {'b': 2}}, {'width': 4}])"),
    "a call of dict": ("dict(width=3)", "dict(lr=tune.grid_search([7, 8]))"),
    "values of the driver": ("{'width': effect(3)}", "{'lr': tune.grid_search([effect(7), 8])}"),
    "a value that the driver makes": ("effect({'width': {'a': 1}})", "effect({'width': {'b': 2}})"),
    "a condition": ("{'width': 3} if 1 > 2 else {'width': 4}", SPACE),
    "unpacked": ("{**{'width': 3}}", SPACE),
}


@each_trainer
@pytest.mark.parametrize(("own", "space"), CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def test_configurations_are_merged(form: tuple[str, str, str, str], own: str | None, space: str) -> None:
    given = f"CONFIG={own}, " if own is not None else ""
    program = f"""
trainer = TRAINER(FUNCTION, {given}SCALING)
Tuner(trainer, param_space={{"CONFIG": {space}}}).fit()
"""
    check(filled(form, program))


@each_trainer
@pytest.mark.parametrize(("own", "space"), CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def test_configurations_in_variables(form: tuple[str, str, str, str], own: str | None, space: str) -> None:
    program = f"""
base = {own}
space = {space}
trainer = TRAINER(FUNCTION, CONFIG=base, SCALING)
Tuner(trainer, param_space={{"CONFIG": space}}).fit()
"""
    if own is None:
        program = program.replace("CONFIG=base, ", "")
    check(in_function(filled(form, program)))


PLACES = {
    "all in one expression": """
        Tuner(
            TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING),
            param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}},
        ).fit()
        """,
    "the trainer in a variable, the tuner in a function": """
        trainer = TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING)
        def search(samples=3):
            tuner = Tuner(trainable=trainer, param_space=dict(CONFIG={"lr": tune.grid_search([7, 8])}))
            return tuner.fit()
        search()
        """,
    "a variable that another trainer had before": """
        trainer = TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING)
        trainer.fit()
        trainer = TRAINER(FUNCTION, CONFIG={"width": 4}, SCALING)
        Tuner(trainer, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        """,
    "the search space in a variable": """
        # What is searched.
        param_space = {
            "CONFIG": {
                "lr": tune.grid_search([7, 8]),  # the rate
            },
        }
        # Each trial makes one.
        trainer = TRAINER(
            FUNCTION,
            # by default
            CONFIG={"width": 3},  # which is small
            SCALING,
        )
        Tuner(trainer, param_space=param_space).fit()
        """,
    "a function that makes the search space": """
        def make_space(depth):
            return {"CONFIG": {"lr": tune.grid_search([7, 8]), "depth": depth}}
        trainer = TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING)
        Tuner(trainer, param_space=make_space(effect(3))).fit()
        """,
    "a function that makes the search space in steps": """
        def make_space(depth=4):
            config = {"lr": tune.grid_search([7, 8]), "depth": depth}
            config["optim"] = effect("adam")
            space = dict(CONFIG=config)
            return space
        def search():
            trainer = TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING)
            return Tuner(trainer, param_space=make_space()).fit()
        search()
        """,
    "a trainer of a function": """
        def make(width):
            # Each trial makes one.
            trainer = TRAINER(FUNCTION, CONFIG={"width": width}, SCALING)
            return trainer
        Tuner(make(effect(4)), param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        """,
    "a trainer in an attribute": """
        class Study:
            def __init__(self, width):
                self.width = width
                self.trainer = TRAINER(FUNCTION, CONFIG={"width": self.width}, SCALING)
            def search(self):
                return Tuner(self.trainer, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        effect(Study(3).search().get_best_result("loss", "min").checkpoint.path)
        """,
    "a trainer that is a parameter": """
        def search(trainer, samples):
            tuner = Tuner(trainer, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}})
            effect(tuner.fit().get_best_result("loss", "min").checkpoint.path)
        search(TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING), samples=4)
        """,
    "the best checkpoint": """
        trainer = TRAINER(FUNCTION, SCALING)
        results = Tuner(trainer, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        best = results.get_best_result("loss", "min")
        effect(best.checkpoint.path)
        with best.checkpoint.as_directory() as folder:
            effect(folder)
        for result in results:
            effect(result.checkpoint.path)
        """,
    "configurations through a module": """
        from ray import air
        from project import args
        trainer = TRAINER(
            FUNCTION,
            scaling_config=air.ScalingConfig(num_workers=args.top_k),
            run_config=air.RunConfig(
                name=effect("own"), failure_config=air.FailureConfig(max_failures=args.top_k)
            ),
        )
        Tuner(trainer, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        """,
    "effects in their order": """
        trainer = TRAINER(
            run_config=RunConfig(name=effect("own"), storage_path=effect("there")),
            scaling_config=ScalingConfig(num_workers=effect(2)),
            CONFIG={"width": effect(3)},
            FIRST=FUNCTION,
        )
        Tuner(
            trainer,
            param_space={"CONFIG": {"lr": tune.grid_search([effect(7), 8])}},
            tune_config=tune.TuneConfig(num_samples=effect(1)),
        ).fit()
        """,
    "effects of a RunConfig that another replaces": """
        own = RunConfig(name=effect("own"))
        trainer = TRAINER(FUNCTION, SCALING, run_config=own)
        Tuner(trainer, run_config=RunConfig(name="search")).fit()
        other = TRAINER(FUNCTION, SCALING, run_config=RunConfig(name=effect("other")))
        Tuner(other, run_config=RunConfig(name="search")).fit()
        """,
    "effects of one expression": """
        Tuner(
            TRAINER(FUNCTION, CONFIG={"width": effect(3)}, scaling_config=ScalingConfig(num_workers=effect(2))),
            param_space={"CONFIG": {"lr": tune.grid_search([effect(7), 8])}},
            run_config=RunConfig(name=effect("search")),
        ).fit()
        """,
    "two tuners": """
        trainer = TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING)
        Tuner(trainer, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        Tuner(trainer, param_space={"CONFIG": {"depth": tune.grid_search([9])}}).fit()
        """,
    "a tuner that searches nothing": """
        trainer = TRAINER(FUNCTION, CONFIG={"width": 3, "lr": 1}, SCALING)
        Tuner(trainer).fit()
        """,
    "two tuners, one of which searches nothing": """
        trainer = TRAINER(FUNCTION, CONFIG={"width": 3, "lr": 1}, SCALING)
        Tuner(trainer).fit()
        Tuner(trainer, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        """,
    "two trainers": """
        first = TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING)
        second = TRAINER(FUNCTION, CONFIG={"width": 4}, SCALING)
        Tuner(first, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        Tuner(second, param_space={"CONFIG": {"lr": tune.grid_search([9])}}).fit()
        """,
    "beside a trainer that is fitted": """
        first = TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING)
        Tuner(first, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        second = TRAINER(FUNCTION, CONFIG={"width": 4, "lr": 1}, SCALING)
        second.fit()
        """,
    "a searched ScalingConfig": """
        trainer = TRAINER(FUNCTION, SCALING)
        scaling = ScalingConfig(num_workers=tune.grid_search([2, 3]))
        Tuner(trainer, param_space={"scaling_config": scaling, "CONFIG": {"lr": 1}}).fit()
        """,
    "a searched ScalingConfig in place": """
        trainer = TRAINER(FUNCTION, CONFIG={"lr": 1}, SCALING)
        Tuner(
            trainer,
            param_space={"scaling_config": ScalingConfig(resources_per_worker={"CPU": tune.grid_search([1, 2])},
                                                         num_workers=2)},
        ).fit()
        """,
    "a searched ScalingConfig as a dictionary": """
        trainer = TRAINER(FUNCTION, CONFIG={"lr": 1}, SCALING)
        Tuner(trainer, param_space={"scaling_config": {"num_workers": tune.grid_search([2, 3])}}).fit()
        """,
    "values that change later": """
        import argparse
        args = argparse.Namespace(width=1, workers=2)
        trainer = TRAINER(FUNCTION, CONFIG={"width": args.width},
                          scaling_config=ScalingConfig(num_workers=args.workers))
        args.width = args.workers = 5
        Tuner(trainer, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        """,
    "names that new code would take": """
        def train_func():
            return 1
        def train_driver():
            return 2
        config, trial_config, train_loop_config = train_func(), train_driver(), 3
        trainer = TRAINER(FUNCTION, CONFIG={"width": effect(config)}, SCALING)
        Tuner(trainer, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        effect((config, trial_config, train_loop_config, train_func(), train_driver()))
        """,
    "what the trials were": """
        trainer = TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING)
        results = Tuner(trainer, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
        best = results.get_best_result("loss", "min")
        effect(best.config["CONFIG"]["lr"])
        effect(best.metrics["config"]["CONFIG"]["lr"])
        effect(best.config.get("CONFIG")["lr"])
        config = best.config
        effect(config["CONFIG"]["lr"])
        metrics = best.metrics
        effect(metrics["config"]["CONFIG"]["lr"])
        effect(results.get_dataframe()["config/CONFIG/lr"])
        """,
}


@each_trainer
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_place_at_module_level(form: tuple[str, str, str, str], place: str) -> None:
    check(filled(form, place))


@each_trainer
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_place_in_a_function(form: tuple[str, str, str, str], place: str) -> None:
    check(in_function(filled(form, place)))


@pytest.mark.parametrize("form", FORMS)
def test_function_that_stays(form: str) -> None:
    program = """
effect(FUNCTION_NAME is None)
trainer = TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING)
Tuner(trainer, param_space={"CONFIG": {"lr": tune.grid_search([7, 8])}}).fit()
"""
    check(filled(FORMS[form], program.replace("FUNCTION_NAME", FORMS[form][2])))


LEFT = {
    "a variable that may hold another trainer": (
        "trainer = TRAINER(FUNCTION, SCALING)\nif effect(1):\n    trainer = TRAINER(FUNCTION, SCALING)\n"
        "Tuner(trainer).fit()",
        "MT501",
    ),
    "effects of one expression in another order": (
        "Tuner(param_space={'CONFIG': {'lr': effect(7)}}, trainable=TRAINER("
        "FUNCTION, scaling_config=ScalingConfig(num_workers=effect(2))))",
        "MT501",
    ),
    "a searched dataset": (
        "trainer = TRAINER(FUNCTION, SCALING)\nTuner(trainer, param_space={'datasets': {}})",
        "MT501",
    ),
    "a given checkpoint": (
        "trainer = TRAINER(FUNCTION, SCALING, resume_from_checkpoint=effect(1))\nTuner(trainer)",
        None,
    ),
    "other GPUs in the search space": (
        "trainer = TRAINER(FUNCTION, SCALING)\n"
        "Tuner(trainer, param_space={'scaling_config': ScalingConfig(num_workers=2, use_gpu=True)})",
        "MT501",
    ),
    "a ScalingConfig that one of two tuners searches": (
        "trainer = TRAINER(FUNCTION, SCALING)\nTuner(trainer)\n"
        "Tuner(trainer, param_space={'scaling_config': ScalingConfig(num_workers=2)})",
        "MT501",
    ),
    "a population that mutates nothing of it": (
        "trainer = TRAINER(FUNCTION, SCALING)\n"
        "Tuner(trainer, tune_config=tune.TuneConfig(scheduler=PopulationBasedTraining()))",
        "MT501",
    ),
}


@each_trainer
@pytest.mark.parametrize(("program", "code"), LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(form: tuple[str, str, str, str], program: str, code: str | None) -> None:
    result = migrate(filled(form, f"{program}\n"))

    assert not result.changed
    assert code is None or set(codes(result, Kind.MANUAL)) == {code}, findings(result)


def test_searched_accelerate_config() -> None:
    tuner = "Tuner(trainer, param_space={'accelerate_config': {'mixed_precision': tune.choice(['bf16'])}})"
    program = f"trainer = TRAINER(FUNCTION, SCALING)\n{tuner}\n"

    assert codes(migrate(filled(FORMS["Accelerate"], program)), Kind.MANUAL) == ["MT505"]


@each_trainer
def test_older_target_tunes_the_trainer_itself(form: tuple[str, str, str, str]) -> None:
    program = """
trainer = TRAINER(FUNCTION, CONFIG={"width": 3}, SCALING)
Tuner(trainer, param_space={"CONFIG": {"lr": tune.uniform(7, 8)}}).fit()
"""
    output = after(migrate(filled(form, program), target_version=(2, 9)))

    assert "train_driver" not in output
    assert 'train_loop_config={"width": 3}' in output
    assert 'Tuner(trainer, param_space={"train_loop_config": {"lr": tune.uniform(7, 8)}}).fit()' in output


def test_train_loop_of_another_module_takes_what_is_searched() -> None:
    program = """
from training import train_loop
trainer = TRAINER(train_loop, SCALING, accelerate_config={"mixed_precision": "bf16"})
Tuner(trainer, param_space={"train_loop_config": {"lr": tune.grid_search([7, 8])}}).fit()
"""
    assert "train_loop(config)" in after(migrate(filled(FORMS["Accelerate"], program)))


@pytest.mark.parametrize("loop", ["partial(scaled, 3)", "partial(scaled, effect(3))", "Job(effect(3)).run"])
def test_train_loop_that_is_made_for_the_trainer(loop: str) -> None:
    definitions = """
from functools import partial
def scaled(size, config):
    Accelerator(mixed_precision=(size, config))
class Job:
    def __init__(self, size):
        self.size = effect(size)
    def run(self, config):
        Accelerator(mixed_precision=(self.size, config))
"""
    program = f"""{definitions}
trainer = TRAINER({loop}, SCALING, accelerate_config={{}})
Tuner(trainer, param_space={{"train_loop_config": {{"lr": tune.grid_search([7, 8])}}}}).fit()
"""
    gpu = filled(FORMS["Accelerate"], program).replace("num_workers=2", "num_workers=2, use_gpu=True")
    check(gpu)
    check(gpu.replace(f"TRAINER({loop}", f"TRAINER(\n    train_loop_per_worker={loop}"))


@pytest.mark.parametrize(
    ("more", "is_lost"), [("", False), ("TRAINER(FUNCTION, SCALING).fit()\n", True)], ids=["tuned", "fitted too"]
)
def test_reports_without_a_checkpoint(more: str, is_lost: bool) -> None:
    program = f"""
tuned = TRAINER(FUNCTION, SCALING)
Tuner(tuned, param_space={{"train_loop_config": {{"lr": 1}}}}).fit()
{more}"""
    reporting = filled(FORMS["Accelerate"], program).replace(
        "    Accelerator(", "    session.report({})\n    Accelerator("
    )

    assert ("MT404" in codes(migrate(reporting))) == is_lost


POPULATIONS = {
    "values to choose from": "{'lr': [8, 9]}",
    "a range": "{'lr': tune.uniform(8, 9), 'depth': tune.randint(1, 3)}",
    "nested": "{'optim': {'lr': tune.uniform(8, 9)}}",
}


@each_trainer
@pytest.mark.parametrize("is_in_function", [False, True], ids=["at module level", "in a function"])
@pytest.mark.parametrize("mutations", POPULATIONS.values(), ids=POPULATIONS.keys())
def test_population(form: tuple[str, str, str, str], mutations: str, is_in_function: bool) -> None:
    program = filled(
        form,
        f"""
mutations = {mutations}
scheduler = PopulationBasedTraining(hyperparam_mutations={{"CONFIG": mutations}})
trainer = TRAINER(FUNCTION, CONFIG={{"width": 3, "optim": {{"lr": 1}}}}, SCALING)
Tuner(
    trainer,
    param_space={{"CONFIG": {{"lr": tune.grid_search([7, 8])}}}},
    tune_config=tune.TuneConfig(scheduler=scheduler),
).fit()
""",
    )
    check(in_function(program) if is_in_function else program)


@pytest.mark.parametrize(
    "line", ["checkpoint = session.get_checkpoint()", "if session.get_checkpoint() is None:\n        effect(config)"]
)
def test_population_whose_function_asks_for_a_checkpoint(line: str) -> None:
    mutations = "PopulationBasedTraining(hyperparam_mutations={'train_loop_config': {'lr': [8, 9]}})"
    program = filled(
        FORMS["Accelerate"],
        f"""
trainer = TRAINER(FUNCTION, SCALING)
Tuner(trainer, tune_config=tune.TuneConfig(scheduler={mutations})).fit()
""",
    ).replace("    Accelerator(", f'    """Train."""\n    {line}\n    Accelerator(')

    output = after(migrate(program))

    assert '"""Train."""\n    resume_from_checkpoint = config.pop("resume_from_checkpoint")\n' in output
    assert "get_checkpoint() or resume_from_checkpoint" in output
    assert_same_calls(program, output)


def test_population_whose_helper_asks_for_a_checkpoint() -> None:
    mutations = "PopulationBasedTraining(hyperparam_mutations={'train_loop_config': {'lr': [8, 9]}})"
    program = f"""
def restored():
    return session.get_checkpoint()
trainer = TRAINER(FUNCTION, SCALING)
Tuner(trainer, tune_config=tune.TuneConfig(scheduler={mutations})).fit()
"""
    assert codes(migrate(filled(FORMS["Accelerate"], program)), Kind.MANUAL) == ["MT501"]
