"""Predictors: classes of the script that give what Ray's gave, and the calls that use them."""

from __future__ import annotations

from typing import Any

import pytest
from rewriting import after, codes, findings, lightning, migrate

from migrate_trainers.findings import Kind
from migrate_trainers.writing import templates

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")

IMPORTS = """\
import ray
from ray.train.batch_predictor import BatchPredictor
from ray.train.lightning import LightningPredictor
"""
MADE = "p = BatchPredictor.from_checkpoint(result.checkpoint, LightningPredictor, model_class=Net)\n"


def _after(body: str) -> str:
    """What becomes of a body behind a program that trains, with its quotes and blank space as one form."""
    text = after(migrate(IMPORTS + lightning() + body))
    return " ".join(text.replace(",\n)", ")").replace("(\n", "(").split()).replace("( ", "(").replace(", )", ")")


ALONE = {
    "a checkpoint's": (
        "p = LightningPredictor.from_checkpoint(result.checkpoint, Net, use_gpu=True, lr=1)\n",
        "p = ModelPredictor.from_checkpoint(result.checkpoint, Net, use_gpu=True, lr=1)",
    ),
    "by keyword": (
        "p = LightningPredictor.from_checkpoint(checkpoint=result.checkpoint, model_class=Net, preprocessor=None)\n",
        "p = ModelPredictor.from_checkpoint(checkpoint=result.checkpoint, model_class=Net)",
    ),
    "a model's": ("p = LightningPredictor(model=Net())\n", "p = ModelPredictor(model=Net())"),
    "a model's, by position": ("p = LightningPredictor(Net(), None, True)\n", "p = ModelPredictor(Net(), True)"),
    "an annotation": (
        "def f(p: LightningPredictor):\n    return p.predict(1)\nf(LightningPredictor(Net()))\n",
        "def f(p: ModelPredictor): return p.predict(1) f(ModelPredictor(Net()))",
    ),
    "a model of a checkpoint": (
        "p = LightningPredictor(model=result.checkpoint.get_model(Net))\n",
        'p = ModelPredictor(model=Net.load_from_checkpoint(os.path.join(checkpoint_dir, "checkpoint.ckpt")))',
    ),
}


@pytest.mark.parametrize(("body", "expected"), ALONE.values(), ids=ALONE.keys())
def test_predictor(body: str, expected: str) -> None:
    text = _after(body)

    assert expected in text
    assert text.count("class ModelPredictor:") == 1
    assert text.index("class ModelPredictor:") < text.index(expected)
    assert "LightningPredictor," not in text


_POOL = "compute=ActorPoolStrategy()"
BATCHES = {
    "plain": (
        MADE + "ds = p.predict(ray.data.range(8))\n",
        "p_kwargs = dict(checkpoint=result.checkpoint, model_class=Net)",
        "ds = ray.data.range(8).map_batches(BatchModelPredictor, fn_constructor_kwargs=p_kwargs, batch_size=4096,"
        f' batch_format="numpy", {_POOL})',
    ),
    "made and used at once": (
        "ds = BatchPredictor(result.checkpoint, LightningPredictor, model_class=Net, lr=1).predict(data)\n",
        "",
        "ds = data.map_batches(BatchModelPredictor, fn_constructor_kwargs=dict(checkpoint=result.checkpoint,"
        f' model_class=Net, lr=1), batch_size=4096, batch_format="numpy", {_POOL})',
    ),
    "columns and types": (
        MADE + "ds = p.predict(data, feature_columns=['x'], keep_columns=['y'], dtype=kind, batch_size=2)\n",
        "",
        """fn_kwargs={"dtype": kind, "feature_columns": ['x'], "keep_columns": ['y']}, batch_size=2,""",
    ),
    "a pool": (
        MADE + "ds = p.predict(data, min_scoring_workers=2, max_scoring_workers=n)\n",
        "",
        "compute=ActorPoolStrategy(min_size=2, max_size=n))",
    ),
    "GPUs": (
        MADE + "ds = p.predict(data, num_gpus_per_worker=0.5, num_cpus_per_worker=2)\n",
        'fn_constructor_kwargs={**p_kwargs, "use_gpu": True}',
        "num_cpus=2, num_gpus=0.5)",
    ),
    "some number of GPUs": (
        MADE + "ds = p.predict(data, num_gpus_per_worker=gpus)\n",
        'fn_constructor_kwargs={**p_kwargs, "use_gpu": gpus > 0}',
        "num_gpus=gpus)",
    ),
    "GPUs if there are some": (
        MADE + "ds = p.predict(data, num_gpus_per_worker=int(use_gpu))\n",
        'fn_constructor_kwargs={**p_kwargs, "use_gpu": int(use_gpu) > 0}',
        "num_gpus=int(use_gpu))",
    ),
    "GPUs on a condition": (
        MADE + "ds = p.predict(data, num_gpus_per_worker=1 if use_gpu else 0)\n",
        'fn_constructor_kwargs={**p_kwargs, "use_gpu": (1 if use_gpu else 0) > 0}',
        "num_gpus=1 if use_gpu else 0)",
    ),
    "no GPUs": (
        MADE + "ds = p.predict(data, num_gpus_per_worker=0)\n",
        "fn_constructor_kwargs=p_kwargs,",
        "num_gpus=0)",
    ),
    "GPUs, but not for the model": (
        MADE.replace("=Net", "=Net, use_gpu=False") + "ds = p.predict(data, num_gpus_per_worker=1)\n",
        "fn_constructor_kwargs=p_kwargs,",
        "num_gpus=1)",
    ),
    "twice": (
        MADE + "a = p.predict(data)\nb = p.predict(data=other or data, separate_gpu_stage=False)\n",
        "a = data.map_batches(",
        "b = (other or data).map_batches(",
    ),
    "further resources": (
        MADE + "ds = p.predict(data, ray_remote_args={'memory': 1})\n",
        "",
        "**{'memory': 1})",
    ),
}


@pytest.mark.parametrize(("body", "first", "second"), BATCHES.values(), ids=BATCHES.keys())
def test_batch_predictor(body: str, first: str, second: str) -> None:
    names = "from project import effect as data, effect as other, effect as n, effect as gpus, effect as kind\n"
    text = _after(names + body)

    assert first in text
    assert second in text
    assert text.count("class BatchModelPredictor:") == 1


def test_checkpoint_of_unknown_origin_may_hold_the_old_file() -> None:
    body = "def load(checkpoint):\n    return LightningPredictor.from_checkpoint(checkpoint, Net)\n"

    text = _after(body)

    assert 'path = os.path.join(folder, "model")' in text


def test_comments_stay() -> None:
    text = _after(MADE + "ds = p.predict(\n    ray.data.range(8),  # all\n    # few\n    batch_size=2,\n)\n")

    assert "# few batch_size=2," in text
    assert "# all" in text


LEFT = {
    "a preprocessor": ("LightningPredictor.from_checkpoint(result.checkpoint, Net, preprocessor=effect())", "MT403"),
    "a preprocessor by position": ("LightningPredictor(Net(), effect())", "MT403"),
    "hidden arguments": ("LightningPredictor(*effect())", "MT104"),
    "the class as a value": ("effect(LightningPredictor)", "MT125"),
    "a subclass": ("class Mine(LightningPredictor):\n    pass", "MT125"),
    "the method as a value": ("make = LightningPredictor.from_checkpoint\nmake(1, Net)", "MT125"),
    "another predictor": (
        "BatchPredictor.from_checkpoint(result.checkpoint, effect, model_class=Net).predict(1)",
        "MT401",
    ),
    "a function": ("BatchPredictor.from_pandas_udf(effect)", "MT125"),
    "passed on": (MADE + "effect(p)", "MT125"),
    "another method": (MADE + "p.predict_pipelined(1)", "MT125"),
    "kept in an object": ("effect.p = " + MADE.partition(" = ")[2], "MT125"),
    "bound twice": (MADE + MADE, "MT125"),
    "hidden settings": (MADE + "p.predict(1, **effect())", "MT104"),
    "an unknown setting": (MADE + "p.predict(1, blocks=2)", "MT125"),
    "a number of GPUs on a condition with an effect": (
        MADE + "p.predict(1, num_gpus_per_worker=1 if effect(1) else 0)",
        "MT125",
    ),
    "a number of GPUs with an effect": (MADE + "p.predict(1, num_gpus_per_worker=effect(1))", "MT125"),
}


@pytest.mark.parametrize(("body", "code"), LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(body: str, code: str) -> None:
    result = migrate(IMPORTS + lightning() + body + "\n")

    assert result.after == result.before
    assert set(codes(result, Kind.MANUAL)) - {"MT905"} == {code}, findings(result)


def test_bundled_runtime_has_no_map_batches_with_classes() -> None:
    result = migrate(IMPORTS + lightning() + MADE + "p.predict(1)\n", bundled=True)

    assert "MT125" in codes(result, Kind.MANUAL)


# The classes themselves


class Doubled(torch.nn.Module):  # type: ignore[misc]
    """Doubles what it is given: a tensor, or the sum of a dictionary's."""

    def __init__(self, outputs: str = "") -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x: Any) -> Any:
        assert not self.training
        assert not torch.is_grad_enabled()
        total = sum(x.values()) if isinstance(x, dict) else x
        return {self.outputs: 2 * total} if self.outputs else 2 * total


def _predictor(template: str, model: Any) -> Any:
    names: dict[str, Any] = {"numpy": np, "torch": torch, "load": lambda checkpoint, model_class, **kwargs: checkpoint}
    form = {"kind": "", "predictor": "", "parameters": "checkpoint, model_class, use_gpu=False, **kwargs"}
    loading = {"load_model": "load", "arguments": "checkpoint, model_class, **kwargs"}
    exec(template.format(name="Predictor", torch="torch", numpy="numpy", **form, **loading), names)
    if template is templates.PREDICTOR:
        return names["Predictor"].from_checkpoint(model, None, a=1).predict
    return names["Predictor"](model, None, a=1)


ROWS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


@pytest.mark.parametrize("template", [templates.PREDICTOR, templates.BATCH_PREDICTOR])
def test_dictionaries_of_columns(template: str) -> None:
    predict = _predictor(template, Doubled())

    assert np.array_equal(predict({"x": ROWS})["predictions"], 2 * ROWS)
    assert np.array_equal(predict({"a": ROWS, "b": ROWS})["predictions"], 4 * ROWS)
    assert predict({"x": ROWS}, dtype=torch.float32)["predictions"].dtype == np.float32
    mixed = predict({"a": ROWS, "b": ROWS}, dtype={"a": torch.float32, "b": torch.int64})
    assert np.array_equal(mixed["predictions"], 4 * ROWS)


@pytest.mark.parametrize("template", [templates.PREDICTOR, templates.BATCH_PREDICTOR])
def test_column_of_arrays_is_stacked(template: str) -> None:
    column = np.empty(3, dtype=object)
    column[:] = list(ROWS)

    assert np.array_equal(_predictor(template, Doubled())({"x": column})["predictions"], 2 * ROWS)


@pytest.mark.parametrize("template", [templates.PREDICTOR, templates.BATCH_PREDICTOR])
def test_dictionary_of_outputs(template: str) -> None:
    assert set(_predictor(template, Doubled("logits"))({"x": ROWS})) == {"logits"}


def test_single_array() -> None:
    assert np.array_equal(_predictor(templates.PREDICTOR, Doubled())(ROWS)["predictions"], 2 * ROWS)


def test_data_frame_for_a_data_frame() -> None:
    pandas = pytest.importorskip("pandas")
    predict = _predictor(templates.PREDICTOR, Doubled())

    frame = predict(pandas.DataFrame({"x": [1.0, 2.0]}))
    wide = predict(pandas.DataFrame({"x": list(ROWS)}))

    assert frame["predictions"].tolist() == [2.0, 4.0]
    assert [row.tolist() for row in wide["predictions"]] == (2 * ROWS).tolist()


def test_columns_are_chosen_and_kept() -> None:
    predict = _predictor(templates.BATCH_PREDICTOR, Doubled())

    given = predict({"x": ROWS, "y": np.arange(3)}, feature_columns=["x"], keep_columns=["y"])

    assert np.array_equal(given["predictions"], 2 * ROWS)
    assert given["y"].tolist() == [0, 1, 2]
