"""Rewrites Ray Train's removed LightningTrainer, TransformersTrainer and AccelerateTrainer into TorchTrainer code.

The command line is `migrate-trainers`; from Python, `migrate_source` takes a file's bytes, and `migrate_project` the
bytes of many files.
"""

from importlib import import_module

# As in `typing`, which takes as long to import as the search of a few files.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from migrate_trainers.engine import migrate_source
    from migrate_trainers.findings import FileResult, Finding, Kind
    from migrate_trainers.project import migrate_project
    from migrate_trainers.settings import Settings

__all__ = ["FileResult", "Finding", "Kind", "Settings", "migrate_project", "migrate_source"]

_MODULES = {
    "FileResult": "findings",
    "Finding": "findings",
    "Kind": "findings",
    "Settings": "settings",
    "migrate_project": "project",
    "migrate_source": "engine",
}


def __getattr__(name: str) -> object:
    """Import what is asked for: the command line needs none of it for a file without a legacy name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
