"""`TorchCheckpoint`: a model in a checkpoint's `model.pt`, as Ray's deprecated class writes and reads it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train_runtime.checkpoint import Checkpoint
from train_runtime.config import warn_ignored

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self


class TorchCheckpoint(Checkpoint):
    """A checkpoint that holds one model (`ray.train.torch.TorchCheckpoint`).

    Deprecated, as on Ray: `torch.save` the `model.state_dict()` in a directory, and `Checkpoint.from_directory` it.
    """

    MODEL_FILENAME = "model.pt"

    @classmethod
    def from_state_dict(cls, state_dict: dict[str, Any], *, preprocessor: None = None) -> Self:
        """A new temporary directory with the state, without the prefix `module.` of wrapped models.

        Raises:
            ValueError: for a preprocessor: a checkpoint keeps none any more.
        """
        return cls._saved({name.removeprefix("module."): value for name, value in state_dict.items()}, preprocessor)

    @classmethod
    def from_model(cls, model: torch.nn.Module, *, preprocessor: None = None) -> Self:
        """A new temporary directory with the pickled model; whoever reads it must trust it.

        Raises:
            ValueError: for a preprocessor: a checkpoint keeps none any more.
        """
        return cls._saved(model, preprocessor)

    def get_model(self, model: torch.nn.Module | None = None) -> torch.nn.Module:
        """The model; a state is loaded into the `model` that is given. Only for files that you trust.

        Raises:
            RuntimeError: if there is no `model.pt`.
            ValueError: if there is a state, and no model to load it into.
        """
        import torch

        with self.as_directory() as directory:
            file = Path(directory, self.MODEL_FILENAME)
            if not file.exists():
                raise RuntimeError(f"{self.path} holds no {self.MODEL_FILENAME}: it was not made by `TorchCheckpoint`.")
            saved = torch.load(file, map_location="cpu", weights_only=False)
        if isinstance(saved, torch.nn.Module):
            return saved
        if model is None:
            raise ValueError("The checkpoint holds a state dict: call `get_model(model)` with a model to load it into.")
        model.load_state_dict(saved)
        return model

    @classmethod
    def _saved(cls, content: object, preprocessor: object) -> Self:
        import torch

        warn_ignored("TorchCheckpoint", "use `torch.save` and `Checkpoint.from_directory`.", stacklevel=4)
        if preprocessor is not None:
            raise ValueError("TorchCheckpoint(preprocessor): apply it in the train function, and store it in a file.")
        directory = tempfile.mkdtemp(prefix="torch_checkpoint_")
        torch.save(content, Path(directory, cls.MODEL_FILENAME))
        return cls(directory)
