"""The classes that are written into the file in place of Ray's predictors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.rules.checkpoints.dictionaries import torch_model_loader
from migrate_trainers.rules.checkpoints.families import ACCELERATE, LIGHTNING, TRANSFORMERS
from migrate_trainers.rules.checkpoints.models import model_loader
from migrate_trainers.rules.checkpoints.pretrained import opening_of
from migrate_trainers.writing import pretrained_templates, templates

if TYPE_CHECKING:
    from collections.abc import Callable

    import libcst as cst

    from migrate_trainers.rules.checkpoints.readers import Readers


@dataclass(frozen=True)
class BatchForm:
    """How a predictor's class is used with Ray Data.

    `required` are arguments that it is made with, `with_batch` those that it takes with each batch; whether others
    reach its pipeline is said by `passes_on`.
    """

    batch_format: str
    required: frozenset[str]
    with_batch: tuple[str, ...]
    passes_on: bool


BATCH_FORMS = {
    LIGHTNING: BatchForm("numpy", frozenset({"model_class"}), ("dtype", "feature_columns", "keep_columns"), False),
    ACCELERATE: BatchForm("numpy", frozenset(), ("dtype", "feature_columns", "keep_columns"), False),
    TRANSFORMERS: BatchForm("pandas", frozenset(), ("feature_columns", "keep_columns"), True),
}


@dataclass(frozen=True)
class _ModelForm:
    """How a predictor's model is called and loaded: by the `parameters` of the class, and the loader's `arguments`."""

    kind: str
    predictor: str
    loader: Callable[[Readers, cst.CSTNode], str]
    parameters: str
    arguments: str


_MODEL_FORMS = {
    LIGHTNING: _ModelForm(
        "Lightning module",
        "LightningPredictor",
        model_loader,
        "checkpoint, model_class, use_gpu=False, **kwargs",
        "checkpoint, model_class, **kwargs",
    ),
    ACCELERATE: _ModelForm(
        "torch module",
        "TorchPredictor",
        torch_model_loader,
        "checkpoint, model=None, use_gpu=False",
        "checkpoint, model",
    ),
}
_CLASS_ARGUMENTS = frozenset({"model_cls", "pipeline_cls", "pretrained_model_kwargs"})


def predictor_class(readers: Readers, node: cst.CSTNode) -> str:
    """The name of a class with the methods of Ray's predictor, for code at a node."""
    if readers.family is TRANSFORMERS:
        return _pipeline_class(readers, node, "PipelinePredictor", pretrained_templates.PREDICTOR)
    return _model_class(readers, node, "ModelPredictor", templates.PREDICTOR)


def batch_class(readers: Readers, node: cst.CSTNode) -> str:
    """The name of a class for `Dataset.map_batches`, for code at a node."""
    if readers.family is TRANSFORMERS:
        return _pipeline_class(readers, node, "BatchPipelinePredictor", pretrained_templates.BATCH_PREDICTOR)
    return _model_class(readers, node, "BatchModelPredictor", templates.BATCH_PREDICTOR)


def _model_class(readers: Readers, node: cst.CSTNode, candidate: str, template: str) -> str:
    imports = readers.rewrite.imports
    form = _MODEL_FORMS[readers.family]
    load_model = form.loader(readers, node)

    def text(name: str) -> str:
        return template.format(
            name=name,
            load_model=load_model,
            torch=imports.module("torch"),
            numpy=imports.module("numpy"),
            kind=form.kind,
            predictor=form.predictor,
            parameters=form.parameters,
            arguments=form.arguments,
        )

    return readers.definition(candidate, node, text)


def _pipeline_class(readers: Readers, node: cst.CSTNode, candidate: str, template: str) -> str:
    imports = readers.rewrite.imports

    def load_text(name: str) -> str:
        load = pretrained_templates.LOAD_PIPELINE
        if any(_names_classes(readers, call) for call in readers.program.calls):
            load = pretrained_templates.LOAD_PIPELINE_OF_CLASSES
        pipeline = imports.name("transformers.pipeline")
        return load.format(name=name, opening=opening_of(readers), pipeline=pipeline)

    def predict_text(name: str) -> str:
        return pretrained_templates.PREDICT_FRAME.format(name=name, pandas=imports.module("pandas"))

    load_pipeline = readers.definition("load_pipeline", node, load_text)
    predict_frame = readers.definition("predict_frame", node, predict_text)

    def text(name: str) -> str:
        return template.format(
            name=name, load_pipeline=load_pipeline, predict_frame=predict_frame, pandas=imports.module("pandas")
        )

    return readers.definition(candidate, node, text)


def _names_classes(readers: Readers, call: cst.Call) -> bool:
    """Whether a call may make a predictor with a class of a model or pipeline."""
    names = {argument.keyword.value for argument in call.args if argument.keyword is not None}
    if names & _CLASS_ARGUMENTS:
        return True
    mentioned = [call.func, *(argument.value for argument in call.args)]
    qualified = {(readers.program.qualified_name(node) or "").removesuffix(".from_checkpoint") for node in mentioned}
    return bool(qualified & readers.family.predictors) and any(argument.star for argument in call.args)
