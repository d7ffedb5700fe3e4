"""Search algorithms with a search space of their own, or points that they try first, reach the train function too."""

from __future__ import annotations

import pytest
from rewriting import ACCELERATE_IMPORTS, SCALING, TRANSFORMERS_IMPORTS, after, codes, findings, migrate, tuned
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

TUNE = """\
from ray import tune
from ray.tune.search import BasicVariantGenerator, ConcurrencyLimiter
from ray.tune.search.hyperopt import HyperOptSearch
from ray.tune.search.optuna import OptunaSearch
"""
HEADS = {
    "Transformers": f"""{TUNE}{TRANSFORMERS_IMPORTS}
def init(train_dataset, eval_dataset, **config):
    return Trainer(model=make_model(**config), args=TrainingArguments("out", report_to="none"))

trainer = TransformersTrainer(init, CONFIG={{"width": 3, "optim": {{"a": 1}}}}, scaling_config={SCALING})
""".replace("CONFIG", "trainer_init_config"),
    "Accelerate": f"""{TUNE}{ACCELERATE_IMPORTS}
def loop(config):
    Accelerator(mixed_precision=config)

trainer = AccelerateTrainer(
    loop, CONFIG={{"width": 3, "optim": {{"a": 1}}}}, accelerate_config={{}}, scaling_config={SCALING}
)
""".replace("CONFIG", "train_loop_config"),
}
KEYS = {"Transformers": "trainer_init_config", "Accelerate": "train_loop_config"}
each_trainer = pytest.mark.parametrize("trainer", HEADS)
SPACE = "{'CONFIG': {'lr': tune.grid_search([7, 8])}}"
PLAIN = "tune.Tuner(trainer, tune_config=tune.TuneConfig(search_alg=algorithm)).fit()"
ALGORITHMS = {
    "a search space": f"algorithm = OptunaSearch({SPACE}, metric='loss', mode='min')\n{PLAIN}",
    "a search space by its name": f"algorithm = HyperOptSearch(space={SPACE})\n{PLAIN}",
    "a search space in a variable": f"space = {SPACE}\nalgorithm = OptunaSearch(space=space)\n{PLAIN}",
    "a search space of paths": (
        f"algorithm = OptunaSearch({{'CONFIG/optim/b': tune.uniform(7, 8), 'CONFIG/width': 4}})\n{PLAIN}"
    ),
    "points": (
        "algorithm = ConcurrencyLimiter(HyperOptSearch(points_to_evaluate=[{'CONFIG': {'lr': 5}}]), max_concurrent=2)\n"
        f"tune.Tuner(trainer, param_space={SPACE}, tune_config=tune.TuneConfig(search_alg=algorithm)).fit()"
    ),
    "points of paths in a variable": (
        "points = [{'CONFIG/lr': 5}, {'CONFIG/lr': 6, 'CONFIG/optim/b': 2}]\n"
        "algorithm = BasicVariantGenerator(points_to_evaluate=points)\n"
        f"tune.Tuner(trainer, param_space={SPACE}, tune_config=tune.TuneConfig(search_alg=algorithm)).fit()"
    ),
}


@each_trainer
@pytest.mark.parametrize("search", ALGORITHMS.values(), ids=ALGORITHMS.keys())
def test_algorithm(trainer: str, search: str) -> None:
    program = HEADS[trainer] + search.replace("CONFIG", KEYS[trainer]) + "\n"

    assert_same_calls(program, after(migrate(program)))


LEFT = {
    "a space that is a function": f"def space(trial):\n    return {{}}\nalgorithm = OptunaSearch(space)\n{PLAIN}",
    "points that may be anything": f"algorithm = OptunaSearch(points_to_evaluate=effect([]))\n{PLAIN}",
    "another argument of the trainer": f"algorithm = OptunaSearch({{'scaling_config/num_workers': 2}})\n{PLAIN}",
    "arguments behind a star": f"kw = {{'space': {{}}}}\nalgorithm = OptunaSearch(**kw)\n{PLAIN}",
}


@each_trainer
@pytest.mark.parametrize("search", LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(trainer: str, search: str) -> None:
    result = migrate(HEADS[trainer] + search + "\n")

    assert codes(result, Kind.MANUAL) == ["MT501"], findings(result)


@pytest.mark.parametrize(
    "argument",
    [
        "points_to_evaluate=[{'lightning_config': {'_module_init_config': {'lr': 5}}}]",
        "points_to_evaluate=[{'lightning_config/_module_init_config/lr': 5}]",
        "space={'lightning_config': LightningConfigBuilder().module(lr=tune.uniform(1, 2)).build()}",
    ],
)
def test_configurations_of_lightning(argument: str) -> None:
    program = tuned(
        before=f"from ray.tune.search.optuna import OptunaSearch\nalgorithm = OptunaSearch({argument})",
        tuner="tune_config=tune.TuneConfig(search_alg=algorithm)",
    )

    assert codes(migrate(program), Kind.MANUAL) == ["MT501"]
