"""What scripts read of trials: their checkpoints, and the values that were searched."""

from __future__ import annotations

import pytest
from rewriting import after, codes, migrate, tuned
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

SPACE = ".module(lr=tune.choice([7]), depth=5).trainer(max_epochs=tune.choice([3]))"
READERS = {
    "the best checkpoint": "effect(results.get_best_result().checkpoint.path)",
    "the best checkpoint by a metric": "effect(results.get_best_result('loss', mode='min').checkpoint.path)",
    "a checkpoint in a variable": """
        best = results.get_best_result()
        checkpoint = best.checkpoint
        effect(checkpoint.path)
        """,
    "each checkpoint": "for result in results:\n    effect(result.checkpoint.path)",
    "checkpoints by number": "for i in range(len(results)):\n    effect(results[i].checkpoint.path)",
    "a comprehension": "effect([result.checkpoint.path for result in results])",
    "a parameter": "def show(result):\n    effect(result.checkpoint.path)\nshow(results.get_best_result())",
    "a folder": "with results.get_best_result().checkpoint.as_directory() as folder:\n    effect(folder)",
    "a model": "effect(results.get_best_result().checkpoint.get_model(Net, lr=1) is None)",
    "the folder": "effect(str(results.get_best_result().log_dir))",
    "a file in the folder": "for result in results:\n    effect(str(result.log_dir / 'result.json'))",
    "a searched keyword": ("effect(results.get_best_result().config['lightning_config']['_module_init_config']['lr'])"),
    "a plain keyword of the search space": (
        "effect(results.get_best_result().config['lightning_config']['_module_init_config']['depth'])"
    ),
    "a keyword of the Lightning trainer": (
        "effect(results.get_best_result().config['lightning_config']['_trainer_init_config']['max_epochs'])"
    ),
    "a model of a searched keyword": """
        best = results.get_best_result()
        effect(best.checkpoint.get_model(Net, lr=best.config["lightning_config"]["_module_init_config"]["lr"]) is None)
        """,
    "a column": "effect(results.get_dataframe()['config/lightning_config/_module_init_config/lr'])",
    "a column of the Lightning trainer": (
        "effect(results.get_dataframe()['config/lightning_config/_trainer_init_config/max_epochs'])"
    ),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
def test_reader(reader: str) -> None:
    program = tuned(SPACE, behind=reader)

    recording = assert_same_calls(program, after(migrate(program)))

    assert recording.effects


@pytest.mark.parametrize("folder", ["log_dir", "path"])
def test_folder_without_checkpoints(folder: str) -> None:
    program = tuned(SPACE, behind=f"print(results.get_best_result().{folder})")

    assert "MT507" in codes(migrate(program))
    assert "MT507" not in codes(migrate(program, target_version=(2, 9)))


def test_metrics_that_tune_adds_are_there_still() -> None:
    program = tuned(SPACE, behind="effect(results.get_best_result().metrics['training_iteration'])")

    assert "MT406" not in codes(migrate(program))
    assert "MT406" in codes(migrate(program.replace("results.get_best_result()", "other()")))


LEFT = {
    "the best checkpoints": "effect(results.get_best_result().best_checkpoints)",
    "a part of the configuration": "config = results.get_best_result().config['lightning_config']",
    "all keywords of the module, beside others": (
        "Net(**results.get_best_result().config['lightning_config']['_module_init_config'])"
    ),
    "all keywords of the Lightning trainer": (
        "pl.Trainer(**results.get_best_result().config['lightning_config']['_trainer_init_config'])"
    ),
    "a keyword that isn't there": (
        "effect(results.get_best_result().config['lightning_config']['_trainer_fit_params']['ckpt_path'])"
    ),
}


@pytest.mark.parametrize("reader", LEFT.values(), ids=LEFT.keys())
def test_reader_that_would_find_something_else(reader: str) -> None:
    result = migrate(tuned(SPACE, behind=reader))

    assert codes(result, Kind.MANUAL) == ["MT501"]
    assert not result.changed


def test_all_keywords_of_the_module() -> None:
    reader = "effect(results.get_best_result().config['lightning_config']['_module_init_config'])"
    program = tuned(".module(lr=tune.choice([7]))", behind=reader)

    assert_same_calls(program, after(migrate(program)))
