"""What scripts read of a result beside its checkpoint."""

from __future__ import annotations

import pytest
from rewriting import after, codes, lightning, migrate

from migrate_trainers.findings import Kind

FOLDERS = {
    "printed": ("print(result.log_dir)", "print(result.path)"),
    "in an f-string": ("print(f'{result.log_dir}/x')", "print(f'{result.path}/x')"),
    "joined": ("import os\nos.path.join(result.log_dir, 'x')", "os.path.join(result.path, 'x')"),
    "divided": ("(result.log_dir / 'x').read_text()", "(Path(result.path) / 'x').read_text()"),
    "kept": ("folder = result.log_dir", "folder = Path(result.path)"),
    "of a call": ("folder = trainer.fit().log_dir", "folder = Path(trainer.fit().path)"),
    "given to a function": ("effect(result.log_dir)", "effect(Path(result.path))"),
    "another's": ("print(DM.log_dir)", "print(DM.log_dir)"),
}


@pytest.mark.parametrize(("body", "expected"), FOLDERS.values(), ids=FOLDERS.keys())
def test_folder_of_the_run(body: str, expected: str) -> None:
    result = migrate(lightning() + body + "\n")

    assert after(result).endswith(f"{expected}\n")
    assert ("MT419" in codes(result, Kind.REVIEW)) == ("DM" not in body)
    assert ("from pathlib import Path\n" in after(result)) == ("Path(" in expected)


SAID = {
    "the table": ("result.metrics_dataframe.plot()", "MT418"),
    "a table of a variable": ("r = trainer.fit()\ndf = r.metrics_dataframe", "MT418"),
    "a metric of the table": ("df = result.metrics_dataframe\ndf['training_iteration'].max()", "MT406"),
    "a metric of a variable": ("metrics = result.metrics\nprint(metrics['should_checkpoint'])", "MT406"),
    "a pattern": ("import glob\nglob.glob('out/LightningTrainer_*/x')", "MT417"),
    "a folder of a trial": ("print(f'{result.path}/LightningTrainer_0')", "MT417"),
    "the start of a name": ("print([x for x in DM.names if x.startswith('LightningTrainer_')])", "MT417"),
    "a numbered checkpoint": ("import os\nos.path.join(result.path, 'checkpoint_000000')", "MT417"),
    "numbered checkpoints": ("import glob\nglob.glob('out/checkpoint_0*')", "MT417"),
}


@pytest.mark.parametrize(("body", "code"), SAID.values(), ids=SAID.keys())
def test_is_said(body: str, code: str) -> None:
    program = lightning() + body + "\n"

    assert code in codes(migrate(program), Kind.REVIEW)
    assert (code in codes(migrate(program, target_version=(2, 9)))) == ("LightningTrainer_" in body)


NOT_SAID = {
    "an old checkpoint": "effect('s3://runs/LightningTrainer_1/checkpoint_000003')",
    "another table": "effect(DM.metrics_dataframe)",
    "another's metric": "effect(DM.results['training_iteration'])",
}


@pytest.mark.parametrize("body", NOT_SAID.values(), ids=NOT_SAID.keys())
def test_is_not_said(body: str) -> None:
    found = codes(migrate(lightning() + body + "\n"), Kind.REVIEW)

    assert not {"MT406", "MT417", "MT418", "MT419"} & set(found)


@pytest.mark.parametrize(
    "read", ["result.metrics['_report_on']", "df = result.metrics_dataframe; df[df._report_on == 'x']"]
)
def test_hook_of_a_report_is_still_reported_where_it_is_read(read: str) -> None:
    result = migrate(lightning() + read + "\n")

    assert 'metrics = {"_report_on": hook}' in after(result)
    assert "MT111" in codes(result, Kind.REVIEW)
