"""Pickles what travels between driver and workers; what cannot be pickled is named with the place where it is held."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_TRIES = 1000
_MOST_NAMED = 3


def dumps(value: object, sentence: str, advice: str = "", /, **parts: object) -> bytes:
    """The value, pickled.

    Args:
        value: what is pickled.
        sentence: what the error says first, such as "The metrics cannot be sent to the driver".
        advice: what it says last.
        parts: what the value is made of, by the names under which the user knows it.

    Raises:
        TypeError: if it cannot be pickled; it says which part, and where that is.
    """
    import cloudpickle

    try:
        pickled: bytes = cloudpickle.dumps(value)
    except Exception as error:
        raise TypeError(f"{sentence}: {culprits(error, **parts)} {advice}".rstrip()) from error
    return pickled


def culprits(error: BaseException, /, **parts: object) -> str:
    """Which of these parts, or what in them, cannot be pickled, as the error says that something cannot."""
    found = _Search().run(parts)
    if not found:
        return f"{error}."
    return (
        "; ".join(f"{place}, a {_type_name(value)}, cannot be pickled ({reason})" for place, value, reason in found)
        + "."
    )


class _Search:
    """Looks for the smallest parts that cannot be pickled, by trying."""

    def __init__(self) -> None:
        self._seen: dict[int, object] = {}  # keeps the objects, whose ids must not be used anew
        self._refused: set[int] = set()
        self._found: list[tuple[str, object, Exception]] = []

    def run(self, parts: dict[str, object]) -> list[tuple[str, object, Exception]]:
        for name, value in parts.items():
            self._look(name, "", value)
        return self._found

    def _look(self, place: str, holder: str, value: object) -> bool:
        """Whether the value cannot be pickled; notes why, unless one of its parts explains it."""
        if id(value) in self._seen or len(self._seen) >= _MOST_TRIES or len(self._found) >= _MOST_NAMED:
            return id(value) in self._refused
        self._seen[id(value)] = value
        error = _error_of(value)
        if error is None:
            return False
        self._refused.add(id(value))
        refused = [part for part in _parts(place, holder, value) if self._look(*part)]
        if not refused:
            self._found.append((f"`{place}`{holder}", value, error))
        return True


def _error_of(value: object) -> Exception | None:
    import cloudpickle

    try:
        cloudpickle.dumps(value)
    except Exception as error:
        return error
    return None


def _parts(place: str, holder: str, value: Any) -> Iterator[tuple[str, str, object]]:
    """What is pickled with the value: where it is, as code says it; who else holds it; and itself."""
    if isinstance(value, types.FunctionType):
        yield from _variables(value)
    elif isinstance(value, types.MethodType):
        yield f"{place}.__self__", holder, value.__self__
        yield place, holder, value.__func__
    elif isinstance(value, functools.partial):
        yield f"{place}.func", holder, value.func
        yield from _parts(f"{place}.args", holder, value.args)
        yield from _parts(f"{place}.keywords", holder, value.keywords)
    elif isinstance(value, dict):
        for key, item in list(value.items()):
            yield f"{place}[{_key(key)}]", holder, item
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield f"{place}[{index}]", holder, item
    elif isinstance(value, (set, frozenset)):
        for item in value:
            yield f"an element of {place}", holder, item
    elif isinstance(value, type):
        for name, item in list(vars(value).items()):
            if isinstance(item, (types.GetSetDescriptorType, types.MemberDescriptorType)):
                continue
            yield f"{value.__name__}.{name}", holder, getattr(item, "__func__", item)
    if not isinstance(value, (type, types.ModuleType, types.FunctionType)):
        for name, item in _attributes(value):
            yield f"{place}.{name}", holder, item
        yield type(value).__name__, holder, type(value)


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    yield from list(getattr(value, "__dict__", {}).items())
    if isinstance(value, BaseException):
        yield "args", value.args
    for cls in type(value).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if not name.startswith("__") and hasattr(value, name):
                yield name, getattr(value, name)


def _variables(function: types.FunctionType) -> Iterator[tuple[str, str, object]]:
    """What a function that is pickled by value takes along."""
    holder = f" (which `{function.__qualname__.rpartition('.<locals>.')[2]}` uses)"
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, holder, cell.cell_contents
        except ValueError:  # a variable that has no value yet
            continue
    for name in sorted(_global_names(function.__code__)):
        if name in function.__globals__:
            yield name, holder, function.__globals__[name]
    for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        yield "the default of a parameter", holder, default


def _global_names(code: types.CodeType) -> set[str]:
    """The names that the code, and the functions in it, may look up outside."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_global_names, inner))


def _key(key: object) -> str:
    return f'"{key}"' if isinstance(key, str) else repr(key)


def _type_name(value: object) -> str:
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
