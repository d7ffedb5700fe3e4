"""LightningTrainer let Tune accept reports without the metric that it looks at; so does what keeps its reports."""

from __future__ import annotations

import pytest
from rewriting import LIGHTNING_IMPORTS, SCALING, after, migrate
from worker_calls import assert_same_calls

from migrate_trainers import Settings

PROGRAM = f"""\
from ray import tune
{LIGHTNING_IMPORTS}
space = LightningConfigBuilder().module(Net, lr=tune.uniform(0.1, 1)).fit_params(datamodule=DM())
space.trainer(max_epochs=4{{schedule}})
trainer = LightningTrainer(scaling_config={SCALING})
tuner = tune.Tuner(trainer, param_space={{{{"lightning_config": space.build()}}}})
tuner.fit()
"""
METRIC = "tune_config=tune.TuneConfig(metric='loss', mode='min')"
VARIABLE = 'os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")'


@pytest.mark.parametrize("target", [(2, 9), Settings().target_version], ids=str)
@pytest.mark.parametrize(("schedule", "is_lax"), [("", False), (", check_val_every_n_epoch=2", True)])
def test_tune_accepts_reports_at_the_legacy_times(schedule: str, is_lax: bool, target: tuple[int, int]) -> None:
    before = PROGRAM.format(schedule=schedule)

    output = after(migrate(before, target_version=target))

    assert (VARIABLE in output) == is_lax
    if target == Settings().target_version:
        assert_same_calls(before, output)


@pytest.mark.parametrize("target", [(2, 9), Settings().target_version], ids=str)
@pytest.mark.parametrize(
    ("line", "is_lax"),
    [("", True), ("os.environ['TUNE_DISABLE_STRICT_METRIC_CHECKING'] = '0'", False)],
    ids=["left to the trainer", "said by the script"],
)
def test_tune_accepts_reports_without_its_metric(line: str, is_lax: bool, target: tuple[int, int]) -> None:
    before = PROGRAM.format(schedule="").replace("space = ", f"import os\n{line}\nspace = ", 1)
    before = before.replace('"lightning_config": space.build()}', '"lightning_config": space.build()}, ' + METRIC)

    output = after(migrate(before, target_version=target))

    assert (VARIABLE in output) == is_lax
