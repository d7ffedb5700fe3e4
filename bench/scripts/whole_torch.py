"""Trains a small network with plain torch, a checkpoint an epoch."""

import json
import os
import tempfile

import torch
from ray.train import Checkpoint, CheckpointConfig, RunConfig, ScalingConfig, get_context, report
from ray.train.torch import TorchTrainer, prepare_data_loader, prepare_model
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def train(config):
    torch.manual_seed(0)
    features = torch.randn(2048, 32)
    data = TensorDataset(features, (features.sum(dim=1, keepdim=True) > 0).float())
    loader = prepare_data_loader(DataLoader(data, batch_size=64, shuffle=True))
    model = prepare_model(nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1)))
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)
        for x, y in loader:
            loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = None
            if get_context().get_world_rank() == 0:
                torch.save(model.module.state_dict(), os.path.join(folder, "model.pt"))
                checkpoint = Checkpoint.from_directory(folder)
            report({"loss": loss.item(), "epoch": epoch}, checkpoint=checkpoint)


result = TorchTrainer(
    train,
    train_loop_config={"lr": 1e-3},
    scaling_config=ScalingConfig(num_workers=2),
    run_config=RunConfig(storage_path=os.path.abspath("results"), checkpoint_config=CheckpointConfig(num_to_keep=1)),
).fit()
print("RESULT " + json.dumps(result.metrics))
