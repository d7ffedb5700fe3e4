"""Arguments of `TrainingArguments` and `Trainer` that programs for legacy Ray gave, and what became of them since.

Compared are the signatures of every minor release from 4.28 on, which the legacy trainers ran with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Version = tuple[int, int]

# The first arguments of `TrainingArguments` by position, as all releases had them that the legacy trainers ran with.
POSITIONAL = ("output_dir", "overwrite_output_dir", "do_train", "do_eval", "do_predict", "evaluation_strategy")
# Since this release the second of them is gone, and the others have moved.
POSITIONAL_UNTIL: Version = (5, 0)
# Those of `Trainer`; since 4.46 another one stands before `compute_metrics`.
TRAINER_POSITIONAL = (
    "model",
    "args",
    "data_collator",
    "train_dataset",
    "eval_dataset",
    "tokenizer",
    "model_init",
    "compute_metrics",
    "callbacks",
    "optimizers",
    "preprocess_logits_for_metrics",
)
# `Trainer` gives `compute_loss` another argument since.
LOSS_GETS_NUMBER_OF_ITEMS: Version = (4, 46)
NUMBER_OF_ITEMS = "num_items_in_batch"

USE_CPU_SINCE: Version = (4, 32)
ACCUMULATES_BY_TOKENS_SINCE: Version = (4, 46)
# The loss of a model that doesn't divide it by the number of items is multiplied by the number of workers since.
AVERAGES_TOKENS_SINCE: Version = (4, 54)
AVERAGES_TOKENS = "average_tokens_across_devices"


@dataclass(frozen=True)
class Change:
    """What became of an argument: `removed` says since when it is refused.

    `new` takes the same values since the release `since`. Without it, `values` gives what to write for some values (by
    their text), the empty text for nothing, as they had no effect; `advice` says what a person can do for the others.
    One that `is_idle` had no effect on what workers of Ray do.
    """

    removed: Version
    new: str | None = None
    since: Version | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    advice: str = ""
    is_idle: bool = False


def _without_effect() -> Change:
    return Change((5, 0), advice="it had no effect", is_idle=True)


_OFF = {"False": "", "None": ""}

TRAINING_ARGUMENTS: dict[str, Change] = {
    "evaluation_strategy": Change((4, 51), "eval_strategy", (4, 41)),
    "no_cuda": Change((5, 0), "use_cpu", USE_CPU_SINCE),
    "xpu_backend": Change((4, 32), "ddp_backend", (4, 31)),
    "per_gpu_train_batch_size": Change((5, 0), "per_device_train_batch_size"),
    "per_gpu_eval_batch_size": Change((5, 0), "per_device_eval_batch_size"),
    "push_to_hub_token": Change((5, 0), "hub_token"),
    "torchdynamo": Change((5, 0), "torch_compile_backend"),
    "adafactor": Change((5, 0), values={**_OFF, "True": 'optim="adafactor"'}, advice='`optim="adafactor"` is left'),
    "group_by_length": Change(
        (5, 2),
        values={**_OFF, "True": 'train_sampling_strategy="group_by_length"'},
        advice='`train_sampling_strategy="group_by_length"` took its place',
    ),
    "include_inputs_for_metrics": Change(
        (5, 0),
        values={**_OFF, "True": 'include_for_metrics=["inputs"]'},
        advice='`include_for_metrics=["inputs"]` took its place',
    ),
    # Which takes a share of the steps since.
    "warmup_ratio": Change((5, 15), "warmup_steps", (5, 0)),
    "logging_dir": Change((5, 15), advice="the variable TENSORBOARD_LOGGING_DIR took its place"),
    "save_safetensors": Change((5, 0), values={"True": ""}, advice="every checkpoint has the format of safetensors"),
    "jit_mode_eval": Change((5, 0), values=_OFF, advice="the model is evaluated as it is"),
    "use_ipex": Change((4, 57), values=_OFF, advice="Intel's extension is no longer used"),
    "sharded_ddp": Change((4, 35), values={**_OFF, '""': ""}, advice="`fsdp` takes its place"),
    "fsdp_min_num_params": Change(
        (5, 0), values={"0": "", "None": ""}, advice='`fsdp_config={"min_num_params": ...}` took its place'
    ),
    "fsdp_transformer_layer_cls_to_wrap": Change(
        (5, 0), values=_OFF, advice='`fsdp_config={"transformer_layer_cls_to_wrap": [...]}` took its place'
    ),
    "dispatch_batches": Change(
        (4, 51), values={"None": ""}, advice='`accelerator_config={"dispatch_batches": ...}` took its place'
    ),
    "split_batches": Change((4, 51), values=_OFF, advice='`accelerator_config={"split_batches": ...}` took its place'),
    "past_index": Change((5, 0), values={"-1": ""}, advice="the model's past is no longer carried over"),
    "half_precision_backend": Change((5, 0), values={'"auto"': ""}, advice="there is only torch's own backend"),
    "fp16_backend": Change((5, 0), values={'"auto"': ""}, advice="there is only torch's own backend"),
    "push_to_hub_model_id": Change((5, 0), values=_OFF, advice='`hub_model_id="<organization>/<name>"` took its place'),
    "push_to_hub_organization": Change(
        (5, 0), values=_OFF, advice='`hub_model_id="<organization>/<name>"` took its place'
    ),
    "include_tokens_per_second": Change((5, 0), values=_OFF, advice="`include_num_input_tokens_seen` took its place"),
    "overwrite_output_dir": _without_effect(),
    "use_mps_device": _without_effect(),
    "fp16_opt_level": _without_effect(),
    "tpu_num_cores": _without_effect(),
    "tpu_metrics_debug": _without_effect(),
    "use_legacy_prediction_loop": _without_effect(),
    "mp_parameters": _without_effect(),
    "ray_scope": _without_effect(),
}
TRAINER_ARGUMENTS: dict[str, Change] = {"tokenizer": Change((5, 0), "processing_class", (4, 46))}


def written(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
