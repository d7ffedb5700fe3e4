"""Adopted scripts with a command line keep it; what it says reaches the workers through `train_loop_config`."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING

import pytest
from rewriting import after, findings, migrate

from migrate_trainers.settings import Adoption

if TYPE_CHECKING:
    from migrate_trainers import FileResult

IMPORTS = """\
import argparse
import sys
import lightning.pytorch as pl
from project import Data, Net, effect, parser
"""
PARSED = "args = parser.parse_args()\n"
TRAINING = """\
trainer = pl.Trainer(max_epochs=args.epochs)
trainer.fit(Net(lr=args.lr), Data())
"""


def adopt(text: str) -> FileResult:
    return migrate(IMPORTS + dedent(text), adoption=Adoption(2))


def in_main(text: str, *, parameters: str = "", decorators: str = "") -> str:
    return f"{decorators}def main({parameters}):\n{indent(text, '    ')}\n\nmain()\n"


@pytest.mark.parametrize("place", [str, in_main], ids=["module", "main"])
def test_arguments_that_are_only_read(place: object) -> None:
    assert callable(place)
    output = after(adopt(place(f"print({PARSED[7:-1]})\n{PARSED}print(args.lr)\n{TRAINING}")))

    assert "def train_func(config):\n    trainer = pl.Trainer(" in output
    assert 'max_epochs=config["epochs"]' in output
    assert 'Net(lr=config["lr"])' in output
    assert "train_loop_config=vars(args),\n" in output
    assert "    print(args.lr)\n" in output or "\nprint(args.lr)\n" in output


@pytest.mark.parametrize("use", ["model.use(args)", "model.use(vars(args))", "args.size = model.size"])
def test_arguments_of_which_more_is_asked(use: str) -> None:
    training = TRAINING.replace("Net(lr=args.lr)", "model")

    output = after(adopt(in_main(f"{PARSED}model = Net(args.lr)\n{use}\n{training}")))

    assert (
        f"def train_func(config):\n    args = argparse.Namespace(**config)\n    model = Net(args.lr)\n    {use}\n"
    ) in output
    assert "train_loop_config=vars(args),\n" in output


@pytest.mark.parametrize("place", [str, in_main], ids=["module", "main"])
def test_variable_that_the_training_assigns_anew(place: object) -> None:
    assert callable(place)
    training = "model = Net(args.lr)\nargs = model.changed(args)\n" + TRAINING.replace("Net(lr=args.lr)", "model")

    output = after(adopt(place(PARSED + training)))

    assert 'def train_func(config):\n    args = config["args"]\n    model = Net(args.lr)\n' in output
    assert 'train_loop_config={"args": args},\n' in output


@pytest.mark.parametrize(
    "parsing",
    [
        "args = parser.parse_args()\n",
        "args, _ = parser.parse_known_args()\n",
        "args: argparse.Namespace = parser.parse_args()\n",
        "args = get_args()\n",
        "parser = argparse.ArgumentParser()\nif effect():\n    parser.add_argument('--b')\n"
        "args = parser.parse_args()\n",
    ],
)
def test_ways_of_parsing(parsing: str) -> None:
    functions = (
        "def get_args():\n    parser = argparse.ArgumentParser()\n    args = parser.parse_args()\n"
        "    args.lr *= 2\n    return args\n\n\n"
    )

    output = after(adopt(functions + in_main(parsing + TRAINING)))

    driver = output[output.index("def main") :]
    assert indent(parsing, "    ") in driver
    assert "train_loop_config=vars(args)" in driver


@pytest.mark.parametrize(
    ("parsing", "read"),
    [
        ("import tyro\nargs = tyro.cli(Net)\n", "args.epochs"),
        ("import docopt\nargs = docopt.docopt(__doc__)\n", 'args["--epochs"]'),
        ("args = effect(sys.argv[1:])\n", "args[0]"),
        ("args = parser.parse_args_into_dataclasses()\n", "args[0].epochs"),
        ("args = vars(parser.parse_args())\n", 'args["epochs"]'),
    ],
)
def test_other_values_of_the_command_line(parsing: str, read: str) -> None:
    training = TRAINING.replace("args.epochs", read).replace("lr=args.lr", "")

    output = after(adopt(in_main(parsing + training)))

    assert 'def train_func(config):\n    args = config["args"]\n' in output
    assert 'train_loop_config={"args": args},\n' in output
    assert parsing.splitlines()[-1] in output[output.index("def main") :]


@pytest.mark.parametrize(
    ("head", "start"),
    [
        ("@click.command()\n@click.option('--lr', default=0.1)\n@click.option('--epochs', default=1)\n", "main()\n"),
        ("@app.command()\n", "app()\n"),
        ("", "typer.run(main)\n"),
        ("", "fire.Fire(main)\n"),
    ],
)
def test_commands(head: str, start: str) -> None:
    text = f"import click, fire, typer\napp = typer.Typer()\n\n\n{head}def main(lr: float, epochs: int):\n"
    body = TRAINING.replace("args.", "")

    output = after(adopt(f'{text}    """Train."""\n    print("lr", lr)\n{indent(body, "    ")}\n\n{start}'))

    assert 'def train_func(config):\n    epochs = config["epochs"]\n    lr = config["lr"]\n' in output
    assert f'{head}def main(lr: float, epochs: int):\n    """Train."""\n    print("lr", lr)\n' in output
    assert 'train_loop_config={"epochs": epochs, "lr": lr},\n' in output
    assert output.endswith(start)


def test_hydra() -> None:
    text = "import hydra\n\n\n" + in_main(
        "print(cfg)\n" + TRAINING.replace("args", "cfg"),
        parameters="cfg",
        decorators='@hydra.main(version_base=None, config_name="digits")\n',
    )

    output = after(adopt(text))

    # As it is: made anew of plain values it would not refuse unknown keys any more.
    assert 'def train_func(config):\n    cfg = config["cfg"]\n' in output
    assert 'train_loop_config={"cfg": cfg},\n' in output
    assert '@hydra.main(version_base=None, config_name="digits")\ndef main(cfg):\n    print(cfg)\n' in output


@pytest.mark.parametrize(
    "loading",
    [
        "settings = yaml.safe_load(open(args.file))\n",
        "with open(args.file) as file:\n    settings = json.load(file)\n",
        "settings = OmegaConf.load(args.file)\n",
    ],
)
def test_files_of_settings_are_loaded_where_the_script_runs(loading: str) -> None:
    imports = "import json\nimport yaml\nfrom omegaconf import OmegaConf\n\n\n"
    training = TRAINING.replace("args.epochs", 'settings["epochs"]').replace("lr=args.lr", "")

    output = after(adopt(imports + in_main(PARSED + loading + training)))

    assert 'def train_func(config):\n    settings = config["settings"]\n' in output
    assert indent(loading, "    ") in output[output.index("def main") :]


def test_files_of_data_are_loaded_in_workers() -> None:
    loading = "rows = json.load(open('rows.json'))\n"

    output = after(adopt("import json\n\n\n" + in_main(PARSED + loading + TRAINING.replace("Data()", "Data(rows)"))))

    assert output.index("rows = json.load") < output.index("def main")


def test_values_beside_the_arguments() -> None:
    output = after(adopt(in_main(f"{PARSED}name = input()\nprint(name)\n{TRAINING}".replace("Data()", "Data(name)"))))

    assert "args" in output[output.index("train_loop_config") :]


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ("trainer = pl.Trainer(max_epochs=int(sys.argv[1]))\ntrainer.fit(Net(), Data())\n", "`sys.argv`"),
        ("trainer = pl.Trainer(max_epochs=parser.parse_args().epochs)\ntrainer.fit(Net(), Data())\n", "parse_args"),
        (
            "from absl import flags\nFLAGS = flags.FLAGS\n"
            "trainer = pl.Trainer(max_epochs=FLAGS.epochs)\ntrainer.fit(Net(), Data())\n",
            "FLAGS",
        ),
        (
            "from hydra.core.hydra_config import HydraConfig\n"
            "trainer = pl.Trainer(default_root_dir=HydraConfig.get().run.dir)\ntrainer.fit(Net(), Data())\n",
            "HydraConfig",
        ),
        (
            "def epochs():\n    return parser.parse_args().epochs\n\n\n"
            "trainer = pl.Trainer(max_epochs=epochs())\ntrainer.fit(Net(), Data())\n",
            "parse_args",
        ),
    ],
)
def test_workers_have_no_command_line(training: str, said: str) -> None:
    result = adopt(training)

    assert not result.changed
    (found,) = findings(result)
    assert found.startswith("MT646")
    assert said in found


@pytest.mark.parametrize("change", ["args.epochs = 0", "args.epochs += 1", "args = parser.parse_args([])"])
def test_value_that_changes_once_it_is_read(change: str) -> None:
    result = adopt(in_main(f"{PARSED}{TRAINING}{change}\nprint(args)\n"))

    assert not result.changed
    assert findings(result)[0].startswith("MT647")


def test_module_whose_functions_read_the_arguments_is_closed_over() -> None:
    text = "def name():\n    return args.name\n\n\n" + PARSED + TRAINING.replace("Net(", "Net(name(), ")

    output = after(adopt(text))

    assert "def train_func():\n" in output
    assert "max_epochs=args.epochs" in output


@pytest.mark.parametrize(
    ("string", "read"),
    [
        ('f"run {args.lr}"', "f\"run {config['lr']}\""),
        ("f'run {args.lr}'", "f'run {config[\"lr\"]}'"),
    ],
)
def test_quotes_in_formatted_strings(string: str, read: str) -> None:
    output = after(adopt(in_main(PARSED + TRAINING.replace("lr=args.lr", string))))

    assert f"Net({read})" in output


def test_name_of_the_configuration_is_free() -> None:
    output = after(adopt(in_main(PARSED + "config = Net.config\n" + TRAINING.replace("Data()", "Data(config)"))))

    assert "def train_func(train_loop_config):\n" in output
    assert 'max_epochs=train_loop_config["epochs"]' in output
