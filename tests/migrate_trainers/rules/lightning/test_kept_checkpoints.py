"""Which checkpoints are kept: what LightningTrainer filled into the RunConfig is written out."""

from __future__ import annotations

import pytest
from rewriting import LIGHTNING_IMPORTS, SCALING, after, codes, lightning, migrate
from worker_calls import assert_same_calls

CALLS = {
    "nothing said keeps the latest": "",
    "a monitor alone is compared by its minimum": ".checkpointing(monitor='loss')",
    "a mode without a monitor says nothing": ".checkpointing(mode='max')",
    "a mode": ".checkpointing(monitor='accuracy', mode='max')",
    "several": ".checkpointing(monitor='loss', save_top_k=3)",
    "all": ".checkpointing(save_top_k=-1)",
    "all, compared": ".checkpointing(monitor='loss', save_top_k=-1)",
    "none is one": ".checkpointing(save_top_k=0)",
    "merged calls": ".checkpointing(monitor='a', save_top_k=2).checkpointing(monitor='b')",
    "values that have an effect": ".checkpointing(monitor=effect('loss'), save_top_k=effect(2), mode=effect('max'))",
    "no monitor": ".checkpointing(monitor=None, save_top_k=2)",
    "names": ".checkpointing(monitor=MONITOR, save_top_k=TOP_K)",
}
RUN_CONFIGS = {
    "no RunConfig": "",
    "None": "run_config=None",
    "an empty one": "run_config=RunConfig()",
    "one with a name": "run_config=RunConfig(name='x')",
    "a positional name": "run_config=RunConfig('x')",
    "an explicit default": "run_config=RunConfig(checkpoint_config=CheckpointConfig())",
    "a spelled-out default": "run_config=RunConfig(checkpoint_config=CheckpointConfig(checkpoint_score_order='max'))",
    "one's own": "run_config=RunConfig(checkpoint_config=CheckpointConfig(num_to_keep=5))",
    "one's own with scores": (
        "run_config=RunConfig(checkpoint_config=CheckpointConfig("
        "checkpoint_score_attribute='other', checkpoint_score_order='min'))"
    ),
    "a variable": "run_config=RUN",
    "a variable with its own": "run_config=OWN",
    "a variable of a variable": "run_config=NESTED",
}
BEFORE = """
MONITOR, TOP_K = 'loss', 4
RUN = RunConfig(name='variable')
OWN = RunConfig(checkpoint_config=CheckpointConfig(num_to_keep=7))
KEEP = CheckpointConfig(num_to_keep=9)
NESTED = RunConfig(checkpoint_config=KEEP)
"""


@pytest.mark.parametrize("run_config", RUN_CONFIGS.values(), ids=RUN_CONFIGS.keys())
@pytest.mark.parametrize("builder", CALLS.values(), ids=CALLS.keys())
def test_keeps_what_the_legacy_trainer_kept(builder: str, run_config: str) -> None:
    program = lightning(builder, trainer=run_config, before=BEFORE)

    text = after(migrate(program))

    assert_same_calls(program, text)


@pytest.mark.parametrize("version", [(2, 4), (2, 5)], ids=["2.4", "2.5"])
def test_earlier_releases_kept_all(version: tuple[int, int]) -> None:
    program = lightning(".checkpointing(monitor='loss', save_top_k=2)", trainer="run_config=RunConfig(name='x')")

    text = after(migrate(program, source_version=version))

    assert "num_to_keep" not in text
    assert_same_calls(program, text, version=version)


def test_shared_run_config_is_copied_for_each_trainer() -> None:
    program = LIGHTNING_IMPORTS + "run = RunConfig(name='shared')\n"
    for number in (1, 2):
        program += (
            (
                f"config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM())"
                f".checkpointing(save_top_k={number}).build()\n"
                f"LightningTrainer(config, scaling_config={SCALING}, run_config=run).fit()\n"
            )
            .replace("config =", f"config_{number} =")
            .replace("Trainer(config", f"Trainer(config_{number}")
        )

    text = after(migrate(program))

    recording = assert_same_calls(program, text)
    assert [fit["configuration"]["num_to_keep"] for fit in recording.fits] == [1, 2]
    assert text.count("replace(run,") + text.count("run,\n") == 2


def test_run_config_made_elsewhere_is_for_the_reader() -> None:
    result = migrate(lightning(trainer="run_config=make_run()", before="from project import make_run\n"))

    assert "MT112" in codes(result)
    assert "run_config=make_run()" in after(result)


@pytest.mark.parametrize(("number", "says"), [("num_to_keep=2", False), ("", True)])
def test_stars_beside_a_checkpoint_config_hide_no_other_one(number: str, says: bool) -> None:
    run = f"RunConfig(checkpoint_config=CheckpointConfig({number}), **given())"
    result = migrate(lightning(trainer=f"run_config={run}", before="from project import given\n"))

    assert "MT112" not in codes(result)
    assert ("num_to_keep=1" in after(result)) is says


@pytest.mark.parametrize(
    ("builder", "keeps_schedule"),
    [
        ("", False),
        (".checkpointing(every_n_epochs=2, verbose=True)", False),
        (".checkpointing(save_on_train_epoch_end=True)", False),
        (".checkpointing(every_n_train_steps=5)", True),
        (".checkpointing(every_n_train_steps=None)", False),
        (".checkpointing(train_time_interval=3)", True),
        (".checkpointing(save_weights_only=True)", True),
        (".checkpointing(save_weights_only=False)", False),
        (".trainer(val_check_interval=0.5)", True),
        (".trainer(val_check_interval=1.0)", False),
        (".trainer(check_val_every_n_epoch=2)", True),
        (".trainer(check_val_every_n_epoch=1)", False),
        (".trainer(fast_dev_run=True)", True),
    ],
)
def test_schedule_of_the_reports(builder: str, keeps_schedule: bool) -> None:
    program = lightning(builder)

    result = migrate(program)

    assert ("class ReportingModelCheckpoint" in after(result)) == keeps_schedule
    assert ("MT111" in codes(result)) == keeps_schedule
    assert_same_calls(program, after(result))


def test_files_of_lightning_itself_are_still_written() -> None:
    program = lightning(".checkpointing(dirpath='here', filename='{epoch}', monitor='loss')")

    recording = assert_same_calls(program, after(migrate(program)))

    callbacks = recording.fits[0]["workers"][0][1][1]["callbacks"]
    assert [callback if isinstance(callback, str) else callback[0] for callback in callbacks] == [
        "ModelCheckpoint",
        "reports",
    ]


def test_module_that_logs_at_the_end_of_an_epoch_keeps_its_reports() -> None:
    program = lightning(
        before="class Net(pl.LightningModule):\n    def on_train_epoch_end(self):\n        self.log('x', 1)\n"
    )

    result = migrate(program)

    assert "MT111" in codes(result)
    assert_same_calls(program, after(result))


def test_two_trainers_share_the_callback_class() -> None:
    program = LIGHTNING_IMPORTS + "".join(
        f"config_{number} = LightningConfigBuilder().module(Net).fit_params(datamodule=DM())"
        f".checkpointing(every_n_train_steps={number}).build()\n"
        f"LightningTrainer(config_{number}, scaling_config={SCALING}).fit()\n"
        for number in (1, 2)
    )

    text = after(migrate(program))

    assert text.count("class ReportingModelCheckpoint") == 1
    assert_same_calls(program, text)
