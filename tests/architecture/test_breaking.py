"""A change that breaks a contract of proto/ is found, by a history of any depth."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCHEDULES = Path("proto/headrace/schedule/v1/schedule_service.proto")


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with the contracts as they stand, in one commit."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "proto", folder / "proto")
    shutil.copy(ROOT / "buf.yaml", folder)
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "state")


def check(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "proto/breaking.py"], cwd=folder, capture_output=True, text=True)


def renumber(folder: Path) -> None:
    """Give a field another number, which no reader of the former contract survives."""
    text = (folder / SCHEDULES).read_text()
    assert "string timer_id = 1;" in text
    (folder / SCHEDULES).write_text(text.replace("string timer_id = 1;", "string timer_id = 99;", 1))


def test_a_single_commit_has_nothing_to_break(clone: Path) -> None:
    outcome = check(clone)

    assert outcome.returncode == 0
    assert "no earlier commit" in outcome.stdout


def test_a_break_in_the_newest_commit_is_found(clone: Path) -> None:
    commit(clone)
    assert check(clone).returncode == 0

    renumber(clone)
    commit(clone)
    outcome = check(clone)

    assert outcome.returncode != 0
    assert "timer_id" in outcome.stdout


def test_a_tag_is_the_state_that_must_hold_however_many_commits_ago(clone: Path) -> None:
    git(clone, "tag", "v1.0.0")
    renumber(clone)
    commit(clone)
    commit(clone)

    outcome = check(clone)

    assert outcome.returncode != 0
    assert "v1.0.0" in outcome.stdout


def test_a_shallow_clone_compares_with_what_it_has(clone: Path, tmp_path: Path) -> None:
    commit(clone)
    renumber(clone)
    commit(clone)
    for depth, returns in ((1, False), (2, True)):
        shallow = tmp_path / f"depth{depth}"
        git(tmp_path, "clone", "-q", "--depth", str(depth), f"file://{clone}", str(shallow))
        assert bool(check(shallow).returncode) is returns
