"""Callback classes that the rewriter writes into a user's file where Ray's own would report differently."""

from __future__ import annotations

# The file in a checkpoint directory, as `ray.train.lightning.RayTrainReportCallback` names it.
LIGHTNING_CHECKPOINT = "checkpoint.ckpt"
# The same file as LightningTrainer named it.
LEGACY_LIGHTNING_CHECKPOINT = "model"

LIGHTNING_CALLBACK = '''\
class {name}({model_checkpoint}):
    """Reports to Ray Train whenever Lightning saves its last checkpoint, as LightningTrainer did."""

    def __init__(self, **kwargs):
        super().__init__(**{{**kwargs, "save_last": True}})
        self._unreported = False

    def _save_last_checkpoint(self, trainer, monitor_candidates):
        super()._save_last_checkpoint(trainer, monitor_candidates)
        self._unreported = True

    def on_train_batch_end(self, trainer, *args, **kwargs):
        steps = self._every_n_train_steps
        due = steps >= 1 and trainer.global_step % steps == 0 and not self._should_skip_saving_checkpoint(trainer)
        super().on_train_batch_end(trainer, *args, **kwargs)
        self._report(trainer, "train_batch_end", due)

    def on_train_epoch_end(self, trainer, *args, **kwargs):
        due = not self._should_skip_saving_checkpoint(trainer) and self._should_save_on_train_epoch_end(trainer)
        super().on_train_epoch_end(trainer, *args, **kwargs)
        self._report(trainer, "train_epoch_end", due)

    def on_validation_end(self, trainer, *args, **kwargs):
        due = not self._should_skip_saving_checkpoint(trainer) and not self._should_save_on_train_epoch_end(trainer)
        super().on_validation_end(trainer, *args, **kwargs)
        self._report(trainer, "validation_end", due)

    def _report(self, trainer, hook, due):
        if due and not self._unreported:
            # Newer Lightning saves the last checkpoint only beside another one.
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))
        if not self._unreported:
            return
        self._unreported = False
        metrics = {{"_report_on": hook}}
        for key, value in self._monitor_candidates(trainer).items():
            if hasattr(value, "item"):
                metrics[key] = value.item()
        trainer.strategy.barrier()
        with {tempfile}.TemporaryDirectory() as folder:
            checkpoint = None
            if {owns_checkpoint}:
                target = {os}.path.join(folder, "{checkpoint}")
                if {os}.path.isdir(self.last_model_path):
                    {shutil}.copytree(self.last_model_path, target)
                else:
                    {shutil}.copyfile(self.last_model_path, target)
                checkpoint = {checkpoint_class}.from_directory(folder)
            {report}(metrics, checkpoint=checkpoint)
'''

TRIAL_CALLBACK = '''\
class {name}({user_callback}):
    """Hands each report to the trial, with its checkpoint."""

    def __init__(self, reports):
        self.reports = reports

    def after_report(self, run_context, metrics, checkpoint):
        self.reports.put((metrics[0], checkpoint))
'''
FIT_IN_TRIAL = '''\
def {name}(trainer, reports):
    """Fit a trainer, and report to Tune what its workers report."""
    ended = []

    def fit():
        try:
            trainer.fit()
            ended.append(None)
        except Exception as error:
            ended.append(error)

    {threading}.Thread(target=fit, daemon=True).start()
    while not ended or not reports.empty():
        try:
            metrics, checkpoint = reports.get(timeout=1)
        except {empty}:
            continue
        {report_lines}
    if ended[0] is not None:
        raise ended[0]
'''
# What goes into that, where a scheduler may start trials from the checkpoints, and where it doesn't.
REPORT_CHECKPOINT = """\
if checkpoint:
            checkpoint = {checkpoint_class}(checkpoint.path, checkpoint.filesystem)
        {report}(metrics, checkpoint=checkpoint)"""
REPORT_CHECKPOINT_PATH = """\
if checkpoint:
            metrics["checkpoint_path"] = checkpoint.path
        {report}(metrics)"""

LOAD_MODEL = '''\
def {name}(checkpoint, model_class, **kwargs):
    """The Lightning module that a checkpoint holds."""
    with checkpoint.as_directory() as folder:
        path = {os}.path.join(folder, "{file}")
        return model_class.load_from_checkpoint(path, **kwargs)
'''
LOAD_ANY_MODEL = '''\
def {name}(checkpoint, model_class, **kwargs):
    """The Lightning module that a checkpoint of a train function, or of LightningTrainer, holds."""
    with checkpoint.as_directory() as folder:
        path = {os}.path.join(folder, "{file}")
        if not {os}.path.exists(path):
            path = {os}.path.join(folder, "{other}")
        return model_class.load_from_checkpoint(path, **kwargs)
'''
UPLOAD_CHECKPOINT = '''\
def {name}(checkpoint, uri):
    """Copy the files of a checkpoint to a URI, and give that."""
    with checkpoint.as_directory() as folder:
        {copy_files}(folder, uri)
    return uri
'''
CHECKPOINT_OF_FILE = '''\
def {name}(path):
    """A checkpoint with a copy of the file that Lightning wrote."""
    folder = {tempfile}.mkdtemp()
    {shutil}.copy(path, {os}.path.join(folder, "{file}"))
    return {checkpoint}.from_directory(folder)
'''

PREDICTOR = '''\
class {name}:
    """Predicts with a {kind} as Ray's {predictor} did."""

    def __init__(self, model, use_gpu=False):
        self.device = {torch}.device("cuda" if use_gpu else "cpu")
        self.model = model.to(self.device).eval()

    @classmethod
    def from_checkpoint(cls, {parameters}):
        return cls({load_model}({arguments}), use_gpu)

    def predict(self, data, dtype=None):
        """A dictionary of arrays for an array or a dictionary of them, a data frame for a data frame."""
        if isinstance(data, {numpy}.ndarray):
            inputs = self._tensor(data, dtype)
        else:
            inputs = {{name: self._tensor({numpy}.asarray(data[name]), dtype, name) for name in data}}
            if len(inputs) == 1:
                (inputs,) = inputs.values()
        with {torch}.no_grad():
            outputs = self.model(inputs)
        if not isinstance(outputs, dict):
            outputs = {{"predictions": outputs}}
        arrays = {{name: output.cpu().numpy() for name, output in outputs.items()}}
        if isinstance(data, ({numpy}.ndarray, dict)):
            return arrays
        return type(data)({{name: array if array.ndim == 1 else list(array) for name, array in arrays.items()}})

    def _tensor(self, array, dtype, name=None):
        if array.dtype == object:
            array = {numpy}.stack([{numpy}.asarray(value) for value in array])
        dtype = dtype[name] if isinstance(dtype, dict) else dtype
        return {torch}.as_tensor(array, dtype=dtype, device=self.device)
'''
BATCH_PREDICTOR = '''\
class {name}:
    """Predicts with the {kind} of a checkpoint, for each batch that Ray Data gives it."""

    def __init__(self, {parameters}):
        self.device = {torch}.device("cuda" if use_gpu else "cpu")
        self.model = {load_model}({arguments}).to(self.device).eval()

    def __call__(self, batch, dtype=None, feature_columns=None, keep_columns=()):
        inputs = {{
            name: self._tensor(column, dtype[name] if isinstance(dtype, dict) else dtype)
            for name, column in batch.items()
            if name in (feature_columns or batch)
        }}
        if len(inputs) == 1:
            (inputs,) = inputs.values()
        with {torch}.no_grad():
            outputs = self.model(inputs)
        if not isinstance(outputs, dict):
            outputs = {{"predictions": outputs}}
        predictions = {{name: output.cpu().numpy() for name, output in outputs.items()}}
        return {{**predictions, **{{name: batch[name] for name in keep_columns}}}}

    def _tensor(self, column, dtype):
        if column.dtype == object:
            column = {numpy}.stack([{numpy}.asarray(value) for value in column])
        return {torch}.as_tensor(column, dtype=dtype, device=self.device)
'''

REPORT_WHEN_SAVED_CALLBACK = '''\
class {name}({ray_callback}):
    """Reports a checkpoint once all workers have saved: each of them copies its files."""

    def on_save(self, args, state, control, **kwargs):
        {torch}.distributed.barrier()
        super().on_save(args, state, control, **kwargs)
'''

TRANSFORMERS_CALLBACK = '''\
class {name}({trainer_callback}):
    """Reports to Ray Train on each log and saves at the end, as TransformersTrainer did."""

    def __init__(self):
        self._metrics = {{}}
        self._reported = {{}}
        self._checkpoint = None
        self._logged_step = None

    def on_log(self, args, state, control, logs=None, **kwargs):
        self._metrics.update({{**(logs or {{}}), "step": state.global_step, "epoch": state.epoch}})
        self._logged_step = state.global_step

    def on_save(self, args, state, control, **kwargs):
        folder = {os}.path.abspath({os}.path.join(args.output_dir, f"checkpoint-{{state.global_step}}"))
        if {os}.path.isdir(folder) and {get_context}().get_local_rank() == 0:
            self._checkpoint = {checkpoint_class}.from_directory(folder)

    def on_step_begin(self, args, state, control, **kwargs):
        self._report()

    def on_epoch_begin(self, args, state, control, **kwargs):
        self._report()

    def on_step_end(self, args, state, control, **kwargs):
        if control.should_training_stop and self._eval_strategy(args) == "steps":
            # Newer Transformers evaluates after the last step, without a log of the training.
            control.should_log |= control.should_evaluate
        return control

    def on_epoch_end(self, args, state, control, **kwargs):
        if control.should_training_stop:
            if self._logged_step != state.global_step:
                control.should_evaluate = self._eval_strategy(args) != "no"
                control.should_log = True
            control.should_save = True
        return control

    def on_train_end(self, args, state, control, **kwargs):
        self._metrics = {{**self._reported, **self._metrics}}
        self._report()

    def _eval_strategy(self, args):
        return getattr(args, "eval_strategy", None) or args.evaluation_strategy

    def _report(self):
        if self._metrics:
            {report}(self._metrics, checkpoint=self._checkpoint)
            self._reported, self._metrics, self._checkpoint = self._metrics, {{}}, None
'''

TENSOR_ROWS = '''\
def {name}(shard):
    """The rows of a shard as dictionaries of tensors, in which form TransformersTrainer fed them."""
    return map({get_formatter}("torch").recursive_tensorize, shard.iter_rows())
'''
SHARD_DATASET = '''\
class {name}({iterable_dataset}):
    """A worker's shard of the training data: single rows, of which the Trainer's data collator makes batches."""

    def __init__(self, shard):
        self.shard = shard
        batches = shard.iter_batches(batch_size=None, batch_format="pyarrow")
        self.length = sum(len(batch) for batch in batches)

    def __iter__(self):
        return {tensor_rows}(self.shard)

    def __len__(self):
        return self.length
'''
STREAMED_SHARD = '''\
class {name}({iterable_dataset}):
    """A worker's shard of the training data: single rows, of which the Trainer's data collator makes batches."""

    def __init__(self, shard):
        self.shard = shard

    def __iter__(self):
        return {tensor_rows}(self.shard)
'''
READ_OWN_SHARD = '''\
def {name}(trainer):
    """Have a Trainer read its shard whole: Ray has split the data, and Accelerate would split it once more."""

    class ShardTrainer(type(trainer)):
        def get_train_dataloader(self):
            if not isinstance(self.train_dataset, {shard_dataset}):
                return super().get_train_dataloader()
            self.accelerator.dataloader_config.dispatch_batches = False
            loader = super().get_train_dataloader()
            loader.dataset.num_processes, loader.dataset.process_index = 1, 0
            loader.dataset.drop_last = self.args.dataloader_drop_last
            return loader

    trainer.__class__ = ShardTrainer
    return trainer
'''


def other_file(name: str) -> str:
    """Of the two names of the file in a checkpoint, the one that isn't given."""
    return LEGACY_LIGHTNING_CHECKPOINT if name == LIGHTNING_CHECKPOINT else LIGHTNING_CHECKPOINT


def indented(text: str, indent: str, unit: str) -> str:
    """A template's text for another indentation; the first line is left for the caller to indent."""
    lines = []
    for line in text.rstrip("\n").split("\n"):
        depth = (len(line) - len(line.lstrip(" "))) // 4
        lines.append(f"{indent}{unit * depth}{line.lstrip(' ')}" if line else "")
    return "\n".join(lines).removeprefix(indent)
