"""What the rewriter leaves byte for byte, each with the finding that says why."""

from __future__ import annotations

import pytest
from rewriting import LIGHTNING_IMPORTS, SCALING, after, codes, findings, lightning, migrate

from migrate_trainers.findings import Kind

CHAIN = "LightningConfigBuilder().module(Net).fit_params(datamodule=DM())"
LEFT = {
    "no build()": (f"LightningTrainer({CHAIN}, scaling_config={SCALING}).fit()", "MT106"),
    "no configuration": (f"LightningTrainer(scaling_config={SCALING}).fit()", "MT106"),
    "two positional arguments": (f"LightningTrainer({CHAIN}.build(), 3)", "MT106"),
    "a class that a later call drops": (f"LightningTrainer({CHAIN}.module(lr=1).build())", "MT106"),
    "no class": ("LightningTrainer(LightningConfigBuilder().fit_params(datamodule=DM()).build())", "MT106"),
    "no data": ("LightningTrainer(LightningConfigBuilder().module(Net).build())", "MT106"),
    "the model among the fit parameters": (f"LightningTrainer({CHAIN}.fit_params(model=1).build())", "MT106"),
    "a method that it never had": (f"LightningTrainer({CHAIN}.data(1).build())", "MT106"),
    "a strategy that it never had": (f"LightningTrainer({CHAIN}.strategy('horovod').build())", "MT106"),
    "an unknown checkpoint argument": (f"LightningTrainer({CHAIN}.checkpointing(keep=1).build())", "MT106"),
    "an imported configuration": (
        f"from project import config\nLightningTrainer(config, scaling_config={SCALING})",
        "MT101",
    ),
    "a parameter": (f"def f(config):\n    return LightningTrainer(config, scaling_config={SCALING})", "MT101"),
    "an object's attribute": (f"LightningTrainer(DM.config, scaling_config={SCALING})", "MT101"),
    "a subclass": ("class Mine(LightningTrainer):\n    pass", "MT904"),
    "a partial": ("import functools\nmake = functools.partial(LightningTrainer)", "MT904"),
    "passed on": ("effect(LightningTrainer)", "MT904"),
    "an isinstance test": (
        f"t = LightningTrainer({CHAIN}.build(), scaling_config={SCALING})\nassert isinstance(t, LightningTrainer)",
        "MT904",
    ),
    "restored": ("LightningTrainer.restore('there').fit()", "MT415"),
    "exported": (
        f"__all__ = ['LightningTrainer']\nt = LightningTrainer({CHAIN}.build(), scaling_config={SCALING})",
        "MT904",
    ),
    "a builder without a trainer": (f"config = {CHAIN}.build()", "MT904"),
    "run by the older Tune": (
        f"from ray import tune\ntrainer = LightningTrainer({CHAIN}.build(), scaling_config={SCALING})\n"
        "tune.run(trainer.as_trainable(), resources_per_trial={'CPU': 3})",
        "MT106",
    ),
    "a predictor": (
        "from ray.train.lightning import LightningPredictor\n"
        f"LightningTrainer({CHAIN}.build(), scaling_config={SCALING})\neffect(LightningPredictor)",
        "MT125",
    ),
    "both Lightning packages": (
        f"import lightning.pytorch\nLightningTrainer({CHAIN}.build(), scaling_config={SCALING})",
        "MT106",
    ),
}


@pytest.mark.parametrize(("program", "code"), LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(program: str, code: str) -> None:
    result = migrate(LIGHTNING_IMPORTS + program + "\n")

    assert result.after == result.before
    assert set(codes(result, Kind.MANUAL)) - {"MT905"} == {code}, findings(result)
    assert not result.has(Kind.ERROR)
    assert result.migrated == 0


GUARDED = {
    "try": "try:\n    {imports}\nexcept ImportError:\n    LightningTrainer = None\n",
    "if": "import sys\nif sys.version_info > (3,):\n    {imports}\n",
    "star": "from ray.train.lightning import *\n",
}


@pytest.mark.parametrize("guard", GUARDED.values(), ids=GUARDED.keys())
def test_import_that_may_not_run(guard: str) -> None:
    statement = "from ray.train.lightning import LightningConfigBuilder, LightningTrainer"
    program = lightning().replace(statement, guard.format(imports=statement).rstrip("\n"))

    result = migrate(program)

    assert result.after == result.before
    assert "MT904" in codes(result, Kind.MANUAL)


def test_one_trainer_that_is_left_keeps_the_file() -> None:
    program = lightning() + f"LightningTrainer(effect(), scaling_config={SCALING}).fit()\n"

    result = migrate(program)

    assert result.after == result.before
    assert (result.call_sites, result.migrated) == (2, 0)
    assert sorted(codes(result, Kind.MANUAL)) == ["MT101", "MT905"]


def test_finding_points_at_the_code() -> None:
    program = LIGHTNING_IMPORTS + "\n\nif True:\n    made = LightningTrainer(effect())\n"

    (finding,) = migrate(program).findings

    lines = program.splitlines()
    assert lines[finding.line - 1][finding.column - 1 : finding.end_column - 1] == "effect()"
    assert finding.line == finding.end_line == 8


UNRELATED = {
    "a class of one's own": "class LightningTrainer: pass\nLightningTrainer(1)\n",
    "another library's": "from somewhere import LightningTrainer\nLightningTrainer(1)\n",
    "a relative module": "from .ray.train.lightning import LightningTrainer\nLightningTrainer(1)\n",
    "a comment": "# LightningTrainer(config)\n",
    "a string": "text = 'from ray.train.lightning import LightningTrainer'\n",
    "transformers' Trainer under the name": (
        "from transformers import Trainer as TransformersTrainer\nTransformersTrainer()\n"
    ),
    "an attribute": "import library\nlibrary.LightningTrainer()\n",
    "a keyword": "dict(LightningTrainer=1)\n",
    "a name that a function hides": ("def f(LightningTrainer):\n    return LightningTrainer(1)\n"),
}


@pytest.mark.parametrize("program", UNRELATED.values(), ids=UNRELATED.keys())
def test_only_the_name_is_alike(program: str) -> None:
    result = migrate(program)

    assert result.after == result.before
    assert result.findings == ()


def test_annotations_follow_the_trainer() -> None:
    program = lightning(behind="def f(t: LightningTrainer | None = None) -> 'LightningTrainer': return t\n")

    text = after(migrate(program))

    assert "LightningTrainer" not in text
    assert "def f(t: TorchTrainer | None = None)" in text
