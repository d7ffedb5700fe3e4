"""Plain Lightning scripts that `--adopt` turns into TorchTrainer programs, by what is special about each."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from rewriting import after, codes, migrate

from migrate_trainers.findings import Kind
from migrate_trainers.settings import Adoption

if TYPE_CHECKING:
    from migrate_trainers import FileResult

IMPORTS = """\
import lightning.pytorch as pl
import torch
from project import Data, Net, effect
"""


TRAIN = "trainer.fit(Net(), Data())\n"
HALF_CONVERTED = """\
from ray.train import ScalingConfig
from ray.train.lightning import RayDDPStrategy
from ray.train.torch import TorchTrainer

def train_func():
    {}
    trainer.fit(Net(), Data())

TorchTrainer(train_func, scaling_config=ScalingConfig(num_workers=2)).fit()
"""


def adopt(text: str, *, num_workers: int = 2, use_gpu: bool = False) -> FileResult:
    """The rewriter's result for a script behind the usual imports."""
    return migrate(IMPORTS + dedent(text), adoption=Adoption(num_workers, use_gpu))


def function_of(output: str) -> list[str]:
    """The lines of the train function, without those that only end or open brackets."""
    lines = output.partition("def train_func(")[2].partition("\n\n\n")[0].splitlines()[1:]
    return [line.strip().rstrip(",") for line in lines if line.strip(" ()[],")]


def driver_of(output: str) -> str:
    """What stands behind the train function."""
    return output.partition("def train_func(")[2].partition("\n\n\n")[2]


def test_a_second_run_changes_nothing() -> None:
    output = after(adopt(f"trainer = pl.Trainer(max_epochs=1)\n{TRAIN}"))

    again = migrate(output, adoption=Adoption(2))

    assert not again.changed
    assert codes(again) == []


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("None", "RayDDPStrategy()"),
        ('"auto"', "RayDDPStrategy()"),
        ('"ddp"', "RayDDPStrategy()"),
        ('"ddp_spawn"', "RayDDPStrategy()"),
        ('"ddp_notebook"', "RayDDPStrategy()"),
        ('"ddp_find_unused_parameters_true"', "RayDDPStrategy(find_unused_parameters=True)"),
        ('"ddp_spawn_find_unused_parameters_false"', "RayDDPStrategy(find_unused_parameters=False)"),
        ('"fsdp"', "RayFSDPStrategy()"),
        ('"fsdp_cpu_offload"', "RayFSDPStrategy(cpu_offload=True)"),
        ('"deepspeed"', "RayDeepSpeedStrategy()"),
        ('"deepspeed_stage_2"', "RayDeepSpeedStrategy(stage=2)"),
        ('"deepspeed_stage_2_offload"', "RayDeepSpeedStrategy(stage=2, offload_optimizer=True)"),
        ("pl.strategies.DDPStrategy(static_graph=True)", "RayDDPStrategy(static_graph=True)"),
        ('pl.strategies.DDPStrategy(start_method="spawn")', "RayDDPStrategy()"),
        ("pl.strategies.FSDPStrategy(effect(1), cpu_offload=True)", "RayFSDPStrategy(effect(1), cpu_offload=True)"),
        ('pl.strategies.DeepSpeedStrategy(config="ds.json")', 'RayDeepSpeedStrategy(config="ds.json")'),
        ('"ddp" if torch.cuda.is_available() else "auto"', "RayDDPStrategy()"),
        ('"fsdp" if effect() else "ddp"', "RayFSDPStrategy() if effect() else RayDDPStrategy()"),
    ],
)
def test_strategy(given: str, written: str) -> None:
    output = after(adopt(f"trainer = pl.Trainer(strategy={given})\n{TRAIN}"))

    assert f"strategy={written}" in function_of(output)


@pytest.mark.parametrize("given", ["effect()", '"dp"', '"xla"', "MyStrategy()", "pl.strategies.SingleDeviceStrategy()"])
def test_strategy_that_ray_has_none_for(given: str) -> None:
    result = adopt(f"trainer = pl.Trainer(strategy={given})\n{TRAIN}")

    assert not result.changed
    assert codes(result) == ["MT603"]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("devices=1", 'devices="auto"'),
        ("devices=[0, 1]", 'devices="auto"'),
        ('accelerator="cpu"', 'accelerator="cpu"'),
        ('accelerator="gpu"', 'accelerator="auto"'),
        ("max_epochs=1", 'accelerator="auto"'),
        ("plugins=None", "plugins=[RayLightningEnvironment()]"),
        ("plugins=[LightningEnvironment()]", "plugins=[RayLightningEnvironment()]"),
        ("plugins=LightningEnvironment()", "plugins=[RayLightningEnvironment()]"),
        ("plugins=[effect(), LightningEnvironment()]", "plugins=[effect(), RayLightningEnvironment()]"),
        ("plugins=Precision()", "plugins=[Precision(), RayLightningEnvironment()]"),
        ("callbacks=[]", "callbacks=[RayTrainReportCallback()]"),
        ("callbacks=Early()", "callbacks=[Early(), RayTrainReportCallback()]"),
        ("callbacks=effect()", "callbacks=[*effect(), RayTrainReportCallback()]"),
        ("callbacks=[Early(),]", "callbacks=[Early(), RayTrainReportCallback()]"),
        ("callbacks=a + b", "callbacks=[*(a + b), RayTrainReportCallback()]"),
    ],
)
def test_arguments(given: str, written: str) -> None:
    text = "from lightning.pytorch.plugins.environments import LightningEnvironment\na = b = effect()\n"
    output = after(adopt(f"{text}trainer = pl.Trainer({given})\n{TRAIN}"))

    assert written in function_of(output)
    assert ("import LightningEnvironment" in output) is ("LightningEnvironment" not in given)


def test_comments_in_a_list_of_callbacks_stay() -> None:
    output = after(
        adopt(f"trainer = pl.Trainer(\n    callbacks=[\n        effect(1)  # one\n        # all\n    ],\n)\n{TRAIN}")
    )

    expected = (
        "        callbacks=[\n            effect(1),  # one\n            # all\n            RayTrainReportCallback(),\n"
    )
    assert expected in output


@pytest.mark.parametrize(
    ("arguments", "workers", "code"),
    [
        ("max_epochs=1", 2, "MT604"),
        ('accelerator="gpu"', 2, "MT605"),
        ("max_epochs=1", 2, "MT606"),
        ("devices=4, num_nodes=2", 4, "MT607"),
        ('strategy=pl.strategies.DDPStrategy(process_group_backend="nccl")', 2, "MT608"),
        ('default_root_dir="runs"', 2, "MT643"),
        ('logger=CSVLogger("logs")', 2, "MT643"),
        ("replace_sampler_ddp=False", 2, "MT127"),
    ],
)
def test_says_what_is_worth_a_look(arguments: str, workers: int, code: str) -> None:
    assert code in codes(adopt(f"trainer = pl.Trainer({arguments})\n{TRAIN}", num_workers=workers), Kind.REVIEW)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("devices=2, num_nodes=2", "MT607"), ('strategy="ddp"', "MT604"), ("use_distributed_sampler=False", "MT604")],
)
def test_says_nothing_where_nothing_changes(arguments: str, code: str) -> None:
    assert code not in codes(adopt(f"trainer = pl.Trainer({arguments})\n{TRAIN}", num_workers=4))


def test_one_worker_reads_the_data_in_the_old_order() -> None:
    line = "use_distributed_sampler=ray.train.get_context().get_world_size() > 1"

    assert line in function_of(after(adopt(f"trainer = pl.Trainer()\n{TRAIN}", num_workers=1)))
    assert line not in function_of(after(adopt(f"trainer = pl.Trainer()\n{TRAIN}", num_workers=2)))
    assert line not in function_of(after(adopt(f'trainer = pl.Trainer(strategy="ddp")\n{TRAIN}', num_workers=1)))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("print(len(Data()))\n", "MT649"),
        ("trainer = pl.Trainer()\n", "MT601"),
        ("def make():\n    return pl.Trainer()\n", "MT601"),
        (f"trainer = pl.Trainer(**effect())\n{TRAIN}", "MT602"),
        (f'options = {{"devices": 2}}\ntrainer = pl.Trainer(**options)\n{TRAIN}', "MT602"),
        (f"trainer = pl.Trainer.from_argparse_args(effect())\n{TRAIN}", "MT602"),
        (f'trainer = pl.Trainer(accelerator="tpu")\n{TRAIN}', "MT603"),
        (f"trainer = pl.Trainer(weights_summary=None)\n{TRAIN}", "MT128"),
        ("pl.cli.LightningCLI(Net, Data)\n", "MT609"),
        (f"import pytorch_lightning\ntrainer = pl.Trainer()\n{TRAIN}", "MT601"),
        (f"def main():\n    trainer = pl.Trainer()\n    {TRAIN}    return effect(trainer)\nmain()\n", "MT641"),
        (f"def main():\n    global trainer\n    trainer = pl.Trainer()\n    {TRAIN}main()\n", "MT641"),
        (f"def run(trial):\n    trainer = pl.Trainer()\n    {TRAIN}effect(run)\n", "MT640"),
        (f'if __name__ == "__main__" and effect():\n    trainer = pl.Trainer()\n    {TRAIN}', "MT640"),
        (f"async def main():\n    trainer = pl.Trainer()\n    {TRAIN}", "MT640"),
    ],
)
def test_left_as_it_was(text: str, code: str) -> None:
    result = adopt(text)

    assert not result.changed
    assert codes(result) == [code]


@pytest.mark.parametrize(
    ("behind", "driver"),
    [
        ('print(trainer.callback_metrics["loss"])', 'print(result.metrics["loss"])'),
        (
            'loss = trainer.callback_metrics["loss"].cpu().item()\nprint(loss)',
            'loss = result.metrics["loss"]\nprint(loss)',
        ),
        ("print('done')", "print('done')"),
    ],
)
def test_metrics_are_read_from_the_result(behind: str, driver: str) -> None:
    output = driver_of(after(adopt(f"trainer = pl.Trainer()\n{TRAIN}{behind}\n")))

    assert output.endswith(f"result = trainer.fit()\n{driver}\n")


@pytest.mark.parametrize(
    "behind",
    [
        "print(trainer.logged_metrics)",
        'trainer.test(Net(), Data())\nprint(trainer.callback_metrics["loss"])',
        'loss = trainer.callback_metrics["loss"]\nprint(loss, trainer.global_step)',
    ],
)
def test_what_only_the_trainer_knows_stays_with_it(behind: str) -> None:
    result = adopt(f"trainer = pl.Trainer()\n{TRAIN}{behind}\n")

    assert "if ray.train.get_context().get_world_rank() == 0:" in function_of(after(result))
    assert driver_of(after(result)).endswith("result = trainer.fit()\n")
    assert "MT644" in codes(result, Kind.REVIEW)


def test_a_metric_that_is_logged_too_late_for_the_report_stays_in_the_worker() -> None:
    module = "class Late(pl.LightningModule):\n    def on_train_epoch_end(self):\n        self.log('loss', 1)\n"

    output = after(adopt(f"{module}trainer = pl.Trainer()\n{TRAIN}print(trainer.callback_metrics['loss'])\n"))

    assert "print(trainer.callback_metrics['loss'])" in function_of(output)


def test_seeds_and_what_they_are_for_go_together() -> None:
    text = f"torch.manual_seed(1)\ndata = torch.rand(3)\ndef main():\n    trainer = pl.Trainer()\n    {TRAIN}main()\n"

    assert function_of(after(adopt(text)))[0] == "torch.manual_seed(1)"


def test_runs_of_tracking_services_are_opened_where_loggers_write() -> None:
    result = adopt(f"import wandb\nwandb.init(project='x')\ntrainer = pl.Trainer()\n{TRAIN}")

    assert function_of(after(result))[0] == "wandb.init(project='x')"
    assert "MT643" in codes(result, Kind.REVIEW)


def test_data_and_functions_that_read_it_go_with_the_training() -> None:
    text = "rows = effect()\ndef loader():\n    return rows\ntrainer = pl.Trainer()\ntrainer.fit(Net(), loader())\n"

    lines = function_of(after(adopt(text)))

    assert lines[:3] == ["rows = effect()", "def loader():", "return rows"]


def test_functions_that_train_what_they_are_given_are_called_in_the_worker() -> None:
    text = "def train(model, data):\n    trainer = pl.Trainer()\n    trainer.fit(model, data)\ntrain(Net(), Data())\n"

    assert function_of(after(adopt(text))) == ["train(Net(), Data())"]


def test_objects_that_train_do_so_in_each_worker() -> None:
    text = """\
        class Experiment:
            def __init__(self):
                self.trainer = pl.Trainer()

            def run(self):
                self.trainer.fit(Net(), Data())

        experiment = Experiment()
        experiment.run()
        print(experiment.run())
        """

    assert function_of(after(adopt(text))) == [
        "experiment = Experiment()",
        "experiment.run()",
        "print(experiment.run())",
    ]


def test_a_function_that_only_trains_is_the_train_function() -> None:
    output = after(adopt(f"def train():\n    trainer = pl.Trainer()\n    {TRAIN}\ntrain()\n"))

    assert "def train():" in output
    assert "trainer = TorchTrainer(\n    train,\n" in output
    assert output.endswith("result = trainer.fit()\n")


@pytest.mark.parametrize(
    ("made", "written"),
    [
        ("trainer = pl.Trainer(devices=[0, 1])", "trainer = prepare_trainer(trainer)"),
        ("trainer = pl.Trainer(strategy=RayDDPStrategy(), devices=2)", "plugins=[RayLightningEnvironment()]"),
        (
            "trainer = pl.Trainer(strategy=RayDDPStrategy(static_graph=True))",
            "strategy=RayDDPStrategy(static_graph=True)",
        ),
    ],
)
def test_half_converted(made: str, written: str) -> None:
    result = adopt(HALF_CONVERTED.format(made))

    assert written in after(result).replace(",\n", "\n").replace("        ", "")
    assert 'devices="auto"' in after(result)
    assert after(result).count("TorchTrainer(") == 1
    assert not adopt(after(result).removeprefix(IMPORTS)).changed


def test_loops_and_several_trainers_train_in_one_function() -> None:
    output = after(adopt("for lr in (1, 2):\n    trainer = pl.Trainer()\n    trainer.fit(Net(lr), Data())\n"))

    assert function_of(output)[:2] == ["for lr in (1, 2):", "trainer = pl.Trainer("]
    assert "prepare_trainer(trainer)" in output


def test_old_package_gives_way_to_the_one_that_ray_takes() -> None:
    text = "import pytorch_lightning as pl\nimport torch\ntrainer = pl.Trainer()\ntrainer.fit(torch.nn.Linear(1, 1))\n"

    result = migrate(text, adoption=Adoption(2))

    assert "import lightning.pytorch as pl" in after(result)
    assert "MT118" in codes(result)


def test_old_package_stays_where_a_module_may_be_of_it() -> None:
    text = f"import pytorch_lightning as pl\nfrom project import Net, Data\ntrainer = pl.Trainer()\n{TRAIN}"

    result = migrate(text, adoption=Adoption(2))

    assert "import pytorch_lightning as pl" in after(result)
    assert "MT113" in codes(result)


def test_what_is_defined_below_the_training_goes_with_what_needs_it() -> None:
    text = f"trainer = pl.Trainer()\n{TRAIN}def show(model):\n    print(WIDTH, model)\nWIDTH = 3\nshow(trainer.model)\n"

    output = after(adopt(text))

    assert function_of(output)[-4:] == ["def show(model):", "print(WIDTH, model)", "WIDTH = 3", "show(trainer.model)"]


def test_strings_over_several_lines_keep_their_text() -> None:
    text = f'trainer = pl.Trainer()\n{TRAIN}print(trainer, f"""a\n  {{trainer}}\nb""", """\nc""")\n'

    assert 'f"""a\n  {trainer}\nb""", """\nc""")' in after(adopt(text))


def test_bundled_runtime() -> None:
    output = after(migrate(f"{IMPORTS}trainer = pl.Trainer()\n{TRAIN}", bundled=True, adoption=Adoption(2)))

    assert "from train_runtime.lightning import (" in output
    assert "from ray" not in output


def test_a_comment_skips_the_statement() -> None:
    result = adopt(f"trainer = pl.Trainer()  # migrate-trainers: skip\n{TRAIN}")

    assert not result.changed
    assert codes(result) == ["MT907"]


def test_one_worker_draws_the_random_numbers_of_one_device() -> None:
    text = "import os\npl.seed_everything(7)\ntrainer = pl.Trainer({})\n" + TRAIN
    line = '    os.environ.pop("PL_GLOBAL_SEED", None)  # DDP would seed again with it\n'

    assert f"    pl.seed_everything(7)\n{line}" in after(adopt(text.format(""), num_workers=1))
    assert line not in after(adopt(text.format(""), num_workers=2))
    assert line not in after(adopt(text.format('strategy="ddp"'), num_workers=1))
