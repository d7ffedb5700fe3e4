"""What legacy trainers did to their datasets before the workers saw them: the driver's code does it now.

Up to Ray 2.6 only the dataset called `train` was split among the workers, and a preprocessor was fitted on it and
applied to every dataset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.data.given import TRAIN, RayData, write_before
from migrate_trainers.rules.data.preprocessing import write_preprocessing
from migrate_trainers.rules.legacy_uses import is_given_as
from migrate_trainers.rules.literals import entries_of, inlined, is_none, string, vanishes
from migrate_trainers.rules.trainer_call import is_absent
from migrate_trainers.writing.arguments import bound_arguments
from migrate_trainers.writing.render import as_statement_value, relocated

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import Rewrite

# Settings of DatasetConfig that say nothing about the batches, and those that would change them unless they are off.
_WITHOUT_EFFECT = frozenset({"required"})
_OFF = {"global_shuffle": "False", "per_epoch_preprocessor": "None", "max_object_store_memory_fraction": "-1"}


def write_ingest(rewrite: Rewrite, data: RayData) -> None:
    """Make a trainer's call hand its datasets over as the legacy trainer did; raises `Refusal`."""
    if data.variable is not None:
        text = relocated(rewrite.program, data.datasets, rewrite.program.indent(data.call_site.statement))
        write_before(rewrite, data, f"{data.variable} = {as_statement_value(text)}")
        rewrite.arguments_of(data.call_site.call).replace(data.arguments["datasets"], f"datasets={data.variable}")
    settings = _read_settings(rewrite, data)
    _write_data_config(rewrite, data, settings)
    preprocesses = not is_absent(data.arguments, "preprocessor")
    if preprocesses:
        _check_preprocessor(rewrite, data, settings)
        write_preprocessing(rewrite, data, settings.untransformed)
    elif "preprocessor" in data.arguments:
        rewrite.arguments_of(data.call_site.call).remove(data.arguments["preprocessor"])
    _review_block_order(rewrite, data, settings, preprocesses=preprocesses)


def trials_data_config(rewrite: Rewrite, data: RayData) -> cst.Arg | str | None:
    """The `dataset_config` of the trainer that each trial makes: the call's own argument, new text, or none.

    Raises `Refusal` for what is done to datasets before the run.
    """
    if not is_absent(data.arguments, "preprocessor"):
        raise Refusal("MT403", data.arguments["preprocessor"], "`preprocessor=...`")
    settings = _read_settings(rewrite, data)
    _review_block_order(rewrite, data, settings, preprocesses=False)
    argument = data.arguments.get("dataset_config")
    if settings.split is not None and settings.data_config is None:
        return f"{rewrite.class_named('ray.train.DataConfig')}(datasets_to_split={settings.split})"
    if argument is None or settings.is_legacy or is_absent(data.arguments, "dataset_config"):
        return None
    _adapt_data_config(rewrite, settings)
    return argument


def _review_block_order(rewrite: Rewrite, data: RayData, settings: _Settings, *, preprocesses: bool) -> None:
    in_bulk = preprocesses or settings.is_legacy or rewrite.settings.source < legacy.FIRST_THAT_KEEPS_BLOCK_ORDER
    if in_bulk and settings.randomizes:
        rewrite.review("MT120", data.arguments["datasets"], "`ray.data.Dataset.randomize_block_order`")


@dataclass(frozen=True)
class _Settings:
    """What `dataset_config` says: the text of `datasets_to_split` to write, if any, and the rest of the old form."""

    split: str | None
    data_config: cst.Call | None = None
    is_legacy: bool = False
    untransformed: frozenset[str] = frozenset()
    randomizes: bool = True


def _read_settings(rewrite: Rewrite, data: RayData) -> _Settings:
    argument = data.arguments.get("dataset_config")
    others = not data.keys.has_only(TRAIN)
    default = f'["{TRAIN}"]' if others and not data.splits_others else None
    if argument is None or is_absent(data.arguments, "dataset_config"):
        return _Settings(default)
    value = argument.value
    made = _made_behind(rewrite, value)
    if isinstance(made, cst.Call) and rewrite.program.qualified_name(made.func) in legacy.DATA_CONFIGS:
        given = _datasets_to_split(made)
        says_nothing = given is None or is_none(given.value)
        if given is not None and data.splits_train_alone and not says_nothing:
            _check_train_is_split(argument, given.value)
            return _Settings(default, data_config=made)
        return _Settings(default if says_nothing else None, data_config=made)
    entries = entries_of(rewrite.program, made)
    if entries is not None:
        if isinstance(value, cst.Name):
            if not vanishes(rewrite.program, value):
                raise Refusal("MT122", argument, f"`{value.value}` is used for more than the trainer")
            inlined(rewrite, value)
        return _legacy_settings(rewrite, data, entries)
    if not data.splits_others:
        raise Refusal("MT122", argument, "it can't be read where the trainer is made")
    return _Settings(None)


def _made_behind(rewrite: Rewrite, value: cst.BaseExpression) -> cst.BaseExpression:
    if not isinstance(value, cst.Name):
        return value
    bindings = rewrite.program.bindings(value)
    return bindings[0].value if len(bindings) == 1 and bindings[0].value is not None else value


def _legacy_settings(rewrite: Rewrite, data: RayData, entries: dict[str, cst.BaseExpression]) -> _Settings:
    """What a dictionary of DatasetConfig says, over the defaults: only `train` is split (and fitted on)."""
    argument = data.arguments["dataset_config"]
    if data.keys.possible is None:
        raise Refusal("MT122", argument, "which datasets it speaks of can't be seen")
    own = {name: _dataset_config(rewrite, value) for name, value in entries.items()}
    # Settings of `*` hold for the datasets that have none, but not for `train`.
    by_name = {name: own.get(name, own.get("*", {}) if name != TRAIN else {}) for name in data.keys.possible}
    split = [name for name in sorted(by_name, key=_train_first) if _flag(by_name[name], "split", name == TRAIN)]
    fits = not is_absent(data.arguments, "preprocessor")
    if fits and any(_flag(settings, "fit", name == TRAIN) != (name == TRAIN) for name, settings in by_name.items()):
        raise Refusal("MT122", argument, "a preprocessor is fitted on another dataset than `train`")
    if data.splits_train_alone and TRAIN in data.keys.possible:
        if TRAIN not in split:
            raise Refusal("MT203", argument, "it keeps `train` in one piece")
        split = [TRAIN]
    names = ", ".join(f'"{name}"' for name in split)
    return _Settings(
        split=f"[{names}]" if not data.keys.has_only(TRAIN) or not split else None,
        is_legacy=True,
        untransformed=frozenset(name for name, one in by_name.items() if not _flag(one, "transform", True)),
        randomizes=any(_flag(one, "randomize_block_order", True) for one in by_name.values()),
    )


def _check_train_is_split(argument: cst.Arg, names: cst.BaseExpression) -> None:
    """Raise `Refusal` where every worker surely or perhaps reads all of `train`."""
    if string(names) == "all":
        return
    listed = [string(element.value) for element in names.elements] if isinstance(names, cst.List) else []
    if TRAIN not in listed:
        raise Refusal("MT203", argument, "whether `train` is split can't be seen, or it isn't")


def _train_first(name: str) -> tuple[bool, str]:
    return name != TRAIN, name


def _dataset_config(rewrite: Rewrite, value: cst.BaseExpression) -> dict[str, cst.BaseExpression]:
    """The settings of one `DatasetConfig(...)`; raises `Refusal` for those without a counterpart."""
    program = rewrite.program
    arguments = None
    if isinstance(value, cst.Call) and program.qualified_name(value.func) in legacy.DATASET_CONFIGS:
        arguments = bound_arguments(value, legacy.DATASET_CONFIG_FIELDS)
    if arguments is None:
        raise Refusal("MT122", value, "it is not a `DatasetConfig` that is made here")
    settings = {}
    for name, argument in arguments.items():
        if name not in legacy.DATASET_CONFIG_FIELDS:
            raise Refusal("MT106", argument, f"`DatasetConfig` has no argument `{name}`")
        if name in _OFF and not is_none(argument.value) and program.text(argument.value) != _OFF[name]:
            raise Refusal("MT122", argument, f"`DatasetConfig({name}=...)`")
        if name not in _OFF and name not in _WITHOUT_EFFECT and not is_none(argument.value):
            settings[name] = argument.value
    return settings


def _flag(settings: dict[str, cst.BaseExpression], name: str, default: bool) -> bool:
    value = settings.get(name)
    if value is None:
        return default
    if not isinstance(value, cst.Name) or value.value not in ("True", "False"):
        raise Refusal("MT122", value, f"whether `{name}` is set is only known when the script runs")
    return value.value == "True"


def _datasets_to_split(data_config: cst.Call) -> cst.Arg | None:
    return (bound_arguments(data_config, ("datasets_to_split", "execution_options")) or {}).get("datasets_to_split")


def _write_data_config(rewrite: Rewrite, data: RayData, settings: _Settings) -> None:
    """Say which datasets are split where current Ray, which splits all, would not do as was done."""
    edits = rewrite.arguments_of(data.call_site.call)
    argument = data.arguments.get("dataset_config")
    if settings.data_config is not None:
        if _adapt_data_config(rewrite, settings):
            inner = rewrite.arguments_of(settings.data_config)
            if rewrite.program.contains(data.call_site.call, settings.data_config) and inner.spreads():
                edits.spread_around(inner)
        return
    name = rewrite.class_named("ray.train.DataConfig") if settings.split is not None else ""
    text = f"dataset_config={name}(datasets_to_split={settings.split})"
    if settings.split is None:
        if argument is not None and (settings.is_legacy or is_absent(data.arguments, "dataset_config")):
            edits.remove(argument)
    elif argument is not None:
        edits.replace(argument, text)
    else:
        edits.append(lambda indent: text)


def _adapt_data_config(rewrite: Rewrite, settings: _Settings) -> bool:
    """Let a `DataConfig` that the script makes say which datasets are split, if it has to and doesn't do so yet."""
    made = settings.data_config
    if made is None or settings.split is None or made in rewrite.adapted:
        return False
    rewrite.adapted.add(made)
    _set_datasets_to_split(rewrite, made, settings.split)
    return True


def _set_datasets_to_split(rewrite: Rewrite, data_config: cst.Call, split: str) -> None:
    edits, given = rewrite.arguments_of(data_config), _datasets_to_split(data_config)
    if given is None:
        edits.append(lambda indent: f"datasets_to_split={split}")
    else:
        edits.replace(given, f"datasets_to_split={split}")


def _check_preprocessor(rewrite: Rewrite, data: RayData, settings: _Settings) -> None:
    argument = data.arguments["preprocessor"]
    if rewrite.settings.source >= legacy.FIRST_WITHOUT_PREPROCESSOR:
        raise Refusal("MT106", argument, "trainers of Ray 2.7 and later take no `preprocessor`")
    if settings.data_config is not None:
        raise Refusal("MT106", argument, "a trainer takes no `preprocessor` beside a `DataConfig`")


def remove_gone_classes(rewrite: Rewrite) -> None:
    """Remove the imports of classes that current Ray doesn't have, where all that they made is rewritten."""
    program = rewrite.program
    for names, keyword in ((legacy.DATASET_CONFIGS, "dataset_config"), (legacy.BATCH_MAPPERS, "preprocessor")):
        for binding in program.all_bindings():
            if binding.imported in names and all(is_given_as(program, use, keyword) for use in program.uses(binding)):
                assert isinstance(binding.node, cst.ImportAlias)
                rewrite.imports.remove(binding.node)
