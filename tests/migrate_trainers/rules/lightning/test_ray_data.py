"""Datasets of Ray Data: the workers read the batches that LightningTrainer fed them, and all that it did to them."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest
from rewriting import LIGHTNING_IMPORTS, SCALING, after, codes, in_function, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

HEAD = (
    LIGHTNING_IMPORTS
    + """\
import ray
from project import args

train = ray.data.from_items([{"x": i} for i in range(11)])
val = ray.data.from_items([{"x": -i} for i in range(5)])

def collate(rows):
    return len(rows)
"""
)
BUILDER = "LightningConfigBuilder().module(Net)"


def program(trainer: str, *, builder: str = "", before: str = "", behind: str = "trainer.fit()") -> str:
    """A program with one trainer, given `trainer` beside its configuration."""
    call = f"trainer = LightningTrainer({BUILDER}{builder}.build(), scaling_config={SCALING}, {trainer})"
    return f"{HEAD}\n{dedent(before)}\n{call}\n{dedent(behind)}\n"


def check(text: str, *, version: tuple[int, int] = (2, 6)) -> str:
    """The output, which reads the same batches in each worker."""
    output = after(migrate(text, source_version=version))
    assert_same_calls(text, output, version=version)
    return output


def worker_batches(text: str, *, version: tuple[int, int] = (2, 6)) -> list[dict[str, Any]]:
    """What each worker's `fit` is given."""
    output = after(migrate(text, source_version=version))
    workers = assert_same_calls(text, output, version=version).fits[0]["workers"]
    return [dict(next(call[1] for call in calls if call[0] == "fit")) for calls in workers]


MADE = "from ray.data.preprocessors import StandardScaler\nscaler = StandardScaler(['x'])"
BOTH = "datasets={'train': train, 'val': val}"
ITER = "datasets_iter_config={'batch_size': 2}"
OWN_CONFIG = (
    f"LightningTrainer({BUILDER}.build(), scaling_config={SCALING}, {BOTH}, {ITER}, dataset_config=own).fit()\n"
)

TRAINERS = {
    "train and val": f"{BOTH}, {ITER}",
    "train alone": f"datasets={{'train': train}}, {ITER}",
    "made by dict": "datasets=dict(train=train, val=val), datasets_iter_config=dict(batch_size=3, drop_last=True)",
    "a function to collate": f"{BOTH}, datasets_iter_config={{'batch_size': 2, 'collate_fn': collate}}",
    "a lambda to collate": f"{BOTH}, datasets_iter_config={{'collate_fn': lambda rows: rows[0]}}",
    "a collate function that is made": f"{BOTH}, datasets_iter_config={{'batch_size': 2, 'collate_fn': effect(len)}}",
    "values of an object": f"{BOTH}, datasets_iter_config={{'batch_size': args.width, 'drop_last': True}}",
    "shuffling": f"{BOTH}, datasets_iter_config={{'local_shuffle_buffer_size': 8, 'local_shuffle_seed': 3}}",
    "no device": f"{BOTH}, datasets_iter_config={{'batch_size': 2, 'device': None}}",
    "other datasets": f"datasets={{'train': train, 'test': val}}, {ITER}",
    "unpacked settings": f"{BOTH}, datasets_iter_config={{'batch_size': 2, **{{'drop_last': True}}}}",
    "many settings": (
        f"{BOTH}, datasets_iter_config={{'batch_size': 2, 'collate_fn': collate, 'drop_last': True, "
        "'prefetch_batches': 4, 'local_shuffle_buffer_size': 64}"
    ),
}


@pytest.mark.parametrize("trainer", TRAINERS.values(), ids=TRAINERS.keys())
@pytest.mark.parametrize("place", ["module", "function"])
def test_same_batches(trainer: str, place: str) -> None:
    text = program(trainer)

    check(text if place == "module" else in_function(text))


@pytest.mark.parametrize("version", [(2, 4), (2, 5), (2, 6), (2, 7)])
def test_only_train_was_split_before_ray_2_7(version: tuple[int, int]) -> None:
    output = check(program(f"{BOTH}, {ITER}"), version=version)

    assert ('DataConfig(datasets_to_split=["train"])' in output) == (version < (2, 7))


def test_each_worker_reads_its_part_of_train_and_all_of_val() -> None:
    first, second = worker_batches(program(f"{BOTH}, {ITER}"))

    assert first["val_dataloaders"] == second["val_dataloaders"]
    assert first["train_dataloaders"] != second["train_dataloaders"]


def test_the_guides_form() -> None:
    output = check(program(f"{BOTH}, {ITER}"))

    assert (
        '    train_shard = ray.train.get_dataset_shard("train")\n'
        "    train_batches = train_shard.iter_torch_batches(batch_size=2)\n"
        '    val_shard = ray.train.get_dataset_shard("val")\n'
        "    val_batches = val_shard.iter_torch_batches(batch_size=2)\n"
        "    model = Net()\n"
    ) in output
    assert "trainer.fit(model, train_dataloaders=train_batches, val_dataloaders=val_batches)\n" in output


VARIABLES = {
    "a dictionary": ("datasets = {'train': train, 'val': val}", True),
    "filled later": ("datasets = {'train': train}\ndatasets['val'] = val", True),
    "filled under a condition": ("datasets = {'train': train}\nif args.width:\n    datasets['val'] = val", None),
    "not filled under a condition": (
        "datasets = {'train': train}\nif not args.width:\n    datasets['val'] = val",
        None,
    ),
    "made by a function": ("def make():\n    return {'train': train, 'val': val}\ndatasets = make()", None),
    "changed by a method": ("datasets = {'train': train}\ndatasets.update(val=val)", None),
    "a comprehension": ("datasets = {name: train for name in ['train', 'val']}", None),
    "unpacked": ("datasets = {'train': train, **{'val': val}}", None),
    "train alone": ("datasets = {'train': train}", False),
    "read": ("datasets = {'train': train, 'val': val}\nprint(datasets['val'])", True),
}


@pytest.mark.parametrize(("before", "known"), VARIABLES.values(), ids=VARIABLES.keys())
def test_datasets_in_a_variable(before: str, known: bool | None) -> None:
    output = check(program(f"datasets=datasets, {ITER}", before=before))

    assert ('"has_val": "val" in datasets' in output) == (known is None)
    assert ('get_dataset_shard("val")' in output) == (known is not False)


def test_datasets_that_are_a_parameter() -> None:
    text = f"""{HEAD}
def run(datasets, batch_size):
    trainer = LightningTrainer(
        {BUILDER}.build(),
        scaling_config={SCALING},
        datasets=datasets,
        datasets_iter_config={{"batch_size": batch_size}},
    )
    trainer.fit()

run({{"train": train}}, 2)
run({{"train": train, "val": val}}, 3)
"""
    check(text)


ITER_CONFIGS = {
    "used once": ("iter_config = {'batch_size': 2, 'collate_fn': collate}", False),
    "used elsewhere": ("iter_config = {'batch_size': 2}\nprint(iter_config)", True),
    "changed": ("iter_config = {'batch_size': 2}\niter_config['drop_last'] = True", True),
    "assigned twice": ("iter_config = {'batch_size': 2}\niter_config = {'batch_size': 3}", True),
    "with an effect": ("iter_config = {'batch_size': effect(2)}", True),
    "made by a function": ("iter_config = effect({'batch_size': 2})", True),
}


@pytest.mark.parametrize(("before", "stays"), ITER_CONFIGS.values(), ids=ITER_CONFIGS.keys())
@pytest.mark.parametrize("place", ["module", "function"])
def test_iter_config_in_a_variable(before: str, stays: bool, place: str) -> None:
    text = program(f"{BOTH}, datasets_iter_config=iter_config", before=before)
    output = check(text if place == "module" else in_function(text))

    assert ("iter_config = " in output) == stays


MADE_IN_THE_CALL = {
    "by a function": (f"datasets=make(), {ITER}", "datasets = make()"),
    "behind the iter config": (f"{ITER}, datasets=make()", "datasets = make()"),
    "before an effect": (
        "datasets={'train': ray.data.from_items([1] * 8)}, datasets_iter_config={'batch_size': effect(2)}",
        "datasets = {'train': ray.data.from_items([1] * 8)}",
    ),
    "with a preprocessor": (f"datasets=make(), {ITER}, preprocessor=scaler", 'scaler.fit(datasets["train"])'),
}


@pytest.mark.parametrize(("trainer", "line"), MADE_IN_THE_CALL.values(), ids=MADE_IN_THE_CALL.keys())
@pytest.mark.parametrize("place", ["module", "function"])
def test_datasets_that_need_a_variable(trainer: str, line: str, place: str) -> None:
    before = f"{MADE}\ndef make():\n    effect('made')\n    return {{'train': train, 'val': val}}\n"
    text = program(trainer, before=before)
    output = check(text if place == "module" else in_function(text))

    assert f"{line}\n" in output


def test_data_config_of_two_trainers() -> None:
    trainer = (
        f"LightningTrainer({BUILDER}.build(), scaling_config={SCALING}, {BOTH}, {ITER}, dataset_config=own).fit()\n"
    )
    output = check(f"{HEAD}from ray.train import DataConfig\nown = DataConfig()\n{trainer}{trainer}")

    assert output.count('datasets_to_split=["train"]') == 1


def test_loop_over_batch_sizes() -> None:
    loop = f"""
for size in (2, 3):
    config = {BUILDER}.build()
    trainer = LightningTrainer(
        config, scaling_config={SCALING}, {BOTH}, datasets_iter_config={{"batch_size": size}}
    )
    trainer.fit()
"""
    output = check(HEAD + loop)

    assert 'train_loop_config={"batch_size": size}' in output


DICTIONARY_FORMS = {
    "a builder under a condition": """
        builder = LightningConfigBuilder()
        builder.module(Net)
        if args.width:
            builder.trainer(max_epochs=2)
        config = builder.build()
        """,
    "fit parameters under a condition": """
        builder = LightningConfigBuilder()
        builder.module(Net)
        if args.width:
            builder.fit_params(ckpt_path=None)
        config = builder.build()
        """,
    "fit parameters unpacked": """
        given = {"datamodule": 3}
        builder = LightningConfigBuilder()
        if args.width:
            builder.module(Net)
        else:
            builder.module(Net, lr=1)
        builder.fit_params(**given)
        config = builder.build()
        """,
    "a function": """
        def make(lr):
            builder = LightningConfigBuilder()
            builder.module(Net, lr=lr)
            return builder.build()
        config = make(1)
        """,
}


@pytest.mark.parametrize("builder", DICTIONARY_FORMS.values(), ids=DICTIONARY_FORMS.keys())
@pytest.mark.parametrize("iter_config", ["{'batch_size': 2}", "{'batch_size': args.width, 'collate_fn': collate}"])
@pytest.mark.parametrize("run", ["", ", run_config=RunConfig(failure_config=FailureConfig(max_failures=1))"])
def test_configuration_as_dictionaries(builder: str, iter_config: str, run: str) -> None:
    trainer = f"trainer = LightningTrainer(config, scaling_config={SCALING}, {BOTH}, datasets_iter_config={iter_config}"

    check(f"{HEAD}{dedent(builder)}{trainer}{run})\ntrainer.fit()\n")


@pytest.mark.parametrize("run", ["", ", run_config=RunConfig(failure_config=FailureConfig(max_failures=1))"])
def test_unpacked_fit_parameters(run: str) -> None:
    text = program(f"{BOTH}, {ITER}{run}", builder=".fit_params(**given)", before="given = {'datamodule': effect(1)}")

    assert '**{**given, "datamodule": None, ' in check(text)


def test_datamodule_beside_datasets_is_gone() -> None:
    text = program(f"{BOTH}, {ITER}", builder=".fit_params(datamodule=DM(), ckpt_path='some.ckpt')")
    result = migrate(text)

    check(text)
    assert "MT121" in codes(result, Kind.REVIEW)
    assert "datamodule" not in after(result)


def test_datasets_without_train_are_not_read() -> None:
    text = program(f"datasets={{'val': val}}, {ITER}", builder=".fit_params(datamodule=DM())")

    assert "get_dataset_shard" not in check(text)


def test_prefetched_blocks_are_gone() -> None:
    text = program(f"{BOTH}, datasets_iter_config={{'batch_size': 2, 'prefetch_blocks': 4}}")

    check(text)
    assert "MT123" in codes(migrate(text), Kind.REVIEW)


def test_trainers_that_share_a_configuration() -> None:
    trainer = f"LightningTrainer(config, scaling_config={SCALING}, {BOTH}, {ITER}).fit()\n"

    check(f"{HEAD}config = {BUILDER}.build()\n{trainer}{trainer}")


def test_names_that_are_taken() -> None:
    before = """
        config = 2
        val_batches = 3
        train_batches = collate
        """
    trainer = f"{BOTH}, datasets_iter_config={{'batch_size': config, 'collate_fn': train_batches}}"

    check(program(trainer, before=before))
    check(in_function(program(trainer, before=before)))


DATA_CONFIGS = {
    "a list": ('DataConfig(datasets_to_split=["train", "val"])', 'DataConfig(datasets_to_split=["train","val"]'),
    "the default": ("DataConfig()", 'DataConfig(datasets_to_split=["train"]'),
    "None": ("DataConfig(datasets_to_split=None)", 'DataConfig(datasets_to_split=["train"]'),
    "in a variable": ("data_config", 'data_config=DataConfig(datasets_to_split=["train"]'),
}


@pytest.mark.parametrize(("given", "expected"), DATA_CONFIGS.values(), ids=DATA_CONFIGS.keys())
def test_data_config(given: str, expected: str) -> None:
    before = "from ray.train import DataConfig\ndata_config = DataConfig()\n"
    output = check(program(f"{BOTH}, {ITER}, dataset_config={given}", before=before))

    assert expected in "".join(output.split())


DATASET_CONFIGS = {
    "splits both": ("{'train': DatasetConfig(split=True), 'val': DatasetConfig(split=True)}", '["train", "val"]'),
    "splits the others": ("{'*': DatasetConfig(split=True)}", '["train", "val"]'),
    "splits none": ("{'train': DatasetConfig(split=False)}", "[]"),
    "says what is the default": ("dict(train=DatasetConfig(fit=True, required=True))", '["train"]'),
    "positional": ("{'val': DatasetConfig(False, True)}", '["train", "val"]'),
}


@pytest.mark.parametrize(("given", "expected"), DATASET_CONFIGS.values(), ids=DATASET_CONFIGS.keys())
@pytest.mark.parametrize("variable", [False, True])
def test_dictionary_of_dataset_configs(given: str, expected: str, variable: bool) -> None:
    before = "from ray.air.config import DatasetConfig\n" + (f"own = {given}\n" if variable else "")
    text = program(f"{BOTH}, {ITER}, dataset_config={'own' if variable else given}", before=before)
    output = check(text)

    assert f"DataConfig(datasets_to_split={expected})" in output
    assert "DatasetConfig" not in output
    assert "MT120" in codes(migrate(text), Kind.REVIEW)


def test_order_of_blocks_is_spoken_of_where_it_was_random() -> None:
    text = program(f"{BOTH}, {ITER}")

    assert "MT120" in codes(migrate(text, source_version=(2, 5)), Kind.REVIEW)
    assert "MT120" not in codes(migrate(text, source_version=(2, 6)), Kind.REVIEW)
    own = f"{BOTH}, {ITER}, dataset_config={{'*': DatasetConfig(randomize_block_order=False), "
    own += "'train': DatasetConfig(randomize_block_order=False)}"
    text = program(own, before="from ray.air.config import DatasetConfig")
    assert "MT120" not in codes(migrate(text, source_version=(2, 5)), Kind.REVIEW)


SCALER = "from ray.data.preprocessors import BatchMapper, Chain, StandardScaler\n"
PREPROCESSORS = {
    "in a variable": ("scaler = StandardScaler(['x'])", BOTH, "scaler"),
    "made in the call": ("", BOTH, "StandardScaler(['x'])"),
    "fitted where it is made": ("scaler = StandardScaler(['x']).fit(val)", BOTH, "scaler"),
    "fitted before": ("scaler = StandardScaler(['x'])\nscaler.fit(val)", BOTH, "scaler"),
    "val first": ("scaler = StandardScaler(['x'])", "datasets={'val': val, 'train': train}", "scaler"),
    "datasets by dict": ("scaler = StandardScaler(['x'])", "datasets=dict(train=train, val=val)", "scaler"),
    "datasets by dict in a variable": (
        "scaler = StandardScaler(['x'])\nall = dict(train=train, val=val)",
        "datasets=all",
        "scaler",
    ),
    "made datasets": (
        "scaler = StandardScaler(['x'])",
        "datasets={'train': ray.data.from_items([{'x': 1}] * 3)}",
        "scaler",
    ),
    "datasets on lines": (
        "scaler = StandardScaler(['x'])",
        "datasets={\n    'train': train,  # the rows\n    'val': val,\n}",
        "scaler",
    ),
    "a function of batches": ("mapper = BatchMapper(double, batch_format='numpy')", BOTH, "mapper"),
    "a function of batches in the call": ("", BOTH, "BatchMapper(double, 'pandas', batch_size='default')"),
    "a function over datasets in a variable": (
        "all = {'train': train, 'val': val}",
        "datasets=all",
        "BatchMapper(lambda batch: double(batch), batch_format='pandas')",
    ),
    "functions of batches in a chain": (
        "first = BatchMapper(double, batch_format='numpy')\nchain = Chain(first, BatchMapper(double, 'pandas'))",
        BOTH,
        "chain",
    ),
    "a chain of functions in the call": (
        "first = BatchMapper(double, batch_format='numpy')",
        BOTH,
        "Chain(first, BatchMapper(lambda batch: double(batch), batch_format='numpy'))",
    ),
    "a function that makes it": (
        "def make():\n    return Chain(StandardScaler(['x']), StandardScaler(['y']))\n",
        BOTH,
        "make()",
    ),
    "a chain": ("other = StandardScaler(['y'])", BOTH, "Chain(StandardScaler(['x']), other)"),
    "a function behind a scaler": ("", BOTH, "Chain(StandardScaler(['x']), BatchMapper(double, 'numpy'))"),
    "functions around scalers in a variable": (
        "first = BatchMapper(double, 'pandas')\n"
        "chain = Chain(first, StandardScaler(['x']), StandardScaler(['y']), BatchMapper(more, 'numpy'))",
        BOTH,
        "chain",
    ),
    "a function before a scaler, val first": (
        "chain = Chain(BatchMapper(double, 'numpy'), StandardScaler(['x']))",
        "datasets={'val': val, 'train': train}",
        "chain",
    ),
    "functions around a scaler over datasets in a variable": (
        "all = {'train': train, 'val': val}",
        "datasets=all",
        "Chain(\n    BatchMapper(double, 'numpy'),\n    StandardScaler(['x']),  # to be fitted\n"
        "    BatchMapper(more, 'numpy'),\n)",
    ),
    "a chain beside datasets that the call makes": (
        "",
        "datasets={'train': ray.data.from_items([{'x': 1}] * 3)}",
        "Chain(BatchMapper(double, 'numpy'), StandardScaler(['x']))",
    ),
    "None": ("", BOTH, "None"),
}


@pytest.mark.parametrize(("before", "datasets", "value"), PREPROCESSORS.values(), ids=PREPROCESSORS.keys())
@pytest.mark.parametrize("place", ["module", "function"])
def test_preprocessor(before: str, datasets: str, value: str, place: str) -> None:
    double = "def double(batch):\n    return {'x': [2 * x for x in batch['x']]}\n"
    double += "def more(batch):\n    return {**batch, 'more': [1] * len(batch['x'])}\n"
    text = program(f"{datasets}, {ITER}, preprocessor={value}", before=SCALER + double + before)
    output = check(text if place == "module" else in_function(text))

    assert "preprocessor=" not in output
    assert "BatchMapper" in output or "mapper" not in output.lower()


def test_statements_that_go_leave_no_hole() -> None:
    made = "first = BatchMapper(len, batch_format='numpy')\nsecond = BatchMapper(len, batch_format='pandas')\n\n"
    text = program(f"{BOTH}, {ITER}, preprocessor=Chain(first, second)", before=f"{SCALER}\n\n{made}")

    output = after(migrate(text))

    assert "BatchMapper" not in output
    assert "Chain" not in output
    assert "\n\n\n\n" not in output


def test_dataset_that_is_not_transformed() -> None:
    config = "dataset_config={'val': DatasetConfig(transform=False)}"
    before = f"from ray.air import DatasetConfig\n{SCALER}scaler = StandardScaler(['x'])"

    check(program(f"{BOTH}, {ITER}, {config}, preprocessor=scaler", before=before))


SHARED = f"LightningTrainer({BUILDER}.build(), scaling_config={SCALING}, {BOTH}, {ITER}, preprocessor=scaler).fit()"
REFUSED = {
    "no iter config": (program(BOTH), "MT106"),
    "empty iter config": (program(f"{BOTH}, datasets_iter_config={{}}"), "MT106"),
    "dataloaders": (program(f"{BOTH}, {ITER}", builder=".fit_params(train_dataloaders=[1])"), "MT106"),
    "dataloaders to validate": (program(f"{BOTH}, {ITER}", builder=".fit_params(val_dataloaders=[1])"), "MT106"),
    "no data": (program(f"datasets={{'val': val}}, {ITER}"), "MT106"),
    "unknown argument": (program(f"{BOTH}, datasets_iter_config={{'batchsize': 2}}"), "MT106"),
    "collate and device": (
        program(f"{BOTH}, datasets_iter_config={{'collate_fn': collate, 'device': 'cpu'}}"),
        "MT106",
    ),
    "perhaps no train": (
        program(f"datasets=own, {ITER}", before="own = {'val': val}\nif args.width:\n    own['train'] = train"),
        "MT107",
    ),
    "perhaps a datamodule": (
        program(f"datasets=effect({{'train': train}}), {ITER}", builder=".fit_params(datamodule=DM())"),
        "MT107",
    ),
    "datasets changed later": (
        program(f"datasets=own, {ITER}", before="own = {'train': train}", behind="own['val'] = val\ntrainer.fit()"),
        "MT107",
    ),
    "blocks in a shared iter config": (
        program(f"{BOTH}, datasets_iter_config=own", before="own = {'prefetch_blocks': 1}\nprint(own)"),
        "MT107",
    ),
    "other datasets with a shared configuration": (
        f"{HEAD}config = {BUILDER}.build()\n"
        f"LightningTrainer(config, scaling_config={SCALING}, {BOTH}, {ITER}).fit()\n"
        f"LightningTrainer(config, scaling_config={SCALING}, datasets={{'train': train}}, {ITER}).fit()\n",
        "MT107",
    ),
    "global shuffle": (
        program(
            f"{BOTH}, {ITER}, dataset_config={{'train': DatasetConfig(global_shuffle=True)}}",
            before="from ray.air.config import DatasetConfig",
        ),
        "MT122",
    ),
    "unseen dataset config": (program(f"{BOTH}, {ITER}, dataset_config=effect()"), "MT122"),
    "an effect that would pass another": (
        program(
            "run_config=RunConfig(effect('a')), datasets_iter_config={'batch_size': effect(2)}, datasets=effect({})"
        ),
        "MT102",
    ),
    "an effect that others would pass": (
        f"{HEAD}trainer = LightningTrainer(datasets_iter_config={{'batch_size': effect(2)}}, datasets={{}}, "
        f"scaling_config=effect({SCALING}), lightning_config={BUILDER}.build())\ntrainer.fit()\n",
        "MT102",
    ),
    "datasets that would pass an effect": (
        program(f"{ITER}, torch_config=effect(None), datasets=effect({{}})"),
        "MT102",
    ),
    "settings of two trainers": (
        f"{HEAD}from ray.air.config import DatasetConfig\nown = {{'train': DatasetConfig(split=True)}}\n"
        + 2
        * f"LightningTrainer({BUILDER}.build(), scaling_config={SCALING}, {BOTH}, {ITER}, dataset_config=own).fit()\n",
        "MT122",
    ),
    "preprocessor and DataConfig": (
        program(
            f"{BOTH}, {ITER}, dataset_config=DataConfig(), preprocessor=scaler",
            before=f"{SCALER}from ray.train import DataConfig\nscaler = StandardScaler(['x'])",
        ),
        "MT106",
    ),
    "preprocessor that is a parameter": (
        in_function(program(f"{BOTH}, {ITER}, preprocessor=scaler"), parameters="scaler=None"),
        "MT124",
    ),
    "preprocessor that is used elsewhere": (
        program(f"{BOTH}, {ITER}, preprocessor=scaler", before=f"{MADE}\nprint(scaler)"),
        "MT124",
    ),
    "preprocessor of two trainers": (f"{HEAD}{SCALER}scaler = StandardScaler(['x'])\n{SHARED}\n{SHARED}\n", "MT124"),
    "preprocessor outside a loop": (
        f"{HEAD}{SCALER}scaler = StandardScaler(['x'])\nfor turn in range(2):\n    {SHARED}\n",
        "MT124",
    ),
    "mapper between others of a chain": (
        program(
            f"{BOTH}, {ITER}, preprocessor=Chain("
            "StandardScaler(['x']), BatchMapper(collate, 'numpy'), StandardScaler(['y']))",
            before=SCALER,
        ),
        "MT124",
    ),
    "mapper in a chain of a chain": (
        program(f"{BOTH}, {ITER}, preprocessor=Chain(Chain(BatchMapper(collate, 'numpy')))", before=SCALER),
        "MT124",
    ),
    "mappers in a list": (
        program(
            f"{BOTH}, {ITER}, preprocessor=Chain(*steps)", before=f"{SCALER}steps = [BatchMapper(collate, 'numpy')]"
        ),
        "MT124",
    ),
    "fitted chain with a mapper": (
        program(
            f"{BOTH}, {ITER}, preprocessor=chain",
            before=f"{SCALER}chain = Chain(StandardScaler(['x']), BatchMapper(collate, 'numpy')).fit(train)",
        ),
        "MT124",
    ),
    "chain with a mapper that is used elsewhere": (
        program(
            f"{BOTH}, {ITER}, preprocessor=chain",
            before=f"{SCALER}chain = Chain(StandardScaler(['x']), BatchMapper(collate, 'numpy'))\nchain.fit(val)",
        ),
        "MT124",
    ),
    "preprocessor of a function that may fit it": (
        program(
            f"{BOTH}, {ITER}, preprocessor=make()",
            before=f"{SCALER}def make():\n    return StandardScaler(['x']).fit(val)\n",
        ),
        "MT124",
    ),
    "preprocessor of a function out of sight": (program(f"{BOTH}, {ITER}, preprocessor=effect()"), "MT124"),
    "fitted scaler in a chain": (
        program(
            f"{BOTH}, {ITER}, preprocessor=Chain(scaler)",
            before=f"{SCALER}scaler = StandardScaler(['x'])\nscaler.fit(val)",
        ),
        "MT124",
    ),
    "dataset that is made later": (
        program(f"datasets={{'train': lambda: train}}, {ITER}, preprocessor=StandardScaler(['x'])", before=SCALER),
        "MT124",
    ),
}


@pytest.mark.parametrize(("text", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_left_alone(text: str, code: str) -> None:
    result = migrate(text)

    assert result.after == result.before
    assert code in codes(result, Kind.MANUAL)


def test_empty_iter_config_was_enough_before_ray_2_6() -> None:
    text = program(f"{BOTH}, datasets_iter_config={{}}")

    assert ".iter_torch_batches()" in check(text, version=(2, 5))


def test_arguments_that_say_nothing_without_datasets() -> None:
    text = program(
        "datasets_iter_config={'batch_size': 2}, dataset_config=None", builder=".fit_params(datamodule=DM())"
    )

    assert "batch_size" not in check(text)
