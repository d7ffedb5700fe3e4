"""Folders that all workers report: which reports are left as they are, and which take the first worker's alone."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest
from rewriting import ACCELERATE_IMPORTS, SCALING, after, codes, migrate

IMPORTS = """\
import os
import tempfile
import torch
from ray.air import Checkpoint
"""
ALONE = {
    "filled by one": """
        with tempfile.TemporaryDirectory() as folder:
            if session.get_world_rank() == 0:
                torch.save(effect(), os.path.join(folder, "model.pt"))
            session.report({}, checkpoint=Checkpoint.from_directory(folder))
        """,
    "filled by the main process": """
        folder = tempfile.mkdtemp()
        if accelerator.is_main_process and effect():
            torch.save(effect(), folder)
        session.report({}, checkpoint=Checkpoint.from_directory(folder))
        """,
    "made by one": """
        checkpoint = None
        rank = session.get_world_rank()
        if not rank:
            torch.save(effect(), "out/model.pt")
            checkpoint = Checkpoint.from_directory("out")
        session.report({}, checkpoint=checkpoint)
        """,
    "made by one in an expression": (
        "session.report({}, checkpoint=Checkpoint.from_directory('o') if accelerator.is_main_process else None)"
    ),
    "another folder of that name": """
        with effect().as_directory() as folder:
            print(folder)
        with tempfile.TemporaryDirectory() as folder:
            session.report({}, checkpoint=Checkpoint.from_directory(folder))
        """,
    "none": "session.report({}, checkpoint=None)",
}
ALL = {
    "filled by all": """
        with tempfile.TemporaryDirectory() as folder:
            torch.save(effect(), os.path.join(folder, "model.pt"))
            session.report({}, checkpoint=Checkpoint.from_directory(folder))
        """,
    "a folder of all": "session.report({}, checkpoint=Checkpoint.from_directory('out'))",
    "filled by one of a node": """
        folder = tempfile.mkdtemp()
        if accelerator.is_local_main_process:
            torch.save(effect(), folder)
        session.report({}, checkpoint=Checkpoint.from_directory(folder))
        """,
    "filled by one of a node, by a variable": """
        rank = session.get_local_rank()
        with tempfile.TemporaryDirectory() as folder:
            if rank == 0:
                torch.save(effect(), os.path.join(folder, "model.pt"))
                session.report({}, checkpoint=Checkpoint.from_directory(folder))
        """,
    "filled by one that only a name says to be the first": """
        rank, is_main = effect(), effect()
        folder = tempfile.mkdtemp()
        if rank == 0 and is_main:
            torch.save(effect(), folder)
        session.report({}, checkpoint=Checkpoint.from_directory(folder))
        """,
    "filled by the others": """
        folder = tempfile.mkdtemp()
        if accelerator.is_main_process:
            pass
        else:
            torch.save(effect(), folder)
        session.report({}, checkpoint=Checkpoint.from_directory(folder))
        """,
    "a function's": "session.report({}, checkpoint=effect())",
}


def program(body: str, scaling: str = SCALING) -> str:
    loop = indent(dedent(body).strip(), "    ")
    return f"""{ACCELERATE_IMPORTS}{IMPORTS}
def loop():
    accelerator = Accelerator()
{loop}

AccelerateTrainer(loop, accelerate_config={{}}, scaling_config={scaling}).fit()
"""


@pytest.mark.parametrize("body", ALONE.values(), ids=ALONE.keys())
def test_report_stays(body: str) -> None:
    result = migrate(program(body))

    assert "report_first_worker" not in after(result)
    assert "MT435" not in codes(result)


@pytest.mark.parametrize("body", ALL.values(), ids=ALL.keys())
def test_first_worker_reports_alone(body: str) -> None:
    result = migrate(program(body))

    assert "report_first_worker({}, checkpoint=" in after(result)
    assert "MT435" in codes(result)


@pytest.mark.parametrize("call", ["report = session.report\nreport({}, checkpoint=c)", "session.report(*[{}, c])"])
def test_reports_that_can_not_be_seen(call: str) -> None:
    result = migrate(program(f"c = Checkpoint.from_directory('out')\n{call}"))

    assert result.changed
    assert "MT436" in codes(result)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (program(ALL["a folder of all"], "ScalingConfig(num_workers=1)"), {}),
        (program(ALL["a folder of all"]), {"source_version": (2, 7)}),
        (program(ALL["a folder of all"]) + "CheckpointConfig(_checkpoint_keep_all_ranks=True)\n", {}),
    ],
    ids=["one worker", "written for a Ray that takes all", "asked for"],
)
def test_nothing_to_choose(text: str, settings: dict[str, object]) -> None:
    assert "report_first_worker" not in after(migrate(text, **settings))
