"""What tests that need files on a disk share: writing a tree, and putting it into a git repository."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_IDENTITY = {f"GIT_{role}_{what}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def write_tree(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files by their names relative to a folder."""
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())


def git(folder: Path, *arguments: str) -> bytes:
    """What git prints, as somebody with no settings of their own."""
    settings = ["-c", "core.autocrlf=false", "-c", "protocol.file.allow=always"]
    command = ["git", *settings, *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | _IDENTITY, capture_output=True, check=True).stdout


def make_repository(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """A repository whose only commit has some files, but for what they make git ignore."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    write_tree(folder, files)
    commit(folder)


def commit(folder: Path) -> None:
    """Commit all that git doesn't ignore."""
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "all")
