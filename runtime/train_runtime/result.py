"""`Result`: what `fit()` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from train_runtime._folder import open_folder
from train_runtime._metrics import flatten
from train_runtime._storage import RunStorage

if TYPE_CHECKING:
    import os

    import pandas

    from train_runtime.checkpoint import Checkpoint


@dataclass
class Result:
    """The outcome of a run (`ray.train.Result`).

    Attributes:
        metrics: the last report's metrics, with or without a checkpoint (Ray 2.7; Ray 2.60 forgets reports that carry
            no checkpoint). Only what was reported: no keys are added. None if nothing was reported.
        checkpoint: the latest checkpoint, or None.
        error: None; a failing run raises instead.
        path: the run's directory; None in local mode, which stores nothing.
        best_checkpoints: the retained checkpoints with their metrics, from worst to best; at most `num_to_keep`.
        return_value: what the train function returned on rank 0.
    """

    metrics: dict[str, Any] | None
    checkpoint: Checkpoint | None
    error: Exception | None
    path: str | None
    best_checkpoints: list[tuple[Checkpoint, dict[str, Any]]] = field(default_factory=list)
    return_value: Any = None
    _reports: list[dict[str, Any]] = field(default_factory=list, repr=False)
    _filesystem: Any = field(default=None, repr=False)

    @cached_property
    def metrics_dataframe(self) -> pandas.DataFrame | None:
        """All reports of the run, one row each, columns as reported; None if nothing was reported."""
        if not self._reports:
            return None
        import pandas

        frame: pandas.DataFrame = pandas.DataFrame(self._reports)
        return frame

    @property
    def filesystem(self) -> Any:
        """The filesystem that `path` is on: the one given to `RunConfig`, else fsspec's."""
        if self._filesystem is not None:
            return self._filesystem
        import fsspec

        return fsspec.filesystem("file")

    @property
    def config(self) -> dict[str, Any]:
        """Gone since Ray's Train V2.

        Raises:
            DeprecationWarning: always, as Ray 2.60 does.
        """
        raise DeprecationWarning("`Result.config` belonged to Ray Tune. Keep the `train_loop_config` that you passed.")

    def get_best_checkpoint(self, metric: str, mode: str) -> Checkpoint | None:
        """The retained checkpoint whose metric, which may be nested (`a/b`), is highest ("max") or lowest ("min").

        Raises:
            ValueError: for another mode.
            RuntimeError: if there is no checkpoint, or none was reported with that metric.
        """
        if not self.best_checkpoints:
            raise RuntimeError("No checkpoint exists in the run's directory.")
        if mode not in ("max", "min"):
            raise ValueError(f'Unsupported mode {mode!r}: use "max" or "min".')
        scored = [(flatten(metrics).get(metric), checkpoint) for checkpoint, metrics in self.best_checkpoints]
        numbers = [(value, checkpoint) for value, checkpoint in scored if value is not None and value == value]
        if not numbers:
            raise RuntimeError(
                f"No checkpoint was reported with the metric {metric!r}. There are: "
                f"{', '.join(flatten(self.best_checkpoints[-1][1])) or 'none'}."
            )
        best = max if mode == "max" else min
        return best(numbers, key=lambda pair: pair[0])[1]

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], storage_filesystem: Any = None) -> Result:
        """Read the result of an earlier run from its directory or URL.

        Raises:
            RuntimeError: if the directory holds no run with a registered checkpoint.
            ImportError: if the URL's driver is not installed; the message names the package.
        """
        return cls.from_storage(RunStorage.load(open_folder(path, storage_filesystem)))

    @classmethod
    def from_storage(cls, storage: RunStorage, return_value: Any = None) -> Result:
        """The result as the run's storage knows it."""
        return cls(
            metrics=dict(storage.reports[-1]) if storage.reports else None,
            checkpoint=storage.latest,
            error=None,
            path=storage.folder.path,
            best_checkpoints=storage.best,
            return_value=return_value,
            _reports=list(storage.reports),
            _filesystem=storage.folder.filesystem,
        )
