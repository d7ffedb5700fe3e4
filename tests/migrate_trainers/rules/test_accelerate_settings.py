"""AccelerateTrainer: what `accelerate_config` set reaches the Accelerator of each worker."""

from __future__ import annotations

import pytest
from rewriting import ACCELERATE_IMPORTS, after, codes, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

LOOP = """
def loop(config):
    accelerator = Accelerator({accelerator})
    session.report({{"given": config}})
"""
TRAINER = """
trainer = AccelerateTrainer(
    loop, train_loop_config={{"x": 1}}, accelerate_config={config},
    scaling_config=ScalingConfig(num_workers=2, use_gpu={gpu}),
)
trainer.fit()
"""


def program(config: str, *, accelerator: str = "", loop: str = LOOP, gpu: bool = True) -> str:
    return ACCELERATE_IMPORTS + loop.format(accelerator=accelerator) + TRAINER.format(config=config, gpu=gpu)


SETTINGS = {
    "empty": "{}",
    "precision": "{'mixed_precision': 'bf16'}",
    "no precision": "{'mixed_precision': 'no'}",
    "dynamo": "{'dynamo_backend': 'INDUCTOR', 'mixed_precision': 'fp16'}",
    "what Ray decides": "{'num_processes': 4, 'num_machines': 2, 'machine_rank': 1, 'use_cpu': True, 'debug': False}",
    "a plain type": "{'distributed_type': 'MULTI_GPU', 'compute_environment': 'LOCAL_MACHINE'}",
    "FSDP": (
        "{'distributed_type': 'FSDP', 'fsdp_config': {'fsdp_sharding_strategy': 1, 'fsdp_offload_params': False, "
        "'fsdp_transformer_layer_cls_to_wrap': 'Block'}}"
    ),
    "DeepSpeed": (
        "{'distributed_type': 'DEEPSPEED', 'mixed_precision': 'bf16', 'deepspeed_config': {'zero_stage': 3, "
        "'offload_optimizer_device': 'cpu', 'zero3_init_flag': True, 'gradient_clipping': 1.0}}"
    ),
}


@pytest.mark.parametrize("gpu", [True, False], ids=["GPU", "CPU"])
@pytest.mark.parametrize("config", SETTINGS.values(), ids=SETTINGS.keys())
@pytest.mark.parametrize("accelerator", ["", "gradient_accumulation_steps=2"], ids=["bare", "with arguments"])
def test_settings_reach_the_accelerator(config: str, accelerator: str, gpu: bool) -> None:
    source = program(config, accelerator=accelerator, gpu=gpu)

    assert_same_calls(source, after(migrate(source)))


def test_an_argument_of_the_accelerator_wins() -> None:
    source = program("{'mixed_precision': 'bf16'}", accelerator="mixed_precision='fp16'")

    recording = assert_same_calls(source, after(migrate(source)))

    assert recording.fits[0]["workers"][0][0][1]["mixed_precision"] == "fp16"


FUNCTIONS = {
    "made in a helper": """
def make():
    return Accelerator({accelerator})

def loop(config):
    accelerator = make()
""",
    "two accelerators": """
def loop(config):
    first = Accelerator({accelerator})
    second = Accelerator(gradient_accumulation_steps=3)
""",
    "with a docstring": '''
def loop(config):
    """Train."""
    # first of all
    accelerator = Accelerator({accelerator})
''',
    "an optional configuration": """
def loop(config=None):
    accelerator = Accelerator({accelerator})
    session.report({{"given": config}})
""",
    "an optional, annotated configuration": """
def loop(config: dict = {{}}):
    accelerator = Accelerator({accelerator})
    session.report({{"given": config}})
""",
    "unpacked arguments": """
OPTIONS = {{"gradient_accumulation_steps": 4}}
def loop(config):
    accelerator = Accelerator(**OPTIONS)
""",
    "used elsewhere too": """
def loop(config):
    accelerator = Accelerator({accelerator})
effect(loop.__name__)
""",
    "a partial": """
import functools
def train(size, config):
    accelerator = Accelerator({accelerator})
    session.report({{"given": config, "size": size}})
loop = functools.partial(train, 3)
""",
}


@pytest.mark.parametrize("loop", FUNCTIONS.values(), ids=FUNCTIONS.keys())
@pytest.mark.parametrize("config", ["{}", "{'mixed_precision': 'bf16'}"], ids=["empty", "precision"])
@pytest.mark.parametrize("gpu", [True, False], ids=["GPU", "CPU"])
def test_form_of_the_function(loop: str, config: str, gpu: bool) -> None:
    source = program(config, loop=loop, gpu=gpu)

    assert_same_calls(source, after(migrate(source)))


def test_function_without_a_configuration() -> None:
    source = program("{'mixed_precision': 'bf16'}", loop="\ndef loop():\n    accelerator = Accelerator()\n")
    source = source.replace('train_loop_config={"x": 1}, ', "")

    assert_same_calls(source, after(migrate(source)))


def test_two_trainers_with_their_own_settings() -> None:
    source = program("{'mixed_precision': 'bf16'}") + (
        "AccelerateTrainer(loop, accelerate_config={}, scaling_config=ScalingConfig(num_workers=2)).fit()\n"
    )

    recording = assert_same_calls(source, after(migrate(source)))

    precisions = [fit["workers"][0][0][1]["mixed_precision"] for fit in recording.fits]
    assert precisions == ["bf16", "no"]


def test_settings_in_a_variable() -> None:
    source = program("SETTINGS", loop="\nSETTINGS = {{'mixed_precision': 'bf16'}}\n" + LOOP)

    assert_same_calls(source, after(migrate(source)))


def test_comments_of_the_settings_are_kept() -> None:
    settings = "\n# How to run.\nSETTINGS = {{\n    # half\n    'mixed_precision': 'bf16',  # fast\n}}\n"

    text = after(migrate(program("SETTINGS", loop=settings + LOOP)))

    assert [comment for comment in ("# How to run.", "# half", "# fast") if comment not in text] == []


def test_default_file_of_accelerate_is_for_the_reader() -> None:
    for argument in ("", "accelerate_config=None,"):
        source = program("{}").replace("accelerate_config={},", argument)

        result = migrate(source)

        assert "MT310" in codes(result, Kind.REVIEW)
        assert "accelerate_config" not in after(result)


@pytest.mark.parametrize(("use_gpu", "code"), [("flag", "MT312"), ("True", None)], ids=["not known", "known"])
def test_device_that_cannot_be_seen(use_gpu: str, code: str | None) -> None:
    source = (
        program("{}")
        .replace("use_gpu=True", f"use_gpu={use_gpu}")
        .replace("\ntrainer", "\nflag = effect(1)\ntrainer", 1)
    )

    assert ("MT312" in codes(migrate(source))) == (code is not None)


def test_code_for_the_local_main_process() -> None:
    loop = "\ndef loop(config):\n    accelerator = Accelerator()\n    effect(accelerator.is_local_main_process)\n"

    assert "MT313" in codes(migrate(program("{}", loop=loop, gpu=False)))
    assert "MT313" not in codes(migrate(program("{}", loop=loop, gpu=True)))


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ("'accelerate.yaml'", "MT304"),
        ("effect({})", "MT301"),
        ("{'mixed_precision': effect('bf16')}", "MT301"),
        ("{'distributed_type': 'TPU'}", "MT302"),
        ("{'compute_environment': 'AMAZON_SAGEMAKER'}", "MT302"),
        ("{'gradient_accumulation_steps': 4}", "MT302"),
        ("{'fp8_config': {'backend': 'TE'}}", "MT302"),
        ("{'distributed_type': 'FSDP', 'fsdp_config': {'fsdp_unknown': 1}}", "MT302"),
        ("{**effect({})}", "MT301"),
    ],
)
def test_settings_that_cannot_be_carried_over(config: str, code: str) -> None:
    result = migrate(program(config))

    assert result.after == result.before
    assert codes(result, Kind.MANUAL) == [code]


@pytest.mark.parametrize(
    ("trainer", "code"),
    [
        ("AccelerateTrainer(accelerate_config={})", "MT106"),
        ("AccelerateTrainer(loop, accelerate_config={}, **{})", "MT104"),
        ("AccelerateTrainer(loop, accelerate_config={}, other=1)", "MT106"),
        ("AccelerateTrainer(loop, accelerate_config={}, preprocessor=effect())", "MT403"),
    ],
    ids=["no function", "star", "unknown argument", "preprocessor"],
)
def test_call_that_is_refused(trainer: str, code: str) -> None:
    result = migrate(ACCELERATE_IMPORTS + LOOP.format(accelerator="") + trainer + "\n")

    assert result.after == result.before
    assert codes(result, Kind.MANUAL) == [code]


@pytest.mark.parametrize(
    "statement",
    [
        "from ray.train.huggingface import AccelerateTrainer",
        "from ray.train.huggingface.accelerate import AccelerateTrainer",
    ],
)
def test_both_homes_of_the_trainer(statement: str) -> None:
    source = program("{}").replace("from ray.train.huggingface import AccelerateTrainer", statement)

    assert_same_calls(source, after(migrate(source)))
