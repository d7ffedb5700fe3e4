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
        ("from ray.air import session", "effect(session.get_trial_resources())", "MT405"),
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
        ("from ray import train", "train.get_context().get_metadata()", "MT405"),
        ("from ray import train", "train.save_checkpoint(epoch=1)", "MT401"),
        ("from ray import train", "train.report(**effect())", "MT104"),
        ("from ray import tune", "tune.Tuner(trainer)", "MT501"),
        ("from ray.tune import Tuner", "Tuner(trainer)", "MT501"),
    ],
)
def test_use_without_a_counterpart_is_refused(imports: str, body: str, code: str) -> None:
    result = migrate(PROGRAM.format(imports=imports, body=body))

    assert result.after == result.before
    assert code in codes(result, Kind.MANUAL)


@pytest.mark.parametrize(
    ("imports", "body", "expected"),
    [
        ("from ray.air import session", "effect(session.get_trial_name())", "get_context().get_experiment_name()"),
        ("from ray.air.session import get_trial_name", "get_trial_name()", "get_context().get_experiment_name()"),
        ("from ray.air import session", "effect(session.get_trial_dir())", "get_storage().experiment_fs_path)"),
        ("from ray import train", "effect(train.get_context().get_trial_dir())", "get_storage().experiment_fs_path)"),
        ("from ray import train", "c = train.get_context(); c.get_trial_name()", "c.get_experiment_name()"),
    ],
)
def test_run_stands_in_for_its_trial(imports: str, body: str, expected: str) -> None:
    result = migrate(PROGRAM.format(imports=imports, body=body))

    assert expected in after(result)
    assert "MT409" in codes(result, Kind.REVIEW)


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("None", 'ray.train.get_context().get_experiment_name().partition("=")[2]'),
        (
            "HyperBandScheduler()",
            'ray.train.get_context().get_experiment_name().partition("=")[2].partition("-")[0]',
        ),
    ],
)
def test_id_of_a_trial_is_in_the_name_of_its_run(scheduler: str, expected: str) -> None:
    imports = "from ray import tune\nfrom ray.air import session\nfrom ray.tune.schedulers import HyperBandScheduler"
    program = PROGRAM.format(imports=imports, body="effect(session.get_trial_id())").replace(
        "trainer.fit()", f"tune.Tuner(trainer, tune_config=tune.TuneConfig(scheduler={scheduler})).fit()"
    )

    assert f"effect({expected})" in after(migrate(program))
    assert codes(migrate(program.replace("get_trial_id()", "get_trial_id")), Kind.MANUAL) == ["MT405"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("get_trial_resources", "the `ScalingConfig` said them"),
        ("get_trial_id", "`uuid.uuid4().hex`"),
        ("get_metadata", "what the trainer has as `metadata`"),
    ],
)
def test_refused_getter_says_what_to_do(name: str, expected: str) -> None:
    result = migrate(PROGRAM.format(imports="from ray.air import session", body=f"effect(session.{name}())"))

    assert expected in result.findings[0].message


@pytest.mark.parametrize(
    ("run_config", "code"),
    [
        ("storage_path='s3://bucket'", "MT405"),
        ("storage_path=effect()", "MT405"),
        ("storage_path='/runs'", "MT409"),
        ("local_dir=effect()", "MT409"),
    ],
)
def test_folder_of_a_run_where_it_is_one(run_config: str, code: str) -> None:
    program = PROGRAM.format(
        imports="from ray.air import RunConfig, session", body="effect(session.get_trial_dir())"
    ).replace("ScalingConfig(num_workers=2)", f"ScalingConfig(num_workers=2), run_config=RunConfig({run_config})")

    assert code in codes(migrate(program))


@pytest.mark.parametrize(
    "statements",
    [
        "rank = session.get_world_rank()\n",
        "def is_first():\n    return session.get_world_rank() == 0\n\nprint(is_first())\n",
        "def main():\n    session.report({})\n\nif __name__ == '__main__':\n    main()\n",
    ],
)
def test_driver_that_asks_for_its_session_is_left(statements: str) -> None:
    program = PROGRAM.format(imports="from ray.air import session", body="pass") + statements

    assert codes(migrate(program), Kind.MANUAL) == ["MT405"]
    assert migrate(program, target_version=(2, 9)).changed


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("train.report(loss=1, **effect({}))", 'train.report({"loss": 1, **effect({})})'),
        ("train.report(rank=train.world_rank())", 'train.report({"rank": train.get_context().get_world_rank()})'),
        ("train.report({'loss': 1}, checkpoint=None)", "train.report({'loss': 1}, checkpoint=None)"),
    ],
)
def test_report_and_getters_of_the_first_ray(body: str, expected: str) -> None:
    program = PROGRAM.format(imports="from ray import train", body=body)

    assert expected in after(migrate(program))


@pytest.mark.parametrize("module", ["ray.air.session", "ray.air.config", "ray.air"])
def test_star_import_is_refused(module: str) -> None:
    result = migrate(PROGRAM.format(imports=f"from {module} import *", body="report({})"))

    assert codes(result, Kind.MANUAL) == ["MT904"]


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
        ("trainer.fit().config", ["MT405"]),
        ('{"config": 1}["config"]', []),
    ],
)
def test_metrics_that_ray_added_are_mentioned(read: str, expected: list[str]) -> None:
    program = PROGRAM.format(imports="", body="pass").replace("trainer.fit()", f"print({read})")

    assert [code for code in codes(migrate(program)) if code in ("MT405", "MT406")] == expected
    assert "MT406" not in codes(migrate(program, target_version=(2, 9)))


def test_failure_of_a_run_is_caught_by_its_new_class() -> None:
    program = PROGRAM.format(imports="from ray.train.base_trainer import TrainingFailedError", body="pass").replace(
        "trainer.fit()", "try:\n    trainer.fit()\nexcept TrainingFailedError:\n    raise"
    )

    text = after(migrate(program))

    assert "ray.train.base_trainer" not in text
    assert "except TrainingFailedError:" in text


@pytest.mark.parametrize(
    ("imports", "body", "expected"),
    [
        ("from ray import train", "train.report({})", "train_runtime.report({})"),
        ("from ray import air, train as t", "t.report({})", "train_runtime.report({})"),
        ("from ray import train as t", "effect(t)", "import train_runtime as t\n"),
    ],
)
def test_package_that_is_imported_from_ray_for_the_bundled_runtime(imports: str, body: str, expected: str) -> None:
    assert expected in after(migrate(PROGRAM.format(imports=imports, body=body), bundled=True))
