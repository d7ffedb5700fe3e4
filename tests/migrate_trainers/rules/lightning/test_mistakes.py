"""What could not have worked, or doesn't with the target's Lightning: it is left, or made right, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rewriting import LIGHTNING_IMPORTS, SCALING, after, codes, findings, lightning, migrate

from migrate_trainers.findings import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = """
import torch.nn as nn
class Plain(nn.Module):
    pass
class Nothing:
    pass
class Data(pl.LightningDataModule):
    pass
class Own(pl.LightningModule):
    pass
class Beep(pl.Callback):
    pass
"""
# The builder's calls, and what the message says.
LEFT = {
    "an unknown argument of Trainer": (".trainer(max_epoch=3)", "`pl.Trainer` has no argument `max_epoch`"),
    "an argument of fit, misspelt": (
        ".fit_params(val_dataloader=[1])",
        "`Trainer.fit` can't be given `val_dataloader`",
    ),
    "the other one": (".fit_params(train_dataloader=[1])", "`Trainer.fit` can't be given `train_dataloader`"),
    "the model": (".fit_params(model=Net())", "`Trainer.fit` can't be given `model`"),
    "an unknown checkpointing argument": (".checkpointing(period=1)", "`ModelCheckpoint` has no argument `period`"),
    "a strategy that it never had": (".strategy('dp')", "'dp' is not a strategy that LightningTrainer had"),
    "an unknown strategy argument": (".strategy('fsdp', stage=3)", 'the strategy "fsdp" takes no `stage`'),
    "one of another strategy": (".strategy(cpu_offload=True)", 'the strategy "ddp" takes no `cpu_offload`'),
    "of neither strategy": (".strategy('fsdp').strategy(stage=1)", 'the strategy "ddp" and "fsdp" takes no `stage`'),
    "one callback": (".trainer(callbacks=Beep())", "LightningTrainer took `callbacks` as a list only"),
    "one callback of Lightning": (
        ".trainer(callbacks=pl.callbacks.EarlyStopping('loss'))",
        "LightningTrainer took `callbacks` as a list only",
    ),
    "a tuple of callbacks": (".trainer(callbacks=(Beep(),))", "LightningTrainer took `callbacks` as a list only"),
    "no callbacks": (".trainer(callbacks=None)", "LightningTrainer took `callbacks` as a list only"),
    "one plugin": (".trainer(plugins=pl.plugins.MixedPrecisionPlugin())", "took `plugins` as a list only"),
    "a plugin's name": (".trainer(plugins='ddp_sharded')", "took `plugins` as a list only"),
    "a module that is none": (".module(Plain)", "`Plain` is no LightningModule"),
    "a class of nothing": (".module(cls=Nothing)", "`Nothing` is no LightningModule"),
    "data as the module": (".module(Data)", "`Data` is no LightningModule"),
    "an object": (".module(Own())", "`.module(...)` takes the class `Own`, and not an object of it"),
    "a module's name": (".module('Net')", "`.module(...)` takes a class"),
    "a method that it never had": (".modules(Net)", "`LightningConfigBuilder` has no method `modules`"),
}
REMOVED = ("progress_bar_refresh_rate", "weights_summary", "resume_from_checkpoint", "track_grad_norm", "amp_backend")
IGNORED = ("gpus", "num_processes", "tpu_cores", "auto_select_gpus", "auto_lr_find")


CHAIN = "LightningConfigBuilder().module(Net).fit_params(datamodule=DM())"


def flowing(calls: str, before: str = "") -> str:
    """The program with the builder's calls under a condition."""
    builder = f"builder = {CHAIN}\nif DM:\n    builder{calls}\n"
    return (
        lightning(before=before)
        .replace(f"{CHAIN}.build()", "builder.build()")
        .replace("\ntrainer =", f"\n{builder}trainer =")
    )


@pytest.mark.parametrize(
    "form", [lambda calls: lightning(calls, before=CLASSES), lambda calls: flowing(calls, CLASSES)]
)
@pytest.mark.parametrize(("calls", "message"), LEFT.values(), ids=LEFT.keys())
def test_mistake_is_left(form: Callable[[str], str], calls: str, message: str) -> None:
    result = migrate(form(calls))

    assert result.after == result.before
    assert [finding for finding in findings(result) if finding.startswith("MT106") and message in finding], findings(
        result
    )


def test_gpu_that_the_workers_have_not_is_left() -> None:
    result = migrate(lightning(".trainer(accelerator='gpu')"))

    assert [finding for finding in findings(result) if "the accelerator is a GPU" in finding], findings(result)
    assert migrate(flowing(".trainer(accelerator='gpu')")).changed, "the condition may say whether there are GPUs"


@pytest.mark.parametrize(
    "calls",
    [
        ".trainer(accelerator='gpu')",
        ".trainer(callbacks=make())",
        ".trainer(plugins=(1,))",
        ".strategy('fsdp', cpu_offload=True)",
        ".strategy('fsdp', cpu_offload=True).strategy('ddp')",
        ".strategy(**settings)",
        ".module(Own, width=1)",
        ".module(make())",
        ".checkpointing(enable_version_counter=False)",
    ],
)
def test_what_may_have_worked_is_migrated(calls: str) -> None:
    program = lightning(calls, before=CLASSES + "settings = {}\nmake = effect\n")

    assert migrate(program.replace(SCALING, SCALING.replace("2", "2, use_gpu=True"))).changed


@pytest.mark.parametrize("form", [lightning, flowing])
@pytest.mark.parametrize("name", REMOVED)
def test_argument_that_lightning_2_has_not(form: Callable[[str], str], name: str) -> None:
    program = form(f".trainer({name}=1)")

    assert codes(migrate(program), Kind.MANUAL) == ["MT128"]
    assert f"{name}=1" in after(migrate(program, target_version=(2, 7)))


@pytest.mark.parametrize("form", [lightning, flowing])
@pytest.mark.parametrize("name", IGNORED)
def test_argument_of_lightning_1_that_had_no_effect_under_ray(form: Callable[[str], str], name: str) -> None:
    result = migrate(form(f".trainer({name}=1, max_epochs=2)"))

    assert f"{name}=" not in after(result)
    assert "MT110" in codes(result, Kind.REVIEW)


@pytest.mark.parametrize("form", [lightning, flowing])
def test_argument_that_lightning_2_renamed(form: Callable[[str], str]) -> None:
    program = form(".trainer(replace_sampler_ddp=False)")

    result = migrate(program)

    assert "use_distributed_sampler=False" in after(result)
    assert codes(result, Kind.REVIEW).count("MT127") == 1
    assert "replace_sampler_ddp=False" in after(migrate(program, target_version=(2, 7)))


@pytest.mark.parametrize("devices", ["[0, 1]", "2", "'auto'"])
def test_devices_on_the_cpu_are_mentioned(devices: str) -> None:
    result = migrate(lightning(f".trainer(accelerator='cpu', devices={devices})"))

    assert 'devices="auto"' in after(result)
    assert "MT110" in codes(result, Kind.REVIEW)


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        (f"LightningTrainer({CHAIN}, scaling_config={SCALING})", "`.build()` is missing"),
        (f"LightningTrainer({CHAIN}.build())", "`LightningTrainer` required `ScalingConfig(num_workers=...)`"),
        (f"LightningTrainer({CHAIN}.build(), scaling_config=None)", "required `ScalingConfig(num_workers=...)`"),
        (
            f"LightningTrainer({CHAIN}.build(), scaling_config=ScalingConfig(use_gpu=True))",
            "required `ScalingConfig(num_workers=...)`",
        ),
        (f"LightningTrainer({CHAIN}.build(), scaling_config={{'use_gpu': True}})", "required `ScalingConfig"),
        (f"LightningTrainer({CHAIN}.build(), scaling_config=RunConfig())", "`scaling_config` is a `RunConfig`"),
        (
            f"LightningTrainer({CHAIN}.build(), scaling_config={SCALING}, run_config=CheckpointConfig())",
            "`run_config` is a `CheckpointConfig`",
        ),
    ],
)
def test_trainer_that_could_not_be_made(trainer: str, message: str) -> None:
    result = migrate(LIGHTNING_IMPORTS + trainer + ".fit()\n")

    assert result.after == result.before
    assert [finding for finding in findings(result) if finding.startswith("MT106") and message in finding], findings(
        result
    )


@pytest.mark.parametrize(
    "lines",
    ["builder.trainer(max_epochs=1)\nconfig = builder", "config = builder.trainer(max_epochs=1)", "config = builder"],
)
def test_builder_that_is_never_built(lines: str) -> None:
    result = migrate(
        LIGHTNING_IMPORTS + f"builder = {CHAIN}\n{lines}\nLightningTrainer(config, scaling_config={SCALING}).fit()\n"
    )

    assert result.after == result.before
    assert [finding for finding in findings(result) if "`.build()` is missing" in finding], findings(result)


@pytest.mark.parametrize(
    "scaling", ["scaling = ScalingConfig()\nscaling.num_workers = 2\n", "scaling = effect(ScalingConfig)()\n"]
)
def test_workers_that_may_be_set_elsewhere(scaling: str) -> None:
    program = lightning(before=scaling).replace(f"scaling_config={SCALING}", "scaling_config=scaling")

    assert migrate(program).changed
