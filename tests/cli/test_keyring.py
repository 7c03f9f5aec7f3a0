"""Tokens are kept in the system's keyring where it takes them, else in a file that nobody else reads."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from headrace_cli.failures import Status

from tests.servers.install import Missing, packages
from tests.system.process import PASSWORD, wait_for

from .shell import NO_KEYRING, PATIENCE_SECONDS, Shell

IN_FILE = {"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring"}
SWITCHED_OFF = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
PROGRAMS = ("dbus-daemon", "gnome-keyring-daemon")


@pytest.fixture
def secret_service(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A Secret Service as desktops have one, unlocked, on a bus of its own; the settings that lead to it."""
    try:
        packages(["dbus", "gnome-keyring"], lambda: all(map(shutil.which, PROGRAMS)))
    except Missing as error:
        why = f"There is no Secret Service here: {str(error).splitlines()[0]}"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    home = tmp_path / "session"
    home.mkdir(mode=0o700)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert bus.stdout is not None
        environ["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        ring = subprocess.Popen(
            ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert ring.stdin is not None
            ring.stdin.write(b"password of the session")
            ring.stdin.close()
            wait_for(lambda: [*home.rglob("login.keyring")], PATIENCE_SECONDS)
            address = environ["DBUS_SESSION_BUS_ADDRESS"]
            yield {
                "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
                "DBUS_SESSION_BUS_ADDRESS": address,
            }
        finally:
            ring.terminate()
            ring.wait(PATIENCE_SECONDS)
    finally:
        bus.terminate()
        bus.communicate(timeout=PATIENCE_SECONDS)


def sign_in(shell: Shell, **environ: str) -> None:
    shell.run("login", shell.url, "--email", shell.email, given=f"{PASSWORD}\n", **environ)


def tokens(shell: Shell) -> dict[str, str]:
    """What stands in the file."""
    file = shell.home / "config" / "headrace" / "tokens.json"
    if not file.exists():
        return {}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept: dict[str, str] = json.loads(file.read_text())
    return kept


def kept_by_the_library(shell: Shell, environ: dict[str, str]) -> bool:
    """Whether the keyring has a token, as its own command line says."""
    asked = [sys.executable, "-m", "keyring", "get", "headrace", "default"]
    ended = subprocess.run(asked, env={**shell.environ, **environ}, capture_output=True, timeout=PATIENCE_SECONDS)
    return ended.returncode == 0


def live_in_the_keyring(shell: Shell, environ: dict[str, str]) -> None:
    """A token's life where a keyring takes it."""
    sign_in(shell, **environ)
    known = shell.json("whoami", **environ)

    assert known["email"] == shell.email and tokens(shell) == {}
    shell.run("whoami", status=Status.NOT_SIGNED_IN)  # without that keyring there is no token

    shell.run("logout", **environ)
    shell.run("whoami", status=Status.NOT_SIGNED_IN, **environ)
    sign_in(shell, **environ)
    assert kept_by_the_library(shell, environ)
    shell.run("profile", "rm", "default", **environ)
    assert not kept_by_the_library(shell, environ)


def test_a_token_lives_in_the_keyring_of_the_desktop(newcomer: Shell, secret_service: dict[str, str]) -> None:
    live_in_the_keyring(newcomer, secret_service)


def test_a_token_lives_in_a_keyring_of_another_kind(newcomer: Shell) -> None:
    environ = {**IN_FILE, "XDG_DATA_HOME": str(newcomer.home / "data")}

    live_in_the_keyring(newcomer, environ)

    assert [*(newcomer.home / "data").rglob("keyring_pass.cfg")], "it is the keyring's own file that was used"


def test_a_keyring_that_is_switched_off_loses_no_token(newcomer: Shell) -> None:
    sign_in(newcomer, **SWITCHED_OFF)

    assert newcomer.json("whoami", **SWITCHED_OFF)["email"] == newcomer.email
    assert [*tokens(newcomer)] == ["default"]


def test_a_machine_without_the_library_uses_the_file(newcomer: Shell) -> None:
    (newcomer.home / "keyring.py").write_text("raise ImportError('There is no keyring here.')\n")
    without = {"PYTHONPATH": str(newcomer.home)}

    sign_in(newcomer, **without)

    assert newcomer.json("whoami", **without)["email"] == newcomer.email
    assert [*tokens(newcomer)] == ["default"]


def test_a_token_that_moves_into_the_keyring_leaves_no_copy_in_the_file(newcomer: Shell) -> None:
    environ = {**IN_FILE, "XDG_DATA_HOME": str(newcomer.home / "data")}
    sign_in(newcomer, **NO_KEYRING)
    before = [*tokens(newcomer)]

    sign_in(newcomer, **environ)

    assert (before, tokens(newcomer)) == (["default"], {})
