"""Stand-ins for Lightning, transformers, and a `project` module with a user's own classes."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from worker_calls import steps
from worker_calls.data import Batches, RayDataModule
from worker_calls.libraries import Anything
from worker_calls.loaders import FeedingTrainer, is_fed
from worker_calls.recorder import Made, described, recorded_report
from worker_calls.schedule import Callback, ModelCheckpoint, RayTrainReportCallback, Run

if TYPE_CHECKING:
    from worker_calls.recorder import Recorder

Modules = dict[str, dict[str, Any]]


class MisconfigurationException(Exception):
    """Lightning's answer to arguments that don't go together."""


# Lightning


def lightning(recorder: Recorder) -> Modules:
    class LightningModule(Anything):
        @classmethod
        def load_from_checkpoint(cls, checkpoint_path: str, **kwargs: Any) -> Any:
            folder, name = os.path.split(checkpoint_path)
            # The file has another name now, and is read from the same folder.
            source = folder if name in ("model", "checkpoint.ckpt") else checkpoint_path
            recorder.recording.effects.append((recorder.place, f"{cls.__name__} from {source} {described(kwargs)}"))
            return cls(**kwargs)

    class LightningDataModule(Anything):
        pass

    class EarlyStopping(Callback):
        pass

    class Logger(Anything):
        pass

    class ClusterEnvironment(Made):
        pass

    class LightningEnvironment(ClusterEnvironment):
        pass

    class MixedPrecisionPlugin(Made):
        pass

    class Trainer:
        def __init__(self, **kwargs: Any) -> None:
            for name in ("callbacks", "plugins"):
                assert isinstance(kwargs.get(name, []), list), f"{name} is a list"
            if kwargs.get("enable_checkpointing") is False and any(
                isinstance(callback, ModelCheckpoint) for callback in kwargs.get("callbacks", [])
            ):
                raise MisconfigurationException("a ModelCheckpoint, but enable_checkpointing=False")
            self.kwargs = kwargs

        def fit(self, model: Any, **kwargs: Any) -> None:
            assert recorder.rank is not None, "fit is called in a worker"
            kwargs = {name: value for name, value in kwargs.items() if value is not None}
            if isinstance(kwargs.get("datamodule"), RayDataModule):
                if {"train_dataloaders", "val_dataloaders"} & set(kwargs):
                    raise MisconfigurationException("dataloaders beside a datamodule")
                module = kwargs.pop("datamodule")
                kwargs["train_dataloaders"] = module.train
                kwargs |= {"val_dataloaders": module.val} if module.val is not None else {}
            path = kwargs.get("ckpt_path")
            if isinstance(path, str) and os.path.basename(path) in ("model", "checkpoint.ckpt"):
                kwargs["ckpt_path"] = f"from {os.path.dirname(path)}"
            recorder.call("module", described(model))
            recorder.call("pl.Trainer", self._described())
            given = {
                name: value.epochs() if isinstance(value, Batches) else described(value)
                for name, value in sorted(kwargs.items())
            }
            recorder.call("fit", given)
            Run(
                self.kwargs,
                rank=recorder.rank,
                validates=bool({"val_dataloaders", "datamodule"} & set(kwargs)),
                logs_at_end=any("on_train_epoch_end" in vars(base) for base in type(model).__mro__),
                report=partial(recorded_report, recorder),
            ).run()

        def _described(self) -> dict[str, Any]:
            """The keyword arguments without what Ray decides; reports and strategies by what they do."""
            kwargs = dict(self.kwargs)
            assert kwargs.pop("devices", None) == "auto"
            kwargs.pop("enable_checkpointing", None)
            if kwargs.get("accelerator") in ("auto", "cuda"):
                del kwargs["accelerator"]
            kwargs["callbacks"] = [one for callback in kwargs["callbacks"] for one in _described_callback(callback)]
            return {name: described(value) for name, value in sorted(kwargs.items())}

    def _described_callback(callback: Any) -> list[Any]:
        """What reports looks the same, whichever class does it, behind the ModelCheckpoint for files of one's own."""
        if isinstance(callback, RayTrainReportCallback):
            return ["reports"]
        if not isinstance(callback, ModelCheckpoint):
            return [described(callback)]
        reports = ["reports"] if type(callback) is not ModelCheckpoint else []
        given = dict(callback.made_with[1]) | ({"save_last": True} if reports else {})
        # One that saves the last checkpoint nowhere in particular saves what LightningTrainer's own did.
        is_usual = given.get("save_last") and not {"dirpath", "filename"} & set(given)
        return [*([] if is_usual else [described(ModelCheckpoint(**given))]), *reports]

    names = {
        "Trainer": Trainer,
        "LightningModule": LightningModule,
        "LightningDataModule": LightningDataModule,
        "Callback": Callback,
    }
    callbacks = {"Callback": Callback, "EarlyStopping": EarlyStopping, "ModelCheckpoint": ModelCheckpoint}
    modules: Modules = {}
    for package in ("pytorch_lightning", "lightning.pytorch"):
        modules |= {
            package: names,
            f"{package}.callbacks": callbacks,
            f"{package}.loggers": {"TensorBoardLogger": Logger, "CSVLogger": Logger, "WandbLogger": Logger},
            f"{package}.plugins": {"MixedPrecisionPlugin": MixedPrecisionPlugin},
            f"{package}.plugins.environments": {
                "ClusterEnvironment": ClusterEnvironment,
                "LightningEnvironment": LightningEnvironment,
            },
        }
    return modules | {"lightning": {}}


# Transformers

_TRAINER_ARGUMENTS = ("model", "args", "data_collator", "train_dataset", "eval_dataset")
_TRAINING_DEFAULTS = {
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
    "dataloader_drop_last": False,
}
_RAY_REPORTING = ("RayTrainReportCallback", "ReportWhenSavedCallback")
_REPORTING = ("TrainReportCallback", "ReportOnLogCallback", *_RAY_REPORTING)


def transformers(recorder: Recorder) -> Modules:
    class TrainingArguments(Made):
        def __init__(self, output_dir: str, **kwargs: Any) -> None:
            super().__init__(output_dir=output_dir, **kwargs)

        def get(self, name: str, default: Any) -> Any:
            return dict(self.made_with[1]).get(name, default)

        @property
        def report_to(self) -> Any:
            return self.get("report_to", "all")

        def __getattr__(self, name: str) -> Any:
            if name not in _TRAINING_DEFAULTS:
                raise AttributeError(name)
            return self.get(name, _TRAINING_DEFAULTS[name])

    class TrainerCallback(Anything):
        pass

    def checkpoint_of(path: str) -> str:
        """The checkpoint that a path leads into; the run's own ones have their files at one place only."""
        checkpoint = path.partition("/")[0]
        if checkpoint in ("latest", "best"):
            assert path == os.path.join(checkpoint, recorder.files_below).rstrip("/"), f"nothing is in {path}"
            return checkpoint
        return path

    class Pretrained(Anything):
        @classmethod
        def from_pretrained(cls, pretrained_model_name_or_path: str, **kwargs: Any) -> Any:
            source = checkpoint_of(pretrained_model_name_or_path)
            recorder.recording.effects.append((recorder.place, f"{cls.__name__} from {source} {described(kwargs)}"))
            return cls(**kwargs)

    def load(path: str, **kwargs: Any) -> Any:
        folder, name = os.path.split(path)
        recorder.recording.effects.append((recorder.place, f"{name} from {checkpoint_of(folder)} {described(kwargs)}"))
        return Anything(name)

    class Trainer(FeedingTrainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__()
            self.model = kwargs.get("model", args[0] if args else None)
            self.given = dict(zip(_TRAINER_ARGUMENTS, args, strict=False)) | kwargs
            self.train_dataset, self.eval_dataset = self.given.get("train_dataset"), self.given.get("eval_dataset")
            self.collate = self.given.get("data_collator") or list
            self.args = self.given.get("args")
            self.rank = lambda: recorder.rank or 0
            self.callbacks: list[Any] = []
            self.prepared, self.evaluates_last = False, True

        def add_callback(self, callback: Any) -> None:
            name = type(callback).__name__
            recorder.files_below = "checkpoint" if name.startswith(_RAY_REPORTING) else ""
            self.callbacks.append(callback)

        def pop_callback(self, callback: str) -> None:
            """Only integrations are removed here: what a Trainer has of them, its arguments say."""
            made = self.args.made_with
            self.args.made_with = (made[0], (*[one for one in made[1] if one[0] != "report_to"], ("report_to", "none")))

        def train(self, resume_from_checkpoint: str | None = None) -> None:
            assert recorder.rank is not None, "train is called in a worker"
            assert self.prepared, "prepare_trainer was called"
            given = dict(self.given)
            arguments = given.pop("args")
            for name in ("train_dataset", "eval_dataset"):
                if is_fed(given.get(name)):
                    given[name] = self.fed_batches(name)
            settings = dict(arguments.made_with[1])
            report_to = settings.pop("report_to", "all") or "none"
            resumed = None
            if resume_from_checkpoint is not None:
                folder, name = os.path.split(resume_from_checkpoint)
                resumed = f"from {folder if name == 'checkpoint' else resume_from_checkpoint}"
            on_cpu = [settings.pop(name, False) for name in ("no_cuda", "use_cpu")]
            recorder.call("device", "cpu" if any(on_cpu) else "any")
            recorder.call("TrainingArguments", described(settings))
            recorder.call("integrations", report_to)
            recorder.call("transformers.Trainer", {name: described(value) for name, value in sorted(given.items())})
            reporting = [one for one in self.callbacks if type(one).__name__.startswith(_REPORTING)]
            others = [type(one).__name__ for one in self.callbacks if one not in reporting]
            recorder.call("callbacks", tuple(others))
            recorder.call("train", resumed)
            steps.run(dict(arguments.made_with[1]), reporting, evaluates_last=self.evaluates_last)

    return {
        "transformers": {
            "Trainer": Trainer,
            "TrainingArguments": TrainingArguments,
            "TrainerCallback": TrainerCallback,
            "IntervalStrategy": steps.IntervalStrategy,
            **{name: type(name, (Pretrained,), {}) for name in ("AutoModel", "AutoTokenizer", "BertModel")},
        },
        "torch": {"load": load},
        "transformers.trainer_utils": {"IntervalStrategy": steps.IntervalStrategy},
        "transformers.integrations": {
            "get_reporting_integration_callbacks": lambda report_to: (
                [] if report_to in (None, "none", []) else [report_to]
            )
        },
    }


# A user's own modules


def project(recorder: Recorder, frameworks: Modules) -> Modules:
    """What the programs import instead of defining it: modules, data, callbacks, and calls with an effect."""
    pl = frameworks["pytorch_lightning"]

    class Net(pl["LightningModule"]):  # type: ignore[misc]
        WIDTH = 64

    class Other(pl["LightningModule"]):  # type: ignore[misc]
        pass

    class Data(pl["LightningDataModule"]):  # type: ignore[misc]
        """A datamodule, whose construction has an effect."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            recorder.recording.effects.append((recorder.place, f"DM{described(args)}"))
            super().__init__(*args, **kwargs)

    class Beep(pl["Callback"]):  # type: ignore[misc]
        """A callback, whose construction has an effect."""

        def __init__(self, *args: Any) -> None:
            recorder.recording.effects.append((recorder.place, f"Beep{described(args)}"))
            super().__init__(*args)

    class Namespace:
        """Settings as argparse gives them."""

        def __init__(self, **values: Any) -> None:
            self.__dict__ |= values

    def effect(value: Any = None) -> Any:
        recorder.recording.effects.append((recorder.place, described(value)))
        return value

    counter = iter(range(1000))

    def count() -> int:
        """A number that no other call gets."""
        number = next(counter)
        recorder.recording.effects.append((recorder.place, number))
        return number

    def make_model(*args: Any, **kwargs: Any) -> Any:
        return Made(*args, **kwargs)

    names = {
        "Net": Net,
        "Other": Other,
        "DM": Data,
        "Beep": Beep,
        "Namespace": Namespace,
        "effect": effect,
        "count": count,
        "make_model": make_model,
        "args": Namespace(lr=0.5, epochs=3, width=8, monitor="val_loss", top_k=2, name="named"),
        "loaders": {"train_dataloaders": "train", "val_dataloaders": "val"},
    }
    return {"project": names}
