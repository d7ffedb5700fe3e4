"""`python -m bench [TOPIC]... [--rounds N]`: measure topics, all by default, and print a table for each.

A topic is a module in `bench/topics/` with a function `measure(rounds) -> Table`. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from bench.commands import adopt_orphans


def main() -> None:
    """Measure and print; a topic whose numbers are wrong raises."""
    topics = sorted(file.stem for file in Path(__file__).parent.glob("topics/[!_]*.py"))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"one of {', '.join(topics)}; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="how often each command is run; medians are shown")
    options = parser.parse_args()
    if unknown := set(options.topics).difference(topics):
        parser.error(f"there is no topic {', '.join(sorted(unknown))}; there are {', '.join(topics)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    adopt_orphans()
    for name in options.topics or topics:
        print(importlib.import_module(f"bench.topics.{name}").measure(options.rounds), flush=True)


if __name__ == "__main__":
    main()
