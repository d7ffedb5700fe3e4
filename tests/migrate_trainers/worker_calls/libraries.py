"""Stand-ins for libraries whose calls are no part of the record (torch, datasets…): every name is there.

Their objects remember how they were made, so that models and data compare across two runs.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from worker_calls.loaders import FORMATTING, IterableDataset
from worker_calls.recorder import Made

if TYPE_CHECKING:
    from collections.abc import Iterator

_ITEMS = 2


class Anything(Made):
    """An object that takes part in any expression: the result remembers the operation."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._then(name)

    def keys(self) -> tuple[str, ...]:
        return ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._then(*args, **kwargs)

    def _then(self, *args: Any, **kwargs: Any) -> Anything:
        # An object of the user's class may keep the result, and must not hold itself.
        is_plain = type(self) is Anything or "of_library" in vars(type(self))
        return Anything(self if is_plain else type(self).__name__, *args, **kwargs)

    def __iter__(self) -> Iterator[Any]:
        return iter([self._then(number) for number in range(_ITEMS)])

    def __len__(self) -> int:
        return _ITEMS

    def __getitem__(self, key: Any) -> Any:
        return self._then(key)

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None: ...

    def __float__(self) -> float:
        return 0.5

    def __int__(self) -> int:
        return 1

    __index__ = __int__

    def __ne__(self, other: object) -> bool:
        # The programs check what they got, and raise: nothing here is wrong.
        return False

    def __lt__(self, other: object) -> Anything:
        return Comparison(type(self).__name__)

    __gt__ = __le__ = __ge__ = __lt__

    def __format__(self, spec: str) -> str:
        return format(0.5, spec) if spec else repr(self)


class Comparison(Anything):
    """What an order of two objects gives: a mask, and no for an answer."""

    def __bool__(self) -> bool:
        return False


class DataLoader(Anything):
    """Gives a tuple for each batch, as long as the tensors of its dataset are many."""

    def __iter__(self) -> Iterator[Any]:
        (dataset, *_), _ = self.made_with
        for number in range(_ITEMS):
            batch = Anything("batch", number)
            tensors = type(dataset).__name__ == "TensorDataset"
            yield tuple(batch[column] for column, _ in enumerate(dataset.made_with[0])) if tensors else batch


def _operation(name: str) -> Any:
    return lambda self, *others: self._then(name, *others)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or"):
    setattr(Anything, f"__{_name}__", _operation(_name))
    setattr(Anything, f"__r{_name}__", _operation(_name))
for _name in ("neg", "abs", "invert", "round"):
    setattr(Anything, f"__{_name}__", _operation(_name))


class _LibraryClass(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything(cls.__name__, name)


class Library(ModuleType):
    """A module in which every capitalised name is a class, and every other one a function or an object."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = (
            _LibraryClass(name, (Anything,), {"of_library": True})
            if name[0].isupper()
            else Anything(f"{self.__name__}.{name}")
        )
        setattr(self, name, value)
        return value


DATA = {
    "torch.utils": {},
    "torch.utils.data": {"DataLoader": DataLoader, "IterableDataset": IterableDataset},
    **FORMATTING,
}
