"""Short TransformersTrainer programs, and what has to hold for the output of each."""

from __future__ import annotations

from textwrap import dedent

from rewriting import SCALING, TRANSFORMERS_IMPORTS, after, codes, migrate
from worker_calls import assert_same_calls

ARGUMENTS = "TrainingArguments('out', logging_strategy='epoch', save_strategy='epoch')"
SETTINGS = 'trainer_init_config={"lr": 1, "size": 2}'


def program(text: str) -> str:
    """A program with `ARGS` for the TrainingArguments, `SCALING` and `SETTINGS` for arguments of its trainer."""
    text = text.replace("ARGS", ARGUMENTS).replace("SCALING", f"scaling_config={SCALING}").replace("SETTINGS", SETTINGS)
    return TRANSFORMERS_IMPORTS + dedent(text)


def migrated(text: str) -> str:
    """The output for a program, which makes the calls that it made, and which a second run leaves alone."""
    source = program(text)
    result = migrate(source)
    output = after(result)
    # Where the arguments are out of sight, a finding says that the device may be another one.
    assert_same_calls(source, output, but="device" if "MT227" in codes(result) else None)
    assert not migrate(output).changed
    return output
