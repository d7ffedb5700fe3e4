"""A small script for each finding about those that train without Ray."""

from __future__ import annotations

from migrate_trainers.adopting.hugging_face_examples import HUGGING_FACE_EXAMPLES
from migrate_trainers.adopting.plain_torch.examples import PLAIN_TORCH_EXAMPLES, loop
from migrate_trainers.example import Example
from migrate_trainers.settings import Adoption, Settings

_ADOPTED = Settings(adoption=Adoption(num_workers=4))
_LIGHTNING = """\
import lightning.pytorch as pl
from digits import Data, Net

"""


def _adopted(program: str, instead: str = "") -> Example:
    return Example(program, instead, _ADOPTED)


def _lightning(arguments: str = "max_epochs=3", behind: str = "", before: str = "") -> str:
    """A script with one `pl.Trainer`."""
    return f"{_LIGHTNING}{before}trainer = pl.Trainer({arguments})\ntrainer.fit(Net(), datamodule=Data())\n{behind}"


ADOPTION_EXAMPLES: dict[str, Example] = {
    "MT600": _adopted(_lightning('max_epochs=3, devices=1, strategy="ddp"')),
    "MT601": _adopted(
        f"{_LIGHTNING}def make_trainer():\n    return pl.Trainer(max_epochs=3)\n",
        instead=_lightning(),
    ),
    "MT602": _adopted(
        _lightning("**options", before='options = {"max_epochs": 3, "devices": 2}\n'), instead=_lightning()
    ),
    "MT603": _adopted(_lightning('strategy="xla"'), instead=_lightning('strategy="ddp"')),
    "MT604": _adopted(_lightning()),
    "MT605": _adopted(_lightning('max_epochs=3, accelerator="gpu"')),
    "MT606": _adopted(_lightning()),
    "MT607": _adopted(_lightning("max_epochs=3, devices=8")),
    "MT608": _adopted(
        "from datetime import timedelta\n\nfrom lightning.pytorch.strategies import DDPStrategy\n"
        + _lightning("strategy=DDPStrategy(timeout=timedelta(hours=1))")
    ),
    "MT609": _adopted(
        "from digits import Data, Net\nfrom lightning.pytorch.cli import LightningCLI\n\nLightningCLI(Net, Data)\n",
        instead=_lightning(),
    ),
    **HUGGING_FACE_EXAMPLES,
    **PLAIN_TORCH_EXAMPLES,
    "MT640": _adopted(
        f"{_LIGHTNING}def first():\n    trainer = pl.Trainer()\n    trainer.fit(Net(), Data())\n\n\n"
        "def second():\n    trainer = pl.Trainer()\n    trainer.fit(Net(), Data())\n",
        instead=f"{_LIGHTNING}def main():\n    trainer = pl.Trainer()\n    trainer.fit(Net(), Data())\n",
    ),
    "MT641": _adopted(
        f"{_LIGHTNING}def main():\n    trainer = pl.Trainer()\n    trainer.fit(Net(), Data())\n    return trainer\n",
        instead=f"{_LIGHTNING}def main():\n    trainer = pl.Trainer()\n    trainer.fit(Net(), Data())\n",
    ),
    "MT642": _adopted(loop(epoch='torch.save(model.state_dict(), f"digits-{epoch}.pt")')),
    "MT644": _adopted(_lightning(behind="print(trainer.logged_metrics)\n")),
    "MT645": _adopted(_lightning(behind='print(trainer.callback_metrics["val_loss"])\n')),
    "MT646": _adopted(
        f"{_LIGHTNING}import sys\n\ntrainer = pl.Trainer(max_epochs=int(sys.argv[1]))\ntrainer.fit(Net(), Data())\n",
        instead=f"{_LIGHTNING}import sys\n\nepochs = int(sys.argv[1])\ntrainer = pl.Trainer(max_epochs=epochs)\n"
        "trainer.fit(Net(), Data())\n",
    ),
    "MT647": _adopted(
        f"{_LIGHTNING}from options import parser\n\nargs = parser.parse_args()\n"
        "trainer = pl.Trainer(max_epochs=args.epochs)\ntrainer.fit(Net(), Data())\nargs.epochs = 0\nprint(args)\n",
        instead=f"{_LIGHTNING}from options import parser\n\nargs = parser.parse_args()\n"
        "trainer = pl.Trainer(max_epochs=args.epochs)\ntrainer.fit(Net(), Data())\nprint(args)\n",
    ),
    "MT643": _adopted(_lightning('max_epochs=3, default_root_dir="runs"')),
    "MT648": _adopted(
        f"{_LIGHTNING}from torch.utils.data import random_split\n\ntrain, val = random_split(Data(), [80, 20])\n"
        "trainer = pl.Trainer()\ntrainer.fit(Net(), train, val)\n"
    ),
    "MT650": _adopted(
        f"{_LIGHTNING}def train():\n    trainer = pl.Trainer()\n    trainer.fit(Net(), Data())\n"
        '    trainer.save_checkpoint("digits.ckpt")\n\n\ntrain()\nNet.load_from_checkpoint("digits.ckpt")\n'
    ),
    "MT649": _adopted("from digits import Data\n\nprint(len(Data()))\n", instead=_lightning()),
}
