"""Checkpoints and predictors in files without a legacy trainer, and in the modules that such a trainer imports."""

from __future__ import annotations

from pathlib import Path

import pytest
from rewriting import after, codes, findings, migrate

from migrate_trainers import FileResult, migrate_project
from migrate_trainers.findings import Kind
from migrate_trainers.selection import Rules

SELECTED = Rules(select=("MT4",))
SERVING = """\
from model import net
from ray.air import Checkpoint
from ray.train.torch import TorchPredictor

checkpoint = Checkpoint.from_uri("s3://a/b")
predictor = TorchPredictor.from_checkpoint(checkpoint, net)
print(checkpoint.to_dict())
"""
CURRENT = """\
from ray.train import report
from ray.train.torch import TorchCheckpoint, TorchTrainer

try:
    from ray.train.torch import TorchPredictor
except ImportError:
    TorchPredictor = None


def train_func():
    report({}, checkpoint=TorchCheckpoint.from_state_dict({}))


TorchTrainer(train_func).fit()
"""


def test_nobody_asked_for_it() -> None:
    for program in (SERVING, CURRENT):
        assert not migrate(program).changed
        assert findings(migrate(program)) == []


def test_asked_for() -> None:
    text = after(migrate(SERVING, rules=SELECTED))

    assert 'checkpoint = Checkpoint("s3://a/b")' in text
    assert "ModelPredictor.from_checkpoint(checkpoint, net)" in text
    assert "print(load_dictionary(checkpoint))" in text
    assert "report_dictionary({}, " in after(migrate(CURRENT, rules=SELECTED))


def test_file_that_had_a_trainer() -> None:
    program = """\
from ray.air import Checkpoint, session
from ray.train.torch import TorchTrainer

def train_func():
    session.report({}, checkpoint=Checkpoint.from_dict({"epoch": 1}))

print(TorchTrainer(train_func).fit().checkpoint.to_dict()["epoch"])
"""
    text = after(migrate(program))

    assert 'report_dictionary({}, {"epoch": 1})' in text
    assert 'print(load_dictionary(TorchTrainer(train_func).fit().checkpoint)["epoch"])' in text


def test_file_of_a_torch_checkpoint_that_is_a_folder() -> None:
    program = CURRENT + "open('model.pt')\n"

    assert codes(migrate(program, rules=SELECTED), Kind.MANUAL) == []
    assert codes(migrate(program, rules=SELECTED, source_version=(2, 7)), Kind.MANUAL) == ["MT401"]


def test_checkpoint_of_a_train_function_that_is_not_seen() -> None:
    program = """\
from model import Net, train_func
from ray.air import ScalingConfig
from ray.train.torch import TorchTrainer

print(TorchTrainer(train_func, scaling_config=ScalingConfig(num_workers=2)).fit().checkpoint.get_model(Net))
"""
    assert codes(migrate(program), Kind.MANUAL) == ["MT401"]


TRAIN = """\
from accelerate import Accelerator
from ray.air import session
from ray.air.config import ScalingConfig
from ray.train.huggingface import AccelerateTrainer
from storing import keep, load


def loop():
    session.report({}, checkpoint=keep(1))


result = AccelerateTrainer(loop, accelerate_config={}, scaling_config=ScalingConfig(num_workers=2)).fit()
print(load(result.checkpoint), result.checkpoint.to_dict())
"""
STORING = """\
from ray.air import Checkpoint


def keep(epoch):
    return Checkpoint.from_dict({"epoch": epoch})


def load(checkpoint: Checkpoint):
    return checkpoint.to_dict()
"""
IN_LOOPS = """\
from ray.air import Checkpoint, session


def loop():
    session.report({}, checkpoint=Checkpoint.from_dict({"epoch": 1}))
"""
OF_LOOPS = """\
from loops import loop
from ray.air.config import ScalingConfig
from ray.train.huggingface import AccelerateTrainer

result = AccelerateTrainer(loop, accelerate_config={}, scaling_config=ScalingConfig(num_workers=2)).fit()
print(result.checkpoint.to_dict())
"""


def project(files: dict[str, str]) -> dict[str, FileResult]:
    data = {Path(name): text.encode() for name, text in files.items()}
    return {str(path): result for path, result in migrate_project(data, others=data).items()}


def test_module_makes_and_reads_the_checkpoints() -> None:
    results = project({"train.py": TRAIN, "storing.py": STORING})

    train, storing = after(results["train.py"]), after(results["storing.py"])
    assert "report_first_worker({}, checkpoint=keep(1))" in train
    assert "print(load(result.checkpoint), load_dictionary(result.checkpoint))" in train
    assert 'return dictionary_checkpoint({"epoch": epoch})' in storing
    assert "return load_dictionary(checkpoint)" in storing


def test_module_reports_the_checkpoints() -> None:
    results = project({"train.py": OF_LOOPS, "loops.py": IN_LOOPS})

    assert "print(load_dictionary(result.checkpoint))" in after(results["train.py"])
    assert 'report_dictionary({}, {"epoch": 1})' in after(results["loops.py"])


@pytest.mark.parametrize(
    ("train", "name", "module"),
    [
        (TRAIN, "storing.py", STORING.replace("from_dict({", "from_directory({")),
        (TRAIN, "storing.py", STORING + "\n\ndef pack(checkpoint: Checkpoint):\n    return checkpoint.to_bytes()\n"),
        (OF_LOOPS, "loops.py", IN_LOOPS.replace("from_dict({", "from_directory({")),
    ],
    ids=["folders", "left", "reports of folders"],
)
def test_both_are_left(train: str, name: str, module: str) -> None:
    results = project({"train.py": train, name: module})

    assert not any(result.changed for result in results.values())
    assert codes(results["train.py"], Kind.MANUAL)
