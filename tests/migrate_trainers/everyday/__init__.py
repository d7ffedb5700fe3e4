"""Hypothesis strategies for programs like those that people write, of all trainers, with and without a Tuner.

A program is drawn as `Parts`: how it holds its settings (`settings.py`), what it trains (`lightning.py`,
`transformers.py`, `accelerate.py`; `tuning.py` around them) and how (`running.py`), and where that stands
(`places.py`). `files.py` makes one script of them, or several modules which import each other.
"""

from __future__ import annotations

from everyday.accelerate import accelerate_parts
from everyday.files import in_modules, script
from everyday.lightning import lightning_parts
from everyday.transformers import transformers_parts

__all__ = ["accelerate_parts", "in_modules", "lightning_parts", "script", "transformers_parts"]
