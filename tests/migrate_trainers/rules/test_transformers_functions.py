"""Every form of `trainer_init_per_worker`: the Trainer is made as it was."""

from __future__ import annotations

import pytest
from rewriting import codes, findings, migrate
from transformers_forms import migrated, program

from migrate_trainers.findings import Kind

IN_PLACE = {
    "named configuration": """
        def init(train_ds, eval_ds, lr, size=3, epochs=1e1):
            return Trainer(make_model(lr, size, epochs), ARGS, train_dataset=train_ds)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "named configuration without any": """
        def init(train_ds, eval_ds, lr=1e-3, layers=(1, 2)):
            return Trainer(make_model(lr, layers), ARGS)
        TransformersTrainer(init, SCALING).fit()
        """,
    "keyword-only configuration": """
        def init(train_dataset, eval_dataset=None, *, lr, size=3):
            return Trainer(make_model(lr, size), ARGS)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "some of the configuration named": """
        def init(train_dataset, eval_dataset=None, size=3, other=None, **rest):
            return Trainer(make_model(size, other, **rest), ARGS)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "a configuration that is not read": """
        def init(train_dataset, eval_dataset=None, size=3, **_):
            return Trainer(make_model(size), ARGS)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "a parameter that is called config": """
        def init(train_dataset, eval_dataset, config):
            return Trainer(make_model(**config), ARGS)
        TransformersTrainer(init, trainer_init_config={"config": {"lr": 1}}, SCALING).fit()
        """,
    "a config of the module": """
        config = "mine"
        def init(train_dataset, eval_dataset, lr=1):
            return Trainer(make_model(lr, config), ARGS)
        TransformersTrainer(init, trainer_init_config={"lr": 2}, SCALING).fit()
        """,
    "a default of the module": """
        LR = 3
        def init(train_dataset, eval_dataset, lr=LR):
            return Trainer(make_model(lr), ARGS)
        TransformersTrainer(init, trainer_init_config={"size": 2} and {}, SCALING).fit()
        """,
    "datasets of the module under the parameters' names": """
        train_dataset, eval_dataset = [1], [2]
        def init(train_dataset, eval_dataset=None, **config):
            collate = lambda: train_dataset
            return Trainer(make_model(), ARGS, train_dataset=collate(), eval_dataset=eval_dataset)
        TransformersTrainer(init, SCALING).fit()
        """,
    "pops from its configuration": """
        def init(train_dataset, eval_dataset=None, **config):
            size = config.pop("size")
            config.setdefault("more", [])
            return Trainer(make_model(size, **config), ARGS)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "a return in each branch": """
        def init(train_dataset, eval_dataset=None, **config):
            if config["lr"] > 1:
                return Trainer(make_model("big"), ARGS)
            elif config["lr"] == 1:
                return Trainer(  # the usual one
                    make_model("usual"),
                    ARGS,
                )  # made
            else:
                return Trainer(make_model("small"), ARGS)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "returns under try": """
        def init(train_dataset, eval_dataset=None, **config):
            try:
                return Trainer(make_model(config["missing"]), ARGS)
            except KeyError:
                return Trainer(make_model(), ARGS)
            finally:
                effect("made")
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "returns in a with block": """
        import contextlib
        def init(train_dataset, eval_dataset=None, **config):
            with contextlib.nullcontext():
                return Trainer(make_model(), ARGS)
        TransformersTrainer(init, SCALING).fit()
        """,
    "returns a variable in a with block": """
        import contextlib
        def init(train_dataset, eval_dataset=None, **config):
            with contextlib.nullcontext():
                effect("inside")
                trainer = Trainer(make_model(), ARGS)
                return trainer
        TransformersTrainer(init, SCALING).fit()
        """,
    "returns a parameter": """
        def init(train_dataset, eval_dataset, trainer=None):
            trainer = trainer or Trainer(make_model(), ARGS)
            return trainer
        TransformersTrainer(init, SCALING).fit()
        """,
    "positional datasets": """
        def init(train_dataset, eval_dataset, /, **config):
            return Trainer(make_model(**config), ARGS)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "returns a variable of the module": """
        made = None
        def init(train_dataset, eval_dataset=None, **config):
            global made
            made = Trainer(make_model(), ARGS)
            return made
        TransformersTrainer(init, SCALING).fit()
        """,
    "a closure in a method": """
        class Job:
            size = 4
            def run(self, lr):
                def init(train_dataset, eval_dataset=None, **config):
                    return Trainer(make_model(self.size, lr, **config), ARGS)
                return TransformersTrainer(init, SETTINGS, SCALING).fit()
        Job().run(3)
        """,
    "a function of a class body": """
        class Job:
            def init(train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(), ARGS)
            trainer = TransformersTrainer(init, SCALING)
        Job.trainer.fit()
        """,
    "two trainers": """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(**config), ARGS)
        first = TransformersTrainer(init, SCALING)
        second = TransformersTrainer(init, SETTINGS, SCALING)
        second.fit()
        first.fit()
        """,
    "a list of trainers": """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(**config), ARGS)
        trainers = [TransformersTrainer(init, trainer_init_config={"lr": lr}, SCALING) for lr in (1, 2)]
        for trainer in trainers:
            trainer.fit()
        """,
    "a checkpoint that is given": """
        from ray.air import Checkpoint
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(**config), ARGS)
        start = Checkpoint.from_directory("start")
        TransformersTrainer(init, SETTINGS, SCALING, resume_from_checkpoint=start).fit()
        """,
    "a trainer behind a condition": """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(**config), ARGS)
        trainer = TransformersTrainer(init, SETTINGS, SCALING) if effect(True) else None
        trainer.fit()
        """,
}


@pytest.mark.parametrize("text", IN_PLACE.values(), ids=IN_PLACE.keys())
def test_function_becomes_the_train_function(text: str) -> None:
    assert "def init(" not in migrated(text)


def test_lines_go_behind_the_comments_at_the_end() -> None:
    text = migrated(
        """
        def init(train_dataset, eval_dataset=None, **config):
            if config:
                return Trainer(make_model(1), ARGS)
            else:
                return Trainer(make_model(2), ARGS)  # the usual one
                # in the block
            # in the function
        # in the module
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """
    )

    order = ["# the usual one", "# in the block", "# in the function", "trainer.train()", "# in the module"]
    assert sorted(order, key=text.index) == order


INLINED = {
    "a lambda": """
        size = 3
        TransformersTrainer(lambda train, eval, **config: Trainer(make_model(size), ARGS), SCALING).fit()
        """,
    "a lambda that hands nothing on": """
        def make_trainer():
            return Trainer(make_model(), ARGS)
        TransformersTrainer(lambda train, eval, **_: make_trainer(), SETTINGS, SCALING).fit()
        """,
    "a lambda with a configuration": """
        trainer = TransformersTrainer(
            trainer_init_per_worker=lambda train_dataset, eval_dataset, lr=5, **config: Trainer(
                make_model(lr, **config),  # the model
                ARGS,
                train_dataset=train_dataset,
            ),
            SETTINGS,
            SCALING,
        )
        trainer.fit()
        """,
    "a lambda of a loop's variable": """
        made = []
        for size in (1, 2):
            made.append(TransformersTrainer(lambda a, b, **c: Trainer(make_model(size), ARGS), SCALING))
        for trainer in made:
            trainer.fit()
        """,
}


@pytest.mark.parametrize("text", INLINED.values(), ids=INLINED.keys())
def test_body_of_a_lambda_moves(text: str) -> None:
    assert "lambda" not in migrated(text)


KEPT = {
    "an early return": """
        def init(train_dataset, eval_dataset=None, **config):
            if config:
                return Trainer(make_model(1), ARGS)
            return Trainer(make_model(2), ARGS)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "a return that may not be reached": """
        def init(train_dataset, eval_dataset=None, **config):
            if not config:
                effect("none")
            elif config["lr"] == 1:
                return Trainer(make_model(1), ARGS)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "returns in a loop": """
        def init(train_dataset, eval_dataset=None, **config):
            for size in (1, 2):
                return Trainer(make_model(size), ARGS)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "an option that it passes on unread": """
        def init(train_dataset, eval_dataset=None, lr=1, **config):
            return Trainer(make_model(**config), ARGS)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "a default that has an effect": """
        def init(train_dataset, eval_dataset=None, lr=effect(1), **config):
            return Trainer(make_model(lr), ARGS)
        TransformersTrainer(init, SCALING).fit()
        """,
    "a default that is bound again": """
        rate = 1
        def init(train_dataset, eval_dataset=None, lr=rate):
            return Trainer(make_model(lr), ARGS)
        rate = 2
        TransformersTrainer(init, SCALING).fit()
        """,
    "its variables' names": """
        def init(train_dataset, eval_dataset=None, **config):
            effect(sorted(locals()))
            return Trainer(make_model(), ARGS)
        TransformersTrainer(init, SCALING).fit()
        """,
    "offered to other modules": """
        __all__ = ["init"]
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(), ARGS)
        TransformersTrainer(init, SCALING).fit()
        """,
    "two trainers of which one restarts": """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(**config), ARGS)
        TransformersTrainer(init, SCALING, run_config=RunConfig(failure_config=FailureConfig(max_failures=2))).fit()
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "defined in each branch": """
        if effect(True):
            def init(train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(1), ARGS)
        else:
            def init(train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(2), ARGS)
        TransformersTrainer(init, SETTINGS, SCALING).fit()
        """,
    "one of two functions": """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(1), ARGS)
        def other(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(2), ARGS)
        first = True
        trainer = TransformersTrainer(init if first else other, SCALING)
        first = False
        trainer.fit()
        """,
    "deleted behind": """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(1), ARGS)
        trainer = TransformersTrainer(init, SETTINGS, SCALING)
        del init
        trainer.fit()
        """,
    "defined again behind": """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(1), ARGS)
        trainer = TransformersTrainer(init, SETTINGS, SCALING)
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(2), ARGS)
        trainer.fit()
        """,
    "on one line": """
        def init(train_dataset, eval_dataset=None, **config): return Trainer(make_model(), ARGS)
        TransformersTrainer(init, SCALING).fit()
        """,
    "with comments among its parameters": """
        def init(
            train_dataset,  # None
            eval_dataset=None,
            **config,
        ):
            return Trainer(make_model(), ARGS)
        TransformersTrainer(init, SCALING).fit()
        """,
    "the names that Ray is imported for are out of its reach": """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(), ARGS)
        def main():
            from ray.train.huggingface import TransformersTrainer
            TransformersTrainer(init, SCALING).fit()
        main()
        """,
    "a method that calls super": """
        class Base:
            size = 1
            def init(self, train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(self.size, **config), ARGS)
            def run(self):
                self.trainer = TransformersTrainer(trainer_init_per_worker=self.init, SETTINGS, SCALING)
                return self.trainer.fit()
        class Child(Base):
            size = 2
            def init(self, train_dataset, eval_dataset=None, **config):
                made = super().init(train_dataset, eval_dataset, **config)
                effect(made.model)
                return made
        Child().run()
        """,
    "a method that is replaced": """
        class Job:
            def init(self, train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(1), ARGS)
            def other(self, train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(2), ARGS)
            def run(self):
                trainer = TransformersTrainer(self.init, SCALING)
                self.init = self.other
                trainer.fit()
        Job().run()
        """,
    "a property": """
        class Job:
            @property
            def init(self):
                effect("read")
                return lambda train_dataset, eval_dataset=None, **config: Trainer(make_model(1), ARGS)
            def run(self):
                TransformersTrainer(self.init, SCALING).fit()
        Job().run()
        """,
    "a method of an object": """
        class Job:
            def init(self, train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(1), ARGS)
        job = Job()
        TransformersTrainer(job.init, SCALING).fit()
        """,
    "static and class methods": """
        class Task:
            @staticmethod
            def init(train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(1, **config), ARGS)
            @classmethod
            def made(cls, train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(cls.__name__, **config), ARGS)
        TransformersTrainer(Task.init, SETTINGS, SCALING).fit()
        TransformersTrainer(Task.made, SCALING).fit()
        """,
    "objects that are called": """
        class Maker:
            def __init__(self, size):
                self.size = size
            def __call__(self, train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(self.size, **config), ARGS)
        TransformersTrainer(Maker(effect(3)), SETTINGS, SCALING).fit()
        settings = {"lr": 2}
        TransformersTrainer(
            trainer_init_config=effect(settings), trainer_init_per_worker=Maker(effect(4)), SCALING
        ).fit()
        """,
    "a class": """
        class Small(Trainer):
            def __init__(self, train_dataset, eval_dataset=None, **config):
                super().__init__(make_model(**config), ARGS)
        TransformersTrainer(Small, SETTINGS, SCALING).fit()
        """,
    "a partial in a loop": """
        from functools import partial
        def init(size, train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(size, **config), ARGS)
        made = []
        for size in (1, 2):
            made.append(TransformersTrainer(partial(init, size), trainer_init_config={"lr": size}, SCALING))
        for one in made:
            one.fit()
        """,
    "a partial with keywords": """
        import functools
        def init(train_dataset, eval_dataset=None, size=1, lr=1):
            return Trainer(make_model(size, lr), ARGS)
        sizes = [4]
        TransformersTrainer(functools.partial(init, size=sizes[0]), trainer_init_config={"lr": 2}, SCALING).fit()
        """,
    "the TrainingArguments in a partial": """
        from functools import partial
        def init(args, train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(), args)
        TransformersTrainer(partial(init, ARGS), SCALING).fit()
        """,
    "functions of a list": """
        def one(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(1), ARGS)
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(2), ARGS)
        trainers = [TransformersTrainer(function, SETTINGS, SCALING) for function in (one, init)]
        for trainer in trainers:
            trainer.fit()
        """,
    "a lambda of a comprehension's variable": """
        def init(size):
            return Trainer(make_model(size), ARGS)
        made = [TransformersTrainer(lambda a, b, **c: init(size), SCALING) for size in (1, 2)]
        for trainer in made:
            trainer.fit()
        """,
    "a parameter": """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(1), ARGS)
        def fit(function, settings=None):
            return TransformersTrainer(function, trainer_init_config=settings, SCALING).fit()
        fit(init)
        fit(init, {"lr": 1})
        """,
    "trainers on the lines that open blocks": """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(1), ARGS)
        effect(init.__name__)
        if effect(True): TransformersTrainer(init, SCALING).fit()
        class Job:
            def run(self): return TransformersTrainer(init, SCALING).fit()
        Job().run()
        make = lambda function: TransformersTrainer(function, SCALING)
        make(init).fit()
        first = effect(1); TransformersTrainer(effect(init), SCALING).fit()
        """,
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT.keys())
def test_function_is_kept_and_called(text: str) -> None:
    assert "(None, None" in migrated(text)


SHARED = {
    "a function that is called too": """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(**config), ARGS)
        effect(init.__name__)
        first = TransformersTrainer(init, SCALING)
        second = TransformersTrainer(init, SETTINGS, SCALING)
        if effect(True):
            TransformersTrainer(init, SCALING).fit()
        first.fit()
        second.fit()
        """,
    "a class": """
        class Small(Trainer):
            def __init__(self, train_dataset, eval_dataset=None, **config):
                super().__init__(make_model(**config), ARGS)
        trainers = [TransformersTrainer(Small, SETTINGS, SCALING), TransformersTrainer(Small, SCALING)]
        for trainer in trainers:
            trainer.fit()
        """,
}


@pytest.mark.parametrize("text", SHARED.values(), ids=SHARED.keys())
def test_trainers_share_a_train_function_that_calls_theirs(text: str) -> None:
    assert migrated(text).count("def train_func") == 1


def test_each_branch_has_a_train_function_of_its_own() -> None:
    text = migrated(
        """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(**config), ARGS)
        effect(init.__name__)
        def fit(small):
            if small:
                return TransformersTrainer(init, SCALING).fit()
            else:
                return TransformersTrainer(init, SETTINGS, SCALING).fit()
        fit(True)
        fit(False)
        class Job:
            first = TransformersTrainer(init, SCALING)
            def run(self):
                self.first.fit()
                TransformersTrainer(init, SCALING).fit()
        Job().run()
        """
    )

    assert text.count("def train_func") == 4


def test_preprocessor_needs_a_statement_before_the_trainer() -> None:
    result = migrate(
        program(
            """
            import ray
            from ray.data.preprocessors import StandardScaler
            def init(train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(), ARGS, train_dataset=train_dataset)
            data = {"train": ray.data.from_items([{"x": 1}])}
            [
                TransformersTrainer(init, datasets=data, preprocessor=StandardScaler([name]), SCALING)
                for name in "x"
            ]
            """
        )
    )

    assert codes(result, Kind.MANUAL) == ["MT904"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("async def init(train, eval, **config):\n    return 1\nTransformersTrainer(init, SCALING)", "coroutine"),
        ("def init(train, eval, **config):\n    yield 1\nTransformersTrainer(init, SCALING)", "generator"),
        ("def init(train, eval, lr):\n    return Trainer(lr)\nTransformersTrainer(init, SCALING)", "`lr`"),
        ("TransformersTrainer(lambda: Trainer(), SCALING)", "fewer than three"),
        ("TransformersTrainer(lambda *a, **k: Trainer(), SCALING)", "fewer than three"),
        ("init = lambda a, b: Trainer()\nTransformersTrainer(init, SCALING)", "fewer than three"),
    ],
    ids=["coroutine", "generator", "no value", "no parameters", "two stars", "a lambda's variable"],
)
def test_function_that_could_not_have_worked(text: str, reason: str) -> None:
    result = migrate(program(text))

    assert not result.changed
    assert codes(result, Kind.MANUAL) in (["MT106"], ["MT201"])
    assert reason in findings(result)[0]
