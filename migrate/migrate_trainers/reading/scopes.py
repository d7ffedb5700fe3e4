"""Which variables a module's scopes bind, where, and how: one walk over the tree.

libcst's own scope analysis answers the same questions, but costs five times the parse.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.reading.layout import Children


class BindingKind(Enum):
    IMPORT = "import"
    FUNCTION = "function"
    CLASS = "class"
    ASSIGNMENT = "assignment"
    PARAMETER = "parameter"
    OTHER = "other"


@dataclass(frozen=True, eq=False)
class Binding:
    """One place that binds a name: `node` is the import alias, definition, assignment, parameter or statement.

    `value` is what a plain `name = value` assigns; `imported` the dotted name that an import reaches.
    """

    name: str
    kind: BindingKind
    node: cst.CSTNode
    scope: Scope
    value: cst.BaseExpression | None = None
    imported: str | None = None


@dataclass(eq=False)
class Scope:
    """The variables of a module, class, function, lambda or comprehension."""

    node: cst.CSTNode
    parent: Scope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    declared_global: set[str] = field(default_factory=set)
    declared_nonlocal: set[str] = field(default_factory=set)

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, cst.ClassDef)

    def lookup(self, name: str) -> tuple[Binding, ...]:
        """The bindings of the variable that `name` means here, by Python's rules (class scopes don't nest)."""
        scope: Scope | None = self
        if name in self.declared_global:
            scope = self.module
        elif name in self.declared_nonlocal:
            scope = self.parent
        first = True
        while scope is not None:
            if (first or not scope.is_class) and name in scope.bindings:
                return tuple(scope.bindings[name])
            first = False
            scope = scope.parent
        return ()

    @property
    def module(self) -> Scope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def add(self, binding: Binding) -> None:
        self.bindings.setdefault(binding.name, []).append(binding)


@dataclass
class ScopeTree:
    """What the walk found: `scopes` by the node that opens each, `names` that are read with their scopes."""

    module_scope: Scope
    scopes: dict[cst.CSTNode, Scope] = field(default_factory=dict)
    names: dict[cst.Name, Scope] = field(default_factory=dict)
    attributes: list[cst.Attribute] = field(default_factory=list)
    calls: list[cst.Call] = field(default_factory=list)
    imports: list[cst.Import | cst.ImportFrom] = field(default_factory=list)
    comments: list[cst.Comment] = field(default_factory=list)
    strings: list[cst.SimpleString | cst.FormattedString] = field(default_factory=list)


def build_scopes(module: cst.Module, children: Children) -> ScopeTree:
    """Walk a module once and collect its scopes, bindings and the nodes that rules look at."""
    tree = ScopeTree(Scope(module, None))
    _Walker(tree, children).walk(module, tree.module_scope)
    return tree


def dotted_name(node: cst.BaseExpression | None) -> str:
    """`a.b.c` for names and attributes; empty for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        base = dotted_name(node.value)
        return f"{base}.{node.attr.value}" if base else ""
    return ""


def is_future_import(statement: cst.Import | cst.ImportFrom) -> bool:
    """Whether a statement is `from __future__ import …`, which stands before all others."""
    return isinstance(statement, cst.ImportFrom) and dotted_name(statement.module) == "__future__"


def is_star(statement: cst.ImportFrom) -> bool:
    """Whether a statement is `from ... import *`."""
    return isinstance(statement.names, cst.ImportStar)


def module_of(statement: cst.ImportFrom) -> str:
    """The module that a statement imports from, with the dots in front of it."""
    return "." * len(statement.relative) + dotted_name(statement.module)


def own_returns(node: cst.CSTNode) -> list[cst.Return]:
    """The `return` statements of a function's body, without those of functions inside it."""
    if isinstance(node, cst.Return):
        return [node]
    if isinstance(node, cst.FunctionDef | cst.ClassDef | cst.BaseExpression):
        return []
    return [found for child in node.children for found in own_returns(child)]


class _Walker:
    def __init__(self, tree: ScopeTree, children: Children) -> None:
        self.tree = tree
        self._held = children

    def walk(self, node: cst.CSTNode, scope: Scope) -> None:
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            handler(self, node, scope)
        elif id(node) in self._held:
            self._children(node, scope)

    def _children(self, node: cst.CSTNode, scope: Scope, *, but: cst.CSTNode | None = None) -> None:
        for child in self._children_of(node):
            if child is not but:
                self.walk(child, scope)

    def _children_of(self, node: cst.CSTNode) -> Sequence[cst.CSTNode]:
        return self._held.get(id(node), ())

    def _open(self, node: cst.CSTNode, parent: Scope) -> Scope:
        scope = Scope(node, parent)
        self.tree.scopes[node] = scope
        return scope

    def _bind(
        self,
        scope: Scope,
        name: str,
        kind: BindingKind,
        node: cst.CSTNode,
        value: cst.BaseExpression | None = None,
        imported: str | None = None,
    ) -> None:
        if name in scope.declared_global:
            scope = scope.module
        elif name in scope.declared_nonlocal and scope.parent is not None:
            owner = scope.lookup(name)
            scope = owner[0].scope if owner else scope
        scope.add(Binding(name, kind, node, scope, value, imported))

    def _bind_target(
        self, target: cst.CSTNode, scope: Scope, node: cst.CSTNode, value: cst.BaseExpression | None = None
    ) -> None:
        """Bind the names in an assignment target; what it subscripts or takes attributes of is read."""
        if isinstance(target, cst.Name):
            kind = BindingKind.ASSIGNMENT if value is not None else BindingKind.OTHER
            self._bind(scope, target.value, kind, node, value)
            self._children(target, scope)
        elif isinstance(target, cst.Tuple | cst.List | cst.Element | cst.StarredElement):
            for child in self._children_of(target):
                if isinstance(child, cst.BaseExpression | cst.BaseElement):
                    self._bind_target(child, scope, node)
                else:
                    self.walk(child, scope)
        else:
            self.walk(target, scope)

    # Reads

    def _visit_Name(self, node: cst.Name, scope: Scope) -> None:
        self.tree.names[node] = scope
        self._children(node, scope)

    def _visit_Attribute(self, node: cst.Attribute, scope: Scope) -> None:
        self.tree.attributes.append(node)
        self._children(node, scope, but=node.attr)

    def _visit_Call(self, node: cst.Call, scope: Scope) -> None:
        self.tree.calls.append(node)
        self._children(node, scope)

    def _visit_Arg(self, node: cst.Arg, scope: Scope) -> None:
        self._children(node, scope, but=node.keyword)

    def _visit_Comment(self, node: cst.Comment, scope: Scope) -> None:
        self.tree.comments.append(node)

    def _string(self, node: cst.SimpleString | cst.FormattedString, scope: Scope) -> None:
        self.tree.strings.append(node)
        self._children(node, scope)

    _visit_SimpleString = _visit_FormattedString = _string

    # Imports

    def _visit_Import(self, node: cst.Import, scope: Scope) -> None:
        self.tree.imports.append(node)
        self._register(node)
        for alias in node.names:
            dotted = dotted_name(alias.name)
            if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
                self._bind(scope, alias.asname.name.value, BindingKind.IMPORT, alias, imported=dotted)
            else:
                top = dotted.partition(".")[0]
                self._bind(scope, top, BindingKind.IMPORT, alias, imported=top)

    def _visit_ImportFrom(self, node: cst.ImportFrom, scope: Scope) -> None:
        self.tree.imports.append(node)
        self._register(node)
        if isinstance(node.names, cst.ImportStar):
            return
        module = module_of(node)
        separator = "" if module.endswith(".") else "."
        for alias in node.names:
            name = dotted_name(alias.name)
            local = alias.asname.name.value if alias.asname and isinstance(alias.asname.name, cst.Name) else name
            self._bind(scope, local, BindingKind.IMPORT, alias, imported=f"{module}{separator}{name}")

    def _register(self, node: cst.CSTNode) -> None:
        """Note the comments of a node whose names are not reads."""
        for child in self._children_of(node):
            if isinstance(child, cst.Comment):
                self.tree.comments.append(child)
            self._register(child)

    # Definitions

    def _visit_FunctionDef(self, node: cst.FunctionDef, scope: Scope) -> None:
        self._bind(scope, node.name.value, BindingKind.FUNCTION, node)
        inner = self._open(node, scope)
        self._declarations(node.body, inner)
        for child in self._children_of(node):
            if child is node.body:
                self.walk(child, inner)
            elif child is node.params:
                self._parameters(node.params, inner, scope)
            elif child is not node.name:
                self.walk(child, scope)

    def _visit_Lambda(self, node: cst.Lambda, scope: Scope) -> None:
        inner = self._open(node, scope)
        for child in self._children_of(node):
            if child is node.params:
                self._parameters(node.params, inner, scope)
            else:
                self.walk(child, inner)

    def _parameters(self, parameters: cst.Parameters, inner: Scope, outer: Scope) -> None:
        """Bind the parameters inside; defaults and annotations are read outside."""
        for child in self._children_of(parameters):
            if isinstance(child, cst.Param):
                self._bind(inner, child.name.value, BindingKind.PARAMETER, child)
                self._children(child, outer, but=child.name)
            else:
                self.walk(child, outer)

    def _visit_ClassDef(self, node: cst.ClassDef, scope: Scope) -> None:
        self._bind(scope, node.name.value, BindingKind.CLASS, node)
        inner = self._open(node, scope)
        for child in self._children_of(node):
            if child is node.body:
                self.walk(child, inner)
            elif child is not node.name:
                self.walk(child, scope)

    def _declarations(self, body: cst.CSTNode, scope: Scope) -> None:
        """Find `global` and `nonlocal` before the names that they concern are bound."""
        for child in self._children_of(body):
            if isinstance(child, cst.Global):
                scope.declared_global.update(item.name.value for item in child.names)
            elif isinstance(child, cst.Nonlocal):
                scope.declared_nonlocal.update(item.name.value for item in child.names)
            elif isinstance(child, _HOLDERS_OF_STATEMENTS):
                self._declarations(child, scope)

    def _visit_Global(self, node: cst.Global, scope: Scope) -> None:
        self._register(node)

    def _visit_Nonlocal(self, node: cst.Nonlocal, scope: Scope) -> None:
        self._register(node)

    # Assignments

    def _visit_Assign(self, node: cst.Assign, scope: Scope) -> None:
        for child in self._children_of(node):
            if isinstance(child, cst.AssignTarget):
                for part in self._children_of(child):
                    if part is child.target:
                        self._bind_target(part, scope, node, node.value)
                    else:
                        self.walk(part, scope)
            else:
                self.walk(child, scope)

    def _visit_AnnAssign(self, node: cst.AnnAssign, scope: Scope) -> None:
        for child in self._children_of(node):
            if child is node.target:
                if node.value is not None or not isinstance(child, cst.Name):
                    self._bind_target(child, scope, node, node.value)
            else:
                self.walk(child, scope)

    def _visit_AugAssign(self, node: cst.AugAssign, scope: Scope) -> None:
        self._children(node, scope)
        if isinstance(node.target, cst.Name):
            self._bind(scope, node.target.value, BindingKind.OTHER, node)

    def _visit_NamedExpr(self, node: cst.NamedExpr, scope: Scope) -> None:
        self._children(node, scope, but=node.target)
        owner = scope
        while isinstance(owner.node, cst.BaseComp | cst.DictComp) and owner.parent is not None:
            owner = owner.parent
        self._bind_target(node.target, owner, node)

    def _visit_For(self, node: cst.For, scope: Scope) -> None:
        self._children(node, scope, but=node.target)
        self._bind_target(node.target, scope, node)

    def _visit_AsName(self, node: cst.AsName, scope: Scope) -> None:
        self._children(node, scope, but=node.name)
        self._bind_target(node.name, scope, node)

    def _visit_Del(self, node: cst.Del, scope: Scope) -> None:
        self._children(node, scope)
        targets = node.target.elements if isinstance(node.target, cst.Tuple) else (node.target,)
        for target in targets:
            inner = target.value if isinstance(target, cst.BaseElement) else target
            if isinstance(inner, cst.Name):
                self._bind(scope, inner.value, BindingKind.OTHER, node)

    # Comprehensions

    def _comprehension(self, node: cst.BaseComp | cst.DictComp, scope: Scope) -> None:
        inner = self._open(node, scope)
        for child in self._children_of(node):
            self.walk(child, inner)

    _visit_ListComp = _visit_SetComp = _visit_DictComp = _visit_GeneratorExp = _comprehension

    def _visit_CompFor(self, node: cst.CompFor, scope: Scope) -> None:
        self._children(node, scope, but=node.target)
        self._bind_target(node.target, scope, node)

    # Patterns and type parameters

    def _visit_MatchAs(self, node: cst.MatchAs, scope: Scope) -> None:
        self._children(node, scope, but=node.name)
        if node.name is not None:
            self._bind(scope, node.name.value, BindingKind.OTHER, node)

    def _visit_MatchStar(self, node: cst.MatchStar, scope: Scope) -> None:
        self._children(node, scope, but=node.name)
        if node.name is not None:
            self._bind(scope, node.name.value, BindingKind.OTHER, node)

    def _visit_MatchMapping(self, node: cst.MatchMapping, scope: Scope) -> None:
        self._children(node, scope, but=node.rest)
        if node.rest is not None:
            self._bind(scope, node.rest.value, BindingKind.OTHER, node)

    def _visit_MatchKeywordElement(self, node: cst.MatchKeywordElement, scope: Scope) -> None:
        self._children(node, scope, but=node.key)

    def _type_parameter(self, node: cst.TypeVar | cst.TypeVarTuple | cst.ParamSpec, scope: Scope) -> None:
        # Bound in the scope around the definition: close enough, as nothing but the definition reads them.
        self._children(node, scope, but=node.name)
        self._bind(scope, node.name.value, BindingKind.OTHER, node)

    _visit_TypeVar = _visit_TypeVarTuple = _visit_ParamSpec = _type_parameter

    def _visit_TypeAlias(self, node: cst.TypeAlias, scope: Scope) -> None:
        self._children(node, scope, but=node.name)
        self._bind(scope, node.name.value, BindingKind.OTHER, node)


# What may hold `global` and `nonlocal` of a function: all blocks but those of functions and classes in it.
_HOLDERS_OF_STATEMENTS = (
    cst.BaseSuite,
    cst.SimpleStatementLine,
    cst.If,
    cst.Else,
    cst.For,
    cst.While,
    cst.With,
    cst.Try,
    cst.TryStar,
    cst.ExceptHandler,
    cst.ExceptStarHandler,
    cst.Finally,
    cst.Match,
    cst.MatchCase,
)
# A node's class says what is done with it; with all others only what they hold is looked at.
_HANDLERS = {
    getattr(cst, name.removeprefix("_visit_")): visit
    for name, visit in vars(_Walker).items()
    if name.startswith("_visit_")
}
