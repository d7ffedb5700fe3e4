"""What a migrated program gives on current Ray and on the bundled runtime, beside what the legacy program gave.

`make equivalence` runs the programs (`test_equivalence.py`). `python tests/engines/equivalence.py` writes the table of
the runs that were kept to `docs/equivalence.md`.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cases import Case, legacy_cases
from kept_runs import KeptRuns, on_bundled_runtime, on_legacy_ray, on_real_ray

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine import Fit

TABLE = Path(__file__).parents[2] / "docs" / "equivalence.md"

# What Ray 2.6 kept in each checkpoint for itself.
_BOOKKEEPING = {".is_checkpoint", ".metadata.pkl", ".tune_metadata", "_preprocessor"}
_RANDOM_STATE = re.compile(r"rng_state_\d+\.pth")


@dataclass(frozen=True)
class Difference:
    """A thing that isn't what it was, and the finding that announced so, if one did."""

    what: str
    legacy: str
    now: str
    announced_by: str | None


@dataclass(frozen=True)
class Comparison:
    """One case: what each engine gave."""

    case: Case
    legacy: tuple[Fit, ...]
    ray: tuple[Fit, ...]
    bundled: tuple[Fit, ...]  # none where the case runs trials

    def differences(self, now: tuple[Fit, ...]) -> Iterator[Difference]:
        """How fits of the migrated program differ from those of the legacy program."""
        if len(now) != len(self.legacy):
            yield Difference("fits", str(len(self.legacy)), str(len(now)), None)
            return
        findings = _findings(self.case)
        for before, after, recorded in zip(self.legacy, now, self.case.legacy_fits, strict=True):
            for name in recorded.metrics:
                yield from _metric_difference(name, before, after, findings)
            if self.case.tuned:
                continue  # the last checkpoint of a trial is all that is known
            if before.checkpoints != after.checkpoints:
                yield Difference("checkpoints", str(before.checkpoints), str(after.checkpoints), None)
            yield from _file_differences(before, after, findings)


def kept_comparisons() -> list[Comparison]:
    """The cases for which a run on each engine was kept."""
    ray, bundled = on_real_ray(_no_cluster), on_bundled_runtime()
    comparisons = (compared(case, ray, bundled, only_kept=True) for case in legacy_cases())
    return [comparison for comparison in comparisons if comparison.legacy and comparison.ray]


def compared(case: Case, ray: KeptRuns, bundled: KeptRuns, *, only_kept: bool = False) -> Comparison:
    """A case on all engines, run where no run was kept unless only those are wanted."""
    legacy = on_legacy_ray(case.legacy_transformers)
    fits = KeptRuns.kept if only_kept else KeptRuns.fits
    return Comparison(
        case, fits(legacy, case.before), fits(ray, case.after), () if case.tuned else fits(bundled, case.after)
    )


def _no_cluster() -> None:
    raise AssertionError("a kept run needs no cluster")


def _findings(case: Case) -> set[str]:
    return set(re.findall(r" (MT\d+) ", (case.folder / "findings.txt").read_text(encoding="utf-8")))


def _metric_difference(name: str, before: Fit, after: Fit, findings: set[str]) -> Iterator[Difference]:
    old, new = (fit.metrics or {} for fit in (before, after))
    if name in new and math.isclose(old[name], new[name], rel_tol=1e-6, abs_tol=1e-6):
        return
    # Newer Transformers multiplies the losses by the number of workers.
    announced_by = "MT215" if name in ("loss", "train_loss", "eval_loss") and "MT215" in findings else None
    yield Difference(name, _number(old[name]), _number(new[name]) if name in new else "gone", announced_by)


def _file_differences(before: Fit, after: Fit, findings: set[str]) -> Iterator[Difference]:
    old = {file for files in before.files for file in files} - _BOOKKEEPING
    new = {file for files in after.files for file in files}
    gone, come = old - new, new - old
    if gone or come:
        yield Difference("files", _listed(gone), _listed(come), _announced_by(gone, come, findings))


def _announced_by(gone: set[str], come: set[str], findings: set[str]) -> str | None:
    explanations = {
        "MT100": gone == {"model"} and come == {"checkpoint.ckpt"},
        "MT200": not gone and all(_RANDOM_STATE.fullmatch(file) for file in come),
        "MT430": gone == {"dict_checkpoint.pkl"} and len(come) == 1,
    }
    return next((code for code, explains in explanations.items() if explains and code in findings), None)


def _number(value: float) -> str:
    return f"{value:.6g}"


def _listed(files: set[str]) -> str:
    return ", ".join(f"`{file}`" for file in sorted(files)) or "–"


def table(comparisons: list[Comparison]) -> str:
    """Markdown: a row for each case."""
    columns = f"program ({len(comparisons)})", "legacy metrics", "checkpoints", "their files", "current Ray", "bundled"
    lines = [
        "# The same before and after",
        "",
        "What the legacy programs in `fixtures/` gave on the Ray that they were written for, and what the migrated",
        "ones give on Ray 2.60 and on the bundled runtime: the final metrics (equal to 1e-6), how many checkpoints",
        "are kept, and their files, but for those that Ray 2.6 kept for itself. Where something differs, the finding",
        "that says so is named. `make equivalence` runs the programs and writes this table.",
        "",
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
    ]
    lines += [_row(comparison) for comparison in comparisons]
    return "\n".join(lines) + "\n"


def _row(comparison: Comparison) -> str:
    case = comparison.case
    metrics = "; ".join(
        ", ".join(f"{name} {_number((fit.metrics or {})[name])}" for name in recorded.metrics)
        for fit, recorded in zip(comparison.legacy, case.legacy_fits, strict=True)
    )
    checkpoints = "; ".join(str(fit.checkpoints) for fit in comparison.legacy)
    files = "; ".join(
        dict.fromkeys(_listed(set(sum(fit.files, ())) - _BOOKKEEPING) for fit in comparison.legacy if fit.files)
    )
    ray = _cell(comparison.differences(comparison.ray))
    bundled = "runs no trials" if case.tuned else _cell(comparison.differences(comparison.bundled))
    return f"| {case.name} | {metrics} | {checkpoints} | {files or '–'} | {ray} | {bundled} |"


def _cell(differences: Iterator[Difference]) -> str:
    texts = dict.fromkeys(
        f"{difference.what}: {difference.legacy} → {difference.now} ({difference.announced_by or 'not announced'})"
        for difference in differences
    )
    return "; ".join(texts) or "same"


if __name__ == "__main__":
    found = kept_comparisons()
    if missing := {case.name for case in legacy_cases()} - {comparison.case.name for comparison in found}:
        print(f"no runs of {', '.join(sorted(missing))}", file=sys.stderr)
    TABLE.write_text(table(found), encoding="utf-8")
