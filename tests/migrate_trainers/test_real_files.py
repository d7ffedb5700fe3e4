"""Real files: those of the environment that the tests run in go through, and none of them changes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from rewriting import LIGHTNING_IMPORTS, SCALING

from migrate_trainers import migrate_source
from migrate_trainers.discovery import Selection, find_files
from migrate_trainers.reading.prefilter import read

ENOUGH = 15_000
INSTALLED = Path(sysconfig.get_path("purelib"))
EXPLORED = os.environ.get("PROGRAMS")
TRAINER = (
    f"\n{LIGHTNING_IMPORTS}\n\ndef zzz_fit():\n"
    "    config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()\n"
    f"    zzz = LightningTrainer(config, scaling_config={SCALING})\n    return zzz.fit()\n"
).encode()


@pytest.fixture(scope="module")
def installed() -> list[Path]:
    names = find_files([INSTALLED], Selection(suffixes=(".py", ".pyi"), gitignore=False)).names
    files = [Path(name) for name in names]
    if len(files) < ENOUGH:
        pytest.skip(f"only {len(files)} files are installed beside the tests")
    return files


def _digests(files: list[Path]) -> list[bytes]:
    return [hashlib.blake2b(read(str(file))).digest() for file in files]


def _same_file_elsewhere(file: Path, copy: Path) -> None:
    """A second name for a file, which a run in place would replace, or a copy where the file system has none."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, copy)
    except OSError:
        shutil.copyfile(file, copy)


def test_installed_files_go_through_and_stay(installed: list[Path], tmp_path: Path) -> None:
    taken = installed if EXPLORED else installed[::4]
    copies = [tmp_path / file.relative_to(INSTALLED) for file in taken]
    for file, copy in zip(taken, copies, strict=True):
        _same_file_elsewhere(file, copy)
    before = _digests(copies)

    command = [sys.executable, "-m", "migrate_trainers", "--allow-dirty", str(tmp_path)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)

    assert process.stderr == ""
    assert process.returncode in (0, 1), process.stdout
    assert "error" not in process.stdout.splitlines()[-1]
    assert _digests(copies) == before
    assert sorted(tmp_path.rglob("*.py*")) == sorted(copies), "nothing else is left"


def test_a_trainer_behind_real_code_is_migrated_and_the_code_stays(installed: list[Path]) -> None:
    """What real files hold is read and kept, whatever it is: each of some has a legacy trainer behind it."""
    number = int(EXPLORED or 60)
    chosen = [file for file in installed[:: max(1, len(installed) // number // 2)] if file.stat().st_size < 60_000]
    migrated = 0
    for file in chosen[:number]:
        data = read(str(file))
        code = data if data.endswith(b"\n") else data + b"\n"
        result = migrate_source(code + TRAINER)

        assert not [one for one in result.findings if one.code == "MT903"], file
        if result.changed:
            migrated += 1
            assert result.after.startswith(code) or b"lightning" in code, file
            assert migrate_source(result.after).after == result.after, file
    assert migrated > 0.9 * len(chosen[:number])
