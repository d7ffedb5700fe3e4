"""Write the README's table of findings from the catalogue."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from migrate_trainers.catalogue import CATALOGUE

if TYPE_CHECKING:
    from migrate_trainers.entry import Entry

README = Path(__file__).parents[1] / "README.md"
_HEADER = "| code | kind | finding | what to do |"
# The header, and the rows up to the first line that is none.
_TABLE = re.compile(rf"^{re.escape(_HEADER)}\n(?:\|.*\n)*", flags=re.MULTILINE)


def table() -> str:
    rows = (f"| {entry.code} | {entry.kind.value} | {_title(entry)} | {entry.help} |" for entry in CATALOGUE.values())
    return "".join(f"{line}\n" for line in (_HEADER, "|---|---|---|---|", *rows))


def _title(entry: Entry) -> str:
    return f"{entry.title} ({entry.versions})" if entry.versions else entry.title


def with_table(readme: str) -> str:
    """The README's text with the table as it is now."""
    return _TABLE.sub(lambda _: table(), readme, count=1)


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
