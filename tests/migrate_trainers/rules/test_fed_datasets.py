"""Ray Data for TransformersTrainer and AccelerateTrainer: the workers read the rows that those fed them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
from rewriting import ACCELERATE_IMPORTS, SCALING, TRANSFORMERS_IMPORTS, after, codes, in_function, migrate
from worker_calls import assert_same_calls

from migrate_trainers import Settings, migrate_project
from migrate_trainers.findings import Kind

DATA = """\
import ray

train = ray.data.from_items([{"x": i} for i in range(11)])
test = ray.data.from_items([{"x": -i} for i in range(7)])

"""
INIT = """\
def init(train_dataset, eval_dataset=None, **config):
    args = TrainingArguments("out"SETTINGS)
    return Trainer(make_model(), args, train_dataset=train_dataset, eval_dataset=eval_datasetARGUMENTS)

"""
# It maps the rows of the dataset that it is given.
MAPS = INIT.replace("=train_dataset", "=train_dataset.map(effect)")
BOTH = "datasets={'train': train, 'evaluation': test}"


def fed(trainer: str = BOTH, *, settings: str = "", arguments: str = "", init: str = INIT, before: str = "") -> str:
    """A program with a TransformersTrainer; `settings` are of its TrainingArguments, `arguments` of its Trainer."""
    function = dedent(init).replace("SETTINGS", settings).replace("ARGUMENTS", arguments)
    call = f"trainer = TransformersTrainer(init, scaling_config={SCALING}, {trainer})"
    return f"{TRANSFORMERS_IMPORTS}{DATA}{dedent(before)}\n{function}\n{call}\ntrainer.fit()\n"


def check(text: str, *, version: tuple[int, int] = (2, 6)) -> str:
    """The output, whose workers read the same batches."""
    output = after(migrate(text, source_version=version))
    assert_same_calls(text, output, version=version)
    return output


def worker_batches(text: str) -> list[dict[str, Any]]:
    """What each worker's Trainer reads, by the argument that it was given as."""
    workers = assert_same_calls(text, check(text)).fits[0]["workers"]
    return [next(call[1] for call in calls if call[0] == "transformers.Trainer") for calls in workers]


# TransformersTrainer

FED = {
    "train and evaluation": fed(),
    "train alone": fed("datasets={'train': train}"),
    "evaluation alone": fed("datasets={'evaluation': test}"),
    "others too": fed("datasets={'train': train, 'evaluation': test, 'more': test}"),
    "sizes of batches": fed(settings=", per_device_train_batch_size=2, per_device_eval_batch_size=3"),
    "nothing left over": fed(settings=", per_device_train_batch_size=5, per_device_eval_batch_size=7"),
    "the last batch dropped": fed(settings=", per_device_train_batch_size=2, dataloader_drop_last=True"),
    "a data collator": fed(arguments=", data_collator=collate", before="def collate(rows):\n    return tuple(rows)\n"),
    "by position": fed(
        init=INIT.replace("train_dataset=train_dataset, eval_dataset=eval_dataset", "list, train_dataset, eval_dataset")
    ),
    "steps": fed(settings=", max_steps=5"),
    "made by dict": fed("datasets=dict(train=train, evaluation=test)"),
    "in a variable": fed("datasets=sets", before="sets = {'train': train, 'evaluation': test}"),
    "in steps": fed("datasets=sets", before="sets = {'train': train}\nsets['evaluation'] = test"),
    "only the training data is read": fed(init=INIT.replace("eval_dataset=eval_dataset", "eval_dataset=[1]")),
    "own training data": fed(init=INIT.replace("train_dataset=train_dataset", "train_dataset=[1]")),
    "none is read": fed(init=INIT.replace(", train_dataset=train_dataset, eval_dataset=eval_dataset", "")),
    "a kept function": fed(init=INIT + "effect(init.__name__)\n"),
    "a lambda": fed(
        init="init = lambda train, test, **config: Trainer("
        "make_model(), TrainingArguments('out'), train_dataset=train, eval_dataset=test)\n"
    ),
    "the length": fed(init=INIT.replace("SETTINGS", ", warmup_steps=len(train_dataset)")),
    "a condition": fed(init=INIT.replace("eval_dataset=eval_dataset", "eval_dataset=eval_dataset if config else None")),
    "a configuration": fed(BOTH + ", trainer_init_config={'lr': 1}", settings=", learning_rate=config['lr']"),
    "read while training": fed("datasets={'train': ray.data.read_csv('a.csv')}", settings=", max_steps=5"),
    "prepared while training": fed(
        "datasets={'train': rows}",
        settings=", max_steps=5",
        before="rows = train.map_batches(lambda batch: batch, batch_format='numpy')",
    ),
    "prepared before": fed(
        "datasets={'train': rows.materialize()}",
        before="rows = train.map_batches(lambda batch: batch, batch_format='numpy')",
    ),
    "two trainers": fed()
    + f"TransformersTrainer(init, datasets={{'train': test}}, scaling_config={SCALING}).fit()\n"
    + f"TransformersTrainer(init, datasets={{'train': ray.data.read_csv('a')}}, scaling_config={SCALING}).fit()\n"
    + f"TransformersTrainer(init, scaling_config={SCALING})\n",
    "a given function": fed(before="from project import make_model as made"),
    "names that are taken": fed(
        before="""
        from datasets import IterableDataset
        tensor_rows, ShardDataset, read_own_shard, get_formatter = effect(1), 2, 3, 4
        """
    ),
}


@pytest.mark.parametrize("text", FED.values(), ids=FED.keys())
@pytest.mark.parametrize("place", ["module", "function"])
def test_same_batches(text: str, place: str) -> None:
    check(text if place == "module" else in_function(text))


@pytest.mark.parametrize("version", [(2, 4), (2, 5), (2, 6), (2, 7)])
def test_evaluation_is_split_by_the_trainer_alone(version: tuple[int, int]) -> None:
    result = migrate(fed(), source_version=version)

    assert 'dataset_config=DataConfig(datasets_to_split=["train"])' in after(result)
    assert "MT217" in codes(result, Kind.REVIEW)


def test_the_workers_read_different_rows() -> None:
    first, second = worker_batches(fed())

    for name in ("train_dataset", "eval_dataset"):
        assert first[name] != second[name]
    _, epochs, length = first["train_dataset"]
    assert epochs[0] == epochs[1]
    assert length == 5


def test_rows_are_not_counted_while_they_are_read() -> None:
    counted = "train.materialize()", "train", "make(train)"
    streamed = "ray.data.read_text('s3://a')", "train.random_shuffle()", "train.map(effect).map(effect)"

    for dataset, has_length in (*((one, True) for one in counted), *((one, False) for one in streamed)):
        output = after(migrate(fed(f"datasets={{'train': {dataset}}}"), source_version=(2, 6)))
        assert ("def __len__" in output) == has_length, dataset


def test_rows_were_counted_in_bulk() -> None:
    for settings in ({"source_version": (2, 5)},):
        output = after(migrate(fed("datasets={'train': train.map(effect)}"), **settings))
        assert "def __len__" in output
    output = after(
        migrate(
            fed("datasets={'train': train.map(effect)}, preprocessor=effect()")
            .replace("from project", "from ray.data.preprocessors import BatchMapper\nfrom project")
            .replace("preprocessor=effect()", "preprocessor=BatchMapper(effect, batch_format='numpy')")
        )
    )
    assert "def __len__" in output


def test_form() -> None:
    output = check(fed())

    assert (
        "def train_func():\n"
        '    train_dataset = ShardDataset(ray.train.get_dataset_shard("train"))\n'
        '    eval_dataset = list(tensor_rows(ray.train.get_dataset_shard("evaluation")))\n'
        '    args = TrainingArguments("out", report_to="none", use_cpu=True)\n'
    ) in output
    assert "    trainer = prepare_trainer(read_own_shard(trainer))\n" in output


SETTINGS = {
    "DataConfig()": "DataConfig()",
    "all": "DataConfig(datasets_to_split='all')",
    "both": "DataConfig(datasets_to_split=['train', 'evaluation'])",
    "train": "DataConfig(datasets_to_split=['train'])",
    "a dictionary": "{'train': DatasetConfig(split=True), 'evaluation': DatasetConfig(split=True)}",
    "a dictionary for all": "{'*': DatasetConfig(split=True)}",
}


@pytest.mark.parametrize("config", SETTINGS.values(), ids=SETTINGS.keys())
def test_only_train_is_split(config: str) -> None:
    imports = "from ray.air import DatasetConfig\nfrom ray.train import DataConfig\n"
    output = after(migrate(fed(f"{BOTH}, dataset_config={config}", before=imports), source_version=(2, 6)))

    assert output.count("datasets_to_split") == 1
    assert "datasets_to_split=['train']" in output.replace('"', "'")


REFUSED = {
    "a method of the dataset": (fed(init=MAPS), "MT203"),
    "a column": (fed(init=INIT.replace("=train_dataset", "=train_dataset['x']")), "MT203"),
    "a dataset made of it": (fed(init=INIT.replace("=train_dataset", "=Packed(train_dataset)")), "MT203"),
    "a method in a partial": (
        "from functools import partial\n"
        + fed(init=MAPS.replace("init(train", "init(size, train") + "\ninit = partial(init, 3)\n"),
        "MT203",
    ),
    "a method in a method": (
        fed(init="class Job:\n" + indent(MAPS.replace("init(train", "make(self, train"), "    ")).replace(
            "TransformersTrainer(init,", "TransformersTrainer(Job().make,"
        ),
        "MT203",
    ),
    "a method in a lambda": (fed(init="init = lambda a, b, c: Trainer(make_model(), c, effect, a.take(1))\n"), "MT203"),
    "all in one piece": (fed(f"{BOTH}, dataset_config=DataConfig(datasets_to_split=[])"), "MT203"),
    "perhaps in one piece": (fed(f"{BOTH}, dataset_config=DataConfig(datasets_to_split=names)"), "MT203"),
    "one piece by the old settings": (fed(f"{BOTH}, dataset_config={{'train': DatasetConfig(split=False)}}"), "MT203"),
    "datasets out of sight": (fed("datasets=effect(1)"), "MT202"),
    "changed behind the trainer": (
        fed("datasets=sets", before="sets = {'train': train}") + "sets['evaluation'] = 1\n",
        "MT202",
    ),
    "perhaps evaluation": (
        fed("datasets=sets", before="sets = {'train': train}\nif effect(1):\n    sets['evaluation'] = test"),
        "MT202",
    ),
    "a config out of sight": (fed(f"{BOTH}, dataset_config=effect(1)"), "MT122"),
}


@pytest.mark.parametrize(("text", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_left_alone(text: str, code: str) -> None:
    text = "from ray.train import DataConfig\nfrom ray.air import DatasetConfig\n" + text

    result = migrate(text, source_version=(2, 6))

    assert not result.changed
    assert code in codes(result, Kind.MANUAL)


def test_uses_in_an_imported_function() -> None:
    module = dedent(MAPS).replace("SETTINGS", "").replace("ARGUMENTS", "")
    for method, code in ((".map(effect)", "MT203"), ("", None)):
        text = f"{TRANSFORMERS_IMPORTS}{module}".replace(".map(effect)", method)
        files = {Path("making.py"): text.encode()}
        script = fed(init="from making import init\n").encode()
        result = migrate_project({Path("train.py"): script}, Settings(), files)[Path("train.py")]
        assert codes(result, Kind.MANUAL) == ([code] if code else [])


@pytest.mark.parametrize("datasets", ["{'train': train, 'test': test}", "{'evaluation': test}"])
def test_huggingface_trainer_took_two_datasets(datasets: str) -> None:
    result = migrate(fed(f"datasets={datasets}"), source_version=(2, 4))

    assert "MT106" in codes(result, Kind.MANUAL)


# AccelerateTrainer


def loop(body: str, trainer: str = BOTH) -> str:
    """A program whose train loop has a body, with a trainer that is given datasets."""
    return (
        f"{ACCELERATE_IMPORTS}{DATA}\ndef loop():\n    accelerator = Accelerator()\n{body}\n"
        f"AccelerateTrainer(loop, accelerate_config={{}}, scaling_config={SCALING}, {trainer}).fit()\n"
    )


READING = """
    shard = session.get_dataset_shard("train")
    for epoch in range(2):
        for batch in shard.iter_torch_batches(batch_size=2):
            effect(batch)
    for batch in session.get_dataset_shard("evaluation").iter_torch_batches(ARGUMENTS):
        effect(batch)
"""
LOOPS = {
    "batches": READING.replace("ARGUMENTS", "batch_size=3"),
    "batches read ahead": READING.replace("ARGUMENTS", "prefetch_blocks=2, batch_size=3"),
    "batches on the worker's device": READING.replace("ARGUMENTS", "device=None"),
}


@pytest.mark.parametrize("body", LOOPS.values(), ids=LOOPS.keys())
@pytest.mark.parametrize("version", [(2, 4), (2, 6), (2, 7)])
def test_accelerate_reads_the_same_batches(body: str, version: tuple[int, int]) -> None:
    output = check(loop(body), version=version)

    assert ('DataConfig(datasets_to_split=["train"])' in output) == (version < (2, 7))


def test_comments_of_a_preprocessor_move_with_it() -> None:
    chain = "# scaled\n    preprocessor=Chain(\n        BatchMapper(effect, 'numpy'),  # first\n"
    chain += "        Scaler(['x']),  # then\n        Scaler(['y']),\n    ),  # last\n"
    before = "from ray.data.preprocessors import BatchMapper, Chain, StandardScaler as Scaler\n"

    output = after(migrate(fed(f"datasets={{'train': train}},\n    {chain}", before=before), source_version=(2, 6)))

    made = "# scaled\npreprocessor = Chain(\n    # first\n    Scaler(['x']),  # then\n    Scaler(['y']),\n)  # last\n"
    assert made in output
    assert [output.count(f"# {word}") for word in ("scaled", "first", "then", "last")] == [1] * 4


def test_preprocessors_are_applied_by_the_driver() -> None:
    made = "from ray.data.preprocessors import StandardScaler\nscaler = StandardScaler(['x'])\n"
    for text in (
        loop(LOOPS["batches"], f"{BOTH}, preprocessor=scaler").replace("import ray\n", f"import ray\n{made}"),
        fed(f"{BOTH}, preprocessor=scaler", before=made),
    ):
        output = check(text)
        assert '"train": scaler.fit_transform(train),' in output.replace("'", '"')
        assert '"evaluation": scaler.transform(test),' in output.replace("'", '"')


LEFT_LOOPS = {
    "another dataset": ('    effect(session.get_dataset_shard("val"))\n', BOTH, "MT204"),
    "none at all": ("    effect(session.get_dataset_shard('train'))\n", "", "MT204"),
    "epochs of a pipeline": (
        '    effect(session.get_dataset_shard("train").iter_epochs(2))\n',
        BOTH,
        "MT204",
    ),
    "an effect in a dropped argument": (
        '    shard = session.get_dataset_shard("train")\n    shard.iter_batches(prefetch_blocks=effect(1))\n',
        BOTH,
        "MT204",
    ),
}


@pytest.mark.parametrize(("body", "trainer", "code"), LEFT_LOOPS.values(), ids=LEFT_LOOPS.keys())
def test_loops_left_alone(body: str, trainer: str, code: str) -> None:
    result = migrate(loop(body, trainer), source_version=(2, 6))

    assert not result.changed
    assert code in codes(result, Kind.MANUAL)
