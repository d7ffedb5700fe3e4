"""The hooks of this repository in the real pre-commit, which installs the package for them in an environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rewriting import LIGHTNING_IMPORTS, SCALING, lightning

ROOT = Path(__file__).parents[2]
PACKAGED = ("migrate", "runtime", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
# What a hook may install: it has to be there in seconds.
LIGHT = {"migrate-trainers", "click", "libcst", "markdown-it-py", "mdurl", "packaging", "pathspec", "pyyaml", "tomli"}
LIGHT |= {"typing-extensions"}
INSTALLER = {"pip", "setuptools", "wheel"}
LEGACY = lightning()
REFUSED = LIGHTNING_IMPORTS + f"LightningTrainer(effect(), scaling_config={SCALING}).fit()\n"


class Repository:
    """A user's repository whose pre-commit configuration names one of the hooks."""

    def __init__(self, folder: Path, hooks: Path) -> None:
        self.folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHON"))},
            "PRE_COMMIT_HOME": str(folder.parent / "cache"),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "protocol.file.allow",
            "GIT_CONFIG_VALUE_0": "always",
        }
        revision = self._run("git", "-C", str(hooks), "rev-parse", "HEAD").stdout.strip()
        folder.mkdir()
        ids = "\n".join(f"      - id: {name}" for name in ("migrate-trainers-check", "migrate-trainers"))
        config = f"repos:\n  - repo: {hooks.as_uri()}\n    rev: {revision}\n    hooks:\n{ids}\n"
        (folder / ".pre-commit-config.yaml").write_text(config)
        self._run("git", "init", "--quiet", ".")

    def hook(self, name: str, *files: str) -> subprocess.CompletedProcess[str]:
        self._run("git", "add", ".")
        return self._run(sys.executable, "-m", "pre_commit", "run", name, "--files", *files, check=False)

    def installed(self) -> set[str]:
        """The names of what pre-commit has installed for the hooks."""
        (python,) = (self.folder.parent / "cache").glob("repo*/py_env-*/bin/python")
        return {
            package["name"].lower()
            for package in json.loads(self._run(str(python), "-m", "pip", "list", "--format=json").stdout)
        }

    def _run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        folder = self.folder if self.folder.exists() else self.folder.parent
        return subprocess.run(command, cwd=folder, env=self._environment, capture_output=True, text=True, check=check)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository beside a copy of this one as it stands, which pre-commit clones and installs."""
    folder = tmp_path_factory.mktemp("hooks")
    copy = folder / "migrate-trainers"
    copy.mkdir()
    for name in PACKAGED:
        source = ROOT / name
        copy_tree = shutil.copytree if source.is_dir() else shutil.copy
        copy_tree(source, copy / name)
    author = ["-c", "user.name=tests", "-c", "user.email=tests@example.com"]
    for command in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "--message", "As it stands"]):
        subprocess.run(["git", *command], cwd=copy, check=True)
    return Repository(folder / "project", copy)


def test_hooks(repository: Repository) -> None:
    files = {"legacy.py": LEGACY, "stub.pyi": "x: int\n", "notes.txt": LEGACY}
    for name, text in files.items():
        (repository.folder / name).write_text(text)
    contents = lambda: {name: (repository.folder / name).read_text() for name in files}  # noqa: E731

    reported = repository.hook("migrate-trainers-check", *files)
    assert reported.returncode == 1, reported.stderr
    assert "would migrate legacy.py" in reported.stdout
    assert "notes.txt" not in reported.stdout
    assert contents() == files, "the check writes nothing"

    rewritten = repository.hook("migrate-trainers", *files)
    assert rewritten.returncode == 1
    assert "files were modified by this hook" in rewritten.stdout
    assert "TorchTrainer(" in contents()["legacy.py"]
    assert {**contents(), "legacy.py": LEGACY} == files

    assert repository.hook("migrate-trainers", *files).returncode == 0, "nothing is left to do"
    assert repository.hook("migrate-trainers-check", *files).returncode == 0

    (repository.folder / "refused.py").write_text(REFUSED)
    left = repository.hook("migrate-trainers", "refused.py")
    assert left.returncode == 1
    assert "refused.py:5:18: MT101" in left.stdout
    assert (repository.folder / "refused.py").read_text() == REFUSED

    assert repository.installed() - INSTALLER <= LIGHT
