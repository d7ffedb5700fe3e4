"""Stand-ins for Ray Tune: what a Tuner did with a legacy trainer, and what it does with a function.

Each trial of a search runs once; under a scheduler that changes running trials, once more with what that changes.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker_calls import current
from worker_calls.libraries import Anything
from worker_calls.recorder import Made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker_calls.frameworks import Modules
    from worker_calls.recorder import Recorder


class _Domain:
    """What a search may try; a grid has a trial for each value, anything else is tried with the first."""

    def __init__(self, values: list[Any], *, is_grid: bool = False) -> None:
        self.values = values if is_grid else values[:1]


def _sampled(space: Any) -> Iterator[Any]:
    """A search space with each combination of what it may hold."""
    if isinstance(space, _Domain):
        yield from space.values
    elif isinstance(space, dict):
        for values in itertools.product(*(list(_sampled(value)) for value in space.values())):
            yield dict(zip(space, values, strict=True))
    else:
        yield space


def _merged(base: Any, other: Any) -> Any:
    """Dictionaries merged key by key, as Ray does; anything else is replaced."""
    if not isinstance(base, dict) or not isinstance(other, dict):
        return other
    merged = dict(base)
    for key, value in other.items():
        merged[key] = _merged(base[key], value) if key in base else value
    return merged


def _merge_dicts(base: Any, other: Any) -> Any:
    assert isinstance(base, dict), "only dictionaries are merged"
    assert isinstance(other, dict), "only dictionaries are merged"
    return _merged(base, other)


def _flattened(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for key, item in value.items():
        yield from _flattened(item, f"{path}/{key}")


class Scheduler(Made):
    """Any scheduler."""

    @property
    def mutations(self) -> dict[str, Any]:
        given = dict(self.made_with[1])
        return given.get("hyperparam_mutations") or given.get("hyperparam_bounds") or {}


class _Trials:
    """What `fit()` of a Tuner gives."""

    def __init__(self, results: list[Any]) -> None:
        self.results = results

    def __iter__(self) -> Iterator[Any]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index: int) -> Any:
        return self.results[index]

    def get_dataframe(self, *args: Any, **kwargs: Any) -> dict[str, list[Any]]:
        """The configurations' columns, and any other that a script asks for."""
        rows = [dict(_flattened(result.config, "config")) for result in self.results]
        return _Metrics({name: [row.get(name) for row in rows] for name in rows[0]})

    def get_best_result(self, *args: Any, **kwargs: Any) -> Any:
        return self.results[0]


@dataclass
class TuneConfig:
    metric: str | None = None
    mode: str | None = None
    search_alg: Any = None
    scheduler: Any = None
    num_samples: int = 1
    max_concurrent_trials: int | None = None


class _Tuner:
    """What both Tuners have in common: which configurations they try."""

    def __init__(
        self, trainable: Any, *, param_space: Any = None, tune_config: Any = None, run_config: Any = None
    ) -> None:
        self.trainable, self.space = trainable, param_space or {}
        self.tune_config, self.run_config = tune_config or TuneConfig(), run_config

    def fit(self) -> _Trials:
        mutations = self.tune_config.scheduler.mutations if self.tune_config.scheduler else {}
        results = []
        for config in _sampled(self.space):
            # What a scheduler perturbs and the search space lacks is sampled when a trial starts.
            started = _merged(next(_sampled(mutations)), config)
            results.append(self.trial(started))
            if mutations:
                self.trial(_merged(started, next(_sampled(mutations))))
        return _Trials(results)

    def trial(self, config: dict[str, Any]) -> Any:
        raise NotImplementedError


def _legacy_tuner() -> type:
    class Tuner(_Tuner):
        def __init__(self, trainable: Any, *, param_space: Any = None, **kwargs: Any) -> None:
            space = dict(param_space or {})
            if dataclasses.is_dataclass(space.get("scaling_config")):
                # Tune only looks into dictionaries.
                space["scaling_config"] = dict(vars(space["scaling_config"]))
            super().__init__(trainable, param_space=space, **kwargs)

        def trial(self, config: dict[str, Any]) -> Any:
            trainer = self.trainable
            merged = _merged(copy.deepcopy(trainer.constructor), config)
            again = type(trainer)(**merged)
            # The Tuner's RunConfig wins over the trainer's, into which its constructor has filled in.
            again.run_config = self.run_config if self.run_config is not None else trainer.run_config
            result = again.fit()
            result.metrics = _Metrics(config=config)
            result.config = config
            return result

    return Tuner


def _current_tuner(recorder: Recorder) -> type:
    class Tuner(_Tuner):
        def trial(self, config: dict[str, Any]) -> Any:
            assert callable(self.trainable), "current Ray tunes functions"
            assert isinstance(self.run_config, (RunConfig, type(None))), "a Tuner takes ray.tune's own RunConfig"
            recorder.trial = self.run_config or RunConfig()
            try:
                self.trainable(copy.copy(config))
            finally:
                recorder.trial = None
            result = current.Result(current.Checkpoint)
            result.metrics = _Metrics(checkpoint_path=result.checkpoint.path, config=config)
            if not self.tune_config.scheduler or not self.tune_config.scheduler.mutations:
                # Tune hears of reports, and where their checkpoints are.
                result.checkpoint = None
            result.config = config
            return result

    return Tuner


@dataclass
class RunConfig:
    name: str | None = None
    storage_path: str | None = None
    storage_filesystem: Any = None
    failure_config: Any = None
    checkpoint_config: Any = None
    stop: Any = None
    callbacks: Any = None
    verbose: Any = None
    progress_reporter: Any = None
    log_to_file: Any = None


class CheckpointConfig(current.CheckpointConfig):
    """A class of its own, as in current Ray."""


class FailureConfig(current.FailureConfig):
    """Likewise."""


class _Context:
    def get_trial_id(self) -> str:
        return "trial"


class _Metrics(dict[str, Any]):
    """The metrics of a trial: any that a script asks for."""

    def __missing__(self, key: str) -> Any:
        return Anything(key)


class _Queue:
    """A queue into which nothing is put, as no callback is called here."""

    def __init__(self, maxsize: int = 0, *, actor_options: dict[str, float]) -> None:
        assert actor_options == {"num_cpus": 0}, "a trial reserves nothing else"

    def empty(self) -> bool:
        return True

    def get(self, timeout: float) -> Any:
        raise _Empty


class _Empty(Exception):
    pass


def _range(low: Any, high: Any, *_: Any) -> _Domain:
    return _Domain([low])


_DOMAINS: dict[str, Callable[..., _Domain]] = {
    "choice": lambda values: _Domain(list(values)),
    "grid_search": lambda values: _Domain(list(values), is_grid=True),
    "sample_from": lambda function: _Domain([function(None)]),
    **dict.fromkeys(("uniform", "quniform", "loguniform", "qloguniform", "randint", "qrandint", "lograndint"), _range),
}
_SCHEDULERS = {
    name: type(name, (Scheduler,), {})
    for name in ("ASHAScheduler", "FIFOScheduler", "HyperBandScheduler", "PopulationBasedTraining", "PB2")
}


def ray_tune(recorder: Recorder, version: tuple[int, int] | None) -> Modules:
    """The modules of Ray Tune: of legacy Ray, or of current Ray without a version."""
    modules: Modules = {
        "ray.tune": {**_DOMAINS, "TuneConfig": TuneConfig},
        "ray.tune.schedulers": _SCHEDULERS,
        "ray.tune.schedulers.pb2": {"PB2": _SCHEDULERS["PB2"]},
        "ray.tune.tuner": {},
    }
    if version is not None:
        tuner = _legacy_tuner()
    else:
        tuner = _current_tuner(recorder)
        modules["ray.tune"] |= {
            "RunConfig": RunConfig,
            "CheckpointConfig": CheckpointConfig,
            "FailureConfig": FailureConfig,
            "Checkpoint": current.Checkpoint,
            "get_checkpoint": lambda: None,
            "get_context": _Context,
            "with_resources": lambda trainable, resources: trainable,
        }
        modules["ray.tune.utils"] = {"merge_dicts": _merge_dicts}
        modules["ray.tune.integration"] = {}
        modules["ray.tune.integration.ray_train"] = {"TuneReportCallback": type("TuneReportCallback", (Made,), {})}
        modules["ray.util"] = {}
        modules["ray.util.queue"] = {"Queue": _Queue, "Empty": _Empty}
    modules["ray.tune"]["Tuner"] = modules["ray.tune.tuner"]["Tuner"] = tuner
    return modules
