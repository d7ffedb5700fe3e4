"""The keys of a built configuration, and what they are called in the dictionaries that the train function unpacks."""

from __future__ import annotations

import libcst as cst

from migrate_trainers.rules.lightning.flow import DICTIONARIES
from migrate_trainers.rules.literals import string

MODULE_CLASS = "module_class"
STRATEGY_CLASS = "strategy_class"
STRATEGY_KWARGS = "strategy_kwargs"
# What holds both where the file chooses between strategies: `build()` shares it as it shared the strategy's name.
STRATEGY = "strategy"
# Key of the built configuration -> the builder's method that filled it.
METHOD_OF_KEY = {
    "_module_init_config": "module",
    "_trainer_init_config": "trainer",
    "_trainer_fit_params": "fit_params",
    "_strategy_config": "strategy",
    "_ddp_strategy_config": "ddp_strategy",
    "_model_checkpoint_config": "checkpointing",
}
KEYS = {"_module_class": MODULE_CLASS, **{key: DICTIONARIES[method] for key, method in METHOD_OF_KEY.items()}}
# Where `_strategy_config` kept the strategy's name.
STRATEGY_NAME = "_strategy_name"


def literal_keys(node: cst.Dict) -> set[str]:
    """The keys of a display that are strings."""
    keys = [string(entry.key) for entry in node.elements if isinstance(entry, cst.DictElement)]
    return {key for key in keys if key is not None}
