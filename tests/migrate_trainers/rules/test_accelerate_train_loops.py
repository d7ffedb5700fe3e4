"""The train loops of AccelerateTrainers: whatever they are, their Accelerators get what `accelerate_config` set."""

from __future__ import annotations

from pathlib import Path

import pytest
from rewriting import ACCELERATE_IMPORTS, after, codes, migrate
from worker_calls import assert_same_calls

from migrate_trainers import Settings, migrate_project
from migrate_trainers.findings import Kind

IMPORTS = f"{ACCELERATE_IMPORTS}import functools\nimport accelerate\n"
FSDP = "{'distributed_type': 'FSDP', 'mixed_precision': 'bf16', 'fsdp_config': {'fsdp_offload_params': True}}"
CONFIGS = {"empty": "{}", "precision": "{'mixed_precision': 'bf16'}", "FSDP": FSDP}


def trainer(loop: str, config: str = "{'mixed_precision': 'bf16'}", *, gpu: str = "False") -> str:
    return (
        f"AccelerateTrainer({loop}, train_loop_config={{'x': 1}}, accelerate_config={config},\n"
        f"    scaling_config=ScalingConfig(num_workers=2, use_gpu={gpu})).fit()\n"
    )


# A definition, and the expression that the trainer is given.
LOOPS = {
    "a lambda": ("def train(config):\n    Accelerator()\n    session.report(config)\n", "lambda config: train(config)"),
    "a lambda without a configuration": ("def train(x):\n    Accelerator(cpu=x)\n", "lambda: train(False)"),
    "a lambda with a default": ("def train(config):\n    session.report(config)\n", "lambda config={}: train(config)"),
    "a lambda that makes it": ("", "lambda config: effect(Accelerator())"),
    "a named lambda": ("loop = lambda config: Accelerator().prepare(config)\n", "loop"),
    "a lambda over lines": (
        "def train(config, more):\n    session.report({**config, 'more': more})\n",
        "lambda config: train(\n    config,\n    more=2)",
    ),
    "a partial": (
        "def train(size, config):\n    Accelerator()\n    session.report({**config, 'size': size})\n",
        "functools.partial(train, 3)",
    ),
    "a named partial": (
        "def train(size, config=None):\n    Accelerator()\n    session.report({**config, 'size': size})\n"
        "loop = functools.partial(train, 3)\n",
        "loop",
    ),
    "a partial with everything": ("def train(config):\n    Accelerator()\n", "functools.partial(train, {})"),
    "a partial that is used twice": (
        "def train(size, config):\n    Accelerator()\n    session.report({'size': size})\n",
        "functools.partial(train, 3)",
    ),
    "a method": (
        "class Job:\n    size = 3\n    def train(self, config=None):\n        Accelerator()\n"
        "        session.report({**config, 'size': self.size})\njob = Job()\n",
        "job.train",
    ),
    "a method of a new object": ("class Job:\n    def train(self):\n        Accelerator()\n", "Job().train"),
    "a static method": ("class Job:\n    @staticmethod\n    def train(config):\n        Accelerator()\n", "Job.train"),
    "a class's method": (
        "class Job:\n    @classmethod\n    def train(cls, config):\n        cls.make()\n    @staticmethod\n"
        "    def make():\n        return Accelerator()\n",
        "Job.train",
    ),
    "an inherited method": (
        "class Base:\n    def train(self, config):\n        Accelerator()\nclass Job(Base):\n"
        "    def train(self, config):\n        super().train(config)\njob = Job()\n",
        "job.train",
    ),
    "a method that is replaced": (
        "class Job:\n    def train(self, config):\n        Accelerator()\njob = Job()\n"
        "job.train = lambda config: Accelerator()\n",
        "job.train",
    ),
    "a decorated function": (
        "def plain(function):\n    @functools.wraps(function)\n    def inner(*args):\n        return function(*args)\n"
        "    return inner\n@plain\ndef loop(config=None):\n    Accelerator()\n    session.report(config)\n",
        "loop",
    ),
    "a function on one line": ("def loop(config={}): Accelerator(); session.report(config)\n", "loop"),
    "a helper of a helper": (
        "def inner():\n    return Accelerator()\ndef outer():\n    return inner()\ndef loop(config):\n    outer()\n",
        "loop",
    ),
    "a helper that others use": (
        "def make():\n    return Accelerator()\ndef loop(config):\n    make()\neffect(make.__name__)\n",
        "loop",
    ),
    "a class that makes it": (
        "class Job:\n    def __init__(self):\n        self.accelerator = Accelerator()\ndef loop(config):\n    Job()\n",
        "loop",
    ),
    "a class derived from it": ("class Own(Accelerator):\n    pass\ndef loop(config):\n    Own()\n", "loop"),
    "another name of it": ("Own = Accelerator\ndef loop(config):\n    Own()\n    Accelerator()\n", "loop"),
    "its module": ("def loop(config):\n    accelerate.Accelerator()\n", "loop"),
    "an inner function": (
        "def loop(config):\n    def inner(size):\n        Accelerator(gradient_accumulation_steps=size)\n"
        "    inner(2)\n",
        "loop",
    ),
    "a state before": ("def loop(config):\n    accelerate.PartialState()\n    Accelerator()\n", "loop"),
    "a function for any arguments": ("def loop(*args):\n    Accelerator()\n    session.report(args[0])\n", "loop"),
    "a function that calls itself": (
        "def loop(config, depth=0):\n    Accelerator()\n    if not depth:\n        loop(config, 1)\n",
        "lambda config: loop(config)",
    ),
    "a loop called config": ("def config(config):\n    Accelerator()\neffect(config.__name__)\n", "config"),
    "a loop called train_func": ("def train_func(config):\n    pass\neffect(train_func.__name__)\n", "train_func"),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize(("before", "loop"), LOOPS.values(), ids=LOOPS.keys())
def test_train_loop(before: str, loop: str, config: str) -> None:
    for gpu in ("True", "False", "bool(effect(1))"):
        source = f"{IMPORTS}{before}{trainer(loop, config, gpu=gpu)}"
        if loop == "lambda config: effect(Accelerator())" and config == FSDP:
            assert codes(migrate(source), Kind.MANUAL) == ["MT303"]
            continue

        assert_same_calls(source, after(migrate(source)))


ARGUMENTS = {
    "in positions": "True, False, 'fp16', 2",
    "None in a position": "True, False, None",
    "None": "mixed_precision=None",
    "of the configuration": "mixed_precision=config.get('precision')",
    "the CPU": "cpu=True",
    "not the CPU": "cpu=False",
    "perhaps the CPU": "cpu=config.get('cpu', False)",
    "unpacked": "**config.get('options', {})",
    "dynamo": "dynamo_backend='eager'",
    "dynamo by the configuration": "dynamo_backend=config.get('dynamo')",
    "no dynamo": "dynamo_backend=None",
    "plugins": "fsdp_plugin=effect('fsdp'), deepspeed_plugin=effect('ds')",
    "steps": "gradient_accumulation_steps=4",
    "a plugin for steps": "gradient_accumulation_plugin=effect('steps')",
}
SETTINGS = {
    "precision": "{'mixed_precision': 'bf16'}",
    "dynamo": "{'dynamo_config': {'dynamo_backend': 'INDUCTOR', 'dynamo_use_dynamic': True}}",
    "DeepSpeed": "{'distributed_type': 'DEEPSPEED', 'deepspeed_config': {'gradient_accumulation_steps': 8}}",
    "FSDP": FSDP,
}


@pytest.mark.parametrize("config", SETTINGS.values(), ids=SETTINGS.keys())
@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_arguments_of_the_accelerator(arguments: str, config: str) -> None:
    for gpu in ("True", "False"):
        source = f"{IMPORTS}def loop(config):\n    Accelerator({arguments})\n{trainer('loop', config, gpu=gpu)}"

        assert_same_calls(source, after(migrate(source)))


def test_trainers_that_share_a_loop() -> None:
    loop = "def loop(config):\n    Accelerator()\n"
    same = f"{IMPORTS}{loop}{trainer('loop')}{trainer('loop')}"
    other = f"{same}{trainer('loop', '{}')}"
    helper = "def make():\n    return Accelerator()\ndef one(config):\n    make()\ndef two(config):\n    make()\n"

    for source in (same, other, f"{IMPORTS}{helper}{trainer('one')}{trainer('two', FSDP)}"):
        assert_same_calls(source, after(migrate(source)))
    assert 'Accelerator(mixed_precision="bf16", cpu=True)' in after(migrate(same))
    assert "os.environ" not in after(migrate(same))


def test_state_that_other_code_makes_too() -> None:
    helper = "def state():\n    accelerate.PartialState()\ndef loop(config):\n    state()\n    Accelerator()\n"
    source = f"{IMPORTS}{helper}effect(state.__name__)\n"

    assert codes(migrate(f"{source}{trainer('loop')}"), Kind.MANUAL) == ["MT303"]
    assert_same_calls(
        f"{source}{trainer('loop', gpu='True')}", after(migrate(f"{source}{trainer('loop', gpu='True')}"))
    )


VALUES = {
    "an attribute": "{'mixed_precision': args.name}",
    "a variable": "{'mixed_precision': precision}",
    "a choice": "{'mixed_precision': 'bf16' if precision else 'no'}",
    "a choice by a comparison": "{'mixed_precision': 'bf16' if args.top_k > 1 and args.name != 'no' else 'no'}",
    "an item": "{'mixed_precision': 'bf16' if own['size'] > 1 else 'no'}",
    "nothing": "{'mixed_precision': nothing}",
    "in a section": "{'distributed_type': 'DEEPSPEED', 'deepspeed_config': {'zero_stage': args.top_k}}",
}


@pytest.mark.parametrize("config", VALUES.values(), ids=VALUES.keys())
def test_setting_that_only_a_run_tells(config: str) -> None:
    before = "from project import args\nprecision = effect('fp16')\nnothing = effect(None)\nown = {'size': 2}\n"
    loop = "def loop(config):\n    Accelerator()\n    session.report(config)\n"
    for source in (
        f"{IMPORTS}{before}{loop}{trainer('loop', config)}",
        f"{IMPORTS}{before}{loop}settings = {config}\n{trainer('loop', 'settings')}",
    ):
        assert_same_calls(source, after(migrate(source)))


def test_setting_by_the_devices_of_the_driver() -> None:
    precision = "'fp16' if torch.cuda.is_available() and args.half else 'no'"
    loop = "import torch\nfrom project import args\ndef loop():\n    Accelerator()\n"
    for before, config in (
        ("", f"{{'mixed_precision': {precision}}}"),
        (f"c = dict(mixed_precision={precision})\n", "c"),
    ):
        text = after(migrate(f"{IMPORTS}{loop}{before}{trainer('loop', config)}"))
        assert f"\nmixed_precision = {precision}\n" in text
        assert 'mixed_precision or "no"' in text


@pytest.mark.parametrize(
    "text",
    [
        "for p in ('bf16', 'fp16'):\n    AccelerateTrainer(loop, accelerate_config={'mixed_precision': p}).fit()\n",
        "p = effect(1)\nsettings = {'mixed_precision': p}\np = 'no'\n"
        "AccelerateTrainer(loop, accelerate_config=settings).fit()\n",
        "AccelerateTrainer(loop, accelerate_config={'mixed_precision': effect(1)}).fit()\n",
        "own = {'p': 'fp16'}\nsettings = {'mixed_precision': own['p']}\nown['p'] = 'no'\n"
        "AccelerateTrainer(loop, accelerate_config=settings).fit()\n",
        "own = shared = {'p': effect('fp16')}\nsettings = {'mixed_precision': own['p']}\nshared['p'] = 'no'\n"
        "AccelerateTrainer(loop, accelerate_config=settings).fit()\n",
    ],
    ids=["another each turn", "rebound", "with an effect", "an item that changes", "an item of a shared one"],
)
def test_setting_that_may_change(text: str) -> None:
    result = migrate(f"{IMPORTS}def loop(config):\n    Accelerator()\n{text}")

    assert result.after == result.before
    assert codes(result, Kind.MANUAL) == ["MT301"]


def test_loop_that_changes_in_a_loop() -> None:
    source = f"{IMPORTS}class Job:\n    train = effect\nfor job in (Job(), Job()):\n    AccelerateTrainer(\n"
    source += "        job.train, train_loop_config={}, accelerate_config={'mixed_precision': 'bf16'}).fit()\n"

    assert codes(migrate(source), Kind.MANUAL) == ["MT303"]


def test_imports_stand_where_the_train_function_reads_them() -> None:
    imported = "from ray.train.huggingface import AccelerateTrainer\n"
    main = f"def main():\n    {imported}    {trainer('loop', FSDP, gpu='effect(1)')}main()\n"
    source = f"{IMPORTS.replace(imported, '')}def loop(config):\n    effect(1)\n\n{main}"

    assert_same_calls(source, after(migrate(source)))


MODULES = {
    "with a configuration": ("from training import loop\n", "def loop(config):\n    Accelerator()\n", "loop"),
    "without": ("import training\n", "def loop():\n    Accelerator()\n", "training.loop"),
    "with an optional one": ("import training as t\n", "def loop(config=None):\n    print(config['x'])\n", "t.loop"),
    "a partial": (
        "from training import loop\n",
        "def loop(size, config):\n    Accelerator(gradient_accumulation_steps=size)\n",
        "functools.partial(loop, 2)",
    ),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize(("imported", "module", "loop"), MODULES.values(), ids=MODULES.keys())
def test_loop_of_another_module(imported: str, module: str, loop: str, config: str) -> None:
    source, module = f"{IMPORTS}{imported}{trainer(loop, config)}", f"from accelerate import Accelerator\n{module}"
    script = Path("train.py")

    result = migrate_project({script: source.encode()}, Settings(), {Path("training.py"): module.encode()})[script]

    assert_same_calls(source, after(result), files=({"training": module}, {"training": module}))
