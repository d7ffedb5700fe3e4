"""Where a report goes: standard output or a file, and what the terminal shows beside it."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from migrate_trainers.reporting import as_text, render
from migrate_trainers.reporting.as_text import Verbosity
from migrate_trainers.reporting.report import Mode

if TYPE_CHECKING:
    from pathlib import Path

    from migrate_trainers.reporting.report import Report

_DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True)
class Output:
    """What the user wants to get: a format, a file for it (else standard output), and how much is printed."""

    format: str = "text"
    file: Path | None = None
    verbosity: Verbosity = Verbosity.NORMAL


def deliver(report: Report, output: Output) -> None:
    """Write the report where it belongs. With a file, the terminal still shows the findings and the summary.

    A filter writes the rewritten code to standard output, and what it says to standard error, as `--diff` does.
    Raises `OSError` if the file can't be written.
    """
    if output.file is not None:
        write_whole(output.file, render(output.format, report))
    elif output.format != "text":
        write_bytes(render(output.format, report))
        return
    writes_code = report.mode is Mode.FILTER
    writes_patch = report.mode is Mode.DIFF and output.file is None
    if writes_code:
        write_bytes(b"".join(result.after for result in report.results.values()))
    elif writes_patch:
        _print_patch(render("text", report))
    for line in as_text.lines(report, output.verbosity):
        click.echo(line, err=writes_code or writes_patch)


def write_bytes(data: bytes) -> None:
    """Write bytes to standard output as they are, behind what was printed."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write_whole(path: Path, data: bytes) -> None:
    """Put a file's new content in place at once; what is no regular file (a pipe, a device) is written to."""
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    # Imported late: most runs write no file.
    import tempfile

    target = path.resolve()
    mode = target.stat().st_mode if target.exists() else 0o666 & ~_umask()
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(name, mode)
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _print_patch(data: bytes) -> None:
    if not sys.stdout.isatty():
        write_bytes(data)
        return
    for line in data.decode("utf-8", "replace").split("\n")[:-1]:
        click.secho(line, fg=_DIFF_COLOURS.get(line[:1]))
