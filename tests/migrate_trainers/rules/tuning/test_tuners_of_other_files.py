"""A trainer that another file may give to a Tuner is left: the driver function of a search needs both files."""

from __future__ import annotations

from pathlib import Path

import pytest
from rewriting import SCALING

from migrate_trainers import FileResult, migrate_project

ROOT = Path("/project")
TRAINERS = f"""\
from ray.air.config import ScalingConfig
from ray.train.huggingface import AccelerateTrainer

def loop(config):
    pass

trainer = AccelerateTrainer(loop, accelerate_config={{}}, scaling_config={SCALING})

def make():
    return AccelerateTrainer(loop, accelerate_config={{}}, scaling_config={SCALING})

class Study:
    def make(self):
        return AccelerateTrainer(loop, accelerate_config={{}}, scaling_config={SCALING})
"""
TUNERS = {
    "its variable": "from ray.tune import Tuner\nfrom trainers import trainer\nTuner(trainer).fit()",
    "another name": "from ray import tune\nfrom trainers import trainer as best\ntune.run(best.as_trainable())",
    "through the module": "import trainers\nfrom ray import tune\ntune.Tuner(trainers.trainer).fit()",
    "a function": "from ray import tune\nfrom trainers import make\ntune.Tuner(make()).fit()",
    "a class": "from ray import tune\nfrom trainers import Study\ntune.Tuner(Study().make()).fit()",
}
OTHERS = {
    "fitted": "from trainers import trainer\nprint(trainer.fit())  # what is to be tuned later",
    "a function that is tuned": (
        "from ray import tune\nfrom trainers import trainer\ndef run(config):\n    pass\ntune.Tuner(run).fit()"
    ),
    "something else of the file": "from ray import tune\nfrom trainers import loop\ntune.Tuner(loop).fit()",
}


def result(user: str) -> FileResult:
    files = {ROOT / "trainers.py": TRAINERS.encode(), ROOT / "search.py": f"{user}\n".encode()}
    return migrate_project(files)[ROOT / "trainers.py"]


@pytest.mark.parametrize("user", TUNERS.values(), ids=TUNERS.keys())
def test_tuned_elsewhere(user: str) -> None:
    left = result(user)

    assert not left.changed
    assert [finding.code for finding in left.findings] == ["MT501"]
    assert "of a file that imports" in left.findings[0].message


@pytest.mark.parametrize("user", OTHERS.values(), ids=OTHERS.keys())
def test_not_tuned(user: str) -> None:
    assert result(user).changed
