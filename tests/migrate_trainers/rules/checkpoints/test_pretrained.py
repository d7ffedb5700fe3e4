"""Models, tokenizers and arguments that are read from Transformers checkpoints: from where the run put their files."""

from __future__ import annotations

import pytest
from rewriting import SCALING, TRANSFORMERS_IMPORTS, after, codes, findings, in_function, migrate
from worker_calls.run import assert_same_calls

from migrate_trainers.findings import Kind

IMPORTS = "from transformers import AutoModel, AutoTokenizer, BertModel\n" + TRANSFORMERS_IMPORTS
CHECKPOINT = "from ray.train.huggingface import TransformersCheckpoint\n"
# With these arguments Ray's callback reports, and puts the files into a folder of the checkpoint.
BELOW = "'out', save_strategy='epoch', logging_strategy='epoch'"
AT_ROOT = "'out', save_strategy='no'"
LAYOUTS = pytest.mark.parametrize("arguments", [BELOW, AT_ROOT], ids=["below a folder", "at the root"])


def program(body: str, arguments: str = BELOW) -> str:
    """A program that trains, then runs a body; `result` is what training gave."""
    return f"""{IMPORTS}
def init(train_dataset, eval_dataset=None, **config):
    return Trainer(make_model(), TrainingArguments({arguments}))


trainer = TransformersTrainer(trainer_init_per_worker=init, scaling_config={SCALING})
result = trainer.fit()
{body}"""


READ = {
    "a model": "model = result.checkpoint.get_model(AutoModel, num_labels=effect(2))\n",
    "a model by keyword": "model = result.checkpoint.get_model(model=AutoModel)\n",
    "a tokenizer": "tokenizer = result.checkpoint.get_tokenizer(AutoTokenizer, use_fast=True)\n",
    "a tokenizer by keyword": "tokenizer = result.checkpoint.get_tokenizer(tokenizer=AutoTokenizer)\n",
    "arguments": "effect(result.checkpoint.get_training_arguments())\n",
    "an attribute of the arguments": "rate = result.checkpoint.get_training_arguments().learning_rate\neffect(rate)\n",
    "all of them": (
        "checkpoint = result.checkpoint\n"
        "model = checkpoint.get_model(AutoModel)  # the last\n"
        "tokenizer = checkpoint.get_tokenizer(AutoTokenizer)\n"
        "args = checkpoint.get_training_arguments()\n"
    ),
    "two in one statement": (
        "c = result.checkpoint\nmodel, tokenizer = c.get_model(AutoModel), c.get_tokenizer(AutoTokenizer)\n"
    ),
    "two of another variable": (
        "c = result.checkpoint\nmodel = c.get_model(AutoModel)\n"
        "c = result.best_checkpoints[0][0]\nmodel = c.get_model(BertModel)\n"
    ),
    "a variable that is bound anew": (
        "c = result.checkpoint\nmodel = c.get_model(AutoModel)\nc = model\n"
        "d = result.checkpoint\nd.get_model(AutoModel)\n"
    ),
    "checkpoints by a call": (
        "def last():\n    return effect(1) and result.checkpoint\n\n\n"
        "def best():\n    effect(2)\n    return result.checkpoint\n\n\n"
        "model = best().get_model(AutoModel)\ntokenizer = best().get_tokenizer(AutoTokenizer)\n"
    ),
    "the best": "model = result.best_checkpoints[0][0].get_model(BertModel)\n",
    "each": "for c, metrics in result.best_checkpoints:\n    effect(c.get_model(BertModel))\n",
    "a comprehension": "models = [c.get_model(AutoModel) for c, _ in result.best_checkpoints]\n",
    "an annotated variable": CHECKPOINT + "c: TransformersCheckpoint = result.checkpoint\nm = c.get_model(AutoModel)\n",
    "of an annotated result": (
        "from ray.air.result import Result\n\n\n"
        "def load(r: Result):\n    return r.checkpoint.get_model(AutoModel)\n\n\nload(result)\n"
    ),
    "a type test": CHECKPOINT
    + "c = result.checkpoint\nisinstance(c, TransformersCheckpoint) and c.get_model(AutoModel)\n",
    "the same checkpoint": CHECKPOINT
    + "TransformersCheckpoint.from_checkpoint(result.checkpoint).get_model(AutoModel)\n",
    "its path": CHECKPOINT + "m = TransformersCheckpoint(result.checkpoint.path).get_model(AutoModel)\n",
    "another folder": CHECKPOINT + "effect(TransformersCheckpoint.from_directory('x').get_model(AutoModel, a=1))\n",
    "a URI": CHECKPOINT + "c = TransformersCheckpoint.from_uri('s3://x')\nt = c.get_tokenizer(AutoTokenizer)\n",
    "the old name": (
        "from ray.train.huggingface import HuggingFaceCheckpoint\n"
        "effect(HuggingFaceCheckpoint.from_directory('x').get_model(AutoModel))\n"
    ),
    "the old module": (
        "from ray.train.huggingface.huggingface_checkpoint import HuggingFaceCheckpoint\n"
        "effect(HuggingFaceCheckpoint.from_directory('x').get_model(AutoModel))\n"
    ),
    "a function's checkpoint": (
        "def load(checkpoint, classes):\n    for cls in classes:\n        yield checkpoint.get_tokenizer(cls)\n\n\n"
        "list(load(result.checkpoint, [AutoTokenizer]))\n"
    ),
    "a method": (
        "class Run:\n    def __init__(self):\n        self.result = trainer.fit()\n\n"
        "    def load(self):\n        return self.result.checkpoint.get_model(AutoModel)\n\n\nRun().load()\n"
    ),
    "a script that opens the folder, too": (
        "def files(c):\n    with c.as_directory() as folder:\n        return effect(folder)\n\n\n"
        "files(result.checkpoint)\nmodel = result.checkpoint.get_model(AutoModel)\n"
    ),
    "a function of another file": "effect(result.checkpoint.path)\nm = result.checkpoint.get_model(AutoModel)\n",
    "names that are taken": "checkpoint_dir = load_pretrained = os = 1\nm = [result.checkpoint.get_model(AutoModel)]\n",
}


@LAYOUTS
@pytest.mark.parametrize("body", READ.values(), ids=READ.keys())
def test_same_files_are_read(body: str, arguments: str) -> None:
    source = program(body, arguments)

    text = after(migrate(source))

    assert_same_calls(source, text)
    for gone in ("get_model", "get_tokenizer", "get_training_arguments", "TransformersCheckpoint", "HuggingFace"):
        assert gone not in text


@pytest.mark.parametrize("body", READ.values(), ids=READ.keys())
def test_same_files_are_read_in_a_function(body: str) -> None:
    source = in_function(program(body))

    assert_same_calls(source, after(migrate(source)))


def test_one_with_for_lines_that_read_one_checkpoint() -> None:
    text = after(migrate(program(READ["all of them"])))

    assert text.endswith("""\
checkpoint = result.checkpoint
with checkpoint.as_directory() as checkpoint_dir:
    model = AutoModel.from_pretrained(
        os.path.join(checkpoint_dir, "checkpoint"),
    )  # the last
    tokenizer = AutoTokenizer.from_pretrained(
        os.path.join(checkpoint_dir, "checkpoint"),
    )
    args = torch.load(
        os.path.join(checkpoint_dir, "checkpoint", "training_args.bin"),
        weights_only=False,
    )
""")


def test_files_at_the_root() -> None:
    text = after(migrate(program(READ["all of them"], AT_ROOT)))

    assert "    tokenizer = AutoTokenizer.from_pretrained(checkpoint_dir)\n" in text
    assert 'torch.load(\n        os.path.join(checkpoint_dir, "training_args.bin"),\n' in text


@pytest.mark.parametrize(
    "given", ["TransformersCheckpoint('x')", "TransformersCheckpoint.from_checkpoint(first.checkpoint)"]
)
def test_checkpoint_to_start_from(given: str) -> None:
    source = CHECKPOINT + program("").replace(
        "result = trainer.fit()",
        "first = trainer.fit()\n"
        f"TransformersTrainer(init, scaling_config={SCALING}, resume_from_checkpoint={given}).fit()",
    )

    assert_same_calls(source, after(migrate(source)))


LEFT = {
    "an unknown function": ("from project import load\nmodel = load().checkpoint.get_model(AutoModel)\n", "MT421"),
    "of an unknown variable": (
        "from project import ckpt as c\nckpt = c()\nckpt.get_tokenizer(AutoTokenizer)\n",
        "MT421",
    ),
    "the class as a value": (CHECKPOINT + "effect(TransformersCheckpoint)\n", "MT421"),
    "a subclass": (CHECKPOINT + "class Mine(TransformersCheckpoint):\n    pass\n", "MT421"),
    "a splat": ("model = result.checkpoint.get_model(**effect())\n", "MT421"),
    "the method as a value": ("load = result.checkpoint.get_model\n", "MT421"),
    "a dictionary": (CHECKPOINT + "TransformersCheckpoint.from_dict({})\n", "MT401"),
    "a file": (CHECKPOINT + "TransformersCheckpoint.from_path('x')\n", "MT401"),
    "a preprocessor": (CHECKPOINT + "TransformersCheckpoint.from_model(1, path='x', preprocessor=effect())\n", "MT403"),
    "no model": (CHECKPOINT + "TransformersCheckpoint.from_model(path='x')\n", "MT106"),
    "too much": (CHECKPOINT + "TransformersCheckpoint.from_model(1, 2, 'x')\n", "MT106"),
    "a preprocessor that is read": ("result.checkpoint.get_preprocessor()\n", "MT401"),
}


@pytest.mark.parametrize(("body", "code"), LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(body: str, code: str) -> None:
    result = migrate(program(body))

    assert result.after == result.before
    assert set(codes(result, Kind.MANUAL)) - {"MT905"} == {code}, findings(result)


def test_results_of_two_trainers_in_one_file() -> None:
    source = program("model = result.checkpoint.get_model(AutoModel)\n") + (
        "import pytorch_lightning as pl\nfrom project import DM, Net\n"
        "from ray.train.lightning import LightningConfigBuilder, LightningTrainer\n"
        "config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()\n"
        f"net = LightningTrainer(config, scaling_config={SCALING}).fit().checkpoint.get_model(Net)\n"
    )

    assert_same_calls(source, after(migrate(source)))


def test_result_of_either_trainer_is_left() -> None:
    source = program("") + (
        "from ray.air.result import Result\nfrom ray.train.lightning import LightningTrainer\n"
        "def load(r: Result):\n    return r.checkpoint.get_model(AutoModel)\n"
    )

    result = migrate(source)

    assert result.after == result.before
    assert {"MT411", "MT421"} & set(codes(result, Kind.MANUAL))


def test_reader_in_a_file_that_imports_nothing_for_all_of_it_is_left() -> None:
    text = """
        from __future__ import annotations
        def f():
            from ray.train.huggingface import TransformersCheckpoint
            return TransformersCheckpoint.from_directory("x")
        def g():
            from transformers import BertModel
            return f().get_model(BertModel)
        """

    result = migrate(text)

    assert not result.changed
    assert codes(result) == ["MT421"]
