"""A small program for each finding about scripts with a training loop of plain torch."""

from __future__ import annotations

from migrate_trainers.example import Example
from migrate_trainers.settings import Adoption, Settings

_ADOPTED = Settings(adoption=Adoption(num_workers=4))


def loop(
    *,
    imports: str = "",
    loader: str = "DataLoader(Digits(), batch_size=32)",
    model: str = "torch.nn.Linear(64, 10)",
    wrapped: str = "",
    batch: str = "",
    epoch: str = 'print(f"epoch {epoch}: loss {loss.item():.3f}")',
) -> str:
    """A script with one training loop."""
    return f"""\
import torch
{imports}from torch.utils.data import DataLoader
from digits import Digits

loader = {loader}
model = {model}
{wrapped}optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    for images, labels in loader:
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
{batch}    {epoch}
"""


PLAIN_TORCH_EXAMPLES: dict[str, Example] = {
    "MT630": Example(loop(), settings=_ADOPTED),
    "MT631": Example(loop().replace("SGD(", "LBFGS("), loop(), _ADOPTED),
    "MT632": Example(loop().replace("model(images)", "model.layers(images)"), loop(), _ADOPTED),
    "MT633": Example(loop(loader="DataLoader(Digits(), sampler=Balanced())"), loop(), _ADOPTED),
    "MT634": Example(loop(), settings=_ADOPTED),
    "MT635": Example(loop(epoch='print("an epoch has ended")'), settings=_ADOPTED),
    "MT636": Example(loop(), settings=_ADOPTED),
    "MT637": Example(
        loop(
            imports="from torch.nn.parallel import DistributedDataParallel\n",
            wrapped="model = DistributedDataParallel(model)\n",
        )
        + 'torch.save(model.state_dict(), "digits.pt")\n',
        settings=_ADOPTED,
    ),
    "MT638": Example(
        loop(wrapped='device = "cuda" if torch.cuda.is_available() else "cpu"\nmodel.to(device)\n').replace(
            "        loss = ", "        with torch.autocast(device):\n            loss = "
        ),
        settings=_ADOPTED,
    ),
    "MT639": Example(
        loop(
            imports="import torch.distributed as dist\n",
            loader="DataLoader(Digits(), sampler=torch.utils.data.DistributedSampler(Digits()))",
            wrapped='dist.init_process_group("mpi")\n',
        ),
        settings=_ADOPTED,
    ),
}
