"""Write the table of findings from the catalogue."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from migrate_trainers.catalogue import CATALOGUE

if TYPE_CHECKING:
    from migrate_trainers.entry import Entry

PAGE = Path(__file__).parents[1] / "docs" / "findings.md"
_HEADER = "| code | kind | finding | what to do |"
# The header, and the rows up to the first line that is none.
_TABLE = re.compile(rf"^{re.escape(_HEADER)}\n(?:\|.*\n)*", flags=re.MULTILINE)


def table() -> str:
    rows = (f"| {entry.code} | {entry.kind.value} | {_title(entry)} | {entry.help} |" for entry in CATALOGUE.values())
    return "".join(f"{line}\n" for line in (_HEADER, "|---|---|---|---|", *rows))


def _title(entry: Entry) -> str:
    return f"{entry.title} ({entry.versions})" if entry.versions else entry.title


def with_table(page: str) -> str:
    """The page's text with the table as it is now."""
    return _TABLE.sub(lambda _: table(), page, count=1)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
