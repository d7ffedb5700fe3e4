"""What users keep the tool from: comments in the code, rules by their codes, and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from repositories import write_tree
from rewriting import ACCELERATE_IMPORTS, LIGHTNING_IMPORTS, SCALING, codes, lightning, tuned

from migrate_trainers import migrate_source
from migrate_trainers.cli import main
from migrate_trainers.selection import parse_codes

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

LEGACY = lightning()
SKIP = "# migrate-trainers: skip"
BUILDER = "LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()"
SECOND = f"\nsecond = LightningTrainer({BUILDER}, scaling_config={SCALING})\n"
ACCELERATE = f"""

def loop():
    accelerator = Accelerator()


other = AccelerateTrainer(loop, accelerate_config={{}}, scaling_config={SCALING})
"""
READER = "from ray.train.lightning import LightningCheckpoint\nprint(LightningCheckpoint.from_uri('s3://there'))\n"
REVIEWED = lightning(trainer="run_config=RunConfig(verbose=1)")
REFUSED = f"{LIGHTNING_IMPORTS}LightningTrainer(effect(), scaling_config={SCALING}).fit()\n"


def run(*arguments: str | Path, input: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=input)


@pytest.mark.parametrize(
    "program",
    [
        LEGACY.replace("trainer = LightningTrainer(", f"trainer = LightningTrainer(  {SKIP}"),
        LEGACY.replace("\n)\n", f"\n)  {SKIP}\n"),
        LEGACY.replace("\n    scaling", f"  {SKIP} because of reasons\n    scaling"),
        LEGACY.replace("\n)\n", f"\n)  # noqa  {SKIP}\n"),
        LEGACY.replace("\n)\n", "\n)  #migrate-trainers:skip\n"),
        f"# migrate-trainers: skip-file\n{LEGACY}",
        f"{LEGACY}    # migrate-trainers: skip-file - see the notes\n",
        f"# migrate-trainers: skip-file\n{LEGACY}\nprint 'Python 2'\n",
    ],
    ids=["first line", "last line", "between", "behind another", "without spaces", "file", "file's end", "Python 2"],
)
def test_a_comment_keeps_the_tool_away(program: str) -> None:
    result = migrate_source(program.encode())

    assert not result.changed
    assert result.findings == ()


SKIPPED_PARTS = {
    "another trainer": (LEGACY.replace("\n)\n", f"\n)  {SKIP}\n") + SECOND, "second ="),
    "import": (LEGACY.replace("LightningTrainer\n", f"LightningTrainer  {SKIP}\n", 1), "from ray.train.lightning"),
    "configuration": (lightning(before=f"\nx = RunConfig(verbose=1)  {SKIP}\n", trainer="run_config=x"), "x = "),
    "builder": (
        f"{LIGHTNING_IMPORTS}b = LightningConfigBuilder()  {SKIP}\nb.module(Net)\nb.fit_params(datamodule=DM())\n"
        f"trainer = LightningTrainer(b.build(), scaling_config={SCALING})\ntrainer.fit()\n",
        "b = ",
    ),
}


@pytest.mark.parametrize(("program", "line"), SKIPPED_PARTS.values(), ids=SKIPPED_PARTS)
def test_what_is_needed_by_others_keeps_them_with_a_finding(program: str, line: str) -> None:
    result = migrate_source(program.encode())

    assert not result.changed
    assert codes(result) == ["MT907"]
    assert program.splitlines()[result.findings[0].line - 1].startswith(line)


def test_a_skipped_statement_that_need_not_change_changes_nothing() -> None:
    program = lightning(before=f"\nvalue = [  {SKIP}\n    1,\n]\nif value:  {SKIP}\n    value = 2\n")

    assert migrate_source(program.encode()).after == migrate_source(program.encode()).after
    assert migrate_source(program.encode()).migrated == 1


@pytest.mark.parametrize(
    "comment", ["# migrate-trainers: skipp", "# migrate-trainers: off", "# migrate-trainers:", SKIP]
)
def test_a_comment_that_says_nothing_is_told(comment: str) -> None:
    result = migrate_source(lightning(before=f"\n{comment}\n\n").encode())

    assert result.migrated == 1
    assert "MT908" in codes(result)
    assert comment in result.after.decode()
    assert migrate_source(f"{comment}\nprint('LightningTrainer')\n".encode()).findings == ()


def test_a_string_is_no_comment() -> None:
    program = lightning(before='\ntext = """\n# migrate-trainers: skip-file\n"""\n')

    assert migrate_source(program.encode()).migrated == 1


def test_a_file_that_is_skipped_keeps_those_that_change_with_it(tmp_path: Path) -> None:
    models = "# migrate-trainers: skip-file\nimport pytorch_lightning as pl\nNet = DM = pl\n"
    write_tree(tmp_path, {"train.py": LEGACY.replace("project", "models"), "models.py": models})

    result = run(tmp_path)

    assert (tmp_path / "models.py").read_text() == models
    assert "import pytorch_lightning as pl" in (tmp_path / "train.py").read_text()
    assert "MT113" in result.output


@pytest.mark.parametrize("how", ["comment", "option"])
def test_a_script_that_is_left_keeps_its_lightning_package(how: str, tmp_path: Path) -> None:
    script = LEGACY.replace("project", "models")
    if how == "comment":
        script = script.replace("\n)\n", f"\n)  {SKIP}\n")
    files = {"train.py": script, "models.py": "import pytorch_lightning as pl\nNet = DM = pl\n"}
    write_tree(tmp_path, files)

    result = run(tmp_path, *(["--ignore", "MT1"] if how == "option" else []))

    assert {name: (tmp_path / name).read_text() for name in files} == files
    assert result.exit_code == 0
    assert result.output == "2 files looked at: 1 legacy trainer left, as comments or options say.\n"


def test_what_is_left_by_choice_is_counted_beside_what_is_migrated(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.py": LEGACY, "b.py": f"# migrate-trainers: skip-file\n{LEGACY}"})

    output = run(tmp_path).output

    last = output.splitlines()[-1]
    assert last.startswith("1 of 2 legacy trainers migrated in 1 file, 1 left as comments or options say,")


def test_files_that_are_read_as_one_are_kept_together(tmp_path: Path) -> None:
    files = {
        "configs.py": f"{LIGHTNING_IMPORTS}config = {BUILDER}  {SKIP}\n",
        "train.py": f"from configs import config\n{LIGHTNING_IMPORTS}"
        f"LightningTrainer(config, scaling_config={SCALING}).fit()\n",
    }
    write_tree(tmp_path, files)

    result = run(tmp_path)

    assert result.exit_code == 1
    assert "configs.py:5:1: MT907" in result.output
    assert {name: (tmp_path / name).read_text() for name in files} == files


SELECTIONS = {
    "all": ([], True, True, True),
    "Lightning": (["--select", "MT1"], True, False, False),
    "its rule": (["--select", "mt100"], True, False, False),
    "two": (["--select", "MT1,MT3"], True, True, False),
    "twice": (["--select", "MT1", "--select", "MT4"], True, False, True),
    "not one": (["--ignore", "MT3"], True, False, True),
    "the longer counts": (["--select", "MT1", "--ignore", "MT"], True, False, False),
    "of one the ignored": (["--select", "MT1,MT3", "--ignore", "MT3"], True, False, False),
}


@pytest.mark.parametrize(("arguments", "lightning", "accelerate", "reader"), SELECTIONS.values(), ids=SELECTIONS)
def test_only_what_is_selected_is_migrated(
    arguments: list[str], lightning: bool, accelerate: bool, reader: bool, tmp_path: Path
) -> None:
    files = {"a.py": LEGACY, "b.py": ACCELERATE_IMPORTS + ACCELERATE, "c.py": READER}
    write_tree(tmp_path, files)

    result = run(*arguments, tmp_path)

    assert result.exit_code == 0
    assert [(tmp_path / name).read_text() != text for name, text in files.items()] == [lightning, accelerate, reader]


def test_a_file_with_a_trainer_that_is_not_selected_is_left(tmp_path: Path) -> None:
    write_tree(tmp_path, {"both.py": LEGACY + ACCELERATE_IMPORTS + ACCELERATE})

    result = run("--select", "MT1", tmp_path)

    assert result.exit_code == 1
    assert "MT907" in result.output
    assert "LightningTrainer(" in (tmp_path / "both.py").read_text()


def test_a_tuned_trainer_has_a_rule_of_its_own(tmp_path: Path) -> None:
    write_tree(tmp_path, {"tuned.py": tuned(), "plain.py": LEGACY})

    assert run("--ignore", "MT5", tmp_path).exit_code == 0
    assert "LightningTrainer" in (tmp_path / "tuned.py").read_text()
    assert "LightningTrainer" not in (tmp_path / "plain.py").read_text()


def test_ignored_findings_are_hidden_but_not_what_is_left(tmp_path: Path) -> None:
    write_tree(tmp_path, {"reviewed.py": REVIEWED})

    assert "MT402" in run("--check", tmp_path).output
    assert "MT402" not in run("--check", "--ignore", "MT402", tmp_path).output
    assert '"MT402"' not in run("--check", "--ignore", "MT402", "--output-format", "json", tmp_path).output

    write_tree(tmp_path, {"refused.py": REFUSED})
    result = run("--check", "--ignore", "MT102,MT101", tmp_path / "refused.py")

    assert result.exit_code == 1
    assert "MT10" in result.output


@pytest.mark.parametrize("code", ["MT7", "E501", "MT1000", "lightning", "MT100,MT9999"])
def test_unknown_codes_are_errors(code: str, tmp_path: Path) -> None:
    assert run("--select", code, tmp_path).exit_code == 2
    with pytest.raises(ValueError, match="is not the code"):
        parse_codes((code,))


TWO = LEGACY + "\n" * 20 + SECOND + "second.fit()\n"
ANSWERS = {
    "yes to all": ("y\ny\ny\ny\n", ["a", "b", "c"]),
    "no to the first": ("n\ny\ny\ny\n", ["b", "c"]),
    "no to a part": ("y\ny\nn\ny\n", ["a", "c"]),
    "no to the first part": ("y\nn\ny\n", ["a", "c"]),
    "the rest of one": ("n\na\nn\n", ["b"]),
    "none of one": ("n\nd\ny\n", ["c"]),
    "quit": ("y\nq\n", ["a"]),
    "quit in a part": ("y\ny\nq\n", ["a"]),
    "help, nonsense and nothing": ("?\nmaybe\n\ny\nq\n", ["a"]),
    "the end of the input": ("y\n", ["a"]),
}


@pytest.mark.parametrize(("answers", "migrated"), ANSWERS.values(), ids=ANSWERS)
def test_answers_decide_what_is_migrated(answers: str, migrated: list[str], tmp_path: Path) -> None:
    files = {"a.py": LEGACY, "b.py": TWO, "c.py": LEGACY}
    write_tree(tmp_path, files)

    result = run("--interactive", tmp_path, input=answers)

    changed = [name[0] for name, text in files.items() if (tmp_path / name).read_text() != text]
    assert changed == migrated, result.output
    assert result.exit_code == (0 if len(migrated) == 3 else 1)
    assert result.output.count("MT916") == 3 - len(migrated)
    assert "-trainer = LightningTrainer(" in result.output


def test_files_that_change_together_are_asked_about_together(tmp_path: Path) -> None:
    files = {
        "train.py": LEGACY.replace("project", "models"),
        "models.py": "import pytorch_lightning as pl\nNet = DM = pl\n",
    }
    write_tree(tmp_path, files)

    assert run("--interactive", tmp_path, input="y\nn\n").exit_code == 1
    assert {name: (tmp_path / name).read_text() for name in files} == files
    assert run("--interactive", tmp_path, input="y\ny\n").exit_code == 0
    assert "lightning.pytorch" in (tmp_path / "models.py").read_text()


@pytest.mark.parametrize("other", ["--diff", "--check", "-"])
def test_questions_need_a_run_in_place(other: str) -> None:
    assert run("--interactive", other).exit_code == 2
