"""The parts of a program as one script, or as several modules that import each other."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from program_places import Draw


@dataclass(frozen=True)
class Parts:
    """A program: imports that it may need, definitions of which each may use those before it, and what it runs."""

    imports: tuple[str, ...]
    definitions: tuple[str, ...]
    main: str
    header: str = ""


def script(parts: Parts) -> str:
    """The program as one file, with those imports that it needs."""
    code = "\n\n".join((*parts.definitions, parts.main))
    return parts.header + _needed(parts.imports, code) + "\n\n" + code


def _needed(imports: Sequence[str], code: str) -> str:
    return "".join(one for one in imports if any(_is_used(name, code) for name in _bound(one)))


def _is_used(name: str, code: str) -> bool:
    return re.search(rf"(?<![\w.]){name}\b", code) is not None


def _bound(text: str) -> list[str]:
    """The names that the statements of a module bind."""
    found = []
    for node in ast.parse(text).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found += [alias.asname or alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.append(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return found


# How a name of a module is imported, and then called.
_WAYS = (
    ("from {module} import {name}\n", "{name}"),
    ("from {module} import {name} as the_{name}\n", "the_{name}"),
    ("import {module}\n", "{module}.{name}"),
    ("import {module} as own_{last}\n", "own_{last}.{name}"),
)
_STAR = ("from {module} import *\n", "{name}")
_IN_PACKAGE = (("from {package} import {last}\n", "{last}.{name}"),)
_RELATIVE = (("from .{last} import {name}\n", "{name}"), ("from . import {last}\n", "{last}.{name}"))
_HOMES = (("common", "training"), ("lib.common", "lib.training"), ("lib.parts.common", "training"))


def in_modules(draw: Draw, parts: Parts) -> dict[str, str]:
    """The program as files by module name, of which `main` is the script: the first definitions are in modules."""
    number = len(parts.definitions)
    cuts = sorted(draw(st.tuples(st.integers(0, number), st.integers(1, number)))) if number else [0, 0]
    groups = {
        module: parts.definitions[begin:end]
        for module, begin, end in zip(draw(st.sampled_from(_HOMES)), (0, cuts[0]), cuts, strict=True)
        if begin < end
    }
    files: dict[str, str] = {}
    for module, definitions in groups.items():
        code = "\n\n".join(definitions)
        files[module] = _with_imports(draw, parts.imports, code, files, inside=module)
    main = "\n\n".join((*parts.definitions[cuts[1] :], parts.main))
    packages = {module[: found.start()] for module in files for found in re.finditer(r"\.", module)}
    files |= dict.fromkeys(sorted(packages), "")
    return {**files, "main": parts.header + _with_imports(draw, parts.imports, main, files, inside="main")}


def _with_imports(draw: Draw, imports: Sequence[str], code: str, files: dict[str, str], *, inside: str) -> str:
    """Code with what it needs of libraries, and of the program's own modules, in which it may be called otherwise."""
    own = ""
    for module, text in files.items():
        names = [name for name in _bound(text) if _defines(text, name) and _is_used(name, code)]
        package, _, last = module.rpartition(".")
        ways = [*_WAYS * 3, _STAR, *(_IN_PACKAGE if package else ())]
        ways += _RELATIVE if package and package == inside.rpartition(".")[0] else ()
        statement, called = draw(st.sampled_from(ways))
        lines = []
        for name in names:
            given = {"module": module, "package": package, "last": last, "name": name}
            lines.append(statement.format(**given))
            code = re.sub(rf"(?<![\w.]){name}\b(?!=[^=])", called.format(**given), code)
        own += "".join(dict.fromkeys(lines))
    return _needed(imports, code) + own + "\n\n" + code


def _defines(text: str, name: str) -> bool:
    imported = [node for node in ast.parse(text).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return name in _bound(text) and not any(name in _bound(ast.unparse(node)) for node in imported)
