"""Patches: the real `git apply` takes them wherever people apply them, and gives what a run in place writes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from reports import LEGACY, ODD_BYTES, of_fixtures

from migrate_trainers import FileResult
from migrate_trainers.reporting.diffs import text_diff, unified_diff

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "migrate_trainers"]


def git(folder: Path, *arguments: str, input: bytes | None = None) -> bytes:
    command = ["git", "-c", "core.autocrlf=false", *arguments]
    return subprocess.run(command, cwd=folder, input=input, capture_output=True, check=True).stdout


def repository(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    git(folder, "init", "--quiet")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_patch_of_every_fixture_applies_to_what_the_tool_writes(tmp_path: Path) -> None:
    results = {
        path.relative_to(tmp_path).as_posix(): result
        for path, result in of_fixtures(tmp_path).items()
        if result.changed
    }
    repository(tmp_path, {name: result.before for name, result in results.items()})
    patches = {name: unified_diff(tmp_path / name, result) for name, result in results.items()}

    git(tmp_path, "apply", "--check", "-", input=b"".join(patches.values()))
    git(tmp_path, "apply", "--whitespace=nowarn", "-", input=b"".join(patches.values()))

    assert contents(tmp_path) == {name: result.after for name, result in results.items()}
    assert {name: text_diff(tmp_path / name, result).encode() for name, result in results.items()} == patches


NAMES = [
    "plain.py",
    "with space.py",
    "a folder/with\ttab.py",
    'quote".py',
    "back\\slash.py",
    "new\nline.py",
    "grüß/😀.py",
    "-leading.py",
    "b/a/b.py",
    "trailing /x .py",
]


def test_patch_applies_where_the_tool_ran_and_at_the_root(tmp_path: Path) -> None:
    place = "deep/er"
    files = dict.fromkeys(NAMES, LEGACY) | {f"bytes/{name}.py": data for name, data in ODD_BYTES.items()}
    root = repository(tmp_path, {f"{place}/{name}": data for name, data in files.items()})
    before = contents(root)

    diff = subprocess.run([*COMMAND, "--diff"], cwd=root / place, capture_output=True, check=False)
    assert diff.returncode == 1, diff.stderr
    assert contents(root) == before
    patched = []
    for folder in (root / place, root):
        git(folder, "apply", "--check", "-", input=diff.stdout)
        git(folder, "apply", "--whitespace=nowarn", "-", input=diff.stdout)
        patched.append(contents(root))
        git(root, "apply", "--whitespace=nowarn", "--reverse", "-", input=diff.stdout)
        assert contents(root) == before
    subprocess.run([*COMMAND, "--allow-dirty", "."], cwd=root / place, capture_output=True, check=True)

    assert all(b"TorchTrainer" in data for data in contents(root).values())
    assert patched == [contents(root), contents(root)]


def test_patch_of_another_repository_applies_at_its_root(tmp_path: Path) -> None:
    root = repository(tmp_path / "there", {"package/train.py": LEGACY})
    (tmp_path / "here").mkdir()

    diff = subprocess.run(
        [*COMMAND, "--diff", root / "package"], cwd=tmp_path / "here", capture_output=True, check=False
    )
    git(root, "apply", "-", input=diff.stdout)

    assert b"TorchTrainer" in (root / "package" / "train.py").read_bytes()


def test_patch_without_a_repository_applies_where_the_tool_ran(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "train.py").write_bytes(LEGACY)

    diff = subprocess.run([*COMMAND, "--diff", "package"], cwd=tmp_path, capture_output=True, check=False)
    git(tmp_path, "apply", "-", input=diff.stdout)

    assert b"TorchTrainer" in (tmp_path / "package" / "train.py").read_bytes()


def test_patch_names_the_file_that_a_link_leads_to(tmp_path: Path) -> None:
    root = repository(tmp_path, {"real/train.py": LEGACY})
    (root / "link.py").symlink_to("real/train.py")

    diff = subprocess.run([*COMMAND, "--diff", "link.py"], cwd=root, capture_output=True, check=False)
    git(root, "apply", "-", input=diff.stdout)

    assert (root / "link.py").is_symlink()
    assert b"TorchTrainer" in (root / "real" / "train.py").read_bytes()


def test_mode_is_no_part_of_a_patch(tmp_path: Path) -> None:
    root = repository(tmp_path, {"train.py": LEGACY})
    (root / "train.py").chmod(0o755)

    diff = subprocess.run([*COMMAND, "--diff"], cwd=root, capture_output=True, check=False)
    git(root, "apply", "-", input=diff.stdout)

    assert (root / "train.py").stat().st_mode & 0o777 == 0o755
    assert b"mode" not in diff.stdout.partition(b"@@")[0]


def test_file_that_stays_has_no_patch(tmp_path: Path) -> None:
    result = FileResult(LEGACY, LEGACY)

    assert unified_diff(tmp_path / "x.py", result) == b""
    assert text_diff(tmp_path / "x.py", result) == ""


def test_text_of_a_diff_is_decoded(tmp_path: Path) -> None:
    before = b"# coding: latin-1\n# gr\xfc\xdf\n"

    assert "+# Grüß\n" in text_diff(tmp_path / "x.py", FileResult(before, before.replace(b"gr", b"Gr")))
