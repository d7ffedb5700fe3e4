"""A trainer's `preprocessor`: the driver fits it on the training data and transforms every dataset itself.

AccelerateTrainer(                                       TorchTrainer(
    preprocessor=scaler,                                     datasets={
    datasets={"train": train, "val": val},                       "train": scaler.fit_transform(train),
)                                                                "val": scaler.transform(val),
                                                             },
                                                         )
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.data.given import TRAIN, RayData, refuse_effects_before, write_before
from migrate_trainers.rules.legacy_uses import is_trainer_argument
from migrate_trainers.rules.literals import entries_of, inlined, string, vanishes
from migrate_trainers.writing.arguments import bound_arguments
from migrate_trainers.writing.render import Argument, free_name, names_in, relocated, sequence

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.rewrite import Rewrite

_FITS = ("fit", "fit_transform")


def write_preprocessing(rewrite: Rewrite, data: RayData, untransformed: frozenset[str]) -> None:
    """Apply a trainer's `preprocessor` to its datasets where the trainer is made; raises `Refusal`.

    `untransformed` are the datasets that the preprocessor was kept from.
    """
    argument = data.arguments["preprocessor"]
    applied = _read(rewrite, data, argument.value)
    entries = entries_of(rewrite.program, data.datasets) if data.variable is None else None
    if entries is not None and any(isinstance(value, cst.Lambda) for value in entries.values()):
        raise Refusal("MT124", argument, "a dataset is only made when the run starts")
    rewrite.arguments_of(data.call_site.call).remove(argument)
    if entries is None:
        _write_over_variable(rewrite, data, applied, untransformed)
    else:
        _write_over_entries(rewrite, data, entries, applied, untransformed)


@dataclass(frozen=True)
class _Applied:
    """How a preprocessor is applied: a method of the variable `preprocessor`, or `call` on the dataset itself.

    `names` are those that it reads; `is_fitted` says that it need not be fitted before.
    """

    preprocessor: str = ""
    call: str = ""
    names: frozenset[str] = frozenset()
    is_fitted: bool = True

    @property
    def fitted_by(self) -> str | None:
        """The variable that has to be fitted first, None where nothing has to be."""
        return None if self.is_fitted else self.preprocessor

    def around(self, method: str, *, is_primary: bool) -> tuple[str, str]:
        """The texts to put before and behind a dataset's expression."""
        if self.preprocessor:
            return f"{self.preprocessor}.{method}(", ")"
        return ("", self.call) if is_primary else ("(", f"){self.call}")


def _read(rewrite: Rewrite, data: RayData, value: cst.BaseExpression) -> _Applied:
    program = rewrite.program
    made = _binding(program, value).value if isinstance(value, cst.Name) else value
    if not isinstance(made, cst.Call):
        raise Refusal("MT124", value, "it is not made in this file")
    if _is_batch_mapper(program, made):
        return _batch_mapper(rewrite, data, value, made)
    if program.qualified_name(made.func) in legacy.PREPROCESSOR_CHAINS and _is_of_batch_mappers(program, made):
        return _chain_of_batch_mappers(rewrite, data, value, made)
    for argument in made.args:
        if _holds_batch_mapper(program, argument.value):
            raise Refusal("MT124", argument, "current Ray has no `BatchMapper`: use `Dataset.map_batches`")
    if not isinstance(value, cst.Name):
        return _named(rewrite, data, value)
    return _Applied(value.value, names=frozenset({value.value}), is_fitted=_is_fitted(rewrite, data, value, made))


def _is_batch_mapper(program: Program, node: cst.CSTNode | None) -> bool:
    return isinstance(node, cst.Call) and program.qualified_name(node.func) in legacy.BATCH_MAPPERS


def _is_of_batch_mappers(program: Program, chain: cst.Call) -> bool:
    """Whether all preprocessors in a chain surely are BatchMappers, each made in the call or in a variable."""
    for argument in chain.args:
        value: cst.CSTNode | None = argument.value
        if isinstance(value, cst.Name):
            bindings = program.bindings(value)
            value = bindings[0].value if len(bindings) == 1 else None
        if argument.star or argument.keyword is not None or not _is_batch_mapper(program, value):
            return False
    return bool(chain.args)


def _holds_batch_mapper(program: Program, value: cst.BaseExpression) -> bool:
    """Whether one of the preprocessors in a chain is a BatchMapper, directly or by its variable."""
    if isinstance(value, cst.Name):
        return any(_is_batch_mapper(program, binding.value) for binding in program.bindings(value))
    return any(_is_batch_mapper(program, one) for one in program.calls if program.contains(value, one))


def _binding(program: Program, name: cst.Name) -> Binding:
    bindings = program.bindings(name)
    if len(bindings) != 1 or bindings[0].kind is not BindingKind.ASSIGNMENT or bindings[0].scope.is_class:
        raise Refusal("MT124", name, "it is not made in this file, or in several places")
    return bindings[0]


def _named(rewrite: Rewrite, data: RayData, value: cst.BaseExpression) -> _Applied:
    """A preprocessor that is made in the trainer's call gets a variable."""
    refuse_effects_before(rewrite, data, value)
    name = rewrite.new_name("preprocessor")
    program, statement = rewrite.program, data.call_site.statement
    text = relocated(program, value, program.indent(statement))
    write_before(rewrite, data, f"{name} = {text}")
    return _Applied(name, names=frozenset({name}), is_fitted=_is_fit_call(value))


def _is_fit_call(value: cst.BaseExpression) -> bool:
    return isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute) and value.func.attr.value == "fit"


def _is_fitted(rewrite: Rewrite, data: RayData, name: cst.Name, made: cst.Call) -> bool:
    """Whether a preprocessor in a variable is surely fitted already; raises `Refusal` where that can't be seen."""
    program = rewrite.program
    if _is_fit_call(made):
        return True
    binding = _binding(program, name)
    block = program.block(program.statement(binding.node))
    others = [use for use in program.uses(binding) if use is not name]
    for use in others:
        method = program.parent(use)
        statement = program.statement(use)
        fits = isinstance(method, cst.Attribute) and method.value is use and method.attr.value in _FITS
        comes_first = program.span(statement)[0] < program.span(data.call_site.statement)[0]
        if fits and comes_first and program.block(statement) is block and program.contains(block, name):
            return True
    if others:
        shared = any(is_trainer_argument(program, use) for use in others)
        detail = "several trainers are given it" if shared else "whether it is fitted already can't be seen"
        raise Refusal("MT124", name, detail)
    if program.loop_around(binding.node) is not program.loop_around(data.call_site.call):
        raise Refusal("MT124", name, "each turn of the loop fitted a copy of it")
    return False


def _batch_mapper(rewrite: Rewrite, data: RayData, value: cst.BaseExpression, made: cst.Call) -> _Applied:
    """`BatchMapper(function, ...)`, which is gone, was `dataset.map_batches(function, ...)`."""
    program = rewrite.program
    statement = program.statement(made)
    analysis = ValueAnalysis(program, statement)
    arguments = bound_arguments(made, ("fn", "batch_format", "batch_size"))
    if arguments is None or not {"fn", "batch_format"} <= set(arguments):
        raise Refusal("MT124", made, "its function and its `batch_format` have to be written in its call")
    for argument in arguments.values():
        if not analysis.is_movable(argument.value):
            raise Refusal("MT124", argument, "its value may be another where the datasets are transformed")
    if isinstance(value, cst.Name):
        _inline(rewrite, value)
    kept = {name: one for name, one in arguments.items() if string(one.value) != "default"}
    indent = program.indent(data.call_site.statement)
    texts = [
        Argument(relocated(program, one.value, indent), None if name == "fn" else name) for name, one in kept.items()
    ]
    names = frozenset(name for one in kept.values() for name in names_in(one.value))
    return _Applied(call=f".map_batches({', '.join(argument.text for argument in texts)})", names=names)


def _chain_of_batch_mappers(rewrite: Rewrite, data: RayData, value: cst.BaseExpression, chain: cst.Call) -> _Applied:
    """`Chain(BatchMapper(one, ...), BatchMapper(two, ...))` was one `map_batches` after the other."""
    parts = []
    for argument in chain.args:
        made = argument.value
        if isinstance(made, cst.Name):
            made = _binding(rewrite.program, made).value or made
        assert isinstance(made, cst.Call)
        parts.append(_batch_mapper(rewrite, data, argument.value, made))
    if isinstance(value, cst.Name):
        _inline(rewrite, value)
    made_by = rewrite.program.bindings(chain.func) if isinstance(chain.func, cst.Name) else ()
    for binding in made_by:
        if isinstance(binding.node, cst.ImportAlias) and len(rewrite.program.uses(binding)) == 1:
            rewrite.imports.remove(binding.node)
    return _Applied(call="".join(part.call for part in parts), names=frozenset().union(*(part.names for part in parts)))


def _inline(rewrite: Rewrite, name: cst.Name) -> None:
    """Take out the variable of a preprocessor that becomes calls on the datasets; raises `Refusal` if more reads it."""
    if not vanishes(rewrite.program, name):
        raise Refusal("MT124", name, "it is used for more than the trainer")
    inlined(rewrite, name)


# Writing


def _write_over_entries(
    rewrite: Rewrite,
    data: RayData,
    entries: dict[str, cst.BaseExpression],
    applied: _Applied,
    untransformed: frozenset[str],
) -> None:
    """Transform each dataset where it stands in the trainer's call."""
    program = rewrite.program
    fits_in_place = applied.fitted_by is not None and next(iter(entries)) == TRAIN
    if applied.fitted_by is not None and TRAIN in entries and not fits_in_place:
        if not isinstance(entries[TRAIN], cst.Name):
            raise Refusal("MT124", entries[TRAIN], "it is fitted on this dataset, which the others stand before")
        write_before(rewrite, data, f"{applied.fitted_by}.fit({program.outer_text(entries[TRAIN])})")
    edits, items = [], []
    for name, value in entries.items():
        start, end = program.outer_span(value)
        before = behind = ""
        if name not in untransformed:
            method = "fit_transform" if fits_in_place and name == TRAIN else "transform"
            before, behind = applied.around(method, is_primary=_is_primary(value))
        edits += [Edit(start, start, before), Edit(end, end, behind)]
        items.append(Argument(f'"{name}": {before}{program.outer_text(value)}{behind}'))
    argument = data.arguments["datasets"]
    if "\n" in program.text(argument):
        rewrite.edits += edits
        return
    arguments, unit = rewrite.arguments_of(data.call_site.call), program.module.default_indent
    arguments.spread_if_too_long(sum(len(edit.text) for edit in edits))
    indent = arguments.line_indent or arguments.base_indent()
    arguments.replace(argument, "datasets=" + sequence("{", items, "}", indent, unit, before="datasets=,"))


def _is_primary(value: cst.BaseExpression) -> bool:
    """Whether a method can be called on an expression without parentheses around it."""
    return bool(value.lpar) or isinstance(value, cst.Name | cst.Attribute | cst.Call | cst.Subscript)


def _write_over_variable(rewrite: Rewrite, data: RayData, applied: _Applied, untransformed: frozenset[str]) -> None:
    """Transform the datasets of a dictionary in a variable, all in one comprehension."""
    argument = data.arguments["datasets"]
    datasets = data.variable or (data.datasets.value if isinstance(data.datasets, cst.Name) else None)
    if untransformed or datasets is None:
        raise Refusal("MT124", argument, "the datasets have to be written in the trainer's call, or in a variable")
    used = {datasets, *applied.names}
    name, dataset = free_name(used, "name", "dataset_name"), free_name(used, "dataset", "ray_dataset")
    if applied.fitted_by is not None:
        if data.keys.has(TRAIN) is False:
            raise Refusal("MT106", argument, "the preprocessor is never fitted without a `train` dataset")
        write_before(rewrite, data, f'{applied.fitted_by}.fit({datasets}["{TRAIN}"])')
    before, behind = applied.around("transform", is_primary=True)
    edits = rewrite.arguments_of(data.call_site.call)
    keyword = "datasets=" if argument.keyword is not None else ""
    edits.replace(
        argument, f"{keyword}{{{name}: {before}{dataset}{behind} for {name}, {dataset} in {datasets}.items()}}"
    )
