"""Which rules a run follows, by the codes of their findings: `MT1` stands for all that start with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from migrate_trainers.reading import legacy

# The finding of a migrated call site, by the trainer that it makes.
RULES = {
    legacy.LIGHTNING_TRAINER: "MT100",
    legacy.TRANSFORMERS_TRAINER: "MT200",
    legacy.ACCELERATE_TRAINER: "MT300",
}

_ALL = "MT"


@dataclass(frozen=True)
class Rules:
    """Codes that are selected and ignored, or what they start with; of two that fit a code the longer counts."""

    select: tuple[str, ...] = (_ALL,)
    ignore: tuple[str, ...] = ()

    def follows(self, code: str) -> bool:
        """Whether a rule is selected, and not ignored."""
        return _fit(self.select, code) > _fit(self.ignore, code)

    def names(self, code: str) -> bool:
        """Whether a rule, or the hundred of which it is, was asked for by name."""
        return any(code.startswith(prefix) and len(prefix) > len(_ALL) for prefix in self.select)

    def without(self, code: str) -> Rules:
        """The same rules but one."""
        return replace(self, ignore=(*self.ignore, code))

    def hides(self, code: str) -> bool:
        """Whether nobody wants to hear of a finding."""
        return _fit(self.ignore, code) > 0 and not self.follows(code)


def parse_codes(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Codes or what they start with, each text with one or several between commas; `ValueError` for what is none."""
    # Imported late: most runs follow all rules.
    from migrate_trainers.catalogue import CATALOGUE

    codes = tuple(code.strip().upper() for text in texts for code in text.split(",") if code.strip())
    for code in codes:
        if not code.startswith("MT") or not any(known.startswith(code) for known in CATALOGUE):
            raise ValueError(
                f"{code} is not the code of a finding, such as MT105, nor what some start with, such as MT1"
            )
    return codes


def _fit(prefixes: tuple[str, ...], code: str) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=0)
