"""How the output looks: indents, blank lines and comments of what was written."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest
from rewriting import ACCELERATE_IMPORTS, LIGHTNING_IMPORTS, SCALING, TRANSFORMERS_IMPORTS, after, lightning, migrate

CONFIG = "config = LightningConfigBuilder().module(Net).fit_params(datamodule=dm).build()\n"
CALLS = {
    "one line": f"trainer = LightningTrainer(config, scaling_config={SCALING})",
    "one line with a nested config": (
        f"trainer = LightningTrainer(config, scaling_config={SCALING}, run_config=RunConfig(local_dir='x'))"
    ),
    "one line with a config by position": (
        f"trainer = LightningTrainer(config, scaling_config={SCALING}, run_config=RunConfig('a', 'b'))"
    ),
    "config first": (
        f"trainer = LightningTrainer(run_config=RunConfig('a'), lightning_config=config, scaling_config={SCALING})"
    ),
    "a config that is shared": (
        f"other = run\ntrainer = LightningTrainer(config, run_config=run, scaling_config={SCALING})"
    ),
    "hanging arguments": (
        f"trainer = LightningTrainer(config,\n                           scaling_config={SCALING},\n"
        "                           run_config=RunConfig('a'))"
    ),
    "spread arguments": (
        f"trainer = LightningTrainer(\n    lightning_config=config,\n    scaling_config={SCALING},\n"
        "    run_config=RunConfig(name='a'),\n)"
    ),
    "a checkpoint to start from": (
        f"trainer = LightningTrainer(config, scaling_config={SCALING}, resume_from_checkpoint=effect())"
    ),
}
DEPTHS = {
    "module": "{body}",
    "function": "def f(run, dm):\n{body}",
    "method": "class C:\n    def f(self, run, dm):\n{body}",
}


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_brackets_close_at_the_indent_of_their_line(call: str, depth: str) -> None:
    """Every line inside a generated bracket is deeper than the one that opens it, unless it was so in the input."""
    margin = "    " * list(DEPTHS).index(depth)
    before = "run = RunConfig('shared')\ndm = DM()\n"
    program = LIGHTNING_IMPORTS + before + DEPTHS[depth].format(body=indent(CONFIG + call, margin)) + "\n"

    text = after(migrate(program))

    kept = set(program.splitlines())
    opened: list[int] = []
    for line in text.splitlines():
        stripped = line.strip()
        depth_of_line = len(line) - len(line.lstrip())
        if opened and stripped.startswith((")", "]", "}")):
            assert depth_of_line == opened[-1] or line in kept, text
        elif opened and stripped:
            assert depth_of_line > opened[-1], text
        balance = sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        opened += [depth_of_line] * balance if balance > 0 else []
        del opened[len(opened) + min(balance, 0) :]
    assert not opened


def test_lines_are_not_longer_than_they_have_to_be() -> None:
    program = lightning(
        ".trainer(max_epochs=1, accelerator='tpu', precision=16).checkpointing(monitor='validation_loss', mode='max')"
    )

    old = set(program.splitlines())

    assert [line for line in after(migrate(program)).splitlines() if len(line) > 100 and line not in old] == []


def test_two_blank_lines_around_a_function_at_module_level() -> None:
    lines = after(migrate(lightning())).splitlines()
    start = lines.index("def train_func():")
    end = next(number for number in range(start + 1, len(lines)) if lines[number] and not lines[number].startswith(" "))

    assert lines[start - 2 : start] == ["", ""]
    assert lines[start - 3] != ""
    assert lines[end - 2 : end] == ["", ""]
    assert lines[end - 3] != ""


def test_one_blank_line_around_a_function_in_a_function() -> None:
    program = LIGHTNING_IMPORTS + "def f(dm):\n" + indent(CONFIG + CALLS["one line"] + "\nreturn trainer\n", "    ")

    lines = after(migrate(program)).splitlines()
    start = lines.index("    def train_func():")
    end = next(n for n in range(start + 1, len(lines)) if lines[n] and not lines[n].startswith("        "))

    assert lines[end - 1] == ""
    assert lines[end - 2] != ""


def test_comments_move_with_what_they_are_about() -> None:
    program = LIGHTNING_IMPORTS + dedent("""
        # how to train
        config = (
            LightningConfigBuilder()
            # what
            .module(
                Net,
                lr=1,  # the rate
            )
            .trainer(
                # how long
                max_epochs=2,
            )
            .fit_params(datamodule=effect())  # on what
            .build()
        )

        # go
        trainer = LightningTrainer(
            lightning_config=config,  # as above
            scaling_config=ScalingConfig(num_workers=2),
        )
        """)

    lines = [line.strip() for line in after(migrate(program)).splitlines()]

    assert "lr=1,  # the rate" in lines
    assert lines[lines.index("# how long") + 1] == "max_epochs=2,"
    assert "train_func,  # as above" in lines
    assert lines[lines.index("# go") + 1] == "trainer = TorchTrainer("
    assert lines.index("# how to train") < lines.index("def train_func():") < lines.index("# what")


@pytest.mark.parametrize(
    "argument", ["devices=2", "strategy='ddp'", "accelerator='auto'", "enable_checkpointing=False"]
)
def test_comment_of_an_argument_that_goes_is_kept(argument: str) -> None:
    program = lightning(f".trainer(\n        {argument},  # the reason\n        max_epochs=1,\n    )")

    assert "# the reason" in after(migrate(program))


def test_call_that_loses_its_arguments_stands_on_one_line() -> None:
    program = lightning(trainer="run_config=RunConfig(\n        verbose=1,\n        stop=None,\n    )")

    assert "run_config=RunConfig(checkpoint_config=CheckpointConfig(num_to_keep=1))," in after(migrate(program))
    assert "run_config=RunConfig()," in after(migrate(program, source_version=(2, 5)))


def test_multi_line_values_keep_their_lines() -> None:
    program = lightning(""".module(Net, text='''one
  two
''', table={
        "a": 1,  # one

        "b": [
            2,
        ],
    })""")

    text = after(migrate(program))

    assert "'''one\n  two\n'''" in text
    assert '"a": 1,  # one\n\n' in text


def test_lines_of_a_call_stay_apart_where_the_last_argument_of_one_goes() -> None:
    program = (
        f"{ACCELERATE_IMPORTS}def loop(config):\n    pass\n"
        f"AccelerateTrainer(loop, accelerate_config={{}},\n                  scaling_config={SCALING}).fit()\n"
    )

    assert f"TorchTrainer(loop,\n                  scaling_config={SCALING}).fit()" in after(migrate(program))


LAST_ARGUMENTS = {
    "alone on its line": (",\n    accelerate_config={})", ")"),
    "behind a comment": (",  # small\n    accelerate_config={})", ",  # small\n)"),
    "below a comment": (",\n    # no settings\n    accelerate_config={})", ",\n    # no settings\n)"),
    "with a comment in it": (",\n    accelerate_config={  # nothing\n    })", ",\n    # nothing\n)"),
    "with a comment on the line": (", accelerate_config={  # nothing\n    })", "\n    # nothing\n)"),
}


@pytest.mark.parametrize(("before", "behind"), LAST_ARGUMENTS.values(), ids=LAST_ARGUMENTS.keys())
def test_parenthesis_behind_a_last_argument_that_goes(before: str, behind: str) -> None:
    loop = "def loop():\n    Accelerator()\n\n\n"
    program = f"{ACCELERATE_IMPORTS}{loop}AccelerateTrainer(loop, scaling_config={SCALING}{before}.fit()\n"

    assert f"TorchTrainer(loop, scaling_config={SCALING}{behind}.fit()\n" in after(migrate(program))


TRANSFORMERS = (
    f"{TRANSFORMERS_IMPORTS}def init(train_dataset, eval_dataset=None, **config):\n"
    "    return Trainer(make_model(), TrainingArguments('out'))\n\n\n"
)
ACCELERATE = f"{ACCELERATE_IMPORTS}def loop(config):\n    Accelerator()\n    return session.get_checkpoint()\n\n\n"
START = "resume_from_checkpoint=effect(  # to start from\n        1,  # its number\n    ),  # if any\n"
MOVING = {
    "a checkpoint that joins a configuration": (
        f"{TRANSFORMERS}trainer = TransformersTrainer(\n    init,\n"
        f"    trainer_init_config={{'lr': 1}},  # the rate\n    scaling_config={SCALING},\n    {START})\n"
    ),
    "a checkpoint that joins the configuration of a loop": (
        f"{ACCELERATE}trainer = AccelerateTrainer(\n    loop,\n    train_loop_config={{'lr': 1}},  # the rate\n"
        f"    accelerate_config={{}},\n    scaling_config={SCALING},\n    {START})\n"
    ),
    "a trainer that is tuned": (
        f"from ray import tune\n{TRANSFORMERS}# base\ntrainer = TransformersTrainer(  # to be tuned\n"
        "    init,  # its function\n    trainer_init_config={  # settings\n        'lr': 1,  # the rate\n"
        f"        # no others\n    }},\n    # two\n    scaling_config={SCALING},\n    # the end\n)  # made\n"
        "tune.Tuner(trainer, param_space={'trainer_init_config': {'seed': tune.choice([1, 2])}}).fit()\n"
    ),
}


@pytest.mark.parametrize("program", MOVING.values(), ids=MOVING.keys())
def test_every_comment_of_what_moves_is_kept_once(program: str) -> None:
    comments = [line.partition("# ")[2] for line in program.splitlines() if "# " in line]

    text = after(migrate(program))

    assert {comment: text.count(f"# {comment}\n") for comment in comments} == dict.fromkeys(comments, 1)
