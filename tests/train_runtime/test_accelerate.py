"""Accelerate inside a train function, as its guide for Ray Train writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import train_runtime

if TYPE_CHECKING:
    from conftest import Fit


def test_accelerate_finds_the_workers(fit: Fit) -> None:
    def train() -> list[Any]:
        import torch
        from accelerate import Accelerator
        from torch.utils.data import DataLoader, TensorDataset

        accelerator = Accelerator(cpu=True)
        torch.manual_seed(train_runtime.get_context().get_world_rank())
        model = torch.nn.Linear(1, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        loader = DataLoader(TensorDataset(torch.arange(8.0).unsqueeze(1)), batch_size=2)
        model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
        for (batch,) in loader:
            accelerator.backward(model(batch).pow(2).mean())
            optimizer.step()
            optimizer.zero_grad()
        weights = accelerator.gather(next(model.parameters()).detach())
        return [accelerator.num_processes, str(accelerator.device), len(loader), weights.flatten().tolist()]

    processes, device, batches, weights = fit(train).return_value
    assert (processes, device, batches) == (2, "cpu", 2)
    assert weights[0] == weights[1]
