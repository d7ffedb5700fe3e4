"""Files with legacy names, migrated in clusters that have nothing to do with each other: here, or in processes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from migrate_trainers.containers import is_page
from migrate_trainers.containers.files import PythonFiles
from migrate_trainers.engine import migrate_source
from migrate_trainers.file_findings import failure, file_finding, with_finding
from migrate_trainers.findings import FileResult
from migrate_trainers.groups import groups
from migrate_trainers.reading.modules import absolute
from migrate_trainers.reading.program import Program
from migrate_trainers.reading.syntax import foreign_code
from migrate_trainers.rules.choice import about_comments
from migrate_trainers.surroundings import with_modules
from migrate_trainers.tree import Tree, Unit
from migrate_trainers.workers import Lost, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from migrate_trainers.progress import Watch
    from migrate_trainers.settings import Settings

# Less than this many bytes of files with a legacy name are migrated before a process has started.
_WORTH_A_PROCESS = 20_000
# A page, which is no module, or the units that may have to be migrated together.
Cluster = Path | tuple[Unit, ...]


def migrate_hits(
    hits: Mapping[Path, bytes],
    files: Mapping[Path, bytes],
    others: Mapping[Path, bytes],
    settings_of: Callable[[Path], Settings],
    read_data: Callable[[Path], bytes],
    processes: int,
    watch: Watch,
) -> dict[Path, FileResult]:
    """The results for files with a legacy name, and for those that have to change with them."""
    python = PythonFiles(files, hits)
    modules = [path for path in hits if not is_page(path)]
    tree = Tree(python, PythonFiles(others), modules, settings_of, read_data)
    with foreign_code():
        clusters: list[Cluster] = [*filter(is_page, hits), *map(tuple, tree.apart(tree.units()))]
    migration = Migration(tree, python, settings_of)
    number = min(processes, len(clusters), sum(map(len, hits.values())) // _WORTH_A_PROCESS)
    results: dict[Path, FileResult] = {}
    with contextlib.closing(_done(migration, clusters, number)) as done:
        for migrated in watch(done, len(clusters), "Migrating"):
            # What another process has sent is a copy.
            results |= {path: _with_known_bytes(result, hits.get(path)) for path, result in migrated.items()}
    return {path: result for path, result in results.items() if result.says_something}


def _done(migration: Migration, clusters: Sequence[Cluster], processes: int) -> Generator[dict[Path, FileResult]]:
    """The results for each cluster, in the order in which they are done."""
    if processes < 2:
        yield from map(migration, clusters)
        return
    for cluster, results in spread(migration, clusters, processes):
        yield migration.lost(cluster, results) if isinstance(results, Lost) else results


def _with_known_bytes(result: FileResult, data: bytes | None) -> FileResult:
    if data is None or data != result.before:
        return result
    return replace(result, before=data, after=result.after if result.changed else data)


@dataclass(frozen=True)
class Migration:
    """What is done with each cluster of a tree."""

    tree: Tree
    files: PythonFiles
    settings_of: Callable[[Path], Settings]

    @foreign_code()
    def __call__(self, cluster: Cluster) -> dict[Path, FileResult]:
        """The results for the files of a cluster, and for those that change with them."""
        try:
            if isinstance(cluster, Path):
                # What the code blocks of a page import is no file beside it.
                return {cluster: migrate_source(self.files.data(cluster), self.settings_of(cluster), cluster)}
            found = self._modules(cluster)
            return {path: self.files.result(path, with_finding(result)) for path, result in found.items()}
        except Exception as error:  # A fault of the tool in some files must not keep it from the others.
            return {path: failure(self.files.data(path), error) for path in self._hits(cluster)}
        finally:
            self.tree.forget(map(absolute, self._hits(cluster)))

    def _with_star_readers(self, path: Path, result: FileResult) -> FileResult:
        """A changed file's result, with what may read its trainers' results unseen."""
        findings = [
            file_finding("MT918", f"`{self.tree.name(user)}`, which uses `{name}`")
            for user, name in self.tree.read_through_stars(path)
        ]
        return replace(result, findings=tuple(sorted((*result.findings, *findings)))) if findings else result

    def lost(self, cluster: Cluster, lost: Lost) -> dict[Path, FileResult]:
        """The results for files whose process ended."""
        found = file_finding("MT914", f"the process that migrated it {lost}")
        hits = {path: self.files.data(path) for path in self._hits(cluster)}
        return {path: FileResult(data, data, findings=(found,)) for path, data in hits.items()}

    def _hits(self, cluster: Cluster) -> list[Path]:
        """The files of a cluster that have a legacy name."""
        if isinstance(cluster, Path):
            return [cluster]
        return sorted(self.tree.name(path) for unit in cluster for path in unit if path in self.tree.hits)

    def _modules(self, units: tuple[Unit, ...]) -> dict[Path, FileResult]:
        read = {path: self.tree.hit(path) for path in map(absolute, self._hits(units))}
        programs = {path: program for path, program in read.items() if isinstance(program, Program)}
        found = {path: result for path, result in read.items() if isinstance(result, FileResult)}
        readable = [unit for unit in units if len(unit) > 1 or not unit.isdisjoint(programs)]
        for group in groups(self.tree, readable):
            try:
                # Files that depend on each other are of one project.
                migrated = group.migrate(self.tree.settings_of(min(group.legacy)))
            except Exception as error:  # The same, for the files of other groups.
                migrated = {path: failure(self.tree.read(path), error) for unit in group.units for path in unit}
            together = frozenset(self.tree.name(path) for path, result in migrated.items() if result.changed)
            found |= {path: replace(result, together=together) for path, result in migrated.items()}
        found = with_modules(self.tree, list(programs), found)
        found |= {path: self._with_star_readers(path, result) for path, result in found.items() if result.changed}
        for path, program in programs.items():
            data = self.tree.read(path)
            found[path] = about_comments(program, found.get(path, FileResult(data, data)))
        return {self.tree.given[path]: result for path, result in found.items() if path in self.tree.given}
