"""Arguments that newer releases of Transformers call otherwise or don't take, with and without a target release."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from rewriting import SCALING, TRANSFORMERS_IMPORTS, after, codes, findings, migrate

from migrate_trainers import Settings, migrate_project
from migrate_trainers.findings import Kind
from migrate_trainers.reading.transformers_arguments import TRAINER_ARGUMENTS, TRAINING_ARGUMENTS

LATEST = (5, 23)


def flat(text: str) -> str:
    """A program without its white space: which arguments a call has, on however many lines."""
    return "".join(text.split())


def program(arguments: str, trainer: str = "", classes: str = "") -> str:
    return f"""{TRANSFORMERS_IMPORTS}{classes}
def init(train_dataset, eval_dataset=None, **config):
    args = TrainingArguments({arguments})
    return Trainer(make_model(), args{trainer})


TransformersTrainer(init, scaling_config={SCALING}).fit()
"""


RENAMED = {
    "evaluation": ("'out', evaluation_strategy='steps'", "eval_strategy='steps'", (4, 51)),
    "device": ("'out', no_cuda=True", "use_cpu=True", (5, 0)),
    "batch size": ("'out', per_gpu_train_batch_size=8", "per_device_train_batch_size=8", (5, 0)),
    "warm-up": ("'out', warmup_ratio=0.1", "warmup_steps=0.1", (5, 15)),
    "token": ("'out', push_to_hub_token=effect()", "hub_token=effect()", (5, 0)),
    "optimizer": ("'out', adafactor=True", 'optim="adafactor"', (5, 0)),
    "sampling": ("'out', group_by_length=True", 'train_sampling_strategy="group_by_length"', (5, 2)),
    "metrics": ("'out', include_inputs_for_metrics=True", 'include_for_metrics=["inputs"]', (5, 0)),
    "by position": ("'out', False, True, True, False, 'steps'", "eval_strategy='steps'", (4, 51)),
}


@pytest.mark.parametrize(("arguments", "new", "removed"), RENAMED.values(), ids=RENAMED.keys())
def test_renamed_where_the_target_needs_it(arguments: str, new: str, removed: tuple[int, int]) -> None:
    source = program(arguments)
    before = removed[0], removed[1] - 1
    if before[1] < 0:
        before = (4, 57)

    assert flat(new) in flat(after(migrate(source, target_transformers=removed)))
    assert flat(arguments) in flat(after(migrate(source, target_transformers=before)))
    assert flat(arguments) in flat(after(migrate(source)))


def test_findings_name_the_releases_without_a_target() -> None:
    result = migrate(program("'out', evaluation_strategy='steps', jit_mode_eval=True"))

    (spelled,) = [line for line in findings(result) if line.startswith("MT212")]
    (gone,) = [line for line in findings(result) if line.startswith("MT224")]
    assert spelled.endswith("`evaluation_strategy` is `eval_strategy` since 4.41, and gone in 4.51")
    assert gone.endswith("`jit_mode_eval` is gone in 5.0: the model is evaluated as it is")


@pytest.mark.parametrize("target", [(4, 36), LATEST])
def test_nothing_is_left_to_say_with_a_target(target: tuple[int, int]) -> None:
    result = migrate(program("'out', evaluation_strategy='steps', no_cuda=True"), target_transformers=target)

    assert not {"MT212", "MT215", "MT224", "MT225"} & set(codes(result))


@pytest.mark.parametrize(
    ("argument", "has_effect"),
    [
        ("overwrite_output_dir=True", False),
        ("save_safetensors=True", False),
        ("save_safetensors=False", True),
        ("jit_mode_eval=False", False),
        ("jit_mode_eval=True", True),
        ("half_precision_backend='auto'", False),
        ("half_precision_backend='apex'", True),
        ("sharded_ddp='simple'", True),
        ("fsdp_transformer_layer_cls_to_wrap='Block'", True),
        ("adafactor=False", False),
        ("adafactor=effect()", True),
        ("ray_scope='all'", False),
    ],
)
def test_removed_where_the_target_needs_it(argument: str, has_effect: bool) -> None:
    result = migrate(program(f"'out', {argument}, seed=1"), target_transformers=LATEST)

    assert "TrainingArguments('out',seed=1,report_to=" in flat(after(result))
    assert ("MT225" in codes(result, Kind.REVIEW)) == has_effect


def test_first_positions_get_names_where_one_of_them_is_gone() -> None:
    text = after(migrate(program("'out', True, True, True"), target_transformers=LATEST))

    assert "TrainingArguments('out',do_train=True,do_eval=True,report_to=" in flat(text)


def test_argument_with_both_names() -> None:
    source = program("'out', warmup_ratio=0.1, warmup_steps=7")

    result = migrate(source, target_transformers=LATEST)

    assert "warmup_ratio" not in after(result)
    assert "warmup_steps=7" in after(result)
    assert "MT225" in codes(result)


@pytest.mark.parametrize(("target", "new"), [(None, False), ((4, 57), False), (LATEST, True)])
def test_tokenizer_of_the_trainer(target: tuple[int, int] | None, new: bool) -> None:
    result = migrate(program("'out'", ", tokenizer=effect()"), target_transformers=target)

    assert (", processing_class=effect()" in after(result)) == new
    assert ("MT212" in codes(result)) == (target is None)


def test_positions_that_have_moved_get_names() -> None:
    text = after(migrate(program("'out'", ", None, [1], [2], effect(), None, len, [effect()]")))

    assert ", None, [1], [2], effect(), None, compute_metrics=len, callbacks=[effect()])" in text


@pytest.mark.parametrize(
    ("target", "written", "said"),
    [
        (None, False, True),
        ((4, 36), False, False),
        ((4, 53), False, False),
        ((4, 54), True, False),
        (LATEST, True, False),
    ],
)
def test_loss_of_several_workers(target: tuple[int, int] | None, written: bool, said: bool) -> None:
    result = migrate(program("'out'"), target_transformers=target)

    assert ("average_tokens_across_devices=False" in after(result)) == written
    assert ("MT215" in codes(result)) == said


def test_loss_that_the_program_decides_about() -> None:
    for value in ("True", "False"):
        result = migrate(program(f"'out', average_tokens_across_devices={value}"), target_transformers=LATEST)
        assert f"average_tokens_across_devices={value}" in after(result)
        assert after(result).count("average_tokens_across_devices") == 1


@pytest.mark.parametrize(
    ("value", "target", "said"),
    [("4", None, True), ("1", None, False), ("effect()", None, True), ("4", (4, 36), False), ("4", LATEST, True)],
)
def test_accumulated_gradients(value: str, target: tuple[int, int] | None, said: bool) -> None:
    result = migrate(program(f"'out', gradient_accumulation_steps={value}"), target_transformers=target)

    assert ("MT228" in codes(result)) == said


OWN_LOSS = """
class Own(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False):
        return model(**inputs)
"""


def test_loss_of_the_script() -> None:
    source = program("'out'", classes=OWN_LOSS)

    assert "MT226" in codes(migrate(source), Kind.REVIEW)
    text = after(migrate(source, target_transformers=LATEST))
    assert "def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):" in text
    assert "num_items" not in after(migrate(source, target_transformers=(4, 45)))
    for taken in ("return_outputs=False, **more", "return_outputs=False, num_items_in_batch=None"):
        own = program("'out'", classes=OWN_LOSS.replace("return_outputs=False", taken))
        assert after(migrate(own, target_transformers=LATEST)).count(taken) == 1
        assert "MT226" not in codes(migrate(own))


def test_loss_of_the_script_with_accumulated_gradients() -> None:
    for taken, said in (("return_outputs=False", True), ("return_outputs=False, num_items_in_batch=None", False)):
        own = OWN_LOSS.replace("return_outputs=False", taken)
        result = migrate(program("'out', gradient_accumulation_steps=4", classes=own), target_transformers=LATEST)
        assert any("MT228" in line and "`compute_loss`" in line for line in findings(result)) == said


@pytest.mark.parametrize(
    ("config", "arguments", "said"),
    [
        ("{ENTRIES}", "'out', **config", 3),
        ("settings", "'out', **config", 3),
        ("dict({ENTRIES}.items())", "'out', **config", 0),
        ("{ENTRIES}", "'out', learning_rate=config['lr']", 0),
    ],
)
def test_arguments_in_the_configuration(config: str, arguments: str, said: int) -> None:
    entries = "'no_cuda': True, 'gradient_accumulation_steps': 2, 'evaluation_strategy': 'no', 'lr': 1"
    source = program(arguments, classes=f"settings = {{{entries}}}\n")
    source = source.replace("(init,", f"(init, trainer_init_config={config.replace('ENTRIES', entries)},")

    found = codes(migrate(source, target_transformers=LATEST))

    assert found.count("MT212") + found.count("MT228") == said
    assert "MT212" not in codes(migrate(source, target_transformers=(4, 50)))


def test_arguments_in_the_file_of_an_imported_function() -> None:
    module = program("'out', evaluation_strategy='epoch', **dict(sharded_ddp='simple')").partition("\n\n\nTransf")[0]
    source = (
        f"{TRANSFORMERS_IMPORTS}import making\n\nTransformersTrainer(making.init, scaling_config={SCALING}).fit()\n"
    )
    for target, said in ((None, ["MT212", "MT224"]), ((4, 34), []), (LATEST, ["MT212", "MT224"])):
        files, script = {Path("making.py"): module.encode()}, Path("train.py")
        result = migrate_project({script: source.encode()}, Settings(target_transformers=target), files)[script]
        assert [code for code in codes(result) if code in ("MT212", "MT224")] == said
    assert "in the file of `init`" in str(findings(result))


def test_class_of_another_name_keeps_its_method() -> None:
    classes = "class Trainer2:\n    def compute_loss(self, model):\n        return 1\n"

    assert "MT226" not in codes(migrate(program("'out'", classes=classes)))


def test_table_agrees_with_the_installed_release() -> None:
    transformers = pytest.importorskip("transformers")
    release = tuple(map(int, transformers.__version__.split(".")[:2]))

    for function, table in (
        (transformers.TrainingArguments, TRAINING_ARGUMENTS),
        (transformers.Trainer, TRAINER_ARGUMENTS),
    ):
        taken = inspect.signature(function).parameters
        assert [name for name, change in table.items() if (name in taken) == (change.removed <= release)] == []
        new = [change.new for change in table.values() if change.new is not None]
        new += [text.partition("=")[0] for change in table.values() for text in change.values.values() if text]
        assert [name for name in new if name not in taken and name != "torch_compile_backend"] == []
