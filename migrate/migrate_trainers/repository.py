"""Questions to git, about the work tree around a path: what it lists, and what is not committed."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# What git tells its hooks about the repository they run in; it would stand for every other folder too.
_OF_ONE_REPOSITORY = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    }
)


class GitError(OSError):
    """Git is not there, or has no answer for a folder."""


def git(folder: str | Path, *arguments: str) -> bytes:
    """What a git command prints about a folder; raises `GitError`."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_ONE_REPOSITORY}
    # A question must not wait for, or take, the lock of somebody's index.
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True).stdout
    except subprocess.CalledProcessError as error:
        raise GitError(error.stderr.decode("utf-8", "replace").strip() or "git failed") from error
    except OSError as error:
        raise GitError(f"git can't be run: {error.strerror}") from error


def listed_files(folder: str | Path) -> list[str]:
    """The names below a folder that git tracks or doesn't ignore; a work tree within it is one name.

    Raises `GitError` outside of a work tree.
    """
    listing = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return os.fsdecode(listing).split("\0")[:-1]


def is_ignored(folder: str | Path) -> bool:
    """Whether git ignores a folder as a whole."""
    try:
        git(folder, "check-ignore", "--quiet", ".")
    except GitError:
        return False
    return True


def has_submodules(folder: str) -> bool:
    """Whether the work tree around a folder says that there are work trees within it."""
    tree = work_tree(Path(folder))
    return tree is not None and (tree / ".gitmodules").exists()


def work_tree(path: Path) -> Path | None:
    """The work tree that a file or folder is in, without asking git."""
    absolute = Path(os.path.abspath(path))
    return next((folder for folder in (absolute, *absolute.parents) if (folder / ".git").exists()), None)


def uncommitted(paths: Iterable[Path]) -> dict[Path, str]:
    """Why some files can't be taken back to what they are, by their path; not for files outside of any work tree."""
    by_tree: defaultdict[Path, dict[str, Path]] = defaultdict(dict)
    for path in paths:
        real = path.resolve()
        tree = work_tree(real)
        if tree is not None:
            by_tree[tree][real.relative_to(tree).as_posix()] = path
    reasons: dict[Path, str] = {}
    for tree, names in by_tree.items():
        try:
            status = git(tree, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
        except GitError as error:
            reasons |= dict.fromkeys(names.values(), f"git can't say what is committed ({error})")
            continue
        entries = os.fsdecode(status).split("\0")[:-1]
        changed = {entry[3:]: "is not in git yet" if entry.startswith("??") else "has changes" for entry in entries}
        reasons |= {path: changed[name] for name, path in names.items() if name in changed}
    return reasons
