"""Classes that become subclasses of the Lightning package that the script uses, when they are instantiated.

Lightning is installed as `lightning.pytorch`, as `pytorch_lightning`, or as both, and each package refuses the
other's objects. Which one a script uses is known once it has imported it, and that may be after this package; where
other modules have imported the other one too, the code that makes the object says which it means.
"""

from __future__ import annotations

import functools
import importlib
import sys
import types
from typing import Any, ClassVar, TypeVar

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")

T = TypeVar("T", bound="FollowsScript")


def script_package() -> str:
    """The Lightning package that is imported already; of two, the one that the nearest caller has names of.

    If no caller has, or none is imported, it is the first that is installed.
    """
    imported = [name for name in _PACKAGES if name in sys.modules]
    if len(imported) == 1:
        return imported[0]
    if imported and (named := _named_by_caller()):
        return named
    for name in _PACKAGES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in (name, name.partition(".")[0]):
                raise
        else:
            return name
    raise ModuleNotFoundError("Neither `lightning` nor `pytorch_lightning` is installed: pip install lightning")


def _named_by_caller() -> str | None:
    """The one package whose modules, classes or functions the nearest caller has that has any of only one."""
    frame = sys._getframe(1)
    while frame := frame.f_back:  # type: ignore[assignment]  # None ends the loop
        module = frame.f_globals.get("__name__", "")
        if _package_of(module) is None and not module.startswith("train_runtime."):
            values = [*frame.f_locals.values(), *frame.f_globals.values()]
            named = {package for value in values if (package := _package_of(_defined_in(value)))}
            if len(named) == 1:
                return named.pop()
    return None


def _defined_in(value: object) -> str:
    """The module that a module, class, function or object is of."""
    if isinstance(value, types.ModuleType):
        return value.__name__
    if not isinstance(value, (type, types.FunctionType)):
        value = type(value)
    classes = value.__mro__ if isinstance(value, type) else [value]
    return next((name for cls in classes if _package_of(name := str(cls.__module__))), "")


def _package_of(module: str) -> str | None:
    """`import lightning as L` means `lightning.pytorch` too."""
    top = module.partition(".")[0]
    return {"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}.get(top)


class FollowsScript:
    """Base of the classes here: `X()` makes an instance of X and of Lightning's class `lightning_base`.

    The base is "module:class" within the Lightning package. Subclassing X works as usual, and so do `isinstance`
    against X and pickling.
    """

    lightning_base: ClassVar[str]

    def __new__(cls: type[T], *args: Any, **kwargs: Any) -> T:
        instance: T = _allocate(cls, script_package())
        return instance

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        declared, package = _origin(type(self))
        state = self.__getstate__() if hasattr(self, "__getstate__") else self.__dict__
        return _allocate, (declared, package), state


def _allocate(declared: Any, package: str) -> Any:
    """A new, not yet initialised instance; typed loosely, as its class is made here."""
    concrete = declared if "_origin" in vars(declared) else _with_base(declared, package)
    return object.__new__(concrete)


@functools.cache
def _with_base(declared: Any, package: str) -> Any:
    """`declared` with Lightning's class behind it in the order of method resolution."""
    module, _, name = declared.lightning_base.partition(":")
    base = getattr(importlib.import_module(f"{package}.{module}"), name)
    namespace = {"__module__": declared.__module__, "__doc__": declared.__doc__, "_origin": (declared, package)}
    return types.new_class(declared.__name__, (declared, base), {}, lambda body: body.update(namespace))


def _origin(concrete: type) -> tuple[type, str]:
    origin: tuple[type, str] = vars(concrete)["_origin"]
    return origin
