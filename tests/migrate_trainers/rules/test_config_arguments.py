"""RunConfig, ScalingConfig and the other configurations: order of fields, renamed, dropped and refused arguments."""

from __future__ import annotations

import pytest
from rewriting import after, codes, lightning, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

SAME = {
    "positional name": "run_config=RunConfig('x')",
    "positional name and folder": "run_config=RunConfig('x', '/there')",
    "local_dir": "run_config=RunConfig(name='x', local_dir='/there')",
    "local_dir None": "run_config=RunConfig(name='x', local_dir=None)",
    "positional failure config": "run_config=RunConfig('x', '/there', None, None, FailureConfig(3))",
    "positional failures": "run_config=RunConfig(failure_config=FailureConfig(2))",
    "positional checkpoint config": "run_config=RunConfig(checkpoint_config=CheckpointConfig(3, 'loss', 'min'))",
    "effects stay": "run_config=RunConfig(name=effect('x'), failure_config=FailureConfig(effect(1)))",
    "torch_config None": "torch_config=None",
    "resume None": "resume_from_checkpoint=None",
    "no datasets": "datasets=None, dataset_config=None, datasets_iter_config=None",
    "no preprocessor": "preprocessor=None, metadata=None",
}


@pytest.mark.parametrize("trainer", SAME.values(), ids=SAME.keys())
def test_means_the_same(trainer: str) -> None:
    program = lightning(trainer=trainer)

    assert_same_calls(program, after(migrate(program)))


@pytest.mark.parametrize(
    ("version", "arguments", "expected"),
    [
        ((2, 4), "'x', '/there'", {"name": "x", "storage_path": "/there"}),
        ((2, 5), "'x', '/there'", {"name": "x", "storage_path": "/there"}),
        ((2, 6), "'x', '/there', None, None, FailureConfig(1)", {"name": "x", "max_failures": 1}),
        ((2, 7), "'x', '/there', None, FailureConfig(1)", {"name": "x", "max_failures": 1}),
        ((2, 7), "'x', '/there', None, FailureConfig(1), CheckpointConfig(4)", {"num_to_keep": 4}),
    ],
)
def test_positional_arguments_by_source_version(
    version: tuple[int, int], arguments: str, expected: dict[str, object]
) -> None:
    program = lightning(trainer=f"run_config=RunConfig({arguments})")

    text = after(migrate(program, source_version=version))

    configuration = assert_same_calls(program, text, version=version).fits[0]["configuration"]
    assert {name: configuration[name] for name in expected} == expected


SCALINGS = {
    "positional, led by trainer_resources": "ScalingConfig(None, 2, True)",
    "resources of the workers": "ScalingConfig(num_workers=2, resources_per_worker={'CPU': 2})",
    "effects": "ScalingConfig(num_workers=effect(2), use_gpu=bool(effect(1)))",
    "a dictionary": "{'num_workers': 2}",
    "a dictionary with a GPU": "dict(num_workers=2, use_gpu=True)",
}


@pytest.mark.parametrize("scaling", SCALINGS.values(), ids=SCALINGS.keys())
def test_scaling(scaling: str) -> None:
    program = lightning().replace("ScalingConfig(num_workers=2)", scaling)

    assert_same_calls(program, after(migrate(program)))


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        ("run_config=RunConfig(name='x', verbose=2)", "verbose"),
        ("run_config=RunConfig(name='x', log_to_file=True)", "log_to_file"),
        ("run_config=RunConfig(progress_reporter=effect)", "progress_reporter"),
        (
            "run_config=RunConfig(checkpoint_config=CheckpointConfig(num_to_keep=1, checkpoint_frequency=2))",
            "frequency",
        ),
        ("run_config=RunConfig(checkpoint_config=CheckpointConfig(checkpoint_at_end=True))", "at_end"),
        ("run_config=RunConfig(failure_config=FailureConfig(fail_fast=True))", "fail_fast=True"),
    ],
    ids=lambda value: value if "(" not in value else "",
)
def test_argument_without_effect_goes_with_a_word(arguments: str, gone: str) -> None:
    result = migrate(lightning(trainer=arguments))

    assert gone not in after(result)
    assert "MT402" in codes(result, Kind.REVIEW)


@pytest.mark.parametrize("arguments", ["verbose=2", "log_to_file=True"])
def test_earlier_targets_still_take_it(arguments: str) -> None:
    result = migrate(lightning(trainer=f"run_config=RunConfig(name='x', {arguments})"), target_version=(2, 9))

    assert arguments in after(result)
    assert "MT402" not in codes(result)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("run_config=RunConfig(stop={'epoch': 1})", "MT403"),
        ("run_config=RunConfig(callbacks=[effect()])", "MT403"),
        ("run_config=RunConfig(sync_config=effect())", "MT403"),
        ("preprocessor=effect()", "MT403"),
        ("metadata={'a': 1}", "MT403"),
        ("datasets={'train': effect()}", "MT106"),
        ("dataset_config=effect()", "MT102"),
        ("unknown=1", "MT106"),
        ("**{'run_config': None}", "MT104"),
    ],
    ids=lambda value: value.partition("=")[0].strip("*{'"),
)
def test_argument_that_changes_the_run_is_refused(arguments: str, code: str) -> None:
    result = migrate(lightning(trainer=arguments))

    assert result.after == result.before
    assert codes(result, Kind.MANUAL) == [code]


def test_local_dir_beside_storage_path_was_only_for_staging() -> None:
    program = lightning(trainer="run_config=RunConfig(local_dir='/staging', storage_path='/kept')")

    result = migrate(program)

    assert "staging" not in after(result)
    assert_same_calls(program, after(result))


def test_metadata_of_an_earlier_target() -> None:
    result = migrate(lightning(trainer="metadata={'a': 1}"), target_version=(2, 9))

    assert "metadata={'a': 1}" in after(result)


def test_config_variable_is_migrated_where_it_is_made() -> None:
    program = lightning(
        before="failure = FailureConfig(2)\nrun = RunConfig('x', failure_config=failure)\n", trainer="run_config=run"
    )

    assert_same_calls(program, after(migrate(program)))


@pytest.mark.parametrize("failures", ["0", "2", "-1", "effect(2)"])
def test_resume_code_where_a_run_can_restart(failures: str) -> None:
    program = lightning(trainer=f"run_config=RunConfig(failure_config=FailureConfig(max_failures={failures}))")

    text = after(migrate(program))

    assert ("get_checkpoint" in text) == (failures != "0")
    assert_same_calls(program, text)


def test_given_checkpoint_is_where_the_run_starts() -> None:
    program = lightning(
        ".fit_params(ckpt_path='mine.ckpt')",
        before="from ray.air import Checkpoint\n",
        trainer="resume_from_checkpoint=Checkpoint.from_directory(effect('given'))",
    )

    recording = assert_same_calls(program, after(migrate(program)))

    assert recording.fits[0]["workers"][0][2][1]["ckpt_path"] == "from given"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("'x', './runs'", "storage_path=os.path.abspath('./runs')"),
        ("'x', '/runs'", "storage_path='/runs'"),
        ("'x', 's3://bucket/runs'", "storage_path='s3://bucket/runs'"),
        ("'x', effect()", "storage_path=effect()"),
        ("local_dir='runs'", "storage_path=os.path.abspath('runs')"),
        ("local_dir='~/runs'", "storage_path='~/runs'"),
        ("local_dir=f'runs/{effect}'", "storage_path=os.path.abspath(f'runs/{effect}')"),
        ("local_dir=effect()", "storage_path=os.path.abspath(os.path.expanduser(effect()))"),
        ("local_dir=str(Path('runs').resolve())", "storage_path=str(Path('runs').resolve())"),
        ("sync_config=SyncConfig(upload_dir=effect('s3://b'))", "storage_path=effect('s3://b')"),
        ("local_dir='/staging', sync_config=SyncConfig('s3://b', sync_period=1)", "storage_path='s3://b'"),
        ("local_dir='/runs', sync_config=SyncConfig(syncer='auto')", "storage_path='/runs'"),
        ("name='x', sync_config=None", "name='x'"),
        ("storage_path='/runs', sync_config=SyncConfig(sync_artifacts=True)", "storage_path='/runs'"),
    ],
)
def test_where_runs_are_stored(arguments: str, expected: str) -> None:
    imports = "from pathlib import Path\nfrom ray.tune import SyncConfig\n"
    program = lightning(before=imports, trainer=f"run_config=RunConfig({arguments})")

    text = after(migrate(program))

    assert expected in text
    assert "SyncConfig(" not in text


def test_comments_of_a_sync_config_stay() -> None:
    sync = """SyncConfig(
        # ours
        upload_dir="s3://b",  # not theirs
        sync_period=9,  # seconds
    )"""
    before = "from ray.tune import SyncConfig\n"

    text = after(migrate(lightning(trainer=f"run_config=RunConfig(\n    sync_config={sync},\n)", before=before)))

    assert '    # ours\n    # not theirs\n    # seconds\n    storage_path="s3://b"' in text


@pytest.mark.parametrize("comment", [" # why\n   ", "\n    # why\n    "], ids=["behind", "alone"])
@pytest.mark.parametrize(
    "arguments",
    [
        "|'x' |, |verbose |= |(|1|)|",
        "|verbose |= |(|1|)|, |name |=| 'x'|,|",
        "|verbose |= |(|1|)|",
        "|'x'|, |verbose|=|1|, |",
    ],
)
def test_no_comment_beside_an_argument_that_goes_is_lost(arguments: str, comment: str) -> None:
    parts = arguments.split("|")
    for place in range(1, len(parts)):
        given = comment.join(("".join(parts[:place]), "".join(parts[place:])))

        text = after(migrate(lightning(trainer=f"run_config=RunConfig({given})")))

        assert text.count("# why") == 1
        assert "verbose" not in text


def test_sync_config_in_a_variable_goes_with_its_import() -> None:
    before = "from ray.tune import SyncConfig\nsync = SyncConfig(upload_dir='s3://bucket')\n"
    program = lightning(before=before, trainer="run_config=RunConfig('x', sync_config=sync)")

    text = after(migrate(program))

    assert "sync" not in text.lower().replace("sync_dist", "")
    assert "storage_path='s3://bucket'" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("callbacks=[WandbLoggerCallback(project='p')]", "`.trainer(logger=WandbLogger(...))`"),
        ("callbacks=[*effect(), MLflowLoggerCallback()]", "`.trainer(logger=MLFlowLogger(...))`"),
        ("stop={'epoch': 3}", "`.trainer(max_epochs=...)`"),
        ("stop=effect()", "`trainer.should_stop`"),
        ("callbacks=effect()", "`RunConfig(callbacks=...)`"),
        ("sync_config=SyncConfig(syncer=effect())", "`SyncConfig(syncer=...)`"),
        ("sync_config=SyncConfig(**effect())", "`RunConfig(sync_config=...)`: what it says can't be seen"),
    ],
)
def test_refusal_says_what_to_do_instead(arguments: str, expected: str) -> None:
    imports = """\
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.air.integrations.wandb import WandbLoggerCallback
from ray.tune import SyncConfig
"""
    result = migrate(lightning(before=imports, trainer=f"run_config=RunConfig({arguments})"))

    assert codes(result, Kind.MANUAL) == ["MT403"]
    assert expected in result.findings[0].message


@pytest.mark.parametrize(
    ("trainer", "argument", "expected"),
    [
        ("TransformersTrainer(make", "callbacks=[WandbLoggerCallback()]", 'report_to=["wandb"]'),
        ("TransformersTrainer(make", "stop={'training_iteration': 3}", "control.should_training_stop"),
        # Current Ray's `setup_wandb` would start a run in every worker.
        ("AccelerateTrainer(make", "callbacks=[WandbLoggerCallback()]", "in the worker of rank 0"),
        ("AccelerateTrainer(make", "callbacks=[MLflowLoggerCallback()]", "setup_mlflow(...)"),
        ("AccelerateTrainer(make", "stop={'loss': 0.1}", "return from the train function, in all workers"),
    ],
)
def test_refusal_says_it_for_each_trainer(trainer: str, argument: str, expected: str) -> None:
    program = f"""\
from project import make
from ray.air import RunConfig, ScalingConfig
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.air.integrations.wandb import WandbLoggerCallback
from ray.train.huggingface import AccelerateTrainer, TransformersTrainer
{trainer}, scaling_config=ScalingConfig(num_workers=2), run_config=RunConfig({argument})).fit()
"""
    result = migrate(program)

    assert "MT403" in codes(result, Kind.MANUAL)
    assert expected in "".join(finding.message for finding in result.findings)


@pytest.mark.parametrize("callbacks", ["[]", "None", "[TBXLoggerCallback(), CSVLoggerCallback()]"])
def test_callbacks_that_every_run_had_go(callbacks: str) -> None:
    imports = "from ray.tune.logger import CSVLoggerCallback, TBXLoggerCallback\n"

    text = after(migrate(lightning(before=imports, trainer=f"run_config=RunConfig(name='x', callbacks={callbacks})")))

    assert f"callbacks={callbacks}" not in text


@pytest.mark.parametrize(
    ("before", "configuration", "code"),
    [
        ("given = {'verbose': 1}\n", "RunConfig(**given)", "MT104"),
        ("", "RunConfig(**{'name': 'x', 'local_dir': 'runs'})", "MT104"),
        ("", "RunConfig(verbose=1, **effect())", "MT104"),
        ("", "RunConfig(**effect())", "MT408"),
        ("run = RunConfig('x')\nrun.stop = effect()\n", "run", "MT403"),
        ("run = RunConfig('x')\nrun.local_dir = effect()\n", "run", "MT403"),
    ],
)
def test_hidden_arguments_are_looked_at(before: str, configuration: str, code: str) -> None:
    program = lightning(before=before, trainer=f"run_config={configuration}")

    assert code in codes(migrate(program))
    assert code not in codes(migrate(program, target_version=(2, 9)))


@pytest.mark.parametrize("comment", [" # why\n   ", "\n    # why\n    "], ids=["behind", "alone"])
@pytest.mark.parametrize(
    "builder", [".trainer(max_epochs |=| 2)", ".module(Net, depth |=| 3)", ".fit_params(ckpt_path |=| 'x')"]
)
def test_no_comment_between_a_keyword_and_its_value_is_lost(builder: str, comment: str) -> None:
    parts = builder.split("|")
    for given in (f"{parts[0]}{comment}={parts[2]}", f"{parts[0]}={comment}{parts[2]}"):
        assert after(migrate(lightning(given))).count("# why") == 1


def test_no_comment_behind_the_keyword_of_a_function_is_lost() -> None:
    program = """\
from project import make
from ray.air import ScalingConfig
from ray.train.huggingface import TransformersTrainer
TransformersTrainer(
    trainer_init_per_worker=  # why
        make,
    scaling_config=ScalingConfig(num_workers=2),
).fit()
"""
    assert after(migrate(program)).count("    # why\n    ") == 1
