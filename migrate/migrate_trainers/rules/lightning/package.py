"""Which of the two Lightning packages a file uses, and how new code names its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.lightning_names import NEW_PACKAGE, OLD_PACKAGE
from migrate_trainers.reading.scopes import Binding, BindingKind, dotted_name
from migrate_trainers.reading.values import lightning_name
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.conversion import imported_packages, prefers_lightning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.rules.rewrite import Rewrite


class LightningPackage:
    """The package of the file (`lightning.pytorch` or `pytorch_lightning`) as its imports show it.

    Raises `Refusal` where a file mixes the two, as objects of one don't fit the other.
    """

    def __init__(self, rewrite: Rewrite, module_class: cst.BaseExpression) -> None:
        self._rewrite = rewrite
        packages = imported_packages(rewrite.program)
        if len(packages) > 1:
            raise Refusal("MT106", module_class, "the file mixes `pytorch_lightning` and `lightning.pytorch`")
        newer = prefers_lightning(rewrite.settings)
        default = NEW_PACKAGE if newer and not rewrite.package.keeps_old else OLD_PACKAGE
        self.name = next(iter(packages), default)
        if any(finding.code == "MT113" for finding in rewrite.findings):
            return
        if self.name == OLD_PACKAGE and newer:
            rewrite.review("MT113", module_class, rewrite.package.keeps_old)
        elif not packages and not rewrite.package.converts:
            rewrite.review("MT113", module_class, f"this file imports neither, and now `{self.name}`")

    @property
    def trainer(self) -> str:
        """The expression for `pl.Trainer`."""
        return self.named("Trainer")

    @property
    def root(self) -> str:
        """The variable by which new code reaches the package."""
        return self.trainer.partition(".")[0]

    def named(self, name: str) -> str:
        """The expression for a class of the package, through the file's own alias where it has one."""
        for prefix in (self.name, "lightning"):
            if prefix == "lightning" and self.name != NEW_PACKAGE:
                continue
            alias = self._alias(prefix)
            if alias is not None:
                path = name if prefix == self.name or "." not in name else f"pytorch.{name}"
                return f"{alias}.{path}"
        return self._rewrite.imports.name(f"{self.name}.{name}")

    def is_cluster_environment(self, node: cst.BaseExpression) -> bool:
        """Whether an element of `plugins` constructs one of Lightning's cluster environments."""
        if not isinstance(node, cst.Call):
            return False
        name = lightning_name(self._rewrite.program.qualified_name(node.func)) or ""
        return "environments." in name or name.endswith("Environment")

    def is_no_checkpoint(self, node: cst.BaseExpression) -> bool:
        """Whether an element of `callbacks` is surely no ModelCheckpoint."""
        if not isinstance(node, cst.Call):
            return False
        program = self._rewrite.program
        name = lightning_name(program.qualified_name(node.func))
        if name is not None:
            return not name.endswith("ModelCheckpoint")
        definitions = list(program.definitions(node.func))
        if len(definitions) == 1 and isinstance(definitions[0][1].node, cst.ClassDef):
            owner, binding = definitions[0]
            assert isinstance(binding.node, cst.ClassDef)
            bases = [lightning_name(owner.qualified_name(base.value)) for base in binding.node.bases]
            return all(base is not None and base.endswith("Callback") for base in bases) and bool(bases)
        return False

    def _alias(self, module: str) -> str | None:
        for binding in self._import_bindings():
            if binding.imported == module and self._is_module_alias(binding, module):
                return binding.name
        if module == NEW_PACKAGE and self._imports_plainly(module):
            return module
        return None

    def _is_module_alias(self, binding: Binding, module: str) -> bool:
        # `import lightning.pytorch` binds `lightning`, which reaches the package in another way.
        return module != "lightning" or not self._imports_plainly(NEW_PACKAGE)

    def _imports_plainly(self, module: str) -> bool:
        return any(
            dotted_name(alias.name) == module and alias.asname is None
            for statement in self._rewrite.program.imports
            if isinstance(statement, cst.Import)
            for alias in statement.names
        )

    def _import_bindings(self) -> Iterator[Binding]:
        for bindings in self._rewrite.program.module_scope.bindings.values():
            if len({binding.imported for binding in bindings}) == 1 and bindings[0].kind is BindingKind.IMPORT:
                yield bindings[0]
