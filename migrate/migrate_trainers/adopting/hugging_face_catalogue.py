"""The findings about scripts that train Transformers or Accelerate without Ray."""

from __future__ import annotations

from migrate_trainers.entry import Entry
from migrate_trainers.findings import Kind

HUGGING_FACE_ENTRIES = (
    Entry(
        "MT610",
        Kind.MIGRATED,
        "The script trains Transformers with a TorchTrainer",
        "Ray starts the workers, and each of them makes the `Trainer` that the script made, which shares the data with the others.",
        "`result.metrics` are those of the last report, and `result.checkpoint` holds the last save in the folder `checkpoint`.",
    ),
    Entry(
        "MT611",
        Kind.REVIEW,
        "The Trainer is reported when it saves",
        "`RayTrainReportCallback` reports what was logged until then; what is logged behind the last save is in no report.",
        "Give `save_strategy` and `eval_strategy` the same value to have each evaluation in a report.",
    ),
    Entry(
        "MT612",
        Kind.REVIEW,
        "Files are written where the workers run",
        "A relative path starts in the working directory of a worker, which Ray doesn't keep. What is reported is kept in `result.path`.",
        "Read the model from `result.checkpoint`, or write an absolute path that all workers reach.",
    ),
    Entry(
        "MT613",
        Kind.REVIEW,
        "The workers have GPUs that the Trainer doesn't use",
        "`--use-gpu` gives each worker a GPU, and the arguments keep the Trainer on the CPU.",
        "Delete `use_cpu` (or `no_cuda`), or adopt the script without `--use-gpu`.",
    ),
    Entry(
        "MT614",
        Kind.MANUAL,
        "A script trains several times",
        "A TorchTrainer's run has one series of reports and checkpoints; those of several trainings would be mixed up in it.",
        "Train one Trainer once, in a function of its own; run a TorchTrainer for each, or search with Ray Tune.",
    ),
    Entry(
        "MT615",
        Kind.MANUAL,
        "Where a Transformers Trainer trains can't be followed",
        "Ray's callback has to be added to the Trainer before it trains, in the function that moves to the workers.",
        "Assign the Trainer to a variable, and call `train` in the same function, then run the tool again.",
    ),
    Entry(
        "MT616",
        Kind.REVIEW,
        "The Trainer may not know that its worker has no GPU",
        "On the CPU, a Trainer shares the data with the other workers only if its arguments say `use_cpu=True`; otherwise each worker trains on all of it.",
        "Pass `use_cpu=True` to the `TrainingArguments`, or adopt the script with `--use-gpu`.",
    ),
    Entry(
        "MT617",
        Kind.MANUAL,
        "What `HfArgumentParser` gives can't be passed on",
        "`TrainingArguments` belong to the process that makes them. The driver reads the command line, the workers make the dataclasses.",
        "Assign what `parse_args_into_dataclasses()` gives to variables, and do nothing else in that statement.",
    ),
    Entry(
        "MT618",
        Kind.REVIEW,
        "A worker resumes from a checkpoint that it has to find",
        "A relative path, or `True`, is looked for in the working directory of a worker, which is a new one in each run.",
        "Give an absolute path; to go on after a failure, resume from `ray.train.get_checkpoint()`.",
    ),
    Entry(
        "MT619",
        Kind.MANUAL,
        "Arguments of the script's own class can't be saved in a worker",
        "With each checkpoint, the Trainer pickles its arguments by the name of their class, and a worker has no module with the classes of the script.",
        "Move the class to a module that the workers can import, then run the tool again.",
    ),
    Entry(
        "MT620",
        Kind.MIGRATED,
        "The script trains Accelerate with a TorchTrainer",
        "Ray starts the workers, and the `Accelerator` that each of them makes finds the others.",
        "`accelerate launch` isn't needed any more: run the script with `python`.",
    ),
    Entry(
        "MT621",
        Kind.REVIEW,
        "Settings of `accelerate config` and `accelerate launch` don't reach the workers",
        "They come to a script as variables of its environment, which Ray's workers don't have: mixed precision, gradient accumulation, DeepSpeed, FSDP, dynamo.",
        'Give the `Accelerator` what the script was launched with: `mixed_precision="bf16"`, `fsdp_plugin=...`, `deepspeed_plugin=...`.',
    ),
    Entry(
        "MT622",
        Kind.REVIEW,
        "Nothing is reported to Ray Train",
        "The script logs no dictionary of plain numbers once an epoch that each worker comes by, so `result.metrics` stays empty.",
        "Call `ray.train.report({...})` in each worker where the metrics are known.",
    ),
    Entry(
        "MT623",
        Kind.REVIEW,
        "What is reported has no checkpoint",
        "Reports without a checkpoint are not kept in the `Result` of current Ray, and nothing is kept to go on from after a failure.",
        "Save a model or a state in a folder, and pass `checkpoint=Checkpoint.from_directory(folder)` to `ray.train.report`.",
    ),
    Entry(
        "MT624",
        Kind.REVIEW,
        "The launcher's number of processes is that of the workers now",
        "The processes that the launcher started are the workers of the TorchTrainer, as many as `--num-workers` says.",
        "Nothing to do, if the number is the one you want.",
    ),
    Entry(
        "MT625",
        Kind.MANUAL,
        "Where an Accelerator is used can't be followed",
        "All that uses the Accelerator moves into the train function with it.",
        "Assign `Accelerator()` to a variable of the function that trains, then run the tool again.",
    ),
    Entry(
        "MT626",
        Kind.REVIEW,
        "An Accelerator writes files where the workers run",
        "A relative path starts in the working directory of a worker, which Ray doesn't keep.",
        "Write an absolute path that all workers reach, or report the folder as a checkpoint.",
    ),
    Entry(
        "MT627",
        Kind.MANUAL,
        "A script makes several Accelerators",
        "Which of them trains with the TorchTrainer's workers can't be told.",
        "Train with one Accelerator in one function, then run the tool again.",
    ),
    Entry(
        "MT628",
        Kind.REVIEW,
        "The workers have GPUs that the Accelerator doesn't use",
        "`--use-gpu` gives each worker a GPU, and `cpu=True` keeps the Accelerator on the CPU.",
        "Delete `cpu=True`, or adopt the script without `--use-gpu`.",
    ),
)
