"""What is read from a script's source about its imports."""

from __future__ import annotations

import pytest

from train_runtime import _preload

RUNTIME = "import ray.train\n"


@pytest.mark.parametrize(
    ("source", "libraries"),
    [
        ("import torch", {"torch": []}),
        ("import torch.nn as nn, os", {"torch.nn": []}),
        ("from transformers import Trainer, pipeline", {"transformers": ["Trainer", "pipeline"]}),
        ("from torch.nn import *", {"torch.nn": []}),
        ("def train():\n    with x:\n        import pandas", {"pandas": []}),
        ("class A:\n    import pandas", {"pandas": []}),
        ("try:\n    import datasets\nexcept ImportError:\n    import sklearn", {"datasets": []}),
        ("if TYPE_CHECKING:\n    import torch", {}),
        ("import mine, torch_of_mine\nfrom . import torch\nfrom .torch import nn", {}),
        ("import lightning.pytorch as pl", {"lightning.pytorch": []}),
        ("import lightning as L\nimport torch", {"lightning": [], "torch": []}),
        ("from pytorch_lightning import Trainer", {"pytorch_lightning": ["Trainer"]}),
        ("import lightning\nimport pytorch_lightning, torch", {"torch": []}),
    ],
)
def test_libraries(source: str, libraries: dict[str, list[str]]) -> None:
    assert _preload.read((RUNTIME + source).encode()).libraries == libraries


@pytest.mark.parametrize(
    ("source", "uses_runtime"),
    [
        ("import train_runtime", True),
        ("from train_runtime.torch import TorchTrainer", True),
        ("import ray.train.torch", True),
        ("from ray.train import ScalingConfig", True),
        ("from ray import train", True),
        ("def f():\n    from ray import train", True),
        ("import ray", False),
        ("from ray import tune", False),
        ("import ray.trainer, train_runtime_of_mine", False),
        ("# train_runtime", False),
        ("import train_runtime\ndef broken(:", False),
        ("# coding: latin-1\nimport ray.train # \xe4", True),
        ("import ray.train # \0", False),
    ],
)
def test_use_of_the_runtime(source: str, uses_runtime: bool) -> None:
    assert _preload.read(source.encode("latin-1")).uses_runtime is uses_runtime


@pytest.mark.parametrize(
    ("source", "leading"),
    [
        ('"Doc."\nfrom __future__ import annotations\nimport torch\nimport ray.train\nx = 1', 4),
        ("import torch\nimport mine\nimport ray.train", 1),
        ("import torch\nfrom . import mine\nimport ray.train", 1),
        ("import ray.train, mine", 0),
        ("import os\nos.environ['A'] = 'b'\nos.environ.setdefault('C', 'd')\nimport ray.train", 4),
        ("import os\nos.environ['A'] = os.getcwd()\nimport ray.train", 1),
        ("import os\nos.environ['A'] = other = 'b'\nimport ray.train", 1),
        ("import os\nos.environ.setdefault('A', os.getcwd())\nimport ray.train", 1),
        ("import ray.train\nprint(1)\nimport torch", 1),
        ("import ray.train\nif True:\n    import torch", 1),
        ("import ray.train\ntry:\n    import torch\nexcept ImportError:\n    pass", 1),
        ("import ray.train\nimport pytorch_lightning\nimport lightning", 1),
        ("import torch\nimport ray", 0),
    ],
)
def test_leading_statements(source: str, leading: int) -> None:
    assert len(_preload.read(source.encode()).leading) == leading


def test_reading_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    assert _preload.read(rb"import ray.train; print('\d')").uses_runtime
    assert not recwarn.list
