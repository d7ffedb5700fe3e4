"""A Hypothesis strategy for AccelerateTrainer programs, in the styles in which people write them."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[st.SearchStrategy[Any]], Any]

_SETTINGS = {
    "mixed_precision": ("'bf16'", '"fp16"', "'no'", "PRECISION", "args.name", "None"),
    "num_processes": ("4",),
    "dynamo_backend": ("'INDUCTOR'", "'NO'"),
    "dynamo_config": ("{'dynamo_backend': 'EAGER', 'dynamo_use_fullgraph': True}", "{}"),
    "debug": ("True", "False"),
}
_DISTRIBUTED = (
    {},
    {"distributed_type": "'MULTI_GPU'"},
    {"distributed_type": "'FSDP'", "fsdp_config": "{'fsdp_sharding_strategy': 2, 'fsdp_offload_params': True}"},
    {"distributed_type": "'DEEPSPEED'", "deepspeed_config": "dict(zero_stage=STAGE, gradient_accumulation_steps=2)"},
    {"distributed_type": "'DEEPSPEED'", "deepspeed_config": "{'offload_param_device': 'cpu'}"},
    {"distributed_type": "'MEGATRON_LM'", "megatron_lm_config": "{'megatron_lm_tp_degree': 2}"},
)
_ARGUMENTS = (
    *("", "mixed_precision='fp16'", "True, False, None", "gradient_accumulation_steps=count()", "cpu=False"),
    *("mixed_precision=None, cpu=True", "**options", "dynamo_backend='eager'", "fsdp_plugin=effect('plugin')"),
)
# Where the Accelerator is made: lines of the train loop, and what stands before it.
_PLACES = {
    "in the loop": ("", "accelerator = Accelerator({arguments})\n"),
    "in a helper": ("def make():\n    return Accelerator({arguments})\n", "accelerator = make()\n"),
    "in a shared helper": (
        "def make():\n    return Accelerator({arguments})\nshared = [make]\n",
        "accelerator = make()\n",
    ),
    "in a class": (
        "class Job:\n    def __init__(self):\n        self.accelerator = Accelerator({arguments})\n",
        "accelerator = Job().accelerator\n",
    ),
    "behind a state": ("", "PartialState()\naccelerator = Accelerator({arguments})\n"),
    "nowhere": ("", "effect('no accelerator')\n"),
}
# A definition around the lines, and the expression that the trainer is given.
_LOOPS = {
    "function": ("def loop(config):\n{body}", "loop"),
    "optional": ("def loop(config=None):\n{body}", "loop"),
    "annotated": ("def loop(config: dict = {{}}) -> None:\n    '''Trains.'''\n{body}", "loop"),
    "no configuration": ("def loop():\n    config = {{}}\n{body}", "loop"),
    "lambda": ("def train(config, size):\n{body}", "lambda config: train(config, STAGE)"),
    "partial": ("def train(size, config):\n{body}", "functools.partial(train, 3)"),
    "named partial": ("def train(size, config=None):\n{body}loop = functools.partial(train, 3)\n", "loop"),
    "used elsewhere": ("def loop(config={{}}):\n{body}effect(loop.__name__)\n", "loop"),
    "method": ("class Run:\n    def loop(self, config=None):\n{deep_body}run = Run()\n", "run.loop"),
    "static method": ("class Run:\n    @staticmethod\n    def loop(config):\n{deep_body}", "Run.loop"),
    "decorated": (
        "def same(function):\n    return function\n\n@same\ndef loop(config):\n    # first\n{body}",
        "loop",
    ),
}
_DEVICES = ("", ", use_gpu=True", ", use_gpu=False", ", use_gpu=GPU")
_BETWEEN = ("", "effect('between')\n", "args.name = 'no'\n", "config['debug'] = True\n")
_OUTER = {
    "module": "{body}",
    "function": "def main():\n{deeper}\nmain()\n",
    "main guard": "if __name__ == '__main__':\n{deeper}",
    "loop": "for turn in range(2):\n{deeper}",
}


@st.composite
def accelerate_programs(draw: Draw) -> str:
    """A program that makes one or two AccelerateTrainers and fits them."""
    before, lines = _PLACES[draw(st.sampled_from(sorted(_PLACES)))]
    arguments = draw(st.sampled_from(_ARGUMENTS))
    body = f"{lines.format(arguments=arguments)}session.report({{'given': config}})\n"
    define, given = _LOOPS[draw(st.sampled_from(sorted(_LOOPS)))]
    loop = define.format(body=indent(body, "    "), deep_body=indent(body, "        "))
    text = before.format(arguments=arguments) + loop
    for number in range(draw(st.integers(1, 2))):
        text += _trainer(draw, given, f"trainer_{number}")
    outer = _OUTER[draw(st.sampled_from(sorted(_OUTER)))].format(body=text, deeper=indent(text, "    "))
    return f"{_imports(draw)}PRECISION = 'bf16'\nSTAGE = 3\nGPU = bool(args)\noptions = {{'rng_types': None}}\n{outer}"


def _trainer(draw: Draw, loop: str, name: str) -> str:
    """Statements that make a configuration and a trainer, and fit it."""
    chosen = draw(st.lists(st.sampled_from(sorted(_SETTINGS)), unique=True, max_size=3))
    entries = {key: draw(st.sampled_from(_SETTINGS[key])) for key in chosen}
    if "dynamo_config" in entries:
        entries.pop("dynamo_backend", None)
    entries |= draw(st.sampled_from(_DISTRIBUTED))
    lines, config = _configuration(draw, entries)
    between = draw(st.sampled_from(_BETWEEN))
    if "config[" in between and config != "config":
        between = ""
    first = draw(st.sampled_from((loop, f"train_loop_per_worker={loop}")))
    given = draw(st.sampled_from(("", "train_loop_config={'x': 1}, ")))
    scaling = f"ScalingConfig(num_workers=2{draw(st.sampled_from(_DEVICES))})"
    return (
        f"{lines}{between}{name} = AccelerateTrainer(\n    {first}, {given}accelerate_config={config},  # set here\n"
        f"    scaling_config={scaling},\n)\n{name}.fit()\n"
    )


def _configuration(draw: Draw, entries: dict[str, str]) -> tuple[str, str]:
    """Statements that make a configuration, and the expression that is it."""
    style = draw(st.sampled_from(("display", "call", "variable", "steps", "update", "function", "unpacked")))
    display = "{" + ", ".join(f"{key!r}: {value}" for key, value in entries.items()) + "}"
    call = f"dict({', '.join(f'{key}={value}' for key, value in entries.items())})"
    if style == "display":
        return "", display
    if style == "call":
        return "", call
    if style == "variable":
        return f"# the settings\nconfig = {display}\n", "config"
    if style == "steps":
        return "config = {}\n" + "".join(f"config[{key!r}] = {value}\n" for key, value in entries.items()), "config"
    if style == "update":
        return f"config = {{'num_machines': 1}}\nconfig.update({display})\n", "config"
    if style == "function":
        return f"def settings(stage=STAGE):\n    return {display}\n", "settings()"
    return f"BASE = {call}\n", "{**BASE, 'same_network': True}"


def _imports(draw: Draw) -> str:
    home = draw(st.sampled_from(("ray.train.huggingface", "ray.train.huggingface.accelerate")))
    statements = [
        f"from {home} import AccelerateTrainer\n",
        "from accelerate import Accelerator, PartialState\n",
        "from ray.air import session\n",
        "from ray.air.config import ScalingConfig\n",
        "from project import args, count, effect\n",
        "import functools\n",
    ]
    return "".join(draw(st.permutations(statements)))
