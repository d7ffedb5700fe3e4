"""What both forms of a Lightning train function need of the call sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.lightning_arguments import WITHOUT_EFFECT_UNDER_RAY
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.models import file_argument, model_file_call
from migrate_trainers.rules.configs import uses_gpu
from migrate_trainers.rules.lightning.data import read_data
from migrate_trainers.rules.trainer_call import is_absent, refuse_unsupported, trainer_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.data.given import RayData
    from migrate_trainers.rules.lightning.batches import Batches
    from migrate_trainers.rules.rewrite import CallSite, Rewrite

CONFIG_ARGUMENTS = ("lightning_config", "datasets_iter_config")
_FIT_ARGUMENTS = frozenset({"train_dataloaders", "val_dataloaders", "datamodule", "ckpt_path", "weights_only"})
# Arguments of `.trainer(...)` that LightningTrainer overwrote or that Ray decides.
IGNORED = ("strategy", "devices", "num_nodes", *WITHOUT_EFFECT_UNDER_RAY)


@dataclass(frozen=True, eq=False)
class LightningSite:
    """A LightningTrainer's call with its arguments by name, and what it was given of Ray Data."""

    call_site: CallSite
    arguments: dict[str, cst.Arg]
    data: RayData | None

    @property
    def config(self) -> cst.BaseExpression:
        return self.arguments["lightning_config"].value


def read_site(rewrite: Rewrite, site: CallSite) -> LightningSite:
    """Read a call's arguments; raises `Refusal` for those that can't be carried over."""
    arguments = trainer_arguments(site, CONFIG_ARGUMENTS)
    data = read_data(rewrite, site, arguments)
    refuse_unsupported(rewrite, site, arguments, preprocesses=data is not None)
    if is_absent(arguments, "lightning_config"):
        raise Refusal("MT106", site.call, "it has no `lightning_config`")
    return LightningSite(site, arguments, data)


def check_fit_arguments(names: Iterable[str], unpacks: bool, site: CallSite, batches: Batches | None) -> None:
    """Refuse a configuration that LightningTrainer would have refused when it was run."""
    names = set(names)
    unknown = sorted(names - _FIT_ARGUMENTS)
    if unknown:
        raise Refusal("MT106", site.call, f"`Trainer.fit` can't be given `{unknown[0]}`")
    if batches is not None:
        batches.check_fit_arguments(names, unpacks=unpacks)
    elif not unpacks and not {"train_dataloaders", "datamodule"} & names:
        raise Refusal("MT106", site.call, "it has neither `train_dataloaders`, nor a `datamodule`, nor datasets")


def stays_on_cpu(rewrite: Rewrite, sites: Sequence[LightningSite]) -> bool:
    """Whether the workers surely have no GPU: Lightning would else take one that the machine has."""
    scaling = [site.arguments.get("scaling_config") for site in sites]
    return all(uses_gpu(rewrite, argument.value if argument else None) is False for argument in scaling)


def automatic_accelerator(rewrite: Rewrite, sites: Sequence[LightningSite]) -> str | None:
    """What to write where `accelerator` is "auto": workers without a GPU used to see none; now they see the machine's.

    None where the workers surely have one, or may have several on a Ray that hides others and whose `get_device` may
    give a list.
    """
    scaling = [site.arguments.get("scaling_config") for site in sites]
    found = {uses_gpu(rewrite, argument.value if argument else None) for argument in scaling}
    if found == {False}:
        return '"cpu"'
    if found == {True} or not rewrite.settings.strict_target:
        return None
    return f"{rewrite.class_named('ray.train.torch.get_device')}().type"


def refuse_earlier_effects(rewrite: Rewrite, site: LightningSite) -> None:
    """Values that move before the trainer's statement must not pass calls that it makes before them."""
    program = rewrite.program
    start = program.span(site.arguments["lightning_config"])[0]
    for other in program.calls:
        is_config = program.qualified_name(other.func) in legacy.CONFIG_CLASSES
        if program.contains(site.call_site.statement, other) and program.span(other)[1] <= start and not is_config:
            raise Refusal("MT102", other, "it is called before the configuration is made, in the same statement")


@dataclass(frozen=True)
class GivenCheckpoint:
    """What a trainer was told to resume from: text for the trainer's call, a checkpoint or (`is_file`) its file.

    `is_own` says that the same train function has written it.
    """

    text: str
    is_file: bool = False
    is_own: bool = False


def take_given_checkpoint(rewrite: Rewrite, sites: Sequence[LightningSite]) -> GivenCheckpoint | None:
    """Take `resume_from_checkpoint` out of a trainer's call, as current trainers don't take it."""
    given = [site for site in sites if not is_absent(site.arguments, "resume_from_checkpoint")]
    if not given or not rewrite.settings.strict_target:
        return None
    if len(sites) > 1:
        raise Refusal("MT102", given[0].call_site.call, "several trainers share the configuration of one that resumes")
    argument = given[0].arguments["resume_from_checkpoint"]
    rewrite.arguments_of(given[0].call_site.call).remove(argument)
    if _is_local(rewrite.program, argument.value):
        rewrite.review("MT412", argument, "")
    made = model_file_call(rewrite.program, argument.value)
    if made is not None:
        return GivenCheckpoint(rewrite.text_of(file_argument(made).value), is_file=True)
    return GivenCheckpoint(rewrite.text_of(argument.value), is_file=False)


def _is_local(program: Program, value: cst.BaseExpression) -> bool:
    """Whether a checkpoint is made of a path of the machine on which the script runs."""
    if isinstance(value, cst.Name):
        return any(isinstance(one.value, cst.Call) and _is_local(program, one.value) for one in program.bindings(value))
    if not isinstance(value, cst.Call) or not isinstance(value.func, cst.Attribute):
        return False
    return value.func.attr.value in ("from_directory", "from_path")
