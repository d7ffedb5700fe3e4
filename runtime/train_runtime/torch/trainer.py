"""`TorchTrainer`: checks what the user gave, packs it into a plan, has it run."""

from __future__ import annotations

import inspect
import linecache
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from train_runtime import _ray_alias, _runtime_env
from train_runtime.config import DataConfig, RunConfig, ScalingConfig, check_type, warn_ignored
from train_runtime.torch.config import TorchConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from train_runtime._folder import RunFolder
    from train_runtime.checkpoint import Checkpoint
    from train_runtime.result import Result


class TorchTrainer:
    """Runs a function on a group of worker processes that share a torch process group (`ray.train.torch.TorchTrainer`).

    The function is called with `train_loop_config` (`{}` for None) if it has one required positional parameter, and
    without arguments if it has none, as on Ray 2.40 and later: a parameter with a default gets its default. It is
    pickled with cloudpickle, so closures, lambdas and scripts without a `__main__` guard work.

    Raises:
        ValueError: for a function with two or more required parameters, for configuration of other classes, and for
            `datasets` that are none.
        NotImplementedError: for `validation_config`.
    """

    def __init__(
        self,
        train_loop_per_worker: Callable[[], Any] | Callable[[dict[str, Any]], Any],
        *,
        train_loop_config: dict[str, Any] | None = None,
        torch_config: TorchConfig | None = None,
        scaling_config: ScalingConfig | None = None,
        run_config: RunConfig | None = None,
        datasets: dict[str, Any] | None = None,
        dataset_config: DataConfig | None = None,
        validation_config: None = None,
        metadata: dict[str, Any] | None = None,
        resume_from_checkpoint: Checkpoint | None = None,
    ) -> None:
        if validation_config is not None:
            raise NotImplementedError(
                "TorchTrainer(validation_config): this runtime does not validate checkpoints beside the training. "
                "Validate them in the train function before you report them, or run the script on Ray."
            )
        if metadata is not None:
            warn_ignored(
                "TorchTrainer(metadata)",
                "`get_context().get_metadata()` returns it, but checkpoints do not carry it; use `train_loop_config`.",
                stacklevel=3,
            )
        if resume_from_checkpoint is not None:
            warn_ignored(
                "TorchTrainer(resume_from_checkpoint)",
                "`get_checkpoint()` returns it until this run has one of its own; "
                "Ray 2.60 wants its path in `train_loop_config`.",
                stacklevel=3,
            )
        self._takes_config = _takes_config(train_loop_per_worker)
        self._train_function = train_loop_per_worker
        self._train_loop_config = train_loop_config
        self._torch_config = torch_config or TorchConfig()
        self._scaling_config = scaling_config or ScalingConfig()
        self._run_config = run_config or RunConfig()
        check_type("TorchConfig", self._torch_config, TorchConfig)
        check_type("ScalingConfig", self._scaling_config, ScalingConfig)
        check_type("RunConfig", self._run_config, RunConfig)
        self._datasets = _checked_datasets(datasets)
        self._dataset_config = dataset_config or DataConfig()
        check_type("DataConfig", self._dataset_config, DataConfig)
        self._metadata = metadata or {}
        self._resume_from = resume_from_checkpoint

    def fit(self) -> Result:
        """Run the function on all workers and wait for its end; in local mode (`num_workers=0`), call it here.

        Raises:
            WorkerGroupError: if a worker fails more often than `FailureConfig` allows; its message holds the ranks and
                tracebacks, `worker_failures` and `__cause__` the exceptions.
            ControllerError: if a callback raised.
            TrainingFailedError: if the run could not be stored.
            ValueError: if the machine has too few GPUs.
            ImportError: if `storage_path` is a URL whose driver is not installed; the message names the package.
        """
        from train_runtime import _controller
        from train_runtime._messages import ProcessGroupSpec
        from train_runtime._placement import place_workers
        from train_runtime._timeouts import Timeouts
        from train_runtime.callback import TrainRunContext

        run, scaling = self._run_config, self._scaling_config
        assert run.name is not None
        if scaling.num_workers == 0:
            from train_runtime import _local_mode

            return _local_mode.run(self._bound_function(), run.name, self._metadata, self._datasets)
        assert run.failure_config is not None
        assert run.checkpoint_config is not None
        assert run.logging_config is not None
        to_split = self._dataset_config.datasets_to_split
        plan = _controller.RunPlan(
            name=run.name,
            folder=_run_folder(run),
            train_function=self._packed_function(),
            placements=place_workers(
                scaling, {**_runtime_env.program_variables(), **(run.worker_runtime_env or {}).get("env_vars", {})}
            ),
            process_group=ProcessGroupSpec(
                backend=self._torch_config.backend or ("nccl" if scaling.use_gpu else "gloo"),
                timeout_s=self._torch_config.timeout_s,
            ),
            checkpoint_config=run.checkpoint_config,
            max_failures=run.failure_config.max_failures,
            callbacks=tuple(run.callbacks or ()),
            context=TrainRunContext(run, self._train_loop_config, scaling, self._torch_config, self._dataset_config),
            log_level=logging.getLevelName(run.logging_config.log_level),
            metadata=self._metadata,
            resume_from=self._resume_from,
            datasets=self._datasets,
            datasets_to_split=None if to_split == "all" else frozenset(to_split),
            serve_ray=_ray_alias.is_installed(),
            argv=tuple(sys.argv),
            sources=_source_lines(self._train_function),
            timeouts=Timeouts.from_environment(),
        )
        return _controller.run(plan)

    def _bound_function(self) -> Callable[[], Any]:
        """The function, bound to its configuration if it takes one."""
        import functools

        function: Callable[..., Any] = self._train_function
        if not self._takes_config:
            return function
        return functools.partial(function, {} if self._train_loop_config is None else self._train_loop_config)

    def _packed_function(self) -> bytes:
        """The function, bound to its configuration, as bytes for the workers.

        Raises:
            TypeError: if it cannot be pickled; it says which object, and where that is.
        """
        from train_runtime import _pickling

        parts: dict[str, Any] = {getattr(self._train_function, "__name__", "train_function"): self._train_function}
        if self._takes_config:
            parts["train_loop_config"] = self._train_loop_config
        return _pickling.dumps(
            self._bound_function(),
            "The train function cannot be sent to the workers",
            "Make it (a lock, a file, a connection) in the train function instead.",
            **parts,
        )

    @classmethod
    def restore(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Gone since Ray's Train V2.

        Raises:
            DeprecationWarning: always, as Ray 2.60 does.
        """
        raise DeprecationWarning(
            "`TorchTrainer.restore` is no longer part of Ray Train: construct the trainer with the earlier run's "
            "RunConfig(name=..., storage_path=...) and call `fit()`, which continues it."
        )

    @classmethod
    def can_restore(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Gone since Ray's Train V2.

        Raises:
            DeprecationWarning: always, as Ray 2.60 does.
        """
        raise DeprecationWarning(
            "`TorchTrainer.can_restore` is no longer part of Ray Train: `fit()` continues a run of the same name if "
            "there is one."
        )


def _checked_datasets(datasets: dict[str, Any] | None) -> dict[str, Any]:
    """The datasets by name; what they are given as is a `ray.data` dataset afterwards, or a function that gives one.

    Raises:
        ValueError: if it is no dictionary, or a value no dataset.
    """
    if not datasets:
        return {}
    if not isinstance(datasets, dict):
        raise ValueError(f"`datasets` must be a dictionary of datasets by name, not {type(datasets)}.")
    from train_runtime.data import to_dataset

    return {name: value if callable(value) else to_dataset(name, value) for name, value in datasets.items()}


def _takes_config(function: Callable[..., Any]) -> bool:
    """Whether the function is called with the configuration.

    Raises:
        ValueError: if it needs more arguments than that.
    """
    if not callable(function):
        raise ValueError(f"`train_loop_per_worker` must be a function, not {type(function)}.")
    positional = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    )
    required = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in positional and parameter.default is inspect.Parameter.empty
    ]
    if len(required) > 1:
        raise ValueError(
            f"`train_loop_per_worker` must take no argument or one, the `train_loop_config`; it requires {required}."
        )
    return bool(required)


def _run_folder(run: RunConfig) -> RunFolder:
    from train_runtime._folder import open_folder

    path = os.fspath(run.storage_path or "")
    return open_folder(f"{path.rstrip('/')}/{run.name}", run.storage_filesystem)


def _source_lines(function: Callable[..., Any]) -> dict[str, list[str]]:
    """The source that workers cannot find by themselves, for their tracebacks.

    Workers run in another directory, so `python script.py` leaves them a relative file name; notebooks leave no file.
    """
    while hasattr(function, "func"):
        function = function.func
    code = getattr(function, "__code__", None)
    if code is None or (os.path.isabs(code.co_filename) and os.path.exists(code.co_filename)):
        return {}
    return {code.co_filename: linecache.getlines(code.co_filename)}
