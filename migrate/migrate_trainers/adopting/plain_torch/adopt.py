"""Training loops of plain torch, as Ray's getting-started guide for PyTorch writes them.

model = Net().to(device)                          model = Net().to(device)
loader = DataLoader(dataset, shuffle=True)        loader = DataLoader(dataset, shuffle=True)
                                                  loader = ray.train.torch.prepare_data_loader(loader)
                                                  model = ray.train.torch.prepare_model(model)
for epoch in range(3):                            for epoch in range(3):
    ...                                               ...
    print(f"loss {loss:.3f}")                         print(f"loss {loss:.3f}")
                                                      ...
                                                      ray.train.report({"loss": float(loss)}, checkpoint=checkpoint)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.adopting.framework import Framework, TrainingSite
from migrate_trainers.adopting.plain_torch.data import move_batches, prepare_loaders
from migrate_trainers.adopting.plain_torch.devices import take_workers_devices
from migrate_trainers.adopting.plain_torch.files import folders_made, write_files_once
from migrate_trainers.adopting.plain_torch.loops import read_loop
from migrate_trainers.adopting.plain_torch.metrics import read_reports, warn_of_early_ends, write_reports
from migrate_trainers.adopting.plain_torch.model import prepare_model
from migrate_trainers.adopting.plain_torch.process_group import asked_in_group, leave_processes_to_ray
from migrate_trainers.adopting.plain_torch.spawn import call_directly, starts
from migrate_trainers.rules.accelerate.train_loop import reached_definitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.adopting.region import Region
    from migrate_trainers.findings import Finding
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.settings import Settings


def sites(program: Program) -> list[TrainingSite]:
    """The training of a program, as far as it is one loop, or the call that starts processes for it.

    Raises `Refusal` for one that isn't plain.
    """
    if (started := starts(program)) is not None:
        return [TrainingSite(started, (started,))]
    loop = read_loop(program)
    return [] if loop is None else [TrainingSite(min(loop.runs, key=program.span), loop.runs)]


def prepare(program: Program, settings: Settings) -> tuple[Program, Sequence[Finding]]:
    """The program without processes that it starts itself."""
    return call_directly(program), ()


def adopt(rewrite: Rewrite, region: Region, site: TrainingSite) -> Sequence[str]:
    """Have the workers train one model together, each on its share of the data, and report what they show."""
    program = rewrite.program
    loop = read_loop(program)
    assert loop is not None
    reports = read_reports(program, loop)
    prepare_loaders(rewrite, loop)
    move_batches(rewrite, loop)
    model = prepare_model(rewrite, loop, {report.function for report in reports})
    code = reached_definitions(program, region.statements(program))
    take_workers_devices(rewrite, code, moves_module=region.place.is_module)
    leave_processes_to_ray(rewrite, code)
    write_files_once(rewrite, reached_definitions(program, site.runs))
    write_reports(rewrite, loop, reports, model)
    warn_of_early_ends(rewrite, loop)
    return ()


FRAMEWORK = Framework(
    "MT630",
    sites,
    adopt,
    lambda program, sites: (),
    in_worker=lambda program: [*asked_in_group(program), *folders_made(program)],
    prepare=prepare,
)
