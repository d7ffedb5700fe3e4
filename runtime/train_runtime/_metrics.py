"""Reported metrics as text and as flat names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def flatten(metrics: Mapping[Any, Any]) -> dict[str, Any]:
    """Nested dictionaries as one: `{"eval": {"loss": 1}}` becomes `{"eval/loss": 1}`, as Ray names them."""
    flat: dict[str, Any] = {}
    for key, value in metrics.items():
        if isinstance(value, dict):
            flat.update({f"{key}/{inner}": deep for inner, deep in flatten(value).items()})
        else:
            flat[str(key)] = value
    return flat


def to_json(value: object) -> str:
    """JSON for whatever a report may hold: what JSON has no form for becomes a list or its text."""
    try:
        return json.dumps(value, default=_plain)
    except TypeError:
        return json.dumps(_with_text_keys(value), default=_plain)


def _plain(value: Any) -> Any:
    """JSON for values besides JSON's own types: numpy's numbers and arrays, else the value's text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _with_text_keys(value: Any) -> Any:
    """The value with keys that JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _with_text_keys(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_text_keys(inner) for inner in value]
    return value
