"""Functions and classes that read Transformers checkpoints, for the user's file.

Each opens a checkpoint as `path`, the folder of the model's files: `opening` writes these lines.
"""

from __future__ import annotations

# The folder below a checkpoint in which `ray.train.huggingface.transformers.RayTrainReportCallback` puts the files.
CHECKPOINT_FOLDER = "checkpoint"

_AT_ROOT = """\
    with checkpoint.as_directory() as path:
"""
_BELOW = """\
    with checkpoint.as_directory() as folder:
        path = {os}.path.join(folder, "{folder}")
"""
_EITHER = """\
    with checkpoint.as_directory() as folder:
        path = {os}.path.join(folder, "{folder}")
        if not {os}.path.isdir(path):
            path = folder
"""

LOAD_PRETRAINED = '''\
def {name}(checkpoint, cls, **kwargs):
    """A model or tokenizer that a checkpoint holds."""
{opening}\
        return cls.from_pretrained(path, **kwargs)
'''
LOAD_WEIGHTS = '''\
def {name}(checkpoint, model):
    """Give a model the weights that a checkpoint holds."""
{opening}\
        file = {os}.path.join(path, "model.safetensors")
        if {os}.path.exists(file):
            {safetensors}.load_model(model, file)
        else:
            file = {os}.path.join(path, "pytorch_model.bin")
            model.load_state_dict({torch}.load(file, map_location="cpu"))
    return model
'''
LOAD_MODEL = '''\
def {name}(checkpoint, model, **kwargs):
    """The model that a checkpoint holds, for its class or for a model that takes its weights."""
    if isinstance(model, {torch}.nn.Module):
        return {load_weights}(checkpoint, model)
    return {load_pretrained}(checkpoint, model, **kwargs)
'''
LOAD_TRAINING_ARGUMENTS = '''\
def {name}(checkpoint):
    """The TrainingArguments that a checkpoint holds, if any."""
{opening}\
        file = {os}.path.join(path, "training_args.bin")
        return {torch}.load(file, weights_only=False) if {os}.path.exists(file) else None
'''
CHECKPOINT_OF_MODEL = '''\
def {name}(model, tokenizer=None, path=None):
    """A checkpoint with the files of a model, and of its tokenizer."""
    path = path or {tempfile}.mkdtemp()
    if isinstance(model, {pretrained_model}):
        model.save_pretrained(path)
    else:
        {torch}.save(model.state_dict(), {os}.path.join(path, "pytorch_model.bin"))
    if tokenizer is not None:
        tokenizer.save_pretrained(path)
    return {checkpoint}.from_directory(path)
'''
LOAD_PIPELINE = '''\
def {name}(checkpoint, use_gpu=False, **kwargs):
    """A Transformers pipeline with the model that a checkpoint holds."""
    if "device_map" not in kwargs:
        kwargs.setdefault("device", 0 if use_gpu else "cpu")
{opening}\
        return {pipeline}(model=path, **kwargs)
'''
# The same where the script names the class of the model, or of the pipeline.
LOAD_PIPELINE_OF_CLASSES = '''\
def {name}(
    checkpoint,
    pipeline_cls=None,
    model_cls=None,
    pretrained_model_kwargs=None,
    use_gpu=False,
    **kwargs,
):
    """A Transformers pipeline with the model that a checkpoint holds."""
    if "device_map" not in kwargs and "device_map" not in (pretrained_model_kwargs or {{}}):
        kwargs.setdefault("device", 0 if use_gpu else "cpu")
{opening}\
        model = path
        if model_cls:
            model = model_cls.from_pretrained(path, **(pretrained_model_kwargs or {{}}))
            if pipeline_cls:
                return pipeline_cls(model=model, **kwargs)
        return {pipeline}(model=model, pipeline_class=pipeline_cls, **kwargs)
'''
PREDICT_FRAME = '''\
def {name}(pipeline, frame, **kwargs):
    """What a pipeline gives for the rows of a data frame, as a data frame."""
    inputs = [frame[name].to_list() for name in frame.columns]
    while isinstance(inputs, list) and len(inputs) == 1:
        (inputs,) = inputs
    outputs = pipeline(inputs, **kwargs)
    rows = [output[0] if isinstance(output, list) and len(output) == 1 else output for output in outputs]
    return {pandas}.DataFrame(rows).rename(columns=str)
'''
PREDICTOR = '''\
class {name}:
    """Predicts with a Transformers pipeline as Ray's TransformersPredictor did."""

    def __init__(self, pipeline):
        self.pipeline = pipeline

    @classmethod
    def from_checkpoint(cls, checkpoint, **kwargs):
        return cls({load_pipeline}(checkpoint, **kwargs))

    def predict(self, data, feature_columns=None, **kwargs):
        """A data frame for a data frame, a dictionary of arrays for an array or a dictionary of them."""
        columns = data if isinstance(data, (dict, {pandas}.DataFrame)) else {{"data": data}}
        frame = {pandas}.DataFrame({{name: list(columns[name]) for name in feature_columns or columns}})
        predictions = {predict_frame}(self.pipeline, frame, **kwargs)
        if isinstance(data, {pandas}.DataFrame):
            return predictions
        return {{name: predictions[name].to_numpy() for name in predictions}}
'''
BATCH_PREDICTOR = '''\
class {name}:
    """Predicts with a Transformers pipeline for each data frame that Ray Data gives it."""

    def __init__(self, checkpoint, **kwargs):
        self.pipeline = {load_pipeline}(checkpoint, **kwargs)

    def __call__(self, frame, feature_columns=None, keep_columns=None, **kwargs):
        predictions = {predict_frame}(self.pipeline, frame[feature_columns] if feature_columns else frame, **kwargs)
        if keep_columns:
            predictions[keep_columns] = frame[keep_columns]
        return predictions
'''


def opening(folder: str | None, os: str) -> str:
    """The lines that open a checkpoint: files at its root (empty), in a folder, or None for either."""
    template = _AT_ROOT if folder == "" else _BELOW if folder else _EITHER
    return template.format(os=os, folder=CHECKPOINT_FOLDER)
