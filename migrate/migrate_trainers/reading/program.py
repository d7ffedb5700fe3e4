"""A parsed source that can be asked where a node stands, what surrounds it, and what a name refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import libcst as cst

from migrate_trainers.reading.parsing import Parsed
from migrate_trainers.reading.scopes import Binding, BindingKind, Scope, build_scopes
from migrate_trainers.reading.syntax import readable_by_libcst

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePath

    from migrate_trainers.reading.source import Edit, Source

# Finds the program of a tree that an imported name comes from, and the name there; None for installed modules.
Elsewhere = Callable[[str], "tuple[Program, str] | None"]
# Reads a file that is no module: its path, and whether that starts in the folder of the program's own file, or in the
# one in which the program is run. Gives what the files hold that the path may mean.
ReadFile = Callable[["PurePath", bool], Iterable[bytes]]
# The programs of a tree that import a name from the program's own file, of those that mention some text.
Users = Callable[[str, str], "Iterable[Program]"]
Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
_Node = TypeVar("_Node", bound=cst.CSTNode)


def _nothing(imported: str) -> None:
    """The finder of a program whose other files aren't known."""


def _no_file(path: PurePath, beside: bool) -> Iterable[bytes]:
    """The reader of a program whose place isn't known."""
    return ()


def _no_users(name: str, mentioned: str) -> Iterable[Program]:
    """The answer for a program whose other files aren't known."""
    return ()


class Program:
    """One module: its tree, byte spans, parents, scopes and imports.

    `elsewhere` finds what a name is that is imported from another file, `read_file` gives what a file holds that the
    program names, `users` the programs that import a name of its own; `continues_runs` says that the trainers continue
    earlier runs, as an earlier step of the migration has seen; `parsed` is the source's tree where there is one. Raises
    `libcst.ParserSyntaxError` if the source isn't Python, and `ValueError` if libcst can't give its text back exactly
    (spans would be wrong then).
    """

    def __init__(
        self,
        source: Source,
        elsewhere: Elsewhere = _nothing,
        read_file: ReadFile = _no_file,
        users: Users = _no_users,
        *,
        continues_runs: bool = False,
        parsed: Parsed | None = None,
    ) -> None:
        self.source = source
        self.elsewhere = elsewhere
        self.read_file = read_file
        self.users = users
        self.continues_runs = continues_runs
        self._parsed = parsed or _parsed(source)
        self.module = self._parsed.module
        self.modules: tuple[cst.Module, ...] = (self.module,)
        self._spans, self._parents = self._parsed.spans, self._parsed.parents
        self._qualified: dict[int, str | None] = {}
        tree = build_scopes(self.module, self._parsed.children)
        self._scopes = tree.scopes
        self.module_scope = tree.module_scope
        self.names = tree.names
        self.attributes = tree.attributes
        self.calls = tree.calls
        self.imports = tree.imports
        self.comments = tree.comments
        self.strings = tree.strings

    def edited(self, edits: Iterable[Edit], *, continues_runs: bool = False) -> Program:
        """The program after a first step of its migration, at the same place."""
        source = self.source.rewritten(edits)
        is_readable = readable_by_libcst(source.buffer) == source.buffer
        return Program(
            source,
            self.elsewhere,
            self.read_file,
            self.users,
            continues_runs=continues_runs or self.continues_runs,
            parsed=self._parsed.edited(source.edits, source.buffer) if is_readable else None,
        )

    # Places

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        return self._spans[id(node)]

    def outer_span(self, node: cst.BaseExpression) -> tuple[int, int]:
        """The span with the parentheses around the expression."""
        start, end = self.span(node)
        start = min([start, *(self.span(left)[0] for left in node.lpar)])
        end = max([end, *(self.span(right)[1] for right in node.rpar)])
        return start, end

    def text(self, node: cst.CSTNode) -> str:
        return self.source.slice(*self.span(node))

    def outer_text(self, node: cst.BaseExpression) -> str:
        return self.source.slice(*self.outer_span(node))

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self._parents.get(id(node))

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        above = self.parent(node)
        while above is not None:
            yield above
            above = self.parent(above)

    def contains(self, outer: cst.CSTNode, inner: cst.CSTNode) -> bool:
        return inner is outer or any(node is outer for node in self.ancestors(inner))

    def statement(self, node: cst.CSTNode) -> Statement:
        """The line or compound statement that directly holds the node."""
        if isinstance(node, Statement):
            return node
        return next(above for above in self.ancestors(node) if isinstance(above, Statement))

    def top_level_statement(self, statement: Statement) -> Statement:
        """The statement of the module's own body that holds another one, or is it."""
        top = statement
        while not isinstance(self.parent(top), cst.Module):
            top = self.statement(self.block(top))
        return top

    def block(self, statement: Statement) -> cst.CSTNode:
        """The module or indented block whose body the statement is in."""
        parent = self.parent(statement)
        assert parent is not None
        return parent

    def statement_start(self, statement: Statement) -> int:
        """Offset of the statement's first character, decorators included."""
        if isinstance(statement, cst.FunctionDef | cst.ClassDef) and statement.decorators:
            return self.span(statement.decorators[0])[0]
        return self.span(statement)[0]

    def indent(self, node: cst.CSTNode) -> str:
        """The white space in front of the line on which a node starts."""
        return self.source.indent_at(self.span(node)[0])

    def enclosing(self, node: cst.CSTNode, kind: type[_Node] | tuple[type[_Node], ...]) -> _Node | None:
        return next((above for above in self.ancestors(node) if isinstance(above, kind)), None)

    def loop_around(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The nearest loop that runs a node repeatedly within its own function."""
        inner = node
        for above in self.ancestors(node):
            if isinstance(above, cst.FunctionDef | cst.Lambda):
                return None
            if isinstance(above, cst.For | cst.While) and inner is above.body:
                return above
            if isinstance(above, cst.BaseComp | cst.DictComp):
                return above
            inner = above
        return None

    def is_taken(self, name: str) -> bool:
        """Whether another file imports a name from this one."""
        return any(True for _ in self.users(name, name))

    def file_of(self, node: cst.CSTNode) -> Program:
        """The program of the file that a node is in."""
        return self

    # Names

    def scope(self, node: cst.CSTNode) -> Scope:
        """The scope in which a node's names are looked up."""
        if isinstance(node, cst.Name) and node in self.names:
            return self.names[node]
        for candidate in (node, *self.ancestors(node)):
            if candidate in self._scopes:
                return self._scopes[candidate]
        return self.module_scope

    def bindings(self, name: cst.Name) -> tuple[Binding, ...]:
        """All bindings of the variable that a name reads; none for builtins and unknown names."""
        return self.scope(name).lookup(name.value)

    def reaching(self, name: cst.Name) -> tuple[Binding, ...]:
        """The bindings of the variable that a name reads, without those whose value it surely doesn't read.

        An assignment above the name, in a block around it, replaces what stands above it; what stands below the name
        comes too late, but in a loop that the assignment isn't in.
        """
        bindings = self.bindings(name)
        scope = self.scope(name)
        is_shared = any(name.value in one.declared_global | one.declared_nonlocal for one in self.all_scopes())
        if is_shared or any(binding.scope is not scope for binding in bindings):
            return bindings
        replacing = [binding for binding in bindings if self._surely_assigns_before(binding.node, name)]
        if not replacing:
            return bindings
        last = max((binding.node for binding in replacing), key=lambda node: self.span(node)[0])
        loops = [
            above
            for above in self.ancestors(name)
            if isinstance(above, cst.For | cst.While) and not self.contains(above, last)
        ]
        return tuple(
            binding
            for binding in bindings
            if self.span(binding.node)[0] >= self.span(last)[0]
            and (not self._binds_after(binding.node, name) or any(self.contains(loop, binding.node) for loop in loops))
        )

    def _surely_assigns_before(self, node: cst.CSTNode, name: cst.Name) -> bool:
        """Whether a node is an assignment that has run whenever a name in a block below it is read."""
        if not isinstance(node, cst.Assign | cst.AnnAssign) or self.contains(node, name):
            return False
        block = self.block(self.statement(node))
        return self.contains(block, name) and self.span(node)[0] < self.span(name)[0]

    def _binds_after(self, node: cst.CSTNode, name: cst.Name) -> bool:
        """Whether a binding's value is not yet there where a name is read."""
        is_own_value = isinstance(node, cst.Assign | cst.AnnAssign) and self.contains(node, name)
        return is_own_value or self.span(node)[0] > self.span(name)[0]

    def sole_assignment(self, name: cst.Name) -> Binding | None:
        """The plain assignment behind a name whose variable nothing else binds."""
        bindings = self.bindings(name)
        return bindings[0] if len(bindings) == 1 and bindings[0].kind is BindingKind.ASSIGNMENT else None

    def assigned_value(self, name: cst.Name) -> cst.BaseExpression | None:
        """What that assignment gives it."""
        binding = self.sole_assignment(name)
        return binding.value if binding is not None else None

    def named(self, node: cst.BaseExpression) -> tuple[Binding, ...]:
        """The bindings of what an expression names; none for what isn't a variable of the program."""
        return self.bindings(node) if isinstance(node, cst.Name) else ()

    def qualified_name(self, node: cst.CSTNode) -> str | None:
        """`ray.train.torch.TorchTrainer` for an expression that reaches it through imports, else None.

        None too where one of several bindings of the name is something else.
        """
        key = id(node)
        if key in self._qualified:
            return self._qualified[key]
        qualified = self._looked_up(node)
        if key in self._spans:  # Another node may get the `id` of one that isn't the tree's.
            self._qualified[key] = qualified
        return qualified

    def _looked_up(self, node: cst.CSTNode) -> str | None:
        if isinstance(node, cst.Attribute):
            base = self.qualified_name(node.value)
            return None if base is None else f"{base}.{node.attr.value}"
        if not isinstance(node, cst.Name):
            return None
        bindings = self.bindings(node)
        names = {binding.imported for binding in bindings}
        if len(names) != 1 or any(binding.kind is not BindingKind.IMPORT for binding in bindings):
            return None
        return names.pop()

    def definitions(self, node: cst.BaseExpression) -> Iterator[tuple[Program, Binding]]:
        """Where what an expression names is bound: in this file, or in the file of the tree that it comes from."""
        pending: list[tuple[Program, tuple[Binding, ...]]] = []
        if isinstance(node, cst.Name):
            pending.append((self, self.bindings(node)))
        elif (qualified := self.qualified_name(node)) is not None and (found := self.elsewhere(qualified)) is not None:
            pending.append((found[0], found[0].module_scope.lookup(found[1])))
        seen: set[Binding] = set()
        while pending:
            program, bindings = pending.pop()
            for binding in bindings:
                if binding in seen:
                    continue
                seen.add(binding)
                found = program.elsewhere(binding.imported) if binding.imported is not None else None
                if found is None:
                    yield program, binding
                else:
                    pending.append((found[0], found[0].module_scope.lookup(found[1])))

    def is_builtin(self, node: cst.CSTNode, name: str) -> bool:
        """Whether a node is the name of a builtin that the module doesn't bind itself."""
        return isinstance(node, cst.Name) and node.value == name and not self.bindings(node)

    @cached_property
    def assigned_attributes(self) -> frozenset[str]:
        """The texts of all attributes that the module assigns to: `args.lr`."""
        targets = cst.AssignTarget | cst.AugAssign | cst.AnnAssign
        return frozenset(
            self.text(node)
            for node in self.attributes
            if isinstance(parent := self.parent(node), targets) and parent.target is node
        )

    def uses(self, binding: Binding) -> list[cst.Name]:
        """The names that read (or delete) the variable which a binding binds."""
        return [
            name for name in self.names if name.value == binding.name and binding in self.scope(name).lookup(name.value)
        ]

    def all_bound_names(self) -> set[str]:
        return {name for scope in self.all_scopes() for name in scope.bindings}

    def all_scopes(self) -> Iterator[Scope]:
        yield self.module_scope
        yield from self._scopes.values()

    def all_bindings(self) -> Iterator[Binding]:
        """Every binding of every scope."""
        for scope in self.all_scopes():
            for bindings in scope.bindings.values():
                yield from bindings

    @cached_property
    def imported_names(self) -> frozenset[str]:
        """The qualified names of all that the program imports."""
        return frozenset(binding.imported for binding in self.all_bindings() if binding.imported is not None)

    @cached_property
    def reached_names(self) -> frozenset[str]:
        """The same, and those that it reads through modules."""
        through = (self.qualified_name(attribute) for attribute in self.attributes)
        return self.imported_names | {name for name in through if name is not None}

    def comments_in(self, start: int, end: int) -> list[str]:
        """The comments that begin between two offsets."""
        return [self.text(comment) for comment in self.comments if start <= self.span(comment)[0] < end]

    def unresolved_names(self) -> set[str]:
        """Names that are read somewhere and bound nowhere that the reader could see."""
        return {name.value for name in self.names if not self.scope(name).lookup(name.value)}


def _parsed(source: Source) -> Parsed:
    """The tree of a source, but for what libcst loses in front of statements."""
    readable = readable_by_libcst(source.buffer)
    parsed = Parsed.of(readable)
    if readable == source.buffer:
        return parsed
    # What was taken from a string was none in front of a statement.
    strings = (
        parsed.spans[id(node)]
        for nodes in parsed.children.values()
        for node in nodes
        if isinstance(node, cst.SimpleString | cst.FormattedString)
    )
    changed = [(start, end) for start, end in strings if readable[start:end] != source.buffer[start:end]]
    return Parsed.of(readable_by_libcst(source.buffer, changed)) if changed else parsed
