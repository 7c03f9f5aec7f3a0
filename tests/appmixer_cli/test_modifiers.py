"""Modifiers, for administrators."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .commands import covers
from .person import Person


@pytest.fixture(autouse=True)
def built_in(admin: Person) -> Iterator[None]:
    """Everybody has the built-in modifiers again afterwards."""
    yield
    admin.client.call("DELETE", "/modifiers", None, {})


@covers("modifiers get", "modifiers publish")
def test_modifiers_are_read_changed_and_published(admin: Person) -> None:
    got = admin.run("modifiers", "get", "-o", "mine.json")
    mine = json.loads((admin.home / "mine.json").read_text())
    mine["modifiers"]["shout"] = {**mine["modifiers"]["g_uppercase"], "label": "Shout"}
    admin.write("mine.json", mine)

    said = admin.run("modifiers", "publish", "mine.json")

    assert "mine.json" in got
    assert "Published." in said
    assert admin.json("/modifiers")["modifiers"]["shout"]["label"] == "Shout"


@covers("modifiers delete")
def test_modifiers_are_deleted_once_somebody_says_so(admin: Person) -> None:
    built_in = admin.json("/modifiers")
    admin.write("mine.json", {**built_in, "categories": {**built_in["categories"], "mine": {"label": "M", "index": 9}}})
    admin.run("modifiers", "publish", "mine.json")

    admin.run_at_terminal("modifiers", "delete", asked="?", answer="y\r")

    assert admin.json("/modifiers") == built_in


@covers("modifiers restore")
def test_its_own_set_of_modifiers_is_taken_as_it_is(admin: Person) -> None:
    said = admin.run("modifiers", "restore")

    assert "Default modifiers restored." in said
    assert len(admin.json("/modifiers")["modifiers"]) > 50


@covers("modifiers publish")
def test_a_user_who_is_no_administrator_is_refused(person: Person) -> None:
    person.write("mine.json", person.json("/modifiers"))

    said = person.run("modifiers", "publish", "mine.json", status=1)

    assert "Published." not in said and "administrator" in said.lower()
