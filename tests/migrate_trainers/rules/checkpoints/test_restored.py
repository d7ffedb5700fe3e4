"""Trainers that were restored if there was something to restore: a run of the same name continues by itself."""

from __future__ import annotations

import pytest
from rewriting import (
    ACCELERATE_IMPORTS,
    LIGHTNING_IMPORTS,
    SCALING,
    TRANSFORMERS_IMPORTS,
    after,
    codes,
    findings,
    migrate,
)
from worker_calls.run import assert_same_calls

from migrate_trainers.findings import Kind

CONFIG = "config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()\n"


def _made(run_config: str) -> str:
    return f"LightningTrainer(config, scaling_config={SCALING}, run_config=RunConfig({run_config}))"


def _if(path: str, run_config: str, *, before: str = "", restored: str = "", fresh: str = "") -> str:
    """A program that restores from a path, or makes a trainer with some RunConfig."""
    return (
        f"import os\nfrom pathlib import Path\n{LIGHTNING_IMPORTS}{before}{CONFIG}"
        f"if LightningTrainer.can_restore({path}):\n"
        f"    trainer = LightningTrainer.restore({path})\n{restored}"
        f"else:\n"
        f"    trainer = {_made(run_config)}\n{fresh}"
        "trainer.fit()\n"
    )


SAME_PLACE = {
    "the default folder": _if("'~/ray_results/exp'", "name='exp'"),
    "expanded": _if("os.path.expanduser('~/ray_results/exp')", "name='exp'"),
    "joined": _if("os.path.join('/mnt', 'exp')", "name='exp', storage_path='/mnt'"),
    "variables": _if(
        "os.path.join(folder, name)", "name=name, storage_path=folder", before="folder, name = '/mnt', 'exp'\n"
    ),
    "a constant": _if("path", "name='exp', storage_path='/mnt/'", before="path = '/mnt/exp/'\n"),
    "an f-string": _if("f'{folder}/exp'", "name='exp', storage_path=folder", before="folder = '/mnt'\n"),
    "added": _if("folder + '/' + 'exp'", "name='exp', local_dir=folder", before="folder = '/mnt'\n"),
    "a Path": _if("Path('/mnt') / 'exp'", "name='exp', storage_path='/mnt'"),
    "text of a Path": _if("str(Path('/mnt') / 'exp')", "name='exp', storage_path='/mnt'"),
    "attributes": _if(
        "f'{args.folder}/{args.name}'",
        "name=args.name, storage_path=args.folder",
        before="from project import Namespace\nargs = Namespace(folder='/mnt', name='exp')\n",
    ),
    "in one expression": (
        f"{LIGHTNING_IMPORTS}{CONFIG}"
        "trainer = LightningTrainer.restore('/mnt/exp') if LightningTrainer.can_restore('/mnt/exp') else "
        + _made("name='exp', storage_path='/mnt'")
        + "\ntrainer.fit()\n"
    ),
    "in the place of one that is made": (
        f"{LIGHTNING_IMPORTS}{CONFIG}trainer = "
        + _made("name='exp', storage_path='/mnt'")
        + "\nif LightningTrainer.can_restore('/mnt/exp'):\n    trainer = LightningTrainer.restore('/mnt/exp')\n"
        "\ntrainer.fit()\n"
    ),
    "the same further on": _if(
        "'/mnt/exp'", "name='exp', storage_path='/mnt'", restored="    trainer.fit()\n", fresh="    trainer.fit()\n"
    ),
    "comments": _if(
        "'/mnt/exp'", "name='exp', storage_path='/mnt'", restored="    # a crash\n", fresh="    # made\n"
    ).replace("else:", "else:  # new"),
}


@pytest.mark.parametrize("program", SAME_PLACE.values(), ids=SAME_PLACE.keys())
def test_trainer_is_made_alone(program: str) -> None:
    result = migrate(program)

    text = after(result)
    assert "restore" not in text
    assert "\ntrainer = TorchTrainer(" in text
    assert "    checkpoint = ray.train.get_checkpoint()\n" in text
    assert "MT416" in codes(result, Kind.REVIEW)
    assert_same_calls(program, text)


def test_negated() -> None:
    made = _made("name='exp'")
    program = (
        f"{LIGHTNING_IMPORTS}{CONFIG}if not LightningTrainer.can_restore('~/ray_results/exp'):\n"
        f"    trainer = {made}\n"
        "else:\n    trainer = LightningTrainer.restore('~/ray_results/exp')\ntrainer.fit()\n"
    )

    assert_same_calls(program, after(migrate(program)))


def test_returned() -> None:
    program = (
        f"{LIGHTNING_IMPORTS}def make(folder, name):\n"
        "    if LightningTrainer.can_restore(f'{folder}/{name}'):\n"
        "        return LightningTrainer.restore(f'{folder}/{name}')\n\n"
        f"    {CONFIG}    return {_made('name=name, storage_path=folder')}\nmake('/mnt', 'exp').fit()\n"
    )

    text = after(migrate(program))

    assert_same_calls(program, text)
    assert "def make(folder, name):\n    datamodule" in text


INIT = """
def init(train_dataset, eval_dataset=None, **config):
    return Trainer(make_model(), TrainingArguments('out', save_strategy='no'))


"""
LOOP = """
def loop():
    accelerator = Accelerator()


"""


@pytest.mark.parametrize(
    ("imports", "name", "function"),
    [(TRANSFORMERS_IMPORTS, "TransformersTrainer", "init"), (ACCELERATE_IMPORTS, "AccelerateTrainer", "loop")],
)
def test_other_trainers(imports: str, name: str, function: str) -> None:
    program = (
        f"{imports}{INIT if function == 'init' else LOOP}if {name}.can_restore('~/ray_results/exp'):\n"
        f"    trainer = {name}.restore('~/ray_results/exp')\n"
        f"else:\n    trainer = {name}({function}, scaling_config={SCALING}, run_config=RunConfig(name='exp'))\n"
        "trainer.fit()\n"
    )

    result = migrate(program)

    text = after(result)
    assert "restore" not in text
    assert "MT416" in codes(result, Kind.REVIEW)
    assert_same_calls(program, text)


def test_another_trainer_is_left() -> None:
    made = _made("name='exp'")
    program = (
        f"{LIGHTNING_IMPORTS}from ray.train.huggingface import TransformersTrainer\n{CONFIG}"
        "if TransformersTrainer.can_restore('~/ray_results/exp'):\n"
        "    trainer = TransformersTrainer.restore('~/ray_results/exp')\n"
        f"else:\n    trainer = {made}\n"
    )

    result = migrate(program)

    assert result.after == result.before
    assert "MT415" in codes(result, Kind.MANUAL), findings(result)


def test_findings_point_at_the_file() -> None:
    program = _if("'/mnt/exp'", "name='exp', storage_path='/mnt'")

    places = {finding.code: finding.line for finding in migrate(program).findings}

    lines = program.splitlines()
    assert "can_restore" in lines[places["MT416"] - 1]
    assert "LightningTrainer(config" in lines[places["MT100"] - 1]


def test_older_targets_restore_what_a_torch_trainer_left() -> None:
    program = _if("'/mnt/exp'", "name='exp', storage_path='/mnt'")

    result = migrate(program, target_version=(2, 9))

    text = after(result)
    assert "if TorchTrainer.can_restore('/mnt/exp'):\n    trainer = TorchTrainer.restore('/mnt/exp')\nelse:" in text
    assert "get_checkpoint()" in text
    assert codes(result, Kind.REVIEW).count("MT416") == 2


LEFT = {
    "another folder": _if("'/mnt/other'", "name='exp', storage_path='/mnt'"),
    "no name": _if("'/mnt/exp'", "storage_path='/mnt'"),
    "an unknown path": _if("DM.path", "name='exp', storage_path='/mnt'").replace("DM.path", "effect()"),
    "a variable bound twice": _if(
        "path", "name='exp', storage_path='/mnt'", before="path = '/mnt/exp'\nif effect():\n    path = '/tmp'\n"
    ),
    "another effect": _if("'/mnt/exp'", "name='exp', storage_path='/mnt'", restored="    effect('restored')\n"),
    "another name": _if("'/mnt/exp'", "name='exp', storage_path='/mnt'").replace(
        "    trainer = Light", "    t = Light", 1
    ),
    "other settings": _if("'/mnt/exp'", "name='exp', storage_path='/mnt'").replace(
        ".restore('/mnt/exp')", ".restore('/mnt/exp', datasets=effect())"
    ),
    "no question": f"{LIGHTNING_IMPORTS}{CONFIG}{_made('')}\nLightningTrainer.restore('there').fit()\n",
    "an answer": f"{LIGHTNING_IMPORTS}{CONFIG}{_made('')}\neffect(LightningTrainer.can_restore('there'))\n",
    "no else": (
        f"{LIGHTNING_IMPORTS}{CONFIG}t = {_made('')}\n"
        "if LightningTrainer.can_restore('there'):\n    t = LightningTrainer.restore('there')\nt.fit()\n"
    ),
    "an elif": _if("'/mnt/exp'", "name='exp', storage_path='/mnt'").replace("else:", "elif effect():"),
    "two questions": _if("'/mnt/exp'", "name='exp', storage_path='/mnt'").replace(
        "can_restore('/mnt/exp')", "can_restore('/mnt/exp') and effect()"
    ),
}


@pytest.mark.parametrize("program", LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(program: str) -> None:
    result = migrate(program)

    assert result.after == result.before
    assert "MT415" in codes(result, Kind.MANUAL), findings(result)
