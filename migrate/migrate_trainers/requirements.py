"""What a project's requirement files say of Ray: the releases that all of them allow."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from migrate_trainers.reading import legacy
from migrate_trainers.reading.prefilter import PACKAGE, read

if TYPE_CHECKING:
    from pathlib import Path

    from migrate_trainers.settings import Version

_PATTERNS = (
    *("*requirements*.txt", "*requirements*.in", "requirements/*.txt", "requirements/*.in"),
    *("pyproject.toml", "setup.cfg", "setup.py", "Pipfile"),
    *("*environment*.yml", "*environment*.yaml", "conda*.yml", "conda*.yaml"),
)
# Ray's releases by their minor numbers; those before the tool's own time tell a pin of them from none.
_RELEASES = tuple((2, minor) for minor in range(legacy.LATEST_TARGET[1] + 1))
_PATCHES = range(11)
_CONDA_NAMES = re.compile(r"ray(-(core|default|train|tune|data|air|all))?")
_WHEEL = re.compile(r"/ray-(\d+\.\d+\.\d+)[-.]")
_LINE_OPTIONS = re.compile(r"\s+(--|#).*")


def allowed_releases(folder: Path) -> tuple[frozenset[Version], tuple[str, ...]] | None:
    """The releases of Ray that the requirement files of a folder all allow, and what they say of it, as `file: text`.

    None where none of them has a word on Ray's release. A file that can't be read says nothing.
    """
    allowed, said = set(_RELEASES), []
    for file in sorted({file for pattern in _PATTERNS for file in folder.glob(pattern)}):
        for specifiers in specifiers_in(file):
            if specifiers:
                said.append(f"{file.name}: ray{specifiers}")
                allowed = {release for release in allowed if _allows(specifiers, release)}
    return (frozenset(allowed), tuple(dict.fromkeys(said))) if said else None


def specifiers_in(file: Path) -> list[SpecifierSet]:
    """What a requirement file demands of Ray's release, for each mention of Ray; nothing where it can't be read."""
    try:
        data = read(str(file))
        if PACKAGE not in data.lower():
            return []
        return [found for found in _reader(file)(data.decode("utf-8-sig")) if found is not None]
    except (OSError, ValueError, SyntaxError, RecursionError, configparser.Error):
        return []


def _allows(specifiers: SpecifierSet, release: Version) -> bool:
    return any(specifiers.contains(f"{release[0]}.{release[1]}.{patch}") for patch in _PATCHES)


_Found = Iterator[SpecifierSet | None]


def _reader(file: Path) -> Callable[[str], _Found]:
    if file.name in ("pyproject.toml", "Pipfile"):
        return _in_toml
    if file.name == "setup.cfg":
        return _in_configuration
    if file.name == "setup.py":
        return _in_setup
    return _in_environment if file.suffix in (".yml", ".yaml") else _in_lines


def _in_lines(text: str) -> _Found:
    for line in text.replace("\\\n", " ").splitlines():
        yield _requirement(_LINE_OPTIONS.sub("", line.strip()))


def _requirement(text: str) -> SpecifierSet | None:
    """What a requirement as pip takes it demands, if it is one on Ray."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    if requirement.name.lower() != "ray":
        return None
    wheel = _WHEEL.search(requirement.url or "")
    return SpecifierSet(f"=={wheel[1]}") if wheel is not None else requirement.specifier


def _in_configuration(text: str) -> _Found:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    values = [parser.get("options", "install_requires", fallback="")]
    if parser.has_section("options.extras_require"):
        values += parser["options.extras_require"].values()
    for value in values:
        yield from _in_lines(value)


def _in_setup(text: str) -> _Found:
    """Of code, the strings that are requirements."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield _requirement(node.value)


def _in_toml(text: str) -> _Found:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    yield from _in_tables(tomllib.loads(text))


def _in_tables(table: Mapping[str, Any]) -> _Found:
    """Lists of requirements, and tables of names with their releases (Poetry's, Pipenv's), wherever they stand."""
    for key, value in table.items():
        if key == "ray":
            yield from _of_release(value)
        elif isinstance(value, Mapping):
            yield from _in_tables(value)
        elif isinstance(value, list):
            yield from map(_requirement, (item for item in value if isinstance(item, str)))


def _of_release(value: object) -> _Found:
    """`"^2.6"`, `{version = "2.6.3", extras = [...]}`, or several of them for several environments."""
    if isinstance(value, list):
        for one in value:
            yield from _of_release(one)
    elif isinstance(value, Mapping):
        yield from _of_release(value.get("version", ""))
    elif isinstance(value, str):
        parts = (_poetry_part(part.strip()) for part in value.split(","))
        yield _specifiers(",".join(part for part in parts if part))


def _poetry_part(part: str) -> str:
    release = part[1:].strip()
    if part.startswith("^"):
        return f">={release},<{int(release.split('.')[0]) + 1}"
    if part.startswith("~") and not part.startswith("~="):
        major, *minor = release.split(".")[:2]
        return f">={release},<{major}.{int(minor[0]) + 1}" if minor else f"=={major}.*"
    return f"=={part}" if part[:1].isdecimal() else "" if part == "*" else part


def _specifiers(text: str) -> SpecifierSet | None:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        return None


def _in_environment(text: str) -> _Found:
    import yaml

    try:
        environment = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    dependencies = environment.get("dependencies") if isinstance(environment, dict) else None
    for item in dependencies if isinstance(dependencies, list) else ():
        if isinstance(item, str):
            yield _conda(item)
        elif isinstance(item, dict):
            pip: Iterable[object] = item.get("pip") or ()
            yield from map(_requirement, (one for one in pip if isinstance(one, str)))


def _conda(text: str) -> SpecifierSet | None:
    """What a package of conda demands: `conda-forge::ray-default=2.6.3=py310_0`, `ray >=2.4,<2.7`, `ray 2.6.*`."""
    match = re.fullmatch(r"(?:[\w.-]+::)?([\w-]+?)\s*([=<>!~ ].*)?", text.strip())
    if match is None or not _CONDA_NAMES.fullmatch(match[1]):
        return None
    demanded = (match[2] or "").strip()
    if demanded.startswith("=") and not demanded.startswith("=="):
        release = demanded[1:].split("=")[0].strip().removesuffix(".*")
        return _specifiers(f"=={release}.*")
    # A build, behind a release or a space.
    demanded = re.sub(r"^(==?[\w.]+)=.*", r"\1", demanded).split(" ")[0] if demanded[:1] not in "<>" else demanded
    return _specifiers(f"=={demanded}" if demanded[:1].isdecimal() else demanded)
