"""A train loop that keeps two cores busy; the same under torchrun and as a train function."""

import json
import os
import time

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

STEPS = int(os.environ["BENCH_STEPS"])
WARM_UP = 20


def train():
    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Sequential(nn.Linear(256, 1024), nn.ReLU(), nn.Linear(1024, 256)))
    optimizer = torch.optim.AdamW(model.parameters())
    batches = [torch.randn(256, 256) for _ in range(8)]
    for step in range(WARM_UP + STEPS):
        if step == WARM_UP:
            start = time.perf_counter()
        batch = batches[step % len(batches)]
        loss = (model(batch) - batch).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    rate = STEPS / (time.perf_counter() - start)
    if torch.distributed.get_rank() == 0:
        print(
            "RESULT " + json.dumps({"rate": rate, "loss": loss.item(), "threads": torch.get_num_threads()}), flush=True
        )


if "TORCHELASTIC_RUN_ID" in os.environ:
    torch.distributed.init_process_group("gloo")
    train()
    torch.distributed.destroy_process_group()
else:
    from ray.train import ScalingConfig
    from ray.train.torch import TorchTrainer

    TorchTrainer(train, scaling_config=ScalingConfig(num_workers=2)).fit()
