"""`python -m train_runtime script.py [args]`: run a script that imports `ray.train`, without Ray."""

from __future__ import annotations
import __future__

import ast
import builtins
import functools
import io
import operator
import os
import sys
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType, TracebackType

from train_runtime import _preload, _ray_alias, _template

_USAGE = """\
usage: python -m train_runtime script.py [args]

Runs a script that imports ray.train on local worker processes, without Ray.
"""

_FUTURE_FLAGS = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)


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
        imports = _preload.read(source)
        leading, rest = _compiled(source, script, len(imports.leading))
        worker = None
        if imports.uses_runtime:
            with _template.importing():
                exec(leading, module.__dict__)
            worker = _template.split_off(imports.libraries)
        if worker is None:
            exec(rest, module.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        _ray_alias.explain(error)
        error = error.with_traceback(_from_script(error.__traceback__))
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)
    if worker is not None:
        from train_runtime import _worker

        _worker.main(worker)


def _compiled(source: bytes, script: str, leading: int) -> tuple[CodeType, CodeType]:
    """The script's leading statements, and the others, as the interpreter would compile them together."""
    tree = compile(source, script, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    first, rest = tree.body[:leading], tree.body[leading:]
    if first:  # a string at the top would be the docstring
        rest.insert(0, ast.Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0))
    code = compile(ast.Module(first, tree.type_ignores), script, "exec", dont_inherit=True)
    others = ast.Module(rest, tree.type_ignores)
    return code, compile(others, script, "exec", code.co_flags & _FUTURE_FLAGS, dont_inherit=True)


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
