"""The trainer's own builder and the search space's, merged as Ray did, wherever they are written."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest
from rewriting import BASE, LIGHTNING_IMPORTS, SCALING, after, in_function, migrate, tuned
from worker_calls import assert_same_calls

IMPORTS = f"{LIGHTNING_IMPORTS}from ray import tune\nfrom ray.tune import Tuner\n"
WHOLE = ".module(Net, lr=tune.choice([7])).trainer(max_epochs=2).fit_params(datamodule=DM())"


def check(program: str) -> list[Any]:
    """The framework calls of the first trial's first worker, which are the same before and after."""
    recording = assert_same_calls(dedent(program), after(migrate(program)))
    return [(name, *details) for name, *details in recording.fits[0]["workers"][0]]


def arguments(calls: list[Any], name: str) -> Any:
    return next(details[-1] for called, *details in calls if called == name)


BUILDERS: dict[str, tuple[str | None, str, dict[str, Any]]] = {
    "no builder of its own": (None, WHOLE, {"lr": 7}),
    "an empty one": ("", WHOLE, {"lr": 7}),
    "the class in both": (BASE, ".module(Net, lr=tune.choice([7]))", {"width": 3, "lr": 7}),
    "the class in its own": (BASE, ".module(lr=tune.choice([7]))", {"width": 3, "lr": 7}),
    "unpacked keywords": (
        ".module(Net, **{'width': 3, 'lr': 1}).trainer(**dict(max_epochs=2)).fit_params(datamodule=DM())",
        ".module(**{'lr': tune.choice([7])})",
        {"width": 3, "lr": 7},
    ),
    "a grid": (BASE, ".module(lr=tune.grid_search([7, 8]))", {"width": 3, "lr": 7}),
    "a searched keyword that it has": (BASE, ".module(width=tune.uniform(7, 8))", {"width": 7}),
    "a plain keyword that it has": (BASE, ".module(width=7, lr=tune.choice([1]))", {"width": 7, "lr": 1}),
    "a dictionary in both": (
        ".module(Net, config={'a': 1, 'b': {'c': 1, 'd': 2}}).fit_params(datamodule=DM())",
        ".module(config={'b': {'d': tune.choice([7])}})",
        {"config": {"a": 1, "b": {"c": 1, "d": 7}}},
    ),
    "a dictionary that a number replaces": (
        ".module(Net, config={'a': 1}).fit_params(datamodule=DM())",
        ".module(config=tune.uniform(7, 8))",
        {"config": 7},
    ),
    "a number that a dictionary replaces": (
        ".module(Net, config=1).fit_params(datamodule=DM())",
        ".module(config={'a': tune.choice([7])})",
        {"config": {"a": 7}},
    ),
    "a value that may be a dictionary or none": (
        ".module(Net, config=effect(3)).fit_params(datamodule=DM())",
        ".module(config=effect(4), lr=tune.choice([7]))",
        {"config": 4, "lr": 7},
    ),
    "a choice of dictionaries": (
        ".module(Net, config={'a': 1}).fit_params(datamodule=DM())",
        ".module(config=tune.choice([{'b': 2}, {'c': 3}]))",
        {"config": {"a": 1, "b": 2}},
    ),
    "a value that only the driver can make": (BASE, ".module(lr=tune.choice([effect(7)]))", {"width": 3, "lr": 7}),
    "keywords of two methods with one name": (
        BASE,
        ".trainer(max_epochs=tune.choice([3])).module(max_epochs=tune.choice([7]))",
        {"width": 3, "max_epochs": 7},
    ),
    "a keyword that is called as another's key would be": (
        BASE,
        ".module(max_epochs=tune.choice([1]), trainer_max_epochs=tune.choice([7]))"
        ".trainer(max_epochs=tune.choice([3]))",
        {"width": 3, "max_epochs": 1, "trainer_max_epochs": 7},
    ),
}


@pytest.mark.parametrize(("base", "space", "module"), BUILDERS.values(), ids=BUILDERS.keys())
def test_builders_are_merged(base: str | None, space: str, module: dict[str, Any]) -> None:
    calls = check(tuned(space, base=base))

    assert arguments(calls, "module")[2] == module


OTHERS = {
    "trainer": (".trainer(max_epochs=tune.choice([3]), accumulate_grad_batches=4)", "pl.Trainer", "max_epochs", 3),
    "strategy": (".strategy(find_unused_parameters=tune.choice([True]))", None, "", None),
    "another strategy": (".strategy('fsdp')", None, "", None),
    "fit_params": (".fit_params(ckpt_path=tune.choice(['saved']))", "fit", "ckpt_path", "saved"),
    "data": (".fit_params(datamodule=tune.choice([DM()]))", None, "", None),
    "checkpointing": (".checkpointing(monitor='val_loss', mode='max', save_top_k=2)", None, "", None),
    "searched checkpointing": (".checkpointing(save_top_k=tune.choice([3]))", None, "", None),
    "a schedule": (".checkpointing(every_n_epochs=2)", None, "", None),
}


@pytest.mark.parametrize(("space", "call", "keyword", "value"), OTHERS.values(), ids=OTHERS.keys())
def test_other_methods(space: str, call: str | None, keyword: str, value: object) -> None:
    calls = check(tuned(f".module(lr=tune.choice([7])){space}"))

    if call is not None:
        assert arguments(calls, call)[keyword] == value


PLACES = {
    "all in one expression": """
        Tuner(
            LightningTrainer(LightningConfigBuilder(){base}.build(), scaling_config={scaling}),
            param_space={{"lightning_config": LightningConfigBuilder(){space}.build()}},
        ).fit()
        """,
    "statement by statement": """
        builder = LightningConfigBuilder()
        builder.module(Net, width=3)
        builder.trainer(max_epochs=2)
        builder.fit_params(datamodule=DM())
        trainer = LightningTrainer(builder.build(), scaling_config={scaling})
        space = LightningConfigBuilder()
        space.module(lr=tune.choice([7]))
        space.trainer(max_epochs=tune.choice([3]))
        Tuner(trainable=trainer, param_space={{"lightning_config": space.build()}}).fit()
        """,
    "effects of the Tuner's RunConfig and search space": """
        trainer = LightningTrainer(
            LightningConfigBuilder(){base}.build(), scaling_config=ScalingConfig(num_workers=effect(2))
        )
        Tuner(
            trainer,
            run_config=RunConfig(name=effect("search"), storage_path=effect("there")),
            param_space={{"lightning_config": LightningConfigBuilder(){space}.module(depth=effect(4)).build()}},
        ).fit()
        """,
    "the tuner in a function": """
        base = LightningConfigBuilder(){base}.build()
        trainer = LightningTrainer(lightning_config=base, scaling_config={scaling})
        def search(samples=3):
            space = LightningConfigBuilder(){space}.build()
            tuner = Tuner(trainer, param_space=dict(lightning_config=space))
            return tuner.fit()
        search()
        """,
    "the search space in a variable": """
        trainer = LightningTrainer(LightningConfigBuilder(){base}.build(), scaling_config={scaling})
        param_space = {{
            # What is tried.
            "lightning_config": LightningConfigBuilder()
            {space}  # the rate
            .build(),
        }}
        tuner = Tuner(trainer, param_space=param_space)
        tuner.fit()
        """,
    "a function that makes the search space": """
        trainer = LightningTrainer(LightningConfigBuilder(){base}.build(), scaling_config={scaling})
        def make_space(depth=4):
            config = LightningConfigBuilder(){space}.module(depth=tune.choice([depth])).build()
            return {{"lightning_config": config}}
        Tuner(trainer, param_space=make_space()).fit()
        """,
    "a trainer of a function": """
        def make(epochs):
            # Each trial makes one.
            trainer = LightningTrainer(
                LightningConfigBuilder(){base}.trainer(max_epochs=epochs).build(), scaling_config={scaling}
            )
            return trainer
        space = LightningConfigBuilder(){space}.build()
        Tuner(make(effect(4)), param_space={{"lightning_config": space}}).fit()
        """,
    "a trainer that a function returns at once": """
        def make(epochs):
            return LightningTrainer(
                LightningConfigBuilder(){base}.trainer(max_epochs=epochs).build(), scaling_config={scaling}
            )
        def search():
            trainer = make(4)
            space = LightningConfigBuilder(){space}.build()
            return Tuner(trainer, param_space={{"lightning_config": space}}).fit()
        search()
        """,
    "a trainer in an attribute": """
        class Stranger(pl.LightningModule):
            def step(self):
                return self.trainer.global_rank
        class Study:
            def __init__(self, epochs):
                self.trainer = LightningTrainer(
                    LightningConfigBuilder(){base}.trainer(max_epochs=epochs).build(), scaling_config={scaling}
                )
            def search(self):
                space = LightningConfigBuilder(){space}.build()
                self.tuner = Tuner(self.trainer, param_space={{"lightning_config": space}})
                return self.tuner.fit()
        effect(Study(4).search().get_best_result("loss", "min").checkpoint.path)
        """,
    "a trainer of a method": """
        class Study:
            def __init__(self, epochs):
                self.epochs = epochs
            def make(self):
                base = LightningConfigBuilder(){base}.trainer(max_epochs=self.epochs).build()
                return LightningTrainer(base, scaling_config={scaling})
            def search(self):
                space = LightningConfigBuilder(){space}.build()
                return Tuner(self.make(), param_space={{"lightning_config": space}}).fit()
        Study(4).search()
        """,
    "a trainer that is a parameter": """
        def search(samples, trainer):
            space = LightningConfigBuilder(){space}.build()
            tuner = Tuner(trainer, param_space={{"lightning_config": space}})
            return tuner.fit()
        trainer = LightningTrainer(LightningConfigBuilder(){base}.build(), scaling_config={scaling})
        search(1, trainer=trainer)
        """,
    "a trainer that is a parameter at once": """
        def search(trainer, samples):
            space = LightningConfigBuilder(){space}.build()
            return Tuner(trainer, param_space={{"lightning_config": space}}).fit()
        search(LightningTrainer(LightningConfigBuilder(){base}.build(), scaling_config={scaling}), 3)
        """,
    "two tuners": """
        trainer = LightningTrainer(LightningConfigBuilder(){base}.build(), scaling_config={scaling})
        space = LightningConfigBuilder(){space}.build()
        def one():
            return Tuner(trainer, param_space={{"lightning_config": space}}).fit()
        def two(samples):
            return Tuner(trainer, param_space={{"lightning_config": space}}).fit()
        one()
        two(3)
        """,
    "two trainers": """
        first = LightningTrainer(LightningConfigBuilder(){base}.build(), scaling_config={scaling})
        second = LightningTrainer(LightningConfigBuilder(){base}.build(), scaling_config={scaling})
        Tuner(first, param_space={{"lightning_config": LightningConfigBuilder(){space}.build()}}).fit()
        Tuner(second, param_space={{"lightning_config": LightningConfigBuilder(){space}.build()}}).fit()
        """,
    "beside a trainer that is fitted": """
        first = LightningTrainer(LightningConfigBuilder(){base}.build(), scaling_config={scaling})
        Tuner(first, param_space={{"lightning_config": LightningConfigBuilder(){space}.build()}}).fit()
        second = LightningTrainer(LightningConfigBuilder(){base}.build(), scaling_config={scaling})
        second.fit()
        """,
    "no search space": """
        trainer = LightningTrainer(LightningConfigBuilder(){base}.build(), scaling_config={scaling})
        Tuner(trainer).fit()
        """,
    "names that new code would take": """
        def train_func():
            return 1
        def train_driver():
            return 2
        search_space, config, reports = train_func(), train_driver(), 3
        trainer = LightningTrainer(
            LightningConfigBuilder(){base}.module(Net, config=config).build(), scaling_config={scaling}
        )
        Tuner(trainer, param_space={{"lightning_config": LightningConfigBuilder(){space}.build()}}).fit()
        effect((search_space, config, reports, train_func(), train_driver()))
        """,
    "values that change later": """
        import argparse
        args = argparse.Namespace(width=1, lr=2, workers=2)
        trainer = LightningTrainer(
            LightningConfigBuilder(){base}.module(Net, width=args.width).build(),
            scaling_config=ScalingConfig(num_workers=args.workers),
        )
        space = LightningConfigBuilder().module(lr=tune.choice([args.lr])).build()
        args.lr = args.width = args.workers = 5
        Tuner(trainer, param_space={{"lightning_config": space}}).fit()
        """,
}
FILLED = {
    name: dedent(place).format(base=BASE, space=".module(lr=tune.choice([7]))", scaling=SCALING)
    for name, place in PLACES.items()
}


@pytest.mark.parametrize("place", FILLED.values(), ids=FILLED.keys())
def test_place_at_module_level(place: str) -> None:
    check(IMPORTS + place)


@pytest.mark.parametrize("place", FILLED.values(), ids=FILLED.keys())
def test_place_in_a_function(place: str) -> None:
    check(in_function(IMPORTS + place))


POPULATIONS = {
    "a builder in the mutations": (
        "{'lightning_config': LightningConfigBuilder().module(lr=tune.uniform(8, 9)).build()}"
    ),
    "values to choose from": "{'lightning_config': LightningConfigBuilder().module(lr=[8, 9]).build()}",
    "a keyword of the Lightning trainer": (
        "dict(lightning_config=LightningConfigBuilder().trainer(gradient_clip_val=tune.uniform(8, 9)).build())"
    ),
}


@pytest.mark.parametrize("is_in_function", [False, True], ids=["at module level", "in a function"])
@pytest.mark.parametrize("mutations", POPULATIONS.values(), ids=POPULATIONS.keys())
def test_population(mutations: str, is_in_function: bool) -> None:
    program = tuned(
        before=f"scheduler = PopulationBasedTraining(hyperparam_mutations={mutations})",
        tuner="tune_config=tune.TuneConfig(scheduler=scheduler)",
    )

    check(in_function(program) if is_in_function else program)


HANDWRITTEN = {
    "a keyword": "{'_module_init_config': {'lr': tune.choice([7])}}",
    "keywords of two methods": (
        "{'_module_init_config': {'lr': tune.choice([7])}, '_trainer_init_config': {'max_epochs': tune.choice([3])}}"
    ),
    "several lines": """{
        # The module's.
        "_module_init_config": {
            "lr": tune.choice([7]),  # the rate
            "width": 5,
        },
        "_model_checkpoint_config": {"save_top_k": 2},
    }""",
    "nothing": "{'_module_init_config': {}}",
}


@pytest.mark.parametrize("is_in_variable", [False, True], ids=["in place", "in a variable"])
@pytest.mark.parametrize("written", HANDWRITTEN.values(), ids=HANDWRITTEN.keys())
def test_written_out_as_a_dictionary(written: str, is_in_variable: bool) -> None:
    program = f"{IMPORTS}trainer = LightningTrainer(LightningConfigBuilder(){BASE}.build(), scaling_config={SCALING})\n"
    program += f"space = {written}\n" if is_in_variable else ""
    program += f"Tuner(trainer, param_space={{'lightning_config': {'space' if is_in_variable else written}}}).fit()\n"

    check(program)


def test_mutations_written_out_as_a_dictionary() -> None:
    mutations = "{'lightning_config': {'_module_init_config': {'lr': tune.uniform(8, 9), 'width': [1, 2]}}}"

    check(
        tuned(
            before=f"scheduler = PopulationBasedTraining(hyperparam_mutations={mutations})",
            tuner="tune_config=tune.TuneConfig(scheduler=scheduler)",
        )
    )


def test_bounds_of_a_population() -> None:
    check(
        tuned(
            before="""
            from ray.tune.schedulers.pb2 import PB2
            bounds = LightningConfigBuilder().module(lr=[8, 9]).build()
            """,
            tuner="tune_config=tune.TuneConfig(scheduler=PB2(hyperparam_bounds={'lightning_config': bounds}))",
        )
    )


def test_older_target_tunes_the_trainer_itself() -> None:
    output = after(migrate(tuned(tuner="run_config=RunConfig(name='search')"), target_version=(2, 9)))

    assert "train_driver" not in output
    assert "trainer = TorchTrainer(train_func, scaling_config=" in output
    assert 'search_space = {"lr": tune.choice([7])}' in output
    assert 'tune.Tuner(trainer, param_space={"train_loop_config": search_space}, run_config=RunConfig(' in output
