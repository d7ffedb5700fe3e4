"""Every form of `trainer_init_config`: the function gets the configuration that it got."""

from __future__ import annotations

from textwrap import dedent

import pytest
from transformers_forms import migrated

PLAIN = """
        def init(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(**config), ARGS)
"""
CONFIGURATIONS = {
    "changed behind the trainer": """
        settings = {"lr": 1}
        trainer = TransformersTrainer(init, trainer_init_config=settings, SCALING)
        settings["lr"] = 2
        trainer.fit()
        """,
    "changed between the trainers": """
        settings = dict(lr=1)
        trainers = []
        for lr in (2, 3):
            settings.update(lr=lr)
            trainers.append(TransformersTrainer(init, trainer_init_config=settings, SCALING))
        for trainer in trainers:
            trainer.fit()
        """,
    "an attribute": """
        class Job:
            def __init__(self):
                self.settings = {"lr": 1}
                self.trainer = TransformersTrainer(init, trainer_init_config=self.settings, SCALING)
                self.settings["lr"] = 2
        Job().trainer.fit()
        """,
    "an alias": """
        settings = {"lr": 1}
        same = settings
        trainer = TransformersTrainer(init, trainer_init_config=settings, SCALING)
        same["lr"] = 2
        trainer.fit()
        """,
    "a parameter": """
        def make(settings=None):
            return TransformersTrainer(init, trainer_init_config=settings, SCALING)
        mine = {"lr": 1}
        trainer = make(mine)
        mine["lr"] = 2
        trainer.fit()
        make().fit()
        """,
    "changed in a function": """
        settings = {"lr": 1}
        def change():
            settings["lr"] = 2
        trainer = TransformersTrainer(init, trainer_init_config=settings, SCALING)
        change()
        trainer.fit()
        """,
}


@pytest.mark.parametrize("text", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def test_configuration_is_what_it_was_when_the_trainer_was_made(text: str) -> None:
    assert "train_loop_config=dict(" in migrated(PLAIN + text)


AS_WRITTEN = {
    "fitted at once": (
        'settings = {"lr": 1}\n{call}.fit()\nsettings["lr"] = 2\n',
        "settings",
    ),
    "fitted in the next statement": (
        'class Job:\n    pass\njob = Job()\njob.settings = {"lr": 1}\ntrainer = {call}\nresult = trainer.fit()\n',
        "job.settings",
    ),
    "filled before": (
        'settings = {"lr": 1}\nsettings["size"] = effect(2)\ntrainer = {call}\neffect("made")\ntrainer.fit()\n',
        "settings",
    ),
    "made by a function": ("def make():\n    return dict(lr=1)\n{call}.fit()\n", "make()"),
    "with a star": ('base = {"lr": 1}\ntrainer = {call}\nbase["lr"] = 2\ntrainer.fit()\n', '{**base, "size": 2}'),
    "a comprehension": ("{call}.fit()\n", "{name: 1 for name in ('lr', 'size')}"),
}


@pytest.mark.parametrize(("text", "config"), AS_WRITTEN.values(), ids=AS_WRITTEN.keys())
def test_configuration_stays_as_it_is_written(text: str, config: str) -> None:
    call = f"TransformersTrainer(init, trainer_init_config={config}, SCALING)"

    assert f"train_loop_config={config}," in migrated(dedent(PLAIN) + text.replace("{call}", call))


@pytest.mark.parametrize("config", ["None", "{}"])
def test_empty_configuration_goes(config: str) -> None:
    text = migrated(dedent(PLAIN) + f"TransformersTrainer(init, trainer_init_config={config}, SCALING).fit()")

    # The body unpacks what it is given: nothing.
    assert "def train_func(config):" in text
    assert "train_loop_config" not in text


GIVEN = {
    "literal": ('{"lr": 1, "size": 2}', '{"lr": 1, "size": 2, "resume_from_checkpoint": start}'),
    "variable": ("settings", '{**settings, "resume_from_checkpoint": start}'),
    "last of a line that gets too long": (
        "dict(lr=len('a configuration that is quite long')), run_config=RunConfig(name='a long name, too')",
        "{**dict(lr=len('a configuration that is quite long')), \"resume_from_checkpoint\": start}",
    ),
    "one of two": (
        "settings if effect(1) else None",
        '{**((settings if effect(1) else None) or {}), "resume_from_checkpoint": start}',
    ),
    "perhaps none": ("effect(settings)", '{**(effect(settings) or {}), "resume_from_checkpoint": start}'),
    "none": ("None", '{"resume_from_checkpoint": start}'),
}


@pytest.mark.parametrize(("config", "expected"), GIVEN.values(), ids=GIVEN.keys())
def test_given_checkpoint_joins_the_configuration(config: str, expected: str) -> None:
    text = migrated(
        'from ray.air import Checkpoint\nstart = Checkpoint("start")\nsettings = {"lr": 1}\n'
        + dedent(PLAIN)
        + f"TransformersTrainer(\n    init,\n    trainer_init_config={config},\n    SCALING,\n"
        "    resume_from_checkpoint=start,\n).fit()\n"
    )

    assert f"train_loop_config={expected}," in text.replace("\n        ", " ").replace("{ ", "{").replace(
        ",\n    }", "}"
    )
