"""Where the command starts: a run that finds nothing, as most runs of a hook do, ends here with next to nothing loaded.

What this module imports is part of its cost: neither click nor `typing`, which take longer than the search.
"""

from __future__ import annotations

import os
import sys

from migrate_trainers.configuration import ConfigurationError, find_configuration
from migrate_trainers.reading.prefilter import hold_no_legacy_name
from migrate_trainers.reporting.phrases import nothing_found

# Flags that change nothing where there is nothing to do; `--force-exclude` says which of the user's patterns hold.
_HARMLESS = frozenset({"--check", "--force-exclude"})
# What click asks the command for completions by.
_COMPLETION = "_MIGRATE_TRAINERS_COMPLETE"


def main() -> None:
    """The command: it says that there is nothing to do, or starts the command line."""
    paths = [argument for argument in sys.argv[1:] if argument not in _HARMLESS]
    if finds_nothing(paths):
        print(nothing_found(len(set(paths))))
        return
    from migrate_trainers.cli import main as command_line

    command_line()


def finds_nothing(arguments: list[str]) -> bool:
    """Whether arguments are files without a legacy name, and nothing configures the run."""
    if _COMPLETION in os.environ or any(argument.startswith("-") for argument in arguments):
        return False
    try:
        return hold_no_legacy_name(arguments) and find_configuration(arguments, {}) is None
    except ConfigurationError:
        return False
