"""Folders of executors that were killed are removed by the next one, and no others."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from headrace_executor.runners.folders import PREFIX, remove_tree, temporary_folder


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def old(folder: Path) -> Path:
    """A folder as it was left an hour ago, with a bundle in it."""
    bundle = folder / "bundles" / "b"
    bundle.mkdir(parents=True)
    (bundle / "a.py").write_text("a")
    (bundle / "a.py").chmod(0o444)
    bundle.chmod(0o555)
    hour_ago = time.time() - 3600
    os.utime(folder, (hour_ago, hour_ago))
    return folder


def test_a_folder_goes_with_its_block(own_folder: Path) -> None:
    with temporary_folder() as folder:
        old(folder)
        assert folder.parent == own_folder

    assert not folder.exists()


def test_what_a_killed_executor_left_goes_and_what_others_have_stays(own_folder: Path) -> None:
    left = old(own_folder / f"{PREFIX}left")
    young = own_folder / f"{PREFIX}young"
    young.mkdir()
    foreign = old(own_folder / "other")

    with temporary_folder() as living:
        os.utime(living, (0, 0))
        with temporary_folder():
            assert living.exists()

    assert not left.exists()
    assert young.exists()
    assert foreign.exists()


def test_removing_what_is_not_there_does_no_harm(own_folder: Path) -> None:
    remove_tree(own_folder / "nothing")
