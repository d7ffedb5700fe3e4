"""Rewrites Ray Train's removed LightningTrainer, TransformersTrainer and AccelerateTrainer into TorchTrainer code.

The command line is `migrate-trainers`; from Python, `migrate_source` takes a file's bytes, and `migrate_project` the
bytes of many files.
"""

from migrate_trainers.engine import migrate_source
from migrate_trainers.findings import FileResult, Finding, Kind
from migrate_trainers.project import migrate_project
from migrate_trainers.settings import Settings

__all__ = ["FileResult", "Finding", "Kind", "Settings", "migrate_project", "migrate_source"]
