"""What is known of an AccelerateTrainer's call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.accelerate.configuration import read_settings
from migrate_trainers.rules.accelerate.train_loop import train_loop
from migrate_trainers.rules.data.given import Codes, read_given
from migrate_trainers.rules.trainer_call import refuse_unsupported, trainer_arguments

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.accelerate.settings import AccelerateSettings
    from migrate_trainers.rules.accelerate.train_loop import TrainLoop
    from migrate_trainers.rules.data.given import RayData
    from migrate_trainers.rules.rewrite import CallSite, Rewrite

OWN_ARGUMENTS = ("train_loop_per_worker", "train_loop_config", "accelerate_config")
_CODES = Codes(unseen="MT202", moved="MT202")


@dataclass(frozen=True)
class AccelerateSite:
    """One AccelerateTrainer: its arguments, its train loop, and what it told accelerate.

    `read` are the variables that hold the configuration, `data` is what it was given of Ray Data; `is_searched` says
    that trials bring a `train_loop_config`.
    """

    call_site: CallSite
    arguments: dict[str, cst.Arg]
    loop: TrainLoop
    settings: AccelerateSettings
    read: list[Binding]
    data: RayData | None
    is_searched: bool = False

    @property
    def function(self) -> cst.Arg:
        return self.arguments["train_loop_per_worker"]


def read_site(rewrite: Rewrite, site: CallSite) -> AccelerateSite:
    """What is known of an AccelerateTrainer; raises `Refusal` for arguments that can't be carried over."""
    arguments = trainer_arguments(site, OWN_ARGUMENTS)
    data = read_given(rewrite, site, arguments, _CODES)
    refuse_unsupported(rewrite, site, arguments, preprocesses=data is not None)
    if "train_loop_per_worker" not in arguments:
        raise Refusal("MT106", site.call, "it has no `train_loop_per_worker`")
    settings, read = read_settings(rewrite, site, arguments)
    loop = train_loop(rewrite.program, arguments["train_loop_per_worker"].value)
    return AccelerateSite(site, arguments, loop, settings, read, data)
