"""AccelerateTrainer programs: the train loop, and what accelerate is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from everyday import running, settings, tuning
from everyday.files import Parts
from everyday.places import HEADERS, filled, formatted, placed

if TYPE_CHECKING:
    from program_places import Draw

_ACCELERATORS = (
    "Accelerator()",
    "Accelerator( )",
    "Accelerator(gradient_accumulation_steps=2)",
    "Accelerator(mixed_precision='bf16')",
    "Accelerator(cpu=True, log_with=None)",
)
_REPORTS = (
    "session.report({'loss': lr, 'epoch': epoch})",
    "session.report( dict(loss = lr) )",
    "session.report({**metrics, 'loss': lr})",
    "train.report({'loss': lr})",
    "session.report({'loss': lr}, checkpoint=Checkpoint.from_directory('saved'))",
)
_EPOCHS = "for epoch in range(2):\n{margin}    metrics = {{'epoch':epoch}}\n{margin}    {report}\n"
# What the workers run: definitions, and the expression that gives it.
_LOOPS = {
    "function": (
        "def train_loop_per_worker(config):\n    accelerator = {accelerator}\n    lr = config['lr']\n    {epochs}",
        "train_loop_per_worker",
    ),
    "documented": (
        "def train_loop(config: dict) -> None:\n    '''Train with Accelerate.'''\n    accelerator = {accelerator}\n"
        "    model,  optimizer = accelerator.prepare('model', 'optimizer')\n"
        "    lr = config.get('lr', 1) ; rank = session.get_world_rank()\n    effect(rank)\n    {epochs}",
        "train_loop",
    ),
    "helpers": (
        "def make_accelerator():\n    return {accelerator}\n\n\ndef report(lr, epoch, metrics):\n    {report}\n\n\n"
        "def train_loop(config):\n    accelerator = make_accelerator()\n    effect(f'{{config[\"lr\"]}}')\n"
        "    report(config['lr'], 1, {{}})\n",
        "train_loop",
    ),
    "class": (
        "class Job:\n    def __init__(self, size=1):\n        self.size = size\n\n    def run(self, config):\n"
        "        self.accelerator = {accelerator}\n        lr = config['lr']\n        {deep_epochs}",
        "Job($width).run",
    ),
    "closure": (
        "def make_loop(size, *others):\n    def loop(config):\n        accelerator = {accelerator}\n"
        "        lr = config.get('lr', size)\n        {deep_epochs}\n    return loop\n",
        "make_loop($width)",
    ),
    "partial": (
        "def train_loop(size, config):\n    accelerator = {accelerator}\n    lr = config['lr'] + size\n    {epochs}",
        "partial(train_loop, $width)",
    ),
    "no configuration": (
        "def train_loop():\n    accelerator = {accelerator}\n    lr = 0.1\n    {epochs}",
        "train_loop",
    ),
    "lambda": (
        "def train_loop(lr, size):\n    accelerator = {accelerator}\n    effect(size)\n    {epochs}",
        "lambda config: train_loop(config['lr'], $width)",
    ),
    "decorated": (
        "def logged(function):\n    @wraps(function)\n    def call(config):\n        effect('logged')\n"
        "        return function(config)\n    return call\n\n\n@logged\ndef train_loop(config):\n"
        "    accelerator = {accelerator}\n    lr = config['lr']\n    {epochs}",
        "train_loop",
    ),
    "resumed": (
        "def train_loop(config):\n    accelerator = {accelerator}\n    lr = config['lr']\n"
        "    if (found := session.get_checkpoint()) is not None:\n        with found.as_directory() as folder:\n"
        "            effect(folder)\n    {epochs}",
        "train_loop",
    ),
}
_CONFIGS = (
    ([], "{}"),
    ([], "{}"),
    ([], "{'mixed_precision': 'bf16'}"),
    ([], "dict(mixed_precision='no', num_processes=4)"),
    (["accelerate_config = {'mixed_precision': 'fp16' if $epochs > 5 else 'no'}\n"], "accelerate_config"),
    (["accelerate_config = {}\naccelerate_config['mixed_precision'] = 'bf16'\n"], "accelerate_config"),
    (["accelerate_config = {\n    'distributed_type': 'FSDP',  # sharded\n"
      "    'fsdp_config': {'fsdp_sharding_strategy': 1},\n}\n"], "accelerate_config"),
    ([], "{'distributed_type': 'DEEPSPEED', 'deepspeed_config': {'zero_stage': 2}}"),
    (["base_config = {'compute_environment': 'LOCAL_MACHINE'}\n"], "{**base_config, 'debug': False}"),
)  # fmt: skip
_LOOP_CONFIGS = (
    ([], "{'lr': $lr}"),
    ([], "dict(lr=$lr, size=$width)"),
    (["loop_config = {'lr': $lr}\n"], "loop_config"),
    (["loop_config = {'size': 1}\nloop_config['lr'] = $lr\n"], "loop_config"),
    ([], "{\n    'lr': $lr,  # the rate\n}"),
    (["loop_config = {'size': 1}\n"], "{**loop_config, 'lr': $lr}"),
)


_READERS = (
    "with result.checkpoint.as_directory() as folder:\n    effect('opened')\n",
    "print(f'''{result.metrics['loss']} in {result.path}''')\n",
)


@st.composite
def accelerate_parts(draw: Draw, *, tuned: bool = False) -> Parts:
    """A program that makes an AccelerateTrainer."""
    held = settings.drawn(draw)
    names = [name for name in sorted(_LOOPS) if not tuned or name != "no configuration"]
    loop = draw(st.sampled_from(names))
    definition, function = _LOOPS[loop]
    report = draw(st.sampled_from(_REPORTS))
    given = {
        "accelerator": draw(st.sampled_from(_ACCELERATORS)),
        "report": report,
        "epochs": _EPOCHS.format(margin="    ", report=report),
        "deep_epochs": _EPOCHS.format(margin="        ", report=report),
    }
    statements, config = draw(st.sampled_from(_CONFIGS))
    loop_statements, loop_config = draw(st.sampled_from(_LOOP_CONFIGS))
    made, run = running.run_arguments(draw, runs=not tuned)
    first = f"{draw(st.sampled_from(('train_loop_per_worker=', '')))}{function}"
    arguments = [first, f"train_loop_config={loop_config}", f"accelerate_config={config}", *run]
    call = running.called(draw, "AccelerateTrainer", arguments)
    if tuned:
        end = tuning.tuned(draw, call, tuning.config_spaces(draw, "train_loop_config"))
    else:
        end = [running.fitted(draw, call, _READERS, resumes=loop == "resumed")]
    main = placed(draw, held, filled(draw, [*statements, *loop_statements, *made, *end]), loops=not tuned)
    home = draw(st.sampled_from(("ray.train.huggingface", "ray.train.huggingface.accelerate")))
    imports = (
        "from accelerate import Accelerator\n",
        draw(st.sampled_from(("from ray.air import session\n", "import ray.air.session as session\n"))),
        "from ray import train\n",
        draw(st.sampled_from(("from ray.air import Checkpoint\n", "from ray.train import Checkpoint\n"))),
        "from functools import partial\n",
        *(*tuning.IMPORTS, *settings.IMPORTS, *running.IMPORTS, *running.air_imports(draw)),
    )
    texts = tuple(formatted(draw, one) for one in (held.top, definition.format(**given)) if one)
    parts = Parts(imports, texts, formatted(draw, main), draw(st.sampled_from(HEADERS)))
    return running.called_by_ray(draw, parts, home, "AccelerateTrainer")
