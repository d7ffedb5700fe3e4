"""`train_runtime.lightning` with both of Lightning's packages."""

from __future__ import annotations

import enum
import os
import pickle
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from train_runtime.lightning import (
    RayDDPStrategy,
    RayFSDPStrategy,
    RayTrainReportCallback,
    _classes,
    _script_package,
    get_devices,
)

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import RunScript

    from train_runtime import Checkpoint

IMPORTS = """
from train_runtime.lightning import (
    RayDDPStrategy, RayLightningEnvironment, RayTrainReportCallback, prepare_trainer
)
"""

TRAINING = """
import os, torch
from train_runtime import RunConfig, ScalingConfig, TorchTrainer

class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, index):
        loss = self.layer(batch).pow(2).mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)

class Report(RayTrainReportCallback):
    def on_train_epoch_end(self, trainer, module):
        super().on_train_epoch_end(trainer, module)
        self.reported = trainer.current_epoch

made_in_the_driver = RayDDPStrategy(find_unused_parameters=False)

def train_func():
    import importlib
    for package in ("lightning.pytorch", "pytorch_lightning"):
        importlib.import_module(package)  # as some library may
    pl.seed_everything(1)
    report = Report()
    trainer = pl.Trainer(
        max_epochs=2, accelerator="cpu", devices="auto", strategy=made_in_the_driver, logger=False,
        plugins=[RayLightningEnvironment()], callbacks=[report], enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )
    trainer = prepare_trainer(trainer)
    trainer.fit(Module(), torch.utils.data.DataLoader(torch.arange(8.0).unsqueeze(1), batch_size=2))
    assert isinstance(report, RayTrainReportCallback) and isinstance(report, pl.Callback)
    assert trainer.train_dataloader.sampler.num_replicas == 2
    for options in ({}, {"strategy": RayDDPStrategy()}):
        try:
            prepare_trainer(pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, **options))
        except RuntimeError as error:
            print(error)
    return trainer.world_size, len(trainer.train_dataloader), report.reported

result = TorchTrainer(
    train_func, scaling_config=ScalingConfig(num_workers=2), run_config=RunConfig(storage_path="results")
).fit()
assert list(result.metrics_dataframe.columns) == ["loss", "epoch", "step"]
assert result.metrics["epoch"] == 1 and result.metrics["step"] == 4, result.metrics
assert os.listdir(result.checkpoint.path) == ["checkpoint.ckpt"]
Module.load_from_checkpoint(os.path.join(result.checkpoint.path, RayTrainReportCallback.CHECKPOINT_NAME))
print(result.return_value)
"""


@pytest.mark.parametrize(
    "imports",
    [IMPORTS + "import pytorch_lightning as pl", "import lightning.pytorch as pl" + IMPORTS],
    ids=["ours-then-pytorch_lightning", "lightning.pytorch-then-ours"],
)
def test_the_scripts_own_package_is_used(run_script: RunScript, imports: str) -> None:
    completed = run_script(imports + TRAINING)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.splitlines()[-1] == "(2, 2, 1)"
    assert "(rank 0) Invalid strategy class" in completed.stdout
    assert "(rank 0) Invalid cluster environment plugin" in completed.stdout


FOLLOWED = """
import importlib, sys, types
from train_runtime.lightning import *
from train_runtime.lightning import _script_package

for package in ("lightning.pytorch", "pytorch_lightning"):
    importlib.import_module(package)

def module_of(package, statement):
    module = types.ModuleType("a_module")
    exec(f"from train_runtime.lightning import *\\n{statement}", vars(module))
    exec("def make(): return RayDDPStrategy(), RayFSDPStrategy(), RayLightningEnvironment()", vars(module))
    exec("class Mine(RayTrainReportCallback): pass\\ndef call(): return (Mine(),)", vars(module))
    return module

def packages(things):
    return {cls.__module__.partition(".")[0] for thing in things for cls in type(thing).__mro__} - {"builtins", "abc"}

for statement in ("import {} as pl", "from {} import Trainer", "import {}.callbacks as c; base = c.Callback()"):
    for package in ("lightning.pytorch", "pytorch_lightning"):
        module = module_of(package, statement.format(package))
        seen = packages([*module.make(), *module.call()])
        other = {"lightning": "pytorch_lightning", "pytorch_lightning": "lightning"}[package.partition(".")[0]]
        assert package.partition(".")[0] in seen and other not in seen, (statement, package, seen)

def inside():
    import pytorch_lightning
    return RayDDPStrategy()

assert "lightning" not in packages([inside()])
for package in ("lightning.pytorch", "pytorch_lightning"):
    base = importlib.import_module(f"{package}.strategies").DeepSpeedStrategy
    assert issubclass(_script_package._with_base(RayDeepSpeedStrategy, package), base)
"""


def test_each_class_follows_the_code_that_makes_it_where_both_packages_are_imported() -> None:
    completed = subprocess.run([sys.executable, "-c", FOLLOWED], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr


@pytest.mark.parametrize("strategy_class", [RayDDPStrategy, RayFSDPStrategy])
def test_an_instance_survives_pickling_with_its_package(
    monkeypatch: pytest.MonkeyPatch, strategy_class: type[Any]
) -> None:
    monkeypatch.setattr(_script_package, "script_package", lambda: "pytorch_lightning")
    strategy = strategy_class()
    copy = pickle.loads(pickle.dumps(strategy))
    assert type(copy) is type(strategy)
    assert isinstance(copy, strategy_class)
    bases = [cls.__module__.partition(".")[0] for cls in type(copy).__mro__ if cls.__name__.endswith("Strategy")]
    assert {"pytorch_lightning", "train_runtime"} <= set(bases)
    assert "lightning" not in bases


def test_without_an_imported_package_the_newer_one_is_taken() -> None:
    code = "from train_runtime.lightning._script_package import script_package; print(script_package())"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout == "lightning.pytorch\n"


def test_the_report_callback_hands_on_how_to_store(monkeypatch: pytest.MonkeyPatch) -> None:
    class Saver:
        """As much of a Trainer as the callback uses."""

        callback_metrics: ClassVar[dict[str, Any]] = {}
        current_epoch = global_step = 3

        def save_checkpoint(self, path: Path, weights_only: bool) -> None:
            path.touch()

    reports: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def report(metrics: dict[str, Any], checkpoint: Checkpoint, **options: Any) -> None:
        assert os.listdir(checkpoint.path) == [RayTrainReportCallback.CHECKPOINT_NAME]
        reports.append((metrics, {"path": checkpoint.path, **options}))

    class WithoutInit(RayTrainReportCallback):
        def __init__(self) -> None:
            self.mine = True

    mode = enum.Enum("mode", ["SYNC", "ASYNC"])
    monkeypatch.setattr(_classes, "report", report)
    for callback in (RayTrainReportCallback(mode.ASYNC), RayTrainReportCallback(mode.SYNC, True), WithoutInit()):
        callback.on_train_epoch_end(Saver(), None)
    assert [metrics for metrics, _ in reports] == [{"epoch": 3, "step": 3}] * 3
    paths = [options.pop("path") for _, options in reports]
    assert [options for _, options in reports] == [
        {"checkpoint_upload_mode": mode.ASYNC},
        {"checkpoint_upload_mode": mode.SYNC, "validation": True},
        {},
    ]
    assert [os.path.exists(path) for path in paths] == [True, False, False]
    shutil.rmtree(paths[0])


def test_devices() -> None:
    assert get_devices() == "auto"
