"""Preprocessors of the user's own: current Ray's base class wants its `__init__` called, and itself from `_fit`."""

from __future__ import annotations

from pathlib import Path

import pytest
from rewriting import after, codes, findings, lightning, migrate

from migrate_trainers import Settings, migrate_project

IMPORT = "from ray.data.preprocessor import Preprocessor"
TRAINER = "datasets={'train': effect()}, datasets_iter_config={'batch_size': 4}"


def written(classes: str, **settings: object) -> str:
    """What becomes of classes above a trainer, without the rest of the program."""
    text = after(migrate(lightning(trainer=TRAINER, before=classes), **settings))
    return text[text.index("class ") : text.index("\n\n\ndef train_func")]


@pytest.mark.parametrize(
    "form",
    [
        f"{IMPORT}\nclass Cutter(Preprocessor):",
        f"{IMPORT} as Base\nclass Cutter(Base):",
        "from ray.data import Preprocessor\nclass Cutter(Preprocessor):",
        "import ray.data\nclass Cutter(ray.data.Preprocessor):",
        "import ray.data.preprocessor as p\nclass Cutter(p.Preprocessor):",
        f"{IMPORT}\nclass Own(Preprocessor):\n    kind = 1\n\n\nclass Cutter(Own):",
    ],
)
def test_init_calls_that_of_the_base(form: str) -> None:
    body = "\n    def __init__(self, limit):\n        {}self.limit = limit\n"

    assert body.format("super().__init__()\n        ") in written(form + body.format(""))


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ('def __init__(self):\n        """Docs."""', '"""Docs."""\n        super().__init__()'),
        (
            'def __init__(self):\n        """Docs."""\n\n        # why\n        self.a = 1',
            '"""Docs."""\n\n        super().__init__()\n        # why\n        self.a = 1',
        ),
        ("def __init__(self): self.a = 1", "def __init__(self): super().__init__(); self.a = 1"),
        ("def _fit(self, ds):\n        self.stats_ = {}", "self.stats_ = {}\n        return self"),
        ("def _fit(self, ds): self.stats_ = {}", "self.stats_ = {}; return self"),
        ("def _fit(me, ds):\n        if ds:\n            return\n        return me", "return me\n        return me"),
        (
            "def _fit(self, ds):\n        if ds:\n            self.stats_ = {}\n        # done",
            "self.stats_ = {}\n        return self\n        # done",
        ),
        (
            "def _fit(self, ds):\n        if ds:\n            self.a = 1\n        else:\n            return None",
            "else:\n            return self\n        return self",
        ),
    ],
)
def test_methods(before: str, expected: str) -> None:
    text = written(f"{IMPORT}\nclass Cutter(Preprocessor):\n    {before}\n")

    assert expected in text


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        # A base class's own `__init__` must not run where it didn't: `super()` would run it.
        (
            "class Cutter(Preprocessor):\n    def __init__(self, a):\n        super().__init__()\n\n"
            "class Short(Cutter):\n    def __init__(self):\n        self.a = 1\n",
            "def __init__(self):\n        Preprocessor.__init__(self)\n        self.a = 1",
        ),
        (
            "class Mixin:\n    def __init__(self):\n        self.a = 1\n\n"
            "class Cutter(Mixin, Preprocessor):\n    def __init__(self):\n        super().__init__()\n",
            "Preprocessor.__init__(self)\n        super().__init__()",
        ),
        (
            "from dataclasses import dataclass\n@dataclass\nclass Cutter(Preprocessor):\n    limit: int\n"
            "    def __post_init__(self):\n        self.a = 1\n",
            "super().__init__()\n        self.a = 1",
        ),
    ],
)
def test_inheritance(classes: str, expected: str) -> None:
    assert expected in written(f"{IMPORT}\n{classes}")


FINE = {
    "the call is there": "def __init__(self):\n        self.a = 1\n        super().__init__()",
    "in its long form": "def __init__(self):\n        super(Cutter, self).__init__()",
    "by the class's name": "def __init__(self):\n        Preprocessor.__init__(self)",
    "no __init__": "def _fit(self, ds):\n        return self",
    "never fitted": "_is_fittable = False\n    def __init__(self):\n        self.a = 1",
    "abstract": "def _fit(self, ds):\n        raise NotImplementedError",
    "both branches": "def _fit(self, ds):\n        if ds:\n            return self\n        else:\n            raise",
    "by a context": "def _fit(self, ds):\n        with ds:\n            return self",
    "takes all": "def _transform(self, ds, **kwargs):\n        return ds",
}


@pytest.mark.parametrize("body", FINE.values(), ids=FINE.keys())
def test_what_is_fine(body: str) -> None:
    before = f"{IMPORT}\nclass Cutter(Preprocessor):\n    {body}\n"
    result = migrate(lightning(trainer=TRAINER, before=before))

    assert body in after(result)
    assert not {"MT129", "MT130"} & set(codes(result))


def test_other_classes_stay() -> None:
    body = "class Cutter(Preprocessor):\n    def __init__(self):\n        self.a = 1\n"

    assert body in written(f"from project import Preprocessor\n{body}")


def test_earlier_releases_need_nothing() -> None:
    body = "class Cutter(Preprocessor):\n    def __init__(self):\n        self.a = 1\n"

    assert body in written(f"{IMPORT}\n{body}", target_version=(2, 9))


@pytest.mark.parametrize(
    "classes",
    [
        "from dataclasses import dataclass\n@dataclass(frozen=False)\nclass Cutter(Preprocessor):\n    limit: int\n",
        "class Cutter(Preprocessor):\n    def __init__(*args):\n        ...\n",
        "class Cutter(Preprocessor):\n    def _fit(self, ds):\n        self.stats_ = [1]\n        return self\n",
        "class Cutter(Preprocessor):\n    def _transform(self, ds):\n        return ds\n",
        "from ray.data.preprocessors import StandardScaler\n"
        "class Cutter(StandardScaler):\n    def __init__(self):\n        self.columns = ['a']\n",
        "class Mixin:\n    def __init__(self):\n        self.a = 1\n\nclass Cutter(Mixin, Preprocessor):\n    ...\n",
    ],
)
def test_what_a_person_has_to_do(classes: str) -> None:
    result = migrate(lightning(trainer=TRAINER, before=f"{IMPORT}\n{classes}"))

    assert "MT130" in codes(result), findings(result)
    assert classes.rpartition("class ")[2] in after(result)


def test_class_of_another_module() -> None:
    cutter = f"{IMPORT}\n\n\nclass Cutter(Preprocessor):\n    def __init__(self, limit):\n        self.limit = limit\n"
    train = lightning(trainer=TRAINER, before="from cutting import Cutter\npreprocessor = Cutter(3)\n")
    files = {Path("train.py"): train.encode(), Path("cutting.py"): cutter.encode()}
    results = migrate_project(files, Settings(), files)

    assert b"super().__init__()\n        self.limit" in results[Path("cutting.py")].after
    again = {path: result.after for path, result in results.items()}
    assert not any(result.changed for result in migrate_project(again, Settings(), again).values())
