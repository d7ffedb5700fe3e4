"""Tuned trainers that are left byte for byte, each with the finding that says why."""

from __future__ import annotations

import pytest
from rewriting import BASE, LIGHTNING_IMPORTS, SCALING, codes, findings, migrate, tuned

from migrate_trainers.findings import Kind

OWN = f"trainer = LightningTrainer(LightningConfigBuilder(){BASE}.build(), scaling_config={SCALING})\n"
SPACE = "space = LightningConfigBuilder().module(lr=tune.choice([7])).build()\n"
TUNED = 'tune.Tuner(trainer, param_space={"lightning_config": space}).fit()\n'
LEFT = {
    "effects of one expression in another order": (
        f"tune.Tuner(LightningTrainer(LightningConfigBuilder(){BASE}.build(), "
        "scaling_config=ScalingConfig(num_workers=effect(2))), param_space={'lightning_config': "
        "LightningConfigBuilder().module(lr=tune.choice([effect(7)])).build()})",
        "MT501",
    ),
    "reserving by hand": (OWN + "tune.run(trainer.as_trainable(), resources_per_trial={'cpu': 3})", "MT106"),
    "run, and tuned": (
        OWN + SPACE + "tune.run(trainer.as_trainable(), config={'lightning_config': space})\n" + TUNED,
        "MT506",
    ),
    "a trainable with resources of its own": (
        OWN + "tune.run(tune.with_resources(trainer.as_trainable(), {'CPU': 3}))",
        "MT506",
    ),
    "tuned as a trainable": (OWN + "trainable = trainer.as_trainable()\ntune.Tuner(trainable)", "MT506"),
    "also fitted itself": (OWN + SPACE + "trainer.fit()\n" + TUNED, "MT501"),
    "an unknown key": (
        OWN + SPACE + "tune.Tuner(trainer, param_space={'lightning_config': space, 'other': 1})",
        "MT501",
    ),
    "a search space that is a parameter": (OWN + f"def search(space):\n    {TUNED}", "MT101"),
    "a search space that may be anything": (OWN + "tune.Tuner(trainer, param_space=effect(1))", "MT501"),
    "a trainer that may be any": (OWN + "effect(trainer)\ntune.Tuner(effect(1))", "MT501"),
    "a trainer of a function that is also fitted": (
        f"def make():\n    {OWN}    return trainer\n{SPACE}make().fit()\n" + TUNED.replace("trainer,", "make(),"),
        "MT501",
    ),
    "a trainer of a function that something else may call": (
        f"def make():\n    {OWN}    return trainer\n{SPACE}effect(make)\n" + TUNED.replace("trainer,", "make(),"),
        "MT501",
    ),
    "two trainers for one tuner": (
        f"def search(trainer):\n    {TUNED}{SPACE}{OWN}search(trainer)\n"
        f"{OWN.replace('trainer', 'other', 1)}search(other)",
        "MT501",
    ),
    "an attribute that is fitted elsewhere": (
        f"class Study:\n    def __init__(self):\n        self.{OWN}    def search(self):\n"
        f"        {TUNED.replace('(trainer', '(self.trainer')}{SPACE}Study().search()\nStudy().trainer.fit()",
        "MT501",
    ),
    "keywords behind a star in the search space": (
        OWN + "kw = {'lr': tune.choice([7])}\nspace = LightningConfigBuilder().module(**kw).build()\n" + TUNED,
        "MT104",
    ),
    "keywords behind a star that may be searched": (
        "kw = {'lr': 3}\n" + OWN.replace(", width=3", ", **kw") + SPACE + TUNED,
        "MT104",
    ),
    "a searched class": (
        OWN + "space = LightningConfigBuilder().module(tune.choice([Net, Net])).build()\n" + TUNED,
        "MT106",
    ),
    "a searched strategy": (
        OWN + "space = LightningConfigBuilder().strategy(tune.choice(['ddp'])).build()\n" + TUNED,
        "MT105",
    ),
    "a search space of two trainers": (
        OWN + OWN.replace("trainer =", "other =") + SPACE + TUNED + TUNED.replace("Tuner(trainer", "Tuner(other"),
        "MT501",
    ),
    "a builder of two trainers": (
        f"base = LightningConfigBuilder(){BASE}.build()\n"
        f"trainer = LightningTrainer(base, scaling_config={SCALING})\n"
        f"other = LightningTrainer(base, scaling_config={SCALING})\nother.fit()\n{SPACE}{TUNED}",
        "MT501",
    ),
    "a dictionary with keys of its own": (
        OWN + "tune.Tuner(trainer, param_space={'lightning_config': {'other': {'lr': tune.choice([7])}}}).fit()",
        "MT101",
    ),
    "a dictionary that is looked into": (
        OWN + "space = {'_module_init_config': {'lr': tune.choice([7])}}\neffect(space)\n" + TUNED,
        "MT103",
    ),
    "only restored": (OWN + "tune.Tuner.restore('there', trainable=trainer).fit()", "MT501"),
}


@pytest.mark.parametrize(("program", "code"), LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(program: str, code: str) -> None:
    result = migrate(f"{LIGHTNING_IMPORTS}from ray import tune\n{program}\n")

    assert not result.changed
    assert set(codes(result, Kind.MANUAL)) - {"MT905"} == {code}, findings(result)
    assert not result.has(Kind.ERROR)


ADVICE = {
    "a builder of the space under a condition": (
        OWN + "builder = LightningConfigBuilder()\nif effect(0):\n    builder.module(lr=tune.choice([7]))\n"
        "space = builder.build()\n" + TUNED,
        "write `name=a if condition else b`",
    ),
    "a builder of the trainer under a condition": (
        f"builder = LightningConfigBuilder(){BASE}\nif effect(0):\n    builder.trainer(max_steps=3)\n"
        f"trainer = LightningTrainer(builder.build(), scaling_config={SCALING})\n" + SPACE + TUNED,
        "write `name=a if condition else b`",
    ),
    "a trainer in a loop": (
        f"{SPACE}for width in [1, 2]:\n    base = LightningConfigBuilder().module(Net, width=width)\n    "
        + OWN.replace(f"LightningConfigBuilder(){BASE}", "base.fit_params(datamodule=DM())")
        + f"    {TUNED}",
        "make the trainer in a function that the loop calls",
    ),
}


@pytest.mark.parametrize(("program", "expected"), ADVICE.values(), ids=ADVICE.keys())
def test_finding_says_what_to_write_instead(program: str, expected: str) -> None:
    result = migrate(f"{LIGHTNING_IMPORTS}from ray import tune\n{program}\n")

    assert not result.changed
    assert any(expected in one for one in findings(result)), findings(result)


def test_what_to_write_instead_is_migrated() -> None:
    search = f"def search(width):\n    {OWN.replace('width=3', 'width=width if width else 3')}"
    program = f"{SPACE}{search}    {TUNED}for width in [1, 2]:\n    search(width)\n"

    assert migrate(f"{LIGHTNING_IMPORTS}from ray import tune\n{program}").changed


def test_population_that_searches_where_it_starts() -> None:
    mutations = "LightningConfigBuilder().module(lr=[1, 2], resume_from_checkpoint=[1, 2]).build()"
    result = migrate(
        tuned(
            before=f"scheduler = PopulationBasedTraining(hyperparam_mutations={{'lightning_config': {mutations}}})",
            tuner="tune_config=tune.TuneConfig(scheduler=scheduler)",
        )
    )

    assert codes(result, Kind.MANUAL) == ["MT501"]
