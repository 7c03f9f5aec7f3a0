"""One running platform for all tests of commands; each takes somebody of its own there."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.system.process import ADMIN, PASSWORD, Client, Process

from .shell import Shell

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(tmp_path_factory.mktemp("platform"))
    process.start()
    try:
        yield process
    finally:
        process.end(signal.SIGTERM)


@pytest.fixture
def arrive(platform: Process, tmp_path: Path) -> Callable[[str], Shell]:
    """Makes somebody at a shell of their own who is signed in nowhere yet."""

    def arrived(email: str) -> Shell:
        signed_in = Client(platform.port).post("/user/auth", json={"email": email, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {signed_in.json()['token']}"}
        home = tmp_path / email
        home.mkdir()
        return Shell(home, Client(platform.port, headers), email)

    return arrived


@pytest.fixture
def newcomer(platform: Process, arrive: Callable[[str], Shell]) -> Shell:
    """A user who is signed in nowhere yet."""
    email = f"person{next(_NUMBERS)}@example.org"
    made = platform.client().post("/user", json={"email": email, "password": PASSWORD})
    assert made.status_code == 201, made.text
    return arrive(email)


@pytest.fixture
def shell(newcomer: Shell) -> Shell:
    """A user who is signed in."""
    newcomer.sign_in()
    return newcomer


@pytest.fixture
def admin(arrive: Callable[[str], Shell]) -> Shell:
    """An administrator who is signed in."""
    arrived = arrive(ADMIN)
    arrived.sign_in()
    return arrived
