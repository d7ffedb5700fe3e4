"""A BatchPredictor becomes a class of the script that `Dataset.map_batches` calls.

predictor = BatchPredictor.from_checkpoint(          predictor_kwargs = dict(
    checkpoint, LightningPredictor, model_class=Net      checkpoint=checkpoint, model_class=Net
)                                                    )
predictions = predictor.predict(ds, batch_size=64)   predictions = ds.map_batches(
                                                         BatchModelPredictor,
                                                         fn_constructor_kwargs=predictor_kwargs,
                                                         batch_size=64,
                                                         …
                                                     )
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.families import LIGHTNING
from migrate_trainers.rules.checkpoints.predictor_classes import BATCH_FORMS, batch_class
from migrate_trainers.rules.checkpoints.predictors import check_predictor, drop_preprocessor, is_from_checkpoint
from migrate_trainers.rules.legacy_uses import reader_references
from migrate_trainers.rules.literals import is_flag, is_none
from migrate_trainers.writing.arguments import bound_arguments
from migrate_trainers.writing.comments import MovedComments
from migrate_trainers.writing.render import Argument, call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.checkpoints.readers import Readers
    from migrate_trainers.rules.rewrite import Rewrite

_OPERANDS = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)
# Arguments of `BatchPredictor.predict` that `map_batches` takes under another name.
_RENAMED = {"num_cpus_per_worker": "num_cpus", "num_gpus_per_worker": "num_gpus"}
_POOL = {"min_scoring_workers": "min_size", "max_scoring_workers": "max_size"}
_OTHERS = ("data", "batch_size", "separate_gpu_stage", "ray_remote_args")


@dataclass(frozen=True)
class _BatchPredictor:
    """A BatchPredictor: the call that makes it, the variable that holds it, and the calls that predict with it."""

    made: cst.Call
    variable: cst.Name | None
    predictions: list[cst.Call]


def migrate_batch_predictors(rewrite: Rewrite, families: Sequence[Readers]) -> None:
    """Rewrite the BatchPredictors of a file; raises `Refusal` for the first that can't be followed."""
    program = rewrite.program
    explained = set()
    for made in sorted(program.calls, key=lambda made: program.span(made)[0]):
        qualified = program.qualified_name(made.func) or ""
        if legacy.BATCH_PREDICTOR in (qualified, qualified.removesuffix(".from_checkpoint")):
            explained.add(_write_batch_predictor(_readers_of(rewrite, families, made), made))
    for node in reader_references(program):
        if program.qualified_name(node) == legacy.BATCH_PREDICTOR and node not in explained:
            codes = [readers.family.unfollowed for readers in families if readers.family.predictors]
            raise Refusal(codes[0] if codes else LIGHTNING.unfollowed, node, f"`{program.text(node)}`")


def _readers_of(rewrite: Rewrite, families: Sequence[Readers], made: cst.Call) -> Readers:
    """The readers of the family whose predictor a BatchPredictor is given."""
    names = {rewrite.program.qualified_name(argument.value) for argument in made.args}
    for readers in families:
        if names & readers.family.predictors:
            return readers
    raise Refusal("MT401", made, "`BatchPredictor`")


def _write_batch_predictor(readers: Readers, made: cst.Call) -> cst.BaseExpression:
    """Rewrite one; returns the expression that names the class."""
    program, rewrite = readers.program, readers.rewrite
    predictor = _read_batch_predictor(readers, made)
    if rewrite.settings.bundled or "dict" in program.all_bound_names():
        raise Refusal(readers.family.unfollowed, made, "nothing here can take its place")
    arguments = bound_arguments(made, ("checkpoint", "predictor_cls"))
    required = BATCH_FORMS[readers.family].required | {"checkpoint", "predictor_cls"}
    if arguments is None or not required <= arguments.keys():
        names = ", ".join(f"`{name}`" for name in sorted(required))
        raise Refusal(readers.family.unfollowed, made, f"{names} have to be written out")
    class_name = arguments["predictor_cls"].value
    check_predictor(readers, made, arguments["checkpoint"].value)
    assert isinstance(made.func, cst.Name | cst.Attribute)
    name = made.func.value if isinstance(made.func, cst.Attribute) and is_from_checkpoint(made) else made.func
    readers.explain(name)
    readers.explained.add(class_name)
    rewrite.review(readers.family.predicts, made.func, "")
    drop_preprocessor(readers, made)
    if predictor.variable is None:
        _write_prediction(readers, predictor.predictions[0], arguments, "")
        return name
    edits = rewrite.arguments_of(made)
    edits.remove(arguments["predictor_cls"])
    if arguments["checkpoint"].keyword is None:
        edits.rename(arguments["checkpoint"], "checkpoint")
    variable = rewrite.new_name(f"{predictor.variable.value}_kwargs")
    readers.edit(made, Edit(*program.outer_span(made.func), "dict"))
    readers.edit(made, Edit(*program.span(predictor.variable), variable))
    for prediction in predictor.predictions:
        _write_prediction(readers, prediction, arguments, variable)
    return name


def _read_batch_predictor(readers: Readers, made: cst.Call) -> _BatchPredictor:
    """Follow a BatchPredictor to where it predicts; raises `Refusal` if anything else is done with it."""
    program = readers.program
    above = program.parent(made)
    if isinstance(above, cst.Attribute):
        return _BatchPredictor(made, None, [_prediction(readers, made)])
    if not isinstance(above, cst.Assign) or len(above.targets) != 1:
        raise Refusal(readers.family.unfollowed, made, "it is not assigned to a variable of its own")
    target = above.targets[0].target
    bindings = program.scope(above).lookup(target.value) if isinstance(target, cst.Name) else ()
    if not isinstance(target, cst.Name) or len(bindings) != 1 or bindings[0].scope.is_class:
        raise Refusal(readers.family.unfollowed, made, "it is not assigned to a variable of its own")
    return _BatchPredictor(made, target, [_prediction(readers, use) for use in program.uses(bindings[0])])


def _prediction(readers: Readers, node: cst.BaseExpression) -> cst.Call:
    """The call of `predict` on a BatchPredictor."""
    program = readers.program
    attribute = program.parent(node)
    prediction = program.parent(attribute) if attribute is not None else None
    if (
        not isinstance(attribute, cst.Attribute)
        or not isinstance(prediction, cst.Call)
        or attribute.attr.value != "predict"
        or prediction.func is not attribute
    ):
        raise Refusal(readers.family.unfollowed, node, "something else than `predict` is done with it")
    return prediction


def _write_prediction(readers: Readers, prediction: cst.Call, made: dict[str, cst.Arg], variable: str) -> None:
    """Turn `predictor.predict(dataset, …)` into `dataset.map_batches(Class, …)`.

    `made` are the arguments that the BatchPredictor was made with, `variable` holds those for the class; empty where
    they have to be written here.
    """
    program, rewrite = readers.program, readers.rewrite
    arguments = bound_arguments(prediction, ("data",))
    if arguments is None or "data" not in arguments:
        raise Refusal("MT104", prediction, "the arguments of `BatchPredictor.predict`")
    form = BATCH_FORMS[readers.family]
    known = (*_RENAMED, *form.with_batch, *_POOL, *_OTHERS)
    others = {name: argument for name, argument in arguments.items() if name not in known}
    if not form.passes_on:
        for name, argument in others.items():
            raise Refusal(readers.family.unfollowed, argument, f"`{name}=...`")
    given = {name: argument for name, argument in arguments.items() if not is_none(argument.value)}
    if "separate_gpu_stage" in given and not is_flag(given["separate_gpu_stage"].value):
        raise Refusal(readers.family.unfollowed, given["separate_gpu_stage"], "`separate_gpu_stage=...`")
    indent, unit = program.indent(program.statement(prediction)), program.module.default_indent
    comments = MovedComments(program, [program.span(prediction)], [*made.values(), *arguments.values()])

    def value(argument: cst.Arg, name: str | None = None) -> Argument:
        text = rewrite.text_of(argument.value)
        return Argument(text, name, comments=comments.before(argument), trailing=comments.behind(argument))

    data = rewrite.text_of(given["data"].value)
    if not isinstance(given["data"].value, _OPERANDS):
        data = f"({data})"
    use_gpu = "" if "use_gpu" in made else _use_gpu(readers, given)
    kwargs = variable
    if not variable:
        items = [value(argument, name) for name, argument in made.items() if name != "predictor_cls"]
        items += [Argument(use_gpu, "use_gpu")] if use_gpu else []
        kwargs = call("dict", items, indent + unit, unit, before="fn_constructor_kwargs=,")
    elif use_gpu:
        kwargs = f'{{**{variable}, "use_gpu": {use_gpu}}}'
    pool = [value(given[name], field) for name, field in _POOL.items() if name in given]
    strategy = rewrite.imports.name("ray.data.ActorPoolStrategy")
    taken = {name: given[name] for name in form.with_batch if name in given} | others
    with_batch = [f'"{name}": {rewrite.text_of(argument.value)}' for name, argument in taken.items()]
    new = [
        Argument(kwargs, "fn_constructor_kwargs"),
        *([Argument(f"{{{', '.join(with_batch)}}}", "fn_kwargs")] if with_batch else []),
        value(given["batch_size"], "batch_size") if "batch_size" in given else Argument("4096", "batch_size"),
        Argument(f'"{form.batch_format}"', "batch_format"),
        Argument(call(strategy, pool, indent + unit, unit, before="compute=,"), "compute"),
        *(value(given[name], field) for name, field in _RENAMED.items() if name in given),
    ]
    if "ray_remote_args" in given:
        new.append(Argument(rewrite.text_of(given["ray_remote_args"].value), star="**"))
    name = batch_class(readers, prediction)
    written = call(f"{data}.map_batches", [Argument(name, comments=tuple(comments.rest())), *new], indent, unit)
    readers.edit(prediction, Edit(*program.span(prediction), written))


def _use_gpu(readers: Readers, given: dict[str, cst.Arg]) -> str:
    """What `use_gpu` a BatchPredictor set by itself; empty where it is off."""
    gpus = given.get("num_gpus_per_worker")
    if gpus is None:
        return ""
    if isinstance(gpus.value, cst.Integer | cst.Float):
        return "True" if gpus.value.evaluated_value > 0 else ""
    if not _can_be_repeated(readers.program, gpus.value):
        raise Refusal(
            readers.family.unfollowed, gpus, "whether it is more than 0 can't be asked without evaluating it again"
        )
    text = readers.program.text(gpus.value)
    return f"({text}) > 0" if isinstance(gpus.value, cst.IfExp) and not gpus.value.lpar else f"{text} > 0"


def _can_be_repeated(program: Program, value: cst.BaseExpression) -> bool:
    """Whether a number may be evaluated twice: a variable, `int(use_gpu)` or `1 if use_gpu else 0`."""
    if isinstance(value, cst.IfExp):
        return all(_can_be_repeated(program, part) for part in (value.test, value.body, value.orelse))
    if isinstance(value, cst.Call) and program.is_builtin(value.func, "int") and len(value.args) == 1:
        return not value.args[0].star and _can_be_repeated(program, value.args[0].value)
    return isinstance(value, cst.Name | cst.Attribute | cst.Integer | cst.Float)
