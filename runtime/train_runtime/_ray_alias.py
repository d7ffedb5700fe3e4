"""Serves imports of `ray.train` and `ray.data` in the processes of `python -m train_runtime` and in no other."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING

from train_runtime._removed import advice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_SERVED = {
    "ray.data": "train_runtime.data",
    "ray.data.collate_fn": "train_runtime.data.collate_fn",
    "ray.data.dataset": "train_runtime.data.dataset",
    "ray.data.iterator": "train_runtime.data.iterator",
    "ray.data.preprocessor": "train_runtime.data.preprocessor",
    "ray.data.preprocessors": "train_runtime.data.preprocessors",
    "ray.train": "train_runtime",
    "ray.train.base_trainer": "train_runtime.base_trainer",
    "ray.train.collective": "train_runtime.collective",
    "ray.train.context": "train_runtime.context",
    "ray.train.huggingface": "train_runtime.huggingface",
    "ray.train.huggingface.transformers": "train_runtime.huggingface.transformers",
    "ray.train.lightning": "train_runtime.lightning",
    "ray.train.torch": "train_runtime.torch",
}


def install() -> None:
    """Serve `ray` and `ray.train` in this process from now on; a real Ray that is installed stays unseen."""
    if not is_installed():
        sys.meta_path.insert(0, _RayFinder())


def is_installed() -> bool:
    """Whether this process serves `ray.train`."""
    return any(isinstance(finder, _RayFinder) for finder in sys.meta_path)


def explain(error: BaseException) -> None:
    """Add advice to the message of an import error about a module or name of Ray that is not served."""
    has_advice = any(command in str(error) for command in ("migrate-trainers", "pip install"))
    if not isinstance(error, ImportError) or not is_installed() or has_advice:
        return
    if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("ray."):
        name = str(error.name)
    elif error.name in ("ray", *_SERVED.values()):
        missing = str(error).partition("import name '")[2].partition("'")[0]
        served = {module: alias for alias, module in _SERVED.items()}
        name = f"{served.get(error.name, error.name)}.{missing}"
    else:
        return
    calls = [frame.filename for frame in reversed(traceback.extract_tb(error.__traceback__))]
    error.msg = f"{error.msg} ({advice(name, calls)})"
    error.args = (error.msg,)


class _RayFinder(MetaPathFinder):
    """Answers for `ray` and what is served of `ray.train`.

    Other modules of Ray are left to the other finders, which find none: libraries probe for `ray.tune` and expect
    None. Only below `ray.train` and `ray.data` it refuses, as this package's own files would be found there under a
    second name.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "ray":
            file = Path(__file__).with_name("_ray.py")
            return importlib.util.spec_from_file_location("ray", file, submodule_search_locations=[])
        if fullname in _SERVED:
            return ModuleSpec(fullname, _AliasLoader(_SERVED[fullname]))
        if fullname.startswith(("ray.train.", "ray.data.")):
            raise ModuleNotFoundError(f"No module named {fullname!r}: {advice(fullname)}", name=fullname)
        return None


class _AliasLoader(Loader):
    """Puts a module of this package under a second name, so that each class exists once."""

    def __init__(self, target: str) -> None:
        self._target = target

    def create_module(self, spec: ModuleSpec) -> None:
        """The default module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        from train_runtime import _template

        _template.start_early(is_needed=True)
        sys.modules[module.__name__] = importlib.import_module(self._target)
