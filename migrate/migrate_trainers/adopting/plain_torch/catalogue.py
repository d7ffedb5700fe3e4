"""The findings about scripts with a training loop of plain torch."""

from __future__ import annotations

from migrate_trainers.entry import Entry
from migrate_trainers.findings import Kind

PLAIN_TORCH_ENTRIES = (
    Entry(
        "MT630",
        Kind.MIGRATED,
        "The script trains its loop with a TorchTrainer",
        "Ray starts the workers; they train one model together, each on its share of the batches. What an epoch shows"
        " is reported with a checkpoint of the model, as current Ray keeps the metrics of such reports only.",
        "Nothing to do.",
    ),
    Entry(
        "MT631",
        Kind.MANUAL,
        "A training loop is not plain",
        "The tool has to see where its model and data come from, and that every worker may run it as it is.",
        "Write the loop over epochs and batches in functions of the module, or use `ray.train.torch` in it by hand.",
    ),
    Entry(
        "MT632",
        Kind.MANUAL,
        "The model of a training loop can't be prepared",
        "Workers train one model through `prepare_model`: calls that pass by what it returns train each worker's own.",
        "Train one model that the loop calls by its variable, `model(inputs)`, or hands to functions of the file.",
    ),
    Entry(
        "MT633",
        Kind.MANUAL,
        "The data of a training loop can't be dealt out",
        "`prepare_data_loader` gives the loader of each worker a `DistributedSampler` in place of its own sampler.",
        "Loop over a `DataLoader` that has no sampler of its own, or a `DistributedSampler`.",
    ),
    Entry(
        "MT634",
        Kind.REVIEW,
        "Each worker reads its share of a data loader",
        "Its batch size holds for each worker: with more of them, a step takes in more rows, an epoch has fewer steps.",
        "Divide the batch size by the number of workers to keep the steps, or think about the learning rate.",
    ),
    Entry(
        "MT635",
        Kind.REVIEW,
        "The training reports nothing",
        "Ray shows, keeps and compares what `ray.train.report` is given; no figures of an epoch could be told here.",
        "Call `ray.train.report({...})` at the end of each epoch, in all workers.",
    ),
    Entry(
        "MT636",
        Kind.REVIEW,
        "A figure is that of one worker",
        "What is summed up over the batches of a training data loader is of the worker's share, and the first worker's"
        " report is what the result has.",
        "Sum it up over the workers (`torch.distributed.all_reduce`), or divide by what the worker has seen.",
    ),
    Entry(
        "MT637",
        Kind.REVIEW,
        "The keys of a wrapped model depend on the number of workers",
        "`prepare_model` wraps a model for several workers only: its keys begin with `module.` then.",
        "Save and load the model without its wrapper.",
    ),
    Entry(
        "MT638",
        Kind.REVIEW,
        "The script chooses a device itself",
        "The text is used where a `torch.device` might mean something else, so it stays: the first GPU, say.",
        "Use `ray.train.torch.get_device()` where workers have GPUs.",
    ),
    Entry(
        "MT639",
        Kind.REVIEW,
        "Ray sets up the process group otherwise",
        "It takes `nccl` for workers with GPUs and `gloo` for others, with its own time limits.",
        "Give the TorchTrainer a `torch_config=TorchConfig(backend=..., timeout_s=...)` if it matters.",
    ),
)
