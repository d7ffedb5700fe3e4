"""`[tool.migrate-trainers]` of a project's `pyproject.toml`: the command line's options, written down."""

from __future__ import annotations

import os
import sys

from migrate_trainers.reading.prefilter import read

# As in `typing`, which takes as long to import as the search of a few files.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TABLE = "migrate-trainers"
_TYPES = {bool: "true or false", str: "a string", list: "a list of strings"}


class ConfigurationError(ValueError):
    """The file is no TOML, or its table holds what is no option."""


def find_configuration(
    paths: Iterable[str], options: Mapping[str, type]
) -> tuple[str, dict[str, bool | str | list[str]]] | None:
    """The nearest table at or above the folder that some paths have in common, behind its folder; None for no table.

    `options` are those that it may hold, with the types of their values. Raises `ConfigurationError`.
    """
    folders = [os.path.abspath(path if os.path.isdir(path) else os.path.dirname(path)) for path in paths]
    folder, below = os.path.commonpath(folders or [os.getcwd()]), ""
    while folder != below:
        file = os.path.join(folder, "pyproject.toml")
        try:
            data = read(file)
        except OSError:
            data = b""
        # The parser is imported only where there is something to parse.
        table = _table(file, data) if _TABLE.encode() in data else None
        if table is not None:
            return folder, {name: _checked(file, name, table[name], options) for name in table}
        folder, below = os.path.dirname(folder), folder
    return None


def _table(file: str, data: bytes) -> Mapping[str, object] | None:
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


def _checked(file: str, name: str, value: object, options: Mapping[str, type]) -> bool | str | list[str]:
    where = f"{file}: [tool.{_TABLE}]"
    if name not in options:
        import difflib

        near = difflib.get_close_matches(name.replace("_", "-"), options, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"it takes {', '.join(sorted(options))}"
        raise ConfigurationError(f"{where} has no key `{name}`: {hint}")
    expected = options[name]
    if isinstance(value, bool | str) and isinstance(value, expected):
        return value
    if isinstance(value, list) and expected is list and all(isinstance(item, str) for item in value):
        return value
    raise ConfigurationError(f"{where}: `{name}` is {_TYPES[expected]}")
