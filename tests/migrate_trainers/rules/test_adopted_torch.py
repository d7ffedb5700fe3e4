"""Scripts with a training loop of plain torch, by what is special about each."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from rewriting import after, codes, findings, migrate

from migrate_trainers.settings import Adoption

if TYPE_CHECKING:
    from migrate_trainers import FileResult

IMPORTS = """\
import os
import torch
import torch.nn as nn
import torch.distributed as dist
from torch.utils.data import DataLoader
from project import Data, Net, effect
"""
BATCHES = """\
for x, y in loader:
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
"""
SHARED_LOADER = "loader = DataLoader(Data(), sampler=torch.utils.data.DistributedSampler(Data()))\n"
PREPARED_MODEL = "model = ray.train.torch.prepare_model(model)\n"
PREPARED_LOADER = "loader = ray.train.torch.prepare_data_loader(loader)\n"


def indented(text: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))


def script(
    *,
    loader: str = "loader = DataLoader(Data(), batch_size=8)\n",
    model: str = "model = Net()\n",
    before: str = "",
    epochs: str = "for epoch in range(3):\n",
    batches: str = BATCHES,
    epoch: str = "",
    behind: str = "",
) -> str:
    """A script that trains at module level; `before` stands in front of the loop, `epoch` at the end of each epoch."""
    optimizer = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
    return IMPORTS + loader + model + optimizer + before + epochs + indented(batches) + indented(epoch) + behind


def adopt(text: str, *, num_workers: int = 2, use_gpu: bool = False) -> FileResult:
    return migrate(text, adoption=Adoption(num_workers, use_gpu))


def manual(text: str) -> str:
    """The finding that says why a script is left."""
    result = adopt(text)
    assert not result.changed
    (found,) = findings(result)
    return found


def test_plain_loop() -> None:
    result = adopt(script(epoch='print(f"epoch {epoch}: loss {loss.item():.3f}")\n'))

    assert codes(result) == ["MT634", "MT630", "MT636"]
    assert after(result).endswith(
        dedent(
            """\
            def train_func():
                loader = DataLoader(Data(), batch_size=8)
                loader = ray.train.torch.prepare_data_loader(loader)
                model = Net()
                optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
                module = model
                model = ray.train.torch.prepare_model(model)
                for epoch in range(3):
                    for x, y in loader:
                        optimizer.zero_grad()
                        loss = nn.functional.mse_loss(model(x), y)
                        loss.backward()
                        optimizer.step()
                    print(f"epoch {epoch}: loss {loss.item():.3f}")
                    metrics = {"epoch": epoch, "loss": loss.item()}
                    with tempfile.TemporaryDirectory() as folder:
                        checkpoint = None
                        if ray.train.get_context().get_world_rank() == 0:
                            torch.save(module.state_dict(), os.path.join(folder, "model.pt"))
                            checkpoint = ray.train.Checkpoint.from_directory(folder)
                        ray.train.report(metrics, checkpoint=checkpoint)


            trainer = ray.train.torch.TorchTrainer(
                train_func,
                scaling_config=ScalingConfig(num_workers=2, use_gpu=False),
            )
            result = trainer.fit()
            """
        )
    )


def test_a_second_run_changes_nothing() -> None:
    again = adopt(after(adopt(script())))

    assert not again.changed
    assert codes(again) == []


@pytest.mark.parametrize(
    ("shown", "reported"),
    [
        ('print(f"{loss=}")', None),  # a tensor, maybe
        ('print(f"{loss:.4f}")', '{"loss": float(loss)}'),
        ('print(f"{loss.item()}")', '{"loss": loss.item()}'),
        (
            'print(f"Epoch {epoch + 1}/{3}, Train Loss: {loss.item() / 2:.3f}")',
            '{"epoch": epoch + 1, "train_loss": loss.item() / 2}',
        ),
        ('print("{}: loss {:.3f}, {}".format(epoch, loss.item(), effect()))', '{"epoch": epoch, "loss": loss.item()}'),
        ('print("{0}: loss {1:.3f}".format(epoch, loss.item()))', None),
        ('print("epoch %d loss: %.3f" % (epoch, loss))', '{"epoch": epoch, "loss": float(loss)}'),
        ('print("loss %s %s" % (loss.item(), effect()))', '{"loss": loss.item()}'),
        ('print("loss %.3f" % effect())', None),
        ('print("%(loss).3f" % effect())', None),
        ('print("epoch", epoch, "train loss:", loss.item() / 2)', '{"epoch": epoch, "train_loss": loss.item() / 2}'),
        ('print("loss", loss, sep=" ")', None),
        ('print("loss {:.3f".format(loss.item()))', None),
        ('print({"epoch": epoch, "loss": loss.item()})', '{"epoch": epoch, "loss": loss.item()}'),
        ('wandb.log({"loss": loss.item(), "name": effect})', '{"loss": loss.item()}'),
        ('logger.info(f"loss {loss.item()}")', '{"loss": loss.item()}'),
        ('print(f"rank {os.getpid()}")', None),
        ('print(f"epoch {epoch}")', None),
        ('print(f"loss: {effect():.3f}")', None),
        ('if is_main_process():\n    print(f"loss {loss.item()}")', '{"loss": loss.item()}'),
        ('if epoch % 2 == 0:\n    print(f"loss {loss.item()}")', None),
    ],
)
def test_what_an_epoch_shows_is_reported(shown: str, reported: str | None) -> None:
    result = adopt(script(epoch=f"{shown}\n"))

    output = after(result)
    if reported is None:
        assert "ray.train.report" not in output
        assert "MT635" in codes(result)
    else:
        assert f"        metrics = {reported}\n        with tempfile" in output


def test_what_changes_before_it_could_be_reported_is_not() -> None:
    output = after(adopt(script(epoch='a = 1.0\nprint(f"{a:.1f}")\na = effect()\nb = 2.0\nprint(f"{b:.1f}")\n')))

    assert '        print(f"{a:.1f}")\n        metrics = {"a": float(a)}\n' in output


@pytest.mark.parametrize(("parameter", "reports"), [("model", True), ("", False)])
def test_function_that_each_epoch_calls_reports_where_it_has_the_model(parameter: str, reports: bool) -> None:
    function = f"def test({parameter}):\n    score = effect({parameter})\n".replace("effect(model)", "effect(model(1))")
    shown = '    print(f"score: {score:.2f}")\n\n\n'
    text = script(epoch=f"test({parameter})\n").replace("loader = ", f"{function}{shown}loader = ", 1)

    result = adopt(text)

    assert ('    metrics = {"score": float(score)}\n' in after(result)) == reports
    assert ("MT635" in codes(result)) != reports


@pytest.mark.parametrize(
    "seeding",
    [
        "torch.manual_seed(0)",
        "generator = torch.manual_seed(0)",
        "if SEED is not None:\n    torch.manual_seed(SEED)",
        "for seed in (torch.manual_seed, torch.cuda.manual_seed):\n    torch.manual_seed(0)",
        "set_seed(0)",
        "make_deterministic(0)",
        "project.utils.fix_random_seeds(0)",
    ],
)
@pytest.mark.parametrize("is_in_main", [True, False])
def test_seeds_go_with_the_training(seeding: str, is_in_main: bool) -> None:
    head = (
        "import project.utils\nfrom project import set_seed\nSEED = 3\n\n\n"
        "def make_deterministic(seed):\n    torch.manual_seed(seed)\n\n\n"
    )
    text = script(loader=f"loader = DataLoader(Data())\n{seeding}\n")

    output = after(adopt((in_main(text) if is_in_main else text).replace("import os\n", f"import os\n{head}", 1)))

    train_func = output[output.index("def train_func") : output.index("    for epoch")]
    assert indented(f"{seeding}\n") in train_func
    assert output.count(f"{seeding}\n") == 1 or "\n" in seeding


def test_generators_of_their_own_stay_what_they_are() -> None:
    before = "from project import main\nmain()\ngenerator = torch.Generator().manual_seed(0)\nprint(generator)\n"

    assert "    generator = torch" not in after(adopt(script(before=before)))


@pytest.mark.parametrize("shuffle", ["True", "effect()"])
def test_shuffling_changes_from_epoch_to_epoch(shuffle: str) -> None:
    output = after(adopt(script(loader=f"loader = DataLoader(Data(), 8, shuffle={shuffle})\n")))

    assert (
        "    for epoch in range(3):\n"
        "        if ray.train.get_context().get_world_size() > 1:\n"
        "            loader.sampler.set_epoch(epoch)\n"
        "        for x, y in loader:\n"
    ) in output


def test_length_of_a_loader_is_that_of_the_share() -> None:
    text = script(
        before="scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3 * len(loader))\n"
    )

    output = after(adopt(text))

    assert output.index(PREPARED_LOADER) < output.index("len(loader)") < output.index(PREPARED_MODEL)


@pytest.mark.parametrize(
    ("loader", "said"),
    [
        ("loader = DataLoader(Data(), sampler=effect())\n", "would replace its `sampler`"),
        ("loader = DataLoader(Data(), batch_sampler=effect())\n", "would replace its `batch_sampler`"),
        ("loader = DataLoader(Data(), batch_size=None)\n", "its dataset makes the batches"),
        ("loader = DataLoader(Data(), **effect())\n", "can't be seen"),
        (
            "from torch.utils.data import IterableDataset\nclass Rows(IterableDataset):\n    pass\n"
            "loader = DataLoader(Rows())\n",
            "`IterableDataset`",
        ),
        ("loader = effect()\n", "no loop over a `DataLoader`"),
    ],
)
def test_data_that_cannot_be_dealt_out(loader: str, said: str) -> None:
    found = manual(script(loader=loader))

    assert found.startswith("MT633")
    assert said in found


@pytest.mark.parametrize(
    ("loader", "reads"),
    [
        ("kwargs = {'batch_size': 8}\nkwargs.update({'shuffle': True})\nloader = DataLoader(Data(), **kwargs)\n", True),
        ("kwargs = dict(num_workers=2)\nloader = DataLoader(Data(), 8, **kwargs)\n", True),
        ("kwargs = dict(sampler=effect())\nloader = DataLoader(Data(), **kwargs)\n", False),
        ("kwargs = {}\nkwargs['sampler'] = effect()\nloader = DataLoader(Data(), **kwargs)\n", False),
        ("kwargs = effect()\nloader = DataLoader(Data(), **kwargs)\n", False),
    ],
)
def test_arguments_of_loaders_in_dictionaries(loader: str, reads: bool) -> None:
    result = adopt(script(loader=loader))

    assert ("loader.sampler.set_epoch(epoch)" in result.after.decode()) == reads
    assert ("MT633" in codes(result)) != reads


def test_data_that_the_scripts_own_processes_share() -> None:
    assert manual(distributed(loader=DISTRIBUTED.replace("sampler=sampler", "batch_size=8"))).startswith("MT633")


def test_batches_of_a_script_that_knows_no_devices_are_moved_to_gpus() -> None:
    loader = "loader = DataLoader(Data())\ntest_loader = DataLoader(Data())\n"
    text = script(loader=loader, epoch="for x, y in test_loader:\n    print(model(x))\n")

    moved = after(adopt(text, use_gpu=True))

    prepared = "test_loader = ray.train.torch.prepare_data_loader(test_loader, add_dist_sampler=False)\n"
    assert prepared in moved
    assert prepared not in after(adopt(text))
    assert prepared not in after(adopt(text.replace("print(model(x))", "print(model(x.cuda()))"), use_gpu=True))


def test_end_of_the_training_that_depends_on_a_figure() -> None:
    result = adopt(script(epoch="if loss.item() < 0.1:\n    break\n"))

    assert [one for one in findings(result) if "`break` has to come in all workers at once" in one]


def test_loaders_of_a_function() -> None:
    text = script(
        loader="def load():\n    return DataLoader(Data(), shuffle=True), DataLoader(Data())\n\n\n"
        "loader, test_loader = load()\n"
    )

    output = after(adopt(text))

    assert f"    loader, test_loader = load()\n    {PREPARED_LOADER}" in output
    assert "loader.sampler.set_epoch(epoch)" in output
    assert "prepare_data_loader(test_loader)" not in output


@pytest.mark.parametrize("way", ["enumerate(loader)", "tqdm(loader)", "enumerate(tqdm(loader, desc='x'), 1)"])
def test_loops_around_a_loader(way: str) -> None:
    target = "i, (x, y)" if way.startswith("enumerate") else "x, y"

    assert PREPARED_LOADER in after(adopt(script(batches=BATCHES.replace("x, y in loader", f"{target} in {way}"))))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batches": BATCHES.replace("model(x)", "model.encode(x)")}, "more of the model than the model itself"),
        ({"batches": BATCHES.replace("model(x)", "model.net(x)")}, "more of the model than the model itself"),
        ({"batches": BATCHES.replace("model(x)", "effect(model, x)")}, "code that isn't seen"),
        (
            {"before": "net = torch.compile(model)\n", "batches": BATCHES.replace("model(x)", "net(x)")},
            "`net` holds it",
        ),
        ({"before": "other = model\n", "behind": "print(other)\n"}, "`other` holds it"),
        ({"epoch": "model = Net()\n"}, "becomes another one"),
        ({"before": "more = Net()\nothers = torch.optim.Adam(more.parameters())\n"}, "several are trained"),
        ({"before": "others = torch.optim.Adam(effect())\n"}, "aren't those of a variable"),
    ],
)
def test_model_that_cannot_be_prepared(changes: dict[str, str], said: str) -> None:
    found = manual(script(**changes))

    assert found.startswith("MT632")
    assert said in found


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ('torch.save(model.state_dict(), "m.pt")\n', 'torch.save(module.state_dict(), "m.pt")\n'),
        ('torch.save(model, "m.pt")\n', 'torch.save(module, "m.pt")\n'),
        ("print(model.layers[0].weight)\n", "print(module.layers[0].weight)\n"),
        ("model.load_state_dict(effect())\n", "module.load_state_dict(effect())\n"),
        # Forward passes of the wrapper would wait for the other workers.
        ("print(model(1))\n", "print(module(1))\n"),
        ("model.eval()\n", "module.eval()\n"),
    ],
)
def test_model_is_read_without_its_wrapper(before: str, behind: str) -> None:
    output = after(adopt(script(behind=before)))

    assert f"    if ray.train.get_context().get_world_rank() == 0:\n        {behind}" in output
    assert "    module = model\n" in output


def test_function_reads_the_model_without_its_wrapper() -> None:
    text = script(behind="save(model)\n").replace(
        "loader = ", 'def save(model):\n    torch.save(model.state_dict(), "m.pt")\n\n\nloader = ', 1
    )

    output = after(adopt(text))

    assert (
        'torch.save((model.module if isinstance(model, DistributedDataParallel) else model).state_dict(), "m.pt")'
    ) in output
    assert "from torch.nn.parallel import DistributedDataParallel\n" in output


def test_file_written_in_an_epoch_is_written_once() -> None:
    result = adopt(script(epoch='torch.save(\n    model.state_dict(),\n    f"{epoch}.pt",\n)\n'))

    assert "MT642" in codes(result)
    assert (
        "        if ray.train.get_context().get_world_rank() == 0:\n"
        '            torch.save(\n                module.state_dict(),\n                f"{epoch}.pt",\n            )\n'
    ) in after(result)


@pytest.mark.parametrize(
    ("device", "worker"),
    [
        ('torch.device("cuda" if torch.cuda.is_available() else "cpu")', "ray.train.torch.get_device()"),
        ('torch.device("cuda:0" if torch.cuda.is_available() else "cpu")', "ray.train.torch.get_device()"),
        ('"cuda" if torch.cuda.is_available() else "cpu"', "ray.train.torch.get_device()"),
        (
            '"cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"',
            "ray.train.torch.get_device()",
        ),
        (
            'torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"',
            "ray.train.torch.get_device()",
        ),
        (
            'torch.device("cuda" if effect() else "cpu")',
            'ray.train.torch.get_device() if effect() else torch.device("cpu")',
        ),
        ('torch.device("cuda", int(os.environ["LOCAL_RANK"]))', "ray.train.torch.get_device()"),
        ('torch.device("cpu")', 'torch.device("cpu")'),
        ("torch.device(effect())", "torch.device(effect())"),
    ],
)
def test_devices(device: str, worker: str) -> None:
    text = script(loader=SHARED_LOADER, before=f"device = {device}\nmodel.to(device)\n")

    assert f"    device = {worker}\n" in after(adopt(text))


@pytest.mark.parametrize(
    ("moved", "worker"),
    [
        ("model.cuda()", "model.to(ray.train.torch.get_device())"),
        ("model.cuda(local_rank)", "model.to(ray.train.torch.get_device())"),
        ("x.cuda(non_blocking=True)", "x.to(ray.train.torch.get_device(), non_blocking=True)"),
        ("model.to(local_rank)", "model.to(ray.train.torch.get_device())"),
        ('model.to("cuda:1")', "model.to(ray.train.torch.get_device())"),
        ('x = torch.zeros(3, device="cuda")', "x = torch.zeros(3, device=ray.train.torch.get_device())"),
        ("model.to(torch.float64)", "model.to(torch.float64)"),
    ],
)
def test_moves_to_devices(moved: str, worker: str) -> None:
    before = f'local_rank = int(os.environ["LOCAL_RANK"])\nx = torch.zeros(1)\n{moved}\nprint(local_rank, x)\n'

    assert f"    {worker}\n" in after(adopt(script(loader=SHARED_LOADER, before=before)))


def in_main(text: str) -> str:
    imports, _, rest = text.partition("loader = ")
    return f"{imports}def main():\n{indented('loader = ' + rest)}\n\nmain()\n"


@pytest.mark.parametrize(
    "device",
    ['"cuda" if torch.cuda.is_available() else "cpu"', 'torch.device("cuda" if torch.cuda.is_available() else "cpu")'],
)
def test_device_of_the_module_is_the_drivers(device: str) -> None:
    text = in_main(script(before="model.to(DEVICE)\n")).replace("def main", f"DEVICE = {device}\n\n\ndef main", 1)

    output = after(adopt(text))

    assert "    model.to(ray.train.torch.get_device())\n" in output
    assert f"\nDEVICE = {device}\n" in output


def test_device_of_the_module_in_other_places_is_told() -> None:
    text = in_main(script(before='print(DEVICE == "cuda")\n', epoch="effect()\n"))
    head = 'DEVICE = "cuda" if torch.cuda.is_available() else "cpu"\n\n\n'

    assert "MT638" in codes(adopt(text.replace("def main", f"{head}def main", 1)))


def test_folder_for_what_workers_write() -> None:
    epoch = 'torch.save(model.state_dict(), "out/m.pt")\n'
    text = in_main(script(loader='loader = DataLoader(Data())\nos.makedirs("out", exist_ok=True)\n', epoch=epoch))

    output = after(adopt(text))

    assert output.index('    os.makedirs("out", exist_ok=True)\n') < output.index("def main")


def test_device_that_is_compared_stays_text() -> None:
    before = 'device = "cuda" if torch.cuda.is_available() else "cpu"\nif device == "cuda":\n    model.half()\n'
    result = adopt(script(before=before))

    assert "MT638" in codes(result)
    assert '    device = "cuda" if torch.cuda.is_available() else "cpu"\n' in after(result)


DISTRIBUTED = """\
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data.distributed import DistributedSampler


def setup():
    os.environ["MASTER_ADDR"] = "localhost"
    dist.init_process_group("gloo")


def cleanup():
    dist.destroy_process_group()


setup()
rank = dist.get_rank()
sampler = DistributedSampler(Data())
loader = DataLoader(Data(), sampler=sampler)
"""


def distributed(**parts: str) -> str:
    return script(**{"loader": DISTRIBUTED, "before": "model = DDP(model)\n", "behind": "cleanup()\n", **parts})


def test_process_group_is_rays() -> None:
    result = adopt(distributed(behind='cleanup()\nprint("done", dist.get_rank())\n'))

    output = after(result)
    for gone in ("process_group", "MASTER_ADDR", "setup()", "cleanup()", "DDP(", "prepare_data_loader"):
        assert gone not in output
    assert "    rank = dist.get_rank()\n" in output
    assert '    print("done", dist.get_rank())\n\n\n' in output
    assert f"    {PREPARED_MODEL}" in output


@pytest.mark.parametrize(
    ("call", "prepared"),
    [
        ("DDP(model, device_ids=[rank], output_device=rank)", "prepare_model(model)"),
        (
            "DDP(model, find_unused_parameters=True)",
            'prepare_model(model, parallel_strategy_kwargs={"find_unused_parameters": True})',
        ),
        ("torch.nn.DataParallel(model)", "prepare_model(model)"),
    ],
)
def test_wrapper_of_the_scripts_own(call: str, prepared: str) -> None:
    assert f"    model = ray.train.torch.{prepared}\n" in after(adopt(distributed(before=f"model = {call}\n")))


def test_wrapped_model_is_called_without_its_wrapper_behind_the_training() -> None:
    output = after(adopt(distributed(behind="cleanup()\nprint(model(1))\n")))

    assert "        print(module(1))\n" in output


def test_module_of_a_wrapper_of_the_scripts_own() -> None:
    output = after(adopt(distributed(epoch='if rank == 0:\n    torch.save(model.module.state_dict(), "m.pt")\n')))

    assert "    module = model\n    model = ray.train.torch.prepare_model(module)\n" in output
    assert '        if rank == 0:\n            torch.save(module.state_dict(), "m.pt")\n' in output


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"before": "model = DDP(model)\nwith model.no_sync():\n    pass\n"}, "no such method"),
        ({"before": "model = DDP(model, process_group=effect())\n"}, "can't be handed to `prepare_model`"),
        ({"before": "group = dist.init_process_group('gloo')\nmodel = DDP(model)\n"}, "what else the statement does"),
    ],
)
def test_distributed_scripts_that_stay(parts: dict[str, str], said: str) -> None:
    assert said in manual(distributed(**parts))


@pytest.mark.parametrize(
    ("head", "call", "stays"),
    [
        ("", "main()", False),
        ("def unused():\n    return dist.get_rank()\n\n\n", "main()", False),
        ('RANK = int(os.environ["RANK"])\n\n\n', "main()", True),
        ("", 'rank = int(os.environ["RANK"])\nmain()', True),
        ("def start():\n    dist.init_process_group()\n    torch.cuda.set_device(0)\n\n\n", "start()\nmain()", False),
        ("def start():\n    print(dist.get_rank())\n\n\n", "start()\nmain()", True),
    ],
)
def test_ranks_that_the_driver_asks_for(head: str, call: str, stays: bool) -> None:
    text = in_main(script(loader=SHARED_LOADER, before="print(dist.get_rank())\n"))
    text = text.replace("def main", f"{head}def main", 1).removesuffix("main()\n") + f"{call}\n"

    assert adopt(text).changed != stays
    assert ("comes to this" in "".join(findings(adopt(text)))) == stays


SPAWNED = f"""\
{IMPORTS}import torch.multiprocessing as mp


def work(rank, world_size, lr):
    dist.init_process_group("gloo", rank=rank, world_size=world_size)
    loader = DataLoader(Data(), sampler=torch.utils.data.DistributedSampler(Data(), world_size, rank))
    model = nn.parallel.DistributedDataParallel(Net())
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for epoch in range(2):
{indented(indented(BATCHES))}

if __name__ == "__main__":
    mp.spawn(work, nprocs=2, args=(2, 0.1))
"""


def test_processes_that_the_script_starts() -> None:
    output = after(adopt(SPAWNED))

    assert 'def train_func(config):\n    lr = config["lr"]\n    rank = dist.get_rank()\n' in output
    assert "    world_size = dist.get_world_size()\n" in output
    assert "def work(lr):\n" in output
    assert output.endswith('if __name__ == "__main__":\n    work(0.1)\n')


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("args=(2, 0.1)", "args=effect()"),
        ("args=(2, 0.1)", "args=(2,)"),
        ("mp.spawn(work", "mp.spawn(effect(work)"),
        ("mp.spawn(work, nprocs=2, args=(2, 0.1))", "mp.Process(target=work, args=(0, 1, 0.1)).start()"),
    ],
)
def test_processes_that_stay(old: str, new: str) -> None:
    assert manual(SPAWNED.replace(old, new)).startswith("MT631")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (script().replace("SGD", "LBFGS"), "own losses"),
        (script().replace("import os\n", "import horovod.torch as hvd\n"), "`horovod`"),
        (script(epochs="while effect():\n", loader="loader = DataLoader(Data(), shuffle=True)\n"), "no number"),
        (script(before='parser.add_argument("--local_rank")\n'), "says their rank"),
        (
            IMPORTS
            + "class Trainer:\n    def fit(self, model, loader, optimizer):\n"
            + indented(indented(BATCHES))
            + "model = Net()\noptimizer = torch.optim.SGD(model.parameters(), lr=1.0)\n"
            "Trainer().fit(model, DataLoader(Data()), optimizer)\n",
            "method `fit`",
        ),
    ],
)
def test_loops_that_are_not_plain(text: str, said: str) -> None:
    found = manual(text)

    assert found.startswith("MT631")
    assert said in found


def test_without_a_loop_there_is_nothing_to_adopt() -> None:
    assert manual(f"{IMPORTS}print(Net()(torch.zeros(1)))\n").startswith("MT649")
