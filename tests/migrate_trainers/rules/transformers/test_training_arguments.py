"""`TrainingArguments`: which ones a trainer's workers get, what was implied about them, and what was refused."""

from __future__ import annotations

from textwrap import dedent

import pytest
from rewriting import SCALING, TRANSFORMERS_IMPORTS, after, codes, findings, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

BY_EPOCH = "logging_strategy='epoch', save_strategy='epoch'"
TRAINER = f"TransformersTrainer(init, scaling_config={SCALING}).fit()\n"
LOOP = "get_reporting_integration_callbacks"


def program(text: str, trainer: str = TRAINER) -> str:
    """A program that makes its Trainers in `text`, where `BY_EPOCH` and `INIT` stand for what most have."""
    text = dedent(text).replace("INIT", "def init(train_dataset, eval_dataset=None, **config):")
    return TRANSFORMERS_IMPORTS + text.replace("BY_EPOCH", BY_EPOCH) + trainer


def given(arguments: str, trainer: str = TRAINER) -> str:
    """A program whose Trainer gets `TrainingArguments` that are made in its call."""
    return program(f"INIT\n    return Trainer(make_model(), TrainingArguments('out', {arguments}))\n", trainer)


# Every way in which arguments reach the Trainer: each has an end of an epoch as its only time to report.
IN_SIGHT = {
    "in the call": """
        INIT
            return Trainer(make_model(), TrainingArguments("out", BY_EPOCH))
    """,
    "by keyword": """
        INIT
            args = TrainingArguments(output_dir="out", BY_EPOCH)
            return Trainer(model=make_model(), args=args)
    """,
    "at module level": """
        args = TrainingArguments("out", BY_EPOCH)
        INIT
            return Trainer(make_model(), args)
    """,
    "of a helper": """
        def make_args(rate):
            return TrainingArguments("out", BY_EPOCH, learning_rate=rate)
        INIT
            return Trainer(make_model(), args=make_args(0.5))
    """,
    "of a helper, in a variable": """
        def make_args():
            made = TrainingArguments("out", BY_EPOCH)
            return made
        INIT
            arguments = make_args()
            return Trainer(make_model(), args=arguments)
    """,
    "in a helper that makes the Trainer": """
        def make_trainer(model):
            return Trainer(model, TrainingArguments("out", BY_EPOCH))
        INIT
            return make_trainer(make_model())
    """,
    "given to a helper that makes the Trainer": """
        def make_trainer(model, args):
            return Trainer(model, args)
        INIT
            return make_trainer(make_model(), TrainingArguments("out", BY_EPOCH))
    """,
    "of an attribute": """
        class Task:
            def __init__(self):
                self.args = TrainingArguments("out", BY_EPOCH)
            def make(self, train_dataset, eval_dataset=None, **config):
                return Trainer(make_model(), self.args)
        init = Task().make
    """,
    "one of two": """
        INIT
            args = TrainingArguments("a", BY_EPOCH) if config else TrainingArguments("b", BY_EPOCH)
            return Trainer(make_model(), args)
    """,
    "of a class of the script": """
        class Arguments(TrainingArguments):
            pass
        INIT
            return Trainer(make_model(), Arguments("out", BY_EPOCH))
    """,
    "with a dictionary": """
        settings = {"logging_strategy": "epoch", "save_strategy": "epoch"}
        INIT
            return Trainer(make_model(), TrainingArguments("out", **settings))
    """,
    "with strategies in variables": """
        WHEN = "epoch"
        INIT
            return Trainer(make_model(), TrainingArguments("out", logging_strategy=WHEN, save_strategy=WHEN))
    """,
    "with members of an enumeration": """
        from transformers import IntervalStrategy
        from transformers.trainer_utils import IntervalStrategy as When
        INIT
            args = TrainingArguments("out", logging_strategy=IntervalStrategy.EPOCH, save_strategy=When.EPOCH)
            return Trainer(make_model(), args)
    """,
    "of a lambda": """
        init = lambda train, evaluation, **config: Trainer(make_model(), TrainingArguments("out", BY_EPOCH))
    """,
    "of a partial": """
        import functools
        def make(size, train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(size), TrainingArguments("out", BY_EPOCH))
        init = functools.partial(make, 3)
    """,
    "of a choice": """
        def small(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(1), TrainingArguments("out", BY_EPOCH))
        init = small if effect(1) else lambda *_, **config: Trainer(make_model(2), TrainingArguments("out", BY_EPOCH))
    """,
    "of a Trainer that an imported function is given": """
        import copy
        INIT
            trainer = Trainer(make_model(), TrainingArguments("out", BY_EPOCH))
            return copy.copy(trainer)
    """,
    "beside those of another Trainer": """
        def elsewhere():
            return Trainer(make_model(), TrainingArguments("other", report_to="wandb", save_strategy="no"))
        INIT
            return Trainer(make_model(), TrainingArguments("out", BY_EPOCH))
    """,
}


@pytest.mark.parametrize("text", IN_SIGHT.values(), ids=IN_SIGHT.keys())
def test_arguments_are_followed_to_the_trainer(text: str) -> None:
    source = program(text)

    result = migrate(source)

    assert "RayTrainReportCallback" in after(result), findings(result)
    assert 'report_to="none"' in after(result)
    assert LOOP not in after(result)
    assert "MT213" not in codes(result)
    assert_same_calls(source, after(result))


def test_arguments_of_another_trainer_stay() -> None:
    text = after(migrate(program(IN_SIGHT["beside those of another Trainer"])))

    assert 'TrainingArguments("other", report_to="wandb", save_strategy="no")' in text


def test_each_trainer_reports_by_its_own_arguments() -> None:
    source = program(
        """
        def by_epoch(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(), TrainingArguments("a", BY_EPOCH))
        def at_the_end(train_dataset, eval_dataset=None, **config):
            return Trainer(make_model(), TrainingArguments("b", logging_strategy="epoch", save_strategy="no"))
        """,
        f"TransformersTrainer(by_epoch, scaling_config={SCALING}).fit()\n"
        f"TransformersTrainer(at_the_end, scaling_config={SCALING}).fit()\n",
    )

    result = migrate(source)

    assert after(result).count("add_callback(ReportWhenSavedCallback())") == 1
    assert after(result).count("add_callback(ReportOnLogCallback())") == 1
    assert_same_calls(source, after(result))


ONE_WORKER = {
    "in the call": ("", "ScalingConfig(num_workers=1)", True),
    "in a variable": ("scaling = ScalingConfig(use_gpu=True, num_workers=1)\n", "scaling", True),
    "in a dictionary": ("", "{'num_workers': 1}", True),
    "assigned later": ("scaling = ScalingConfig(num_workers=1)\nscaling.num_workers = 2\n", "scaling", False),
    "of a variable": ("workers = 1\n", "ScalingConfig(num_workers=workers)", False),
    "two": ("", "ScalingConfig(num_workers=2)", False),
}


@pytest.mark.parametrize(("before", "scaling", "is_sure"), ONE_WORKER.values(), ids=ONE_WORKER.keys())
def test_reports_wait_for_other_workers_where_there_may_be_some(before: str, scaling: str, is_sure: bool) -> None:
    trainer = f"{before}TransformersTrainer(init, scaling_config={scaling}).fit()\n"
    source = program(IN_SIGHT["in the call"], trainer)

    result = migrate(source)

    assert ("add_callback(RayTrainReportCallback())" in after(result)) is is_sure
    assert ("torch.distributed.barrier()" in after(result)) is not is_sure
    assert ("MT218" in codes(result)) is not is_sure
    assert_same_calls(source, after(result))


def test_the_callback_of_the_bundled_runtime_waits_by_itself() -> None:
    result = migrate(program(IN_SIGHT["in the call"]), bundled=True)

    assert "add_callback(RayTrainReportCallback())" in after(result)
    assert "MT218" not in codes(result)


OUT_OF_SIGHT = {
    "of a parser": """
        from transformers import HfArgumentParser
        (args,) = HfArgumentParser(TrainingArguments).parse_dict({"output_dir": "out"})
        INIT
            return Trainer(make_model(), args)
    """,
    "of a parser, beside a call": """
        from transformers import HfArgumentParser
        plain = TrainingArguments("plain")
        args, rest = HfArgumentParser((TrainingArguments, dict)).parse_args_into_dataclasses()
        INIT
            return Trainer(make_model(), args)
    """,
    "imported": """
        from project import training_arguments
        INIT
            return Trainer(make_model(), training_arguments)
    """,
    "of the configuration": """
        INIT
            return Trainer(make_model(), TrainingArguments("out", **config))
    """,
    "with a dictionary that is changed": """
        settings = {"logging_strategy": "epoch"}
        settings["save_strategy"] = "epoch"
        INIT
            return Trainer(make_model(), TrainingArguments("out", **settings))
    """,
    "of an imported helper": """
        from project import make_trainer
        INIT
            return make_trainer(make_model())
    """,
    "of an imported helper, beside a call": """
        from project import make_trainer
        INIT
            if config:
                trainer = make_trainer(config)
                return trainer
            return Trainer(make_model(), TrainingArguments("out", BY_EPOCH))
    """,
    "of an imported function, beside a call": """
        try:
            from project import init
        except ImportError:
            INIT
                return Trainer(make_model(), TrainingArguments("out", BY_EPOCH))
    """,
    "made by an imported function, beside a call": """
        from project import make_arguments
        INIT
            args = make_arguments() if config else TrainingArguments("out", BY_EPOCH)
            return Trainer(make_model(), args)
    """,
    "made by the method of an imported base": """
        from project import Launcher
        class Other:
            def make(self):
                return Trainer(make_model(), TrainingArguments("other", BY_EPOCH))
        class Mine(Launcher):
            def make(self, train_dataset, eval_dataset=None, **config):
                trainer = super().make(train_dataset, eval_dataset, **config)
                return trainer
        init = Mine().make
    """,
}


@pytest.mark.parametrize("text", OUT_OF_SIGHT.values(), ids=OUT_OF_SIGHT.keys())
def test_integrations_are_removed_where_arguments_are_out_of_sight(text: str) -> None:
    result = migrate(program(text))

    lines = [line.strip() for line in after(result).splitlines()]
    assert "for integration in get_reporting_integration_callbacks(trainer.args.report_to):" in lines
    assert "trainer.pop_callback(integration)" in lines
    assert "MT213" in codes(result, Kind.REVIEW)
    assert "ReportOnLogCallback" in after(result)
    assert 'report_to="none"' not in after(result)


def test_removing_integrations_does_what_the_legacy_trainer_did() -> None:
    source = program(
        OUT_OF_SIGHT["of the configuration"],
        f"TransformersTrainer(init, trainer_init_config={{'report_to': 'wandb', 'use_cpu': True}}, "
        f"scaling_config={SCALING}).fit()\n",
    )

    assert_same_calls(source, after(migrate(source)))


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ("report_to='none'", False),
        ("report_to=[]", False),
        ("report_to=['none']", False),
        ("report_to='wandb'", True),
        ("report_to=['wandb', 'tensorboard']", True),
        ("report_to='all'", True),
        ("report_to=effect()", True),
        ("**{'report_to': 'wandb'}", True),
        ("**dict(report_to='none')", False),
    ],
)
def test_integrations_that_are_asked_for_are_for_the_reader(arguments: str, asked: bool) -> None:
    result = migrate(given(arguments))

    assert ("MT211" in codes(result, Kind.REVIEW)) == asked
    assert arguments in after(result)
    assert 'report_to="none"' not in after(result)


def test_none_stood_for_all_integrations() -> None:
    text = after(migrate(given("report_to=None, seed=1")))

    assert 'report_to="none", seed=1' in " ".join(text.split())


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ("args.report_to = ['wandb']", True),
        ("args.report_to = []", False),
        ("args = dataclasses.replace(args, report_to='wandb')", True),
        ("args = dataclasses.replace(args, seed=1)", False),
        ("args.set_logging(strategy='epoch', report_to=['wandb'])", True),
        ("args.set_save(strategy='epoch')", False),
    ],
)
def test_arguments_that_are_changed_after_they_are_made(change: str, asked: bool) -> None:
    result = migrate(
        program(
            f"""
            import dataclasses
            INIT
                args = TrainingArguments("out", BY_EPOCH)
                {change}
                return Trainer(make_model(), args)
            """
        )
    )

    assert ("MT211" in codes(result)) == asked
    assert 'report_to="none"' in after(result)
    assert "ReportOnLogCallback" in after(result)


# The schedules of `test_transformers_callback`, through the stand-ins for both Trainers.
@pytest.mark.parametrize(
    "schedule",
    [
        "logging_strategy='epoch', save_strategy='no'",
        "logging_strategy='epoch', evaluation_strategy='epoch', save_strategy='no'",
        "logging_strategy='epoch', evaluation_strategy='epoch', save_strategy='epoch'",
        f"{BY_EPOCH}, logging_first_step=True",
        f"{BY_EPOCH}, max_steps=5",
        "logging_steps=2, save_strategy='no'",
        "logging_steps=2, save_steps=4, max_steps=5",
        "logging_steps=2, save_steps=4, max_steps=6",
        "logging_steps=2, eval_steps=2, evaluation_strategy='steps', save_strategy='no', max_steps=5",
        "logging_steps=2, eval_steps=2, evaluation_strategy='steps', save_steps=4, max_steps=7",
        "logging_steps=2, evaluation_strategy='steps', save_steps=4, num_train_epochs=2",
        "max_steps=3",
        "logging_strategy='no', save_strategy='no'",
    ],
)
def test_reports_and_checkpoints_are_those_of_the_legacy_trainer(schedule: str) -> None:
    source = given(schedule)

    assert_same_calls(source, after(migrate(source)))


@pytest.mark.parametrize(
    "code",
    [
        "print(result.metrics['train_loss'])",
        "class Mine(Trainer):\n    def training_step(self, *args):\n        self.log({'a': 1})",
        "class Every:\n    def on_step_end(self, args, state, control, **more):\n        control.should_log = True",
        "import os\nos.listdir(result.checkpoint.path)",
    ],
)
def test_programs_that_see_the_difference_get_the_legacy_reports(code: str) -> None:
    source = given(BY_EPOCH, TRAINER.replace("Trans", "result = Trans", 1) + code + "\n")

    assert "ReportOnLogCallback" in after(migrate(source))


def test_checkpoints_of_earlier_runs_in_the_same_place_are_not_reported() -> None:
    text = after(migrate(given(BY_EPOCH).replace("'out'", "'/data/out'")))

    assert "ReportOnLogCallback" in text


@pytest.mark.parametrize(
    "arguments",
    [
        "evaluation_strategy='epoch'",
        "evaluation_strategy='epoch', save_strategy='epoch'",
        "save_strategy='epoch'",
        "logging_strategy='epoch'",
        "logging_strategy='epoch', evaluation_strategy='steps', save_strategy='no'",
        "load_best_model_at_end=True",
        f"{BY_EPOCH}, load_best_model_at_end=True",
        "logging_steps=3, save_steps=4",
        "logging_steps=4, save_steps=2",
        "logging_steps=4, eval_steps=2, evaluation_strategy='steps', save_strategy='no'",
    ],
)
def test_what_the_legacy_trainer_refused_is_left(arguments: str) -> None:
    source = given(arguments)
    with pytest.raises(ValueError, match=r"strategies|steps"):
        assert_same_calls(source, source)

    result = migrate(source)

    assert result.after == result.before
    assert codes(result, Kind.MANUAL) == ["MT208"]


@pytest.mark.parametrize(
    "arguments",
    [
        "evaluation_strategy=effect()",
        "load_best_model_at_end=effect()",
        "**config",
        "logging_steps=effect(), save_steps=3",
        "logging_steps=0.1, save_steps=0.2",
    ],
)
def test_what_only_the_running_script_knows_is_not_refused(arguments: str) -> None:
    assert migrate(given(arguments)).changed


@pytest.mark.parametrize(
    ("resources", "refused"),
    [("{'GPU': 2}", True), ("{'GPU': 0.5}", True), ("{'GPU': 1}", False), ("{'CPU': 4}", False), ("dict(GPU=2)", True)],
)
def test_one_gpu_a_worker(resources: str, refused: bool) -> None:
    scaling = f"ScalingConfig(num_workers=2, use_gpu=True, resources_per_worker={resources})"

    result = migrate(given(BY_EPOCH, f"TransformersTrainer(init, scaling_config={scaling}).fit()\n"))

    assert ("MT106" in codes(result, Kind.MANUAL)) == refused


CPU = {
    "no GPU": ("ScalingConfig(num_workers=2)", BY_EPOCH, "use_cpu=True"),
    "a GPU": ("ScalingConfig(num_workers=2, use_gpu=True)", BY_EPOCH, None),
    "perhaps a GPU": (
        "ScalingConfig(num_workers=2, use_gpu=bool(effect()))",
        BY_EPOCH,
        'use_cpu=get_device().type == "cpu"',
    ),
    "said already": ("ScalingConfig(num_workers=2)", "no_cuda=True", None),
    "said already, newly": ("ScalingConfig(num_workers=2)", "use_cpu=False", None),
}


@pytest.mark.parametrize(("scaling", "arguments", "expected"), CPU.values(), ids=CPU.keys())
def test_workers_without_a_gpu_stay_on_the_cpu(scaling: str, arguments: str, expected: str | None) -> None:
    source = given(arguments, f"TransformersTrainer(init, scaling_config={scaling}).fit()\n")

    text = after(migrate(source))

    assert (expected or "use_cpu") in text or (expected is None and "use_cpu" not in text)
    assert ("get_device" in text) == ("get_device" in (expected or ""))
    if expected is None:
        assert text.count("use_cpu") == source.count("use_cpu")
    if "use_cpu=False" not in arguments:
        assert_same_calls(source, text)


def test_trainers_with_and_without_gpus_that_share_arguments() -> None:
    source = program(
        IN_SIGHT["in the call"],
        f"TransformersTrainer(init, scaling_config={SCALING}).fit()\n"
        "TransformersTrainer(init, scaling_config=ScalingConfig(num_workers=2, use_gpu=True)).fit()\n",
    )

    text = after(migrate(source))

    assert 'use_cpu=get_device().type == "cpu"' in text
    assert_same_calls(source, text)


def test_device_of_arguments_that_the_driver_makes_is_for_the_reader() -> None:
    result = migrate(
        program(
            IN_SIGHT["at module level"],
            "TransformersTrainer(init, scaling_config=ScalingConfig(num_workers=2, use_gpu=effect())).fit()\n",
        )
    )

    assert "MT227" in codes(result, Kind.REVIEW)
    assert "use_cpu" not in after(result)


@pytest.mark.parametrize("target", [(2, 7), (2, 9)])
def test_ray_that_hides_gpus_needs_no_word(target: tuple[int, int]) -> None:
    assert "use_cpu" not in after(migrate(given(BY_EPOCH), target_version=target))
