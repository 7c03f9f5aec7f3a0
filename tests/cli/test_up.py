"""`headrace up` says in a line what keeps it from starting and what to do, and makes nothing half."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..system.process import Process


def up(folder: Path, *options: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    given = {"HEADRACE_PORT": "0", "HEADRACE_DATA_DIR": str(folder / "data"), "HEADRACE_DRAIN_DELAY": "0s", **environ}
    return subprocess.run(
        [sys.executable, "-m", "headrace_cli.main", *(options or ("up",))],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that somebody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield str(listener.getsockname()[1])


def test_a_taken_port_is_one_line_and_the_first_sign_in_is_still_told_later(tmp_path: Path, taken: str) -> None:
    ended = up(tmp_path, HEADRACE_PORT=taken)

    assert ended.returncode == 1
    [line] = ended.stdout.splitlines()
    assert line.startswith(f"Headrace cannot start: Nobody can listen at 127.0.0.1:{taken}: Address already in use.")
    assert "HEADRACE_PORT" in line
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data" / "flow_manager.db").exists()


def test_a_data_directory_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    ended = up(tmp_path)

    assert ended.returncode == 1
    [line] = ended.stdout.splitlines()
    assert str(tmp_path / "data") in line and "HEADRACE_DATA_DIR" in line
    assert "Traceback" not in ended.stderr


def test_every_wrong_setting_has_a_line_of_its_own(tmp_path: Path) -> None:
    ended = up(tmp_path, HEADRACE_PORT="abc", HEADRACE_SIGN_UP="maybe")

    assert ended.returncode == 1
    assert ended.stdout.splitlines() == [
        "Headrace cannot start: HEADRACE_PORT: It is not a whole number. Set digits only.",
        "Headrace cannot start: HEADRACE_SIGN_UP: It is none of its choices. Set one of: open, closed.",
    ]


def test_a_variable_that_nobody_reads_is_a_line_with_what_was_probably_meant(tmp_path: Path, taken: str) -> None:
    ended = up(tmp_path, HEADRACE_PORT=taken, HEADRACE_SIGNUP="open")

    [line] = [line for line in ended.stderr.splitlines() if "HEADRACE_SIGNUP" in line]
    assert "did you mean HEADRACE_SIGN_UP?" in line


def test_a_first_password_that_is_too_short_is_named_as_it_was_set(tmp_path: Path) -> None:
    ended = up(tmp_path, HEADRACE_ADMIN_PASSWORD="short")

    assert ended.returncode == 1
    [line] = ended.stdout.splitlines()
    assert line.startswith("Headrace cannot start: HEADRACE_ADMIN_PASSWORD: A password has 8")
    assert "Traceback" not in ended.stderr


def test_a_second_process_on_the_same_data_is_told_of_the_first(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.start()
    try:
        ended = up(tmp_path)
    finally:
        process.end(signal.SIGKILL)

    assert ended.returncode == 1
    assert "in use by another Headrace" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_an_unknown_command_is_named_with_where_to_look(tmp_path: Path) -> None:
    ended = up(tmp_path, "doktor")

    assert ended.returncode == 2
    assert "No such command 'doktor'" in ended.stderr and "headrace" in ended.stderr and "--help" in ended.stderr
