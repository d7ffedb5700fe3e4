"""`TorchConfig`: how the workers' process group is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class TorchConfig:
    """The process group's backend and timeout (Ray 2.60's fields).

    `backend` None means nccl with `use_gpu`, else gloo. `init_method` is checked and otherwise without effect: the
    workers of one machine meet at a store on the loopback interface.

    Raises:
        ValueError: for another `init_method` than "env" and "tcp".
    """

    backend: str | None = None
    init_method: str = "env"
    timeout_s: int = 1800

    def __post_init__(self) -> None:
        if self.init_method not in ("env", "tcp"):
            raise ValueError(f'TorchConfig(init_method={self.init_method!r}) must be "env" or "tcp".')
