"""Ray's runtime environments: of the workers of a run (`worker_runtime_env`), and of the whole program (`ray.init`)."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# These say how an environment is made, not what is in it.
_WITHOUT_EFFECT = {"config", "excludes"}
_PACKAGES = {"conda", "pip", "uv"}


def check(environment: Mapping[str, Any]) -> None:
    """Check the environment of a run's workers.

    Raises:
        TypeError: for `env_vars` that are not strings by name, as on Ray.
        ValueError: for what else would change the workers: Ray itself takes a local `working_dir` only in `ray.init`.
    """
    if unsupported := set(environment) - {"env_vars"} - _WITHOUT_EFFECT:
        raise ValueError(
            f"RunConfig(worker_runtime_env): {sorted(unsupported)} need Ray; this runtime takes `env_vars` only. "
            "Workers import what the driver can import: install packages and set PYTHONPATH for the whole program."
        )
    _check_variables(environment.get("env_vars", {}))


def use_for_program(environment: Mapping[str, Any]) -> None:
    """Take the environment that a script gives to `ray.init`, for the workers of all runs from now on.

    Workers import what the driver can import, so a local `working_dir` and `py_modules` are added to its search path;
    packages are not installed, which a warning says.

    Raises:
        TypeError: for `env_vars` that are not strings by name.
        ValueError: for directories that are not there, and for what else would change the workers.
    """
    if packages := _PACKAGES & set(environment):
        warnings.warn(
            f"ray.init(runtime_env): nothing is installed for {sorted(packages)}; the workers use the packages of this "
            "environment.",
            stacklevel=4,
        )
    if unsupported := set(environment) - {"env_vars", "working_dir", "py_modules"} - _WITHOUT_EFFECT - _PACKAGES:
        raise ValueError(f"ray.init(runtime_env): {sorted(unsupported)} need Ray.")
    modules = environment.get("py_modules") or []
    for path in filter(None, [environment.get("working_dir"), *modules]):
        if not isinstance(path, (str, os.PathLike)) or not os.path.isdir(path):
            raise ValueError(f"ray.init(runtime_env): {path!r} is not a local directory.")
        folder = os.path.abspath(os.path.dirname(os.path.abspath(path)) if path in modules else path)
        if folder not in sys.path:
            sys.path.append(folder)
    _check_variables(environment.get("env_vars", {}))
    _Program.variables = dict(environment.get("env_vars", {}))


def program_variables() -> Mapping[str, str]:
    """The variables that `ray.init` was given."""
    return _Program.variables


class _Program:
    variables: Mapping[str, str] = {}


def _check_variables(variables: object) -> None:
    if not isinstance(variables, dict):
        raise TypeError(f"runtime_env['env_vars'] must be of type Dict[str, str], got {type(variables)}.")
    for item in (part for pair in variables.items() for part in pair):
        if not isinstance(item, str):
            raise TypeError(f"runtime_env['env_vars'] must be of type Dict[str, str], but {item!r} is {type(item)}.")
