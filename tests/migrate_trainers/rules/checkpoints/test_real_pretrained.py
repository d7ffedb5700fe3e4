"""Rewritten readers of Transformers checkpoints, run on a very small BERT's files: at the root, and below a folder."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from rewriting import after, migrate

if TYPE_CHECKING:
    from pathlib import Path

pandas = pytest.importorskip("pandas")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "a")
CHECKPOINT = "from ray.train.huggingface import TransformersCheckpoint\n"


def _model() -> Any:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
        num_labels=2,
    )
    return transformers.BertForSequenceClassification(config).eval()


@pytest.fixture(scope="module", params=["", "checkpoint"], ids=["at the root", "below a folder"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint's folder, with the files in it or below it."""
    checkpoint = tmp_path_factory.mktemp("checkpoint")
    files = checkpoint / request.param
    files.mkdir(exist_ok=True)
    (files / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizer(str(files / "vocab.txt")).save_pretrained(files)
    _model().save_pretrained(files)
    arguments = transformers.TrainingArguments(str(files), learning_rate=0.5, use_cpu=True, report_to="none")
    torch.save(arguments, files / "training_args.bin")
    return checkpoint


def _run(body: str, folder: Path, **names: Any) -> dict[str, Any]:
    """The variables of a program after its migration, which reads a checkpoint in a folder."""
    text = after(migrate(CHECKPOINT + body, bundled=True))
    variables = {"FOLDER": str(folder), **names}
    exec(compile(text, "<migrated>", "exec"), variables)
    return variables


def _same(one: Any, other: Any) -> bool:
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_everything_is_loaded(folder: Path) -> None:
    read = _run(
        """
from transformers import AutoTokenizer, BertForSequenceClassification

checkpoint = TransformersCheckpoint.from_directory(FOLDER)
model = checkpoint.get_model(BertForSequenceClassification, output_attentions=True, attn_implementation="eager")
tokenizer = checkpoint.get_tokenizer(AutoTokenizer)
rate = checkpoint.get_training_arguments().learning_rate
""",
        folder,
    )

    assert _same(read["model"], _model())
    assert read["model"].config.output_attentions
    assert read["tokenizer"].tokenize("good film") == ["good", "film"]
    assert read["rate"] == 0.5


@pytest.mark.parametrize("argument", ["own", "classes[0]"])
def test_model_or_class(folder: Path, argument: str) -> None:
    """A model takes the weights and comes back; what may be either is asked when the program runs."""
    own = _model().requires_grad_(False)
    own.classifier.weight.fill_(1)

    read = _run(
        f"model = TransformersCheckpoint.from_directory(FOLDER).get_model({argument})\n",
        folder,
        own=own,
        classes=[transformers.BertForSequenceClassification],
    )

    assert _same(read["model"], _model())
    assert (read["model"] is own) == (argument == "own")


def test_weights_of_before_safetensors(tmp_path: Path) -> None:
    torch.save(_model().state_dict(), tmp_path / "pytorch_model.bin")
    own = _model().requires_grad_(False)
    own.classifier.weight.fill_(1)

    _run("TransformersCheckpoint.from_directory(FOLDER).get_model(own)\n", tmp_path, own=own)

    assert _same(own, _model())


def test_no_training_arguments(tmp_path: Path) -> None:
    read = _run("args = TransformersCheckpoint(FOLDER).get_training_arguments()\n", tmp_path)

    assert read["args"] is None


@pytest.mark.parametrize("has_path", [True, False])
def test_checkpoint_of_a_model(tmp_path: Path, has_path: bool) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = transformers.BertTokenizer(str(tmp_path / "vocab.txt"))
    path = f", path={str(tmp_path)!r}" if has_path else ""

    read = _run(
        f"made = TransformersCheckpoint.from_model(model, tokenizer{path}, preprocessor=None)\n",
        tmp_path,
        model=_model(),
        tokenizer=tokenizer,
    )

    assert (read["made"].path == str(tmp_path)) == has_path
    assert _same(transformers.BertForSequenceClassification.from_pretrained(read["made"].path), _model())
    assert transformers.AutoTokenizer.from_pretrained(read["made"].path).tokenize("bad film") == ["bad", "film"]


def test_checkpoint_of_a_plain_module(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 1)

    _run("TransformersCheckpoint.from_model(module, path=FOLDER)\n", tmp_path, module=module)

    assert os.listdir(tmp_path) == ["pytorch_model.bin"]


# Predictors

PREDICTOR = "from ray.train.huggingface import TransformersPredictor\n"
FRAME = pandas.DataFrame({"text": ["good film", "bad film", "a film"], "number": [1, 2, 3]})


def _expected(folder: Path, **kwargs: Any) -> Any:
    below = folder / "checkpoint"
    path = str(below if below.is_dir() else folder)
    pipeline = transformers.pipeline("text-classification", model=path, device="cpu")
    return pipeline(FRAME["text"].to_list(), **kwargs)


def _predictor(folder: Path, arguments: str = 'task="text-classification"') -> Any:
    body = f"p = TransformersPredictor.from_checkpoint(TransformersCheckpoint(FOLDER), {arguments})\n"
    return _run(PREDICTOR + body, folder)["p"]


def test_predictor_gives_a_row_for_each_row(folder: Path) -> None:
    predictions = _predictor(folder).predict(FRAME, feature_columns=["text"])

    assert predictions.to_dict("records") == _expected(folder)


def test_arguments_of_the_call_reach_the_pipeline(folder: Path) -> None:
    predictions = _predictor(folder).predict(FRAME[["text"]], top_k=None)

    assert list(predictions.columns) == ["0", "1"]
    assert predictions["0"].to_list() == [row[0] for row in _expected(folder, top_k=None)]


def test_single_row(folder: Path) -> None:
    predictions = _predictor(folder).predict(FRAME[["text"]][:1])

    assert predictions.to_dict("records") == _expected(folder)[:1]


@pytest.mark.parametrize("columns", [dict, lambda columns: columns["text"]])
def test_arrays_for_arrays(folder: Path, columns: Any) -> None:
    predictions = _predictor(folder).predict(columns({"text": FRAME["text"].to_numpy()}))

    assert predictions["label"].tolist() == [row["label"] for row in _expected(folder)]


def test_model_class_and_pipeline_class(folder: Path) -> None:
    """The model is loaded by its class; the tokenizer has to be given then, as it had to be."""
    variables = _run(
        PREDICTOR
        + """
from transformers import AutoTokenizer, BertForSequenceClassification, TextClassificationPipeline

c = TransformersCheckpoint(FOLDER)
p = TransformersPredictor.from_checkpoint(
    c,
    pipeline_cls=TextClassificationPipeline,
    model_cls=BertForSequenceClassification,
    tokenizer=c.get_tokenizer(AutoTokenizer),
    pretrained_model_kwargs={"num_labels": 2},
)
""",
        folder,
    )

    assert type(variables["p"].pipeline) is transformers.TextClassificationPipeline
    assert variables["p"].predict(FRAME[["text"]]).to_dict("records") == _expected(folder)


def test_model_of_an_own_pipeline(folder: Path) -> None:
    pipeline = _predictor(folder).pipeline

    read = _run(PREDICTOR + "p = TransformersPredictor(pipeline, None, False)\n", folder, pipeline=pipeline)

    assert read["p"].predict(FRAME[["text"]]).to_dict("records") == _expected(folder)


@pytest.mark.parametrize(("arguments", "device"), [("", "cpu"), (", device='meta'", "meta")])
def test_device(folder: Path, arguments: str, device: str) -> None:
    """The CPU unless the script says otherwise: a pipeline itself would take a GPU that is there."""
    assert _predictor(folder, f'task="text-classification"{arguments}').pipeline.device.type == device


def test_gpu_is_the_first(folder: Path) -> None:
    made = []
    text = after(
        migrate(
            CHECKPOINT
            + PREDICTOR
            + "c = TransformersCheckpoint(FOLDER)\n"
            + "TransformersPredictor.from_checkpoint(c, task='x', use_gpu=True)\n"
            + "TransformersPredictor.from_checkpoint(c, task='x', use_gpu=True, device_map='auto')\n",
            bundled=True,
        )
    ).replace("from transformers import pipeline\n", "")

    exec(text, {"FOLDER": str(folder), "pipeline": lambda **kwargs: made.append(kwargs)})

    assert [(one.get("device"), one.get("device_map")) for one in made] == [(0, None), (None, "auto")]


def test_batches(folder: Path) -> None:
    """What `Dataset.map_batches` would make and call is called here."""
    text = after(
        migrate(
            CHECKPOINT
            + PREDICTOR
            + "from ray.train.batch_predictor import BatchPredictor\n"
            + "p = BatchPredictor.from_checkpoint(\n"
            + "    TransformersCheckpoint(FOLDER), TransformersPredictor, task='text-classification')\n"
            + "ds = p.predict(ds, feature_columns=['text'], keep_columns=['number'], batch_size=2, truncation=True)\n"
        )
    )

    class Dataset:
        def map_batches(self, cls: Any, **kwargs: Any) -> Any:
            assert kwargs["batch_format"] == "pandas"
            assert kwargs["batch_size"] == 2
            return cls(**kwargs["fn_constructor_kwargs"])(FRAME, **kwargs["fn_kwargs"])

    lines = [line for line in text.splitlines() if not line.startswith("from ray.")]
    names = {"FOLDER": str(folder), "ds": Dataset(), "ActorPoolStrategy": dict, "Checkpoint": _Folder}
    exec("\n".join(lines), names)

    expected = [row | {"number": number} for number, row in enumerate(_expected(folder), 1)]
    assert names["ds"].to_dict("records") == expected


class _Folder:
    """What a program without Ray has for a checkpoint."""

    def __init__(self, path: str) -> None:
        self.path = path

    def as_directory(self) -> Any:
        return contextlib.nullcontext(self.path)
