"""How deep the tree of a text may be: libcst's parser is native code, and a chain that is too long ends the process."""

from __future__ import annotations

import ast
import re

# A string without code in it, or a comment; what goes one deeper; what ends a chain; where nothing is left open.
_TOKEN = re.compile(
    r"(?P<other>\#[^\n]*|(?<![fFtT])(?:\"\"\"|''')[\s\S]*?(?:\"\"\"|'''))"
    r"|(?P<text>(?<![fFtT])(?:\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'))"
    r"|(?P<open>[\[({])|(?P<close>[\])}])|(?P<comma>,)|(?P<end>;|\n)|(?P<statement>\b(?:class|def|import)\b)"
    r"|(?P<link>\b(?:and|await|else|for|if|lambda|not|or)\b|[-.+*/%@&|^~<>:\"'])",
    re.DOTALL,
)
_ELIF = re.compile(r"(?m)^[ \t]*elif\b")
# Strings side by side, which Python's tree doesn't hold one by one.
_STRINGS = re.compile(r"""(?:[a-zA-Z]{0,2}(?:'[^'\n]*'|"[^"\n]*")[ \t\r\n\\]*){500}""")
_QUOTES = 1000


def depth_of_tree(tree: ast.Module) -> int:
    """How deep libcst nests what Python's own tree holds, where that is deeper too: `a and b and c`, `import a.b.c`."""
    level: list[ast.AST] = [tree]
    depth = 0
    while level:
        depth += 1 + max(map(_links, level))
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _links(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values)
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        return len(node.generators)
    if isinstance(node, ast.alias):
        return node.name.count(".")
    return node.module.count(".") if isinstance(node, ast.ImportFrom) and node.module else 0


def joins_many_strings(text: str) -> bool:
    """Whether a text has more strings side by side than a tree should be deep."""
    return text.count("'") + text.count('"') > _QUOTES and _STRINGS.search(text) is not None


def depth_of_text(text: str) -> int:
    """How deep the tree of a text can be at most, if it has one: links of a chain, in brackets within brackets."""
    deepest = len(_ELIF.findall(text))
    chains = [0]
    depth = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind in ("link", "text"):
            chains[-1] += 1
            depth += 1
            deepest = max(deepest, depth)
        elif kind == "open":
            chains.append(1)
            depth += 1
            deepest = max(deepest, depth)
        elif kind == "close" and len(chains) > 1:
            # What was in brackets is a link itself.
            depth += 1 - chains.pop()
            chains[-1] += 1
        elif kind == "comma" or (kind == "end" and len(chains) == 1):
            floor = 1 if len(chains) > 1 else 0
            depth -= chains[-1] - floor
            chains[-1] = floor
        elif kind == "statement":
            # No such word stands in brackets: one was left open in what only looked like code.
            chains, depth = [0], 0
    return deepest
