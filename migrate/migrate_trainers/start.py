"""Where the command starts: a run that finds nothing, as most runs of a hook do, ends here with next to nothing loaded.

What this module imports is part of its cost: neither click nor `typing`, which take longer than the search.
"""

from __future__ import annotations

import os
import sys

from migrate_trainers.configuration import ConfigurationError, find_configuration
from migrate_trainers.reading.prefilter import files_with_legacy_name
from migrate_trainers.reporting.phrases import nothing_found

# Flags that change nothing where there is nothing to do; `--force-exclude` says which of the user's patterns hold.
_HARMLESS = frozenset({"--check", "--force-exclude"})
# What click asks the command for completions by.
_COMPLETION = "_MIGRATE_TRAINERS_COMPLETE"


def main() -> None:
    """The command: it says that there is nothing to do, or starts the command line."""
    paths = [argument for argument in sys.argv[1:] if argument not in _HARMLESS]
    hits = files_with_legacy_name(paths) if _are_files_only(paths) else None
    if hits is not None and not hits and not _is_configured(paths):
        print(nothing_found(len(set(paths))))
        return
    from migrate_trainers.cli import main as command_line

    command_line(obj=hits)


def _are_files_only(arguments: list[str]) -> bool:
    return _COMPLETION not in os.environ and not any(argument.startswith("-") for argument in arguments)


def _is_configured(paths: list[str]) -> bool:
    """Whether something configures a run, or is wrong with what should."""
    try:
        return find_configuration(paths, {}) is not None
    except ConfigurationError:
        return True
