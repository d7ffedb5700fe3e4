"""Scripts that train Accelerate without Ray, which `--adopt` turns into TorchTrainer programs."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from rewriting import after, codes, migrate

from migrate_trainers.findings import Kind
from migrate_trainers.settings import Adoption

if TYPE_CHECKING:
    from migrate_trainers import FileResult

IMPORTS = """\
import time
import torch
from accelerate import Accelerator, notebook_launcher
from project import args, data, effect, model
"""


def adopt(text: str, *, num_workers: int = 2, use_gpu: bool = False) -> FileResult:
    """The rewriter's result for a script behind the usual imports."""
    return migrate(IMPORTS + dedent(text), adoption=Adoption(num_workers, use_gpu))


def body(result: FileResult) -> str:
    """The train function of the output, without its indentation."""
    _, _, behind = after(result).partition("def train_func(")
    return dedent(behind.partition("):\n")[2].partition("\n\n\n")[0])


def training(log: str = "", *, depth: int = 1) -> str:
    """A script whose loop logs something, in one loop or two."""
    lines = "".join(f"{'    ' * depth}{line}\n" for line in dedent(log).splitlines())
    inner = "    for step, batch in enumerate(data):\n" if depth == 2 else ""
    return (
        "accelerator = Accelerator()\nnet = accelerator.prepare(model)\ntotal = 0\n"
        f"for epoch in range(3):\n{inner}{'    ' * depth}loss = net(data).mean()\n"
        f"{'    ' * depth}accelerator.backward(loss)\n{'    ' * depth}total += loss.item()\n{lines}"
    )


@pytest.mark.parametrize(
    ("made", "use_gpu", "expected", "found"),
    [
        ("Accelerator()", False, "accelerator = Accelerator(cpu=True)", []),
        ("Accelerator()", True, "accelerator = Accelerator()", []),
        ("Accelerator(cpu=args.cpu)", False, "accelerator = Accelerator(cpu=True)", []),
        ("Accelerator(cpu=args.cpu)", True, "accelerator = Accelerator(cpu=args.cpu)", []),
        ("Accelerator(cpu=True)", True, "accelerator = Accelerator(cpu=True)", ["MT628"]),
        ('Accelerator(True, False, "no", 1, args.cpu)', False, 'Accelerator(True, False, "no", 1, True)', []),
        ("Accelerator(**args)", False, 'os.environ["ACCELERATE_USE_CPU"] = "true"\n', []),
        ("Accelerator(cpu=effect())", False, 'os.environ["ACCELERATE_USE_CPU"] = "true"\n', []),
    ],
)
def test_device_of_the_workers(made: str, use_gpu: bool, expected: str, found: list[str]) -> None:
    result = adopt(f"accelerator = {made}\naccelerator.backward(accelerator.prepare(model)(data))\n", use_gpu=use_gpu)

    assert expected in body(result)
    assert [code for code in codes(result, Kind.REVIEW) if code == "MT628"] == found


@pytest.mark.parametrize(
    ("log", "report"),
    [
        (
            'accelerator.log({"loss": total / len(data), "epoch": epoch}, step=epoch)',
            'metrics = {"loss": total / len(data), "epoch": epoch}\n'
            "accelerator.log(metrics, step=epoch)\nray.train.report(metrics)",
        ),
        (
            'values = {"loss": -loss.item(), "s": time.time()}\naccelerator.log(values=values)',
            'values = {"loss": -loss.item(), "s": time.time()}\n'
            "accelerator.log(values=values)\nray.train.report(values)",
        ),
        (
            'if epoch % 2:\n    accelerator.log({"loss": float(loss)})',
            'if epoch % 2:\n    metrics = {"loss": float(loss)}\n'
            "    accelerator.log(metrics)\n    ray.train.report(metrics)",
        ),
    ],
)
def test_reports_what_is_plainly_a_dictionary_of_numbers(log: str, report: str) -> None:
    result = adopt(training(log))

    assert report in dedent(body(result).partition("total += loss.item()\n")[2])
    assert "MT623" in codes(result)
    assert "MT622" not in codes(result)


@pytest.mark.parametrize(
    ("log", "depth"),
    [
        ('accelerator.log({"loss": loss})', 1),
        ('accelerator.log({"loss": loss / 2})', 1),
        ('accelerator.log({"loss": loss.item(), **effect()})', 1),
        ("accelerator.log(effect())", 1),
        ("accelerator.log({})", 1),
        ('accelerator.log({"total": total})', 2),
        ('if accelerator.is_main_process:\n    accelerator.log({"total": total})', 1),
        ('if accelerator.process_index == 0:\n    accelerator.log({"total": total})', 1),
        ('accelerator.print(f"loss {loss}")', 1),
    ],
)
def test_asks_for_a_report_where_it_can_not_tell(log: str, depth: int) -> None:
    result = adopt(training(log, depth=depth))

    assert "ray.train.report" not in after(result)
    assert "MT622" in codes(result)


@pytest.mark.parametrize(
    ("launch", "call"),
    [
        ("notebook_launcher(train, num_processes=2)", "train()"),
        ("notebook_launcher(train, (0.1, 8), 2)", "train(0.1, 8)"),
        ("notebook_launcher(train, args=(0.1,))", "train(0.1)"),
    ],
)
def test_a_launchers_function_is_called(launch: str, call: str) -> None:
    text = "def train(rate=0, size=1):\n    accelerator = Accelerator()\n    accelerator.prepare(model)(rate)\n\n"
    result = adopt(f"{text}{launch}\n")

    assert after(result).endswith(f"\n{call}\n")
    assert "notebook_launcher" not in after(result)
    assert "MT624" in codes(result)
    assert 'rate = config["rate"]' in after(result)


def test_a_launchers_function_that_is_given_data_is_called_in_the_worker() -> None:
    text = "def train(rate=0, size=1):\n    accelerator = Accelerator()\n    accelerator.prepare(model)(rate)\n\n"

    assert body(adopt(f"{text}notebook_launcher(train, args=effect())\n")) == "train(*effect())"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("print(effect())\n", "MT649"),
        ("print(Accelerator().device)\n", "MT625"),
        ("class Own(Accelerator):\n    pass\n\naccelerator = Accelerator()\n", "MT625"),
        ("notebook_launcher(lambda: effect(), num_processes=2)\naccelerator = Accelerator()\n", "MT625"),
        ("one = Accelerator()\nother = Accelerator()\n", "MT627"),
        (
            "class Run:\n    def go(self):\n        accelerator = Accelerator()\n        accelerator.prepare(1)\n",
            "MT640",
        ),
    ],
)
def test_left_as_it_was(text: str, code: str) -> None:
    result = adopt(text)

    assert not result.changed
    assert codes(result) == [code]


def test_what_all_workers_must_come_by_stands_under_no_rank() -> None:
    result = adopt(
        training()
        + 'print(net(data))\nif accelerator.is_main_process:\n    torch.save(net, "x")\nprint(total)\nprint("done")\n'
    )

    assert body(result).endswith(
        'print(net(data))\nif accelerator.is_main_process:\n    torch.save(net, "x")\n\n'
        "if ray.train.get_context().get_world_rank() == 0:\n    print(total)"
    )
    assert after(result).endswith('\nprint("done")\n')


@pytest.mark.parametrize(
    ("saved", "found"),
    [
        ('accelerator.save_state("state")', ["MT626"]),
        ("accelerator.save_state(output_dir=args.folder)", ["MT626"]),
        ('accelerator.save_model(net, "/shared/model")', []),
    ],
)
def test_says_where_files_end_up(saved: str, found: list[str]) -> None:
    assert [code for code in codes(adopt(f"{training()}{saved}\n")) if code == "MT626"] == found


def test_a_second_run_changes_nothing() -> None:
    again = migrate(after(adopt(training('accelerator.log({"loss": loss.item()})'))), adoption=Adoption(2))

    assert not again.changed
    assert codes(again) == []
