"""Trains a small network with Accelerate, a checkpoint an epoch."""

import json
import os
import tempfile

import torch
from accelerate import Accelerator
from ray.train import Checkpoint, RunConfig, ScalingConfig, report
from ray.train.torch import TorchTrainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def train():
    torch.manual_seed(0)
    accelerator = Accelerator(cpu=True)
    features = torch.randn(2048, 32)
    data = TensorDataset(features, (features.sum(dim=1, keepdim=True) > 0).float())
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1))
    model, optimizer, loader = accelerator.prepare(
        model, torch.optim.Adam(model.parameters(), lr=1e-3), DataLoader(data, batch_size=64, shuffle=True)
    )
    for epoch in range(3):
        for x, y in loader:
            loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = None
            if accelerator.is_main_process:
                accelerator.save(accelerator.get_state_dict(model), os.path.join(folder, "model.pt"))
                checkpoint = Checkpoint.from_directory(folder)
            report({"loss": loss.item(), "epoch": epoch}, checkpoint=checkpoint)


result = TorchTrainer(
    train,
    scaling_config=ScalingConfig(num_workers=2),
    run_config=RunConfig(storage_path=os.path.abspath("results")),
).fit()
print("RESULT " + json.dumps(result.metrics))
