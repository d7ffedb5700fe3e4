"""A Hypothesis strategy for TransformersTrainer programs, in the styles in which people write them."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from program_places import INTERLUDES, SETUP, indented, placed

if TYPE_CHECKING:
    from program_places import Draw

# Names that the output would like to use itself, or that the function's parameters hide.
_TAKEN = (
    *("train_func", "trainer", "config", "checkpoint", "checkpoint_dir", "os", "resume_from_checkpoint"),
    *("train_dataset", "eval_dataset", "trainer_init_per_worker", "prepare_trainer", "RayTrainReportCallback"),
)


@dataclass(frozen=True)
class _Style:
    """Parameters of a function, what it may make the model of, and whether it has to be given a `size`."""

    parameters: str
    models: tuple[str, ...]
    needs_size: bool = False


_STYLES = (
    _Style("train_dataset, eval_dataset=None, **config", ("**config", "config.pop('size', 0), **config", "rebound")),
    _Style("train_dataset, eval_dataset=None, **config", ("(lambda: config)()", "**{**settings, **config}", "kept")),
    _Style("train_dataset, eval_dataset, **kwargs", ("kwargs.get('lr')", "**kwargs", "mutable, lr=args.lr")),
    _Style("train_dataset, eval_dataset, size=1, lr=1e-3, more=None", ("size, lr", "more, [size for _ in mutable]")),
    _Style("train_dataset, eval_dataset=None, *, size=rebound, lr=0.5, **_", ("size, lr", "lambda: size", "lr")),
    _Style("train_dataset, eval_dataset=None, size=count(), lr=mutable, more=()", ("size, lr, more",)),
    _Style("train_dataset, eval_dataset, size, lr=1, more=()", ("size, lr", "rebound, more"), needs_size=True),
    _Style("train_dataset, eval_dataset=None, size=3, **rest", ("size, **rest", "**rest", "len(rest)")),
    _Style("train_dataset, *others, **config", ("others, **config",)),
)
_DATA = (
    "",
    ", train_dataset=train_dataset",
    ", train_dataset=[1] if train_dataset is None else train_dataset",
    ", train_dataset=[effect(5)]",
)
_SCHEDULES = (
    "logging_strategy='epoch', save_strategy='epoch'",
    "logging_strategy='epoch', save_strategy='epoch', report_to='none'",
    'logging_strategy="epoch", save_strategy="epoch", evaluation_strategy=\'epoch\'',
    "save_strategy='no'",
    "logging_steps=2, save_steps=4, report_to=[]",
    "",
)
# Each takes two calls that make a Trainer.
_RETURNS = {
    "value": "return {first}\n",
    "value over lines": "# what trains\nreturn ({first})  # a comment on what is returned\n",
    "variable": "trainer = {first}\nreturn trainer\n",
    "another variable": "made = {first}\neffect('made')\nreturn made  # made\n",
    "branches": "if rebound:\n    return {first}\nelse:\n    # the other one\n    return {second}  # other\n",
    "an early return": "if not rebound:\n    return {first}\nreturn {second}\n",
    "handlers": "try:\n    return {first}\nexcept KeyError:\n    return {second}\nfinally:\n    effect('tried')\n",
    "a block": "with block():\n    effect('inside')\n    return {first}\n",
}
_DOCSTRINGS = ("", '"""Make the Trainer."""\n', "'''Make\n\n    the Trainer.\n    '''\n# a comment below it\n")
# What defines a function of some parameters and body, and the expression that gives it to the trainer.
_CARRIERS = {
    "function": ("def init({parameters}):\n{body}", "init"),
    "function that is called elsewhere": ("def init({parameters}):\n{body}effect(init.__name__)\n", "init"),
    "function over lines": ("def init(\n    {parameters}\n) -> Trainer:  # a comment on it\n{body}", "init"),
    "decorated function": ("@effect\ndef init({parameters}):\n{body}", "init"),
    "function under a condition": (
        "if args:\n    def init({parameters}):\n{deep}else:\n    init = effect\n",
        "init",
    ),
    "function in a list": ("def init({parameters}):\n{body}functions = [init]\n", "functions[0]"),
    "function of a function": (
        "def make(first):\n    def init({parameters}):\n        effect(first)\n{deep}    return init\n",
        "make(count())",
    ),
    "partial": ("def init(first, {parameters}):\n    effect(first)\n{body}", "partial(init, rebound)"),
    "partial with an effect": ("def init(first, {parameters}):\n    effect(first)\n{body}", "partial(init, count())"),
    "method": ("class Task:\n    def init(self, {parameters}):\n{deep}task = Task()\n", "task.init"),
    "static method": ("class Task:\n    @staticmethod\n    def init({parameters}):\n{deep}", "Task.init"),
    "object": (
        "class Maker:\n    def __init__(self, first):\n        self.first = first\n"
        "    def __call__(self, {parameters}):\n        effect(self.first)\n{deep}",
        "Maker(count())",
    ),
    "lambda": ("", "lambda {parameters}: {value}"),
    "lambda over lines": ("", "(\n    lambda {parameters}: {value}  # a comment on it\n)"),
    "variable with a lambda": ("init = lambda {parameters}: {value}\n", "init"),
}
_CONFIGS = (
    "{'size': 2, 'lr': 3}",
    '{\n    "size": rebound,  # a comment on the size\n    "lr": count(),\n}',
    "{**own, 'size': 4}",
    "dict(size=len(mutable), lr=rebound)",
    "own",
    "held.config",
    "given()",
)
_NO_CONFIGS = ("", "None", "{}", "nothing")
_OWN_SETUP = """\
own = {'size': 5, 'lr': rebound}
nothing = None
held = Namespace(config=own)
kept = 'kept'
def given():
    return {'size': rebound, 'lr': 1}
"""
_CHANGES = ("own['lr'] = 'changed'", "held.config = {'size': 0, 'lr': 0}", "own.update(size=7)")
_SCALING = ("ScalingConfig(num_workers=2)", "ScalingConfig(num_workers=2, use_gpu=True)")
_RUNS = ("", "run_config=RunConfig(failure_config=FailureConfig(max_failures=2))", "run_config=RunConfig(name='run')")
_STARTS = ("", "", "", "resume_from_checkpoint=Checkpoint('start')", "resume_from_checkpoint=None")
# Where the trainers are made and fitted: `call` makes one, `other` too.
_USES = {
    "at once": "result = {call}.fit()\n",
    "next": "made = {call}\nresult = made.fit()\n",
    "later": "made = {call}\n{interlude}\nmade.fit()\n",
    "list": "made = [{call} for number in (1, 2)]\n{interlude}\nfor one in made:\n    one.fit()\n",
    "loop": "made = []\nfor rebound in (3, 4):\n    made.append({call})\nfor one in made:\n    one.fit()\n",
    "condition": "made = {call} if args else None\n{interlude}\nmade.fit()\n",
    "one line": "first = count(); made = {call}; made.fit()\n",
    "two": "first = {call}\n{interlude}\nsecond = {other}\nsecond.fit()\nfirst.fit()\n",
    "function": "def fit(function):\n    return function.fit()\nfit({call})\n",
}


@st.composite
def transformers_programs(draw: Draw) -> str:
    """A program that makes TransformersTrainers, of functions in all forms, and fits them."""
    style = draw(st.sampled_from(_STYLES))
    definition, function = _function(draw, style)
    calls = [_call(draw, style, function) for _ in range(2)]
    use = _USES[draw(st.sampled_from(sorted(_USES)))]
    change = st.sampled_from((*INTERLUDES, *_CHANGES))
    made = use.format(call=calls[0], other=calls[1], interlude=draw(change))
    text = placed(draw, SETUP + _OWN_SETUP, f"{definition}{draw(change)}\n{made}")
    taken = draw(st.lists(st.sampled_from(_TAKEN), unique=True, max_size=3))
    return indented(draw, _imports(draw) + "".join(f"{name} = 'mine'\n" for name in taken) + text)


def _function(draw: Draw, style: _Style) -> tuple[str, str]:
    """What defines the function that makes the Trainer, and the expression that gives it to a trainer."""
    first, second = (_trainer(draw, style) for _ in range(2))
    body = draw(st.sampled_from(_DOCSTRINGS))
    body += draw(st.sampled_from(("", "effect('begins')\n", "train_dataset = train_dataset or [7]\n")))
    body += _RETURNS[draw(st.sampled_from(sorted(_RETURNS)))].format(first=first, second=second)
    definition, function = _CARRIERS[draw(st.sampled_from(sorted(_CARRIERS)))]
    parts = {
        "parameters": style.parameters,
        "value": _trainer(draw, style),
        "body": indent(body, "    "),
        "deep": indent(body, "        "),
    }
    return definition.format(**parts), function.format(**parts)


def _trainer(draw: Draw, style: _Style) -> str:
    arguments = ", ".join(part for part in ("'out'", draw(st.sampled_from(_SCHEDULES))) if part)
    model = draw(st.sampled_from(style.models))
    keywords = draw(st.booleans())
    model, arguments = f"make_model({model})", f"TrainingArguments({arguments})"
    given = f"model={model}, args={arguments}" if keywords else f"{model}, {arguments}"
    return f"Trainer({given}{draw(st.sampled_from(_DATA))})"


def _call(draw: Draw, style: _Style, function: str) -> str:
    configs = _CONFIGS if style.needs_size else (*_CONFIGS, *_NO_CONFIGS)
    config = draw(st.sampled_from(configs))
    arguments = [f"trainer_init_config={config}"] if config else []
    arguments.append(f"scaling_config={draw(st.sampled_from(_SCALING))}")
    arguments += [one for one in (draw(st.sampled_from(_RUNS)), draw(st.sampled_from(_STARTS))) if one]
    if draw(st.booleans()):
        arguments.insert(0, function)
    else:
        arguments = draw(st.permutations([f"trainer_init_per_worker={function}", *arguments]))
    if draw(st.booleans()) and "\n" not in "".join(arguments):
        return f"TransformersTrainer({', '.join(arguments)})"
    return "TransformersTrainer(\n" + "".join(f"    {line}\n" for line in ",\n".join(arguments).splitlines()) + ")"


def _imports(draw: Draw) -> str:
    home = draw(st.sampled_from(("ray.air", "ray.air.config", "ray.train")))
    statements = [
        "from ray.train.huggingface import TransformersTrainer\n",
        f"from {home} import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig\n",
        "from ray.train import Checkpoint\n",
        "from transformers import Trainer, TrainingArguments  # noqa: E402\n",
        "from project import Namespace, args, count, effect, make_model\n",
        "from contextlib import nullcontext as block\nfrom functools import partial\n",
    ]
    return "".join(draw(st.permutations(statements)))
