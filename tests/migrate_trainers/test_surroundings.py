"""Modules that use the old API change with the trainers that import them: alone, they would report nothing any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate_trainers import FileResult, Settings, migrate_project
from migrate_trainers.findings import Kind
from migrate_trainers.selection import Rules

TRAINER = """\
from loops import loop
from ray.air.config import ScalingConfig
from ray.train.huggingface import AccelerateTrainer

AccelerateTrainer(loop, accelerate_config={}, scaling_config=ScalingConfig(num_workers=2)).fit()
"""
LOOP = "from reports import tell\n\n\ndef loop():\n    tell(1.0)\n"
REPORTS = "from ray.air import session\n\n\ndef tell(loss):\n    session.report({'loss': loss})\n"
CANNOT = "from ray.air import session\n\n\ndef tell(loss):\n    print(session.get_trial_id(), session)\n"
REFUSED = TRAINER.replace("{}", "effect()")
LIGHTNING = """\
from model import Data, Net
from ray.air.config import ScalingConfig
from ray.train.lightning import LightningConfigBuilder, LightningTrainer

config = LightningConfigBuilder().module(Net).fit_params(datamodule=Data()).build()
LightningTrainer(config, scaling_config=ScalingConfig(num_workers=2)).fit()
"""
MODEL = """\
import pytorch_lightning as pl
from ray.air import session


class Net(pl.LightningModule):
    def training_step(self, batch):
        return session.get_world_rank()


class Data(pl.LightningDataModule):
    ...
"""


def migrate(files: dict[str, str], others: dict[str, str] | None = None, **settings: object) -> dict[str, FileResult]:
    results = migrate_project(
        {Path(name): text.encode() for name, text in files.items()},
        Settings(**settings),  # type: ignore[arg-type]
        {Path(name): text.encode() for name, text in {**files, **(others or {})}.items()},
    )
    return {str(path): result for path, result in results.items()}


def test_module_changes_with_the_trainer_that_reaches_it() -> None:
    results = migrate({"train.py": TRAINER, "loops.py": LOOP, "reports.py": REPORTS, "other.py": REPORTS})

    assert b"ray.train.report({'loss': loss})" in results["reports.py"].after
    assert b"TorchTrainer" in results["train.py"].after
    assert results.keys() == {"train.py", "reports.py"}
    assert results["train.py"].together == results["reports.py"].together == {Path("train.py"), Path("reports.py")}


def test_module_gets_the_other_lightning_package_too() -> None:
    results = migrate({"train.py": LIGHTNING, "model.py": MODEL})

    assert b"lightning.pytorch" in results["model.py"].after
    assert b"get_context().get_world_rank()" in results["model.py"].after
    assert results["model.py"].before == MODEL.encode()


@pytest.mark.parametrize(
    ("files", "others", "reason"),
    [
        ({"train.py": TRAINER, "loops.py": LOOP}, {"reports.py": REPORTS}, "was not given"),
        ({"train.py": TRAINER, "loops.py": LOOP, "reports.py": CANNOT}, {}, "can't be migrated"),
        (
            {
                "train.py": TRAINER,
                "loops.py": LOOP,
                "reports.py": REPORTS,
                "old.py": "import loops\n" + TRAINER.replace("{}", "effect()"),
            },
            {},
            "`old.py`, which is left",
        ),
    ],
    ids=["not given", "refused", "used by another trainer"],
)
def test_trainer_stays_where_the_module_does(files: dict[str, str], others: dict[str, str], reason: str) -> None:
    results = migrate(files, others)

    assert not any(result.changed for result in results.values())
    (finding,) = results["train.py"].findings
    assert (finding.code, finding.kind) == ("MT906", Kind.MANUAL)
    assert reason in finding.message


def test_earlier_targets_still_have_the_session() -> None:
    results = migrate({"train.py": TRAINER, "loops.py": LOOP}, {"reports.py": REPORTS}, target_version=(2, 9))

    assert results.keys() == {"train.py"}
    assert results["train.py"].changed


def test_module_of_a_file_that_had_a_trainer() -> None:
    had = "from loops import loop\nfrom ray.train.torch import TorchTrainer\n\nTorchTrainer(loop).fit()\n"

    results = migrate({"train.py": had, "loops.py": LOOP, "reports.py": REPORTS})

    assert results.keys() == {"reports.py"}
    assert b"ray.train.report(" in results["reports.py"].after
    assert not migrate({"train.py": had, "loops.py": LOOP, "reports.py": REPORTS}, rules=Rules(ignore=("MT4",)))

    (result,) = migrate({"train.py": had, "loops.py": LOOP}, {"reports.py": REPORTS}).values()
    assert not result.changed
    assert [finding.code for finding in result.findings] == ["MT906"]
    assert "`reports.py` uses the old API, has to change too, and was not given" in result.findings[0].message
