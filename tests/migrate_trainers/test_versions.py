"""The Ray that a project was written for and runs on, from its requirement files."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from migrate_trainers.cli import main
from migrate_trainers.settings import Settings
from migrate_trainers.versions import Inferred, Projects

if TYPE_CHECKING:
    from pathlib import Path

    from migrate_trainers.settings import Version

LEGACY = """\
from accelerate import Accelerator
from ray.air import RunConfig, ScalingConfig
from ray.train.huggingface import AccelerateTrainer


def loop():
    Accelerator()


AccelerateTrainer(
    loop,
    accelerate_config={},
    scaling_config=ScalingConfig(num_workers=2),
    run_config=RunConfig("x", "/runs", None, verbose=2),
).fit()
"""
PYPROJECT = '[project]\nname = "x"\n'
FILES = {
    "pin": ({"requirements.txt": "torch\nray[train]==2.5.1  # the last that we tried\n"}, (2, 5), None),
    "pin with hashes": ({"requirements.txt": "ray==2.7.2 \\\n    --hash=sha256:0123\n"}, (2, 7), (2, 7)),
    "marker": ({"requirements-gpu.txt": 'ray[default]~=2.8.0; python_version < "3.12"\n'}, (2, 8), (2, 8)),
    "input of pip-compile": ({"requirements.in": "Ray<2.10\n"}, None, (2, 9)),
    "folder": ({"requirements/train.txt": "ray>=2.7,<2.41\n"}, (2, 7), (2, 40)),
    "wheel": ({"requirements.txt": "ray @ https://host/ray-2.6.3-cp310-cp310-linux_x86_64.whl\n"}, (2, 6), None),
    "several": (
        {"pyproject.toml": PYPROJECT + 'dependencies = ["ray>=2.4"]\n', "requirements.txt": "ray==2.6.3"},
        (2, 6),
        None,
    ),
    "optional": (
        {"pyproject.toml": PYPROJECT + '[project.optional-dependencies]\ngpu = ["ray[tune]==2.4.0"]'},
        (2, 4),
        None,
    ),
    "group": ({"pyproject.toml": '[dependency-groups]\ndev = ["ray==2.9.3", {include-group = "a"}]'}, None, (2, 9)),
    "poetry": (
        {"pyproject.toml": '[tool.poetry.dependencies]\nray = {version = "~2.5", extras = ["air"]}'},
        (2, 5),
        None,
    ),
    "poetry group": ({"pyproject.toml": '[tool.poetry.group.dev.dependencies]\nray = "2.40.0"'}, None, (2, 40)),
    "poetry caret": ({"pyproject.toml": '[tool.poetry.dependencies]\nray = "^2.7"'}, (2, 7), None),
    "setup.cfg": ({"setup.cfg": "[options]\ninstall_requires =\n    torch\n    ray<2.7\n"}, (2, 6), None),
    "extra of setup.cfg": ({"setup.cfg": "[options.extras_require]\nray = ray[air]==2.5.0\n"}, (2, 5), None),
    "setup.py": ({"setup.py": "setup(install_requires=['torch', 'ray[train]>=2.4,<2.6'])\n"}, (2, 5), None),
    "Pipfile": ({"Pipfile": '[packages]\nray = {version = "==2.7.1", extras = ["train"]}\n'}, (2, 7), (2, 7)),
    "conda": (
        {"environment.yml": "dependencies:\n  - python=3.10\n  - conda-forge::ray-default=2.6.3=py310_0\n"},
        (2, 6),
        None,
    ),
    "conda range": ({"conda.yaml": "dependencies: ['ray-train >=2.7,<2.9']\n"}, (2, 7), (2, 8)),
    "pip of conda": ({"environment-gpu.yaml": "dependencies:\n- pip\n- pip: ['ray[air]==2.6.1']\n"}, (2, 6), None),
    "open": ({"requirements.txt": "ray>=2.4\n"}, None, None),
    "current": ({"requirements.txt": "ray==2.60.0\n"}, None, None),
    "before the trainers": ({"requirements.txt": "ray==2.3.1\n"}, (2, 4), None),
}
SILENT = {
    "no release": {"requirements.txt": "ray\nraystation==2.6\n-r other.txt\n"},
    "contradiction": {"requirements.txt": "ray==2.5.0\n", "requirements-new.txt": "ray==2.9.0\n"},
    "newer than the tool": {"requirements.txt": "ray==3.1\n"},
    "broken files": {
        "requirements.txt": "ray === \n<<<<<<< HEAD\n\xff",
        "pyproject.toml": "[ray",
        "setup.cfg": "ray==2.6.0",
        "setup.py": "ray = = 2",
        "environment.yml": "dependencies: [ray=2.6",
        "Pipfile": '[packages]\nray = "latest || 2"',
    },
}


def inferred_for(script: Path) -> Inferred | None:
    return Projects(Settings()).inferred(script)


def project(folder: Path, files: dict[str, str]) -> Path:
    (folder / ".git").mkdir()
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="latin-1")
    script = folder / "src" / "train.py"
    script.parent.mkdir()
    script.write_text(LEGACY)
    return script


@pytest.mark.parametrize(("files", "source", "target"), FILES.values(), ids=FILES.keys())
def test_versions_of_a_project(
    files: dict[str, str], source: Version | None, target: Version | None, tmp_path: Path
) -> None:
    found = inferred_for(project(tmp_path, files))

    assert found is not None
    assert (found.source, found.target) == (source, target)


@pytest.mark.parametrize("files", SILENT.values(), ids=SILENT.keys())
def test_files_that_tell_nothing(files: dict[str, str], tmp_path: Path) -> None:
    assert inferred_for(project(tmp_path, files)) is None


def test_nearest_files_count_and_those_outside_of_the_repository_do_not(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("ray==2.4.0\n")
    repository = tmp_path / "repository"
    repository.mkdir()
    script = project(repository, {})
    assert inferred_for(script) is None

    (repository / "requirements.txt").write_text("ray==2.5.0\n")
    (script.parent / "requirements.txt").write_text("ray==2.8.0\n")
    found = inferred_for(script)

    assert found is not None
    assert found.target == (2, 8)


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_output_is_for_the_ray_of_the_project_which_is_told(tmp_path: Path) -> None:
    script = project(tmp_path, {"requirements.txt": "ray==2.7.2\n"})

    code, output = run(script)

    # By position, Ray 2.7 had the storage's file system third; `verbose` is refused since 2.51 only.
    assert 'name="x", storage_path="/runs", storage_filesystem=None, verbose=2' in script.read_text()
    assert "MT917" in output
    assert "Ray 2.7, as requirements.txt: ray==2.7.2" in output
    assert code == 0


def test_what_is_given_wins(tmp_path: Path) -> None:
    script = project(tmp_path, {"requirements.txt": "ray==2.7.2\n"})

    _, output = run("--target-version", "latest", "--source-version", "2.6", script)

    assert 'run_config=RunConfig(name="x", storage_path="/runs")' in script.read_text()
    assert "MT917" not in output


def test_standard_input_is_of_the_project_around_its_name(tmp_path: Path) -> None:
    script = project(tmp_path, {"requirements.txt": "ray==2.7.2\n"})

    result = CliRunner().invoke(main, ["--stdin-filename", str(script), "-"], input=LEGACY)

    assert "verbose=2" in result.stdout


def test_run_without_a_hit_reads_no_requirements(tmp_path: Path) -> None:
    script = project(tmp_path, {"requirements.txt": "ray==2.7.2\n"})
    script.write_text("import ray\n")
    program = "import sys; from migrate_trainers.cli import main; main(standalone_mode=False)"

    output = subprocess.run(
        ["python", "-X", "importtime", "-c", program, str(script)], capture_output=True, text=True, check=False
    ).stderr

    assert "packaging" not in output
