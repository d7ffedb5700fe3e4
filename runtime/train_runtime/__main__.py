"""`python -m train_runtime script.py [args]`: run a script that imports `ray.train`, without Ray."""

from __future__ import annotations

import builtins
import io
import os
import sys
from importlib.machinery import SourceFileLoader
from types import ModuleType, TracebackType

from train_runtime import _ray_alias, _template

_USAGE = """\
usage: python -m train_runtime script.py [args]

Runs a script that imports ray.train on local worker processes, without Ray.
"""


def main() -> None:
    """Run the script named on the command line as `python script.py` would."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        sys.exit(0 if arguments else 2)
    script = arguments[0]
    try:
        with io.open_code(os.path.abspath(script)) as file:
            source = file.read()
    except OSError as error:
        print(f"{sys.executable}: can't open file {os.path.abspath(script)!r}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    sys.argv[:] = arguments
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    _ray_alias.install()
    try:
        # The script's globals are its own, and live as long as the process.
        module = _fresh_main(script)
        _template.start_early()
        exec(compile(source, script, "exec", dont_inherit=True), module.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        _ray_alias.explain(error)
        error = error.with_traceback(_from_script(error.__traceback__))
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)


def _fresh_main(script: str) -> ModuleType:
    """A `__main__` module as the interpreter sets it up for a script."""
    module = ModuleType("__main__")
    path = os.path.abspath(script)
    vars(module).update(
        __file__=path, __builtins__=builtins, __loader__=SourceFileLoader("__main__", path), __cached__=None
    )
    sys.modules["__main__"] = module
    return module


def _from_script(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without this module's own frame."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


if __name__ == "__main__":
    main()
