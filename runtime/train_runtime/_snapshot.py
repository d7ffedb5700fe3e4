"""The list of a run's checkpoints as a file, in the format of Ray 2.60: either engine continues the other's runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from train_runtime._metrics import to_json
from train_runtime._retention import Retained, TrackedCheckpoint

NAME = "checkpoint_manager_snapshot.json"
_RAY_VERSION = "2.60.0"
_ENTRY_VERSION = 0
# Ray's manager keeps these for the validation of checkpoints, which needs Ray.
_VALIDATION: dict[str, list[Any]] = {
    "pending_training_results": [],
    "pending_validation_specs": [],
    "validated_checkpoint_dir_names": [],
    "timed_out_validation_checkpoint_dir_names": [],
    "failed_validation_checkpoint_dir_names": [],
}


@dataclass(frozen=True)
class Snapshot:
    """The retained checkpoints after so many reports.

    `boot` names the start of the system in whose memory the files may still be; None if they have all reached the disk.
    """

    retained: Retained
    reports: int
    boot: str | None = None
    doomed: frozenset[str] = frozenset()
    """The directories that are to be deleted once these checkpoints have reached the disk."""

    def to_text(self) -> str:
        """The file's content."""
        retained = self.retained
        return to_json(
            {
                "ray_version": _RAY_VERSION,
                "checkpoint_results": [_entry(tracked) for tracked in retained.ordered],
                "checkpoint_report_indices": [tracked.index for tracked in retained.ordered],
                "latest_checkpoint_result": _entry(retained.latest) if retained.latest else None,
                "current_report_index": self.reports,
                **_VALIDATION,
                "unsynced_since_boot": self.boot,
                "doomed_checkpoint_dir_names": sorted(self.doomed),
            }
        )

    @classmethod
    def from_text(cls, text: str) -> Snapshot:
        """Read the file's content.

        Raises:
            ValueError: if it is not in the format.
        """
        try:
            content = json.loads(text)
            entries, indices = content["checkpoint_results"], content["checkpoint_report_indices"]
            ordered = tuple(
                TrackedCheckpoint(entry["checkpoint_dir_name"], entry["metrics"], index)
                for entry, index in zip(entries, indices, strict=True)
            )
            latest = content["latest_checkpoint_result"]
            by_name = {tracked.name: tracked for tracked in ordered}
            return cls(
                Retained(ordered, by_name[latest["checkpoint_dir_name"]] if latest else None),
                content["current_report_index"],
                content.get("unsynced_since_boot"),
                frozenset(content.get("doomed_checkpoint_dir_names", ())),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"unexpected content: {error!r}") from error


def _entry(tracked: TrackedCheckpoint) -> dict[str, Any]:
    return {"version": _ENTRY_VERSION, "checkpoint_dir_name": tracked.name, "metrics": tracked.metrics}
