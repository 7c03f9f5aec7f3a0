"""Addresses, aliases and sign-ins."""

from __future__ import annotations

from pathlib import Path

from tests.system.process import ADMIN, PASSWORD, Client, Process

from .commands import covers
from .install import Client as Program
from .person import Person


@covers("url", "alias")
def test_an_address_gets_an_alias_and_is_taken_by_it(person: Person) -> None:
    set_first = person.run("url", "http://127.0.0.1:1", "nowhere")
    person.run("url", person.url, "here")
    listed = person.run("url", "-l")
    taken = person.run("alias", "here")

    assert "http://127.0.0.1:1" in set_first
    assert f"here {person.url}" in listed and "nowhere http://127.0.0.1:1" in listed
    assert "Using here" in taken and person.url in taken
    assert person.run("flow", "ls") == "There are no flows in Appmixer.\n"


@covers("login", "logout")
def test_whoever_signs_in_is_known_until_they_sign_out(program: Program, platform: Process, tmp_path: Path) -> None:
    person = Person(program, tmp_path, Client(platform.port), test_port=1)
    person.run("url", person.url)

    said = person.run("login", ADMIN, given=f"{PASSWORD}\n")
    token = person.run("login", "-t").strip()
    left = person.run("logout")
    refused = person.run("flow", "ls", status=1)

    assert "Login successful." in said and token in said
    assert Client(platform.port, {"Authorization": f"Bearer {token}"}).get("/user").json()["email"] == ADMIN
    assert "Logout successful" in left
    assert "not logged in" in refused


@covers("login")
def test_a_wrong_password_is_refused(program: Program, platform: Process, tmp_path: Path) -> None:
    person = Person(program, tmp_path, Client(platform.port), test_port=1)
    person.run("url", person.url)

    said = person.run("login", ADMIN, given="not it\n", status=1)

    assert "successful" not in said
    assert "token" not in person.settings
