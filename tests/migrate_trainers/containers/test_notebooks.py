"""Notebooks: one program over all cells, every byte but the code that changes, and lines that are no Python."""

from __future__ import annotations

import json
from pathlib import Path, PurePath

import pytest
from notebooks import cell, migrate_notebook, notebook, sources, without_sources, written
from rewriting import ACCELERATE_IMPORTS, LIGHTNING_IMPORTS, SCALING, codes

from migrate_trainers import Settings, migrate_project, migrate_source
from migrate_trainers.findings import Kind

CONFIG = "config = LightningConfigBuilder().module(Net).trainer(max_epochs=2).fit_params(datamodule=DM()).build()"
TRAINER = f"trainer = LightningTrainer(lightning_config=config, scaling_config={SCALING})"
FIT = "result = trainer.fit()"
CELLS = (LIGHTNING_IMPORTS, "#md # é", CONFIG, TRAINER, FIT)


def migrated(*cells: str) -> list[str]:
    result = migrate_notebook(*cells)
    assert result.changed, result.findings
    return sources(result.after)


def test_cells_are_one_program_and_stay_apart() -> None:
    result = migrate_notebook(*CELLS)

    imports, text, config, trainer, fit = sources(result.after)
    assert "TorchTrainer" in imports
    assert "LightningTrainer" not in imports
    assert (text, fit) == ("#md # é", FIT)
    assert config.startswith("datamodule = DM()")
    assert "def train_func():" in config + trainer
    assert "trainer = TorchTrainer(" in trainer
    assert (result.call_sites, result.migrated) == (1, 1)
    assert without_sources(result.after) == without_sources(result.before)


@pytest.mark.parametrize(
    ("style", "edit"),
    [
        ({}, lambda data: data),
        ({"indent": 2}, lambda data: data),
        ({"indent": "\t"}, lambda data: data),
        ({"indent": None, "separators": (",", ":")}, lambda data: data),
        ({"ensure_ascii": True}, lambda data: data),
        ({"sort_keys": True}, lambda data: data.rstrip(b"\n")),
        ({}, lambda data: data.replace(b"\n", b"\r\n")),
        ({}, lambda data: b"\xef\xbb\xbf" + data),
        ({}, lambda data: data.replace(b"<", b"\\u003c").replace(b"/", b"\\/")),
    ],
    ids=["jupyter", "2", "tab", "compact", "ascii", "sorted, no final newline", "CRLF", "BOM", "escapes"],
)
@pytest.mark.parametrize("joined", [False, True], ids=["lines", "string"])
def test_only_the_bytes_of_changed_sources_differ(style: dict[str, object], edit: object, joined: bool) -> None:
    made = notebook(*CELLS, "text = '<é>/'", f"# <é> / \\\n{TRAINER.replace('trainer', 'other', 1)}")
    if joined:
        made["cells"] = [{**one, "source": "".join(one["source"])} for one in made["cells"]]
    before = edit(written(made, **style))  # type: ignore[operator]
    after = migrate_source(before, path=PurePath("n.ipynb")).after

    expected = json.loads(before.decode("utf-8-sig"))
    for one, source in zip(expected["cells"], sources(after), strict=True):
        one["source"] = source if joined else source.splitlines(keepends=True)
    assert after != before
    assert after == edit(written(expected, **style))  # type: ignore[operator]


def test_lines_that_stay_keep_the_escapes_that_they_have() -> None:
    cells = [LIGHTNING_IMPORTS, f"name = 'é'  # stays\n{CONFIG}\n{TRAINER}"]
    before = written(notebook(*cells)).replace("name = 'é'".encode(), b"name = '\\u00E9'")
    after = migrate_source(before, path=PurePath("n.ipynb")).after

    assert after != before
    assert b"name = '\\u00E9'  # stays" in after


@pytest.mark.parametrize(
    "line",
    [
        "%matplotlib inline",
        "!pip install -q ray \\\n    torch",
        "if True:\n    !pip install ray\n    %cd ..",
        "files = !ls {folder}\nprint(files)",
        "value = %env HOME",
        "pl?",
        "?pl.Trainer",
        "pl.Trainer??",
        "%time print(1)",
        "%timeit -n 10 -r 3 print(1)",
        "%time for i in range(3): print(i)",
        "pip install ray",
        "cd ..",
        'text = """\n%not a magic\n!nor this\n"""',
        "number = (7\n  % 3)",
        "print(7\n!= 8)  # a 'quote",
        "await something()",
        "print(1);",
        "%%time\nprint(1)",
        "%%capture out\nprint(1)",
        "%%bash\necho $HOME && (",
        "%%html\n<b>",
        "%load_ext autoreload\n%autoreload 2\nx = 'a % b'\n!echo 'done' # not a comment",
        "def f():\n    %time g()\n    return 1",
        "!echo \\",
    ],
)
def test_lines_that_are_no_python_stay(line: str) -> None:
    together = f"{line}\n" if line.startswith("%%") else f"{line}\n{CONFIG}"
    if line in ("%%bash\necho $HOME && (", "%%html\n<b>"):
        assert migrated(LIGHTNING_IMPORTS, line, CONFIG, TRAINER)[1] == line
        return
    if line.startswith("%%"):
        together += CONFIG
    if line.endswith("\\"):
        together = f"{CONFIG}\n{line}"
    before = [LIGHTNING_IMPORTS, line, together, TRAINER]
    after = migrated(*before)
    assert after[1] == line
    assert line in after[2]
    assert "LightningConfigBuilder" not in after[2]


def test_magic_line_names_what_is_imported_below_it() -> None:
    loop = "def loop():\n    session.report({'a': 1}, checkpoint=Checkpoint.from_dict({}))"
    run = "AccelerateTrainer(loop, accelerate_config={}, scaling_config=ScalingConfig(num_workers=2)).fit()"

    after = migrated("%pip install ray torch", f"{ACCELERATE_IMPORTS}from ray.air import Checkpoint", loop, run)

    assert after[0] == "%pip install ray torch"
    assert "import ray.train\n" in after[1]
    assert "report_dictionary({'a': 1}, {})" in after[2]


def test_python_behind_a_magic_is_rewritten() -> None:
    cells = [LIGHTNING_IMPORTS, "from ray.air import session", CONFIG, TRAINER]
    after = migrated(
        *cells, "%time f = lambda: session.get_world_size()", "%%time\nf = lambda: session.get_world_size()"
    )

    assert after[-2] == "%time f = lambda: ray.train.get_context().get_world_size()"
    assert after[-1] == "%%time\nf = lambda: ray.train.get_context().get_world_size()"


def test_new_code_goes_below_a_cell_magic() -> None:
    after = migrated(LIGHTNING_IMPORTS, f"%%time\n{CONFIG}\n{TRAINER}\n{FIT}")

    assert after[1].startswith("%%time\n")
    assert "def train_func" in after[1]


@pytest.mark.parametrize("line", ["!echo {config}", "%store config", "%time for _ in 'ab': print(config)"])
def test_a_configuration_that_a_magic_reads_is_not_taken_away(line: str) -> None:
    result = migrate_notebook(LIGHTNING_IMPORTS, CONFIG, line, TRAINER)

    assert not result.changed
    assert any(finding.cell in (2, 3) for finding in result.findings)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("%%writefile train.py\nfrom ray.train.lightning import LightningTrainer\n", 1),
        ("print()\n!grep LightningTrainer train.py", 2),
        ("LightningTrainer?", 1),
        ("%%bash\n\ngrep LightningTrainer .", 1),
    ],
)
def test_legacy_names_out_of_sight_leave_the_notebook(source: str, line: int) -> None:
    result = migrate_notebook(*CELLS, source)

    assert not result.changed
    assert [(one.code, one.cell, one.line) for one in result.findings] == [("MT911", 6, line)]


def test_legacy_names_that_another_file_imports() -> None:
    result = migrate_notebook("%run setup.py", "#md", f"print()\n{TRAINER}")

    assert not result.changed
    assert [(one.code, one.cell, one.line, one.column) for one in result.findings] == [("MT904", 3, 2, 11)]


@pytest.mark.parametrize("lines", [CELLS, ("%run setup.py", *CELLS)])
def test_cells_with_carriage_returns(lines: tuple[str, ...]) -> None:
    result = migrate_notebook(*(line.replace("\n", "\r\n") for line in lines))

    assert result.changed
    assert all("\n" not in source.replace("\r\n", "") for source in sources(result.after))


def test_a_cell_that_is_no_python_is_named() -> None:
    result = migrate_notebook(*CELLS, "#md", "x = 1\n%matplotlib inline\ndef draft(:\n")

    assert not result.changed
    assert [(one.code, one.cell, one.line, one.column) for one in result.findings] == [("MT900", 7, 3, 11)]


def test_findings_are_at_their_place_in_the_cell() -> None:
    result = migrate_notebook(LIGHTNING_IMPORTS, "#md", "!ls\n\nprint()\n%time LightningTrainer(1).fit()")

    assert [(one.code, one.cell, one.line, one.column) for one in result.findings] == [("MT904", 3, 4, 7)]


def test_cells_that_ran_in_another_order() -> None:
    counts = [1, None, 5, 3, 6]
    cells = [
        one if count is None else cell(one, execution_count=count) for one, count in zip(CELLS, counts, strict=True)
    ]
    result = migrate_notebook(*cells)

    assert result.changed
    assert [(one.cell, one.message) for one in result.findings if one.code == "MT912"] == [
        (4, "The cells last ran in another order: cell 4 last ran before cell 3, which stands above it")
    ]


@pytest.mark.parametrize(
    "members",
    [
        {"metadata": {"language_info": {"name": "R"}}},
        {"metadata": {"kernelspec": {"language": "julia", "name": "julia-1.9"}}},
    ],
)
def test_other_languages_are_skipped(members: dict[str, object]) -> None:
    result = migrate_notebook(*CELLS, **members)

    assert not result.changed
    assert not result.findings


def test_cells_of_other_languages_are_skipped() -> None:
    sql = cell("SELECT 1", metadata={"vscode": {"languageId": "sql"}})

    assert migrate_notebook(*CELLS, sql).changed


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"LightningTrainer", "MT910"),
        (b'{"cells": "LightningTrainer"}', "MT910"),
        (b'["LightningTrainer"]', "MT910"),
        (b'{"nbformat": 3, "worksheets": [{"cells": ["LightningTrainer"]}]}', "MT910"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["LightningTrainer"', "MT910"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 3, "LightningTrainer": 1}]}', "MT910"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["LightningTrainer", "\\ud800"]}]}', "MT910"),
        (b'{"LightningTrainer": ' + b"[" * 100_000, "MT910"),
        (b'\xff{"cells": ["LightningTrainer"]}', "MT901"),
    ],
)
def test_what_is_no_notebook_is_left(data: bytes, code: str) -> None:
    result = migrate_source(data, path=PurePath("n.ipynb"))

    assert result.after == data
    assert codes(result) == [code]


def test_a_notebook_that_only_printed_a_legacy_name_has_nothing_to_do() -> None:
    result = migrate_notebook("print('done')", "def draft(:")

    assert not result.changed
    assert not result.findings


def test_coding_cookie_in_a_cell_is_a_comment() -> None:
    after = migrated(f"# -*- coding: latin-1 -*-\n{LIGHTNING_IMPORTS}\nname = 'é'", CONFIG, TRAINER)

    assert "name = 'é'" in after[0]


def test_builder_that_is_filled_in_several_cells() -> None:
    steps = ["builder = LightningConfigBuilder()", "builder.module(Net)\nbuilder.fit_params(datamodule=DM())"]
    after = migrated(LIGHTNING_IMPORTS, *steps, "builder.trainer(max_epochs=3)", "config = builder.build()", TRAINER)

    assert "max_epochs=3" in "".join(after)


def test_second_run_changes_nothing() -> None:
    result = migrate_notebook("%matplotlib inline", *CELLS)
    again = migrate_source(result.after, path=PurePath("n.ipynb"))

    assert result.changed
    assert (again.after, again.call_sites, again.findings) == (result.after, 0, ())


@pytest.mark.parametrize("directive", ["a statement", "the file"])
def test_comments_that_say_to_leave_code_alone(directive: str) -> None:
    cells = list(CELLS)
    if directive == "the file":
        cells[0] = f"# migrate-trainers: skip-file\n{cells[0]}"
    else:
        cells[3] = f"{cells[3]}  # migrate-trainers: skip"
    result = migrate_notebook(*cells)

    assert result.after == result.before
    assert not any(finding.kind is Kind.ERROR for finding in result.findings)


def test_notebook_that_takes_its_configuration_from_a_module() -> None:
    module = f"{LIGHTNING_IMPORTS}\n\ndef make_config():\n    return {CONFIG.removeprefix('config = ')}\n"
    cells = [LIGHTNING_IMPORTS, "from configs import make_config", TRAINER.replace("=config", "=make_config()")]
    files = {Path("configs.py"): module.encode(), Path("run.ipynb"): written(notebook(*cells))}
    results = migrate_project(files, Settings())

    assert all(results[path].changed for path in files), results
    assert "LightningConfigBuilder" not in results[Path("configs.py")].after.decode()
    assert without_sources(results[Path("run.ipynb")].after) == without_sources(files[Path("run.ipynb")])


def test_module_and_notebook_say_one_lightning_package() -> None:
    module = "import pytorch_lightning as pl\n\n\nclass Net(pl.LightningModule):\n    pass\n"
    imports = LIGHTNING_IMPORTS.replace("from project import DM, Net, effect", "from nets import Net")
    cells = [imports, CONFIG.replace("DM()", "None"), TRAINER]
    files = {Path("nets.py"): module.encode(), Path("run.ipynb"): written(notebook(*cells))}
    results = migrate_project(files, Settings())

    assert b"import lightning.pytorch as pl" in results[Path("nets.py")].after
    assert b"import lightning.pytorch as pl" in results[Path("run.ipynb")].after
    assert results[Path("nets.py")].together == {Path("nets.py"), Path("run.ipynb")}


def test_notebook_on_standard_input_is_recognised() -> None:
    data = written(notebook(*CELLS))

    assert migrate_source(data) == migrate_source(data, path=PurePath("n.ipynb"))
