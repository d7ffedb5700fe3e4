"""The runtime's public surface against that of the installed Ray: every difference is listed, with its reason."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = {
    "ray.train": "train_runtime",
    "ray.train.torch": "train_runtime.torch",
    "ray.train.lightning": "train_runtime.lightning",
    "ray.train.huggingface.transformers": "train_runtime.huggingface.transformers",
    "ray.train.collective": "train_runtime.collective",
    "ray.data": "train_runtime.data",
}
# Of `ray.data` there is what training scripts use; of that, these are what a train function calls.
DATA = ("DataIterator.iter_torch_batches", "DataIterator.iter_batches", "DataIterator.iter_rows")

_OF_2_7 = "Ray marks what is gone with a string; here 2.7's values are taken, with a warning"
_SCHEDULING = "read by Ray's scheduler; there is one machine here, and a fixed number of workers"
_FRAMEWORKS = "read by Ray for backends other than torch"

DIFFERENCES = {
    "ray.train.CheckpointConfig(checkpoint_at_end)": _OF_2_7,
    "ray.train.CheckpointConfig(checkpoint_frequency)": _OF_2_7,
    "ray.train.FailureConfig(fail_fast)": _OF_2_7,
    **{
        f"ray.train.RunConfig({name})": _OF_2_7
        for name in ("log_to_file", "progress_reporter", "stop", "sync_config", "verbose")
    },
    "ray.train.RunConfig.storage_context": "Ray's own, undocumented",
    **{
        f"ray.train.ScalingConfig.{name}": _SCHEDULING
        for name in (
            "additional_resources_per_worker",
            "as_placement_group_factory",
            "elasticity_enabled",
            "from_placement_group_factory",
            "max_workers",
            "min_workers",
            "num_tpus_per_worker",
            "total_resources",
        )
    },
    "ray.train.DataConfig.configure": "called by Ray on its own datasets; who overrides it gets an error",
    "ray.train.DataConfig.default_ingest_options": "options of Ray Data's executor",
    **{
        f"ray.train.{config}.{name}": _FRAMEWORKS
        for config in ("BackendConfig", "torch.TorchConfig")
        for name in ("backend_cls", "framework", "to_dict", "train_func_context")
    },
    **{
        f"ray.train.PreemptionError({name})": "nobody takes this machine away: it is for `except` clauses only"
        for name in ("args", "drain_timed_out", "preemption_info")
    },
    "ray.train.TrainContext(worker)": "made by the runtime alone; abstract on Ray",
    "ray.train.TrainingFailedError(args)": "Ray's takes any arguments too, as it inherits them",
    **{
        f"ray.train.Result({name})": "made by the runtime alone; the metrics' frame is computed when it is asked for"
        for name in ("metrics_dataframe", "best_checkpoints", "_storage_filesystem", "_reports", "_filesystem")
    },
    **{
        f"ray.train.{name}": "checkpoints are not validated beside the training; importing it says what to do"
        for name in ("ValidationConfig", "ValidationFn", "ValidationTaskConfig")
    },
    **{
        f"ray.train.torch.TorchCheckpoint({name})": "Ray's passes any arguments on to Checkpoint, which takes these"
        for name in ("args", "kwargs", "path", "filesystem")
    },
    "ray.train.torch.TorchCheckpoint.get_preprocessor": "calling it says what to use instead",
    "ray.train.torch.TorchCheckpoint.set_preprocessor": "calling it says what to use instead",
    "ray.train.lightning.RayFSDPStrategy.lightning_module_state_dict": "mends Lightning 2.0, which is not supported",
    **{
        f"ray.train.huggingface.transformers.RayTrainReportCallback({name})": "its base takes no arguments either"
        for name in ("args", "kwargs")
    },
}


def parameters(thing: Any) -> dict[str, tuple[Any, Any]]:
    """By name, in their order: how each parameter is passed, and its default as text."""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return {}
    return {name: (each.kind, repr(each.default)) for name, each in signature.parameters.items()}


def members(theirs: Any) -> list[str]:
    """Public methods, properties and constants that a class of Ray's adds to what it inherits from elsewhere."""
    return [
        name
        for cls in theirs.__mro__
        if cls.__module__.startswith("ray.") and not issubclass(cls, BaseException)
        for name in vars(cls)
        if not name.startswith("_")
    ]


def differences(name: str, theirs: Any, ours: Any) -> Iterator[str]:
    """What is missing, added or otherwise given in ours."""
    expected, given = parameters(theirs), parameters(ours)
    for parameter in {**expected, **given}:
        if expected.get(parameter) != given.get(parameter):
            yield f"{name}({parameter})"
    shared = [parameter for parameter in expected if parameter in given]
    if shared != [parameter for parameter in given if parameter in expected]:
        yield f"{name}: order"
    if inspect.isclass(theirs):
        for member in members(theirs):
            if not hasattr(ours, member) and member not in getattr(ours, "__dataclass_fields__", ()):
                yield f"{name}.{member}"
            elif callable(getattr(theirs, member, None)) and not inspect.isclass(getattr(theirs, member)):
                yield from differences(f"{name}.{member}", getattr(theirs, member), getattr(ours, member))


@pytest.mark.filterwarnings("ignore")
def test_every_public_name_takes_what_rays_takes() -> None:
    found = set()
    for module, our_module in MODULES.items():
        theirs, ours = importlib.import_module(module), importlib.import_module(our_module)
        for name in DATA if module == "ray.data" else theirs.__all__:
            path, their_thing, our_thing = f"{module}.{name}", theirs, ours
            try:
                for part in name.split("."):
                    their_thing, our_thing = getattr(their_thing, part), getattr(our_thing, part)
            except (AttributeError, ImportError):
                found.add(path)
            else:
                found |= set(differences(path, their_thing, our_thing))
    assert found == set(DIFFERENCES)


@pytest.mark.parametrize(
    ("module", "name", "advice"),
    [
        ("train_runtime", "TrainingIterator", "TorchTrainer"),
        ("train_runtime", "ValidationConfig", "pip install"),
        ("train_runtime.torch", "TorchPredictor", "map_batches"),
        ("train_runtime.torch", "TorchDetectionPredictor", "map_batches"),
        ("train_runtime.torch", "LegacyTorchCheckpoint", "torch.save"),
        ("train_runtime.lightning", "LightningTrainer", "migrate-trainers"),
        ("train_runtime.huggingface.transformers", "TransformersTrainer", "migrate-trainers"),
        ("train_runtime.huggingface", "HuggingFaceTrainer", "migrate-trainers"),
    ],
)
def test_what_is_not_there_says_what_to_do(module: str, name: str, advice: str) -> None:
    with pytest.raises(ImportError, match=advice):
        getattr(importlib.import_module(module), name)
    assert not hasattr(importlib.import_module(module), "no_name_of_rays")
