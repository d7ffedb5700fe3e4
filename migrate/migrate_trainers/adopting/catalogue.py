"""The findings about scripts that train without Ray: ten for each framework, from MT640 on what they share."""

from __future__ import annotations

from migrate_trainers.adopting.hugging_face_catalogue import HUGGING_FACE_ENTRIES
from migrate_trainers.adopting.plain_torch.catalogue import PLAIN_TORCH_ENTRIES
from migrate_trainers.entry import Entry
from migrate_trainers.findings import Kind

ADOPTION_ENTRIES = (
    Entry(
        "MT600",
        Kind.MIGRATED,
        "The script trains Lightning with a TorchTrainer",
        "Ray starts the workers, and each of them makes the `pl.Trainer` that the script made, for its own device.",
        "`result.metrics` are those of the last report, which there is at the end of each epoch of training.",
    ),
    Entry(
        "MT601",
        Kind.MANUAL,
        "Where a Lightning trainer trains can't be followed",
        "The `pl.Trainer` and the calls of its methods move into the train function together.",
        "Assign the trainer to a variable, and call `fit` in the same function, then run the tool again.",
    ),
    Entry(
        "MT602",
        Kind.MANUAL,
        "Arguments of a Lightning trainer can't be read",
        "Some of them have to change, and which ones the call gets is only known when it runs.",
        "Write the arguments of `pl.Trainer` out as keywords.",
    ),
    Entry(
        "MT603",
        Kind.MANUAL,
        "Ray has no strategy like that of a Lightning trainer",
        "Ray's strategies are DDP, FSDP and DeepSpeed, for processes that it has started.",
        "Choose one of these strategies first, and see that the script trains with it.",
    ),
    Entry(
        "MT604",
        Kind.REVIEW,
        "Lightning deals the data out to the workers",
        "On one device it reads the data as the dataloader says; for several workers it replaces the sampler.",
        "Pass `use_distributed_sampler=False` if the dataset or its sampler gives each worker a part of its own.",
    ),
    Entry(
        "MT605",
        Kind.REVIEW,
        "A script that trained on a GPU gets workers without one",
        "`--use-gpu` was not given, so Ray gives each worker CPUs only.",
        "Run the tool with `--use-gpu`, or write `ScalingConfig(use_gpu=True)`.",
    ),
    Entry(
        "MT606",
        Kind.REVIEW,
        "Ray keeps checkpoints of its own beside Lightning's",
        "`RayTrainReportCallback` reports at the end of each epoch, with a checkpoint of the whole trainer, `checkpoint.ckpt`; `result.checkpoint` is the last of them. What a `ModelCheckpoint` writes stays in the folder of a worker.",
        "Choose those to keep with `CheckpointConfig`; `enable_checkpointing=False` spares Lightning's where nothing reads them.",
    ),
    Entry(
        "MT607",
        Kind.REVIEW,
        "The script trained on another number of devices",
        "Each worker reads batches of the size that the dataloader says, so the steps of an epoch change with their number.",
        "Choose `--num-workers`, or the batch size and the learning rate, so that they fit.",
    ),
    Entry(
        "MT608",
        Kind.REVIEW,
        "An argument of a strategy has no effect any more",
        "Ray sets up the process group before Lightning asks for it.",
        "Pass `TorchConfig(backend=..., timeout_s=...)` to the TorchTrainer instead.",
    ),
    Entry(
        "MT609",
        Kind.MANUAL,
        "LightningCLI makes the trainer itself",
        "It reads the command line, and makes the trainer, the module and the data from it, in one call.",
        "Make the `pl.Trainer`, the module and the data in `main()`, or call `LightningCLI` in a train function of yours.",
    ),
    *HUGGING_FACE_ENTRIES,
    *PLAIN_TORCH_ENTRIES,
    Entry(
        "MT640",
        Kind.MANUAL,
        "Where a script trains can't become a train function",
        "What trains is moved from the module, its main block or one function into the train function.",
        "Move what trains into one function of the module, such as `main()`, then run the tool again.",
    ),
    Entry(
        "MT641",
        Kind.MANUAL,
        "A statement that would have to move can't",
        "What training is computed from, and what is computed from it, has to run in the workers.",
        "Take the statement apart, so that what trains stands alone.",
    ),
    Entry(
        "MT642",
        Kind.REVIEW,
        "A file is written by the first worker alone",
        "All workers would write to the same path at once, and a relative one starts in the workers' directory.",
        "Use a path that the driver sees, too, or report the file in a `ray.train.Checkpoint.from_directory`.",
    ),
    Entry(
        "MT643",
        Kind.REVIEW,
        "A statement with an effect runs in each worker now",
        "The workers run it at the same time, in folders of their own, which may be on several machines.",
        "Do on the driver, above the train function, what has to be done once, and make paths absolute there.",
    ),
    Entry(
        "MT644",
        Kind.REVIEW,
        "What stands behind the training runs in the first worker",
        "It reads what training has changed, which there is in the workers only.",
        "What it writes ends up in the working directory of that worker: use a shared path, or a checkpoint.",
    ),
    Entry(
        "MT645",
        Kind.REVIEW,
        "What training has left is read from the result",
        "The driver has no trainer to ask. The reports hold the same numbers, and checkpoints with the same weights, all of which Ray keeps.",
        "Look whether the metric is reported at the end of an epoch, and never NaN. Where `storage_path` is remote, read the checkpoint `with checkpoint.as_directory()`.",
    ),
    Entry(
        "MT646",
        Kind.MANUAL,
        "The training asks for the command line",
        "Workers have none: the driver parses it, and gives them what it has read.",
        "Parse the arguments before the training, in `main()` or at module level, and hand on their values.",
    ),
    Entry(
        "MT647",
        Kind.MANUAL,
        "A value changes after the training has read it",
        "Workers get the driver's values when the trainer is made, which is later than the script read this one.",
        "Give the value that changes another name.",
    ),
    Entry(
        "MT648",
        Kind.REVIEW,
        "Each worker draws other random numbers",
        "Without a seed, the workers split or make up the data differently: what one validates on, another trains on.",
        "Call `seed_everything(...)` or the like at the start of the script, or pass a generator with a seed.",
    ),
    Entry(
        "MT649",
        Kind.MANUAL,
        "Nothing to adopt was found",
        "No trainer that is known, and no loop of plain torch, could train in the workers of a TorchTrainer.",
        "Name the file that trains.",
    ),
    Entry(
        "MT650",
        Kind.REVIEW,
        "The driver reads a file that a worker writes",
        "A relative path starts in the working directory of a worker: the driver finds no file there, or one of an earlier run.",
        "Make the path absolute, on storage that both reach, or read the file from `result.checkpoint`.",
    ),
)
