"""Which files a run looks at: ignore rules of git and of the user, foreign folders, links, and what is no file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from repositories import git, make_repository, write_tree

from migrate_trainers import files
from migrate_trainers.discovery import Patterns, Selection, files_around, find_files
from migrate_trainers.files import FilesOnDisk, read

if TYPE_CHECKING:
    from collections.abc import Iterable

CODE = "x = 1  # ray, LightningTrainer\n"
TREE = {
    ".gitignore": "*.gen.py\n/local/\n!kept.gen.py\n",
    "a.py": CODE,
    "stub.pyi": CODE,
    "notes.txt": CODE,
    "one.gen.py": CODE,
    "kept.gen.py": CODE,
    "local/x.py": CODE,
    "package/local/x.py": CODE,
    "package/.gitignore": "scratch.py\n!/deep.gen.py\n",
    "package/scratch.py": CODE,
    "package/deep.gen.py": CODE,
    "package/more/scratch.py": CODE,
    "package/more/fine.py": CODE,
    "node_modules/x.py": CODE,
    "lib/site-packages/x.py": CODE,
    "environment/pyvenv.cfg": "home = /usr\n",
    "environment/lib/x.py": CODE,
}
TAKEN = {
    "a.py",
    "kept.gen.py",
    "package/deep.gen.py",
    "package/local/x.py",
    "package/more/fine.py",
    "stub.pyi",
}
IGNORED = {"one.gen.py", "local/x.py", "package/scratch.py", "package/more/scratch.py"}


DEFAULT = Selection()


def found(folder: Path, selection: Selection = DEFAULT, *paths: str) -> set[str]:
    names = find_files([folder / path for path in paths] or [folder], selection).names
    assert len(set(names)) == len(names)
    return {Path(name).relative_to(folder).as_posix() for name in names}


@pytest.fixture(params=["git", "no git", "git without a commit"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "git":
        make_repository(tmp_path, TREE)
    else:
        write_tree(tmp_path, TREE)
        if request.param == "git without a commit":
            git(tmp_path, "init", "--quiet")
    return tmp_path


def test_ignore_rules_hold_with_and_without_git(tree: Path) -> None:
    assert found(tree) == TAKEN


def test_ignore_rules_hold_in_a_folder_below(tree: Path) -> None:
    assert found(tree, DEFAULT, "package") == {name for name in TAKEN if name.startswith("package/")}


def test_no_gitignore_takes_what_is_ignored_but_no_foreign_code(tree: Path) -> None:
    assert found(tree, Selection(gitignore=False)) == TAKEN | IGNORED


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("a.py", TAKEN - {"a.py"}),
        ("package/", TAKEN - {name for name in TAKEN if name.startswith("package/")}),
        ("*.gen.py", {name for name in TAKEN if ".gen." not in name}),
        ("package/**/fine.py", TAKEN - {"package/more/fine.py"}),
        ("/more", TAKEN),
        ("*.pyi\n!stub.pyi", TAKEN),
    ],
)
def test_patterns_of_the_user(pattern: str, left: set[str], tree: Path) -> None:
    assert found(tree, Selection(exclude=(Patterns(str(tree), tuple(pattern.split("\n"))),))) == left


def test_files_given_by_name_are_taken_but_with_force_exclude(tree: Path) -> None:
    exclude = (Patterns(str(tree), ("*.gen.py", "node_modules")),)
    names = ("one.gen.py", "node_modules/x.py", "a.py")

    assert found(tree, Selection(exclude=exclude), *names) == set(names)
    assert found(tree, Selection(exclude=exclude, force_exclude=True), *names) == {"a.py"}


@pytest.mark.parametrize("name", ["local", "node_modules", "environment", "lib/site-packages"])
def test_a_folder_that_is_given_is_looked_at_whatever_it_is(name: str, tree: Path) -> None:
    assert found(tree, DEFAULT, name) in ({f"{name}/x.py"}, {f"{name}/lib/x.py"})


def test_the_current_folder_has_names_as_the_user_would_write_them(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)

    assert set(find_files([Path(".")]).names) == TAKEN


def test_hooks_of_another_repository_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_repository(tmp_path / "mine", TREE)
    make_repository(tmp_path / "other", {"other.py": CODE})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other" / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))

    assert found(tmp_path / "mine") == TAKEN


def test_without_git_the_rules_are_read_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_repository(tmp_path, TREE)
    monkeypatch.setenv("PATH", "")

    assert found(tmp_path) == TAKEN


def test_work_trees_within_a_work_tree(tmp_path: Path) -> None:
    make_repository(tmp_path / "library", {"shared.py": CODE, ".gitignore": "out.py\n", "out.py": CODE})
    make_repository(tmp_path / "main", {"a.py": CODE})
    git(tmp_path / "main", "submodule", "--quiet", "add", str(tmp_path / "library"), "vendored")
    make_repository(tmp_path / "main" / "nested", {"b.py": CODE})
    write_tree(tmp_path / "main" / "vendored", {"out.py": CODE})

    assert found(tmp_path / "main") == {"a.py", "nested/b.py", "vendored/shared.py"}


def test_a_linked_work_tree(tmp_path: Path) -> None:
    make_repository(tmp_path / "main", {"a.py": CODE})
    git(tmp_path / "main", "worktree", "add", "--quiet", str(tmp_path / "second"))

    assert found(tmp_path / "second") == {"a.py"}
    assert {path.name for path in files_around([tmp_path / "second" / "a.py"])} == {"a.py"}


def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode("ü n\n'ame\xff.py".encode("latin-1"))
    make_repository(tmp_path, {name: CODE})

    (path,) = find_files([tmp_path]).names

    assert read(path) == CODE.encode()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
@pytest.mark.timeout(20)
def test_what_is_no_file_is_passed_over_and_never_waited_for(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.py": CODE, "folder.py/b.py": CODE})
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "broken.py").symlink_to("nowhere")
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "to_pipe.py").symlink_to("pipe.py")
    (tmp_path / "above").symlink_to(tmp_path)
    listed = [*find_files([tmp_path]).names, str(tmp_path / "gone.py"), str(tmp_path / "pipe.py")]

    matches = dict(FilesOnDisk(listed).hits())

    assert {path.relative_to(tmp_path).as_posix() for path in matches} == {"a.py", "folder.py/b.py"}


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.py")

    ((path, error),) = FilesOnDisk([missing], [missing]).hits()

    assert path == Path(missing)
    assert isinstance(error, FileNotFoundError)


def test_a_file_with_several_names_comes_once_by_its_own(tmp_path: Path) -> None:
    write_tree(tmp_path, {"real.py": CODE, "package/x.py": CODE})
    (tmp_path / "a_link.py").symlink_to("real.py")
    (tmp_path / "z_link.py").symlink_to("real.py")
    names = find_files([tmp_path]).names

    matches = dict(FilesOnDisk(names).hits())

    assert len(names) == 4
    assert set(matches) == {tmp_path / "real.py", tmp_path / "package" / "x.py"}


@pytest.mark.skipif(sys.platform != "linux", reason="what is replaced here reaches forked processes only")
@pytest.mark.parametrize("process_dies", [False, True])
def test_many_files_are_searched_in_processes_with_the_same_outcome(
    process_dies: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path, {f"{number:02}.py": CODE if number % 3 else "x = 1\n" for number in range(20)})
    names = [*find_files([tmp_path]).names, str(tmp_path / "missing.py")]
    alone = [(path, str(data)) for path, data in FilesOnDisk(names, names).hits()]
    search, here = files.searched, os.getpid()
    searchers = tmp_path / "searchers"

    def searched(part: Iterable[str]) -> list[tuple[str, bytes | OSError]]:
        with searchers.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if process_dies and names[7] in part and os.getpid() != here:
            os._exit(1)
        return search(part)

    monkeypatch.setattr(files, "searched", searched)
    monkeypatch.setattr(files, "_WORTH_PROCESSES", 10)
    monkeypatch.setattr(files, "_PART", 4)

    together = [(path, str(data)) for path, data in FilesOnDisk(names, names).hits(processes=2)]

    assert together == alone
    assert (str(here) in searchers.read_text().split()) == process_dies
