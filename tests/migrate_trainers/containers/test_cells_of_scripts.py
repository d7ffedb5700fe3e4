"""Scripts with cells: Databricks notebooks exported as `.py`, and the `# %%` of editors. Code stays in its cell."""

from __future__ import annotations

import pytest
from rewriting import LIGHTNING_IMPORTS, SCALING, after, migrate

from migrate_trainers.reading.cells import is_boundary, landmarks

CONFIG = "config = LightningConfigBuilder()\n"
FILLED = "config.module(Net).trainer(max_epochs=3)\nconfig.fit_params(datamodule=DM())\n"
TRAINER = f"trainer = LightningTrainer(lightning_config=config.build(), scaling_config={SCALING})\n"
DATABRICKS = "# COMMAND ----------\n"


def databricks(*cells: str) -> str:
    return "# Databricks notebook source\n" + f"\n{DATABRICKS}\n".join(cells)


@pytest.mark.parametrize(
    ("head", "boundary"),
    [
        ("# Databricks notebook source\n", f"{DATABRICKS}\n"),
        ("# Databricks notebook source\n", f"{DATABRICKS}\n# DBTITLE 1,The title of a cell\n"),
        ("# Databricks notebook source\n", f"{DATABRICKS}\n# MAGIC %md\n# MAGIC ## Text\n\n{DATABRICKS}\n"),
        ("", "# %%\n"),
        ("", "#%% a title\n"),
        ("", "# %% [markdown]\n# # Text\n\n# %%\n"),
        ("#!/usr/bin/env python\n# coding: utf-8\n\n# In[1]:\n\n\n", "\n# In[2]:\n\n\n"),
    ],
    ids=["databricks", "title", "markdown", "percent", "tight percent", "percent markdown", "nbconvert"],
)
def test_code_stays_in_its_cell(head: str, boundary: str) -> None:
    cells = (LIGHTNING_IMPORTS, CONFIG, FILLED, TRAINER, "result = trainer.fit()\n")
    before = head + boundary.join(f"{cell}\n" for cell in cells)
    output = after(migrate(before))

    assert landmarks(output) == landmarks(before)
    imports, *others, fit = output.removeprefix(head).split(boundary.strip())
    assert len(others) == 3
    assert "TorchTrainer" in imports
    assert not any(line.startswith(("import", "from")) for cell in others for line in cell.splitlines())
    assert "trainer = TorchTrainer(" in others[2]
    assert "def train_func" in "".join(others)
    assert fit.strip() == "result = trainer.fit()"


def test_new_code_goes_below_the_title_of_its_cell() -> None:
    source = databricks(LIGHTNING_IMPORTS, f"# DBTITLE 1,Training\n# One worker a GPU.\n{CONFIG}{FILLED}{TRAINER}")
    output = after(migrate(source))

    title = output.index("# DBTITLE 1,Training\n")
    assert output[:title].endswith(f"{DATABRICKS}\n")
    assert title < output.index("def train_func")


@pytest.mark.parametrize("first", ["#@title Training", "# @markdown text", "#| export", "#| label: training"])
def test_new_code_goes_below_what_must_be_the_first_line_of_a_cell(first: str) -> None:
    trainer = TRAINER.replace(
        "config.build()", f"{CONFIG.removeprefix('config = ').strip()}.module(Net).fit_params(datamodule=DM()).build()"
    )
    output = after(migrate(f"# %%\n{LIGHTNING_IMPORTS}\n# %%\n{first}\n# Two workers.\n{trainer}"))

    assert f"# %%\n{first}\ndatamodule = DM()\n" in output


def test_imports_of_a_later_cell_stay_there() -> None:
    later = "from ray.train import get_context\n"
    source = databricks(LIGHTNING_IMPORTS, later, CONFIG + FILLED + TRAINER, "print(get_context())\n")

    assert f"{DATABRICKS}\n{later}\n{DATABRICKS}" in after(migrate(source))


def test_magics_of_a_databricks_notebook_stay() -> None:
    magic = "# MAGIC %pip install ray\n# MAGIC %sh\n# MAGIC ls\n"
    source = databricks(magic, LIGHTNING_IMPORTS, CONFIG + FILLED + TRAINER)

    assert after(migrate(source)).startswith(f"# Databricks notebook source\n{magic}\n{DATABRICKS}\n")


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("# COMMAND ----------\n", True),
        ("# %%", True),
        ("#%%", True),
        ("# In[ ]:", True),
        ("# COMMAND line", False),
        ("    # %%", False),
        ("# 50 %% of", False),
        ("# In[0] is the input", False),
        ("# MAGICAL", False),
        ("x = 1  # %%", False),
    ],
)
def test_lines_that_part_cells(line: str, is_one: bool) -> None:
    assert is_boundary(line) is is_one
