"""Builders whose calls depend on the course of the program: the same calls come out, or the file is left."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest
from rewriting import LIGHTNING_IMPORTS, SCALING, codes, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

TRAINER = f"trainer = LightningTrainer(lightning_config=config, scaling_config={SCALING})\ntrainer.fit()\n"
START = """\
builder = LightningConfigBuilder().module(Net, lr=1).fit_params(datamodule=DM())
builder.trainer(accelerator="tpu")
"""
END = "config = builder.build()\n"
FLOWS = {
    "a call under a condition": "if flag:\n    builder.trainer(max_epochs=effect(2))\n",
    "a call in each branch": (
        "if flag:\n    builder.trainer(max_steps=1)\nelse:\n    builder.trainer(max_steps=2, min_steps=3)\n"
    ),
    "a strategy under a condition": "if flag:\n    builder.strategy('fsdp', timeout=1)\n",
    "a strategy in each branch": (
        "if flag:\n    builder.strategy('fsdp')\nelse:\n    builder.strategy('deepspeed', stage=2)\n"
    ),
    "a class under a condition": "if flag:\n    builder.module(Net, width=2)\n",
    "checkpoints under a condition": "if flag:\n    builder.checkpointing(monitor='loss', save_top_k=2)\n",
    "a schedule under a condition": "if flag:\n    builder.checkpointing(every_n_train_steps=2)\n",
    "callbacks under a condition": "if flag:\n    builder.trainer(callbacks=[effect('beep')])\n",
    "callbacks in each branch": (
        "if flag:\n    builder.trainer(callbacks=[1])\nelse:\n    builder.trainer(callbacks=[2])\n"
    ),
    "ignored arguments under a condition": "if flag:\n    builder.trainer(devices=effect(2), strategy='ddp')\n",
    "calls in a loop": "for number in range(3):\n    builder.module(Net, **{f'x{number}': effect(number)})\n",
    "the last turn wins": "for number in range(3):\n    builder.trainer(max_steps=number)\n",
    "unpacked trainer arguments": (
        "options = {'max_steps': 1, 'devices': 2}\nbuilder.trainer(**options)\noptions['max_steps'] = 2\n"
    ),
    "unpacked over keywords": "builder.trainer(max_steps=1, **{'min_steps': 2})\nbuilder.trainer(min_steps=3)\n",
    "unpacked callbacks": "builder.trainer(**{'callbacks': [1], 'plugins': [2]})\n",
    "unpacked checkpointing": "builder.checkpointing(**{'monitor': 'loss', 'mode': 'max'})\n",
    "unpacked fit arguments in two calls": (
        "builder.fit_params(**{'ckpt_path': 'a'})\nbuilder.fit_params(ckpt_path='b')\n"
    ),
    "changed after an early build": "early = builder.build()\nbuilder.trainer(max_steps=1)\n",
    "a try block": (
        "try:\n    builder.trainer(max_steps=effect(1))\n    1 / 0\n"
        "except ZeroDivisionError:\n    builder.trainer(min_steps=2)\n"
    ),
    "a branch that leaves": (
        "while True:\n    builder.trainer(max_steps=1)\n    if flag:\n        break\n"
        "    builder.trainer(max_steps=2)\n    break\n"
    ),
    "two builders": (
        "if flag:\n    builder = LightningConfigBuilder().module(Net, lr=9).fit_params(datamodule=DM(3))\n"
        "    builder.trainer(accelerator='cpu')\n"
    ),
    "an alias": "other = builder\nother.trainer(max_steps=1)\n",
    "a helper function": "def fill(b):\n    b.trainer(max_steps=1)\nfill(builder)\n",
}


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("place", ["module", "function"])
@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS.keys())
def test_same_calls_or_left(flow: str, place: str, flag: bool) -> None:
    body = f"flag = {flag}\n" + START + dedent(flow) + END + TRAINER
    if place == "function":
        body = f"def main():\n{indent(body, '    ')}\nmain()\n"
    program = LIGHTNING_IMPORTS + body

    result = migrate(program)

    assert not result.has(Kind.ERROR), result.findings
    if result.changed:
        assert_same_calls(program, result.after)
        assert not migrate(result.after.decode()).changed
    else:
        assert set(codes(result, Kind.MANUAL)) <= {"MT101", "MT102", "MT103", "MT104"}


def test_workers_without_a_gpu_stay_on_the_cpu() -> None:
    program = LIGHTNING_IMPORTS + (
        "options = {'a': 1}\n"
        "builder = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).trainer(**options)\n"
        + END
        + TRAINER
    )

    result = migrate(program)

    assert result.changed
    assert_same_calls(program, result.after)
