"""A small program for each finding: one that gives it, and where the tool leaves it, what to write instead.

The tests run every program here, so that each shows what the tool does now.
"""

from __future__ import annotations

from migrate_trainers.adopting.examples import ADOPTION_EXAMPLES
from migrate_trainers.example import Example
from migrate_trainers.settings import Settings

_LIGHTNING = """\
from digits import Data, Net
from ray.air.config import RunConfig, ScalingConfig
from ray.train.lightning import LightningConfigBuilder, LightningTrainer

"""
_CHECKPOINT = "from ray.train.lightning import LightningCheckpoint\n"
_TORCH_CHECKPOINT = "from digits import Net\nfrom ray.train.torch import TorchCheckpoint\n"
_TRANSFORMERS = """\
from ray.air.config import ScalingConfig
from ray.train.huggingface import TransformersTrainer
from reviews import load_reviews, make_model
from transformers import Trainer, TrainingArguments

"""
_ACCELERATE = """\
from accelerate import Accelerator
from ray.air import ScalingConfig, session
from ray.train.huggingface import AccelerateTrainer
from training import train_one_epoch

"""
_SCALING = "ScalingConfig(num_workers=2)"


def _lightning(calls: str = "", arguments: str = "") -> str:
    """A LightningTrainer whose builder gets further calls, with further arguments."""
    return f"""{_LIGHTNING}\
config = LightningConfigBuilder().module(Net).fit_params(datamodule=Data()){calls}.build()
trainer = LightningTrainer(config, scaling_config={_SCALING}{arguments})
"""


def _with_datasets(arguments: str = "", calls: str = "") -> str:
    """A LightningTrainer that is given a dataset, with further arguments and calls of its builder."""
    return f"""{_LIGHTNING}\
trainer = LightningTrainer(
    LightningConfigBuilder().module(Net){calls}.build(),
    scaling_config={_SCALING},
    datasets={{"train": train}},
    datasets_iter_config={{"batch_size": 32}}{arguments},
)
"""


def _with_own_preprocessor(method: str) -> str:
    """A LightningTrainer whose datasets a preprocessor of the script's own transforms."""
    definition = f"\nclass Cutter(Preprocessor):\n    {method}\n\n\ntrainer ="
    program = _with_datasets(", preprocessor=Cutter(8)").replace("trainer =", definition)
    return f"from ray.data.preprocessor import Preprocessor\n{program}"


def _tuned() -> str:
    """A base trainer with the rest of its configuration in the search space."""
    return f"""from ray import tune
{_LIGHTNING}
base = LightningConfigBuilder().module(Net).fit_params(datamodule=Data()).build()
space = LightningConfigBuilder().module(lr=tune.loguniform(1e-4, 1e-1)).build()
trainer = LightningTrainer(base, scaling_config={_SCALING})
tuner = tune.Tuner(
    trainer,
    param_space={{"lightning_config": space}},
    tune_config=tune.TuneConfig(metric="loss", mode="min"),
)
results = tuner.fit()
"""


def _own_module(line: str = "") -> str:
    """A LightningTrainer of a module that the same file defines."""
    return f"""\
import pytorch_lightning as pl
import ray
from ray.air.config import ScalingConfig
from ray.train.lightning import LightningConfigBuilder, LightningTrainer

{line}
class Net(pl.LightningModule):
    ...


def train(loader):
    config = LightningConfigBuilder().module(Net).fit_params(train_dataloaders=loader).build()
    LightningTrainer(lightning_config=config, scaling_config={_SCALING}).fit()
"""


def _transformers(training_arguments: str = '"out"', arguments: str = "") -> str:
    return f"""{_TRANSFORMERS}\
def make_trainer(train_dataset, eval_dataset=None, **config):
    args = TrainingArguments({training_arguments})
    return Trainer(model=make_model(), args=args, train_dataset=load_reviews())


trainer = TransformersTrainer(make_trainer, scaling_config={_SCALING}{arguments})
"""


def _fed(train: str = "train", others: str = "") -> str:
    """A TransformersTrainer that feeds datasets of Ray Data to its function."""
    return f"""{_TRANSFORMERS}\
def make_trainer(train_dataset, eval_dataset=None, **config):
    args = TrainingArguments("out")
    return Trainer(model=make_model(), args=args, train_dataset=train_dataset, eval_dataset=eval_dataset)


trainer = TransformersTrainer(make_trainer, datasets={{"train": {train}{others}}}, scaling_config={_SCALING})
"""


_READS_SHARD = """\
    for batch in session.get_dataset_shard("train").iter_torch_batches(batch_size=32):
        train_on(accelerator, batch)
"""


_REPORTS_MODEL = """\
    model = accelerator.prepare(Net())
    loss = train_one_epoch(accelerator, model)
    session.report({"loss": loss}, checkpoint=TorchCheckpoint.from_state_dict(model.state_dict()))
"""


def _accelerate(accelerate_config: str, body: str = "    train_one_epoch(accelerator)\n", arguments: str = "") -> str:
    return f"""{_ACCELERATE}\
def train_loop():
    accelerator = Accelerator()
{body}

trainer = AccelerateTrainer(train_loop, accelerate_config={accelerate_config}, scaling_config={_SCALING}{arguments})
"""


EXAMPLES: dict[str, Example] = {
    # LightningTrainer
    "MT100": Example(_lightning(".trainer(max_epochs=3)")),
    "MT101": Example(
        f"""{_LIGHTNING}\
def make_trainer(config):
    return LightningTrainer(config, scaling_config={_SCALING})
""",
        instead=f"""{_LIGHTNING}\
def make_trainer(lr):
    config = LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=Data()).build()
    return LightningTrainer(config, scaling_config={_SCALING})
""",
    ),
    "MT102": Example(
        f"""{_LIGHTNING}\
def make_trainer(wide):
    config = {{"width": 1}}
    if wide:
        config = LightningConfigBuilder().module(Net, width=2).fit_params(datamodule=Data()).build()
    return LightningTrainer(config, scaling_config={_SCALING})
""",
        instead=f"""{_LIGHTNING}\
def make_trainer(wide):
    builder = LightningConfigBuilder().module(Net).fit_params(datamodule=Data())
    if wide:
        builder.module(Net, width=2)
    return LightningTrainer(builder.build(), scaling_config={_SCALING})
""",
    ),
    "MT103": Example(
        _lightning() + "pickle.dumps(config)\n",
        instead=_lightning(),
    ),
    "MT104": Example(
        f"""{_LIGHTNING}\
def make_trainer(**arguments):
    config = LightningConfigBuilder().module(Net).fit_params(datamodule=Data()).build()
    return LightningTrainer(config, **arguments)
""",
        instead=f"""{_LIGHTNING}\
def make_trainer(scaling_config):
    config = LightningConfigBuilder().module(Net).fit_params(datamodule=Data()).build()
    return LightningTrainer(config, scaling_config=scaling_config)
""",
    ),
    "MT105": Example(
        f"""{_LIGHTNING}\
def make_trainer(strategy):
    config = LightningConfigBuilder().module(Net).fit_params(datamodule=Data()).build()
    config["_strategy_config"] = strategy
    return LightningTrainer(config, scaling_config={_SCALING})
""",
        instead=_lightning('.strategy("fsdp")'),
    ),
    "MT106": Example(
        f"""{_LIGHTNING}\
config = LightningConfigBuilder().module(Net).fit_params(datamodule=Data())
trainer = LightningTrainer(config, scaling_config={_SCALING})
""",
        instead=_lightning(),
    ),
    "MT107": Example(
        _lightning(arguments=', datasets=make_datasets(), datasets_iter_config={"batch_size": 32}'),
        instead="""\
import ray.train


def train_func():
    train_shard = ray.train.get_dataset_shard("train")
    train_batches = train_shard.iter_torch_batches(batch_size=32)
    trainer.fit(model, train_dataloaders=train_batches)
""",
    ),
    "MT110": Example(_lightning(".trainer(max_epochs=3, num_nodes=2)")),
    "MT111": Example(_lightning(".checkpointing(every_n_train_steps=100)")),
    "MT112": Example(
        f"""{_LIGHTNING}\
def make_trainer(run_config):
    config = LightningConfigBuilder().module(Net).fit_params(datamodule=Data()).build()
    return LightningTrainer(config, scaling_config={_SCALING}, run_config=run_config)
"""
    ),
    "MT113": Example("import pytorch_lightning as pl\n" + _lightning()),
    "MT114": Example(_lightning()),
    "MT115": Example(
        _lightning(arguments=', run_config=RunConfig(name="digits", failure_config=FailureConfig(2))').replace(
            "import RunConfig", "import FailureConfig, RunConfig"
        )
    ),
    "MT118": Example(_own_module()),
    "MT119": Example(_own_module('ray.init(runtime_env={"pip": ["pytorch-lightning"]})\n')),
    "MT120": Example(_with_datasets(), settings=Settings(source_version=(2, 5))),
    "MT121": Example(_with_datasets(calls=".fit_params(datamodule=Data)")),
    "MT122": Example(
        "from ray.air.config import DatasetConfig\n"
        + _with_datasets(', dataset_config={"train": DatasetConfig(global_shuffle=True)}'),
        instead="""\
from ray.train import DataConfig

trainer = TorchTrainer(
    train_func,
    scaling_config=ScalingConfig(num_workers=2),
    datasets={"train": train.random_shuffle()},
    dataset_config=DataConfig(datasets_to_split=["train"]),
)
""",
    ),
    "MT123": Example(_with_datasets().replace('"batch_size": 32', '"batch_size": 32, "prefetch_blocks": 1')),
    "MT129": Example(_with_own_preprocessor("def __init__(self, limit):\n        self.limit = limit")),
    "MT130": Example(_with_own_preprocessor("def _transform(self, dataset):\n        return dataset")),
    "MT124": Example(
        _with_datasets(", preprocessor=scaler"),
        instead="""\
trainer = TorchTrainer(
    train_func,
    scaling_config=ScalingConfig(num_workers=2),
    datasets={"train": scaler.fit_transform(train)},
)
""",
    ),
    "MT125": Example(
        "from ray.train.batch_predictor import BatchPredictor\n"
        "from ray.train.lightning import LightningPredictor\n"
        "from runs import datasets\n\n"
        + _lightning()
        + "predictor = BatchPredictor.from_checkpoint(trainer.fit().checkpoint, LightningPredictor, model_class=Net)\n"
        + "predictions = [*map(predictor.predict, datasets)]\n",
        instead="""\
import os

import torch
from digits import Net, datasets, result


class Predictor:
    def __init__(self, checkpoint):
        with checkpoint.as_directory() as folder:
            self.model = Net.load_from_checkpoint(os.path.join(folder, "checkpoint.ckpt")).eval()

    def __call__(self, batch):
        with torch.no_grad():
            return {"predictions": self.model(torch.as_tensor(batch["image"])).numpy()}


arguments = {"fn_constructor_args": [result.checkpoint], "batch_size": 64}
predictions = [dataset.map_batches(Predictor, **arguments) for dataset in datasets]
""",
    ),
    "MT126": Example(
        "from ray.train.lightning import LightningPredictor\n"
        + _lightning()
        + "predictor = LightningPredictor.from_checkpoint(trainer.fit().checkpoint, Net)\n"
    ),
    "MT127": Example(_lightning(".trainer(replace_sampler_ddp=False)")),
    "MT128": Example(
        _lightning('.trainer(weights_summary="top")'),
        instead=_lightning(".trainer(enable_model_summary=True)"),
    ),
    # TransformersTrainer
    "MT200": Example(_transformers()),
    "MT201": Example(
        f"""{_TRANSFORMERS}\
def make_trainer(train_dataset):
    return Trainer(model=make_model(), args=TrainingArguments("out"), train_dataset=load_reviews())


trainer = TransformersTrainer(make_trainer, scaling_config={_SCALING})
""",
        instead=_transformers(),
    ),
    "MT202": Example(
        _fed().replace('datasets={"train": train}', "datasets=make_datasets()"),
        instead=_fed('make_datasets()["train"]'),
    ),
    "MT203": Example(
        f"""{_TRANSFORMERS}\
def make_trainer(train_dataset, eval_dataset=None, **config):
    return Trainer(model=make_model(), args=TrainingArguments("out"), train_dataset=train_dataset.map(tokenize))


trainer = TransformersTrainer(make_trainer, datasets={{"train": train}}, scaling_config={_SCALING})
""",
        instead=_fed("train.map(tokenize)"),
    ),
    "MT204": Example(
        _accelerate("{}", _READS_SHARD),
        instead=_accelerate("{}", _READS_SHARD, arguments=', datasets={"train": train}'),
    ),
    "MT205": Example(
        f"""{_TRANSFORMERS}\
class ReviewTrainer(TransformersTrainer):
    def __init__(self, **settings):
        super().__init__(make_trainer, trainer_init_config=settings, scaling_config={_SCALING})


trainer = ReviewTrainer(lr=1e-3)
""",
        instead=f"""{_TRANSFORMERS}\
def review_trainer(**settings):
    return TransformersTrainer(make_trainer, trainer_init_config=settings, scaling_config={_SCALING})


trainer = review_trainer(lr=1e-3)
""",
    ),
    "MT208": Example(
        _transformers('"out", evaluation_strategy="epoch"'),
        instead=_transformers('"out", evaluation_strategy="epoch", logging_strategy="epoch", save_strategy="epoch"'),
    ),
    "MT210": Example(_transformers('"out", save_strategy="no"')),
    "MT211": Example(_transformers('"out", report_to="wandb"')),
    "MT212": Example(_transformers('"out", evaluation_strategy="steps"')),
    "MT213": Example(
        f"""{_TRANSFORMERS}\
def make_trainer(train_dataset, eval_dataset=None, **config):
    return make_model().trainer(load_reviews())


trainer = TransformersTrainer(make_trainer, scaling_config={_SCALING})
"""
    ),
    "MT214": Example(_transformers('"out", save_strategy="epoch", logging_strategy="epoch"')),
    "MT215": Example(_transformers()),
    "MT218": Example(_transformers('"out", save_strategy="epoch", logging_strategy="epoch"')),
    "MT224": Example(_transformers('"out", jit_mode_eval=True')),
    "MT225": Example(_transformers('"out", jit_mode_eval=True'), settings=Settings(target_transformers=(5, 0))),
    "MT226": Example(
        f"""{_TRANSFORMERS}\
class Smoothed(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False):
        return super().compute_loss(model, inputs, return_outputs)


def make_trainer(train_dataset, eval_dataset=None, **config):
    return Smoothed(model=make_model(), args=TrainingArguments("out"), train_dataset=load_reviews())


trainer = TransformersTrainer(make_trainer, scaling_config={_SCALING})
"""
    ),
    "MT227": Example(
        f"""{_TRANSFORMERS}\
def make_trainer(train_dataset, eval_dataset=None, **config):
    return make_model().trainer(load_reviews())


trainer = TransformersTrainer(make_trainer, scaling_config={_SCALING})
"""
    ),
    "MT228": Example(_transformers('"out", gradient_accumulation_steps=4')),
    # AccelerateTrainer
    "MT216": Example(_fed()),
    "MT217": Example(_fed(others=', "evaluation": test')),
    "MT300": Example(_accelerate('{"mixed_precision": "bf16"}')),
    "MT301": Example(
        _accelerate('{"mixed_precision": train_one_epoch()}'),
        instead=_accelerate('{"mixed_precision": "bf16"}'),
    ),
    "MT302": Example(
        _accelerate('{"gradient_accumulation_steps": 2}'),
        instead=_accelerate("{}"),
    ),
    "MT303": Example(
        f"""{_ACCELERATE}\
trainer = AccelerateTrainer(
    train_one_epoch, accelerate_config={{"mixed_precision": "bf16"}}, scaling_config={_SCALING}
)
""",
        instead=_accelerate('{"mixed_precision": "bf16"}'),
    ),
    "MT304": Example(
        _accelerate('"accelerate.yaml"'),
        instead=_accelerate('{"mixed_precision": "bf16"}'),
    ),
    "MT310": Example(_accelerate("None")),
    "MT311": Example(_accelerate('{"gpu_ids": "0,1"}')),
    "MT312": Example(
        _accelerate("{}").replace(f"scaling_config={_SCALING}", "scaling_config=scaling"),
    ),
    "MT313": Example(_accelerate("{}", "    if accelerator.is_local_main_process:\n        print(1)\n")),
    "MT314": Example(_accelerate('{"distributed_type": "FSDP", "fsdp_config": {"fsdp_use_orig_params": True}}')),
    "MT315": Example(
        _accelerate("settings").replace("def train_loop", 'settings = {"mixed_precision": "bf16"}\n\n\ndef train_loop')
        + 'print(settings["num_processes"])\n'
    ),
    "MT316": Example(_accelerate('"accelerate.yaml"'), files={"accelerate.yaml": "mixed_precision: bf16\n"}),
    # Checkpoints, sessions and other parts of AIR
    "MT400": Example(
        _CHECKPOINT + 'checkpoint = LightningCheckpoint.from_uri("s3://bucket/run/checkpoint_000001")\n',
    ),
    "MT401": Example(
        _lightning() + "weights = trainer.fit().checkpoint.to_dict()\n",
        instead="""\
import os

import torch
from digits import trainer

with trainer.fit().checkpoint.as_directory() as folder:
    weights = torch.load(os.path.join(folder, "checkpoint.ckpt"))
""",
    ),
    "MT402": Example(_lightning(arguments=", run_config=RunConfig(verbose=1)")),
    "MT403": Example(
        _lightning(arguments=', run_config=RunConfig(stop={"training_iteration": 3})'),
        instead=_lightning(".trainer(max_epochs=3)"),
    ),
    "MT404": Example(_accelerate("{}", '    session.report({"loss": train_one_epoch(accelerator)})\n')),
    "MT405": Example(
        _accelerate("{}", "    train_one_epoch(accelerator, session.get_trial_id())\n"),
        instead="""\
import ray.train
from training import train_one_epoch


def train_loop():
    train_one_epoch(ray.train.get_context().get_experiment_name())
""",
    ),
    "MT406": Example(_lightning() + 'print(trainer.fit().metrics["training_iteration"])\n'),
    "MT407": Example("import ray\n\nray.init()\n" + _lightning(), settings=Settings(bundled=True)),
    "MT408": Example(
        "from settings import of_run\n" + _lightning(arguments=", run_config=RunConfig(**of_run)"),
    ),
    "MT409": Example(_accelerate("{}", "    train_one_epoch(accelerator, session.get_trial_name())\n")),
    "MT410": Example(_lightning() + "model = trainer.fit().checkpoint.get_model(Net)\n"),
    "MT411": Example(
        _CHECKPOINT + "from runs import last_run\n\n" + _lightning() + "model = last_run().checkpoint.get_model(Net)\n",
        instead="""\
import os

from digits import Net
from runs import last_run

with last_run().checkpoint.as_directory() as folder:
    model = Net.load_from_checkpoint(os.path.join(folder, "checkpoint.ckpt"))
""",
    ),
    "MT412": Example(
        _CHECKPOINT
        + _lightning(arguments=', resume_from_checkpoint=LightningCheckpoint.from_path("/mnt/digits/last.ckpt")')
    ),
    "MT415": Example(
        _lightning() + 'trainer = LightningTrainer.restore("~/ray_results/digits")\n',
        instead="""\
from digits import scaling_config, train_func
from ray.train import RunConfig
from ray.train.torch import TorchTrainer

trainer = TorchTrainer(train_func, scaling_config=scaling_config, run_config=RunConfig(name="digits"))
""",
    ),
    "MT416": Example(
        _LIGHTNING
        + f"""\
config = LightningConfigBuilder().module(Net).fit_params(datamodule=Data()).build()
if LightningTrainer.can_restore("~/ray_results/digits"):
    trainer = LightningTrainer.restore("~/ray_results/digits")
else:
    trainer = LightningTrainer(config, scaling_config={_SCALING}, run_config=RunConfig(name="digits"))
"""
    ),
    "MT417": Example("import glob\n\n" + _lightning() + 'glob.glob("runs/LightningTrainer_*/checkpoint_*")\n'),
    "MT418": Example(_lightning() + "trainer.fit().metrics_dataframe.plot()\n"),
    "MT419": Example(_lightning() + "print(trainer.fit().log_dir)\n"),
    # Transformers checkpoints
    "MT420": Example(
        "from transformers import AutoModel\n"
        + _transformers()
        + "model = trainer.fit().checkpoint.get_model(AutoModel)\n"
    ),
    "MT421": Example(
        "from runs import last_run\nfrom transformers import AutoModel\n\n"
        + _transformers()
        + "model = last_run().checkpoint.get_model(AutoModel)\n",
        instead="""\
from runs import last_run
from transformers import AutoModel

with last_run().checkpoint.as_directory() as folder:
    model = AutoModel.from_pretrained(folder)
""",
    ),
    "MT422": Example(
        "from ray.train.huggingface import TransformersPredictor\n"
        + _transformers()
        + 'TransformersPredictor.from_checkpoint(trainer.fit().checkpoint, task="text-classification")\n'
    ),
    "MT423": Example(
        "from ray.train.batch_predictor import BatchPredictor\n"
        "from ray.train.huggingface import TransformersPredictor\n"
        "from runs import datasets\n\n"
        + _transformers()
        + "result = trainer.fit()\n"
        + "predictor = BatchPredictor.from_checkpoint(result.checkpoint, TransformersPredictor, task='fill-mask')\n"
        + "predictions = [*map(predictor.predict, datasets)]\n",
        instead="""\
from reviews import datasets, result
from transformers import pipeline


class Predictor:
    def __init__(self, checkpoint):
        with checkpoint.as_directory() as folder:
            self.pipeline = pipeline("fill-mask", model=folder)

    def __call__(self, batch):
        return {"predicted": [best[0]["token_str"] for best in self.pipeline(list(batch["text"]))]}


arguments = {"fn_constructor_args": [result.checkpoint], "batch_size": 64}
predictions = [dataset.map_batches(Predictor, **arguments) for dataset in datasets]
""",
    ),
    "MT430": Example(
        "from ray.air import Checkpoint, session\n"
        + _accelerate("{}", '    session.report({"loss": 0.1}, checkpoint=Checkpoint.from_dict({"epoch": 1}))\n')
    ),
    "MT431": Example(
        _TORCH_CHECKPOINT + _accelerate("{}", _REPORTS_MODEL) + "model = trainer.fit().checkpoint.get_model(Net())\n"
    ),
    "MT432": Example(
        _TORCH_CHECKPOINT
        + "from ray.train.torch import TorchPredictor\n"
        + _accelerate("{}", _REPORTS_MODEL)
        + "predictor = TorchPredictor.from_checkpoint(trainer.fit().checkpoint, Net())\n"
    ),
    "MT433": Example(
        _TORCH_CHECKPOINT
        + "from ray.train.torch import TorchPredictor\n\n"
        + _accelerate("{}", "    train_one_epoch(accelerator)\n")
        + """

class Predictor(TorchPredictor):
    def call_model(self, inputs):
        return super().call_model(inputs)[0]
""",
        instead="""\
import torch
from digits import Net


class Predictor:
    def __init__(self, weights):
        self.model = Net()
        self.model.load_state_dict(weights)

    def __call__(self, batch):
        with torch.no_grad():
            return {"predictions": self.model(torch.as_tensor(batch["x"]))[0].numpy()}
""",
    ),
    "MT434": Example(
        _TORCH_CHECKPOINT
        + _accelerate("{}", _REPORTS_MODEL)
        + 'model = TorchCheckpoint.from_uri("s3://bucket/run/checkpoint_000001").get_model(Net())\n',
    ),
    "MT435": Example(
        "from ray.air import Checkpoint\n"
        + _accelerate(
            "{}",
            "    accelerator.save(train_one_epoch(accelerator), 'model/weights.pt')\n"
            "    session.report({}, checkpoint=Checkpoint.from_directory('model'))\n",
        )
    ),
    "MT436": Example(
        "from ray.air import Checkpoint\n"
        + _accelerate(
            "{}",
            "    report = session.report\n"
            "    report({'loss': train_one_epoch(accelerator)}, checkpoint=Checkpoint.from_directory('model'))\n",
        )
    ),
    # Tune
    "MT500": Example(_tuned()),
    "MT501": Example(
        "from ray import tune\nfrom spaces import load_space\n"
        + _lightning()
        + "tune.Tuner(trainer, param_space=load_space()).fit()\n",
        instead="""\
from ray import tune
from training import make_trainer


def driver(config):
    make_trainer(config["lr"]).fit()


tune.Tuner(driver, param_space={"lr": tune.loguniform(1e-4, 1e-1)}).fit()
""",
    ),
    "MT502": Example(_tuned()),
    "MT504": Example(
        _tuned().replace("from ray import tune\n", "from ray import tune\nfrom ray.tune.schedulers import PB2\n", 1)
        + """\
tune.Tuner(
    trainer,
    param_space={"lightning_config": space},
    tune_config=tune.TuneConfig(
        scheduler=PB2(
            hyperparam_bounds={"lightning_config": LightningConfigBuilder().module(lr=[1e-4, 1e-1]).build()},
        ),
    ),
)
"""
    ),
    "MT503": Example(_tuned() + "print(results.get_best_result().checkpoint)\n"),
    "MT506": Example(
        "from ray import tune\n"
        + _accelerate("{}")
        + 'tune.run_experiments(\n    {\n        "search": {\n'
        + '            "run": trainer.as_trainable(),\n'
        + '            "config": {"train_loop_config": {"lr": tune.uniform(0, 1)}},\n'
        + '            "num_samples": 4,\n        },\n    }\n)\n',
        instead="from ray import tune\nfrom ray.air.config import RunConfig\n"
        + _accelerate("{}")
        + "tune.Tuner(\n    trainer,\n"
        + '    param_space={"train_loop_config": {"lr": tune.uniform(0, 1)}},\n'
        + "    tune_config=tune.TuneConfig(num_samples=4),\n"
        + '    run_config=RunConfig(name="search"),\n).fit()\n',
    ),
    "MT507": Example(_tuned() + "print(results.get_best_result().log_dir)\n"),
    "MT508": Example(_tuned() + 'tune.Tuner.restore("/runs/search", trainable=trainer, resume_errored=True).fit()\n'),
    "MT505": Example(
        "from ray import tune\n"
        + _accelerate("{}")
        + 'tune.Tuner(trainer, param_space={"accelerate_config": {"mixed_precision": tune.choice(["no", "bf16"])}})\n',
        instead="from ray import tune\n"
        + _accelerate("{}").replace(
            "train_loop():\n    accelerator = Accelerator()",
            'train_loop(config):\n    accelerator = Accelerator(mixed_precision=config["precision"])',
        )
        + 'tune.Tuner(trainer, param_space={"train_loop_config": {"precision": tune.choice(["no", "bf16"])}})\n',
    ),
} | ADOPTION_EXAMPLES
