"""Every finding that the tool can give: what it means, why, and what to do. Codes never change their meaning.

`examples.py` has a program for each, and the README's table is made from here (`make readme`).
"""

from __future__ import annotations

from dataclasses import dataclass

from migrate_trainers.findings import Kind


@dataclass(frozen=True)
class Entry:
    """One finding of the catalogue."""

    code: str
    kind: Kind
    title: str
    why: str
    help: str


_ENTRIES = (
    Entry(
        "MT100",
        Kind.MIGRATED,
        "LightningTrainer became a TorchTrainer with a train function",
        "Ray 2.9 removed LightningTrainer. The train function makes the calls that it made in each worker.",
        "Checkpoints now hold `checkpoint.ckpt` where LightningTrainer wrote `model`.",
    ),
    Entry(
        "MT101",
        Kind.MANUAL,
        "The Lightning configuration can't be followed",
        "The builder's calls have to be read where they are written, and this one comes from elsewhere.",
        "Fill and build the `LightningConfigBuilder` in the scope that makes the trainer, then run the tool again.",
    ),
    Entry(
        "MT102",
        Kind.MANUAL,
        "The Lightning configuration depends on the course of the program",
        "The builder's statements can't be followed from where it is made to where the trainer is.",
        "Fill the builder in the function that makes the trainer, each call in a statement of its own.",
    ),
    Entry(
        "MT103",
        Kind.MANUAL,
        "The builder or what it built is used elsewhere too",
        "`build()` shares its dictionaries with the builder, so other uses may change or read what the trainer gets.",
        "Give each trainer a configuration of its own that nothing else touches.",
    ),
    Entry(
        "MT104",
        Kind.MANUAL,
        "Arguments are hidden behind a star",
        "Which arguments the call gets is only known when it runs, and some of them need to be rewritten.",
        "Write the arguments out as keywords.",
    ),
    Entry(
        "MT105",
        Kind.MANUAL,
        "The strategy's name is not a literal",
        "Each strategy is a class of its own in the new API.",
        "Write the name of the strategy as a string in the builder's call.",
    ),
    Entry(
        "MT106",
        Kind.MANUAL,
        "The legacy call could not have worked",
        "Migrating it would only move the failure to another place.",
        "Correct the call first: the message says what is wrong.",
    ),
    Entry(
        "MT107",
        Kind.MANUAL,
        "The trainer is given Ray Data datasets",
        "Feeding the same batches from Ray Data to Lightning is not supported yet.",
        "Read the shard in the train function with `ray.train.get_dataset_shard(...).iter_torch_batches(...)`.",
    ),
    Entry(
        "MT110",
        Kind.REVIEW,
        "An argument that LightningTrainer ignored is gone",
        "Ray decides the devices, nodes and strategy of each worker, and LightningTrainer never called `trainer.tune()`; what `.trainer(...)` said about them had no effect.",
        "Nothing to do, unless the number of workers was meant: that is `ScalingConfig(num_workers=...)`.",
    ),
    Entry(
        "MT111",
        Kind.REVIEW,
        "A callback class keeps the legacy reports",
        "`RayTrainReportCallback` reports at the end of each training epoch, always. This configuration made LightningTrainer report at other times, or other things.",
        "If a report an epoch is enough, use `RayTrainReportCallback()` and delete the class.",
    ),
    Entry(
        "MT112",
        Kind.REVIEW,
        "How many checkpoints are kept can't be written out here",
        "LightningTrainer kept only the latest checkpoint (or `save_top_k`) unless `RunConfig` said otherwise; TorchTrainer keeps all of them.",
        "Where this `RunConfig` is made, pass the `checkpoint_config` that the message names, unless it has one.",
    ),
    Entry(
        "MT113",
        Kind.REVIEW,
        "Current Ray takes `lightning.pytorch` where both packages are installed",
        "From Ray 2.8 on, `ray.train.lightning` imports `lightning.pytorch` if it is there; a script with `pytorch_lightning` then fails with an invalid strategy. The tool changes the imports of a script and of its modules together, or none.",
        "Import `lightning.pytorch` in this script and in its modules, or keep `lightning` out of the environment.",
    ),
    Entry(
        "MT114",
        Kind.REVIEW,
        "The module's class can't be read",
        "`RayTrainReportCallback` reports values that the module logs in `on_train_epoch_end` one epoch late.",
        "If the module logs there, move that `self.log` to a step or to `on_validation_epoch_end`.",
    ),
    Entry(
        "MT115",
        Kind.REVIEW,
        "A second run of the same name continues the first",
        "Current Ray resumes a run whose name and storage path it has seen, and the train function loads its checkpoint.",
        "Change the name, or delete the folder, to start afresh.",
    ),
    Entry(
        "MT118",
        Kind.MIGRATED,
        "Imports of `pytorch_lightning` became `lightning.pytorch`",
        "From Ray 2.8 on, `ray.train.lightning` takes `lightning.pytorch` wherever it is installed, and objects of the two packages don't fit each other.",
        "Install `lightning` where the script runs; it has every name that `pytorch-lightning` of the same release has.",
    ),
    Entry(
        "MT119",
        Kind.REVIEW,
        "A string still names `pytorch-lightning`",
        "The file imports `lightning.pytorch` now, which another distribution brings.",
        "If the string is a requirement, write `lightning` there.",
    ),
    Entry(
        "MT125",
        Kind.MANUAL,
        "This predictor can't be followed",
        "Current Ray has no predictors: a class of the script that Ray Data calls for each batch does their work.",
        "Write a class that loads the model in `__init__` and predicts in `__call__`, and give it to `Dataset.map_batches`.",
    ),
    Entry(
        "MT127",
        Kind.REVIEW,
        "Lightning 2 has another name for this argument",
        "`pl.Trainer` of Lightning 2 doesn't take the old one.",
        "Keep the old name only where the script goes on with Lightning 1.",
    ),
    Entry(
        "MT128",
        Kind.MANUAL,
        "Lightning 2 doesn't take this argument",
        "`pl.Trainer` had it in Lightning 1; the environments of current Ray have Lightning 2, where it raises an error.",
        "Replace it in the builder's call as the message says, then run the tool again.",
    ),
    Entry(
        "MT200",
        Kind.MIGRATED,
        "TransformersTrainer became a TorchTrainer with a train function",
        "Ray 2.9 removed TransformersTrainer. The train function makes the `transformers.Trainer` and trains it.",
        "Checkpoints now hold the model under `checkpoint/` where `RayTrainReportCallback` is used.",
    ),
    Entry(
        "MT201",
        Kind.MANUAL,
        "The function that makes the Trainer can't be followed",
        "It must be a function of three or more parameters (`**config` is one) that can be called from a train function.",
        "Define `trainer_init_per_worker` as a plain function in reach of the trainer.",
    ),
    Entry(
        "MT202",
        Kind.MANUAL,
        "The trainer is given Ray Data datasets",
        "Feeding the same batches from Ray Data to `transformers.Trainer` is not supported yet.",
        "Make the datasets inside the function, or read `ray.train.get_dataset_shard(...)` there.",
    ),
    Entry(
        "MT210",
        Kind.REVIEW,
        "A callback class keeps the legacy reports",
        "TransformersTrainer reported on every log and saved at the end; `RayTrainReportCallback` reports only when the Trainer saves.",
        "If reports at saves are enough, use `RayTrainReportCallback()` and delete the class.",
    ),
    Entry(
        "MT211",
        Kind.REVIEW,
        "`report_to` now takes effect",
        "TransformersTrainer removed every integration, whatever `report_to` said.",
        'Keep it to have the integration run, or write `report_to="none"` for what happened before.',
    ),
    Entry(
        "MT212",
        Kind.REVIEW,
        "Newer transformers spell this argument differently",
        "The argument was renamed; current releases don't take the old name.",
        "Rename it if the target environment has transformers 4.46 or newer.",
    ),
    Entry(
        "MT213",
        Kind.REVIEW,
        "`TrainingArguments` is out of sight",
        "TransformersTrainer removed reporting integrations such as Weights & Biases; the Trainer now starts those that are installed.",
        'Pass `report_to="none"` to `TrainingArguments` for what happened before.',
    ),
    Entry(
        "MT214",
        Kind.REVIEW,
        "The last report has fewer keys",
        "TransformersTrainer's last report also had `train_loss`, `train_runtime` and the like, which are logged after the last save.",
        "Nothing to do, unless the script reads one of those keys from the result.",
    ),
    Entry(
        "MT215",
        Kind.REVIEW,
        "Transformers 5 reports the loss of all workers together",
        "From transformers 5 on, the logged training loss is multiplied by the number of workers unless `average_tokens_across_devices=False`.",
        "Pass `average_tokens_across_devices=False` to `TrainingArguments` where losses are compared with earlier runs.",
    ),
    Entry(
        "MT300",
        Kind.MIGRATED,
        "AccelerateTrainer became a TorchTrainer",
        "Ray 2.9 removed AccelerateTrainer. What `accelerate_config` set is now given to `Accelerator` in the train function.",
        "Nothing to do.",
    ),
    Entry(
        "MT301",
        Kind.MANUAL,
        "`accelerate_config` can't be read",
        "Its settings must be written into the train function, so they have to be known.",
        "Write the configuration as a literal dictionary in the trainer's call.",
    ),
    Entry(
        "MT302",
        Kind.MANUAL,
        "`accelerate_config` has a key that can't be carried over",
        "The key was refused by accelerate, or there is no equivalent for it in a train function.",
        "Remove the key, or configure it on `Accelerator` in the train function.",
    ),
    Entry(
        "MT303",
        Kind.MANUAL,
        "The train function can't be changed",
        "The settings of `accelerate_config` belong into the train function, which is not a plain function of this file.",
        "Define the train function in this file, or configure its `Accelerator` there.",
    ),
    Entry(
        "MT310",
        Kind.REVIEW,
        "AccelerateTrainer read accelerate's default configuration file",
        "Without `accelerate_config` it took the file that `accelerate config` wrote on the driver; a train function reads none.",
        "Give what that file says (mixed precision, FSDP, DeepSpeed) to `Accelerator(...)`.",
    ),
    Entry(
        "MT311",
        Kind.REVIEW,
        "A setting of `accelerate_config` is gone",
        "AccelerateTrainer ignored or overrode it, or Ray decides it.",
        "Nothing to do, unless the message says otherwise.",
    ),
    Entry(
        "MT312",
        Kind.REVIEW,
        "Whether workers use a GPU can't be seen",
        "On CPU workers AccelerateTrainer made accelerate use the CPU.",
        "Pass `cpu=True` to `Accelerator` if the workers have no GPU.",
    ),
    Entry(
        "MT313",
        Kind.REVIEW,
        "Code for the local main process now runs once a machine",
        "On CPU workers AccelerateTrainer made every worker its machine's main process; now only local rank 0 is.",
        "Nothing to do, unless each worker has to run that code.",
    ),
    Entry(
        "MT401",
        Kind.MANUAL,
        "This part of the old API has no counterpart",
        "Current Ray keeps checkpoints as directories; the framework's own calls write and read them.",
        "Write the files to a directory and use `ray.train.Checkpoint.from_directory`; read them back in `checkpoint.as_directory()`.",
    ),
    Entry(
        "MT402",
        Kind.REVIEW,
        "An argument that current Ray refuses is gone",
        "The argument had no effect on training, and current Ray raises an error for it.",
        "Nothing to do.",
    ),
    Entry(
        "MT403",
        Kind.MANUAL,
        "Current Ray refuses this argument",
        "The argument changes what the run does, and there is no equivalent that could be written here.",
        "Do in the train function what the argument did, then remove it.",
    ),
    Entry(
        "MT404",
        Kind.REVIEW,
        "Current Ray forgets reports without a checkpoint",
        "`Result.metrics` holds the metrics of the last report that came with a checkpoint, and is None without one.",
        "Report a checkpoint with the metrics that are read from the result.",
    ),
    Entry(
        "MT405",
        Kind.MANUAL,
        "Current Ray raises on this getter",
        "There are no trials any more in Ray Train.",
        "Use `ray.train.get_context().get_experiment_name()`, or pass the value through `train_loop_config`.",
    ),
    Entry(
        "MT406",
        Kind.REVIEW,
        "Current Ray doesn't fill in this metric",
        "Ray used to add `training_iteration`, `time_total_s` and the like to each report.",
        "Report the value from the train function if it is needed.",
    ),
    Entry(
        "MT407",
        Kind.REVIEW,
        "The script still uses Ray itself",
        "The bundled runtime stands in for `ray.train` only.",
        "Remove the call, or run the script with `python -m train_runtime`, which serves `ray.init` and `ray.shutdown`.",
    ),
    Entry(
        "MT410",
        Kind.MIGRATED,
        "A model is loaded from its checkpoint's file",
        "Checkpoints have no `get_model` any more; Lightning's `load_from_checkpoint` did the work.",
        "Nothing to do.",
    ),
    Entry(
        "MT411",
        Kind.MANUAL,
        "It can't be followed what is done with a Lightning checkpoint",
        "Checkpoints are directories now, with the file that Lightning wrote; the code that reads one has to be seen.",
        'Load the file: `with checkpoint.as_directory() as folder: Model.load_from_checkpoint(os.path.join(folder, "checkpoint.ckpt"))`.',
    ),
    Entry(
        "MT412",
        Kind.REVIEW,
        "Workers read the given checkpoint themselves",
        "The legacy trainers sent a local checkpoint's files to the workers; now each worker opens the path.",
        "On several machines, put the checkpoint where all of them can read it.",
    ),
    Entry(
        "MT501",
        Kind.MANUAL,
        "The trainer is tuned",
        "Tuning a trainer needs another structure in current Ray, which is not supported yet.",
        "Build and fit the TorchTrainer in a function that `Tuner` runs.",
    ),
    Entry(
        "MT900",
        Kind.ERROR,
        "The file is not valid Python",
        "What can't be parsed can't be rewritten.",
        "Correct the syntax error.",
    ),
    Entry(
        "MT901",
        Kind.ERROR,
        "The file can't be decoded",
        "Its bytes are not text in the encoding that it declares.",
        "Correct the encoding declaration.",
    ),
    Entry(
        "MT902",
        Kind.ERROR,
        "The file can't be read or written",
        "The operating system refused.",
        "The message says why.",
    ),
    Entry(
        "MT903",
        Kind.ERROR,
        "The tool's own output failed its check",
        "The rewritten file would not have been right, so it was left as it was. This is a fault of the tool.",
        "Please report it with the code of the call site.",
    ),
    Entry(
        "MT904",
        Kind.MANUAL,
        "A legacy name is used in a way that isn't understood",
        "Only constructions of the trainers are rewritten.",
        "Rewrite this use by hand.",
    ),
    Entry(
        "MT905",
        Kind.MANUAL,
        "Left because of another finding in this file",
        "A file is migrated whole or not at all, as no Ray release runs both halves.",
        "Settle the other findings first.",
    ),
    Entry(
        "MT906",
        Kind.MANUAL,
        "Left because of another file",
        "Files that depend on each other are migrated together or not at all.",
        "Give the tool both files, or their folder, in one run; settle the findings in the other file first.",
    ),
)
CATALOGUE: dict[str, Entry] = {entry.code: entry for entry in _ENTRIES}
