"""Rewrites Ray Train's removed LightningTrainer, TransformersTrainer and AccelerateTrainer into TorchTrainer code.

The command line is `migrate-trainers`; from Python, `migrate_source` takes a file's bytes.
"""

from migrate_trainers.engine import migrate_source
from migrate_trainers.findings import FileResult, Finding, Kind
from migrate_trainers.settings import Settings

__all__ = ["FileResult", "Finding", "Kind", "Settings", "migrate_source"]
