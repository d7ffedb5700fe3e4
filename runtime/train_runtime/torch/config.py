"""`TorchConfig`: how the workers' process group is made."""

from __future__ import annotations

from dataclasses import dataclass


class BackendConfig:
    """Base of a backend's configuration (`ray.train.BackendConfig`); the one backend here is torch's."""


@dataclass
class TorchConfig(BackendConfig):
    """The process group's backend and timeout (Ray 2.60's fields).

    `backend` None means nccl with `use_gpu`, else gloo. `init_method` is checked and otherwise without effect: the
    workers of one machine meet at a store on the loopback interface.

    Raises:
        ValueError: for another `init_method` than "env" and "tcp".
        NotImplementedError: in a subclass that brings a backend of its own.
    """

    backend: str | None = None
    init_method: str = "env"
    timeout_s: int = 1800

    def __post_init__(self) -> None:
        if hasattr(self, "backend_cls"):
            raise NotImplementedError(
                f"{type(self).__name__}.backend_cls: this runtime does not call a backend's hooks. Do what they do "
                "at the train function's beginning and end, or run the script on Ray."
            )
        if self.init_method not in ("env", "tcp"):
            raise ValueError(f'TorchConfig(init_method={self.init_method!r}) must be "env" or "tcp".')
