"""AccelerateTrainer: its train function stays; what `accelerate_config` set is given to `Accelerator`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.rules.accelerate.leftovers import drop_configurations
from migrate_trainers.rules.accelerate.resuming import start_from_given
from migrate_trainers.rules.accelerate.sites import AccelerateSite, read_site
from migrate_trainers.rules.accelerate.train_function import tell_devices, write_settings
from migrate_trainers.rules.data.ingest import write_ingest
from migrate_trainers.rules.data.shards import migrate_shards
from migrate_trainers.rules.trainer_call import rename_trainer
from migrate_trainers.writing.placement import definition

if TYPE_CHECKING:
    from migrate_trainers.rules.accelerate.train_function import Wrapper
    from migrate_trainers.rules.rewrite import CallSite, Rewrite


def migrate_accelerate(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's AccelerateTrainers; raises `Refusal` for the first that can't be."""
    read = [read_site(rewrite, site) for site in sites]
    for site, wrapper in carry_over(rewrite, read):
        place = site.call_site.statement
        rewrite.edits += definition(rewrite.program, place, [wrapper.definition], lines=wrapper.lines)
        keyword = "" if site.function.keyword is None else "train_loop_per_worker="
        rewrite.arguments_of(site.call_site.call).replace(site.function, f"{keyword}{wrapper.name}")
    start_from_given(rewrite, read)
    for site in read:
        if site.data is not None:
            write_ingest(rewrite, site.data)
        rename_trainer(rewrite, site.call_site)
    migrate_shards(rewrite, [site.data for site in read])


def carry_over(rewrite: Rewrite, sites: list[AccelerateSite]) -> list[tuple[AccelerateSite, Wrapper]]:
    """Give their train functions what trainers told accelerate; returns the functions that go around some of these."""
    drop_configurations(rewrite, sites)
    tell_devices(rewrite, sites)
    wrappers = []
    while sites:
        equal = [site for site in sites if site.settings == sites[0].settings]
        sites = [site for site in sites if site not in equal]
        wrappers += write_settings(rewrite, equal)
    return wrappers
