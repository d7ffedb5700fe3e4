"""What becomes of a program's imports: names that go, names that have moved, names that new code needs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind, dotted_name
from migrate_trainers.writing.import_lines import ImportWriter, NewImports, has_run_for, is_import_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.scopes import Binding, Scope
    from migrate_trainers.reading.source import Edit


class ImportPlan:
    """The imports of one program after the rewrite.

    `anchor` is the statement beside which new imports go, until `stand_at` names another. `by_module` says that new
    code reaches classes through their modules, as the file does (`import ray.train.lightning`). `moved` gives the new
    qualified name of a name that has moved, else None.
    """

    def __init__(
        self,
        program: Program,
        anchor: cst.Import | cst.ImportFrom,
        moved: Callable[[str], str | None],
        *,
        by_module: bool,
    ) -> None:
        self._program = program
        self._anchor = anchor
        self._by_module = by_module
        self._moved = moved
        self._removed: set[cst.ImportAlias] = set()
        self._places: dict[cst.CSTNode, NewImports] = {}
        self._local_names: dict[tuple[Program, str], str] = {}
        self._taken: dict[Program, set[str]] = {}
        self.stand_at(anchor)

    @property
    def are_at_module_level(self) -> bool:
        """Whether what new code imports can be read everywhere in the module."""
        return isinstance(self.block, cst.Module)

    @property
    def block(self) -> cst.CSTNode:
        """The block in which new code can read what it imports."""
        return self._block(self._anchor)

    def reaches(self, node: cst.CSTNode) -> bool:
        """Whether the code at a node can read what is imported beside the anchor."""
        return self._program.contains(self.block, node)

    def stand_at(self, anchor: cst.Import | cst.ImportFrom) -> None:
        """Put what is asked for from now on beside a statement, so that code in its block can read it."""
        self._anchor = anchor
        place = self._places.setdefault(self._block(anchor), NewImports(anchor))
        self._wanted, self._plain = place.wanted, place.plain

    def statement_below(self, statement: Statement) -> Statement | None:
        """The first one below the anchor that is no import, if the anchor stands below a statement of its block."""
        body = list(getattr(self.block, "body", ()))
        own = self._program.statement(self._anchor)
        if statement not in body or body.index(own) < body.index(statement):
            return None
        return next((line for line in body[body.index(own) :] if not is_import_line(line)), None)

    @contextmanager
    def standing_at(self, anchor: cst.Import | cst.ImportFrom) -> Iterator[None]:
        """The same for some lines of code only."""
        before = self._anchor
        self.stand_at(anchor)
        yield
        self.stand_at(before)

    def remove(self, alias: cst.ImportAlias) -> None:
        self._removed.add(alias)

    def reserve(self, name: str) -> None:
        """Note a name that new code binds."""
        self._taken_names.add(name)

    def is_free(self, name: str) -> bool:
        return name not in self._taken_names

    @property
    def _file(self) -> Program:
        return self._program.file_of(self._anchor)

    @property
    def _taken_names(self) -> set[str]:
        """The names that the file around the anchor uses, or will."""
        file = self._file
        if file not in self._taken:
            self._taken[file] = file.all_bound_names() | file.unresolved_names()
        return self._taken[file]

    def name(self, qualified: str) -> str:
        """The expression by which new code reaches a class or function, in the file's own style."""
        existing = self._existing(qualified)
        if existing is not None:
            return existing
        module, _, name = qualified.rpartition(".")
        if (module, name) in self._wanted:
            return self._wanted[module, name]
        is_ours = module.partition(".")[0] in ("ray", "train_runtime")
        if not is_ours and self._module_alias(module) is not None:
            return f"{self.module(module)}.{name}"
        if is_ours and (self._by_module or (module in self._plain and not self._imports_from(module))):
            return f"{self.module(module)}.{name}"
        self._wanted[module, name] = self._local_name(module, name)
        return self._wanted[module, name]

    def _local_name(self, module: str, name: str) -> str:
        """The name that an import binds: its own, if that means nothing else in the file."""
        qualified = f"{module}.{name}"
        key = (self._file, qualified)
        if key not in self._local_names:
            local = name
            while not self.is_free(local) and not self._frees(local):
                top = module.partition(".")[0]
                local = f"{top.title().replace('_', '')}{local}" if local[0].isupper() else f"{top}_{local}"
            self._taken_names.add(local)
            self._local_names[key] = local
        return self._local_names[key]

    def member(self, qualified: str) -> str:
        """The expression `module.name` for functions whose bare names say little (`ray.train.report`)."""
        module, _, name = qualified.rpartition(".")
        if not self._by_module:
            for (wanted_module, wanted), local in self._wanted.items():
                if (wanted_module, wanted) == (module, name):
                    return local
        top = module.partition(".")[0]
        if self._module_alias(module) is None and not self._can_bind(top):
            return self.name(qualified)
        return f"{self.module(module)}.{name}"

    def module(self, module: str) -> str:
        """The expression for a module, importing it if it isn't imported."""
        alias = self._module_alias(module)
        if alias is not None:
            return alias
        if module not in self._plain:
            local = module
            if not self._can_bind(module.partition(".")[0]):
                local = f"{module.replace('.', '_')}_module"
                while not self.is_free(local):
                    local += "_"
                self._taken_names.add(local)
            self._plain[module] = local
        return self._plain[module]

    def _existing(self, qualified: str) -> str | None:
        """The local name of something that the file imports (and still will)."""
        for local, bindings in self._visible_imports():
            if len(bindings) != 1:
                continue
            alias, imported = bindings[0].node, bindings[0].imported
            if alias in self._removed or imported is None or not isinstance(alias, cst.ImportAlias):
                continue
            if (self._moved(imported) or imported) == qualified and self._means_everywhere(local, imported):
                return local
        return None

    def _module_alias(self, module: str) -> str | None:
        """How the file reaches a module: by an alias, by `from ray import train`, or through `import ray`."""
        for local, bindings in self._visible_imports():
            if len({binding.imported for binding in bindings}) != 1:
                continue
            binding = bindings[0]
            if not isinstance(binding.node, cst.ImportAlias):
                continue
            if all(other.node in self._removed for other in bindings):
                continue
            if not self._means_everywhere(local, binding.imported):
                continue
            if binding.imported == module:
                return local
            # `import ray` is enough for `ray.train`, as the new imports load it.
            if local == "ray" and binding.imported == "ray" and (module == "ray.train" or self._imports_module(module)):
                return module
        return None

    def _imports_from(self, module: str) -> bool:
        """Whether the file imports names from a module, or will once its names have moved."""
        for statement in self._program.imports:
            if isinstance(statement, cst.ImportFrom) and not isinstance(statement.names, cst.ImportStar):
                for alias in statement.names:
                    qualified = f"{dotted_name(statement.module)}.{dotted_name(alias.name)}"
                    if (
                        alias not in self._removed
                        and (self._moved(qualified) or qualified).rpartition(".")[0] == module
                    ):
                        return True
        return False

    def _imports_module(self, module: str) -> bool:
        return any(
            dotted_name(alias.name) == module
            for statement in self._program.imports
            if isinstance(statement, cst.Import)
            for alias in statement.names
            if alias.asname is None and alias not in self._removed
        )

    def _can_bind(self, top: str) -> bool:
        """Whether `import top.…` would leave every other meaning of the name alone."""
        return self._means_everywhere(top, top)

    def _means_everywhere(self, local: str, imported: str | None) -> bool:
        """Whether no scope of the file binds a name to anything but one imported thing."""
        return all(
            binding.imported == imported
            for scope in self._file.all_scopes()
            for binding in scope.bindings.get(local, [])
        )

    def _visible_imports(self) -> Iterator[tuple[str, list[Binding]]]:
        """What code beside the anchor can read that is imported first; what is under a condition may not have run."""
        scope: Scope | None = self._program.scope(self._anchor)
        while scope is not None:
            for name, bindings in scope.bindings.items():
                if bindings[0].kind is not BindingKind.IMPORT:
                    continue
                if all(self._runs(binding) for binding in bindings) and any(map(self._has_run, bindings)):
                    yield name, bindings
            scope = scope.parent

    def _runs(self, binding: Binding) -> bool:
        """Whether a statement binds a name whenever the code around the anchor runs."""
        block = self._program.block(self._program.statement(binding.node))
        return self._program.contains(block, self._anchor)

    def _has_run(self, binding: Binding) -> bool:
        """Whether it does so before that code can read the name."""
        statement = self._program.statement(binding.node)
        return self._program.block(statement) is not self.block or has_run_for(self._program, statement, self._anchor)

    def _frees(self, local: str) -> bool:
        """Whether the only bindings of a name are imports that this plan removes."""
        bindings = [binding for scope in self._file.all_scopes() for binding in scope.bindings.get(local, [])]
        return bool(bindings) and all(binding.node in self._removed for binding in bindings)

    def _block(self, statement: cst.Import | cst.ImportFrom) -> cst.CSTNode:
        return self._program.block(self._program.statement(statement))

    def edits(self) -> list[Edit]:
        """The edits of all import statements."""
        return ImportWriter(self._program, self._removed, self._moved).edits(self._places.values())
