"""LightningPredictor becomes a class of the script; in a BatchPredictor, one that `Dataset.map_batches` calls.

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
from migrate_trainers.rules.legacy_uses import reader_references
from migrate_trainers.rules.literals import is_flag, is_none
from migrate_trainers.writing import templates
from migrate_trainers.writing.arguments import bound_arguments
from migrate_trainers.writing.comments import MovedComments
from migrate_trainers.writing.render import Argument, call

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.checkpoints.readers import Readers

_OPERANDS = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)
# Arguments of `BatchPredictor.predict` that `map_batches` takes under another name.
_RENAMED = {"num_cpus_per_worker": "num_cpus", "num_gpus_per_worker": "num_gpus"}
# Those that the class takes with each batch.
_WITH_BATCH = ("dtype", "feature_columns", "keep_columns")
_POOL = {"min_scoring_workers": "min_size", "max_scoring_workers": "max_size"}
_OTHERS = ("data", "batch_size", "separate_gpu_stage", "ray_remote_args")


def migrate_predictors(readers: Readers) -> None:
    """Rewrite the predictors of a file; raises `Refusal` for the first that can't be followed."""
    program = readers.program
    for made in sorted(program.calls, key=lambda made: program.span(made)[0]):
        qualified = program.qualified_name(made.func) or ""
        if legacy.BATCH_PREDICTOR in (qualified, qualified.removesuffix(".from_checkpoint")):
            _write_batch_predictor(readers, made)
    for node in reader_references(program):
        is_checkpoint = program.qualified_name(node) in legacy.LIGHTNING_CHECKPOINTS
        if not is_checkpoint and node not in readers.explained:
            _write_predictor_class(readers, node)


# One batch at a time


def _write_predictor_class(readers: Readers, node: cst.Name | cst.Attribute) -> None:
    """`LightningPredictor`, wherever it is named: the script's own class has its methods."""
    program, rewrite = readers.program, readers.rewrite
    if program.qualified_name(node) not in legacy.LIGHTNING_PREDICTORS:
        raise Refusal("MT125", node, f"`{program.text(node)}`")
    above = program.parent(node)
    made = program.parent(above) if isinstance(above, cst.Attribute) else above
    if isinstance(made, cst.Call) and made.func in (node, above):
        rewrite.review("MT126", node, "")
    if isinstance(made, cst.Call) and made.func is node:
        _drop_preprocessor(readers, made, position=1)
    elif isinstance(made, cst.Call) and made.func is above and _is_from_checkpoint(made):
        _drop_preprocessor(readers, made)
    elif program.enclosing(node, cst.Annotation) is None:
        raise Refusal("MT125", node, f"`{program.text(node)}` is used without being constructed")
    readers.explain(node)

    load_model = readers.loader(node)

    def text(name: str) -> str:
        return templates.PREDICTOR.format(
            name=name,
            load_model=load_model,
            torch=rewrite.imports.module("torch"),
            numpy=rewrite.imports.module("numpy"),
        )

    readers.edit(node, Edit(*program.span(node), readers.definition("ModelPredictor", node, text)))


def _drop_preprocessor(readers: Readers, node: cst.Call, position: int | None = None) -> None:
    """Take out `preprocessor=None`, also at a position; raises `Refusal` for a preprocessor."""
    for index, argument in enumerate(node.args):
        if argument.star and position is not None:
            raise Refusal("MT104", argument, "the arguments of `LightningPredictor`")
        is_named = argument.keyword is not None and argument.keyword.value == "preprocessor"
        if is_named or (argument.keyword is None and index == position):
            if not is_none(argument.value):
                raise Refusal("MT403", argument, "`preprocessor=...`")
            readers.rewrite.arguments_of(node).remove(argument)


# Whole datasets


@dataclass(frozen=True)
class _BatchPredictor:
    """A BatchPredictor: the call that makes it, the variable that holds it, and the calls that predict with it."""

    made: cst.Call
    variable: cst.Name | None
    predictions: list[cst.Call]


def _write_batch_predictor(readers: Readers, made: cst.Call) -> None:
    program, rewrite = readers.program, readers.rewrite
    predictor = _read_batch_predictor(program, made)
    if rewrite.settings.bundled or "dict" in program.all_bound_names():
        raise Refusal("MT125", made, "nothing here can take its place")
    arguments = bound_arguments(made, ("checkpoint", "predictor_cls"))
    if arguments is None or not {"checkpoint", "predictor_cls", "model_class"} <= arguments.keys():
        raise Refusal("MT125", made, "its checkpoint, class and `model_class` have to be written out")
    class_name = arguments["predictor_cls"].value
    if program.qualified_name(class_name) not in legacy.LIGHTNING_PREDICTORS:
        raise Refusal("MT401", made, "`BatchPredictor`")
    assert isinstance(made.func, cst.Name | cst.Attribute)
    readers.explain(
        made.func.value if isinstance(made.func, cst.Attribute) and _is_from_checkpoint(made) else made.func
    )
    readers.explained.add(class_name)
    rewrite.review("MT126", made.func, "")
    _drop_preprocessor(readers, made)
    if predictor.variable is None:
        _write_prediction(readers, predictor.predictions[0], arguments, "")
        return
    edits = rewrite.arguments_of(made)
    edits.remove(arguments["predictor_cls"])
    if arguments["checkpoint"].keyword is None:
        edits.rename(arguments["checkpoint"], "checkpoint")
    variable = rewrite.new_name(f"{predictor.variable.value}_kwargs")
    readers.edit(made, Edit(*program.outer_span(made.func), "dict"))
    readers.edit(made, Edit(*program.span(predictor.variable), variable))
    for prediction in predictor.predictions:
        _write_prediction(readers, prediction, arguments, variable)


def _is_from_checkpoint(made: cst.Call) -> bool:
    return isinstance(made.func, cst.Attribute) and made.func.attr.value == "from_checkpoint"


def _read_batch_predictor(program: Program, made: cst.Call) -> _BatchPredictor:
    """Follow a BatchPredictor to where it predicts; raises `Refusal` if anything else is done with it."""
    above = program.parent(made)
    if isinstance(above, cst.Attribute):
        return _BatchPredictor(made, None, [_prediction(program, made)])
    if not isinstance(above, cst.Assign) or len(above.targets) != 1:
        raise Refusal("MT125", made, "it is not assigned to a variable of its own")
    target = above.targets[0].target
    bindings = program.scope(above).lookup(target.value) if isinstance(target, cst.Name) else ()
    if not isinstance(target, cst.Name) or len(bindings) != 1 or bindings[0].scope.is_class:
        raise Refusal("MT125", made, "it is not assigned to a variable of its own")
    return _BatchPredictor(made, target, [_prediction(program, use) for use in program.uses(bindings[0])])


def _prediction(program: Program, node: cst.BaseExpression) -> cst.Call:
    """The call of `predict` on a BatchPredictor."""
    attribute = program.parent(node)
    prediction = program.parent(attribute) if attribute is not None else None
    if (
        not isinstance(attribute, cst.Attribute)
        or not isinstance(prediction, cst.Call)
        or attribute.attr.value != "predict"
        or prediction.func is not attribute
    ):
        raise Refusal("MT125", node, "something else than `predict` is done with it")
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
    for name, argument in arguments.items():
        if name not in (*_RENAMED, *_WITH_BATCH, *_POOL, *_OTHERS):
            raise Refusal("MT125", argument, f"`{name}=...`")
    given = {name: argument for name, argument in arguments.items() if not is_none(argument.value)}
    if "separate_gpu_stage" in given and not is_flag(given["separate_gpu_stage"].value):
        raise Refusal("MT125", given["separate_gpu_stage"], "`separate_gpu_stage=...`")
    indent, unit = program.indent(program.statement(prediction)), program.module.default_indent
    comments = MovedComments(program, [program.span(prediction)], [*made.values(), *arguments.values()])

    def value(argument: cst.Arg, name: str | None = None) -> Argument:
        text = rewrite.text_of(argument.value)
        return Argument(text, name, comments=comments.before(argument), trailing=comments.behind(argument))

    load_model = readers.loader(prediction)

    def text(name: str) -> str:
        return templates.BATCH_PREDICTOR.format(
            name=name,
            load_model=load_model,
            torch=rewrite.imports.module("torch"),
            numpy=rewrite.imports.module("numpy"),
        )

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
    with_batch = [f'"{name}": {rewrite.text_of(given[name].value)}' for name in _WITH_BATCH if name in given]
    new = [
        Argument(kwargs, "fn_constructor_kwargs"),
        *([Argument(f"{{{', '.join(with_batch)}}}", "fn_kwargs")] if with_batch else []),
        value(given["batch_size"], "batch_size") if "batch_size" in given else Argument("4096", "batch_size"),
        Argument('"numpy"', "batch_format"),
        Argument(call(strategy, pool, indent + unit, unit, before="compute=,"), "compute"),
        *(value(given[name], field) for name, field in _RENAMED.items() if name in given),
    ]
    if "ray_remote_args" in given:
        new.append(Argument(rewrite.text_of(given["ray_remote_args"].value), star="**"))
    name = readers.definition("BatchModelPredictor", prediction, text)
    written = call(f"{data}.map_batches", [Argument(name, comments=tuple(comments.rest())), *new], indent, unit)
    readers.edit(prediction, Edit(*program.span(prediction), written))


def _use_gpu(readers: Readers, given: dict[str, cst.Arg]) -> str:
    """What `use_gpu` a BatchPredictor set by itself; empty where it is off."""
    gpus = given.get("num_gpus_per_worker")
    if gpus is None:
        return ""
    if isinstance(gpus.value, cst.Integer | cst.Float):
        return "True" if gpus.value.evaluated_value > 0 else ""
    if not isinstance(gpus.value, cst.Name | cst.Attribute):
        raise Refusal("MT125", gpus, "whether it is more than 0 can't be asked without evaluating it again")
    return f"{readers.program.text(gpus.value)} > 0"
