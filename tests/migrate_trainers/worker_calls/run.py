"""Running a program on the stand-ins: an import function that serves them, and the comparison of two runs."""

from __future__ import annotations

import builtins
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any
from unittest import mock

from worker_calls import accelerate, current, data, frameworks, legacy, tuning
from worker_calls.libraries import DATA, Library
from worker_calls.recorder import Recorder, Recording

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker_calls.frameworks import Modules

# Modules that are there once their parent is imported, as in the packages themselves.
_LOADED_WITH_PARENT = {
    "ray": ("data",),
    "torch": ("utils",),
    "torch.utils": ("data",),
    "ray.tune": ("schedulers",),
    "ray.air": ("config", "session", "checkpoint"),
    "transformers": ("trainer_utils",),
    **dict.fromkeys(("pytorch_lightning", "lightning.pytorch"), ("callbacks", "loggers", "plugins")),
    **{f"{package}.plugins": ("environments",) for package in ("pytorch_lightning", "lightning.pytorch")},
    "lightning": ("pytorch",),
}


class _Importer:
    """`__import__` over the stand-ins, and the program's own modules; everything else is imported as always."""

    def __init__(self, modules: Modules, files: Mapping[str, str]) -> None:
        self.packages = {name.rpartition(".")[0] for name in files} - {""}
        self.names: Modules = {**modules, **{name: {} for name in self.packages | set(files)}}
        self.files = files
        self.loaded: dict[str, ModuleType] = {}

    def builtins(self) -> dict[str, Any]:
        return {**vars(builtins), "__import__": self}

    def load(self, name: str) -> ModuleType:
        if name not in self.loaded:
            if name not in self.names and name.partition(".")[0] == "ray":
                raise ModuleNotFoundError(f"No module named {name!r}")
            is_plain = name.partition(".")[0] == "ray" or name in self.packages | set(self.files)
            module = (ModuleType if is_plain else Library)(name)
            module.__dict__.update(self.names.get(name, {}))
            self.loaded[name] = module
            if name in self.files:
                package = name if name in self.packages else name.rpartition(".")[0]
                module.__dict__.update({"__builtins__": self.builtins(), "__package__": package})
                exec(compile(self.files[name], name, "exec", dont_inherit=True), module.__dict__)
            parent, _, own = name.rpartition(".")
            if parent:
                setattr(self.load(parent), own, module)
            for child in _LOADED_WITH_PARENT.get(name, ()):
                if f"{name}.{child}" in self.names:
                    self.load(f"{name}.{child}")
        return self.loaded[name]

    def __call__(
        self,
        name: str,
        global_names: Any = None,
        local_names: Any = None,
        from_list: tuple[str, ...] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level:
            parts = global_names["__package__"].split(".")
            name = ".".join([*parts[: len(parts) - level + 1], *([name] if name else [])])
        root = name.partition(".")[0]
        if root in sys.stdlib_module_names:
            return builtins.__import__(name, global_names, local_names, from_list or (), level)
        module = self.load(name)
        for wanted in from_list or ():
            if not hasattr(module, wanted) and f"{name}.{wanted}" in self.names:
                self.load(f"{name}.{wanted}")
        return module if from_list else self.load(root)


def recorded(
    source: str | bytes,
    *,
    version: tuple[int, int] | None = None,
    checks_results: bool = False,
    files: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    script: str = "<program>",
) -> Recording:
    """What a program does: on legacy Ray of a version, or on current Ray without one.

    `checks_results` says that its assertions are about what was trained, which nothing is here; `files` are the modules
    of its own that it imports, by name, `arguments` those of its command line, `script` is the path of its file.
    """
    recorder = Recorder()
    modules = {
        **frameworks.lightning(recorder),
        **frameworks.transformers(recorder),
        **accelerate.accelerate(recorder, legacy=version is not None),
        **DATA,
    }
    modules |= frameworks.project(recorder, modules)
    modules |= data.ray_data(recorder, version)
    if version is None:
        modules |= current.ray_train(recorder)
    else:
        modules |= legacy.ray(recorder, modules, version)
    for name, members in tuning.ray_tune(recorder, version).items():
        modules[name] = {**modules.get(name, {}), **members}
    names = {"__name__": "__main__", "__file__": script, "__builtins__": _Importer(modules, files or {}).builtins()}
    with mock.patch.object(sys, "argv", ["<program>", *arguments]):
        exec(compile(source, "<program>", "exec", dont_inherit=True, optimize=1 if checks_results else -1), names)
    return recorder.recording


def assert_same_calls(
    before: str | bytes,
    after: str | bytes,
    *,
    version: tuple[int, int] = (2, 6),
    but: str | None = None,
    checks_results: bool = False,
    files: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
    arguments: Sequence[str] = (),
    script: str = "<program>",
) -> Recording:
    """Check that the migrated program does what the legacy one did; returns the record of it.

    `but` names a call that may differ, as a finding says; `files` are the program's own modules before and after.
    """
    old = recorded(
        before, version=version, checks_results=checks_results, files=files[0], arguments=arguments, script=script
    )
    new = recorded(after, checks_results=checks_results, files=files[1], arguments=arguments, script=script)
    assert old.fits, "the legacy program trains"
    text = after if isinstance(after, str) else after.decode()
    assert new.effects == old.effects, text
    assert [_without(but, fit) for fit in new.fits] == [_without(but, fit) for fit in old.fits], text
    return old


def _without(name: str | None, fit: dict[str, Any]) -> dict[str, Any]:
    """The record of a fit without the calls of a name."""
    return {**fit, "workers": [[call for call in calls if call[0] != name] for calls in fit["workers"]]}
