"""What a user can ask of one run of the rewriter."""

from __future__ import annotations

from dataclasses import dataclass

from migrate_trainers.reading import legacy
from migrate_trainers.selection import Rules

Version = tuple[int, int]
_ALL_RULES = Rules()


@dataclass(frozen=True)
class Adoption:
    """What a script that trains without Ray runs on once it is a TorchTrainer program."""

    num_workers: int
    use_gpu: bool = False


@dataclass(frozen=True)
class Settings:
    """The Ray that the code was written for, the Ray that it must run on, and whose package new imports name.

    Without a source version, the names that a file uses tell it (2.6 where they don't); without a target version, the
    output is for current Ray. Without a release of Transformers that the output must run with, its arguments keep their
    names. `rules` are those that are followed; with an `adoption`, programs that don't use Ray yet are converted, too.
    """

    source_version: Version | None = None
    target_version: Version | None = None
    target_transformers: Version | None = None
    bundled: bool = False
    rules: Rules = _ALL_RULES
    adoption: Adoption | None = None

    @property
    def source(self) -> Version:
        """The Ray that the code was written for, as far as it is known."""
        return self.source_version or legacy.USUAL_SOURCE

    @property
    def target(self) -> Version:
        """The Ray that the output must run on."""
        return self.target_version or legacy.LATEST_TARGET

    @property
    def strict_target(self) -> bool:
        """Whether the target raises on what earlier releases of the new API still took."""
        return self.bundled or self.target >= legacy.FIRST_STRICT_TARGET


def parse_version(text: str) -> Version:
    """`2.9` or `latest` for a Ray; raises `ValueError` for anything else."""
    return legacy.LATEST_TARGET if text == "latest" else parse_release(text, "a Ray version such as 2.9")


def check_version(option: str, text: str) -> None:
    """Raise `ValueError` if the text of an option is no version that it takes."""
    if option == "target_transformers":
        parse_release(text, "a release of Transformers such as 5.0")
    elif parse_version(text) < legacy.FIRST_TARGET:
        raise ValueError("the new API exists since Ray 2.7")


def parse_release(text: str, expected: str) -> Version:
    """The major and minor numbers of `4.46` or `4.46.3`; raises `ValueError` that says what was `expected`."""
    numbers = text.split(".")
    if not 2 <= len(numbers) <= 3 or not all(number.isdecimal() for number in numbers):
        raise ValueError(f"{text!r} is not {expected}")
    return int(numbers[0]), int(numbers[1])
