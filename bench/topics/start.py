"""From process start to end of a script whose train function does nothing on two workers, beside the import alone."""

from __future__ import annotations

from bench.commands import (
    Command,
    bundled,
    bundled_plain,
    interleaved,
    peak_memory,
    ratio,
    real_ray,
    statement,
    torchrun,
)
from bench.tables import Table

_TRANSFORMERS = "import torch; from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments"

# In each group the first is the import alone.
_GROUPS: tuple[dict[str, Command], ...] = (
    {
        "import torch": statement("import torch"),
        "  bundled": bundled("start_torch.py"),
        "  bundled, python script.py": bundled_plain("start_torch.py"),
        "  torchrun": torchrun("start_torchrun.py"),
        "  Ray": real_ray("start_torch.py"),
    },
    {
        "import lightning.pytorch": statement("import lightning.pytorch, torch"),
        "  bundled": bundled("start_lightning.py"),
        "  bundled, python script.py": bundled_plain("start_lightning.py"),
    },
    {
        "import pytorch_lightning": statement("import pytorch_lightning, torch"),
        "  bundled": bundled("start_pytorch_lightning.py"),
    },
    {
        "from transformers import Trainer": statement(_TRANSFORMERS),
        "  bundled": bundled("start_transformers.py"),
        "  bundled, python script.py": bundled_plain("start_transformers.py"),
    },
)


def measure(rounds: int) -> Table:
    """A row a command; Ray is run once."""
    table = Table(
        "Start: from process start to end, a train function that does nothing on 2 workers",
        ("", "s", "× import", "CPU s", "× import", "peak MB (PSS)"),
    )
    for group in _GROUPS:
        costs = interleaved(group, rounds, once=["  Ray"])
        reference = next(iter(costs.values()))
        for name, command in group.items():
            cost = costs[name]
            table.add(
                name,
                f"{cost.seconds:.2f}",
                ratio(cost.seconds, reference.seconds),
                f"{cost.processor_seconds:.2f}",
                ratio(cost.processor_seconds, reference.processor_seconds),
                f"{peak_memory(command):.0f}",
            )
    return table
