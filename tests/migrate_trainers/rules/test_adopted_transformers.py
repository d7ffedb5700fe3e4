"""Scripts that train Transformers without Ray, which `--adopt` turns into TorchTrainer programs."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from rewriting import after, codes, migrate

from migrate_trainers.findings import Kind
from migrate_trainers.settings import Adoption

if TYPE_CHECKING:
    from migrate_trainers import FileResult

IMPORTS = """\
import torch
from project import data, effect, model
from transformers import HfArgumentParser, Trainer, TrainingArguments, set_seed
"""
PLAIN = """\
trainer = Trainer(model, TrainingArguments("/out"), train_dataset=data)
trainer.train()
"""


def adopt(text: str, *, num_workers: int = 2, use_gpu: bool = False, **settings: object) -> FileResult:
    """The rewriter's result for a script behind the usual imports."""
    return migrate(IMPORTS + dedent(text), adoption=Adoption(num_workers, use_gpu), **settings)


def body(result: FileResult) -> str:
    """The train function of the output, without its indentation."""
    _, _, behind = after(result).partition("def train_func(")
    return dedent(behind.partition("):\n")[2].partition("\n\n\n")[0])


@pytest.mark.parametrize("num_workers", [1, 2])
def test_the_trainer_reports_and_trains_in_the_worker(num_workers: int) -> None:
    result = adopt(PLAIN, num_workers=num_workers)

    callback = "RayTrainReportCallback" if num_workers == 1 else "ReportWhenSavedCallback"
    assert body(result) == dedent(f"""\
        trainer = Trainer(model, TrainingArguments("/out", use_cpu=True), train_dataset=data)
        trainer.add_callback({callback}())
        trainer = prepare_trainer(trainer)
        trainer.train()""")
    assert f"ScalingConfig(num_workers={num_workers}, use_gpu=False)" in after(result)
    assert ("MT218" in codes(result), "MT215" in codes(result)) == (num_workers > 1, num_workers > 1)


def test_the_bundled_runtime_needs_no_class_that_waits() -> None:
    output = after(adopt(PLAIN, bundled=True))

    assert "from train_runtime.huggingface.transformers import" in output
    assert "trainer.add_callback(RayTrainReportCallback())" in output
    assert "class " not in output


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f"def main():\n    {PLAIN.replace(chr(10), chr(10) + '    ', 1)}\nmain()\n",
        "args, = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses()\nTrainer(model, args).train()\n",
        "def build():\n    return Trainer(model, TrainingArguments())\n\ntrainer = build()\ntrainer.train()\n",
    ],
)
def test_a_second_run_changes_nothing(text: str) -> None:
    again = migrate(after(adopt(text)), adoption=Adoption(2))

    assert not again.changed
    assert codes(again) == []


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (f"{PLAIN}other = Trainer(model, None)\nother.train()\n", "MT614", "another"),
        ("for rate in 1, 2:\n    t = Trainer(model)\n    t.train()\n", "MT614", "each turn"),
        ("trainer = Trainer(model)\ndef main():\n    trainer.train()\nmain()\n", "MT615", "another function"),
        ("trainer = Trainer(model)\n", "MT615", "nothing in the file trains with it"),
        ("class A:\n    def f(self):\n        self.t = Trainer(model)\n        self.t.train()\n", "MT615", "attribute"),
        ("print(Trainer(model).train())\n", "MT615", "within an expression"),
        ("Trainer(model).hyperparameter_search()\n", "MT614", "many hyperparameters"),
        ("class Own(TrainingArguments):\n    pass\n\nTrainer(model, Own()).train()\n", "MT619", "own class"),
        ("model.train()\n", "MT649", "Nothing"),
        ("trainer = Trainer(model)\nprint(trainer.evaluate())\n", "MT649", "Nothing"),
        (
            "args = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses()[0]\n"
            "Trainer(model, args).train()\n",
            "MT617",
            "more than assigned",
        ),
        (
            "types = effect()\nargs, = HfArgumentParser(types).parse_args_into_dataclasses()\n"
            "Trainer(model, args).train()\n",
            "MT617",
            "can't be seen",
        ),
        (
            "a, rest = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses(return_remaining_strings=True)\n"
            "Trainer(model, a).train()\n",
            "MT617",
            "more than the dataclasses",
        ),
    ],
)
def test_left_as_it_was(text: str, code: str, said: str) -> None:
    result = adopt(text)

    assert not result.changed
    assert codes(result) == [code]
    assert said in result.findings[0].message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Where the Trainer trains in several places, it is prepared where it is made.
        (
            """\
            trainer = Trainer(model)
            if effect():
                trainer.train(resume_from_checkpoint="/x")
            else:
                trainer.train()
            """,
            """\
            trainer = Trainer(model)
            trainer.add_callback(RayTrainReportCallback())
            trainer = prepare_trainer(trainer)
            if effect():
                trainer.train(resume_from_checkpoint="/x")
            else:
                trainer.train()
            """,
        ),
        (
            "result = Trainer(\n    model,  # tiny\n).train(effect())\nprint(result)\n",
            """\
            trainer = Trainer(
                model,  # tiny
            )
            trainer.add_callback(RayTrainReportCallback())
            trainer = prepare_trainer(trainer)
            result = trainer.train(effect())

            if ray.train.get_context().get_world_rank() == 0:
                print(result)
            """,
        ),
        (
            "trainer = Trainer(model)\nif effect: trainer.train(); trainer.save_model()\n",
            """\
            trainer = Trainer(model)
            trainer.add_callback(RayTrainReportCallback())
            trainer = prepare_trainer(trainer)
            if effect: trainer.train(); trainer.save_model()
            """,
        ),
        # What another Trainer does is done by all workers.
        (
            """\
            one = Trainer(model)
            one.train()
            other = Trainer(model)
            print(other.evaluate())
            other.log_metrics("eval", {})
            model.save_pretrained("/x")
            """,
            """\
            one = Trainer(model)
            one.add_callback(RayTrainReportCallback())
            one = prepare_trainer(one)
            one.train()
            other = Trainer(model)
            print(other.evaluate())
            other.log_metrics("eval", {})
            """,
        ),
        (
            "class Own(Trainer):\n    pass\n\n\nset_seed(3)\ntrainer = Own(model)\ntrainer.train()",
            """\
            set_seed(3)
            trainer = Own(model)
            trainer.add_callback(RayTrainReportCallback())
            trainer = prepare_trainer(trainer)
            trainer.train()
            """,
        ),
    ],
)
def test_forms_of_training(text: str, expected: str) -> None:
    assert body(adopt(text, num_workers=1)) == dedent(expected).rstrip()


@pytest.mark.parametrize(
    ("given", "use_gpu", "expected", "found"),
    [
        ('"/o"', False, '"/o", use_cpu=True', []),
        ('"/o"', True, '"/o"', []),
        ('"/o", use_cpu=False', False, '"/o", use_cpu=True', []),
        ('"/o", use_cpu=True', False, '"/o", use_cpu=True', []),
        ('"/o", use_cpu=True', True, '"/o", use_cpu=True', ["MT613"]),
        ('"/o", no_cuda=effect()', False, '"/o", no_cuda=effect()', ["MT616"]),
        ("**effect()", False, "**effect()", ["MT616"]),
    ],
)
def test_device_of_the_workers(given: str, use_gpu: bool, expected: str, found: list[str]) -> None:
    result = adopt(f"t = Trainer(model, TrainingArguments({given}))\nt.train()\n", num_workers=1, use_gpu=use_gpu)

    assert f"TrainingArguments({expected})" in after(result)
    assert [code for code in codes(result, Kind.REVIEW) if code in ("MT613", "MT616")] == found


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ('"/o", eval_strategy="epoch", save_strategy="epoch"', []),
        ('"/o", save_strategy="epoch"', []),
        ('"/o", eval_strategy="epoch"', ["MT611"]),
        ('"/o", save_strategy="no"', ["MT611"]),
        ('"/o", eval_strategy="steps", save_strategy="steps", eval_steps=5, save_steps=5', []),
        ('"/o", eval_strategy="steps", save_strategy="steps", eval_steps=5, save_steps=10', ["MT611"]),
        ('"o", save_strategy="epoch"', ["MT612"]),
        ('output_dir=effect.folder, save_strategy="epoch"', ["MT612"]),
    ],
)
def test_what_is_worth_a_look(given: str, found: list[str]) -> None:
    result = adopt(f"t = Trainer(model, TrainingArguments({given}))\nt.train()\n", num_workers=1)

    assert codes(result, Kind.REVIEW) == found


def test_losses_are_averaged_where_the_release_is_known() -> None:
    output = after(adopt(PLAIN, target_transformers=(5, 0)))

    assert "average_tokens_across_devices=False" in output


def test_the_driver_reads_the_command_line() -> None:
    output = after(
        adopt(
            """\
            import sys

            def main():
                parser = HfArgumentParser((Data, TrainingArguments))
                if len(sys.argv) == 2 and sys.argv[1].endswith(".json"):
                    data_args, training_args = parser.parse_json_file(sys.argv[1])
                elif sys.argv[1].endswith(".yaml"):
                    data_args, training_args = parser.parse_yaml_file(yaml_file=sys.argv[1])
                else:
                    data_args, training_args = parser.parse_args_into_dataclasses()
                trainer = Trainer(model, training_args, train_dataset=data)
                trainer.train()

            main()
            """,
            num_workers=1,
        )
    )
    driver, worker = output.partition("def main():")[2], output.partition("def train_func(")[2]

    assert 'arguments = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")) | {"use_cpu": True}' in driver
    assert 'arguments = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8")) | {"use_cpu": True}' in driver
    assert 'arguments = vars(parser.parse_args()) | {"use_cpu": True}' in driver
    assert (
        "    data_args, training_args = (\n"
        "        kind(**{field.name: arguments[field.name] for field in fields(kind) if field.name in arguments})\n"
        "        for kind in (Data, TrainingArguments)\n"
        "    )\n"
    ) in worker
    assert "HfArgumentParser" not in worker.partition("def main")[0]


def test_a_train_function_is_completed() -> None:
    output = after(
        adopt(
            """\
            from ray.train import ScalingConfig
            from ray.train.torch import TorchTrainer

            def train_func(config):
                trainer = Trainer(model, TrainingArguments("/out", use_cpu=True))
                trainer.train()

            TorchTrainer(train_func, scaling_config=ScalingConfig(num_workers=4)).fit()
            """
        )
    )

    assert "trainer = prepare_trainer(trainer)" in output
    assert output.count("def train_func") == output.count("TorchTrainer(") == 1
    assert output.index("class ReportWhenSavedCallback") < output.index("def train_func")


def test_an_accelerator_that_is_asked_for_the_rank_is_asked_in_the_worker() -> None:
    text = f"from accelerate import Accelerator\nprint(Accelerator().process_index)\n{PLAIN}"

    assert "    print(Accelerator(cpu=True).process_index)\n" in after(adopt(text))
