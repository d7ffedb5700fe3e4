"""The command line: exit codes of each mode, what is written and printed, and which files are looked at."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from rewriting import LIGHTNING_IMPORTS, SCALING, lightning

from migrate_trainers import start
from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

LEGACY = lightning()
REFUSED = LIGHTNING_IMPORTS + f"LightningTrainer(effect(), scaling_config={SCALING}).fit()\n"
CLEAN = "print('nothing to do')\n"
BROKEN = LIGHTNING_IMPORTS + "LightningTrainer(\n"
BINARY = b"\x00\xfe\xffray.train.LightningTrainer"


def run(*arguments: str | Path, input: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=input)


def write(folder: Path, **files: str | bytes) -> None:
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.py").write_bytes(data)


IN_PLACE, DIFF, CHECK = [], ["--diff"], ["--check"]


@pytest.mark.parametrize(
    ("files", "in_place", "dry"),
    [
        ({"clean": CLEAN}, 0, 0),
        ({"legacy": LEGACY}, 0, 1),
        ({"legacy": LEGACY, "clean": CLEAN}, 0, 1),
        ({"refused": REFUSED}, 1, 1),
        ({"legacy": LEGACY, "refused": REFUSED}, 1, 1),
        ({"broken": BROKEN}, 2, 2),
        ({"binary": BINARY}, 2, 2),
        ({"legacy": LEGACY, "broken": BROKEN, "refused": REFUSED}, 2, 2),
        ({"clean": CLEAN, "unrelated": "def broken(:\n"}, 0, 0),
    ],
    ids=["clean", "migrated", "both", "refused", "some", "syntax error", "binary", "mixed", "unrelated syntax error"],
)
def test_exit_codes(files: dict[str, str | bytes], in_place: int, dry: int, tmp_path: Path) -> None:
    write(tmp_path, **files)

    assert run("--diff", tmp_path).exit_code == dry
    assert run("--check", tmp_path).exit_code == dry
    assert run(tmp_path).exit_code == in_place
    assert run(tmp_path).exit_code == in_place, "a second run says the same of what is left"


@pytest.mark.parametrize("mode", ["--diff", "--check"])
def test_dry_modes_write_nothing(mode: str, tmp_path: Path) -> None:
    write(tmp_path, legacy=LEGACY)

    result = run(mode, tmp_path)

    assert (tmp_path / "legacy.py").read_text() == LEGACY
    assert "legacy.py" in result.output


def test_file_without_a_trainer_that_reads_checkpoints(tmp_path: Path) -> None:
    reads = "from ray.train.lightning import LightningCheckpoint\nprint(LightningCheckpoint.from_uri('s3://there'))\n"
    write(tmp_path, reads=reads)

    result = run(tmp_path)

    assert result.exit_code == 0
    assert (tmp_path / "reads.py").read_text() == "from ray.train import Checkpoint\nprint(Checkpoint('s3://there'))\n"
    assert "1 file migrated." in result.output


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    write(tmp_path, a_broken=BROKEN, b_binary=BINARY, c_legacy=LEGACY)
    (tmp_path / "d_missing.py").symlink_to(tmp_path / "nowhere.py")

    result = run(tmp_path)

    assert result.exit_code == 2
    assert "TorchTrainer" in (tmp_path / "c_legacy.py").read_text()
    assert (tmp_path / "a_broken.py").read_text() == BROKEN
    assert (tmp_path / "b_binary.py").read_bytes() == BINARY
    assert "MT900" in result.output
    assert "MT901" in result.output


def test_missing_file_is_an_error_and_the_others_are_migrated(tmp_path: Path) -> None:
    write(tmp_path, legacy=LEGACY)

    result = run(tmp_path / "missing.py", tmp_path / "legacy.py")

    assert result.exit_code == 2
    assert "missing.py" in result.output
    assert "TorchTrainer" in (tmp_path / "legacy.py").read_text()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser reads and writes everything")
@pytest.mark.parametrize("mode", [0o000, 0o444], ids=["unreadable", "read-only"])
def test_file_that_may_not_be_read_or_written(mode: int, tmp_path: Path) -> None:
    write(tmp_path, legacy=LEGACY)
    (tmp_path / "legacy.py").chmod(mode)

    result = run(tmp_path)

    assert result.exit_code == 2
    assert "MT902" in result.output


def test_read_only_file_stays(tmp_path: Path) -> None:
    write(tmp_path, legacy=LEGACY)
    file = tmp_path / "legacy.py"
    file.chmod(0o444)

    result = run(file)

    if os.geteuid() != 0:
        assert result.exit_code == 2
        assert file.read_text() == LEGACY
    assert stat.S_IMODE(file.stat().st_mode) == 0o444


@pytest.mark.parametrize("mode", [0o644, 0o755, 0o600])
def test_mode_is_kept(mode: int, tmp_path: Path) -> None:
    write(tmp_path, legacy=LEGACY)
    file = tmp_path / "legacy.py"
    file.chmod(mode)

    assert run(file).exit_code == 0

    assert "TorchTrainer" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_symbolic_link_stays_one(tmp_path: Path) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    write(folder, legacy=LEGACY)
    link = tmp_path / "link.py"
    link.symlink_to(folder / "legacy.py")

    assert run(link).exit_code == 0

    assert link.is_symlink()
    assert "TorchTrainer" in (folder / "legacy.py").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["legacy.py"], "no temporary file is left"


def test_standard_input_to_standard_output() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "migrate_trainers", "-"], input=LEGACY.encode(), capture_output=True, check=False
    )

    assert process.returncode == 0
    assert b"TorchTrainer(" in process.stdout
    assert b"from ray.train.lightning import (" in process.stdout


@pytest.mark.parametrize(
    ("mode", "source", "code"),
    [
        ([], CLEAN, 0),
        ([], LEGACY, 0),
        ([], REFUSED, 1),
        ([], BROKEN, 2),
        (["--diff"], CLEAN, 0),
        (["--diff"], LEGACY, 1),
        (["--check"], LEGACY, 1),
        (["--check"], BROKEN, 2),
    ],
)
def test_exit_codes_of_standard_input(mode: list[str], source: str, code: int) -> None:
    assert run(*mode, "-", input=source).exit_code == code


@pytest.mark.parametrize("source", [CLEAN, REFUSED, BROKEN], ids=["clean", "refused", "broken"])
def test_standard_output_repeats_what_is_not_migrated(source: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "migrate_trainers", "-"], input=source.encode(), capture_output=True, check=False
    )

    assert process.stdout == source.encode()


def test_bytes_of_standard_input_are_kept() -> None:
    data = b"\xef\xbb\xbf" + LEGACY.replace("\n", "\r\n").encode()

    process = subprocess.run(
        [sys.executable, "-m", "migrate_trainers", "-"], input=data, capture_output=True, check=True
    )

    assert process.stdout.startswith(b"\xef\xbb\xbf")
    assert b"TorchTrainer(" in process.stdout
    assert process.stdout.count(b"\n") == process.stdout.count(b"\r\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["-", "."],
        ["--target-version", "2.6"],
        ["--target-version", "newest"],
        ["--source-version", "1.0"],
        ["--runtime", "spark"],
        ["--explain", "MT000"],
    ],
    ids=" ".join,
)
def test_bad_option(arguments: list[str]) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert "Usage" in result.output or "Error" in result.output


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_finding_is_explained(code: str) -> None:
    result = run("--explain", code.lower())

    assert result.exit_code == 0
    assert CATALOGUE[code].title in result.output
    assert CATALOGUE[code].help in result.output


def test_version_and_help() -> None:
    assert run("--version").output.startswith("migrate-trainers")
    assert "--target-version" in run("-h").output


def test_quiet_prints_errors_only(tmp_path: Path) -> None:
    write(tmp_path, legacy=LEGACY, refused=REFUSED)

    assert run("--quiet", tmp_path).output == ""

    write(tmp_path, broken=BROKEN)
    assert "MT900" in run("--quiet", tmp_path).output


def test_options_reach_the_rewriter(tmp_path: Path) -> None:
    write(tmp_path, legacy=lightning(trainer="run_config=RunConfig(name='x', verbose=1)"))

    assert "from train_runtime" in run("--diff", "--runtime", "bundled", tmp_path).output
    assert "verbose=1" in run("--diff", "--target-version", "2.9", tmp_path).output
    assert "num_to_keep" not in run("--diff", "--source-version", "2.5", tmp_path).output


def test_files_without_a_hit_cost_next_to_no_imports(tmp_path: Path) -> None:
    write(tmp_path, clean=CLEAN, named="LightningTrainer = 'ours'\n")
    code = (
        "import sys\nfrom migrate_trainers.start import main\nmain()\n"
        "assert not set(sys.modules) & {'click', 'libcst', 'rich', 'typing', 'dataclasses', 'pathlib', 'tomllib'}"
    )

    command = [sys.executable, "-S", "-c", code, tmp_path / "clean.py", tmp_path / "named.py"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert process.stdout == "2 files looked at: no legacy trainer found.\n"


@pytest.mark.parametrize(
    ("arguments", "configuration"),
    [
        (["clean.py"], ""),
        (["--check", "clean.py", "clean.py"], ""),
        (["--force-exclude", "clean.py"], "[tool.migrate-trainers]\nexclude = ['clean.py']\n"),
        (["clean.py"], "[tool.migrate-trainers]\nexclud = []\n"),
        (["clean.py"], "[project]\nname = 'migrate-trainers'\n"),
        (["clean.py"], "[tool.migrate-trainers\n"),
        (["--check", "legacy.py", "clean.py"], ""),
        (["clean.py", "missing.py"], ""),
        (["--check", "."], ""),
        (["--check"], ""),
        (["--no-such-option", "clean.py"], ""),
        (["--", "clean.py"], ""),
        (["-h"], ""),
    ],
)
def test_the_short_way_to_an_end_prints_what_the_command_line_does(
    arguments: list[str],
    configuration: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path, clean=CLEAN, legacy=LEGACY)
    (tmp_path / "pyproject.toml").write_text(configuration)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["migrate-trainers", *arguments])
    outcomes = []
    for command in (start.main, main):
        try:
            command()
            code: object = 0
        except SystemExit as end:
            code = end.code or 0
        outcomes.append((code, *capfd.readouterr()))

    assert outcomes[0] == outcomes[1]


def test_a_file_with_a_hit_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, clean=CLEAN, legacy=LEGACY)
    code = (
        "import sys\nread = []\n"
        "sys.addaudithook(lambda event, arguments: event == 'open' and read.append(arguments[0]))\n"
        "from migrate_trainers.start import main\ntry:\n    main()\nexcept SystemExit as end:\n"
        "    assert end.code == 1\nassert read.count(sys.argv[3]) == 1\n"
    )

    subprocess.run([sys.executable, "-c", code, "--check", tmp_path / "clean.py", tmp_path / "legacy.py"], check=True)


def test_folder_without_git(tmp_path: Path) -> None:
    for folder in ("package/deep", ".hidden", "__pycache__", "node_modules", "venv"):
        (tmp_path / folder).mkdir(parents=True)
        write(tmp_path / folder, legacy=LEGACY)
    (tmp_path / "stub.pyi").write_text(LEGACY)
    (tmp_path / "notes.txt").write_text(LEGACY)

    output = run("--check", tmp_path).output

    assert "package" in output
    assert "stub.pyi" in output
    for other in (".hidden", "__pycache__", "node_modules", "venv", "notes.txt"):
        assert other not in output


def test_file_given_by_name_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(LEGACY)

    assert run(tmp_path / "script").exit_code == 0
    assert "TorchTrainer" in (tmp_path / "script").read_text()


def test_file_named_twice_is_done_once(tmp_path: Path) -> None:
    write(tmp_path, legacy=LEGACY)

    assert run("--check", tmp_path, tmp_path / "legacy.py").output.count("would migrate") == 1


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "config", "core.autocrlf", "false"], cwd=tmp_path, check=True)
    return tmp_path


def commit(repository: Path) -> None:
    """Commit all that git doesn't ignore."""
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(["git", "add", "."], cwd=repository, check=True)
    subprocess.run(["git", *who, "commit", "--quiet", "--message", "all"], cwd=repository, check=True)


def test_gitignore_is_honoured(repository: Path) -> None:
    (repository / ".gitignore").write_text("ignored.py\nbuild/\n")
    (repository / "build").mkdir()
    write(repository, legacy=LEGACY, ignored=LEGACY)
    write(repository / "build", generated=LEGACY)
    commit(repository)

    run(repository)

    assert "TorchTrainer" in (repository / "legacy.py").read_text()
    assert (repository / "ignored.py").read_text() == LEGACY
    assert (repository / "build" / "generated.py").read_text() == LEGACY


def test_deleted_but_tracked_file_is_no_error(repository: Path) -> None:
    write(repository, legacy=LEGACY, gone=LEGACY)
    commit(repository)
    (repository / "gone.py").unlink()

    assert run(repository).exit_code == 0


def test_diff_of_a_repository_applies_to_what_a_run_writes(repository: Path) -> None:
    files = {"legacy": LEGACY, "windows": LEGACY.replace("\n", "\r\n"), "short": LEGACY.rstrip("\n"), "clean": CLEAN}
    write(repository, **files)
    (repository / "package").mkdir()
    write(repository / "package", **files)
    command = [sys.executable, "-m", "migrate_trainers"]

    diff = subprocess.run([*command, "--diff", "."], cwd=repository, capture_output=True, check=False)
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=repository, input=diff.stdout, check=True)
    applied = {path: path.read_bytes() for path in repository.rglob("*.py")}
    write(repository, **files)
    write(repository / "package", **files)
    commit(repository)
    subprocess.run([*command, "."], cwd=repository, capture_output=True, check=True)

    assert diff.returncode == 1
    assert {path: path.read_bytes() for path in repository.rglob("*.py")} == applied
    assert applied[repository / "clean.py"] == CLEAN.encode()


def test_nothing_of_what_is_read_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    write(tmp_path, legacy=f"open({str(marker)!r}, 'w')\n" + LEGACY)

    assert run(tmp_path).exit_code == 0
    assert not marker.exists()


def test_file_that_changes_while_it_is_migrated_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, legacy=LEGACY)
    file = tmp_path / "legacy.py"
    import migrate_trainers.run as run_module

    migrate = run_module.migrate_project

    def meanwhile(*arguments: object, **keywords: object) -> object:
        results = migrate(*arguments, **keywords)  # type: ignore[arg-type]
        file.write_text("changed = True\n")
        return results

    monkeypatch.setattr(run_module, "migrate_project", meanwhile)

    assert run(file).exit_code == 2
    assert file.read_text() == "changed = True\n"


MODULES = {"train": LEGACY.replace("project", "models"), "models": "import pytorch_lightning as pl\nNet = DM = pl\n"}


def contents(folder: Path) -> dict[str, str]:
    return {file.stem: file.read_text() for file in folder.glob("*.py")}


def test_files_that_belong_together_are_written_together(tmp_path: Path) -> None:
    write(tmp_path, **MODULES)

    assert run("--check", tmp_path).exit_code == 1
    assert "+++ b/" in run("--diff", tmp_path).output
    assert contents(tmp_path) == MODULES
    assert run(tmp_path).exit_code == 0
    assert all("import lightning.pytorch as pl\n" in text for text in contents(tmp_path).values())


def test_nothing_is_written_where_one_of_the_files_changes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, **MODULES, other=LEGACY)
    import migrate_trainers.run as run_module

    migrate = run_module.migrate_project

    def meanwhile(*arguments: object, **keywords: object) -> object:
        results = migrate(*arguments, **keywords)  # type: ignore[arg-type]
        (tmp_path / "models.py").write_text("changed = True\n")
        return results

    monkeypatch.setattr(run_module, "migrate_project", meanwhile)

    result = run(tmp_path)

    assert result.exit_code == 2
    assert contents(tmp_path)["train"] == MODULES["train"]
    assert contents(tmp_path)["models"] == "changed = True\n"
    assert "TorchTrainer(" in contents(tmp_path)["other"], "a file of its own is still migrated"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models.py", "other.py", "train.py"]


@pytest.mark.parametrize("in_git", [False, True], ids=["a folder", "a git work tree"])
def test_file_given_by_name_is_left_for_a_run_with_the_other(in_git: bool, tmp_path: Path) -> None:
    if in_git:
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
    write(tmp_path, **MODULES)

    result = run(tmp_path / "train.py")

    assert result.exit_code == 1
    assert "MT906" in result.output
    assert contents(tmp_path) == MODULES
    assert run(tmp_path / "train.py", tmp_path / "models.py").exit_code == 0
    assert "TorchTrainer(" in contents(tmp_path)["train"]
