"""The datasets of a LightningTrainer's call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.data.given import Codes, RayData, drop_effectless, read_given
from migrate_trainers.rules.literals import is_none
from migrate_trainers.rules.trainer_call import is_absent

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.rules.rewrite import CallSite, Rewrite

VALIDATION = "val"
_CODES = Codes(unseen="MT107", moved="MT102")


def read_data(rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg]) -> RayData | None:
    """The datasets of a trainer's call, None if it has none; raises `Refusal` for those that LightningTrainer refused.

    Arguments that say nothing without datasets leave the call.
    """
    data = read_given(rewrite, site, arguments, _CODES)
    iter_config = arguments.get("datasets_iter_config")
    if data is None:
        if iter_config is not None:
            drop_effectless(rewrite, site, iter_config, _CODES)
        return None
    says_nothing = is_absent(arguments, "datasets_iter_config")
    takes_empty = rewrite.settings.source < legacy.FIRST_THAT_WANTS_ITER_CONFIG
    if iter_config is None or (says_nothing and not (takes_empty and not is_none(iter_config.value))):
        raise Refusal("MT106", arguments["datasets"], "`datasets` needs a `datasets_iter_config`")
    rewrite.arguments_of(site.call).remove(iter_config)
    return data
