"""Search spaces that a script builds in steps are written out, where that changes nothing of what happens when."""

from __future__ import annotations

import pytest
from rewriting import ACCELERATE_IMPORTS, LIGHTNING_IMPORTS, SCALING, after, codes, in_function, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

HEAD = f"""\
{ACCELERATE_IMPORTS}from ray import tune

def loop(config):
    Accelerator(mixed_precision=config)

trainer = AccelerateTrainer(loop, train_loop_config={{'width': 3}}, accelerate_config={{}}, scaling_config={SCALING})
"""
TUNED = "tune.Tuner(trainer, param_space=space).fit()"
FORMS = {
    "one step": f"space = {{}}\nspace['train_loop_config'] = {{'lr': tune.choice([7])}}\n{TUNED}",
    "effects in their order": (
        "space = {'scaling_config': {'num_workers': effect(2)}}\n"
        f"space['train_loop_config'] = {{'lr': tune.choice([effect(7)])}}\n{TUNED}"
    ),
    "a comment in an empty one": (
        f"space = {{  # empty\n    # yet\n}}\nspace['train_loop_config'] = {{'lr': tune.choice([7])}}\n{TUNED}"
    ),
    "of tune.run": (
        "space = {}\nspace['train_loop_config'] = {'lr': tune.choice([7])}\n"
        "tune.run(trainer.as_trainable(), config=space)"
    ),
    "comments and lines": (
        "space = {\n    'scaling_config': {'num_workers': 2}  # two\n}\n# the rate\nspace['train_loop_config'] = {\n"
        f"    # one\n    'lr': tune.choice([7]), 't': '''a\nb'''\n}}  # seven\n\n{TUNED}"
    ),
}


@pytest.mark.parametrize("is_in_function", [False, True], ids=["at module level", "in a function"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_form(form: str, is_in_function: bool) -> None:
    program = f"{HEAD}{form}\n"
    program = in_function(program) if is_in_function else program

    output = after(migrate(program))

    assert "space[" not in output
    assert output.count("#") >= program.count("#")
    assert_same_calls(program, output)


def test_lightning() -> None:
    program = (
        f"{LIGHTNING_IMPORTS}from ray import tune\n"
        "config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()\n"
        f"trainer = LightningTrainer(config, scaling_config={SCALING})\nspace = {{}}\n"
        "space['_module_init_config'] = {'lr': tune.choice([7])}\n"
        "params = {}\nparams['lightning_config'] = space\ntune.Tuner(trainer, param_space=params).fit()\n"
    )

    assert_same_calls(program, after(migrate(program)))


LEFT = {
    "behind a semicolon": "space['train_loop_config'] = {};",
    "under a condition": "if effect(0):\n    space['train_loop_config'] = {}",
    "behind something else": "effect(1)\nspace['train_loop_config'] = {}",
    "a key twice": "space['scaling_config'] = {}",
    "a value that reads it": "space['train_loop_config'] = {'lr': space}",
    "a key that is computed": "space[effect('lr')] = 8",
    "a step in a step": "space['scaling_config']['num_workers'] = 8",
    "two targets": "space['train_loop_config'] = other = {}",
    "an update": "space.update(train_loop_config={})",
}


@pytest.mark.parametrize("step", LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(step: str) -> None:
    result = migrate(f"{HEAD}space = {{'scaling_config': {{'num_workers': 2}}}}\n{step}\n{TUNED}\n")

    assert not result.changed
    assert codes(result, Kind.MANUAL) == ["MT501"]


def test_other_dictionaries_stay() -> None:
    own = "def own(config):\n    pass\nspace = {}\nspace['lr'] = 1\ntune.Tuner(own, param_space=space)\n"
    config = "config = {}\nconfig['lr'] = 1\n"
    program = f"{HEAD}{own}{config}tune.Tuner(trainer, param_space={{'train_loop_config': config}}).fit()\n"

    output = after(migrate(program))

    assert "space = {}\nspace['lr'] = 1\n" in output
    assert config in output
