"""A running platform and people who use it by Appmixer's command line."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.servers.install import Missing
from tests.servers.places import free_port
from tests.system.process import PASSWORD, Client, Process

from .install import Client as Program
from .install import appmixer
from .person import Person

Arrival = Callable[..., Person]
_NUMBERS = count(1)


@pytest.fixture(scope="session")
def program() -> Program:
    """The command line, installed if need be. Where it cannot be had its tests are skipped; in CI they fail."""
    try:
        return appmixer()
    except Missing as error:
        why = f"Appmixer's command line cannot be had here: {str(error).splitlines()[0]}"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One platform for all tests; each takes people of its own."""
    yield from _running(tmp_path_factory.mktemp("platform"))


@pytest.fixture(scope="session")
def other_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A second installation, for what goes from one to another."""
    yield from _running(tmp_path_factory.mktemp("other"))


@pytest.fixture
def arrive(program: Program, tmp_path: Path) -> Arrival:
    """Makes somebody new at a platform, signed in there, with an empty home."""

    def arrived(platform: Process, *, is_admin: bool = False) -> Person:
        admin = platform.client()
        name = f"person{next(_NUMBERS)}"
        client = admin if is_admin else _newcomer(admin, f"{name}@example.org")
        home = tmp_path / name
        home.mkdir()
        person = Person(program, home, client, free_port())
        person.keep_sign_in()
        return person

    return arrived


@pytest.fixture
def person(arrive: Arrival, platform: Process) -> Person:
    """A user like any other."""
    return arrive(platform)


@pytest.fixture
def admin(arrive: Arrival, platform: Process) -> Person:
    return arrive(platform, is_admin=True)


def _newcomer(admin: Client, email: str) -> Client:
    made = admin.post("/user", json={"email": email, "password": PASSWORD})
    assert made.status_code == 201, made.text
    return Client(admin.port, {"Authorization": f"Bearer {made.json()['token']}"})


def _running(folder: Path) -> Iterator[Process]:
    # The page of `flow metrics` is a file, whose origin is null.
    process = Process(folder, HEADRACE_CORS_ORIGINS="null")
    process.start()
    try:
        yield process
    finally:
        process.end(signal.SIGTERM)
