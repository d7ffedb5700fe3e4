"""Every program in `fixtures/`: the output is `after.py`, the findings are `findings.txt`, and nothing else is lost."""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections import Counter
from pathlib import Path

import pytest
from regenerate import findings_text, migrated, settings, sources
from worker_calls import assert_same_calls

from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.findings import Kind

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIXTURES = Path(__file__).parents[2] / "fixtures"
FOLDERS = sorted(before.parent for before in FIXTURES.glob("*/*/before*"))
MIGRATED = [folder for folder in FOLDERS if any(folder.glob("after*"))]
SCRIPTS = [folder for folder in MIGRATED if folder.parent.name not in ("notebooks", "pages")]
# What was written for Ray is recorded with stand-ins for it.
LEGACY_SCRIPTS = [folder for folder in SCRIPTS if folder.parent.name != "adopted"]
UNTOUCHED = [folder for folder in FOLDERS if folder.parent.name == "untouched"]
# Findings that say that a framework's call is another one now.
ANOTHER_CALL = {"MT211": "integrations", "MT227": "device"}
# Programs that the stand-ins can't run; tables of small programs cover what they show.
NOT_RECORDED = {
    "transformers/ray_data_epochs": "its arguments have other names in the Transformers that it is migrated for",
    "accelerate/bundled_runtime": "it is written for the bundled runtime",
    "accelerate/dictionary_checkpoints": "it computes with what its checkpoints hold",
    "accelerate/restored": "it computes with what its checkpoints hold",
    "accelerate/checkpoints_in_a_module": "it computes with what its checkpoints hold",
    "accelerate/torch_checkpoints": "it computes with what its checkpoints hold",
    "accelerate/torch_batch_predictor": "it predicts",
    "lightning/batch_predictor": "it predicts",
    "lightning/evaluation_script": "it asks for arguments",
    "lightning/predictor": "it predicts",
    "transformers/batch_predictor": "it predicts",
    "transformers/pipeline_predictor": "it predicts",
    "lightning/resume_from_file": "it trains without Ray too",
    "lightning/modules_in_a_package": "its modules are files",
    "lightning/imports_in_steps": "Metaflow runs its steps",
    "lightning/ray_data_collate_fn": "it computes with its data",
    "accelerate/folder_of_the_trial": "it computes with what its workers wrote",
    "accelerate/all_datasets_split": "it computes with its data",
    "accelerate/ray_data": "it computes with its data",
    "accelerate/tuned_ray_data": "it computes with its data",
    "transformers/warm_start": "it makes a checkpoint itself",
    "torch/sessions_and_configurations": "it computes with its data",
    "transformers/chained_preprocessors": "it computes with its data",
    "transformers/ray_datasets": "it computes with its data",
    "transformers/ray_data_tokenizer": "it computes with its data",
    "lightning/ray_data_in_function": "nothing in it calls the function",
}
# Comments that say something about code which is gone, by fixture.
COMMENTS_THAT_GO: dict[str, set[str]] = {}


def _name(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def _script(folder: Path, name: str) -> bytes:
    """The file of a program that is run."""
    main = tomllib.loads((folder / "case.toml").read_text()).get("main")
    return (folder / f"{name}.py" if main is None else folder / name / main).read_bytes()


def _modules(folder: Path, name: str) -> dict[str, str]:
    """The texts of a program's files by module name, where it has several."""
    return {
        ".".join(path.with_suffix("").parts[1:]).removesuffix(".__init__"): data.decode()
        for path, data in sources(folder, name).items()
        if len(path.parts) > 1
    }


def _as_before(path: Path) -> Path:
    return Path(path.as_posix().replace("after", "before", 1))


def _comments(data: bytes) -> Counter[str]:
    tokens = tokenize.tokenize(io.BytesIO(data).readline)
    return Counter(token.string for token in tokens if token.type == tokenize.COMMENT)


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_output(folder: Path) -> None:
    before, results = sources(folder, "before"), migrated(folder)
    expected = {_as_before(path): data.decode() for path, data in sources(folder, "after").items()}

    output = {path: (results[path].after if path in results else data).decode() for path, data in before.items()}
    assert output == (expected or {path: data.decode() for path, data in before.items()})


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_findings(folder: Path) -> None:
    file = folder / "findings.txt"
    expected = file.read_text().splitlines() if file.exists() else []

    assert findings_text(migrated(folder)).splitlines() == expected


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_either_migrated_whole_or_left_with_a_reason(folder: Path) -> None:
    for result in migrated(folder).values():
        assert result.migrated == (result.call_sites if result.changed else 0)
        assert not result.has(Kind.ERROR)
        if result.call_sites:
            assert result.changed != result.has(Kind.MANUAL)


@pytest.mark.parametrize("folder", MIGRATED, ids=_name)
def test_second_run_changes_nothing(folder: Path) -> None:
    for again in migrated(folder, "after").values():
        assert not again.changed
        assert again.call_sites == 0
        assert not again.has(Kind.MANUAL)


@pytest.mark.parametrize("folder", SCRIPTS, ids=_name)
def test_output_compiles(folder: Path) -> None:
    for path, source in sources(folder, "after").items():
        compile(source, str(path), "exec")


@pytest.mark.parametrize(
    "folder", [folder for folder in LEGACY_SCRIPTS if _name(folder) not in NOT_RECORDED], ids=_name
)
def test_makes_the_same_calls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    before, after = _script(folder, "before"), _script(folder, "after")
    files = _modules(folder, "before"), _modules(folder, "after")
    others = [
        ANOTHER_CALL[finding.code]
        for result in migrated(folder).values()
        for finding in result.findings
        if finding.code in ANOTHER_CALL
    ]
    case = tomllib.loads((folder / "case.toml").read_text())

    assert_same_calls(
        before,
        after,
        version=settings(folder).source,
        but=others[0] if others else None,
        checks_results=True,
        files=files,
        arguments=case.get("arguments", ()),
        script=str(folder / "before.py"),
    )


@pytest.mark.parametrize("folder", SCRIPTS, ids=_name)
def test_every_comment_is_kept(folder: Path) -> None:
    before, after = (sum(map(_comments, sources(folder, name).values()), Counter()) for name in ("before", "after"))

    assert set(before - after) == COMMENTS_THAT_GO.get(_name(folder), set())


@pytest.mark.parametrize("folder", UNTOUCHED, ids=_name)
def test_untouched_program_asks_nothing_of_anybody(folder: Path) -> None:
    for result in migrated(folder).values():
        assert result.after == result.before
        assert not result.has(Kind.MANUAL)
        assert result.call_sites == 0


def test_a_program_for_each_finding_about_what_is_around_a_trainer() -> None:
    texts = [file.read_text() for file in FIXTURES.glob("*/*/findings.txt")]
    shown = {code for text in texts for code in re.findall(r"\bMT\d{3}\b", text)}

    assert {code for code in CATALOGUE if code.startswith(("MT4", "MT5"))} <= shown
