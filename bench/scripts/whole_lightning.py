"""Trains a small module with Lightning and Ray's callback, a checkpoint an epoch."""

import json
import os

import lightning.pytorch as pl
import torch
from ray.train import CheckpointConfig, RunConfig, ScalingConfig
from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment, RayTrainReportCallback, prepare_trainer
from ray.train.torch import TorchTrainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1))

    def training_step(self, batch, batch_index):
        return self.loss("train_loss", batch)

    def validation_step(self, batch, batch_index):
        self.loss("val_loss", batch)

    def loss(self, name, batch):
        x, y = batch
        loss = nn.functional.binary_cross_entropy_with_logits(self.layers(x), y)
        self.log(name, loss, sync_dist=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def train():
    pl.seed_everything(0)
    features = torch.randn(2048, 32)
    data = TensorDataset(features, (features.sum(dim=1, keepdim=True) > 0).float())
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        devices="auto",
        strategy=RayDDPStrategy(),
        plugins=[RayLightningEnvironment()],
        callbacks=[RayTrainReportCallback()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        logger=False,
    )
    loader, validation = DataLoader(data, batch_size=64, shuffle=True), DataLoader(data, batch_size=64)
    prepare_trainer(trainer).fit(Classifier(), loader, validation)


result = TorchTrainer(
    train,
    scaling_config=ScalingConfig(num_workers=2),
    run_config=RunConfig(storage_path=os.path.abspath("results"), checkpoint_config=CheckpointConfig(num_to_keep=1)),
).fit()
print("RESULT " + json.dumps(result.metrics))
