"""Checkpoints are there whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from train_runtime import _durable

if TYPE_CHECKING:
    from pathlib import Path


def make(directory: Path, **files: str) -> Path:
    directory.mkdir()
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_directories_are_merged_and_sources_left_alone(tmp_path: Path) -> None:
    sources = [make(tmp_path / "a", one="1", both="a"), make(tmp_path / "b", two="2", both="b")]
    _durable.merge_directories(sources, tmp_path / "target")
    assert contents(tmp_path / "target") == {"one": "1", "two": "2", "both": "b"}
    assert contents(sources[0]) == {"one": "1", "both": "a"}


def test_an_existing_target_is_replaced(tmp_path: Path) -> None:
    make(tmp_path / "target", old="x")
    _durable.merge_directories([make(tmp_path / "a", new="y")], tmp_path / "target")
    assert contents(tmp_path / "target") == {"new": "y"}


def test_an_interrupted_copy_leaves_no_target_and_is_cleaned_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(tmp_path / "a", one="1")

    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_durable, "_fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _durable.merge_directories([source], tmp_path / "target")
    assert not (tmp_path / "target").exists()
    assert len(list(tmp_path.iterdir())) == 2, "the half-made copy is under another name"
    _durable.remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [source]


def test_an_interrupted_write_keeps_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "snapshot.json"
    _durable.write_text(file, "old")

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_durable.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _durable.write_text(file, "new")
    assert file.read_text() == "old"
