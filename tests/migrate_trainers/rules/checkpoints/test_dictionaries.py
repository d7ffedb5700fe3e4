"""Checkpoints that are dictionaries: what is written into the file to report and to read them."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

import pytest
from rewriting import ACCELERATE_IMPORTS, SCALING, TRANSFORMERS_IMPORTS, after, codes, migrate

from migrate_trainers import migrate_project
from migrate_trainers.findings import Kind
from migrate_trainers.writing import dictionary_templates as templates

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORTED = "session.report({'loss': 1}, checkpoint=Checkpoint.from_dict({'epoch': 1}))"


def program(body: str, behind: str = "", imports: str = "from ray.air import Checkpoint") -> str:
    loop = indent(dedent(body).strip(), "    ")
    return f"""{ACCELERATE_IMPORTS}{imports}

def loop(config):
{loop}

result = AccelerateTrainer(loop, accelerate_config={{}}, scaling_config={SCALING}).fit()
{behind}
"""


FORMS = {
    "in the call": (REPORTED, ["report_dictionary({'loss': 1}, {'epoch': 1})"]),
    "by position": (
        "session.report({'loss': 1}, Checkpoint.from_dict({'epoch': 1}))",
        ["report_dictionary({'loss': 1}, {'epoch': 1})"],
    ),
    "by keywords, the other way round": (
        "session.report(checkpoint=Checkpoint.from_dict(data={'epoch': 1}), metrics={'loss': 1})",
        ["report_dictionary(data={'epoch': 1}, metrics={'loss': 1})"],
    ),
    "a call": (
        "session.report({}, checkpoint=Checkpoint.from_dict(dict(epoch=effect(1))))",
        ["report_dictionary({}, dict(epoch=effect(1)))"],
    ),
    "in a variable": (
        """
        checkpoint = Checkpoint.from_dict({"epoch": 1})
        session.report({}, checkpoint=checkpoint)
        """,
        ['checkpoint = {"epoch": 1}', "report_dictionary({}, checkpoint)"],
    ),
    "sometimes": (
        """
        for epoch in range(9):
            checkpoint = None
            if epoch % 3 == 0:
                checkpoint = Checkpoint.from_dict({"epoch": epoch})
            session.report({"epoch": epoch}, checkpoint=checkpoint)
        """,
        ['checkpoint = {"epoch": epoch}', 'report_dictionary({"epoch": epoch}, checkpoint)'],
    ),
    "of the main process": (
        "session.report({}, checkpoint=Checkpoint.from_dict({'epoch': 1}) if effect(0) else None)",
        ["report_dictionary({}, {'epoch': 1} if effect(0) else None)"],
    ),
    "of the main process in a variable": (
        """
        checkpoint = None if effect(1) else Checkpoint.from_dict({"epoch": 1})
        session.report({}, checkpoint=checkpoint)
        """,
        ['checkpoint = None if effect(1) else {"epoch": 1}'],
    ),
    "beside a report without one": (
        f"session.report({{}})\n{REPORTED}",
        ["ray.train.report({})", "report_dictionary({'loss': 1}, {'epoch': 1})"],
    ),
    "of another variable": (
        "a = Checkpoint.from_dict({'epoch': 1})\nb = a\nsession.report({}, checkpoint=b)",
        ["a = {'epoch': 1}", "report_dictionary({}, b)"],
    ),
    "of a constructor": (
        "session.report({}, checkpoint=Checkpoint(data_dict={'epoch': 1}))",
        ["report_dictionary({}, {'epoch': 1})"],
    ),
    "made by a function": (
        """
        def make(epoch) -> Checkpoint:
            if epoch % 2:
                return None
            return Checkpoint.from_dict({"epoch": epoch})
        session.report({}, checkpoint=make(1))
        """,
        ["def make(epoch) -> dict:", 'return {"epoch": epoch}', "report_dictionary({}, make(1))"],
    ),
    "reported by a function": (
        """
        def log(metrics, checkpoint: Optional[Checkpoint] = None):
            if checkpoint is not None:
                effect("saved")
            session.report(metrics, checkpoint=checkpoint)
        log({"epoch": 1}, Checkpoint.from_dict({"epoch": 1}))
        log({"epoch": 2})
        """,
        [
            "def log(metrics, checkpoint: Optional[dict] = None):",
            "report_dictionary(metrics, checkpoint)",
            'log({"epoch": 1}, {"epoch": 1})',
        ],
    ),
    "not reported": (
        "effect(Checkpoint.from_dict({'epoch': 1}))",
        ["effect(dictionary_checkpoint({'epoch': 1}))"],
    ),
    "not reported beside a folder": (
        "effect(Checkpoint.from_dict({}))\nsession.report({}, checkpoint=Checkpoint.from_directory('out'))",
        ["effect(dictionary_checkpoint({}))", "report_first_worker({}, checkpoint=Checkpoint.from_directory('out'))"],
    ),
    "of another one": (
        "effect(Checkpoint.from_dict({**session.get_checkpoint().to_dict(), 'epoch': 2}))\n" + REPORTED,
        ["effect(dictionary_checkpoint({**load_dictionary(ray.train.get_checkpoint()), 'epoch': 2}))"],
    ),
    "of an expression": (
        "c = Checkpoint.from_dict({} if effect() else {1: 2}) if effect() else None\nsession.report({}, checkpoint=c)",
        ["c = ({} if effect() else {1: 2}) if effect() else None"],
    ),
    "with comments": (
        """
        c = Checkpoint.from_dict(  # the state
            data={"epoch": 1}  # kept
        )
        session.report({}, checkpoint=c)
        """,
        ["c = (  # the state", '{"epoch": 1}  # kept'],
    ),
    "from elsewhere": (
        "session.report({}, checkpoint=Checkpoint.from_directory('out'))\n"
        "effect(Checkpoint.from_uri('s3://b/c').to_dict())",
        ["effect(load_dictionary(Checkpoint('s3://b/c')))"],
    ),
    "read in a function": (
        f"""
        def load():
            checkpoint = session.get_checkpoint()
            return checkpoint and state_of(checkpoint)
        def state_of(checkpoint: Checkpoint):
            return checkpoint.to_dict()
        load()
        {REPORTED}
        """,
        ["return load_dictionary(checkpoint)"],
    ),
    "read again": (
        f"""
        checkpoint = session.get_checkpoint()
        epoch = checkpoint.to_dict()["epoch"] if checkpoint else 0
        {REPORTED}
        """,
        ['epoch = load_dictionary(checkpoint)["epoch"] if checkpoint else 0'],
    ),
}


@pytest.mark.parametrize(("body", "lines"), FORMS.values(), ids=FORMS.keys())
def test_dictionary_is_reported(body: str, lines: list[str]) -> None:
    output = after(migrate(program(body)))

    found = [line.strip() for line in output.splitlines()]
    assert [line for line in lines if line not in found] == []
    assert "from_dict" not in output
    assert "to_dict" not in output


def test_modules_that_are_imported_behind_the_run_are_imported_before_it() -> None:
    output = after(migrate(program(REPORTED, "import os, tempfile\nimport torch\nprint(os, tempfile, torch)")))

    before, _, behind = output.partition("def report_dictionary")
    for name in ("os", "tempfile", "torch"):
        assert f"import {name}\n" in before
    assert "import os, tempfile\nimport torch\n" in behind


def test_result_is_read() -> None:
    output = after(migrate(program(REPORTED, "print(result.checkpoint.to_dict()['epoch'])")))

    assert "print(load_dictionary(result.checkpoint)['epoch'])" in output


@pytest.mark.parametrize("name", ["make", "log"])
def test_function_that_another_file_calls_too_is_left(name: str) -> None:
    imports = """\
from ray.air import Checkpoint

def make():
    return Checkpoint.from_dict({})

def log(checkpoint):
    session.report({}, checkpoint=checkpoint)
"""
    script, other = Path("train.py"), Path("other.py")
    files = {script: program("log(make())", imports=imports).encode()}

    alone = migrate_project(files)[script]
    both = migrate_project(files, others={**files, other: f"from train import {name}\n{name}(1)\n".encode()})[script]

    assert alone.changed
    assert codes(both, Kind.MANUAL) == ["MT401"]


def test_comments_stay_with_the_dictionary() -> None:
    body = """
        session.report(
            {},  # nothing yet
            checkpoint=Checkpoint.from_dict(
                {"epoch": 1}  # the state
            ),  # kept
        )
        """

    output = after(migrate(program(body)))

    assert all(comment in output for comment in ("# nothing yet", "# the state", "# kept"))


LEFT = {
    "beside a folder": f"session.report({{}}, checkpoint=Checkpoint.from_directory('out'))\n{REPORTED}",
    "used elsewhere": "c = Checkpoint.from_dict({})\nsession.report({}, checkpoint=c)\neffect(c)",
    "of many arguments": "session.report({}, checkpoint=Checkpoint.from_dict(*[{}]))",
    "beside a folder in an expression": (
        "session.report({}, checkpoint=Checkpoint.from_dict({}) if effect(1) else Checkpoint.from_directory('out'))"
    ),
    "by another name": "report = session.report\nreport({}, checkpoint=Checkpoint.from_dict({}))",
    "in a list": "a = [Checkpoint.from_dict({})]\nsession.report({}, checkpoint=a[0])",
    "of an attribute": "effect.a = Checkpoint.from_dict({})\nsession.report({}, checkpoint=effect.a)",
    "of what isn't known": f"session.report({{}}, checkpoint=effect())\n{REPORTED}",
    "not reported beside what isn't known": "Checkpoint.from_dict({})\nsession.report({}, checkpoint=effect())",
    "asked whether it is one": "a = Checkpoint.from_dict({})\nif a:\n    session.report({}, checkpoint=a)",
    "of a guarded import": (
        "try:\n    from ray.train import Checkpoint as C\nexcept Exception:\n    from ray.air import Checkpoint as C\n"
        "session.report({}, checkpoint=C.from_dict({}))"
    ),
    "of what isn't seen": f"def f(checkpoint): return checkpoint.to_dict()\n{REPORTED}",
    "in bytes": f"Checkpoint.from_bytes(effect())\n{REPORTED}",
    "read from its file": f"effect('dict_checkpoint.pkl')\n{REPORTED}",
    "read from a folder": (
        "session.report({}, checkpoint=Checkpoint.from_directory('out'))\nsession.get_checkpoint().to_dict()"
    ),
    "with a preprocessor": "session.get_checkpoint().get_preprocessor()",
    "behind its attributes": f"effect(session.get_checkpoint()._local_path)\n{REPORTED}",
    "only read": "session.get_checkpoint().to_dict()",
}


@pytest.mark.parametrize("body", LEFT.values(), ids=LEFT.keys())
def test_others_are_left(body: str) -> None:
    result = migrate(program(body))

    assert not result.changed
    assert codes(result, Kind.MANUAL) == ["MT401"]


TORCH = "from ray.train.torch import TorchCheckpoint\nfrom ray.air import Checkpoint"
MODELS = {
    "a state": ("TorchCheckpoint.from_state_dict(effect())", '{"model": effect()}'),
    "a model": ("TorchCheckpoint.from_model(model=effect(), preprocessor=None)", '{"model": effect()}'),
    "a dictionary": ("TorchCheckpoint.from_dict({'model': effect()})", "{'model': effect()}"),
}


@pytest.mark.parametrize(("made", "dictionary"), MODELS.values(), ids=MODELS.keys())
def test_model_is_reported_and_read(made: str, dictionary: str) -> None:
    behind = """
        model = result.checkpoint.get_model(effect())
        best = TorchCheckpoint.from_checkpoint(result.best_checkpoints[0][0])
        print(best.get_model(model=model), best.to_dict()["model"])
        """
    output = after(migrate(program(f"session.report({{}}, checkpoint={made})", dedent(behind), TORCH)))

    assert f"report_dictionary({{}}, {dictionary})" in output
    assert "model = load_model(result.checkpoint, effect())" in output
    assert "best = result.best_checkpoints[0][0]\n" in output
    assert 'print(load_model(best, model=model), load_dictionary(best)["model"])' in output
    assert "TorchCheckpoint" not in output


def test_preprocessor_in_a_checkpoint_is_left() -> None:
    made = "TorchCheckpoint.from_model(effect(), preprocessor=effect)"

    assert codes(migrate(program(f"session.report({{}}, checkpoint={made})", "", TORCH)), Kind.MANUAL) == ["MT403"]


WRAPPED = {
    "a model's": ("{'state': model.state_dict()}", True),
    "a model": ("{'model': model}", True),
    "of a variable": ("state", True),
    "filled later": ("filled", True),
    "unwrapped": ("{'state': accelerator.unwrap_model(model).state_dict(), 'epoch': epoch}", False),
    "by accelerate": ("dict(state=accelerator.get_state_dict(model), loss=loss.item(), name='x', n=1 + epoch)", False),
    "in a variable": ("{'state': own.state_dict()}", False),
    "inside": ("{'state': model.module.state_dict()}", False),
}


@pytest.mark.parametrize(("data", "is_unwrapped"), WRAPPED.values(), ids=WRAPPED.keys())
def test_wrappers_are_taken_off_as_ray_did(data: str, is_unwrapped: bool) -> None:
    body = f"""
        accelerator = Accelerator()
        model = accelerator.prepare(effect())
        own = accelerator.unwrap_model(model)
        state = {{"state": model.state_dict()}}
        filled = {{}}
        filled["state"] = model.state_dict()
        for epoch in range(2):
            loss = effect(epoch)
            session.report({{}}, checkpoint=Checkpoint.from_dict({data}))
        """

    assert ("without_wrapper" in after(migrate(program(body)))) is is_unwrapped


def test_written_functions_save_and_load(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    names: dict[str, Any] = {"torch": torch, "tempfile": tempfile, "os": os, "Checkpoint": _Folder}
    modules = {name: name for name in ("torch", "tempfile", "os")}
    unwrap = templates.UNWRAP.format(indent="    ", name="bare")
    for text in (
        templates.WITHOUT_WRAPPER.format(name="bare", **modules),
        templates.DICTIONARY_CHECKPOINT.format(name="make", checkpoint_class="Checkpoint", unwrap=unwrap, **modules),
        templates.LOAD_DICTIONARY.format(name="load", **modules),
        templates.LOAD_TORCH_MODEL.format(name="load_model", load_dictionary="load", **modules),
    ):
        exec(text, names)
    net = torch.nn.Linear(2, 1)
    wrapped = torch.nn.DataParallel(net)

    state = names["load"](names["make"]({"model": wrapped.state_dict(), "epoch": 3, "history": {0: 0.5}}))
    whole = names["load_model"](names["make"]({"model": wrapped}))
    filled = names["load_model"](names["make"]({"model": wrapped.state_dict()}), torch.nn.Linear(2, 1))

    assert list(state["model"]) == ["weight", "bias"]
    assert (state["epoch"], state["history"]) == (3, {0: 0.5})
    assert isinstance(whole, torch.nn.Linear)
    assert torch.equal(filled.weight, net.weight)


class _Folder:
    """A checkpoint as far as the written functions use it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    from_directory = classmethod(lambda cls, folder: cls(folder))

    @contextmanager
    def as_directory(self) -> Iterator[str]:
        yield self.folder


def test_dictionaries_beside_another_trainer_are_left() -> None:
    imports = f"from ray.air import Checkpoint\n{TRANSFORMERS_IMPORTS}"

    assert codes(migrate(program(REPORTED, imports=imports)), Kind.MANUAL) == ["MT401"]
