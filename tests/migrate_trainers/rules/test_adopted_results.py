"""What adopted scripts read after the training: from the `Result` where that holds the same, else in the worker."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from rewriting import after, codes, findings, migrate

from migrate_trainers.findings import Kind
from migrate_trainers.settings import Adoption

if TYPE_CHECKING:
    from migrate_trainers import FileResult

LIGHTNING = """\
import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from project import Data, Net, effect
"""
TRANSFORMERS = """\
import os
from project import data, effect
from transformers import AutoModelForMaskedLM, AutoTokenizer, Trainer, TrainingArguments
"""
EPOCHS = 'eval_strategy="epoch", save_strategy="epoch"'
NAME = "RayTrainReportCallback.CHECKPOINT_NAME"
LAST = f"last_checkpoint_path = os.path.join(result.checkpoint.path, {NAME})"
BEST_IS_LAST = LAST.replace("last_", "best_")


def best(metric: str, mode: str) -> str:
    """The line that finds the best checkpoint."""
    return f'best_checkpoint_path = os.path.join(result.get_best_checkpoint("{metric}", "{mode}").path, {NAME})'


LOWEST, HIGHEST, BEST_SAVED = best("loss", "min"), best("acc", "max"), best("eval_f1", "max")
MIN, MAX = 'monitor="loss"', 'monitor="acc", mode="max"'
PRINTED = "print(best_checkpoint_path)"


def adopt(text: str) -> FileResult:
    """The rewriter's result for a script with all that it needs."""
    return migrate(dedent(text), adoption=Adoption(2))


def lightning(behind: str, checkpoint: str = 'monitor="loss"', trainer: str = "", fit: str = "") -> str:
    """A script with a `ModelCheckpoint`, and what it does after the training."""
    return (
        f"{LIGHTNING}best = ModelCheckpoint({checkpoint})\ntrainer = pl.Trainer(callbacks=[best]{trainer})\n"
        f"trainer.fit(Net(), Data(){fit})\n{behind}\n"
    )


def transformers(behind: str, arguments: str = EPOCHS, train: str = "") -> str:
    """A script with a Transformers Trainer, and what it does after the training."""
    return (
        f'{TRANSFORMERS}model = effect(1)\nargs = TrainingArguments("out", {arguments})\n'
        f"trainer = Trainer(model=model, args=args)\ntrainer.train({train})\n{behind}\n"
    )


def driver(result: FileResult) -> str:
    """What the driver does with the result, each statement on one line."""
    text = after(result).partition("result = trainer.fit()\n")[2].strip()
    return re.sub(r"\(\n +(.*)\n\)", r"(\1)", text).replace("\n\n", "\n")


@pytest.mark.parametrize(
    ("behind", "checkpoint", "written"),
    [
        (
            "Net.load_from_checkpoint(best.best_model_path)",
            'monitor="loss"',
            f"{LOWEST}\nNet.load_from_checkpoint(best_checkpoint_path)",
        ),
        (
            "path = best.best_model_path\nprint(path)",
            'None, None, "loss"',
            f"{LOWEST}\npath = best_checkpoint_path\nprint(path)",
        ),
        (
            "print(best.best_model_path)",
            'monitor="acc", mode="max", save_top_k=3',
            f"{HIGHEST}\n{PRINTED}",
        ),
        (
            "print(trainer.checkpoint_callback.best_model_path)",
            MAX,
            f"{HIGHEST}\n{PRINTED}",
        ),
        ("print(best.best_model_path)", "", f"{BEST_IS_LAST}\n{PRINTED}"),
        (
            "torch.load(best.last_model_path)",
            'monitor="loss", save_top_k=-1, save_last=True',
            f"{LAST}\ntorch.load(last_checkpoint_path)",
        ),
        (
            "print(best.best_model_score.item())",
            MAX,
            'print(max(metrics["acc"] for _, metrics in result.best_checkpoints))',
        ),
        (
            'print(f"{best.best_model_score:.2f}")',
            'monitor="loss"',
            "print(f\"{min(metrics['loss'] for _, metrics in result.best_checkpoints):.2f}\")",
        ),
    ],
)
def test_lightnings_checkpoints_are_those_of_the_reports(behind: str, checkpoint: str, written: str) -> None:
    result = adopt(lightning(behind, checkpoint))

    assert driver(result) == written
    assert "MT645" in codes(result, Kind.REVIEW)
    assert "MT644" not in codes(result)


def test_without_a_checkpoint_callback_lightning_keeps_the_last_one() -> None:
    text = f"{LIGHTNING}trainer = pl.Trainer({{}})\ntrainer.fit(Net(), Data())\n"
    read = "print(trainer.checkpoint_callback.best_model_path)\n"

    assert driver(adopt(text.format("callbacks=EarlyStopping('loss')") + read)) == f"{BEST_IS_LAST}\n{PRINTED}"
    assert driver(adopt(text.format("callbacks=effect()") + read)) == ""


@pytest.mark.parametrize(
    ("checkpoint", "trainer", "fit"),
    [
        ('monitor="loss", every_n_train_steps=10', "", ""),
        ('monitor="loss", every_n_epochs=2', "", ""),
        ('monitor="loss", save_on_train_epoch_end=False', "", ""),
        ("monitor=effect()", "", ""),
        ('monitor="loss", mode=effect()', "", ""),
        ('monitor="loss", save_top_k=0', "", ""),
        ("**effect()", "", ""),
        ('monitor="loss"', ", check_val_every_n_epoch=2", ""),
        ('monitor="loss"', ", val_check_interval=0.5", ""),
        ('monitor="loss"', ', strategy="fsdp"', ""),
        ('monitor="loss"', "", ', ckpt_path="old.ckpt"'),
    ],
)
def test_other_checkpoints_of_lightnings_stay_in_the_worker(checkpoint: str, trainer: str, fit: str) -> None:
    result = adopt(lightning("print(best.best_model_path)", checkpoint, trainer, fit))

    assert driver(result) == ""
    assert "    print(best.best_model_path)" in after(result)
    (found,) = (one for one in findings(result) if "MT644" in one)
    assert not found.endswith("in the first worker")


@pytest.mark.parametrize(
    "behind",
    [
        "print(best.kth_best_model_path)",
        "print(best.last_model_path)",
        "best.best_model_path\ntrainer.fit(Net(), Data())",
        "print(best.best_model_path, trainer.global_step)",
    ],
)
def test_what_no_report_tells_of_lightnings_checkpoints_stays_in_the_worker(behind: str) -> None:
    assert driver(adopt(lightning(behind))) == ""


def test_the_last_checkpoint_of_some_that_are_kept_is_not_that_of_the_last_epoch() -> None:
    result = adopt(lightning("print(best.last_model_path)", 'monitor="loss", save_last=True'))

    assert driver(result) == ""
    assert "MT644" in codes(result, Kind.REVIEW)


def test_a_hook_between_the_callbacks_keeps_the_checkpoint_in_the_worker() -> None:
    module = "class Average(pl.Callback):\n    def on_train_epoch_end(self, trainer, module):\n        effect(module)\n"

    assert driver(adopt(lightning(f"print(best.best_model_path)\n{module}"))).startswith("class Average")


@pytest.mark.parametrize(
    ("behind", "arguments", "written"),
    [
        (
            'metrics = trainer.evaluate()\nprint(metrics["eval_loss"])',
            EPOCHS,
            'print(result.metrics["eval_loss"])',
        ),
        (
            "metrics = trainer.evaluate()\nprint(f\"{metrics['eval_f1']:.3f}\")",
            EPOCHS,
            "print(f\"{result.metrics['eval_f1']:.3f}\")",
        ),
        (
            "print(trainer.state.best_metric)",
            f'{EPOCHS}, metric_for_best_model="loss"',
            'print(min(metrics["eval_loss"] for _, metrics in result.best_checkpoints))',
        ),
        (
            "print(trainer.state.best_model_checkpoint)",
            f'{EPOCHS}, load_best_model_at_end=True, metric_for_best_model="f1"',
            f"{BEST_SAVED}\n{PRINTED}",
        ),
        (
            'trainer.save_model("m")\nmodel = AutoModelForMaskedLM.from_pretrained("m").eval()\nprint(model)',
            EPOCHS,
            f"{LAST}\nmodel = AutoModelForMaskedLM.from_pretrained(last_checkpoint_path).eval()\nprint(model)",
        ),
        (
            "trainer.save_model()\nAutoModelForMaskedLM.from_pretrained(args.output_dir)",
            f'{EPOCHS}, load_best_model_at_end=True, metric_for_best_model="eval_f1"',
            f"{BEST_SAVED}\nAutoModelForMaskedLM.from_pretrained(best_checkpoint_path)",
        ),
    ],
)
def test_what_a_transformers_trainer_has_left_is_read_from_the_reports(
    behind: str, arguments: str, written: str
) -> None:
    result = adopt(transformers(behind, arguments))

    assert driver(result) == written
    assert "MT645" in codes(result, Kind.REVIEW)


@pytest.mark.parametrize(
    ("behind", "arguments", "train"),
    [
        ('m = trainer.evaluate()\nprint(m["eval_loss"])', 'eval_strategy="epoch"', ""),
        ('m = trainer.evaluate()\nprint(m["eval_loss"])', f"{EPOCHS}, **effect()", ""),
        ('m = trainer.evaluate()\nprint(m["eval_loss"])', f"{EPOCHS}, load_best_model_at_end=True", ""),
        ('m = trainer.evaluate()\nprint(m["eval_loss"])', EPOCHS, "resume_from_checkpoint=True"),
        ('m = trainer.evaluate(data)\nprint(m["eval_loss"])', EPOCHS, ""),
        ('m = trainer.evaluate()\nm["eval_loss"] = effect(m)\nprint(m["eval_loss"])', EPOCHS, ""),
        ('m = trainer.evaluate()\nprint(m["eval_runtime"])', EPOCHS, ""),
        ("m = trainer.evaluate()\nprint(m)", EPOCHS, ""),
        ("print(trainer.state.log_history[-1])", EPOCHS, ""),
        ("print(trainer.state.best_metric)", f'{EPOCHS}, metric_for_best_model="token_loss"', ""),
        ('trainer.save_model("m")\nAutoTokenizer.from_pretrained("m")', EPOCHS, ""),
        ('effect(model)\ntrainer.save_model("m")\nAutoModelForMaskedLM.from_pretrained("m")', EPOCHS, ""),
        ('model.save_pretrained("m")\nAutoModelForMaskedLM.from_pretrained("m")', EPOCHS, ""),
        ('trainer.save_model("m")\nAutoModelForMaskedLM.from_pretrained("m")', 'save_strategy="epoch"', ""),
    ],
)
def test_what_no_report_tells_of_a_transformers_trainer_stays_in_the_worker(
    behind: str, arguments: str, train: str
) -> None:
    result = adopt(transformers(behind, arguments, train))

    assert driver(result) == ""
    assert "MT644" in codes(result, Kind.REVIEW)


@pytest.mark.parametrize(
    "behind",
    [
        'trainer.save_checkpoint("a.ckpt")\nNet.load_from_checkpoint("a.ckpt")',
        'PATH = "out/a.ckpt"\ntrainer.save_checkpoint(PATH)\nNet.load_from_checkpoint(PATH)',
        'FOLDER = "out"\ntrainer.save_checkpoint(f"{FOLDER}/a.ckpt")\nprint(os.listdir(FOLDER))',
        'trainer.save_checkpoint("./out/a.ckpt")\ndef last():\n    return torch.load("out/a.ckpt")\nlast()',
    ],
)
def test_files_are_read_where_the_worker_has_written_them(behind: str) -> None:
    result = adopt(lightning(f"import os\n{behind}"))

    assert "load" not in driver(result)
    assert "listdir" not in driver(result)
    assert "MT644" in codes(result, Kind.REVIEW)


@pytest.mark.parametrize(
    "behind",
    ['print("a.ckpt")', 'Net.load_from_checkpoint("other.ckpt")', 'Net.load_from_checkpoint("/a.ckpt")'],
)
def test_what_has_to_do_with_no_file_of_a_worker_stays_on_the_driver(behind: str) -> None:
    assert driver(adopt(lightning(f'trainer.save_checkpoint("a.ckpt")\n{behind}'))) == behind


def test_the_folder_for_files_is_made_by_the_worker_that_writes_them() -> None:
    text = lightning('torch.save(trainer.logged_metrics, "out/rows.pt")').replace(
        "best =", 'os.makedirs("out", exist_ok=True)\nbest ='
    )

    output = after(adopt(f"import os\n{text}"))

    assert output.partition("def train_func")[2].splitlines()[1] == '    os.makedirs("out", exist_ok=True)'


def test_says_where_the_driver_reads_a_file_beside_the_function_that_trains() -> None:
    text = f"{LIGHTNING}def train():\n    trainer = pl.Trainer()\n    trainer.fit(Net(), Data())\n"
    text += '    trainer.save_checkpoint("a.ckpt")\ndef test():\n    Net.load_from_checkpoint("a.ckpt")\n'

    assert "MT650" in codes(adopt(f"{text}train()\ntest()\n"), Kind.REVIEW)
    assert "MT650" not in codes(adopt(f"{text}train()\n"), Kind.REVIEW)


def test_a_variable_that_is_assigned_again_behind_the_training_is_the_drivers() -> None:
    result = adopt(lightning("trainer = effect(1)\nprint(trainer)"))

    assert after(result).endswith("trainer = effect(1)\nprint(trainer)\n")
    assert "MT644" not in codes(result)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (transformers("print(1)"), "MT612"),
        ('from accelerate import Accelerator\naccelerator = Accelerator()\naccelerator.save_state("a.pt")\n', "MT626"),
    ],
)
def test_where_files_of_workers_are_is_said_once(text: str, code: str) -> None:
    found = codes(adopt(text), Kind.REVIEW)

    assert found.count(code) == 1
    assert "MT643" not in found


@pytest.mark.parametrize(
    ("behind", "stays"),
    [
        ("print(torch.rand(3))", False),
        ("def rows():\n    return torch.randn(3)\nprint(rows())", False),
        ("for row in DataLoader(effect(1), shuffle=True):\n    print(row)", False),
        ("print(torch.rand(3, generator=effect(1)))", True),
        ("for row in DataLoader(effect(1)):\n    print(row)", True),
    ],
)
def test_random_numbers_are_drawn_where_they_were_seeded(behind: str, stays: bool) -> None:
    imports = "from torch.utils.data import DataLoader\n"
    seeded = imports + lightning(behind).replace("best =", "pl.seed_everything(1)\nbest =")

    assert (driver(adopt(seeded)) != "") is stays
    assert driver(adopt(imports + lightning(behind))) != ""


@pytest.mark.parametrize("behind", ["print(best.best_model_path)", "if effect(2):\n    print(best.best_model_path)"])
def test_where_the_script_may_not_have_trained_the_worker_is_asked(behind: str) -> None:
    text = lightning(behind).replace("trainer.fit(", "if effect(1):\n    trainer.fit(")

    assert driver(adopt(text)) == ""


FUNCTION = f"""\
{LIGHTNING}
def train(epochs):
    model = Net()
    trainer = pl.Trainer(max_epochs=epochs)
    trainer.fit(model, Data())
"""


@pytest.mark.parametrize("returned", ["model", "model, epochs", "model.loss"])
def test_what_a_function_returns_to_nobody_is_left_out(returned: str) -> None:
    output = after(adopt(f"{FUNCTION}    return {returned}\n\ntrain(3)\n"))

    assert "return" not in output
    assert output.endswith("    result = trainer.fit()\n\ntrain(3)\n")


@pytest.mark.parametrize("call", ["print(train(3))", "model = train(3)"])
def test_a_function_whose_value_is_read_stays(call: str) -> None:
    result = adopt(f"{FUNCTION}    return model\n\n{call}\n")

    assert codes(result) == ["MT641"]


def test_a_long_import_beside_new_ones_stays_as_it_is() -> None:
    line = f"from lightning.pytorch.callbacks import {', '.join(f'Callback{number}' for number in range(9))}\n"

    assert line in after(adopt(f"{line}{lightning('print(1)')}"))
