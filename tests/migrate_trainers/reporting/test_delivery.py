"""Where reports go: standard output, files, pipes; what the terminal shows beside them; colours; exit codes."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from rewriting import LIGHTNING_IMPORTS, SCALING, lightning

from migrate_trainers.cli import main
from migrate_trainers.reporting import FORMATS
from migrate_trainers.reporting.delivery import write_whole

if TYPE_CHECKING:
    from pathlib import Path

LEGACY = lightning(".checkpointing(every_n_train_steps=2)")
REFUSED = LIGHTNING_IMPORTS + f"LightningTrainer(effect(), scaling_config={SCALING}).fit()\n"
BROKEN = LIGHTNING_IMPORTS + "LightningTrainer(\n"
MACHINE = [name for name in FORMATS if name != "text"]
MODES = {"in place": [], "diff": ["--diff"], "check": ["--check"]}


def run(*arguments: str, input: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=input)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "code").mkdir()
    monkeypatch.chdir(tmp_path / "code")
    return tmp_path / "code"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("files", "in_place", "dry"),
    [({"legacy": LEGACY}, 0, 1), ({"legacy": LEGACY, "refused": REFUSED}, 1, 1), ({"broken": BROKEN}, 2, 2)],
    ids=["migrated", "refused", "error"],
)
def test_report_goes_to_a_file_and_the_summary_to_the_terminal(
    files: dict[str, str], in_place: int, dry: int, mode: str, output_format: str, folder: Path
) -> None:
    write(folder, **files)

    result = run(*MODES[mode], "--output-format", output_format, "--output-file", "../report")

    assert result.exit_code == (in_place if mode == "in place" else dry)
    assert (folder.parent / "report").is_file()
    summary = result.stdout.splitlines()[-1]
    assert summary.startswith("1 of " if "legacy" in files else "0 of ")
    assert result.stderr == ""
    assert ("TorchTrainer(" in (folder / f"{next(iter(files))}.py").read_text()) is (
        mode == "in place" and "legacy" in files
    )
    assert sorted(path.name for path in folder.parent.iterdir()) == ["code", "report"], "no temporary file is left"


@pytest.mark.parametrize("output_format", MACHINE)
def test_standard_output_is_the_report_alone(output_format: str, folder: Path) -> None:
    write(folder, legacy=LEGACY, refused=REFUSED)

    result = run("--check", "--output-format", output_format)
    again = run("--check", "--output-format", output_format, "--output-file", "-")
    run("--check", "--output-format", output_format, "--output-file", "../report")

    assert result.exit_code == 1
    assert result.stderr == ""
    assert result.stdout_bytes == again.stdout_bytes == (folder.parent / "report").read_bytes()


def test_patch_in_a_file(folder: Path) -> None:
    write(folder, legacy=LEGACY)
    printed = run("--diff").stdout_bytes

    result = run("--diff", "--output-file", "../changes.patch")

    assert (folder.parent / "changes.patch").read_bytes() == printed
    assert b"+++ b/legacy.py" in printed
    assert "+++" not in result.stdout
    assert "legacy.py:7:101: MT111 review" in result.stdout


def test_diff_is_alone_on_standard_output(folder: Path) -> None:
    write(folder, legacy=LEGACY, refused=REFUSED)

    result = run("--diff")

    assert all(line[:1] in "+-@ d" for line in result.stdout.splitlines())
    assert "refused.py:5:18: MT101 left to you" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("1 of 2 legacy trainers would be migrated")


def test_text_in_a_file_has_no_colours(folder: Path) -> None:
    write(folder, refused=REFUSED)

    run("--check", "--output-file", "../report.txt")

    text = (folder.parent / "report.txt").read_text()
    assert text.startswith("refused.py:5:18: MT101 left to you: The Lightning configuration")
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ([], ["would migrate legacy.py (1 trainer)", "legacy.py:7:54: MT113 review", "legacy.py:7:101: MT111 review"]),
        (
            ["-v"],
            ["would migrate legacy.py (1 trainer)", "legacy.py:6:11: MT100 migrated", "legacy.py:7:54: MT113 review"],
        ),
        (["-q"], []),
    ],
    ids=["normal", "verbose", "quiet"],
)
def test_how_much_is_printed(arguments: list[str], lines: list[str], folder: Path) -> None:
    write(folder, legacy=LEGACY)

    printed = [line for line in run("--check", *arguments).stdout.splitlines() if not line.startswith("    ")]

    assert [line.startswith(start) for line, start in zip(printed, lines, strict=False)] == [True] * len(lines)
    assert (printed[-1:] == ["1 of 1 legacy trainer would be migrated in 1 file, 2 to review."]) is bool(lines)


def test_name_of_a_file_stays_on_its_line(folder: Path) -> None:
    (folder / "new\nline\x1b[31m.py").write_text(LEGACY)

    assert "would migrate new\\nline\\x1b[31m.py (1 trainer)\n" in run("--check").stdout


def test_verbose_says_why(folder: Path) -> None:
    write(folder, refused=REFUSED)

    assert "    The builder's calls have to be read where they are written" in run("--check", "-v").stdout


def test_what_to_do_is_said_once_for_a_code(folder: Path) -> None:
    write(folder, a=REFUSED, b=REFUSED)

    output = run("--check").stdout

    assert output.count("MT101 left to you") == 2
    assert output.count("Fill and build the `LightningConfigBuilder`") == 1


class TestStandardInput:
    def test_report_beside_the_code(self, folder: Path) -> None:
        result = run("--output-format", "json", "--output-file", "../report.json", "-", input=LEGACY)

        assert result.exit_code == 0
        assert "TorchTrainer(" in result.stdout
        assert json.loads((folder.parent / "report.json").read_text())["files"][0]["migrated"] == 1
        assert "MT111 review" in result.stderr

    def test_report_instead_of_the_code(self) -> None:
        result = run("--check", "--output-format", "json", "-", input=LEGACY)

        assert result.exit_code == 1
        assert json.loads(result.stdout)["files"][0]["path"] == "<stdin>"

    def test_both_on_standard_output_is_refused(self) -> None:
        result = run("--output-format", "json", "-", input=LEGACY)

        assert result.exit_code == 2
        assert result.stdout == ""
        assert "--output-file" in result.stderr


@pytest.mark.parametrize("place", ["missing/report.json", ".", "legacy.py/report.json"])
def test_file_that_can_not_be_written_is_refused_first(place: str, folder: Path) -> None:
    write(folder, legacy=LEGACY)

    result = run("--output-format", "json", "--output-file", place)

    assert result.exit_code == 2
    assert "--output-file" in result.stderr
    assert (folder / "legacy.py").read_text() == LEGACY


def test_report_that_fails_to_be_written_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, legacy=LEGACY)

    def full(source: object, target: object) -> None:
        if str(target).endswith("report.json"):
            raise OSError(28, "No space left on device")
        replace(source, target)  # type: ignore[arg-type]

    replace = os.replace
    monkeypatch.setattr(os, "replace", full)

    result = run("--output-format", "json", "--output-file", "../report.json")

    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert [path.name for path in folder.parent.iterdir()] == ["code"]


def test_file_is_replaced_with_its_mode_and_through_links(tmp_path: Path) -> None:
    file, link = tmp_path / "report", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o600)
    link.symlink_to(file)

    write_whole(link, b"new")

    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("arguments", [["--diff"], ["--check"], ["--check", "--output-format", "json"]], ids=" ".join)
def test_reader_that_is_gone_ends_the_run_in_silence(arguments: list[str], folder: Path) -> None:
    write(folder, legacy=LEGACY)
    reader, writer = os.pipe()
    os.close(reader)

    with os.fdopen(writer, "wb") as stream:
        command = [sys.executable, "-m", "migrate_trainers", *arguments]
        process = subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, check=False)

    assert process.returncode == 1
    assert process.stderr == b""


def test_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()

    write_whole(pipe, b"report")

    reader.join(timeout=60)
    assert received == [b"report"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize(
    ("options", "environment", "coloured"),
    [([], {}, True), (["--no-color"], {}, False), ([], {"NO_COLOR": "1"}, False), ([], {"NO_COLOR": ""}, True)],
)
@pytest.mark.parametrize("mode", ["--diff", "--check"])
def test_colours_on_a_terminal(
    mode: str, options: list[str], environment: dict[str, str], coloured: bool, folder: Path
) -> None:
    write(folder, legacy=LEGACY)
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    ours, theirs = pty.openpty()

    with os.fdopen(ours, "rb", buffering=0) as terminal:
        command = [sys.executable, "-m", "migrate_trainers", mode, *options]
        # Of a slow run's progress, standard error would show escapes, too.
        process = subprocess.Popen(
            command, stdout=theirs, stderr=subprocess.DEVNULL, env={**inherited, "TERM": "xterm", **environment}
        )
        os.close(theirs)
        output = b""
        try:
            while piece := terminal.read(65_536):
                output += piece
        except OSError:  # The end, on Linux.
            pass
    process.wait(timeout=60)

    assert b"legacy.py" in output
    assert (b"\x1b[" in output) is coloured
