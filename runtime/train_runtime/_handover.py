"""A checkpoint on its way from the train function into the run's folder; in the worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from train_runtime._filesystems import delete_checkpoint
from train_runtime.checkpoint import Checkpoint
from train_runtime.report_config import CheckpointUploadMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from train_runtime._folder import RunFolder

    UploadFunction = Callable[[Checkpoint, str], Checkpoint]


@dataclass(frozen=True)
class Handover:
    """What one rank gave to `report`, and how it is to be stored."""

    checkpoint: Checkpoint
    mode: CheckpointUploadMode
    give_away: bool
    upload: UploadFunction | None

    def check(self, folder: RunFolder) -> None:
        """Refuse what cannot be stored before any rank has stored its part.

        Raises:
            FileNotFoundError: if the checkpoint's local directory does not exist.
            ValueError: if it lies outside the run's folder with NO_UPLOAD, or contains it and is to be deleted.
        """
        if self.checkpoint.is_local and not Path(self.checkpoint.path).is_dir():
            raise FileNotFoundError(f"The checkpoint's directory does not exist: {self.checkpoint.path}")
        if self.mode is CheckpointUploadMode.NO_UPLOAD:
            self._name_in(folder, self.checkpoint, "NO_UPLOAD needs a checkpoint that lies in the run's folder")
        if self.give_away and folder.is_inside(self.checkpoint):
            raise ValueError(
                f"The run's folder {folder.path} is inside of the checkpoint's directory {self.checkpoint.path}, which "
                "is to be deleted: write checkpoints to a temporary directory."
            )

    def persist(self, folder: RunFolder, name: str, rank: int) -> str | None:
        """Store the files; gives where they are if that is not the place that was prepared for `name`.

        Raises:
            OSError: if they cannot be stored.
            ValueError: if the upload function's checkpoint is none, or lies outside the run's folder.
        """
        if self.mode is CheckpointUploadMode.NO_UPLOAD:
            return folder.name_of(self.checkpoint)
        if self.upload is None:
            try:
                folder.persist(self.checkpoint, name, rank, give_away=self.give_away)
            except OSError as error:
                if error.errno is None:
                    raise
                raise OSError(
                    error.errno,
                    f"{error.strerror}: the checkpoint cannot be stored in {folder.path}. What was stored before is "
                    "kept. Make room there, or choose another RunConfig(storage_path=...)",
                    error.filename2 or error.filename,
                ) from error
            return None
        stored = self.upload(self.checkpoint, name)
        if not isinstance(stored, Checkpoint):
            raise ValueError(f"checkpoint_upload_fn must return a Checkpoint, not {type(stored)}.")
        stored_as = self._name_in(folder, stored, "checkpoint_upload_fn must store the checkpoint in the run's folder")
        if self.give_away and folder.name_of(self.checkpoint) != stored_as:
            delete_checkpoint(self.checkpoint)
        return stored_as

    @staticmethod
    def _name_in(folder: RunFolder, checkpoint: Checkpoint, complaint: str) -> str:
        name = folder.name_of(checkpoint)
        if name is None:
            raise ValueError(
                f"{complaint}, {folder.path} (`get_context().get_storage().experiment_fs_path`), "
                f"not in {checkpoint.path}."
            )
        return name
