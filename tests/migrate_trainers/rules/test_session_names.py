"""`ray.air.session` and what else moved to `ray.train`, beside a trainer that is migrated."""

from __future__ import annotations

import pytest
from rewriting import after, codes, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

PROGRAM = """\
from accelerate import Accelerator
from project import effect
from ray.air.config import ScalingConfig
from ray.train.huggingface import AccelerateTrainer
{imports}

def loop(config):
    accelerator = Accelerator()
    {body}

trainer = AccelerateTrainer(
    loop, train_loop_config={{"x": 1}}, accelerate_config={{}}, scaling_config=ScalingConfig(num_workers=2)
)
trainer.fit()
"""
USES = {
    "session.report": ("from ray.air import session", "session.report({'a': 1})"),
    "session.report by keyword": ("from ray.air import session", "session.report(metrics={'a': 1}, checkpoint=None)"),
    "an alias": ("from ray.air import session as s", "s.report({'rank': s.get_world_rank()})"),
    "ray.air.session": ("import ray.air.session", "ray.air.session.report({'a': 1})"),
    "air.session": ("from ray import air", "air.session.report({'a': 1})"),
    "an alias of the module": ("import ray.air.session as s", "s.report({'a': s.get_local_rank()})"),
    "functions of it": ("from ray.air.session import report", "report({'a': 1})"),
    "functions under another name": (
        "from ray.air.session import report as tell, get_world_rank as rank",
        "tell({'a': rank()})",
    ),
    "ranks and sizes": (
        "from ray.air import session",
        "session.report({'r': session.get_world_rank(), 'l': session.get_local_rank(), 's': session.get_world_size()})",
    ),
    "a getter that is passed on": (
        "from ray.air import session",
        "session.report({'r': [session.get_world_rank][0]()})",
    ),
    "get_checkpoint": ("from ray.air import session", "session.report({'none': session.get_checkpoint() is None})"),
    "a checkpoint": (
        "from ray.air import Checkpoint, session",
        "session.report({'a': 1}, checkpoint=Checkpoint.from_directory('there'))",
    ),
    "imported where it is used": ("", "from ray.air import session; session.report({'a': 1})"),
}


@pytest.mark.parametrize(("imports", "body"), USES.values(), ids=USES.keys())
def test_reports_as_before(imports: str, body: str) -> None:
    program = PROGRAM.format(imports=imports, body=body)

    text = after(migrate(program))

    recording = assert_same_calls(program, text)
    assert [call[0] for call in recording.fits[0]["workers"][0]] == ["Accelerator", "report"]
    assert "ray.air" not in text


@pytest.mark.parametrize(
    ("imports", "body", "code"),
    [
        ("from ray.air import session", "effect(session.get_trial_name())", "MT405"),
        ("from ray.air import session", "effect(session.get_trial_dir)", "MT405"),
        ("from ray.air.session import get_trial_id", "get_trial_id()", "MT405"),
        ("from ray.air import session", "effect(session)", "MT401"),
        ("from ray import air", "session = air.session; session.report({})", "MT401"),
        (
            "from ray.air import Checkpoint, session",
            "session.report({}, Checkpoint.from_bytes(b''))",
            "MT401",
        ),
        ("from ray.air import session", "session.get_checkpoint().to_dict()", "MT401"),
        ("from ray.air import session", "checkpoint = session.get_checkpoint(); checkpoint.to_dict()", "MT401"),
        ("from ray.train.huggingface import TransformersCheckpoint", "effect(TransformersCheckpoint)", "MT421"),
        ("from ray.train.batch_predictor import BatchPredictor", "effect(BatchPredictor)", "MT433"),
        ("from ray import tune", "tune.Tuner(trainer)", "MT501"),
        ("from ray.tune import Tuner", "Tuner(trainer)", "MT501"),
    ],
)
def test_use_without_a_counterpart_is_refused(imports: str, body: str, code: str) -> None:
    result = migrate(PROGRAM.format(imports=imports, body=body))

    assert result.after == result.before
    assert code in codes(result, Kind.MANUAL)


def test_trial_getters_of_an_earlier_target() -> None:
    program = PROGRAM.format(imports="from ray.air import session", body="effect(session.get_trial_name())")

    assert "get_context().get_trial_name()" in after(migrate(program, target_version=(2, 9)))


def test_reports_without_a_checkpoint_are_mentioned_once() -> None:
    program = PROGRAM.format(imports="from ray.air import session", body="session.report({}); session.report({'a': 1})")

    assert codes(migrate(program)).count("MT404") == 1


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ('trainer.fit().metrics["training_iteration"]', ["MT406"]),
        ("trainer.fit().metrics.get('time_total_s', 0)", ["MT406"]),
        ('trainer.fit().metrics["loss"]', []),
        ('trainer.fit().metrics.get("loss", "done")', []),
        ('{"config": 1}["config"]', []),
    ],
)
def test_metrics_that_ray_added_are_mentioned(read: str, expected: list[str]) -> None:
    program = PROGRAM.format(imports="", body="pass").replace("trainer.fit()", f"print({read})")

    assert [code for code in codes(migrate(program)) if code == "MT406"] == expected
    assert "MT406" not in codes(migrate(program, target_version=(2, 9)))


def test_failure_of_a_run_is_caught_by_its_new_class() -> None:
    program = PROGRAM.format(imports="from ray.train.base_trainer import TrainingFailedError", body="pass").replace(
        "trainer.fit()", "try:\n    trainer.fit()\nexcept TrainingFailedError:\n    raise"
    )

    text = after(migrate(program))

    assert "ray.train.base_trainer" not in text
    assert "except TrainingFailedError:" in text
