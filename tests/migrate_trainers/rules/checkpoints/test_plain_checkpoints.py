"""Ray's own Checkpoint by paths and URIs, and TorchPredictor: what becomes of each form."""

from __future__ import annotations

import pytest
from rewriting import ACCELERATE_IMPORTS, SCALING, after, codes, lightning, migrate

from migrate_trainers.findings import Kind

IMPORTS = """\
import ray
from ray import air
from ray.air import Checkpoint
from ray.train.batch_predictor import BatchPredictor
from ray.train.torch import TorchCheckpoint, TorchPredictor
"""
TRAINED = f"""{ACCELERATE_IMPORTS}{IMPORTS}
def loop():
    model = Accelerator().unwrap_model(effect())
    session.report({{}}, checkpoint=TorchCheckpoint.from_model(model))

result = AccelerateTrainer(loop, accelerate_config={{}}, scaling_config={SCALING}).fit()
"""


def flat(text: str) -> str:
    """A program with its blank space as one form."""
    return " ".join(text.split()).replace("( ", "(").replace(", )", ")")


PLACES = {
    "a URI": ("c = Checkpoint.from_uri(u)", "c = Checkpoint(u)"),
    "a URI through a module": ("c = air.Checkpoint.from_uri(uri=u)", "c = Checkpoint(u)"),
    "a folder": ("c = Checkpoint.from_directory(u)", "c = Checkpoint.from_directory(u)"),
    "a constructor's folder": ("c = Checkpoint(local_path=u)", "c = Checkpoint(u)"),
    "a constructor's URI": ("c = air.checkpoint.Checkpoint(uri=u)", "c = Checkpoint(u)"),
    "another one": ("c = Checkpoint.from_checkpoint(result.checkpoint)", "c = result.checkpoint"),
    "a class's URI": ("c = TorchCheckpoint.from_uri(u)", "c = Checkpoint(u)"),
    "a class's folder": ("c = TorchCheckpoint.from_directory(u)", "c = Checkpoint.from_directory(u)"),
    "a class's constructor": ("c = TorchCheckpoint(result.checkpoint.path)", "c = Checkpoint(result.checkpoint.path)"),
    "a class in an annotation": ("def f(c: TorchCheckpoint): pass", "def f(c: Checkpoint): pass"),
    "an upload": ("print(result.checkpoint.to_uri(u))", "print(upload_checkpoint(result.checkpoint, u))"),
    "an upload of a parameter": (
        "def f(c: Checkpoint):\n    c.to_uri(uri=u)",
        "def f(c: Checkpoint): upload_checkpoint(c, uri=u)",
    ),
    "an upload of what is made": ("Checkpoint.from_uri(u).to_uri(v)", "upload_checkpoint(Checkpoint(u), v)"),
}


# A LightningTrainer's program has no use for a TorchCheckpoint.
PROGRAMS = {
    **{name: (TRAINED, *form) for name, form in PLACES.items()},
    **{
        f"{name} beside lightning": (IMPORTS + lightning(), *form)
        for name, form in PLACES.items()
        if "class" not in name
    },
}


@pytest.mark.parametrize(("program", "body", "expected"), PROGRAMS.values(), ids=PROGRAMS.keys())
def test_places(program: str, body: str, expected: str) -> None:
    output = after(migrate(f"{program}u = v = effect()\n{body}\n"))

    assert flat(expected) in flat(output)
    assert not migrate(output).changed


LEFT = {
    "where it is": ("print(result.checkpoint.uri)", "MT401"),
    "as bytes": ("print(result.checkpoint.to_bytes())", "MT401"),
    "from bytes": ("Checkpoint.from_bytes(b'')", "MT401"),
    "a preprocessor": ("print(result.checkpoint.get_preprocessor())", "MT401"),
    "its data": ("print(result.checkpoint._data_dict)", "MT401"),
    "what it is": ("result.checkpoint.get_internal_representation()", "MT401"),
    "an object's": ("Checkpoint(obj_ref=effect())", "MT401"),
    "a class of its own": ("class P(TorchPredictor):\n    pass", "MT433"),
    "handed on": ("effect(TorchPredictor)", "MT433"),
    "handed on to run": ("effect(BatchPredictor, TorchPredictor)", "MT433"),
    "a predictor with a preprocessor": ("TorchPredictor(effect(), preprocessor=effect)", "MT403"),
    "another argument of predict": (
        "BatchPredictor.from_checkpoint(result.checkpoint, TorchPredictor).predict(u, speed=9)",
        "MT433",
    ),
    "a class handed on": ("effect(TorchCheckpoint)", "MT401"),
}


@pytest.mark.parametrize(("body", "code"), LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(body: str, code: str) -> None:
    result = migrate(f"{TRAINED}u = effect()\n{body}\n")

    assert not result.changed
    assert codes(result, Kind.MANUAL)[:1] == [code] or code in codes(result, Kind.MANUAL)


PREDICTORS = {
    "a checkpoint's": (
        "p = TorchPredictor.from_checkpoint(result.checkpoint, effect(), use_gpu=True)",
        "p = ModelPredictor.from_checkpoint(result.checkpoint, effect(), use_gpu=True)",
    ),
    "by keyword": (
        "p = TorchPredictor.from_checkpoint(checkpoint=result.checkpoint, model=effect())",
        "p = ModelPredictor.from_checkpoint(checkpoint=result.checkpoint, model=effect())",
    ),
    "a model's": ("p = TorchPredictor(model=effect())", "p = ModelPredictor(model=effect())"),
    "a model's, by position": ("p = TorchPredictor(effect(), None, True)", "p = ModelPredictor(effect(), True)"),
    "in batches": (
        "p = BatchPredictor.from_checkpoint(result.checkpoint, TorchPredictor, model=effect())\n"
        "d = p.predict(u, batch_size=8, dtype=int, num_gpus_per_worker=1)",
        "p_kwargs = dict(checkpoint=result.checkpoint, model=effect()) "
        'd = u.map_batches(BatchModelPredictor, fn_constructor_kwargs={**p_kwargs, "use_gpu": True}, '
        'fn_kwargs={"dtype": int}, batch_size=8, batch_format="numpy", compute=ActorPoolStrategy(), num_gpus=1)',
    ),
}


@pytest.mark.parametrize(("body", "expected"), PREDICTORS.values(), ids=PREDICTORS.keys())
def test_torch_predictor(body: str, expected: str) -> None:
    result = migrate(f"{TRAINED}u = effect()\n{body}\n")
    text = flat(after(result))

    assert flat(expected) in text
    assert "TorchPredictor(" not in text
    assert "def load_model(checkpoint, model=None):" in text
    assert "MT432" in codes(result)


READ = {
    "this run's": ("result.checkpoint", False),
    "made here": ("TorchCheckpoint.from_model(effect())", False),
    "from a bucket": ("Checkpoint.from_uri('s3://a/b')", True),
    "of a class from a bucket": ("TorchCheckpoint.from_uri('s3://a/b')", True),
    "this run's from its path": ("TorchCheckpoint(result.checkpoint.path)", False),
}


@pytest.mark.parametrize(("checkpoint", "may_be_old"), READ.values(), ids=READ.keys())
@pytest.mark.parametrize("use", ["c.to_dict()", "c.get_model()", "TorchPredictor.from_checkpoint(c)"])
def test_what_an_earlier_ray_wrote(use: str, checkpoint: str, may_be_old: bool) -> None:
    result = migrate(f"{TRAINED}c = {checkpoint}\n{use}\n")

    assert result.changed
    assert ("MT434" in codes(result)) is may_be_old
