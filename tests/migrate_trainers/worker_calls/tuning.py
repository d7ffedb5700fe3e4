"""Stand-ins for Ray Tune: what a Tuner did with a legacy trainer, and what it does with a function.

Each trial of a search runs once; under a scheduler that changes running trials, once more with what that changes.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker_calls import current, legacy
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

    @property
    def starts_again(self) -> bool:
        """Whether it starts trials from checkpoints."""
        return bool(self.mutations) or type(self).__name__ == "HyperBandScheduler"


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


class _Analysis:
    """What `tune.run` gives."""

    def __init__(self, results: list[Any]) -> None:
        self.results = results

    @property
    def best_config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.results[0].config
        return config

    def dataframe(self, *args: Any, **kwargs: Any) -> dict[str, list[Any]]:
        """The configurations' columns, and any other that a script asks for."""
        return _Trials(self.results).get_dataframe()

    def get_best_config(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return self.best_config

    @property
    def best_result(self) -> dict[str, Any]:
        metrics: dict[str, Any] = self.results[0].metrics
        return metrics


class Searcher(Made):
    """Any search algorithm, and anything that is made of one."""

    @property
    def spaces(self) -> list[Any]:
        """Configurations that it tries: the points which it is given, and its own search space."""
        positional, named = self.made_with[0], dict(self.made_with[1])
        own = [one for one in (*positional, named.get("space")) if isinstance(one, dict)]
        return [_unflattened(one) for one in (*named.get("points_to_evaluate", ()), *own)]


def _unflattened(value: dict[str, Any]) -> dict[str, Any]:
    """A configuration of which keys may be paths."""
    whole: dict[str, Any] = {}
    for path, item in value.items():
        inner = item
        for key in reversed(path.split("/")):
            inner = {key: inner}
        whole = _merged(whole, inner)
    return whole


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
        spaces = self.tune_config.search_alg.spaces if self.tune_config.search_alg else []
        results = []
        for config in itertools.chain.from_iterable(_sampled(_merged(self.space, one)) for one in spaces or [{}]):
            # What a scheduler perturbs and the search space lacks is sampled when a trial starts.
            started = _merged(next(_sampled(mutations)), config)
            results.append(self.trial(started))
            if mutations:
                self.trial(_merged(started, next(_sampled(mutations))))
        return _Trials(results)

    def trial(self, config: dict[str, Any]) -> Any:
        raise NotImplementedError

    @classmethod
    def can_restore(cls, path: str) -> bool:
        """No search has run before a program here."""
        return False

    @classmethod
    def restore(cls, path: str, trainable: Any, **kwargs: Any) -> Any:
        """What a search was is not known here: it is run with its one configuration."""
        return cls(trainable, param_space=kwargs.get("param_space"))


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
            result.log_dir = Path(result.path)
            return result

    return Tuner


def _tune_run(tuner: type, run_config_class: type, *, gives_trainer: bool) -> Callable[..., _Analysis]:
    """The older function: what it is given of a RunConfig is in force, and not that of the trainer."""

    def run(run_or_experiment: Any, *, config: Any = None, **settings: Any) -> _Analysis:
        trainable = run_or_experiment.trainer if gives_trainer else run_or_experiment
        names = {field.name for field in dataclasses.fields(run_config_class)}
        own = run_config_class(**{name: value for name, value in settings.items() if name in names})
        tuning = {"scheduler": settings.get("scheduler"), "search_alg": settings.get("search_alg")}
        trials = tuner(trainable, param_space=config, tune_config=TuneConfig(**tuning), run_config=own).fit()
        return _Analysis(list(trials))

    return run


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
            if not self.tune_config.scheduler or not self.tune_config.scheduler.starts_again:
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


@dataclass
class FailureConfig(current.FailureConfig):
    """Likewise."""

    fail_fast: bool | str = False


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
    for name in (
        "ASHAScheduler",
        "FIFOScheduler",
        "HyperBandScheduler",
        "MedianStoppingRule",
        "PopulationBasedTraining",
        "PB2",
    )
}


def ray_tune(recorder: Recorder, version: tuple[int, int] | None) -> Modules:
    """The modules of Ray Tune: of legacy Ray, or of current Ray without a version."""
    modules: Modules = {
        "ray.tune": {**_DOMAINS, "TuneConfig": TuneConfig},
        "ray.tune.schedulers": _SCHEDULERS,
        "ray.tune.schedulers.pb2": {"PB2": _SCHEDULERS["PB2"]},
        "ray.tune.tuner": {},
        "ray.tune.search": {"ConcurrencyLimiter": lambda searcher, **_: searcher, "BasicVariantGenerator": Searcher},
        "ray.tune.search.optuna": {"OptunaSearch": Searcher},
        "ray.tune.search.hyperopt": {"HyperOptSearch": Searcher},
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
        modules["ray.util"] = {}
        modules["ray.util.queue"] = {"Queue": _Queue, "Empty": _Empty}
    modules["ray.tune"]["Tuner"] = modules["ray.tune.tuner"]["Tuner"] = tuner
    run_config: type = RunConfig if version is None else legacy.run_config_class(version)
    modules["ray.tune"]["run"] = _tune_run(tuner, run_config, gives_trainer=version is not None)
    return modules
