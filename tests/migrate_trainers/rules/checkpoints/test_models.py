"""Models that are read from checkpoints: loaded from the same folders, with the same arguments, in the same order."""

from __future__ import annotations

import pytest
from rewriting import LIGHTNING_IMPORTS, after, codes, findings, in_function, lightning, migrate
from worker_calls.run import assert_same_calls

from migrate_trainers.findings import Kind

CHECKPOINT = "from ray.train.lightning import LightningCheckpoint\n"
READ = {
    "a result's checkpoint": "model = result.checkpoint.get_model(Net, lr=1)\n",
    "a variable": "checkpoint = result.checkpoint\nmodel = checkpoint.get_model(model_class=Net, lr=effect(1))\n",
    "by keyword behind others": "model = result.checkpoint.get_model(lr=effect(1), model_class=Net)\n",
    "by splat": "kwargs = {'model_class': Net, 'lr': 1}\nmodel = result.checkpoint.get_model(**kwargs)\n",
    "splat behind the class": "kwargs = {'lr': 1}\nmodel = result.checkpoint.get_model(Net, **kwargs)\n",
    "a class of a dictionary": "classes = {'net': Net}\nmodel = result.checkpoint.get_model(classes['net'], lr=1)\n",
    "the best checkpoint": "model = result.best_checkpoints[0][0].get_model(Net)\n",
    "the last of a slice": "model = result.best_checkpoints[1:][-1][0].get_model(Net)\n",
    "each checkpoint": "for checkpoint, metrics in result.best_checkpoints:\n    effect(checkpoint.get_model(Net))\n",
    "each numbered": "for i, (c, _) in enumerate(result.best_checkpoints):\n    effect(c.get_model(Net, number=i))\n",
    "a comprehension": "models = [c.get_model(Net, **m) for c, m in result.best_checkpoints]\neffect(models)\n",
    "the best by a key": (
        "best, metrics = min(result.best_checkpoints, key=lambda pair: pair[1]['loss'])\neffect(best.get_model(Net))\n"
    ),
    "sorted": "best = sorted(result.best_checkpoints, key=lambda p: p[1]['loss'])[0][0]\neffect(best.get_model(Net))\n",
    "an argument": "effect(result.checkpoint.get_model(Net))\n",
    "an argument behind a call": "print(effect(1), result.checkpoint.get_model(Net))\n",
    "two in a call": "effect([result.checkpoint.get_model(Net), result.checkpoint.get_model(Other)])\n",
    "on a chain": "loaded = result.checkpoint.get_model(Net, lr=2).__class__\neffect(loaded)\n",
    "a condition": "if result.checkpoint.get_model(Net):\n    effect(1)\nelse:\n    pass\n",
    "an `elif`": "if effect(0):\n    pass\nelif result.checkpoint.get_model(Net):\n    effect(2)\n",
    "one of two": "effect(result.checkpoint.get_model(Net) if effect(0) else 3)\n",
    "an `and`": "effect(effect(0) and result.checkpoint.get_model(Net))\n",
    "a lambda": "load = lambda: result.checkpoint.get_model(Net)\neffect(2)\nload()\n",
    "a suite on the line": "if True: model = result.checkpoint.get_model(Net)\n",
    "two statements a line": "effect(1); model = result.checkpoint.get_model(Net); effect(2)\n",
    "a walrus": "if (model := result.checkpoint.get_model(Net)):\n    effect(model)\n",
    "an item": "models = {}\nmodels[effect('net')] = result.checkpoint.get_model(Net)\n",
    "several lines": "model = (\n    result\n    .checkpoint\n    .get_model(Net)\n)\neffect(model)\n",
    "lines of arguments": "effect(\n    result.checkpoint.get_model(\n        Net,\n        lr=1,  # one\n    )\n)\n",
    "a multi-line string": "model = result.checkpoint.get_model(Net, text='''a\n    b\nc''')\n",
    "a class body": "class Loaded:\n    model = result.checkpoint.get_model(Net)\n",
    "an f-string": "effect(f'{result.checkpoint.get_model(Net)}')\n",
    "a function's return": "def load(r):\n    return r.checkpoint.get_model(Net)\n\n\neffect(load(result))\n",
    "a function's checkpoint": (
        "def load(name, checkpoint=None):\n    # the network\n    return checkpoint.get_model(Net, name=name)\n\n\n"
        "load('a', checkpoint=result.checkpoint)\nload('b', result.best_checkpoints[0][0])\n"
    ),
    "a generator function": (
        "def models():\n    for c, _ in result.best_checkpoints:\n        yield c.get_model(Net)\n\n\n"
        "effect(list(models()))\n"
    ),
    "a method": (
        "class Run:\n    def __init__(self):\n        self.result = trainer.fit()\n        self.checkpoint = None\n\n"
        "    def best(self):\n        self.checkpoint = self.result.checkpoint\n"
        "        return self.checkpoint.get_model(Net)\n\n\nRun().best()\n"
    ),
    "a function that trains": (
        "def train():\n    return trainer.fit()\n\n\nmodel = train().checkpoint.get_model(Net)\n"
    ),
    "a method of an object that is made there": (
        "class Job:\n    def run(self):\n        return trainer.fit()\n\n\n"
        "effect(Job().run().checkpoint.get_model(Net))\n"
    ),
    "a method of an object in a variable": (
        "class Job:\n    def run(self):\n        return trainer.fit()\n\n\njob = Job()\n"
        "effect(job.run().checkpoint.get_model(Net))\n"
    ),
    "a constructor's result": (
        "class Job:\n    def __init__(self, result):\n        self.result = result\n\n"
        "    def load(self):\n        return self.result.checkpoint.get_model(Net)\n\n\nJob(result).load()\n"
    ),
    "a hint that allows None": (
        CHECKPOINT + "from typing import Optional\n\n\n"
        "def load(c: Optional[LightningCheckpoint] = None):\n    return c.get_model(Net)\n\n\nload(result.checkpoint)\n"
    ),
    "a result of several in a dictionary": (
        "results = {}\nfor name in ('a', 'b'):\n    results[name] = trainer.fit()\n"
        "best = min(results.values(), key=lambda one: one.metrics['step'])\neffect(best.checkpoint.get_model(Net))\n"
        "for name, one in results.items():\n    effect(one.checkpoint.get_model(Net, name=name))\n"
        "effect(results['a'].checkpoint.get_model(Net))\n"
    ),
    "a result of several in a list": (
        "results = []\nresults.append(trainer.fit())\nmodel = results[-1].checkpoint.get_model(Net)\n"
        "models = [one.checkpoint.get_model(Net) for one in results]\n"
    ),
    "a list of pairs": (
        "runs = [(lr, trainer.fit()) for lr in (1, 2)]\nlr, best = min(runs, key=lambda run: run[0])\n"
        "effect(best.checkpoint.get_model(Net, lr=lr))\neffect(runs[0][1].checkpoint.get_model(Net))\n"
    ),
    "a dictionary on `self`": (
        "class Runs:\n    def __init__(self):\n        self.found = dict()\n\n    def go(self):\n"
        "        self.found['a'] = trainer.fit()\n        return self.found['a'].checkpoint.get_model(Net)\n\n\n"
        "effect(Runs().go())\n"
    ),
    "one of a tuple": (
        "best, least = None, 9\nfor i in range(2):\n    one = trainer.fit()\n    if i < least:\n"
        "        best, least = one, i\nmodel = best.checkpoint.get_model(Net)\n"
    ),
    "parts of a returned tuple": (
        "def train():\n    return 1, trainer.fit()\n\n\nnumber, one = train()\nmodel = one.checkpoint.get_model(Net)\n"
    ),
    "a variable that was something else": (
        "checkpoint = effect('path')\ncheckpoint = result.checkpoint\n"
        "model = checkpoint.get_model(Net)\ncheckpoint = effect(model)\n"
    ),
    "a variable that its own value names": (
        "run = trainer\nrun = run.fit()\nrun = run.checkpoint\nmodel = run.get_model(Net)\n"
    ),
    "a chosen checkpoint": "c = result.checkpoint if effect(1) else None\nmodel = c.get_model(Net)\n",
    "names that are taken": "checkpoint_dir = load_model = os = 1\nm = result.checkpoint.get_model(Net)\neffect(os)\n",
    "another checkpoint": CHECKPOINT + "c = LightningCheckpoint.from_directory('x')\neffect(c.get_model(Net, lr=1))\n",
    "a URI": CHECKPOINT + "effect(LightningCheckpoint.from_uri(uri='s3://x').get_model(Net))\n",
    "a file": CHECKPOINT + "effect(LightningCheckpoint.from_path('x.ckpt').get_model(Net, lr=1))\n",
    "a file by keyword": (
        CHECKPOINT
        + "m = LightningCheckpoint.from_path(path='x.ckpt', preprocessor=None).get_model(lr=1, model_class=Net)\n"
    ),
    "the same checkpoint": CHECKPOINT + "m = LightningCheckpoint.from_checkpoint(result.checkpoint).get_model(Net)\n",
    "its path": CHECKPOINT + "m = LightningCheckpoint(result.checkpoint.path).get_model(Net)\n",
    "either": CHECKPOINT + "LightningCheckpoint.from_checkpoint(result.checkpoint or effect(1)).get_model(Net)\n",
    "an annotation": CHECKPOINT + "c: LightningCheckpoint = result.checkpoint\nm: Net = c.get_model(Net)\n",
    "a type test": CHECKPOINT + "c = result.checkpoint\nassert isinstance(c, LightningCheckpoint)\nc.get_model(Net)\n",
}


def _program(body: str) -> str:
    """A program that trains, then runs a body; `result` is what training gave."""
    head = "from project import Other\n" if "Other" in body else ""
    return head + lightning() + body


@pytest.mark.parametrize("body", READ.values(), ids=READ.keys())
def test_same_model_is_loaded(body: str) -> None:
    program = _program(body)

    text = after(migrate(program))

    assert_same_calls(program, text)
    assert "get_model" not in text
    assert "LightningCheckpoint" not in text


@pytest.mark.parametrize("body", READ.values(), ids=READ.keys())
def test_same_model_is_loaded_in_a_function(body: str) -> None:
    program = in_function(_program(body))

    assert_same_calls(program, after(migrate(program)))


@pytest.mark.parametrize("body", READ.values(), ids=READ.keys())
def test_same_model_is_loaded_with_imports_in_the_function(body: str) -> None:
    lines = _program(body).splitlines(keepends=True)
    program = "def main():\n" + "".join(f"    {line}" for line in lines) + "\n\nmain()\n"
    if "'''" in body:
        pytest.skip("the string would change")

    result = migrate(program)

    if result.changed:
        assert_same_calls(program, result.after)
    else:
        assert codes(result, Kind.MANUAL), findings(result)


def test_statement_stands_in_a_with() -> None:
    text = after(migrate(_program("model = result.checkpoint.get_model(Net, lr=1)  # the last\n")))

    assert text.endswith(
        "result = trainer.fit()\n"
        "with result.checkpoint.as_directory() as checkpoint_dir:\n"
        "    model = Net.load_from_checkpoint(\n"
        '        os.path.join(checkpoint_dir, "checkpoint.ckpt"),\n'
        "        lr=1,\n"
        "    )  # the last\n"
    )


def test_file_keeps_its_name_where_the_script_opens_it() -> None:
    body = (
        "folder = result.checkpoint.to_directory()\nopen(folder + '/model')\nmodel = result.checkpoint.get_model(Net)\n"
    )

    text = after(migrate(_program(body)))

    assert 'os.path.join(checkpoint_dir, "model")' in text
    assert 'target = os.path.join(folder, "model")' in text


ONLY_READS = """\
from project import Net
from ray.train.lightning import LightningCheckpoint


def load(uri: str, **kwargs):
    checkpoint: LightningCheckpoint = LightningCheckpoint.from_uri(uri)
    return checkpoint.get_model(Net, **kwargs)
"""


def test_script_that_only_reads_takes_files_of_both_names() -> None:
    result = migrate(ONLY_READS)

    assert (
        after(result)
        == '''\
import os

from project import Net
from ray.train import Checkpoint


def load_model(checkpoint, model_class, **kwargs):
    """The Lightning module that a checkpoint of a train function, or of LightningTrainer, holds."""
    with checkpoint.as_directory() as folder:
        path = os.path.join(folder, "checkpoint.ckpt")
        if not os.path.exists(path):
            path = os.path.join(folder, "model")
        return model_class.load_from_checkpoint(path, **kwargs)


def load(uri: str, **kwargs):
    checkpoint: Checkpoint = Checkpoint(uri)
    return load_model(checkpoint, Net, **kwargs)
'''
    )
    assert (result.call_sites, result.migrated) == (0, 0)
    assert codes(result) == ["MT410"]


def test_bundled_runtime() -> None:
    text = after(migrate(ONLY_READS, bundled=True))

    assert "from train_runtime import Checkpoint\n" in text


def test_names_reached_through_modules() -> None:
    program = ONLY_READS.replace("from ray.train.lightning import LightningCheckpoint", "import ray.train.lightning")
    program = program.replace("LightningCheckpoint", "ray.train.lightning.LightningCheckpoint")

    text = after(migrate(program))

    assert "checkpoint: ray.train.Checkpoint = ray.train.Checkpoint(uri)" in text


LEFT = {
    "an unknown result": ("effect().checkpoint.get_model(Net)", "MT411"),
    "another trainer's": (
        "from ray.train.torch import TorchTrainer\nt = TorchTrainer(effect)\nt.fit().checkpoint.get_model(Net)",
        "MT411",
    ),
    "one of two trainers": (
        "from ray.train.torch import TorchTrainer\nif effect(): result = TorchTrainer(effect).fit()\n"
        "result.checkpoint.get_model(Net)",
        "MT411",
    ),
    "one of a list with another's": (
        "from ray.train.torch import TorchTrainer\nruns = [result]\nruns.append(TorchTrainer(effect).fit())\n"
        "runs[0].checkpoint.get_model(Net)",
        "MT411",
    ),
    "a variable that is something else in a loop's next turn": (
        "from ray.train.torch import TorchTrainer\nrun = result\nfor _ in range(2):\n"
        "    run.checkpoint.get_model(Net)\n    run = TorchTrainer(effect).fit()",
        "MT411",
    ),
    "a variable that a function rebinds": (
        "from ray.train.torch import TorchTrainer\ndef other():\n    global run\n"
        "    run = TorchTrainer(effect).fit()\nrun = result\nother()\nrun.checkpoint.get_model(Net)",
        "MT411",
    ),
    "a variable that is something else after an error": (
        "from ray.train.torch import TorchTrainer\nrun = TorchTrainer(effect).fit()\ntry:\n    run = result\n"
        "except ValueError:\n    pass\nrun.checkpoint.get_model(Net)",
        "MT411",
    ),
    "a function that is passed on": (
        "def load(c):\n    return c.checkpoint.get_model(Net)\neffect(load)\nload(result)",
        "MT411",
    ),
    "a checkpoint by its name": ("def load(checkpoint):\n    return checkpoint.get_model(Net)", "MT411"),
    "anything beside the class": (CHECKPOINT + "def load(c):\n    return c.get_model(Net)", "MT411"),
    "a guarded import": (
        "try:\n    from ray.train.lightning import LightningCheckpoint\nexcept ImportError:\n"
        "    LightningCheckpoint = None\nLightningCheckpoint.from_uri('x')",
        "MT904",
    ),
    "the class as a value": (CHECKPOINT + "effect(LightningCheckpoint)", "MT411"),
    "a subclass": (CHECKPOINT + "class Mine(LightningCheckpoint):\n    pass", "MT411"),
    "the method as a value": ("load = result.checkpoint.get_model\nload(Net)", "MT411"),
    "a dictionary": ("effect(result.checkpoint.to_dict())", "MT401"),
    "a dictionary's checkpoint": (CHECKPOINT + "LightningCheckpoint.from_dict({})", "MT401"),
    "a preprocessor": (CHECKPOINT + "LightningCheckpoint.from_path('x', preprocessor=effect())", "MT403"),
    "nothing": (CHECKPOINT + "LightningCheckpoint()", "MT401"),
}


@pytest.mark.parametrize(("body", "code"), LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(body: str, code: str) -> None:
    result = migrate(_program(body + "\n"))

    assert result.after == result.before
    assert set(codes(result, Kind.MANUAL)) - {"MT905"} == {code}, findings(result)


HINTS = ("LightningCheckpoint | None", "LightningCheckpoint", "Optional[LightningCheckpoint]")


@pytest.mark.parametrize("hint", HINTS)
def test_hint_of_a_function_that_only_others_call(hint: str) -> None:
    program = (
        f"from typing import Optional\n{CHECKPOINT}from project import Net\n\n\n"
        f"def load(c: {hint}):\n    return c.get_model(Net)\n"
    )

    text = after(migrate(program))

    assert "return load_model(c, Net)" in text
    assert hint.replace("LightningCheckpoint", "Checkpoint") in text


def test_class_that_only_strings_name_is_left() -> None:
    result = migrate(f"{CHECKPOINT}\n\ndef load(c: 'LightningCheckpoint'):\n    return c.get_model(1)\n")

    assert not result.changed
    assert codes(result, Kind.MANUAL) == ["MT904"]


OTHERS = (
    "import project\nproject.get_model(Net)",
    "class A:\n    def f(self):\n        self.get_model(1)",
    "effect(1).get_model(2)",
)


@pytest.mark.parametrize("body", OTHERS)
def test_other_objects_keep_their_get_model(body: str) -> None:
    assert after(migrate(lightning() + body + "\n")).endswith(f"{body}\n")


def test_guarded_import_in_a_script_that_only_reads() -> None:
    result = migrate(f"try:\n    {CHECKPOINT}except ImportError:\n    raise SystemExit\nLightningCheckpoint('x')\n")

    assert not result.changed
    assert codes(result, Kind.MANUAL) == ["MT904"]


def test_model_in_the_builder_is_left() -> None:
    program = (
        LIGHTNING_IMPORTS
        + CHECKPOINT
        + "teacher = LightningCheckpoint.from_uri('s3://x')\n"
        + lightning(".module(Net, teacher=teacher.get_model(Net))").removeprefix(LIGHTNING_IMPORTS)
    )

    result = migrate(program)

    assert result.after == result.before
    assert codes(result, Kind.MANUAL) == ["MT411"]


RESUMED = {
    "a file": ("LightningCheckpoint.from_path('x.ckpt')", 'ckpt_path=config["resume_from_checkpoint"]'),
    "a folder": ("LightningCheckpoint.from_directory('x')", 'or config["resume_from_checkpoint"]'),
    "a URI": ("LightningCheckpoint.from_uri('s3://x')", 'or config["resume_from_checkpoint"]'),
}


@pytest.mark.parametrize(("given", "expected"), RESUMED.values(), ids=RESUMED.keys())
def test_resumes(given: str, expected: str) -> None:
    program = CHECKPOINT + lightning(trainer=f"resume_from_checkpoint={given}")

    text = after(migrate(program))

    assert_same_calls(program, text)
    assert expected in text
