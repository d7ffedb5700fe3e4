"""`pytorch_lightning` becomes `lightning.pytorch` in the whole file, or nowhere and a finding says why."""

from __future__ import annotations

from textwrap import dedent

import pytest
from rewriting import after, codes, findings, migrate

from migrate_trainers import migrate_source

PROGRAM = """\
{imports}
from ray.train import ScalingConfig
from ray.train.lightning import LightningConfigBuilder, LightningTrainer

{code}

trainer = LightningTrainer(
    lightning_config=LightningConfigBuilder().module(Net).fit_params(train_dataloaders=loader()){calls}.build(),
    scaling_config=ScalingConfig(num_workers=2),
)
trainer.fit()
"""


def program(imports: str, code: str = "", *, calls: str = "") -> str:
    loader = "def loader():\n    return []"
    return PROGRAM.format(imports=dedent(imports).strip(), code=f"{dedent(code).strip()}\n\n{loader}", calls=calls)


CONVERTED = {
    "the package under its usual alias": (
        "import pytorch_lightning as pl",
        "class Net(pl.LightningModule):\n    pass",
        ["import lightning.pytorch as pl\n", "class Net(pl.LightningModule)", "trainer = pl.Trainer("],
    ),
    "a plain import, and every use of it": (
        "import pytorch_lightning",
        "class Net(pytorch_lightning.LightningModule):\n    callbacks = [pytorch_lightning.callbacks.Timer()]",
        [
            "import lightning.pytorch\n",
            "class Net(lightning.pytorch.LightningModule)",
            "[lightning.pytorch.callbacks.Timer()]",
            "trainer = lightning.pytorch.Trainer(",
        ],
    ),
    "names of the package and of its modules": (
        """
        from pytorch_lightning import LightningModule, Trainer as T
        from pytorch_lightning.callbacks import (
            EarlyStopping,  # stops
            ModelCheckpoint as MC,
        )
        """,
        "class Net(LightningModule):\n    pass",
        [
            "from lightning.pytorch import LightningModule, Trainer as T\n",
            "from lightning.pytorch.callbacks import (\n    EarlyStopping,  # stops\n    ModelCheckpoint as MC,\n)\n",
            "trainer = T(",
        ],
    ),
    "a module of the package": (
        """
        import pytorch_lightning as pl
        import pytorch_lightning.callbacks as cb, os
        import pytorch_lightning.loggers
        """,
        "class Net(pl.LightningModule):\n    log = pytorch_lightning.loggers.CSVLogger",
        [
            "import lightning.pytorch.callbacks as cb, os\nimport lightning.pytorch.loggers\n",
            "log = lightning.pytorch.loggers.CSVLogger",
        ],
    ),
    "everything, by a star": (
        "from pytorch_lightning import *\nfrom pytorch_lightning.callbacks import *",
        "class Net(LightningModule):\n    pass",
        ["from lightning.pytorch import *\nfrom lightning.pytorch.callbacks import *\n"],
    ),
    "imports in functions and under a condition": (
        "import pytorch_lightning as pl\nfrom typing import TYPE_CHECKING",
        """
        if TYPE_CHECKING:
            from pytorch_lightning.loggers import Logger

        def seed():
            from pytorch_lightning.utilities.seed import isolate_rng
            import pytorch_lightning
            return pytorch_lightning.__version__

        class Net(pl.LightningModule):
            pass
        """,
        [
            "    from lightning.pytorch.loggers import Logger\n",
            "    from lightning.pytorch.utilities.seed import isolate_rng\n",
            "    import lightning.pytorch\n    return lightning.pytorch.__version__\n",
        ],
    ),
    "what 2.x has elsewhere": (
        """
        import pytorch_lightning as pl
        from pytorch_lightning.utilities.cli import LightningCLI
        from pytorch_lightning.utilities.distributed import rank_zero_only, rank_zero_info
        from pytorch_lightning.utilities.seed import seed_everything
        """,
        "seed_everything(1)\n\nclass Net(pl.LightningModule):\n    profiler = pl.profiler.SimpleProfiler()",
        [
            "from lightning.pytorch.cli import LightningCLI\n",
            "from lightning.pytorch.utilities.rank_zero import rank_zero_only, rank_zero_info\n",
            "from lightning.pytorch import seed_everything\n",
            "profiler = pl.profilers.SimpleProfiler()",
        ],
    ),
    "fabric": (
        "import pytorch_lightning as pl\nfrom lightning_fabric.utilities.seed import seed_everything",
        "class Net(pl.LightningModule):\n    pass",
        ["from lightning.fabric.utilities.seed import seed_everything\n"],
    ),
    "annotations, also as strings": (
        "from __future__ import annotations\nimport pytorch_lightning",
        """
        class Net(pytorch_lightning.LightningModule):
            def a(self, trainer: pytorch_lightning.Trainer, other: "Optional[pytorch_lightning.Trainer]"):
                pass
        """,
        ['trainer: lightning.pytorch.Trainer, other: "Optional[lightning.pytorch.Trainer]"'],
    ),
    "strings that name a module or a class": (
        "import logging\nimport pytorch_lightning as pl",
        """
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        logging.getLogger('pytorch_lightning.utilities.rank_zero').setLevel(logging.ERROR)
        CONFIG = {"_target_": "pytorch_lightning.profiler.SimpleProfiler"}
        PROSE = "uses pytorch_lightning"

        class Net(pl.LightningModule):
            '''A pytorch_lightning module.'''
        """,
        [
            'getLogger("lightning.pytorch")',
            "getLogger('lightning.pytorch.utilities.rank_zero')",
            '"_target_": "lightning.pytorch.profilers.SimpleProfiler"',
            'PROSE = "uses pytorch_lightning"',
            "'''A pytorch_lightning module.'''",
        ],
    ),
}


@pytest.mark.parametrize(("imports", "code", "expected"), CONVERTED.values(), ids=CONVERTED)
def test_whole_file_is_converted(imports: str, code: str, expected: list[str]) -> None:
    result = migrate(program(imports, code))

    text = after(result)
    for part in expected:
        assert part in text
    assert "import pytorch_lightning" not in text
    assert "from pytorch_lightning" not in text
    assert "MT118" in codes(result)
    assert "MT113" not in codes(result)


NET = "class Net(pl.LightningModule):\n    pass"
KEPT = {
    "an import guarded by try": (
        "try:\n    import pytorch_lightning as pl\nexcept ImportError:\n    raise",
        NET,
        "guarded by `try`",
    ),
    "a name that 2.x has nowhere": (
        "import pytorch_lightning as pl\nfrom pytorch_lightning.loggers import TestTubeLogger",
        NET,
        "no `loggers.TestTubeLogger`",
    ),
    "a module that 2.x has nowhere": (
        "import pytorch_lightning as pl",
        f"{NET}\n    accuracy = pl.metrics.Accuracy()",
        "no `metrics`",
    ),
    "names that 2.x has in several modules": (
        "import pytorch_lightning as pl\nfrom pytorch_lightning.utilities.seed import isolate_rng, seed_everything",
        NET,
        "in several modules",
    ),
    "a module that 2.x calls otherwise": (
        "import pytorch_lightning as pl\nfrom pytorch_lightning import profiler",
        NET,
        "has another name",
    ),
    "a `lightning` of the file's own": (
        "import pytorch_lightning",
        "def lightning():\n    pass\n\nclass Net(pytorch_lightning.LightningModule):\n    pass",
        "a `lightning` of its own",
    ),
    "the package's name rebound": (
        "import pytorch_lightning\npytorch_lightning = pytorch_lightning.trainer",
        "class Net(LightningModule):\n    pass",
        "a `pytorch_lightning` of its own",
    ),
    "a library made for the old package": (
        "import pytorch_lightning as pl\nfrom pl_bolts.datamodules import CIFAR10DataModule",
        NET,
        "`pl_bolts.datamodules` is made for `pytorch_lightning`",
    ),
    "the module's class from elsewhere": (
        "import pytorch_lightning as pl\nfrom models import Net",
        "pl.seed_everything(1)",
        "`models.Net` is defined where",
    ),
    "a base of the module's class from elsewhere": (
        "import pytorch_lightning as pl\nfrom .models import Base",
        "class Net(Base):\n    x = pl.Trainer",
        "`.models.Base` is",
    ),
    "a callback from elsewhere, in a variable": (
        "import pytorch_lightning as pl\nimport hooks",
        f"{NET}\n\nmine = [hooks.Stop()]",
        "`hooks.Stop` is",
    ),
}


@pytest.mark.parametrize(("imports", "code", "reason"), KEPT.values(), ids=KEPT)
def test_nothing_is_converted_and_a_finding_says_why(imports: str, code: str, reason: str) -> None:
    calls = ".trainer(callbacks=mine)" if "mine" in code else ""

    result = migrate(program(imports, code, calls=calls))

    text = after(result)
    assert "lightning.pytorch" not in text
    assert [message for message in findings(result) if message.startswith("MT113") and reason in message]
    assert "MT118" not in codes(result)


@pytest.mark.parametrize("settings", [{"bundled": True}, {"target_version": (2, 7)}], ids=str)
def test_keeps_the_package_where_the_target_takes_it(settings: dict[str, object]) -> None:
    result = migrate(program("import pytorch_lightning as pl", NET), **settings)

    assert "import pytorch_lightning as pl\n" in after(result)
    assert not {"MT113", "MT118"} & set(codes(result))


def test_converts_a_file_that_takes_constants_and_other_libraries_from_elsewhere() -> None:
    imports = """
        import os
        import pytorch_lightning as pl
        from settings import EPOCHS, learning_rate
        from torch.utils.data import DataLoader
        """
    calls = ".trainer(max_epochs=EPOCHS).module(Net, lr=learning_rate)"

    assert "import lightning.pytorch as pl\n" in after(migrate(program(imports, NET, calls=calls)))


def test_mixed_packages_are_refused() -> None:
    result = migrate(program("import pytorch_lightning as pl\nfrom lightning.pytorch import Trainer", NET))

    assert not result.changed
    assert "MT106" in codes(result)


def test_requirement_is_reported() -> None:
    result = migrate(program("import pytorch_lightning as pl", f'{NET}\n\nPIP = ["torch", "pytorch-lightning>=1.9"]'))

    assert '"pytorch-lightning>=1.9"' in after(result)
    assert "MT119" in codes(result)


def test_findings_keep_their_places() -> None:
    """A use that got longer moves nothing of what a finding points at."""
    text = program(
        "import pytorch_lightning",
        "class Net(pytorch_lightning.LightningModule):\n    pass\n\n"
        "x = [pytorch_lightning.Trainer, pytorch_lightning.Callback, 'pytorch-lightning']",
    )

    (requirement,) = (found for found in migrate(text).findings if found.code == "MT119")

    line = text.splitlines()[requirement.line - 1]
    assert line[requirement.column - 1 : requirement.end_column - 1] == "'pytorch-lightning'"


def test_a_file_that_is_left_keeps_its_package() -> None:
    text = program("import pytorch_lightning as pl", f"{NET}\n\nbuilder = LightningConfigBuilder()\nfill(builder)")

    result = migrate(text.replace("LightningConfigBuilder().module(Net)", "builder.module(Net)"))

    assert not result.changed
    assert "MT118" not in codes(result)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=repr)
def test_line_ends_are_kept(newline: str) -> None:
    text = program("import pytorch_lightning as pl", NET).replace("\n", newline)

    output = migrate_source(text.encode()).after

    assert b"import lightning.pytorch as pl" in output
    assert output.count(newline.encode()) == len(output.splitlines())
