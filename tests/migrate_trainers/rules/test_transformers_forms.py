"""TransformersTrainer: the function that makes the Trainer becomes the train function, or is kept and called."""

from __future__ import annotations

import re
from textwrap import dedent, indent

import pytest
from rewriting import SCALING, TRANSFORMERS_IMPORTS, after, codes, findings, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

ARGUMENTS = "output_dir='out', logging_strategy='epoch', save_strategy='epoch'"
DATASETS = "train_dataset=train_dataset, eval_dataset=eval_dataset"
RESTARTS = "run_config=RunConfig(failure_config=FailureConfig(max_failures=1))"
TRAINER = f"""
trainer = TransformersTrainer(trainer_init_per_worker=init, scaling_config={SCALING})
trainer.fit()
"""
CONFIGURED = f"""
trainer = TransformersTrainer(
    trainer_init_per_worker=init, trainer_init_config={{"lr": 1, "size": 2}}, scaling_config={SCALING}
)
trainer.fit()
"""


def program(function: str, trainer: str = TRAINER) -> str:
    text = dedent(function).replace("ARGUMENTS", ARGUMENTS).replace("DATASETS", DATASETS)
    return TRANSFORMERS_IMPORTS + text + trainer


IN_PLACE = {
    "returns a variable": (
        """
        def init(train_dataset, eval_dataset=None, **config):
            args = TrainingArguments(ARGUMENTS)
            trainer = Trainer(model=make_model(), args=args)
            return trainer
        """,
        TRAINER,
    ),
    "returns the call": (
        """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(model=make_model(), args=TrainingArguments(ARGUMENTS))
        """,
        TRAINER,
    ),
    "returns the call over lines": (
        """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(
                model=make_model(),  # the model
                args=TrainingArguments(ARGUMENTS),
            )  # made
        """,
        TRAINER,
    ),
    "has a docstring and annotations": (
        '''
        def init(train_dataset: list, eval_dataset: list = None, **config: int) -> Trainer:
            """Make the Trainer."""
            # with these arguments
            args = TrainingArguments(ARGUMENTS, learning_rate=config["lr"])
            return Trainer(make_model(config.get("size")), args)
        ''',
        CONFIGURED,
    ),
    "configuration under another name": (
        """
        def init(train_dataset, eval_dataset, **kwargs):
            return Trainer(make_model(**kwargs), TrainingArguments(ARGUMENTS))
        """,
        CONFIGURED,
    ),
    "makes its own datasets": (
        """
        def init(train_dataset, eval_dataset=None, **config):
            train_dataset = [effect(1)]
            eval_dataset = [2]
            return Trainer(make_model(), TrainingArguments(ARGUMENTS), DATASETS)
        """,
        TRAINER,
    ),
    "makes its datasets in one assignment": (
        """
        def init(train_dataset, eval_dataset=None, **config):
            train_dataset, eval_dataset = [1], [2]
            return Trainer(make_model(), TrainingArguments(ARGUMENTS), DATASETS)
        """,
        TRAINER,
    ),
    "reads the absent datasets": (
        """
        def init(train_dataset, eval_dataset=None, **config):
            data = [1] if train_dataset is None else train_dataset
            return Trainer(make_model(), TrainingArguments(ARGUMENTS), train_dataset=data, eval_dataset=eval_dataset)
        """,
        TRAINER,
    ),
    "passes None datasets on": (
        """
        def init(ds, ev, **config):
            return Trainer(make_model(), TrainingArguments(ARGUMENTS), train_dataset=ds, eval_dataset=ev)
        """,
        TRAINER,
    ),
    "changes its configuration": (
        """
        def init(train_dataset, eval_dataset=None, **config):
            config["lr"] = 5
            return Trainer(make_model(**config), TrainingArguments(ARGUMENTS))
        """,
        CONFIGURED,
    ),
}


@pytest.mark.parametrize(("function", "trainer"), IN_PLACE.values(), ids=IN_PLACE.keys())
def test_function_becomes_the_train_function(function: str, trainer: str) -> None:
    source = program(function, trainer)

    text = after(migrate(source))

    assert "def init(" not in text
    assert_same_calls(source, text)


CALLED = {
    "named configuration": (
        """
        def init(train_dataset, eval_dataset=None, *, lr, size=1, **rest):
            return Trainer(make_model(lr, size), TrainingArguments(ARGUMENTS))
        """,
        CONFIGURED,
    ),
    "returns in two places": (
        """
        def init(train_dataset, eval_dataset=None, **config):
            if config:
                return Trainer(make_model(1), TrainingArguments(ARGUMENTS))
            return Trainer(make_model(2), TrainingArguments(ARGUMENTS))
        """,
        CONFIGURED,
    ),
    "returns in a with block": (
        """
        import contextlib
        def init(train_dataset, eval_dataset=None, **config):
            with contextlib.nullcontext():
                return Trainer(make_model(1), TrainingArguments(ARGUMENTS))
        """,
        TRAINER,
    ),
    "used twice": (
        """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(**config), TrainingArguments(ARGUMENTS))
        effect(init.__name__)
        """,
        CONFIGURED,
    ),
    "a lambda": (
        """
        init = lambda train_dataset, eval_dataset, **config: Trainer(make_model(), TrainingArguments(ARGUMENTS))
        """,
        TRAINER,
    ),
    "decorated": (
        """
        def twice(function):
            effect("decorating")
            return function
        @twice
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(), TrainingArguments(ARGUMENTS))
        """,
        TRAINER,
    ),
    "a partial": (
        """
        import functools
        def make(size, train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(size), TrainingArguments(ARGUMENTS))
        init = functools.partial(make, effect(3))
        """,
        TRAINER,
    ),
    "a method": (
        """
        class Task:
            size = 3
            def make(self, train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(self.size), TrainingArguments(ARGUMENTS))
        init = Task().make
        """,
        TRAINER,
    ),
    "an imported function": (
        """
        from project import make_trainer as init
        """,
        TRAINER,
    ),
}


@pytest.mark.parametrize(
    ("function", "trainer"), list(CALLED.values())[:-1], ids=[name for name in CALLED if name != "an imported function"]
)
def test_function_is_kept_and_called(function: str, trainer: str) -> None:
    source = program(function, trainer)

    text = after(migrate(source))

    assert_same_calls(source, text)


def test_imported_function_is_called() -> None:
    text = after(migrate(program(*CALLED["an imported function"])))

    assert "init(None, None)" in text
    assert "def train_func():" in text


PLAIN = """
def init(train_dataset, eval_dataset=None, **config):
    return Trainer(make_model(**config), TrainingArguments(ARGUMENTS))
"""
CONSTRUCTIONS = {
    "positional": "TransformersTrainer(init, scaling_config={scaling}).fit()",
    "a variable as configuration": (
        "settings = {{'lr': 1}}\n"
        "TransformersTrainer(init, trainer_init_config=settings, scaling_config={scaling}).fit()\neffect(settings)"
    ),
    "a call as configuration": (
        "TransformersTrainer(init, trainer_init_config=dict(lr=effect(1)), scaling_config={scaling}).fit()"
    ),
    "no configuration": "TransformersTrainer(init, trainer_init_config=None, scaling_config={scaling}).fit()",
    "no datasets": "TransformersTrainer(init, datasets=None, scaling_config={scaling}).fit()",
    "restarts": (
        "TransformersTrainer(init, scaling_config={scaling}, "
        "run_config=RunConfig(failure_config=FailureConfig(max_failures=1))).fit()"
    ),
    "a RunConfig by position": (
        "TransformersTrainer(init, scaling_config={scaling}, run_config=RunConfig('x', '/y')).fit()"
    ),
    "in a method": (
        "class Job:\n    def run(self):\n"
        "        return TransformersTrainer(init, scaling_config={scaling}).fit()\nJob().run()"
    ),
    "in a loop": (
        "for lr in (1, 2):\n"
        "    TransformersTrainer(init, trainer_init_config={{'lr': lr}}, scaling_config={scaling}).fit()"
    ),
    "two of them": (
        "first = TransformersTrainer(init, scaling_config={scaling})\n"
        "second = TransformersTrainer(init, trainer_init_config={{'lr': 2}}, scaling_config={scaling})\n"
        "second.fit()\nfirst.fit()"
    ),
}


@pytest.mark.parametrize("construction", CONSTRUCTIONS.values(), ids=CONSTRUCTIONS.keys())
def test_construction(construction: str) -> None:
    source = program(PLAIN, construction.format(scaling=SCALING) + "\n")

    assert_same_calls(source, after(migrate(source)))


@pytest.mark.parametrize("name", ["HuggingFaceTrainer", "TransformersTrainer"])
@pytest.mark.parametrize(
    "statement", ["from ray.train.huggingface import {name}", "import ray.train.huggingface as rth"]
)
def test_both_names_of_the_trainer(name: str, statement: str) -> None:
    reached = name if statement.startswith("from") else f"rth.{name}"
    source = program(PLAIN).replace("trainer = TransformersTrainer", f"trainer = {reached}")
    source = source.replace("from ray.train.huggingface import TransformersTrainer", statement.format(name=name))

    assert_same_calls(source, after(migrate(source)))


@pytest.mark.parametrize("clash", ["train_func", "trainer", "config", "checkpoint", "checkpoint_dir"])
def test_names_of_the_user_keep_their_meaning(clash: str) -> None:
    source = program(
        f"""
        {clash} = "mine"
        def init(train_dataset, eval_dataset=None, **kwargs):
            return Trainer(make_model({clash}), TrainingArguments(ARGUMENTS))
        """,
        f"TransformersTrainer(init, scaling_config={SCALING}, {RESTARTS}).fit()\n",
    )

    assert_same_calls(source, after(migrate(source)))


@pytest.mark.parametrize(
    ("arguments", "guide"),
    [
        (ARGUMENTS, True),
        ("'out', logging_strategy='epoch', save_strategy='epoch', evaluation_strategy='epoch'", True),
        (f"{ARGUMENTS}, evaluation_strategy='no'", True),
        ("'out'", False),
        ("'out', save_strategy='no', logging_strategy='epoch'", False),
        ("'out', save_strategy='steps', logging_strategy='steps', save_steps=4, logging_steps=2", False),
    ],
)
def test_schedule_of_the_reports(arguments: str, guide: bool) -> None:
    source = program(PLAIN).replace(ARGUMENTS, arguments)

    result = migrate(source)

    assert ("class ReportOnLogCallback" not in after(result)) == guide
    assert ("MT210" not in codes(result)) == guide
    assert_same_calls(source, after(result))


def test_integrations_are_left_out_as_before() -> None:
    text = after(migrate(program(PLAIN)))

    assert 'report_to="none"' in text


def test_integrations_that_were_asked_for_are_for_the_reader() -> None:
    result = migrate(program(PLAIN).replace(ARGUMENTS, f"{ARGUMENTS}, report_to='wandb'"))

    assert "MT211" in codes(result, Kind.REVIEW)
    assert "report_to='wandb'" in after(result)


@pytest.mark.parametrize(
    ("trainer", "code"),
    [
        (f"TransformersTrainer(init, datasets=effect(), scaling_config={SCALING})", "MT202"),
        (f"TransformersTrainer(scaling_config={SCALING})", "MT106"),
        (f"TransformersTrainer(init, preprocessor=effect(), scaling_config={SCALING})", "MT403"),
        ("TransformersTrainer(init, **{})", "MT104"),
        (f"TransformersTrainer(init, other=1, scaling_config={SCALING})", "MT106"),
        (f"TransformersTrainer(lambda a, b: init(a, b), scaling_config={SCALING})", "MT201"),
    ],
    ids=["datasets", "no function", "preprocessor", "star", "unknown argument", "two parameters"],
)
def test_refused(trainer: str, code: str) -> None:
    result = migrate(program(PLAIN, trainer + "\n"))

    assert result.after == result.before
    assert codes(result, Kind.MANUAL) == [code]


def test_comments_of_the_signature_are_kept() -> None:
    text = after(
        migrate(
            program("""
            def init(
                train_dataset,  # the train set
                eval_dataset=None,  # the eval set
                **config,  # settings
            ):
                return Trainer(make_model(), TrainingArguments(ARGUMENTS))
            """)
        )
    )

    assert [comment for comment in ("# the train set", "# the eval set", "# settings") if comment not in text] == []


@pytest.mark.parametrize(
    "function",
    [
        "def init(  # odd\n    train_dataset, eval_dataset=None, **config):\n    return Trainer(make_model(), ARGS)",
        "def init(train_dataset, eval_dataset=None, **config):  # odd\n    return Trainer(make_model(), ARGS)",
        "def init(train_dataset, eval_dataset=None, **config):\n    return Trainer(  # odd\n    make_model(), ARGS)",
    ],
)
def test_comments_behind_what_opens_are_kept(function: str) -> None:
    text = after(migrate(program(function.replace("ARGS", "TrainingArguments(ARGUMENTS, learning_rate=0.0001)"))))

    assert text.count("# odd") == 1


def test_new_imports_stand_above_new_definitions() -> None:
    source = f"{TRANSFORMERS_IMPORTS}import asyncio\nasync def main():\n" + indent(
        "def init(train_dataset, eval_dataset=None, **config):\n"
        f"    return Trainer(make_model(), TrainingArguments('out'))\n{TRAINER.strip()}\n",
        "    ",
    )

    text = after(migrate(source))

    assert text.index("import os") < text.index("class ReportOnLogCallback")


def test_call_that_gets_too_long_stands_on_its_own_line() -> None:
    source = program(
        """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(model=make_model(), args=TrainingArguments("out"), train_dataset=[1])
        """
    )

    text = after(migrate(source))

    assert (
        "    trainer = Trainer(\n"
        "        model=make_model(),\n"
        '        args=TrainingArguments("out", report_to="none", use_cpu=True),\n'
        "        train_dataset=[1],\n"
        "    )\n"
    ) in text
    assert_same_calls(source, text)


def test_comments_in_a_return_are_kept() -> None:
    source = program(
        """
        def init(train_dataset, eval_dataset=None, **config):
            trainer = Trainer(make_model(), TrainingArguments(ARGUMENTS))
            return (  # what
                # trains
                trainer
            )
        """
    )

    text = after(migrate(source))

    assert "    # what\n    # trains\n    trainer.add_callback(" in text
    assert_same_calls(source, text)


INIT = """
def init(train_dataset, eval_dataset=None, **config):
    return Trainer(make_model(), TrainingArguments(ARGUMENTS))
"""
NEW_NAME, OLD_NAME = (f"from ray.train.huggingface import {name}Trainer" for name in ("Transformers", "HuggingFace"))
GUARDS = {
    "the new name first": f"try:\n    {NEW_NAME}\nexcept ImportError:\n    {OLD_NAME} as TransformersTrainer\n",
    "the old name first": (
        f"try:\n    {OLD_NAME} as TransformersTrainer\nexcept (ImportError, ModuleNotFoundError):\n    {NEW_NAME}\n"
    ),
    "comments": (
        f"# which\ntry:  # one\n    # new\n    {NEW_NAME}  # two\n# three\nexcept Exception:  # four\n"
        f"    # old\n    {OLD_NAME} as TransformersTrainer  # five\n"
    ),
    "several imports": (
        f"try:\n    {NEW_NAME}\n    # reads\n    {NEW_NAME.replace('Trainer', 'Checkpoint')}\n"
        f"except ImportError:\n    {OLD_NAME} as TransformersTrainer\n"
        "    from ray.train.huggingface import HuggingFaceCheckpoint as TransformersCheckpoint\n"
    ),
    "several names": (
        f"try:\n    {NEW_NAME}, TransformersCheckpoint\nexcept ImportError:\n    {OLD_NAME} as TransformersTrainer\n"
        "    from ray.train.huggingface import HuggingFaceCheckpoint as TransformersCheckpoint\n"
    ),
}


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
def test_import_of_either_name(guard: str) -> None:
    source = program(INIT).replace(f"{NEW_NAME}\n", guard)

    text = after(migrate(source))

    assert "try:" not in text
    assert all(comment in text for comment in re.findall("# .*", guard))
    assert_same_calls(source, text)


OTHER_GUARDS = {
    "no class": f"try:\n    {NEW_NAME}\nexcept ImportError:\n    TransformersTrainer = None\n",
    "another class": f"try:\n    {NEW_NAME}\nexcept ImportError:\n    from mine import TransformersTrainer\n",
    "another error": f"try:\n    {NEW_NAME}\nexcept KeyError:\n    {OLD_NAME} as TransformersTrainer\n",
    "something else done": (
        f"try:\n    {NEW_NAME}\nexcept ImportError:\n    {OLD_NAME} as TransformersTrainer\n    effect('old')\n"
    ),
    "something done where it's there": (
        f"try:\n    {NEW_NAME}\nexcept ImportError:\n    {OLD_NAME} as TransformersTrainer\nelse:\n    effect('new')\n"
    ),
}


@pytest.mark.parametrize("guard", OTHER_GUARDS.values(), ids=OTHER_GUARDS.keys())
def test_other_guards_are_left(guard: str) -> None:
    result = migrate(program(INIT).replace(f"{NEW_NAME}\n", guard))

    assert result.after == result.before
    assert codes(result, Kind.MANUAL) == ["MT904"], findings(result)
