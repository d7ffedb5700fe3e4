"""`resume_from_checkpoint` of an AccelerateTrainer: the train function finds it in its configuration."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest
from rewriting import ACCELERATE_IMPORTS, SCALING, after, codes, migrate

from migrate_trainers.findings import Kind

ASKS = "checkpoint = session.get_checkpoint()"


def program(body: str = ASKS, arguments: str = "", head: str = "def loop(config):", given: str = "effect()") -> str:
    return f"""{ACCELERATE_IMPORTS}
{head}
{indent(dedent(body).strip(), "    ")}

AccelerateTrainer(
    loop,{arguments}
    accelerate_config={{}},
    scaling_config={SCALING},
    resume_from_checkpoint={given},
).fit()
"""


GIVEN = {
    "no configuration": ("", 'train_loop_config={"resume_from_checkpoint": effect()}'),
    "none": ("train_loop_config=None,", 'train_loop_config={"resume_from_checkpoint": effect()}'),
    "a display": (
        "train_loop_config={'lr': 1},",
        """train_loop_config={'lr': 1, "resume_from_checkpoint": effect()}""",
    ),
    "a display with a comma": (
        "train_loop_config={'lr': 1,},",
        """train_loop_config={'lr': 1, "resume_from_checkpoint": effect(),}""",
    ),
    "a variable": ("train_loop_config=settings,", 'train_loop_config={**settings, "resume_from_checkpoint": effect()}'),
}


@pytest.mark.parametrize(("arguments", "expected"), GIVEN.values(), ids=GIVEN.keys())
def test_configuration(arguments: str, expected: str) -> None:
    result = migrate(program(arguments=arguments))

    output = after(result)
    assert expected in output
    assert 'checkpoint = ray.train.get_checkpoint() or config.get("resume_from_checkpoint")' in output
    assert output.count("resume_from_checkpoint") == 2
    assert "MT412" in codes(result)


FORMS = {
    "in a condition": (
        "if session.get_checkpoint() is not None:\n    effect(config['lr'])",
        'if (ray.train.get_checkpoint() or config.get("resume_from_checkpoint")) is not None:',
    ),
    "as an argument": (
        "effect(session.get_checkpoint())",
        'effect(ray.train.get_checkpoint() or config.get("resume_from_checkpoint"))',
    ),
    "in a closure": (
        "def start():\n    return session.get_checkpoint()\nstart()",
        'return ray.train.get_checkpoint() or config.get("resume_from_checkpoint")',
    ),
    "at once": (
        "with session.get_checkpoint().as_directory() as folder:\n    effect(folder)",
        'with (ray.train.get_checkpoint() or config.get("resume_from_checkpoint")).as_directory() as folder:',
    ),
}


@pytest.mark.parametrize(("body", "expected"), FORMS.values(), ids=FORMS.keys())
def test_where_it_is_asked_for(body: str, expected: str) -> None:
    assert expected in after(migrate(program(body)))


def test_dictionary() -> None:
    body = """
        checkpoint = session.get_checkpoint()
        first = checkpoint.to_dict()["epoch"] if checkpoint else 0
        session.report({}, checkpoint=Checkpoint.from_dict({"epoch": first}))
        """
    head = "from ray.air import Checkpoint\ndef loop(config):"

    output = after(migrate(program(body, head=head, given='Checkpoint.from_dict({"epoch": 3})')))

    assert 'train_loop_config={"resume_from_checkpoint": dictionary_checkpoint({"epoch": 3})}' in output
    assert 'first = load_dictionary(checkpoint)["epoch"] if checkpoint else 0' in output


LEFT = {
    "no configuration": program(head="def loop():"),
    "an optional one": program(head="def loop(config=None):"),
    "another one": program(f"config = dict(config)\n{ASKS}"),
    "handed on": program(f"effect(**config)\n{ASKS}"),
    "asked in a helper": program("ask()", head="def ask():\n    return session.get_checkpoint()\ndef loop(config):"),
    "never asked": program("effect()"),
}


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(text: str) -> None:
    result = migrate(text)

    assert not result.changed
    assert codes(result, Kind.MANUAL) == ["MT403"]


def test_earlier_targets_take_it() -> None:
    assert "resume_from_checkpoint=effect()," in after(migrate(program(), target_version=(2, 9)))
