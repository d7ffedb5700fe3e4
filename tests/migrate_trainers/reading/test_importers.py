"""Which files may import another one: none that does is missed, and few others are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate_trainers.reading.importers import Importers
from migrate_trainers.reading.modules import Modules

ROOT = Path("/project")
CONFIG, PACKAGE = ROOT / "pkg" / "config.py", ROOT / "pkg" / "__init__.py"
IMPORTING = {
    "plain": "import pkg.config\n",
    "alias": "import os, pkg.config as c\n",
    "from": "from pkg import config\n",
    "name": "from pkg.config import *\n",
    "parentheses": "from pkg import (\n    other,  # (not config)\n    config,\n)\n",
    "comment in parentheses": "from pkg import (  # one)\n    config\n)\n",
    "backslash": "from pkg import other, \\\n    config\n",
    "semicolon": "x = 1; import pkg.config\n",
    "in a function": "def f():\n    if x: from pkg import config\n",
    "behind an open parenthesis": "print('from (')\nimport pkg.config\n",
    "carriage returns": "from pkg import (  # a\r    config,\r)\r",
    "Windows": "from pkg import other, \\\r\n    config\r\n",
}
OTHERS = {
    "a variable": "config = 1\nprint(config)\n",
    "another module": "import configuration\n",
    "an attribute": "import pkg\n\nprint(pkg.config)\n",
}


def importers(text: str, path: Path, more: int = 0) -> list[Path]:
    user = ROOT / "train.py"
    texts = {user: text.encode(), CONFIG: b"", PACKAGE: b"", ROOT / "pkg" / "other.py": b""}
    found = Importers(texts, texts.__getitem__, [path, *(ROOT / f"hit_{number}.py" for number in range(more))])
    return [user for user in found.of(path) if path in Modules(texts, texts.__getitem__).imported_by(user)]


@pytest.mark.parametrize("more", [0, 100], ids=["alone", "with many others"])
@pytest.mark.parametrize("text", IMPORTING.values(), ids=IMPORTING)
def test_what_imports_a_file_is_found(text: str, more: int) -> None:
    assert importers(text, CONFIG, more) == [ROOT / "train.py"]


@pytest.mark.parametrize("text", IMPORTING.values(), ids=IMPORTING)
def test_what_imports_a_package_is_found(text: str) -> None:
    assert importers(text, PACKAGE) == [ROOT / "train.py"]


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_what_only_names_it_is_not_looked_at(text: str) -> None:
    files = {ROOT / "train.py": text.encode(), CONFIG: b""}

    assert Importers(files, files.__getitem__, [CONFIG]).of(CONFIG) == []


@pytest.mark.parametrize("text", ["from . import x\n", "from .other import x\n", "from \\\n .. import x\n"])
def test_a_relative_import_reaches_the_package_around(text: str) -> None:
    files = {PACKAGE: b"", ROOT / "pkg" / "deep" / "train.py": text.encode(), ROOT / "other" / "a.py": text.encode()}

    assert Importers(files, files.__getitem__, [PACKAGE]).of(PACKAGE) == [ROOT / "pkg" / "deep" / "train.py"]


def test_a_file_that_nobody_asked_for_before_is_found_too() -> None:
    files = {ROOT / "train.py": b"import pkg.config\n", CONFIG: b""}

    assert Importers(files, files.__getitem__, []).of(CONFIG) == [ROOT / "train.py"]
