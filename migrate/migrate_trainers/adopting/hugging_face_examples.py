"""A small script for each finding about those that train Transformers or Accelerate without Ray."""

from __future__ import annotations

from migrate_trainers.example import Example
from migrate_trainers.settings import Adoption, Settings

_ADOPTED = Settings(adoption=Adoption(num_workers=4))
_ONE_WORKER = Settings(adoption=Adoption(num_workers=1))
_ON_GPUS = Settings(adoption=Adoption(num_workers=4, use_gpu=True))
_TRANSFORMERS = """\
from transformers import Trainer, TrainingArguments
from reviews import model, rows

"""
_ACCELERATE = """\
import torch
from accelerate import Accelerator
from reviews import batches, model

"""
_EPOCHS = 'eval_strategy="epoch", save_strategy="epoch"'


def _transformers(arguments: str = "", train: str = "", behind: str = "", *, settings: Settings = _ADOPTED) -> Example:
    return Example(_trained(arguments, train, behind), settings=settings)


def _trained(arguments: str = _EPOCHS, train: str = "", behind: str = "", folder: str = "/shared/out") -> str:
    """A script with one Trainer."""
    arguments = f", {arguments}" if arguments else ""
    return (
        f'{_TRANSFORMERS}args = TrainingArguments(output_dir="{folder}"{arguments})\n'
        f"trainer = Trainer(model, args, train_dataset=rows)\ntrainer.train({train})\n{behind}"
    )


def _manual(before: str, instead: str) -> Example:
    return Example(before, instead, _ADOPTED)


def _accelerated(made: str = "Accelerator()", *, log: str = "", behind: str = "") -> str:
    """A script with one Accelerator."""
    return (
        f"{_ACCELERATE}accelerator = {made}\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "model, optimizer, batches = accelerator.prepare(model, optimizer, batches)\n"
        "for epoch in range(3):\n"
        "    for inputs in batches:\n"
        "        loss = model(inputs).mean()\n"
        "        accelerator.backward(loss)\n"
        "        optimizer.step()\n"
        f"{log}{behind}"
    )


def _accelerate(made: str = "Accelerator()", *, log: str = "", behind: str = "", gpu: bool = False) -> Example:
    return Example(_accelerated(made, log=log, behind=behind), settings=_ON_GPUS if gpu else _ADOPTED)


_LOG = '    accelerator.log({"loss": loss.item()}, step=epoch)\n'
_FUNCTION = _accelerated().removeprefix(_ACCELERATE).replace("model, optimizer, batches =", "net, optimizer, data =")
_FUNCTION = _FUNCTION.replace("in batches", "in data").replace("model(inputs)", "net(inputs)")
_LAUNCHED = (
    f"{_ACCELERATE.replace('Accelerator', 'Accelerator, notebook_launcher')}def train():\n"
    + "".join(f"    {line}\n" for line in _FUNCTION.splitlines())
    + "\n\nnotebook_launcher(train, num_processes=2)\n"
)
_OPTIONS = 'options = {"seed": 1}\noptions.update(model.options)\n'
_OUT_OF_SIGHT = _trained("**options").replace("args =", f"{_OPTIONS}args =")
_PARSED = (
    "from transformers import HfArgumentParser, Trainer, TrainingArguments\n"
    "from reviews import model, rows\n\n"
    "parser = HfArgumentParser(TrainingArguments)\n{parsed}\n"
    "trainer = Trainer(model, args, train_dataset=rows)\ntrainer.train()\n"
)

HUGGING_FACE_EXAMPLES: dict[str, Example] = {
    "MT610": _transformers(_EPOCHS, settings=_ONE_WORKER),
    "MT611": _transformers('eval_strategy="steps", save_strategy="no"', settings=_ONE_WORKER),
    "MT612": Example(_trained(folder="out"), settings=_ONE_WORKER),
    "MT613": _transformers(f"{_EPOCHS}, use_cpu=True", settings=_ON_GPUS),
    "MT614": _manual(_trained() + "other = Trainer(model, args)\nother.train()\n", instead=_trained()),
    "MT615": _manual(
        f"{_TRANSFORMERS}class Experiment:\n"
        "    def __init__(self):\n"
        '        self.trainer = Trainer(model, TrainingArguments(output_dir="out"))\n\n'
        "    def run(self):\n        self.trainer.train()\n",
        instead=_trained(),
    ),
    "MT616": Example(_OUT_OF_SIGHT, settings=_ADOPTED),
    "MT617": _manual(
        _PARSED.format(parsed="args = parser.parse_args_into_dataclasses()[0]"),
        instead=_PARSED.format(parsed="(args,) = parser.parse_args_into_dataclasses()"),
    ),
    "MT618": _transformers(_EPOCHS, "resume_from_checkpoint=True", settings=_ONE_WORKER),
    "MT619": _manual(
        _trained()
        .replace("args =", "class Arguments(TrainingArguments):\n    pass\n\n\nargs =")
        .replace("= TrainingArguments(", "= Arguments("),
        instead=_trained()
        .replace("TrainingArguments", "Arguments")
        .replace("rows\n\n", "rows\nfrom settings import Arguments\n\n", 1)
        .replace("Trainer, Arguments", "Trainer"),
    ),
    "MT620": _accelerate(log=_LOG),
    "MT621": _accelerate(log=_LOG),
    "MT622": _accelerate(behind="    accelerator.print(loss)\n"),
    "MT623": _accelerate(log=_LOG),
    "MT624": Example(_LAUNCHED, settings=_ADOPTED),
    "MT625": _manual(f"{_ACCELERATE}print(Accelerator().prepare(model))\n", instead=_accelerated()),
    "MT626": _accelerate(log=_LOG, behind='accelerator.save_state("state")\n'),
    "MT627": _manual(f"{_accelerated()}other = Accelerator()\n", instead=_accelerated()),
    "MT628": _accelerate("Accelerator(cpu=True)", log=_LOG, gpu=True),
}
