"""Statements of a program that have nothing to do with its trainers, which a migration leaves byte for byte."""

from __future__ import annotations

import ast
import re
from collections import Counter

_LIBRARIES = ("ray", "pytorch_lightning", "lightning", "transformers", "accelerate")


def assert_untouched(before: str, after: str) -> None:
    """Check that each such statement, with what stands behind it on its lines, is in the output as often as before."""
    for text, number in _untouched(before).items():
        found = len(re.findall(f"(?m)^{re.escape(text)}", after))
        assert found >= number, f"{text!r} is there {found} times, not {number}:\n{after}"


def _untouched(program: str) -> Counter[str]:
    nodes = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.stmt)]
    concerned = _concerned(nodes)
    simple = [node for node in nodes if not hasattr(node, "body") and not isinstance(node, ast.Match)]
    owners = Counter(line for node in simple for line in range(node.lineno, _end(node) + 1))
    lines = program.splitlines(keepends=True)
    texts: Counter[str] = Counter()
    for node in simple:
        first, last = node.lineno, _end(node)
        begins_line = not lines[first - 1].encode()[: node.col_offset].strip()
        is_alone = begins_line and all(owners[line] == 1 for line in range(first, last + 1))
        if is_alone and not isinstance(node, (ast.Import, ast.ImportFrom)) and not _names(node) & concerned:
            texts["".join(lines[first - 1 : last])] += 1
    return texts


def _end(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno


def _concerned(nodes: list[ast.stmt]) -> set[str]:
    """Names of the libraries, and all that are made of them or given to them."""
    concerned = set(_LIBRARIES)
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            if any(module.partition(".")[0] in _LIBRARIES for module in modules):
                concerned |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    parameters = {
        node.name: {one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)} - {"self"}
        for node in nodes
        if isinstance(node, ast.FunctionDef)
    }
    while True:
        found = set(concerned)
        for node in nodes:
            inside = _names(node)
            if not inside & concerned:
                continue
            found |= {name for name in _bound(node) if name != "self"}
            if isinstance(node, (ast.Assign, ast.Return)) and node.value is not None:
                found |= _held(node.value)
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and _names(call.func) & concerned:
                    found |= _given(call)
                if isinstance(call, ast.Call) and any(_names(one) & concerned for one in _arguments(call)):
                    found |= {name for called in _names(call.func) for name in parameters.get(called, ())}
        if found == concerned:
            return concerned
        concerned = found


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} | {
        one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)
    }


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if hasattr(node, "body"):
        return set()
    stored = [one for one in ast.walk(node) if isinstance(getattr(one, "ctx", None), ast.Store)]
    return {name for one in stored for name in _names(one)}


def _given(call: ast.Call) -> set[str]:
    """The variables that a call is given as they are, unpacked or in a dictionary."""
    return {name for value in _arguments(call) for name in _held(value)}


def _arguments(call: ast.Call) -> list[ast.expr]:
    values = [one.value if isinstance(one, ast.Starred) else one for one in call.args]
    return values + [one.value for one in call.keywords]


def _held(value: ast.expr) -> set[str]:
    is_call = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict"
    return _names(value) if isinstance(value, (ast.Name, ast.Dict)) or is_call else set()
