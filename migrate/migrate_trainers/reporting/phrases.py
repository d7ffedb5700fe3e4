"""Sentences that more than one place prints."""

from __future__ import annotations


def nothing_found(files: int) -> str:
    """What a run says that found no legacy trainer."""
    return f"{counted(files, 'file')} looked at: no legacy trainer found."


def counted(number: int, noun: str) -> str:
    """A number with its noun in the singular or the plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
