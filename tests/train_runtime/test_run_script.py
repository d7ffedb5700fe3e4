"""`python -m train_runtime script.py`: `ray.train` without Ray, and otherwise as `python script.py`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import RunScript

TRAINING = """
import os
import sys
import ray
import ray.train.torch
from ray import train
from ray.train import RunConfig, ScalingConfig, TrainingFailedError
from ray.train.base_trainer import TrainingFailedError as OlderError
from ray.train.torch import TorchTrainer
from beside import OFFSET

assert __name__ == "__main__" and TrainingFailedError is OlderError
ray.init(num_cpus=4, runtime_env={"env_vars": {"OF_THE_PROGRAM": "1"}})
assert ray.is_initialized()


class Custom(Exception):
    pass


def train_func(config):
    import ray.train as in_the_worker

    assert in_the_worker is train and ray.train is train
    assert os.environ["OF_THE_PROGRAM"] == "1"
    train.report({"x": config["x"] + OFFSET, "device": str(ray.train.torch.get_device())})
    if "fail" in sys.argv:
        raise Custom("on purpose")


trainer = TorchTrainer(train_func, train_loop_config={"x": 1}, run_config=RunConfig(storage_path="~/results"))
try:
    result = trainer.fit()
except ray.train.TrainingFailedError as error:
    assert isinstance(error.__cause__, Custom), error.__cause__
    raise
print(result.metrics, TorchTrainer.__module__, sys.argv[1:])
ray.shutdown()
"""


@pytest.fixture(autouse=True)
def _module_beside_the_script(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("OFFSET = 41")


def test_a_script_trains_without_ray(run_script: RunScript) -> None:
    completed = run_script(TRAINING, "--flag", "value")
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout == "{'x': 42, 'device': 'cpu'} train_runtime.torch.trainer ['--flag', 'value']\n"


def test_a_failing_script_shows_the_workers_source_line(run_script: RunScript, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "beside.py").rename(tmp_path / "sub" / "beside.py")
    completed = run_script(TRAINING, "fail", name="sub/script.py")
    assert completed.returncode == 1
    assert 'File "sub/script.py"' in completed.stderr
    assert 'raise Custom("on purpose")' in completed.stderr
    assert "__main__.py" not in completed.stderr, "the traceback starts in the script"


COMMAND = "migrate-trainers script.py"


@pytest.mark.parametrize(
    ("statement", "messages"),
    [
        ("import ray.tune", ["No module named 'ray.tune'", "pip install 'ray[tune]'"]),
        ("from ray import tune", ["cannot import name 'tune' from 'ray'", "pip install 'ray[tune]'"]),
        ("import ray; ray.data.read_images('x')", ["no attribute 'read_images'", "pip install 'ray[data]'"]),
        ("from ray.data import read_images", ["cannot import name 'read_images'", "pip install 'ray[data]'"]),
        ("import ray; ray.data.range(3).groupby('id')", ["no attribute 'groupby'", "pip install 'ray[data]'"]),
        ("from ray.data.preprocessors import OneHotEncoder", ["cannot import name", "pip install 'ray[data]'"]),
        ("import ray.data.grouped_data", ["No module named 'ray.data.grouped_data'", "pip install 'ray[data]'"]),
        ("import ray; ray.remote", ["no attribute 'remote'", "pip install 'ray["]),
        ("from ray import remote", ["cannot import name 'remote'", "pip install 'ray["]),
        ("import ray.train.xgboost", ["No module named 'ray.train.xgboost'", "pip install 'ray[train]'"]),
        ("from ray.train import Predictor", ["cannot import name 'Predictor'", "pip install 'ray[train]'"]),
        ("import ray.train._controller", ["No module named 'ray.train._controller'"]),
        ("from ray.air import session", ["No module named 'ray.air'", COMMAND]),
        (
            "from ray.train.lightning import LightningTrainer",
            ["LightningTrainer was removed", COMMAND],
        ),
        ("from ray.train.huggingface import TransformersTrainer", ["was removed", "migrate-trainers "]),
        ("from ray.train.huggingface import AccelerateTrainer", ["was removed", "migrate-trainers "]),
        ("from ray.train.huggingface.accelerate import AccelerateTrainer", ["No module", COMMAND]),
        (
            "from ray.train.lightning.lightning_trainer import LightningTrainer",
            ["No module", COMMAND],
        ),
        ("from ray.train.batch_predictor import BatchPredictor", ["No module", COMMAND]),
        (
            "from ray.train.hf_transformers import TransformersTrainer",
            ["in no release of Ray", COMMAND],
        ),
    ],
)
def test_what_is_not_served_names_what_to_do(run_script: RunScript, statement: str, messages: list[str]) -> None:
    completed = run_script(statement)
    assert completed.returncode == 1
    for message in messages:
        assert message in completed.stderr


def test_command_names_the_file_that_imports_a_removed_trainer(run_script: RunScript, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("from ray.train.lightning import LightningConfigBuilder\n")

    completed = run_script("import model")

    assert completed.stderr.endswith("Rewrite the program for TorchTrainer with: migrate-trainers model.py\n")


def test_libraries_that_probe_for_ray_get_an_answer(run_script: RunScript) -> None:
    source = """
import importlib.util
print(importlib.util.find_spec("ray") is not None, importlib.util.find_spec("ray.tune"))
from transformers.integrations import is_ray_tune_available
print(is_ray_tune_available())
"""
    completed = run_script(source)
    assert completed.stdout == "True None\nFalse\n", completed.stderr


@pytest.mark.parametrize(
    ("source", "returncode", "stderr"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("raise SystemExit('message')", 1, "message\n"),
        ("raise SystemExit", 0, ""),
        ("1/0", 1, None),
        ("def broken(:", 1, None),
        ("import train_runtime\nimport torch.missing", 1, None),
        ("import train_runtime\nfrom tqdm import missing\n", 1, None),
        (
            "def f():\n    raise KeyError('x')\ntry:\n    f()\nexcept KeyError as e:\n    raise ValueError('y') from e",
            1,
            None,
        ),
    ],
)
def test_it_ends_as_plain_python_does(
    run_script: RunScript, tmp_path: Path, source: str, returncode: int, stderr: str | None
) -> None:
    completed = run_script(source)
    plain = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert completed.returncode == plain.returncode == returncode
    if stderr is not None:
        assert completed.stderr == stderr
    # The interpreter names a script's file in full when it compiled it; the frames and messages are the same.
    assert completed.stderr.replace(f"{tmp_path}/", "") == plain.stderr.replace(f"{tmp_path}/", "")


def test_the_script_sees_itself_as_main(run_script: RunScript, tmp_path: Path) -> None:
    source = "import sys, __main__; print(__file__, sys.path[0], sys.argv, __main__.__dict__ is globals(), __doc__)"
    completed = run_script(f"'''Doc.'''\n{source}", "a", "-b")
    assert completed.stdout == f"{tmp_path}/script.py {tmp_path} ['script.py', 'a', '-b'] True Doc.\n"


def test_the_parts_of_a_script_are_one(run_script: RunScript) -> None:
    source = """'''Doc.'''
from __future__ import annotations
import ray.train
"not a docstring"
def f(x: Missing): pass
print(__doc__, f.__annotations__, f.__code__.co_firstlineno)
"""
    completed = run_script(source)
    assert completed.stdout == "Doc. {'x': 'Missing'} 5\n", completed.stderr


def test_nothing_runs_of_a_script_that_does_not_compile(run_script: RunScript, tmp_path: Path) -> None:
    (tmp_path / "tqdm.py").write_text("print('imported')")
    completed = run_script("import ray.train\nimport tqdm\nreturn 1")
    assert completed.stdout == ""
    assert "line 3\n" in completed.stderr
    assert "SyntaxError: 'return' outside function" in completed.stderr


def test_usage_and_a_missing_script() -> None:
    command = [sys.executable, "-m", "train_runtime"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
    completed = subprocess.run([*command, "does_not_exist.py"], capture_output=True, text=True, check=False)
    assert completed.returncode == 2
    assert "can't open file" in completed.stderr


def test_ray_is_not_shadowed_elsewhere() -> None:
    code = "import train_runtime.torch, sys; import importlib.util as u; s = u.find_spec('ray'); print(s and s.origin)"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "train_runtime" not in completed.stdout
