"""Classes that become subclasses of the Lightning package that the script uses, when they are instantiated.

Lightning is installed as `lightning.pytorch`, as `pytorch_lightning`, or as both, and each package refuses the
other's objects. Which one a script uses is known once it has imported it, and that may be after this package.
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
    """The Lightning package that is imported already; the first that is installed if none is, or both are."""
    imported = [name for name in _PACKAGES if name in sys.modules]
    if len(imported) == 1:
        return imported[0]
    for name in _PACKAGES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in (name, name.partition(".")[0]):
                raise
        else:
            return name
    raise ModuleNotFoundError("Neither `lightning` nor `pytorch_lightning` is installed: pip install lightning")


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
