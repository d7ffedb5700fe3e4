"""Files that depend on each other: all of them change, or none does and a finding names the other file."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from worker_calls import assert_same_calls

from migrate_trainers import FileResult, Settings, migrate_project
from migrate_trainers.findings import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path("/project")
MODEL = "from pytorch_lightning import LightningModule\n\n\nclass Net(LightningModule):\n    pass\n"
OLD, NEW = "pytorch_lightning", "lightning.pytorch"


def train(imports: str, *, pl: str = "import pytorch_lightning as pl", net: str = "Net", call: str = "") -> str:
    """A script whose module's class is imported."""
    return f"""\
{pl}
from ray.air.config import ScalingConfig
from ray.train.lightning import LightningConfigBuilder, LightningTrainer
{imports}

config = LightningConfigBuilder().module({net}).fit_params(train_dataloaders=[]){call}.build()
LightningTrainer(lightning_config=config, scaling_config=ScalingConfig(num_workers=2)).fit()
"""


def migrate(
    files: Mapping[str, str], *, others: Mapping[str, str] | None = None, **settings: object
) -> dict[str, FileResult]:
    """The results by file; the text of a file is dedented."""

    def sources(texts: Mapping[str, str]) -> dict[Path, bytes]:
        return {ROOT / name: dedent(text).encode() for name, text in texts.items()}

    results = migrate_project(sources(files), Settings(**settings), sources(others or {}))  # type: ignore[arg-type]
    return {path.relative_to(ROOT).as_posix(): result for path, result in results.items()}


def packages(files: Mapping[str, str], results: Mapping[str, FileResult]) -> dict[str, str]:
    """Which Lightning package each file imports in the end."""
    texts = {name: results[name].after.decode() if name in results else text for name, text in files.items()}
    found = {}
    for name, text in texts.items():
        used = [package for package in (OLD, NEW) if f"import {package}" in text or f"from {package}" in text]
        found[name] = " and ".join(used)
    return {name: package for name, package in found.items() if package}


def messages(result: FileResult, code: str) -> list[str]:
    return [finding.message for finding in result.findings if finding.code == code]


def all_codes(results: Mapping[str, FileResult]) -> set[str]:
    return {finding.code for result in results.values() for finding in result.findings}


CONVERTED = {
    "a module beside the script": {"train.py": train("from models import Net"), "models.py": MODEL},
    "a module imported whole": {"train.py": train("import models", net="models.Net"), "models.py": MODEL},
    "a module of a package, imported from it": {
        "train.py": train("from pkg import models", net="models.Net"),
        "pkg/__init__.py": "",
        "pkg/models.py": MODEL,
    },
    "what a package hands on": {
        "train.py": train("from pkg import Net"),
        "pkg/__init__.py": "from .models import Net as Net\n",
        "pkg/models.py": MODEL,
    },
    "a script in a package, by relative imports": {
        "pkg/scripts/train.py": train("from ..models.nets import Net"),
        "pkg/__init__.py": "",
        "pkg/scripts/__init__.py": "",
        "pkg/models/__init__.py": "",
        "pkg/models/nets.py": MODEL,
    },
    "a folder without __init__.py": {"train.py": train("from pkg.models import Net"), "pkg/models.py": MODEL},
    "the src layout": {
        "scripts/train.py": train("from pkg.models import Net"),
        "src/pkg/__init__.py": "",
        "src/pkg/models.py": MODEL,
    },
    "a base of the base": {
        "train.py": train("from models import Net"),
        "models.py": "from bases import Base\n\n\nclass Net(Base):\n    pass\n",
        "bases.py": MODEL.replace("Net", "Base"),
    },
    "an import in a function": {
        "train.py": train("def load():\n    from data import DM\n    return DM()\n\nfrom models import Net"),
        "models.py": MODEL,
        "data.py": "import pytorch_lightning as pl\nclass DM(pl.LightningDataModule):\n    pass\n",
    },
    "modules that import each other": {
        "train.py": train("from models import Net"),
        "models.py": f"import data\n{MODEL}",
        "data.py": "import models\nimport pytorch_lightning as pl\n",
    },
    "a script that says neither package": {
        "train.py": train("from models import Net", pl="import torch"),
        "models.py": MODEL,
    },
    "two scripts with one model": {
        "train.py": train("from models import Net"),
        "tune.py": train("from models import Net"),
        "models.py": MODEL,
    },
    "a script without Ray that uses the model": {
        "train.py": train("from models import Net"),
        "models.py": MODEL,
        "plain.py": "import pytorch_lightning as pl\nfrom models import Net\npl.Trainer().fit(Net())\n",
    },
    "a script without Ray that imports the script": {
        "train.py": train("from models import Net"),
        "models.py": MODEL,
        "plain.py": "import pytorch_lightning as pl\nfrom train import Net\npl.Trainer().fit(Net())\n",
    },
}


@pytest.mark.parametrize("files", CONVERTED.values(), ids=CONVERTED)
def test_files_get_the_new_package_together(files: dict[str, str]) -> None:
    results = migrate(files)

    assert set(packages(files, results).values()) == {NEW}
    assert "MT113" not in all_codes(results)
    changed = {name for name, result in results.items() if result.changed}
    for name in changed:
        assert {path.relative_to(ROOT).as_posix() for path in results[name].together} == changed


KEPT = {
    "the model's import is guarded": (
        {"models.py": "try:\n    import pytorch_lightning as pl\nexcept ImportError:\n    raise\nclass Net: pass\n"},
        "in `/project/models.py`, the import of `pytorch_lightning` is guarded by `try`",
    ),
    "the model is made of what 2.x has nowhere": (
        {"models.py": f"from pytorch_lightning.metrics import Accuracy\n{MODEL}"},
        "in `/project/models.py`, `lightning.pytorch` has no `metrics`",
    ),
    "the model derives from an installed library's": (
        {"models.py": "import pytorch_lightning\nfrom library import Base\nclass Net(Base):\n    pass\n"},
        "`library.Base` is defined where it can't be seen",
    ),
    "the model is handed on from an installed library": (
        {"models.py": "import pytorch_lightning\nfrom library import Net\n"},
        "`library.Net` is defined where it can't be seen",
    ),
    "another script with the model can't be migrated": (
        {"models.py": MODEL, "other.py": train("from models import Net").replace("config,", "make(),")},
        "`/project/other.py` uses the same modules and is not migrated",
    ),
    "another script with the model can't be converted": (
        {"models.py": MODEL, "plain.py": "from models import Net\nimport pytorch_lightning as pl, pl_bolts\n"},
        "in `/project/plain.py`, `pl_bolts` is made for `pytorch_lightning`",
    ),
    "the model's file is no Python": ({"models.py": "class Net(:\n"}, "`models.Net` is defined where it can't be seen"),
}


@pytest.mark.parametrize(("around", "reason"), KEPT.values(), ids=KEPT)
def test_all_files_keep_the_old_package_and_a_finding_says_why(around: dict[str, str], reason: str) -> None:
    files = {"train.py": train("from models import Net"), **around}

    results = migrate(files)

    assert results["train.py"].changed
    assert {name for name, result in results.items() if result.changed} <= {"train.py"}
    assert NEW not in set(packages(files, results).values())
    assert any(reason in message for message in messages(results["train.py"], "MT113"))


def test_a_script_that_says_neither_follows_modules_that_keep_the_old_package() -> None:
    model = f"from pytorch_lightning.metrics import Accuracy\n{MODEL}"
    results = migrate({"train.py": train("from models import Net", pl=""), "models.py": model})

    assert "from pytorch_lightning import Trainer\n" in results["train.py"].after.decode()
    assert messages(results["train.py"], "MT113")


@pytest.mark.parametrize("settings", [{"bundled": True}, {"target_version": (2, 7)}], ids=str)
def test_nothing_is_converted_where_the_target_takes_the_old_package(settings: dict[str, object]) -> None:
    files = {"train.py": train("from models import Net"), "models.py": MODEL}

    results = migrate(files, **settings)

    assert set(results) == {"train.py"}
    assert packages(files, results) == {"train.py": OLD, "models.py": OLD}


def test_unrelated_files_stay() -> None:
    unrelated = {"other.py": "import pytorch_lightning as pl\n", "deep/models.py": MODEL, "broken.py": "import ("}

    results = migrate({"train.py": train("from models import Net"), "models.py": MODEL, **unrelated})

    assert set(results) == {"train.py", "models.py"}


def test_files_around_are_read_and_the_script_is_left_for_a_run_with_both() -> None:
    script = {"train.py": train("from models import Net")}

    (result,) = migrate(script, others={**script, "models.py": MODEL}).values()

    assert not result.changed
    assert messages(result, "MT906") == [
        "Left because of another file: `/project/models.py` has to say `lightning.pytorch` too, and was not given"
    ]


def test_files_around_that_need_no_change_are_enough() -> None:
    script = {"train.py": train("from models import Net", pl="import lightning.pytorch as pl")}

    (result,) = migrate(script, others={"models.py": MODEL.replace(OLD, NEW)}).values()

    assert result.changed
    assert {finding.code for finding in result.findings} == {"MT100"}


LOGS = "\n    def on_train_epoch_end(self):\n        self.log('x', 1)\n"
CLASSES = {
    "read": ({"models.py": MODEL}, set()),
    "read through a package": ({"models/__init__.py": "from .net import Net\n", "models/net.py": MODEL}, set()),
    "logs at the end of an epoch": ({"models.py": MODEL + LOGS}, {"MT111"}),
    "its base logs at the end of an epoch": (
        {
            "models.py": "from base import Base\nclass Net(Base):\n    pass\n",
            "base.py": MODEL.replace("Net", "Base") + LOGS,
        },
        {"MT111"},
    ),
    "not there": ({"models.py": "from library import Net\n"}, {"MT114"}),
    "one of two": ({"models.py": MODEL, "src/models.py": MODEL + LOGS}, {"MT114"}),
}


@pytest.mark.parametrize(("files", "expected"), CLASSES.values(), ids=CLASSES)
def test_the_modules_class_is_read_in_its_own_file(files: dict[str, str], expected: set[str]) -> None:
    results = migrate({"train.py": train("from models import Net"), **files})

    found = {finding.code for finding in results["train.py"].findings}
    assert found & {"MT111", "MT114"} == expected


def test_legacy_names_in_modules_are_found_as_in_any_file() -> None:
    """A file that is converted with others and holds a legacy name of its own is left, with all of them."""
    derived = "from ray.train.lightning import LightningTrainer\nclass Mine(LightningTrainer):\n    pass\n"
    files = {"train.py": train("from models import Net"), "models.py": MODEL + derived}

    results = migrate(files)

    assert packages(files, results) == {"train.py": OLD, "models.py": OLD}
    assert messages(results["models.py"], "MT904")


HEAD = """\
from project import DM, Net
from ray.train.lightning import LightningConfigBuilder


"""
MAKER = f"""{HEAD}\
def make_config(lr, epochs=2):
    builder = LightningConfigBuilder()
    builder.module(Net, lr=lr)
    builder.trainer(max_epochs=epochs)
    builder.fit_params(datamodule=DM())
    return builder.build()
"""
BUILDER = f"""{HEAD}\
def make_builder():
    return LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
"""
FIXED = f"""{HEAD}\
fixed = LightningConfigBuilder().module(Net, lr=3).fit_params(datamodule=DM()).strategy("fsdp").build()
"""


def fit(config: str, imports: str) -> str:
    """A script that trains with a configuration from elsewhere."""
    return f"""\
{imports}
from ray.air.config import ScalingConfig
from ray.train.lightning import LightningTrainer

trainer = LightningTrainer(lightning_config={config}, scaling_config=ScalingConfig(num_workers=2))
trainer.fit()
"""


HANDED_ON = {
    "a function": {"train.py": fit("make_config(0.1, epochs=3)", "from configs import make_config")},
    "a function by another name": {"train.py": fit("make(0.1)", "from configs import make_config as make")},
    "a builder that is filled further": {
        "configs.py": BUILDER,
        "train.py": fit("make_builder().trainer(max_epochs=5).build()", "from configs import make_builder"),
    },
    "a variable": {"configs.py": FIXED, "train.py": fit("fixed", "from configs import fixed")},
    "through the module": {"train.py": fit("configs.make_config(lr=2)", "import configs")},
    "a variable through the module": {"configs.py": FIXED, "train.py": fit("c.fixed", "import configs as c")},
    "edited by the script": {
        "configs.py": FIXED,
        "train.py": fit("config", "from configs import fixed as config").replace(
            "trainer = ", 'config["_module_init_config"]["lr"] = 7\ntrainer = '
        ),
    },
    "several trainers in several scripts": {
        "train.py": fit("make_config(1)", "from configs import make_config\nimport second"),
        "second.py": fit("make_config(2)", "from configs import make_config"),
    },
    "handed on by another module": {
        "train.py": fit("make_config(1)", "from hub import make_config"),
        "hub.py": "from configs import make_config\n",
    },
    "a function around it": {
        "train.py": fit("tuned(1)", "from hub import tuned"),
        "hub.py": "import configs\n\ndef tuned(lr):\n    return configs.make_config(lr * 2)\n",
    },
    "a method": {
        "train.py": fit("Experiment(4).config()", "from experiment import Experiment"),
        "experiment.py": (
            "from configs import make_config\n\n\nclass Experiment:\n    def __init__(self, lr):\n"
            "        self.lr = lr\n\n    def config(self):\n        return make_config(self.lr)\n"
        ),
    },
    "imported in a function": {
        "train.py": fit("load()", "def load():\n    from configs import make_config\n    return make_config(1)\n")
    },
    "not used by somebody else who reads other things": {
        "train.py": fit("make_config(1)", "from configs import make_config"),
        "plain.py": "from configs import DM, Net\nprint(Net, DM)\n",
    },
}
IN_PACKAGE = {
    "relative": {
        "train.py": "import pkg.run\n",
        "pkg/__init__.py": "",
        "pkg/configs.py": MAKER,
        "pkg/run.py": fit("make_config(1)", "from .configs import make_config"),
    },
    "re-exported": {
        "train.py": fit("make_config(1)", "from pkg import make_config"),
        "pkg/__init__.py": "from .configs import make_config\n",
        "pkg/configs.py": MAKER,
    },
    "importing each other": {
        "train.py": "import b\n",
        "a.py": MAKER.replace("\n\n\ndef", "\n\nimport b\n\n\ndef", 1),
        "b.py": fit("a.make_config(1)", "import a"),
    },
}
ALL_HANDED_ON = {name: {"configs.py": MAKER, **files} for name, files in HANDED_ON.items()} | IN_PACKAGE


def modules(files: Mapping[str, str]) -> dict[str, str]:
    """The texts of files by module name."""
    return {name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): text for name, text in files.items()}


@pytest.mark.parametrize("files", ALL_HANDED_ON.values(), ids=ALL_HANDED_ON)
def test_configurations_from_other_files_make_the_same_calls(files: dict[str, str]) -> None:
    results = migrate(files)

    assert {finding.kind for result in results.values() for finding in result.findings} <= {Kind.MIGRATED, Kind.REVIEW}
    texts = {name: results[name].after.decode() if name in results else text for name, text in files.items()}
    assert not [name for name, text in texts.items() if "LightningTrainer" in text or "ConfigBuilder" in text]
    assert_same_calls(files["train.py"], texts["train.py"], files=(modules(files), modules(texts)))


LEFT = {
    "another file looks into it": (
        {"other.py": "from configs import make_config\nprint(make_config(1).keys())\nsave(make_config(1))\n"},
        "other.py",
    ),
    "another file hands the function on": (
        {"other.py": "from configs import make_config\nCHOICES = {'a': make_config}\n"},
        "other.py",
    ),
    "another script can't be migrated": (
        {"other.py": fit("make_config(1)", "from configs import make_config") + "\nsave(make_config(2))\n"},
        "other.py",
    ),
    "the function can't be followed": (
        {"configs.py": MAKER.replace("    return builder", "    save(builder)\n    return builder", 1)},
        "configs.py",
    ),
    "the call could not have worked": (
        {"configs.py": MAKER.replace("max_epochs=epochs", "max_epoch=epochs")},
        "configs.py",
    ),
}


@pytest.mark.parametrize(("around", "at_fault"), LEFT.values(), ids=LEFT)
def test_all_ends_are_left_where_one_is(around: dict[str, str], at_fault: str) -> None:
    files = {"configs.py": MAKER, "train.py": fit("make_config(1)", "from configs import make_config"), **around}

    results = migrate(files)

    assert not any(result.changed for result in results.values())
    reasons = {name: {finding.code for finding in result.findings} for name, result in results.items()}
    assert reasons[at_fault] - {"MT906"}
    assert reasons["train.py"] == {"MT906"}
    assert all(f"`/project/{at_fault}`" in message for message in messages(results["train.py"], "MT906"))


def test_a_module_of_that_name_in_two_places_is_not_guessed() -> None:
    script = fit("make_config(1)", "from configs import make_config")

    results = migrate({"train.py": script, "configs.py": MAKER, "src/configs.py": MAKER})

    assert not any(result.changed for result in results.values())
    assert messages(results["train.py"], "MT101")


def test_the_file_that_makes_the_configuration_must_be_given_too() -> None:
    script = {"train.py": fit("make_config(1)", "from configs import make_config")}

    (result,) = migrate(script, others={"configs.py": MAKER}).values()

    assert not result.changed
    assert result.has(Kind.MANUAL)


class Counted(dict[Path, bytes]):
    """Files that count how often each is read."""

    def __init__(self, files: Mapping[Path, bytes]) -> None:
        super().__init__(files)
        self.reads: Counter[Path] = Counter()

    def __getitem__(self, path: Path) -> bytes:
        self.reads[path] += 1
        return super().__getitem__(path)


class Untouchable(dict[Path, bytes]):
    """Files that nobody may list."""

    def __iter__(self) -> Iterator[Path]:
        raise AssertionError("the files around were listed")


def test_a_tree_without_a_hit_is_read_once_and_nothing_around_it_is_listed() -> None:
    files = Counted({ROOT / "models.py": MODEL.encode(), ROOT / "plain.py": b"from models import Net\n"})

    assert migrate_project(files, Settings(), Untouchable()) == {}
    assert set(files.reads.values()) == {1}


def test_a_tree_without_a_hit_costs_no_parser() -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom migrate_trainers import migrate_project\n"
        "migrate_project({Path('models.py'): b'import pytorch_lightning'})\n"
        "assert 'libcst' not in sys.modules\n"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_that_cannot_be_read_does_not_stop_the_others() -> None:
    class Broken(dict[Path, bytes]):
        def __getitem__(self, path: Path) -> bytes:
            if path.name == "broken.py":
                raise PermissionError("no")
            return super().__getitem__(path)

    script = train("from models import Net").encode()
    files = Broken({ROOT / "broken.py": b"", ROOT / "models.py": MODEL.encode(), ROOT / "train.py": script})

    results = migrate_project(files)

    assert results[ROOT / "broken.py"].has(Kind.ERROR)
    assert results[ROOT / "train.py"].changed
    assert results[ROOT / "models.py"].changed


MADE = "from transformers import Trainer, TrainingArguments\n\n\ndef init({parameters}):\n    return Trainer()\n"
FITTED = (
    "from ray.air.config import ScalingConfig\nfrom ray.train.huggingface import TransformersTrainer\n{imports}\n\n"
    "trainer = TransformersTrainer({function}, scaling_config=ScalingConfig(num_workers=2))\n"
    'if __name__ == "__main__":\n    trainer.fit()\n'
)
OWN = FITTED.format(
    imports="\n\n" + MADE.format(parameters="train_dataset, eval_dataset=None, **config"), function="init"
)
USERS = {
    "by its name": "from train import init\n\ninit(None)\n",
    "under another name": "from train import init as make\n\nmake(None)\n",
    "through the module": "import train\n\ntrain.init(None)\n",
}


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_a_function_that_another_file_takes_is_kept(user: str) -> None:
    alone = migrate({"train.py": OWN})["train.py"]
    used = migrate({"train.py": OWN, "look.py": user})["train.py"]
    around = migrate({"train.py": OWN}, others={"look.py": user})["train.py"]
    other = migrate({"train.py": OWN, "look.py": user.replace("init", "trainer")})["train.py"]

    assert b"def init(" not in alone.after
    assert b"def init(" not in other.after
    assert b"def init(" in used.after
    assert around.after == used.after


@pytest.mark.parametrize(
    ("imports", "function"), [("from made import init", "init"), ("import made", "made.init")], ids=["name", "module"]
)
def test_the_parameters_of_an_imported_function_are_read(imports: str, function: str) -> None:
    def results(parameters: str) -> FileResult:
        made = MADE.format(parameters=parameters)
        return migrate({"train.py": FITTED.format(imports=imports, function=function), "made.py": made})["train.py"]

    assert f"trainer = {function}(None, None)".encode() in results("train_dataset, eval_dataset=None, **config").after
    assert {finding.code for finding in results("train_dataset").findings} == {"MT201"}
