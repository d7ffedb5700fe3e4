"""Running a program on the stand-ins: an import function that serves them, and the comparison of two runs."""

from __future__ import annotations

import builtins
from types import ModuleType
from typing import TYPE_CHECKING, Any

from worker_calls import current, data, frameworks, legacy
from worker_calls.recorder import Recorder, Recording

if TYPE_CHECKING:
    from worker_calls.frameworks import Modules

# Modules that are there once their parent is imported, as in the packages themselves.
_LOADED_WITH_PARENT = {
    "ray": ("data",),
    "ray.air": ("config", "session", "checkpoint"),
    "transformers": ("trainer_utils",),
    **dict.fromkeys(("pytorch_lightning", "lightning.pytorch"), ("callbacks", "loggers", "plugins")),
    **{f"{package}.plugins": ("environments",) for package in ("pytorch_lightning", "lightning.pytorch")},
    "lightning": ("pytorch",),
}


class _Importer:
    """`__import__` over the stand-ins; everything else is imported as always."""

    def __init__(self, modules: Modules) -> None:
        self.names = modules
        self.roots = {name.partition(".")[0] for name in modules}
        self.loaded: dict[str, ModuleType] = {}

    def load(self, name: str) -> ModuleType:
        if name not in self.loaded:
            if name not in self.names:
                raise ModuleNotFoundError(f"No module named {name!r}")
            module = ModuleType(name)
            module.__dict__.update(self.names[name])
            self.loaded[name] = module
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
        root = name.partition(".")[0]
        if root not in self.roots:
            return builtins.__import__(name, global_names, local_names, from_list or (), level)
        module = self.load(name)
        for wanted in from_list or ():
            if not hasattr(module, wanted) and f"{name}.{wanted}" in self.names:
                self.load(f"{name}.{wanted}")
        return module if from_list else self.load(root)


def recorded(source: str | bytes, *, version: tuple[int, int] | None = None) -> Recording:
    """What a program does: on legacy Ray of a version, or on current Ray without one."""
    recorder = Recorder()
    modules = {
        **frameworks.lightning(recorder),
        **frameworks.transformers(recorder),
        **frameworks.accelerate(recorder),
    }
    modules |= frameworks.project(recorder, modules)
    modules |= data.ray_data(recorder, version)
    if version is None:
        modules |= current.ray_train(recorder)
    else:
        modules |= legacy.ray(recorder, modules, version)
    names = {"__name__": "__main__", "__builtins__": {**vars(builtins), "__import__": _Importer(modules)}}
    exec(compile(source, "<program>", "exec"), names)
    return recorder.recording


def assert_same_calls(
    before: str | bytes, after: str | bytes, *, version: tuple[int, int] = (2, 6), any_schedule: bool = False
) -> Recording:
    """Check that the migrated program does what the legacy one did; returns the record of it.

    With `any_schedule`, a callback class that keeps the legacy reports may stand where Ray's would do.
    """
    old, new = recorded(before, version=version), recorded(after)
    assert old.fits, "the legacy program trains"
    text = after if isinstance(after, str) else after.decode()
    assert new.effects == old.effects, text
    if any_schedule:
        assert list(map(_without_schedule, new.fits)) == list(map(_without_schedule, old.fits)), text
    else:
        assert new.fits == old.fits, text
    return old


def _without_schedule(value: Any) -> Any:
    """A record in which every callback that reports looks the same."""
    if isinstance(value, dict):
        return {name: _without_schedule(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_schedule(item) for item in value]
    if isinstance(value, tuple) and value[:1] == ("reports when Lightning saves",):
        return "reports each epoch"
    return tuple(map(_without_schedule, value)) if isinstance(value, tuple) else value
