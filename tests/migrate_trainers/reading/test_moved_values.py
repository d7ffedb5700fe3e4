"""Where a value is evaluated: never later than the builder read it, never twice, and with no effect lost."""

from __future__ import annotations

from textwrap import indent

import pytest
from rewriting import LIGHTNING_IMPORTS, SCALING, after, codes, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

# What the builder is given, and what happens to it before the run.
CHANGED = {
    "a name that is rebound": ("value", "value = 'changed'"),
    "a name that is deleted": ("value", "del value"),
    "a name that is rebound by a loop": ("value", "for value in (1, 2): pass"),
    "a name that is rebound by with": ("value", "import contextlib\nwith contextlib.nullcontext(3) as value: pass"),
    "a name that is rebound by walrus": ("value", "effect((value := 9))"),
    "a name that an import rebinds": ("value", "from project import args as value"),
    "a name that a function rebinds": ("value", "def change():\n    global value\n    value = 'changed'\nchange()"),
    "a name that is added to": ("number", "number += 1"),
    "a list that grows": ("items", "items.append(2)"),
    "a list that is copied": ("list(items)", "items.append(2)"),
    "a dictionary that is copied": ("dict(mapping)", "mapping['b'] = 2"),
    "a text of an object": ("str(items)", "items.append(2)"),
    "a list that is unpacked": ("[*items, 3]", "items.append(2)"),
    "a tuple with an unpacked list": ("(0, *items)", "items.append(2)"),
    "a list in a list": ("[items, 3]", "items.append(2)"),
    "a dictionary that is unpacked": ("{**mapping, 'b': 2}", "mapping['a'] = 2"),
    "an item": ("mapping['a']", "mapping['a'] = 2"),
    "an item by a name": ("items[number - 1]", "items.insert(0, 5)"),
    "an attribute": ("thing.size", "thing.size = 2"),
    "an attribute of an imported object": ("args.lr", "args.lr = 2"),
    "an attribute of a class": ("Thing.SIZE", "Thing.SIZE = 2"),
    "an attribute of an attribute": ("thing.inner.size", "thing.inner.size = 2"),
    "a sum": ("number + 1", "number = 2"),
    "a sum with a list": ("items + [2]", "items.append(3)"),
    "a comparison": ("number > 0", "number = -1"),
    "a conditional": ("'a' if number else 'b'", "number = 0"),
    "a negation": ("not number", "number = 0"),
    "an f-string": ("f'{number}-{thing.size}'", "number = thing.size = 2"),
    "a format": ("'%s' % number", "number = 2"),
    "a length": ("len(items)", "items.append(3)"),
    "a method call": ("thing.method()", "thing.size = 2"),
    "a comprehension": ("[item + number for item in items]", "number = 2\nitems.append(3)"),
    "a generator in a call": ("sum(item for item in items)", "items.append(3)"),
    "a lambda reads late": ("lambda: number", "number = 2"),
    "a lambda with a default": ("lambda n=number: n", "number = 2"),
    "a slice": ("items[:]", "items.append(2)"),
    "a call of an imported class": ("Made(number)", "number = 2"),
    "a partial": ("functools.partial(effect, number)", "number = 2"),
    "a string": ("'text' 'more'", "effect('nothing')"),
    "a deferred class": ("Thing", "class Thing: SIZE = 7"),
}
SETUP = """\
import functools
from project import args, make_model as Made

class Thing:
    SIZE = 1
    size = 1
    def method(self):
        return effect(self.size)

value = 1
number = 1
items = [1]
mapping = {"a": 1}
thing = Thing()
thing.inner = Thing()
"""
BUILDERS = {
    "module": ".module(Net, given={value})",
    "trainer": ".module(Net).trainer(profiler={value})",
    "strategy": '.module(Net).strategy("ddp", timeout={value})',
    "fit": ".module(Net).fit_params(val_dataloaders={value})",
}


def program(value: str, change: str, builder: str) -> str:
    given = BUILDERS[builder].format(value=value)
    return (
        f"config = LightningConfigBuilder(){given}.fit_params(datamodule=DM()).build()\n"
        f"trainer = LightningTrainer(config, scaling_config={SCALING})\n{change}\ntrainer.fit()\n"
    )


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize(("value", "change"), CHANGED.values(), ids=CHANGED.keys())
def test_value_that_changes_before_the_run(value: str, change: str, builder: str) -> None:
    text = LIGHTNING_IMPORTS + SETUP + program(value, change, builder)

    assert_same_calls(text, after(migrate(text)))


@pytest.mark.parametrize(
    ("value", "change"),
    [
        pytest.param(*pair, id=name)
        for name, pair in CHANGED.items()
        if "global" not in pair[1] and "deferred" not in name
    ],
)
def test_value_in_a_function(value: str, change: str) -> None:
    body = "number = 1\nvalue = 1\nitems = [1]\n" + program(
        value, change.replace("from project", "from project"), "module"
    )
    if "args as value" in change or "Thing.SIZE" in change:
        body = program(value, change, "module").replace("config =", "value = 1\nconfig =")
    text = LIGHTNING_IMPORTS + SETUP + f"def main():\n{indent(body, '    ')}\nmain()\n"

    assert_same_calls(text, after(migrate(text)))


LOOPS = {
    "for": "for turn in (1, 2):\n{body}",
    "for with two targets": "for turn, other in ((1, 2), (3, 4)):\n{body}",
    "while": "turn = 0\nwhile turn < 2:\n    turn += 1\n{body}",
    "for in for": "for outer in (1, 2):\n  for turn in (outer, 3):\n{body}",
    "for in a function": "def main():\n  for turn in (1, 2):\n{body}\nmain()\n",
}


@pytest.mark.parametrize(
    "value", ["turn", "turn + 1", "[turn]", "f'{turn}'", "lambda: turn", "effect(turn)", "DM(turn)"]
)
@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS.keys())
def test_a_trainer_a_turn_that_is_fitted_after_the_loop(loop: str, value: str) -> None:
    body = (
        f"config = LightningConfigBuilder().module(Net, given={value}).fit_params(datamodule=DM()).build()\n"
        f"trainers.append(LightningTrainer(config, scaling_config={SCALING}))\n"
    )
    looped = loop.format(body=indent(body, "    "))
    if "def main" in loop:
        looped = looped.replace("def main():", "def main():\n  trainers = []")
        looped = looped.replace("\nmain()", "\n  for trainer in trainers: trainer.fit()\nmain()")
        text = LIGHTNING_IMPORTS + looped
    else:
        text = LIGHTNING_IMPORTS + "trainers = []\n" + looped + "for trainer in trainers: trainer.fit()\n"

    result = migrate(text)

    if value == "lambda: turn":
        assert result.changed
        return
    assert_same_calls(text, after(result))


NOT_ALWAYS_EVALUATED = {
    "a conditional": "trainer = None if effect(0) else {made}",
    "the body of a conditional": "trainer = {made} if effect(1) else None",
    "and": "trainer = effect(1) and {made}",
    "or": "trainer = effect(0) or {made}",
    "a one-line if": "if effect(1): trainer = {made}",
    "a one-line loop": "for turn in (1, 2): trainer = {made}",
    "a one-line function": "def make(): return {made}\ntrainer = make()",
    "an elif": "if effect(0):\n    pass\nelif (trainer := {made}):\n    pass",
    "a loop's condition": "while not (trainer := {made}):\n    pass",
    "a lambda": "make = lambda: {made}\ntrainer = make()",
    "a comprehension": "trainer = [{made} for turn in (1, 2)][0]",
    "a decorator's argument": "@(lambda given: lambda function: given)({made})\ndef trainer(): pass",
    "a statement beside others": "effect(1); trainer = {made}; effect(2)",
    "behind an effect in its statement": "trainer = (effect(1), {made})[1]",
    "behind an effect in its own call": (
        "trainer = LightningTrainer(scaling_config=ScalingConfig(num_workers=effect(2)), lightning_config={config})"
    ),
    "an assertion": "assert (trainer := {made})",
    "an exception's handler": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    trainer = {made}",
}


@pytest.mark.parametrize("statement", NOT_ALWAYS_EVALUATED.values(), ids=NOT_ALWAYS_EVALUATED.keys())
@pytest.mark.parametrize("value", ["effect('builder')", "1"])
def test_effects_happen_when_they_did_or_the_file_is_left(statement: str, value: str) -> None:
    config = f"LightningConfigBuilder().module(Net, given={value}).fit_params(datamodule=DM()).build()"
    made = f"LightningTrainer({config}, scaling_config={SCALING})"
    text = LIGHTNING_IMPORTS + statement.format(made=made, config=config) + "\ntrainer.fit()\n"

    result = migrate(text)

    assert not result.has(Kind.ERROR)
    if result.changed:
        assert_same_calls(text, result.after)
    else:
        assert set(codes(result, Kind.MANUAL)) <= {"MT904", "MT102"}


def test_name_of_an_exception_is_gone_behind_its_handler() -> None:
    text = LIGHTNING_IMPORTS + (
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n"
        "    config = LightningConfigBuilder().module(Net, a=error.args, b=str(error))"
        ".fit_params(datamodule=DM()).build()\n"
        f"    trainer = LightningTrainer(config, scaling_config={SCALING})\n"
        "trainer.fit()\n"
    )

    assert_same_calls(text, after(migrate(text)))


def test_self_and_arguments_are_read_when_they_were() -> None:
    text = LIGHTNING_IMPORTS + (
        "class Job:\n    size = 1\n    __secret = 4\n    def make(self, *values, **options):\n"
        "        config = (\n            LightningConfigBuilder()\n"
        "            .module(Net, size=self.size, secret=self.__secret, first=values[0], **options)\n"
        "            .fit_params(datamodule=DM(self.size))\n            .build()\n        )\n"
        "        self.size = 2\n        values, options['a'] = (), 5\n"
        f"        self.trainer = LightningTrainer(config, scaling_config={SCALING})\n"
        "job = Job()\njob.make(7, a=1)\njob.size = 3\njob.trainer.fit()\n"
    )

    assert_same_calls(text, after(migrate(text)))
