"""`python record_fits.py ENGINE RECORD SCRIPT`: run SCRIPT on ENGINE and write what each `fit()` gave to RECORD.

ENGINE is `bundled`, `ray` or `legacy`. RECORD is a JSON list, complete after each `fit()`: a script that fails later
still leaves what came before.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    environment = dict(os.environ)
    engine, record, script = sys.argv[1:]
    sys.path.pop(0)  # this file's folder, which is not the script's business
    sys.argv[:] = [script]
    if engine == "bundled":
        from train_runtime.torch import TorchTrainer

        _record_fits(TorchTrainer, Path(record))
        sys.argv.insert(0, "train_runtime")
        sys.path.insert(0, "")  # the runtime puts the script's folder here
        runpy.run_module("train_runtime", run_name="__main__", alter_sys=True)
    else:
        from ray import tune
        from ray.train.torch import TorchTrainer

        _record_fits(TorchTrainer, Path(record))
        _record_trials(tune, Path(record))
        if engine == "legacy":
            _start_cluster()
        else:
            _connect_with_environment(environment)
        sys.path.insert(0, os.path.dirname(script))
        runpy.run_path(script, run_name="__main__")


def _connect_with_environment(before: dict[str, str]) -> None:
    """Make Ray's workers inherit what the script puts into `os.environ` before it starts Ray.

    They do so when a script starts a cluster of its own, but not on one that is there already. Lightning's
    `seed_everything` hands its seed on in this way.
    """
    import ray
    from ray.train.torch import TorchTrainer

    connect, fit = ray.init, TorchTrainer.fit

    def init(*args: Any, runtime_env: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        changed = {name: value for name, value in os.environ.items() if before.get(name) != value}
        given = runtime_env or {}
        variables = {**changed, **given.get("env_vars", {})}
        return connect(*args, **kwargs, runtime_env={**given, "env_vars": variables} if variables else runtime_env)

    def fit_connected(self: Any) -> Any:
        if not ray.is_initialized():
            init()
        if "RECORD_FITS_KEEPS_ROW_ORDER" in os.environ:
            _keep_rows_in_order()
        return fit(self)

    ray.init = init
    TorchTrainer.fit = fit_connected


def _keep_rows_in_order() -> None:
    """Have Ray Data deal out rows in their order, on which what a training gives depends."""
    data = sys.modules.get("ray.data")
    if data is not None:
        data.DataContext.get_current().execution_options.preserve_order = True


def _start_cluster() -> None:
    """Give the script a small cluster of its own, which has what it puts into `os.environ` before `ray.init`."""
    import ray
    from ray.train.torch import TorchTrainer
    from ray.tune import Tuner

    print(f"on Ray {ray.__version__}")
    start = ray.init

    def init(*args: Any, **kwargs: Any) -> None:
        if not ray.is_initialized():
            # Two workers, the CPU that a trainer reserved beside them, and one to spare.
            start(address="local", num_cpus=4, include_dashboard=False)

    def after_init(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def fit(self: Any) -> Any:
            init()
            return method(self)

        return fit

    ray.init = init
    TorchTrainer.fit = after_init(TorchTrainer.fit)
    Tuner.fit = after_init(Tuner.fit)


def _record_fits(trainer_class: Any, record: Path) -> None:
    """Make `fit` write each result or exception before it is handed on."""
    fits: list[dict[str, Any]] = []
    original = trainer_class.fit

    def write(metrics: Any, files: list[list[str]], error: str | None) -> None:
        fits.append({"metrics": metrics, "checkpoints": len(files), "files": files, "error": error})
        record.write_text(json.dumps(fits, default=_plain), encoding="utf-8")

    def fit(self: Any) -> Any:
        try:
            result = original(self)
        except BaseException as error:
            write(None, [], f"{type(error).__name__}: {error}")
            raise
        files = [_files(checkpoint) for checkpoint, _ in result.best_checkpoints or ()]
        assert bool(files) == (result.checkpoint is not None), (
            "checkpoints without a latest one, or the other way round"
        )
        write(result.metrics, files, None if result.error is None else repr(result.error))
        return result

    trainer_class.fit = fit


def _record_trials(tune: Any, record: Path) -> None:
    """Make a Tuner's `fit`, and `tune.run`, write what each trial gave, in the order of the trials."""
    original_fit, original_run = tune.Tuner.fit, tune.run

    def write(results: Any) -> None:
        trials = [
            {
                "metrics": result.metrics,
                # A trial that fits a trainer of its own only tells where the last checkpoint is.
                "checkpoints": len(result.best_checkpoints or ()) or int("checkpoint_path" in result.metrics),
                "files": [],
                "error": None if result.error is None else repr(result.error),
            }
            for result in results
        ]
        record.write_text(json.dumps(trials, default=_plain), encoding="utf-8")

    def fit(self: Any) -> Any:
        results = original_fit(self)
        write(results)
        return results

    def run(*args: Any, **kwargs: Any) -> Any:
        analysis = original_run(*args, **kwargs)
        write(tune.ResultGrid(analysis))
        return analysis

    tune.Tuner.fit, tune.run = fit, run


def _files(checkpoint: Any) -> list[str]:
    """The files of a checkpoint, by their paths in it."""
    with checkpoint.as_directory() as name:
        folder = Path(name)
        return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def _plain(value: Any) -> Any:
    """A metric that JSON doesn't know: a number of NumPy or torch as the number, anything else as text."""
    return value.item() if hasattr(value, "item") else repr(value)


if __name__ == "__main__":
    main()
