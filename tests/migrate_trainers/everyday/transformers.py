"""TransformersTrainer programs: the function that makes the Trainer, and its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from everyday import running, settings, tuning
from everyday.files import Parts
from everyday.places import HEADERS, filled, formatted, placed

if TYPE_CHECKING:
    from program_places import Draw

_ARGUMENTS = (
    "'out', save_strategy='epoch', logging_strategy='epoch', num_train_epochs=2",
    "output_dir='out', evaluation_strategy='epoch', save_strategy='epoch', logging_strategy='epoch', report_to='none'",
    "output_dir=f'{NAME}-out',\n        save_strategy='epoch',  # with each epoch\n"
    "        logging_strategy='epoch',\n    ",
    "'out', save_strategy='steps', save_steps=10, logging_steps=5, max_steps=20",
    "'out', logging_strategy='epoch', save_strategy='no', learning_rate=LR",
    "**TRAINING",
)
_TOP = "NAME = 'model'\nLR = 2e-5\nTRAINING = dict(output_dir='out', save_strategy='epoch', logging_strategy='epoch')\n"
_RATES = ("config.get('lr', LR)", "config['lr']", "float(config['lr'])", "config.pop('lr', 1)")
_NAMED = "lr"
# What makes the Trainer: definitions, and the expression that gives it; `rate` reads the configuration.
_FUNCTIONS = {
    "function": (
        "def trainer_init_per_worker(train_dataset, eval_dataset=None, **config):\n"
        "    model = make_model(NAME, lr={rate})\n    args = TrainingArguments({arguments})\n"
        "    return Trainer(model=model, args=args, train_dataset=[1, 2], eval_dataset=[3])\n",
        "trainer_init_per_worker",
    ),
    "documented": (
        "def init_trainer(train_dataset, eval_dataset, **config):\n    '''Make the Trainer of a worker.'''\n"
        "    set_seed = effect\n    set_seed(42)\n\n    # the model\n    model = make_model( NAME )\n"
        "    training_args = TrainingArguments({arguments})\n    trainer = Trainer(model, training_args)\n"
        "    trainer.model.lr = {rate}\n    return trainer\n",
        "init_trainer",
    ),
    "typed": (
        "def init_trainer(train_dataset: Any, eval_dataset: Any = None, lr: float = 0.1, size: int = 3, **_: Any)"
        " -> Trainer:\n    model, arguments = make_model(size), TrainingArguments({arguments})\n"
        "    return Trainer(model=model, args=arguments, train_dataset=[size, lr])\n",
        "init_trainer",
    ),
    "nested helper": (
        "def init_trainer(train_dataset, eval_dataset=None, **config):\n    def compute_metrics(pred):\n"
        "        return {{'accuracy': (pred == 1)}}\n\n    lr = {rate}\n    if (size := config.get('size', 1)) > 1:\n"
        "        effect('large')\n    return Trainer(\n        make_model(size),\n"
        "        TrainingArguments({arguments}),\n        train_dataset=[lr],\n"
        "        compute_metrics = compute_metrics ,\n    )\n",
        "init_trainer",
    ),
    "branches": (
        "def init_trainer(train_dataset, eval_dataset=None, **config):\n    args = TrainingArguments({arguments})\n"
        "    if not config:\n        return Trainer(make_model(), args)\n    lr = {rate}\n"
        "    return Trainer(make_model(NAME, lr), args, train_dataset=[f'{{lr}}' for _ in range(2)])\n",
        "init_trainer",
    ),
    "method": (
        "class Task:\n    def __init__(self, size):\n        self.size = size\n\n"
        "    def init_trainer(self, train_dataset, eval_dataset=None, **config):\n"
        "        args = TrainingArguments({arguments})\n        return Trainer(make_model(self.size, {rate}), args)\n",
        "Task($width).init_trainer",
    ),
    "closure": (
        "def make_init(size):\n    def init_trainer(train_dataset, eval_dataset=None, **config):\n"
        "        args = TrainingArguments({arguments})\n        return Trainer(make_model(size, {rate}), args)\n\n"
        "    return init_trainer\n",
        "make_init($width)",
    ),
    "partial": (
        "def init_trainer(scale, train_dataset, eval_dataset=None, **config):\n"
        "    args = TrainingArguments({arguments})\n    return Trainer(make_model(scale, {rate}), args)\n",
        "partial(init_trainer, $width)",
    ),
    "lambda": (
        "def make_trainer(size, lr):\n    args = TrainingArguments({arguments})\n"
        "    return Trainer(make_model(size, lr), args)\n",
        "lambda train, test=None, **config: make_trainer($width, {rate})",
    ),
    "helper that is called": (
        "def make_args():\n    return TrainingArguments({arguments})\n\n\n"
        "def init_trainer(train_dataset, eval_dataset=None, **config):\n"
        "    return Trainer(make_model(**config), make_args(), train_dataset=[{rate}])\n",
        "init_trainer",
    ),
    "callbacks": (
        "class Stopper(TrainerCallback):\n    def on_log(self, args, state, control, **kwargs): pass\n\n\n"
        "def init_trainer(train_dataset, eval_dataset=None, **config):\n"
        "    trainer = Trainer(make_model({rate}), TrainingArguments({arguments}), train_dataset=[1])\n"
        "    trainer.add_callback(Stopper())\n    return trainer\n",
        "init_trainer",
    ),
}
_CONFIGS = (
    ([], "{'lr': $lr, 'size': $width}"),
    ([], "dict(lr=$lr)"),
    (["init_config = {'lr': $lr}\n"], "init_config"),
    (["init_config = {}\ninit_config['lr'] = $lr\n", "if $epochs > 1:\n    init_config['size'] = 2\n"], "init_config"),
    (["base = {'size': 1}\n"], "{**base, 'lr': $lr}"),
    ([], "{\n    'lr': $lr,  # the rate\n    'size': $epochs * 2,\n}"),
    (["init_config = dict(size=1)\ninit_config.update(lr=$lr)\n"], "init_config"),
)
_DATASETS = (
    "",
    "",
    "",
    "datasets={'train': ray.data.from_items([1, 2, 3, 4])}",
    "datasets={'train': ray.data.from_items([1, 2, 3, 4]), 'evaluation': ray.data.from_items([5, 6])}",
)


_READERS = (
    "model = result.checkpoint.get_model(BertModel)\neffect('read')\n",
    "with result.checkpoint.as_directory() as folder:\n    effect('opened')\n",
    "best, _ = result.best_checkpoints[0]\nprint( best )\n",
)


@st.composite
def transformers_parts(draw: Draw, *, tuned: bool = False) -> Parts:
    """A program that makes a TransformersTrainer, or a HuggingFaceTrainer."""
    held = settings.drawn(draw)
    definition, function = _FUNCTIONS[draw(st.sampled_from(sorted(_FUNCTIONS)))]
    datasets = draw(st.sampled_from(_DATASETS))
    if datasets:
        definition, function = _FED
    given = {"arguments": draw(st.sampled_from(_ARGUMENTS)), "rate": draw(st.sampled_from(_RATES))}
    statements, config = draw(st.sampled_from(_CONFIGS))
    name = draw(st.sampled_from(("TransformersTrainer", "TransformersTrainer", "HuggingFaceTrainer")))
    made, run = running.run_arguments(draw, runs=not tuned)
    first = f"{draw(st.sampled_from(('trainer_init_per_worker=', '')))}{function.format(**given)}"
    arguments = [first, f"trainer_init_config={config}", *run, *([datasets] if datasets else [])]
    call = running.called(draw, name, arguments)
    if tuned:
        end = tuning.tuned(draw, call, tuning.config_spaces(draw, "trainer_init_config"))
    else:
        end = [running.fitted(draw, call, _READERS)]
    main = placed(draw, held, filled(draw, [*statements, *made, *end]), loops=not tuned)
    imports = (
        "from transformers import BertModel\n",
        "from transformers import Trainer, TrainerCallback, TrainingArguments\n",
        "from project import make_model\n",
        "from functools import partial\n",
        "from typing import Any\n",
        *(*tuning.IMPORTS, *settings.IMPORTS, *running.IMPORTS, *running.air_imports(draw)),
    )
    texts = tuple(formatted(draw, one) for one in (held.top, _TOP, definition.format(**given)) if one)
    parts = Parts(imports, texts, formatted(draw, main), draw(st.sampled_from(HEADERS)))
    return running.called_by_ray(draw, parts, "ray.train.huggingface", name)


_FED = (
    "def init_trainer(train_dataset, eval_dataset=None, **config):\n    model = make_model(NAME, {rate})\n"
    "    args = TrainingArguments({arguments})\n    return Trainer(\n        model=model,\n        args=args,\n"
    "        train_dataset=train_dataset,\n        eval_dataset=eval_dataset,\n    )\n",
    "init_trainer",
)
