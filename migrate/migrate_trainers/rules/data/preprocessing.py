"""A trainer's `preprocessor`: the driver fits it on the training data and transforms every dataset itself.

AccelerateTrainer(                                       TorchTrainer(
    preprocessor=scaler,                                     datasets={
    datasets={"train": train, "val": val},                       "train": scaler.fit_transform(train),
)                                                                "val": scaler.transform(val),
                                                             },
                                                         )
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind, own_returns
from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.data.given import TRAIN, RayData, refuse_effects_before, write_before
from migrate_trainers.rules.legacy_uses import is_trainer_argument
from migrate_trainers.rules.literals import entries_of, inlined, string, vanishes
from migrate_trainers.writing.arguments import bound_arguments
from migrate_trainers.writing.comments import MovedComments
from migrate_trainers.writing.render import Argument, free_name, names_in, relocated, sequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.rewrite import Rewrite

_FITS = ("fit", "fit_transform")
_GONE = "current Ray has no `BatchMapper`: use `Dataset.map_batches`"


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
    """How a preprocessor is applied: `before` on a dataset, then a method of the variable `preprocessor`, then `call`.

    `names` are those that it reads; `is_fitted` says that it need not be fitted before.
    """

    preprocessor: str = ""
    before: str = ""
    call: str = ""
    names: frozenset[str] = frozenset()
    is_fitted: bool = True

    def fitting(self, dataset: str) -> str | None:
        """The statement that has to fit it on a dataset first, None where nothing has to be fitted."""
        return None if self.is_fitted else f"{self.preprocessor}.fit({dataset}{self.before})"

    def around(self, method: str, *, is_primary: bool) -> tuple[str, str]:
        """The texts to put before and behind a dataset's expression."""
        has_call = bool(self.before or (self.call and not self.preprocessor))
        front, back = ("", "") if is_primary or not has_call else ("(", ")")
        if self.preprocessor:
            return f"{self.preprocessor}.{method}({front}", f"{back}{self.before}){self.call}"
        return front, f"{back}{self.before}{self.call}"


def _read(rewrite: Rewrite, data: RayData, value: cst.BaseExpression) -> _Applied:
    program = rewrite.program
    made = _made(program, value)
    if isinstance(value, cst.Name):
        _binding(program, value)
    if not isinstance(made, cst.Call):
        raise Refusal("MT124", value, "it is not made in this file")
    if _is_batch_mapper(program, made):
        return _batch_mapper(rewrite, data, value, made)
    if program.qualified_name(made.func) in legacy.PREPROCESSOR_CHAINS:
        mappers = [one for one in made.args if not one.star and _is_batch_mapper(program, _made(program, one.value))]
        _check_members(program, [one for one in made.args if one not in mappers])
        if mappers:
            return _chain_with_batch_mappers(rewrite, data, value, made, mappers)
    elif _holds_batch_mapper(program, made):
        raise Refusal("MT124", made, _GONE)
    elif not _is_fit_call(made) and not _makes_new(program, made):
        raise Refusal("MT124", made, "whether it is fitted already can't be seen")
    if not isinstance(value, cst.Name):
        return _named(rewrite, data, value)
    return _Applied(value.value, names=frozenset({value.value}), is_fitted=_is_fitted(rewrite, data, value, made))


def _made(program: Program, value: cst.BaseExpression) -> cst.BaseExpression | None:
    """The expression that makes a preprocessor: itself, or the value of its variable."""
    if not isinstance(value, cst.Name):
        return value
    bindings = program.bindings(value)
    return bindings[0].value if len(bindings) == 1 else None


def _is_batch_mapper(program: Program, node: cst.CSTNode | None) -> bool:
    return isinstance(node, cst.Call) and program.qualified_name(node.func) in legacy.BATCH_MAPPERS


def _check_members(program: Program, members: Sequence[cst.Arg]) -> None:
    """Raise `Refusal` for preprocessors of a chain that may be fitted already: it wasn't fitted then."""
    for member in members:
        if _holds_batch_mapper(program, member.value):
            raise Refusal("MT124", member, _GONE)
        made = _made(program, member.value)
        is_shared = isinstance(member.value, cst.Name) and len(program.uses(_binding(program, member.value))) > 1
        if is_shared or not isinstance(made, cst.Call) or not _makes_new(program, made):
            raise Refusal("MT124", member, "whether it is fitted already can't be seen")


def _holds_batch_mapper(program: Program, value: cst.BaseExpression) -> bool:
    """Whether a BatchMapper is made in an expression, or in what the variable holds that it is."""
    values = [binding.value for binding in program.bindings(value)] if isinstance(value, cst.Name) else [value]
    makers = [call for call in program.calls if _is_batch_mapper(program, call)]
    return any(one is not None and program.contains(one, maker) for one in values for maker in makers)


def _makes_new(program: Program, call: cst.Call) -> bool:
    """Whether a call makes a preprocessor that nobody has fitted: of a class, or by a function that makes one so."""
    definitions = program.bindings(call.func) if isinstance(call.func, cst.Name) else ()
    for binding in definitions:
        if isinstance(binding.node, cst.FunctionDef):
            made = [one.value for one in own_returns(binding.node.body)]
            return bool(made) and all(isinstance(one, cst.Call) and _makes_new(program, one) for one in made)
    name = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
    return isinstance(name, cst.Name) and name.value[:1].isupper()


def _binding(program: Program, name: cst.Name) -> Binding:
    bindings = program.bindings(name)
    if len(bindings) != 1 or bindings[0].kind is not BindingKind.ASSIGNMENT or bindings[0].scope.is_class:
        raise Refusal("MT124", name, "it is not made in this file, or in several places")
    return bindings[0]


def _named(rewrite: Rewrite, data: RayData, value: cst.BaseExpression) -> _Applied:
    """A preprocessor that is made in the trainer's call gets a variable."""
    refuse_effects_before(rewrite, data, value)
    name = rewrite.new_name("preprocessor")
    region = rewrite.arguments_of(data.call_site.call).take(data.arguments["preprocessor"])
    comments = MovedComments(rewrite.program, [region], [value])
    text = rewrite.moved_text(value, rewrite.program.indent(data.call_site.statement))
    behind = comments.behind(value)
    for line in (*comments.before(value), f"{name} = {text}{behind and '  '}{behind}"):
        write_before(rewrite, data, line)
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


def _chain_with_batch_mappers(
    rewrite: Rewrite, data: RayData, value: cst.BaseExpression, chain: cst.Call, mappers: Sequence[cst.Arg]
) -> _Applied:
    """`Chain(BatchMapper(one, ...), scaler)` was a `map_batches` before the others of the chain, which stay in one."""
    program = rewrite.program
    others = [argument for argument in chain.args if argument not in mappers]
    places = [chain.args.index(argument) for argument in others]
    if places and places[-1] - places[0] >= len(places):
        raise Refusal("MT124", chain, "a `BatchMapper` stands between its other preprocessors")
    before: list[_Applied] = []
    behind: list[_Applied] = []
    for argument in mappers:
        made = _made(program, argument.value)
        assert isinstance(made, cst.Call)
        is_first = bool(places) and chain.args.index(argument) < places[0]
        (before if is_first else behind).append(_batch_mapper(rewrite, data, argument.value, made))
    names = frozenset().union(*(part.names for part in (*before, *behind)))
    calls = "".join(part.call for part in before), "".join(part.call for part in behind)
    if not others:
        if isinstance(value, cst.Name):
            _inline(rewrite, value)
        _drop_import(rewrite, chain)
        return _Applied(call=calls[1], names=names)
    if isinstance(value, cst.Name) and len(program.uses(_binding(program, value))) > 1:
        raise Refusal("MT124", value, "it is used for more than the trainer")
    _leave_out(rewrite, chain, mappers, others)
    applied = _Applied(value.value, is_fitted=False) if isinstance(value, cst.Name) else _named(rewrite, data, value)
    return replace(applied, before=calls[0], call=calls[1], names=names | {applied.preprocessor})


def _leave_out(rewrite: Rewrite, chain: cst.Call, mappers: Sequence[cst.Arg], others: Sequence[cst.Arg]) -> None:
    """Take BatchMappers out of a chain, which is none any more where one preprocessor is left."""
    program = rewrite.program
    if len(others) > 1 or any(program.contains(chain, comment) for comment in program.comments):
        for argument in mappers:
            rewrite.arguments_of(chain).remove(argument)
        return
    (start, end), (first, last) = program.span(chain), program.outer_span(others[0].value)
    rewrite.edits += [Edit(start, first, ""), Edit(last, end, "")]
    _drop_import(rewrite, chain)


def _drop_import(rewrite: Rewrite, chain: cst.Call) -> None:
    """Remove the import of the class of a chain that is gone, if nothing else uses it."""
    for binding in rewrite.program.bindings(chain.func) if isinstance(chain.func, cst.Name) else ():
        if isinstance(binding.node, cst.ImportAlias) and len(rewrite.program.uses(binding)) == 1:
            rewrite.imports.remove(binding.node)


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
    fits_in_place = not applied.is_fitted and next(iter(entries)) == TRAIN
    if TRAIN in entries and not fits_in_place:
        fitting = applied.fitting(program.outer_text(entries[TRAIN]))
        if fitting is not None and not isinstance(entries[TRAIN], cst.Name):
            raise Refusal("MT124", entries[TRAIN], "it is fitted on this dataset, which the others stand before")
        if fitting is not None:
            write_before(rewrite, data, fitting)
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
    fitting = applied.fitting(f'{datasets}["{TRAIN}"]')
    if fitting is not None:
        if data.keys.has(TRAIN) is False:
            raise Refusal("MT106", argument, "the preprocessor is never fitted without a `train` dataset")
        write_before(rewrite, data, fitting)
    before, behind = applied.around("transform", is_primary=True)
    edits = rewrite.arguments_of(data.call_site.call)
    keyword = "datasets=" if argument.keyword is not None else ""
    edits.replace(
        argument, f"{keyword}{{{name}: {before}{dataset}{behind} for {name}, {dataset} in {datasets}.items()}}"
    )
