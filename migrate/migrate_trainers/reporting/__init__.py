"""What a run tells: one module a format, each with `render(report) -> bytes`."""

from __future__ import annotations

from importlib import import_module

# As in `typing`, which takes as long to import as the search of a few files.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from migrate_trainers.reporting.report import Report

FORMATS = ("text", "json", "github", "sarif", "markdown", "html")


def render(output_format: str, report: Report) -> bytes:
    """A whole run in one of the `FORMATS`."""
    # Imported late: a run pays for the format that it is asked for.
    module = import_module(f"migrate_trainers.reporting.as_{output_format}")
    rendered: Callable[[Report], bytes] = module.render
    return rendered(report)
