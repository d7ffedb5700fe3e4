"""Checkpoints that are dictionaries: what is written into the file to report and to read them."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest
from rewriting import ACCELERATE_IMPORTS, SCALING, TRANSFORMERS_IMPORTS, after, codes, migrate

from migrate_trainers.findings import Kind

REPORTED = "session.report({'loss': 1}, checkpoint=Checkpoint.from_dict({'epoch': 1}))"


def program(body: str, behind: str = "", imports: str = "from ray.air import Checkpoint") -> str:
    loop = indent(dedent(body).strip(), "    ")
    return f"""{ACCELERATE_IMPORTS}{imports}

def loop(config):
{loop}

result = AccelerateTrainer(loop, accelerate_config={{}}, scaling_config={SCALING}).fit()
{behind}
"""


FORMS = {
    "in the call": (REPORTED, ["report_dictionary({'loss': 1}, {'epoch': 1})"]),
    "by position": (
        "session.report({'loss': 1}, Checkpoint.from_dict({'epoch': 1}))",
        ["report_dictionary({'loss': 1}, {'epoch': 1})"],
    ),
    "by keywords, the other way round": (
        "session.report(checkpoint=Checkpoint.from_dict(data={'epoch': 1}), metrics={'loss': 1})",
        ["report_dictionary(data={'epoch': 1}, metrics={'loss': 1})"],
    ),
    "a call": (
        "session.report({}, checkpoint=Checkpoint.from_dict(dict(epoch=effect(1))))",
        ["report_dictionary({}, dict(epoch=effect(1)))"],
    ),
    "in a variable": (
        """
        checkpoint = Checkpoint.from_dict({"epoch": 1})
        session.report({}, checkpoint=checkpoint)
        """,
        ['checkpoint = {"epoch": 1}', "report_dictionary({}, checkpoint)"],
    ),
    "sometimes": (
        """
        for epoch in range(9):
            checkpoint = None
            if epoch % 3 == 0:
                checkpoint = Checkpoint.from_dict({"epoch": epoch})
            session.report({"epoch": epoch}, checkpoint=checkpoint)
        """,
        ['checkpoint = {"epoch": epoch}', 'report_dictionary({"epoch": epoch}, checkpoint)'],
    ),
    "of the main process": (
        "session.report({}, checkpoint=Checkpoint.from_dict({'epoch': 1}) if effect(0) else None)",
        ["report_dictionary({}, {'epoch': 1} if effect(0) else None)"],
    ),
    "of the main process in a variable": (
        """
        checkpoint = None if effect(1) else Checkpoint.from_dict({"epoch": 1})
        session.report({}, checkpoint=checkpoint)
        """,
        ['checkpoint = None if effect(1) else {"epoch": 1}'],
    ),
    "beside a report without one": (
        f"session.report({{}})\n{REPORTED}",
        ["ray.train.report({})", "report_dictionary({'loss': 1}, {'epoch': 1})"],
    ),
    "read again": (
        f"""
        checkpoint = session.get_checkpoint()
        epoch = checkpoint.to_dict()["epoch"] if checkpoint else 0
        {REPORTED}
        """,
        ['epoch = load_dictionary(checkpoint)["epoch"] if checkpoint else 0'],
    ),
}


@pytest.mark.parametrize(("body", "lines"), FORMS.values(), ids=FORMS.keys())
def test_dictionary_is_reported(body: str, lines: list[str]) -> None:
    output = after(migrate(program(body)))

    found = [line.strip() for line in output.splitlines()]
    assert [line for line in lines if line not in found] == []
    assert "from_dict" not in output
    assert "to_dict" not in output


def test_modules_that_are_imported_behind_the_run_are_imported_before_it() -> None:
    output = after(migrate(program(REPORTED, "import os, tempfile\nimport torch\nprint(os, tempfile, torch)")))

    before, _, behind = output.partition("def report_dictionary")
    for name in ("os", "tempfile", "torch"):
        assert f"import {name}\n" in before
    assert "import os, tempfile\nimport torch\n" in behind


def test_result_is_read() -> None:
    output = after(migrate(program(REPORTED, "print(result.checkpoint.to_dict()['epoch'])")))

    assert "print(load_dictionary(result.checkpoint)['epoch'])" in output


def test_comments_stay_with_the_dictionary() -> None:
    body = """
        session.report(
            {},  # nothing yet
            checkpoint=Checkpoint.from_dict(
                {"epoch": 1}  # the state
            ),  # kept
        )
        """

    output = after(migrate(program(body)))

    assert all(comment in output for comment in ("# nothing yet", "# the state", "# kept"))


LEFT = {
    "beside a folder": f"session.report({{}}, checkpoint=Checkpoint.from_directory('out'))\n{REPORTED}",
    "used elsewhere": "c = Checkpoint.from_dict({})\nsession.report({}, checkpoint=c)\neffect(c)",
    "of many arguments": "session.report({}, checkpoint=Checkpoint.from_dict(*[{}]))",
    "beside a folder in an expression": (
        "session.report({}, checkpoint=Checkpoint.from_dict({}) if effect(1) else Checkpoint.from_directory('out'))"
    ),
    "of another variable": "a = Checkpoint.from_dict({})\nb = a\nsession.report({}, checkpoint=b)",
    "not reported": "Checkpoint.from_dict({})",
    "only read": "session.get_checkpoint().to_dict()",
}


@pytest.mark.parametrize("body", LEFT.values(), ids=LEFT.keys())
def test_others_are_left(body: str) -> None:
    result = migrate(program(body))

    assert not result.changed
    assert codes(result, Kind.MANUAL) == ["MT401"]


def test_dictionaries_beside_another_trainer_are_left() -> None:
    imports = f"from ray.air import Checkpoint\n{TRANSFORMERS_IMPORTS}"

    assert codes(migrate(program(REPORTED, imports=imports)), Kind.MANUAL) == ["MT401"]
