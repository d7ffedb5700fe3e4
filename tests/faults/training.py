"""A training run that can be ended at any moment: called with a folder, it trains there until it is done.

Every checkpoint holds a file a rank, each with the digest of its content, so that a torn one is seen.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist

import train_runtime
from train_runtime import Checkpoint, CheckpointConfig, FailureConfig, RunConfig, ScalingConfig, TorchTrainer
from train_runtime.torch import prepare_model

EPOCHS = 20
SIZE = 64


def train(config: dict[str, str]) -> None:
    """Epochs of a few steps each, from the latest checkpoint on."""
    rank = train_runtime.get_context().get_world_rank()
    with open(config["starts"], "a") as file:
        file.write(f"{time.monotonic()}\n")
    torch.manual_seed(0)
    model = prepare_model(torch.nn.Sequential(torch.nn.Linear(SIZE, SIZE), torch.nn.Tanh(), torch.nn.Linear(SIZE, 1)))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    first = 0
    checkpoint = train_runtime.get_checkpoint()
    if checkpoint is not None:
        state = torch.load(io.BytesIO(read(Path(checkpoint.path), rank)))
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"] + 1
    for epoch in range(first, EPOCHS):
        generator = torch.Generator().manual_seed(1000 * epoch + rank)
        for _ in range(3):
            inputs = torch.randn(8, SIZE, generator=generator)
            loss = (model(inputs).squeeze(1) - inputs.sum(1)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        dist.all_reduce(loss.detach_())
        with tempfile.TemporaryDirectory() as folder:
            buffer = io.BytesIO()
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, buffer)
            write(Path(folder), rank, buffer.getvalue())
            train_runtime.report({"epoch": epoch, "loss": loss.item()}, checkpoint=Checkpoint(folder))


def write(folder: Path, rank: int, content: bytes) -> None:
    """Put a rank's file into a checkpoint."""
    (folder / f"rank_{rank}").write_bytes(hashlib.sha256(content).digest() + content)


def read(folder: Path, rank: int) -> bytes:
    """A rank's file of a checkpoint.

    Raises:
        ValueError: if it is torn.
    """
    data = (folder / f"rank_{rank}").read_bytes()
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise ValueError(f"{folder} is torn: rank {rank}")
    return data[32:]


def main(folder: str) -> None:
    """Train in the folder, and print the last metrics."""
    result = TorchTrainer(
        train,
        train_loop_config={"starts": f"{folder}/starts"},
        scaling_config=ScalingConfig(num_workers=2),
        run_config=RunConfig(
            name="run",
            storage_path=folder,
            checkpoint_config=CheckpointConfig(num_to_keep=3),
            failure_config=FailureConfig(max_failures=-1),
        ),
    ).fit()
    Path(folder, "metrics").write_text(repr(result.metrics))


if __name__ == "__main__":
    main(sys.argv[1])
