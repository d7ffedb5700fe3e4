"""`[tool.migrate-trainers]` of a project's `pyproject.toml`: the command line's options, written down."""

from __future__ import annotations

import difflib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TABLE = "migrate-trainers"
_TYPES = {bool: "true or false", str: "a string", list: "a list of strings"}


class ConfigurationError(ValueError):
    """The file is no TOML, or its table holds what is no option."""


@dataclass(frozen=True)
class Configuration:
    """The options that a project has written down, by name, and the folder that their patterns hold for."""

    folder: Path
    options: Mapping[str, bool | str | list[str]]


def find_configuration(paths: Iterable[Path], options: Mapping[str, type]) -> Configuration | None:
    """The nearest table at or above the folder that some paths have in common; None where there is none.

    `options` are those that it may hold, with the types of their values. Raises `ConfigurationError`.
    """
    folders = [os.path.abspath(path if path.is_dir() else path.parent) for path in paths]
    common = Path(os.path.commonpath(folders)) if folders else Path.cwd()
    for folder in (common, *common.parents):
        file = folder / "pyproject.toml"
        try:
            data = file.read_bytes()
        except OSError:
            continue
        # The parser is imported only where there is something to parse.
        table = _table(file, data) if _TABLE.encode() in data else None
        if table is not None:
            return Configuration(folder, {name: _checked(file, name, table[name], options) for name in table})
    return None


def _table(file: Path, data: bytes) -> Mapping[str, object] | None:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table = tomllib.loads(data.decode("utf-8")).get("tool", {}).get(_TABLE)
    except (ValueError, AttributeError) as error:
        raise ConfigurationError(f"{file} can't be read: {error}") from error
    if table is not None and not isinstance(table, dict):
        raise ConfigurationError(f"{file}: [tool.{_TABLE}] is not a table")
    return table


def _checked(file: Path, name: str, value: object, options: Mapping[str, type]) -> bool | str | list[str]:
    where = f"{file}: [tool.{_TABLE}]"
    if name not in options:
        near = difflib.get_close_matches(name.replace("_", "-"), options, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"it takes {', '.join(sorted(options))}"
        raise ConfigurationError(f"{where} has no key `{name}`: {hint}")
    expected = options[name]
    if isinstance(value, bool | str) and isinstance(value, expected):
        return value
    if isinstance(value, list) and expected is list and all(isinstance(item, str) for item in value):
        return value
    raise ConfigurationError(f"{where}: `{name}` is {_TYPES[expected]}")
