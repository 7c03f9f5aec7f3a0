"""Components: published, used, taken back, removed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from .commands import covers
from .person import Person

COMPONENT = "acme.myservice.mymodule.MyComponent"
FOLDER = "acme/myservice/mymodule/MyComponent"


@pytest.fixture
def example(admin: Person, person: Person) -> Person:
    """A developer of acme with the example component, packed."""
    admin.make_developer(person, "acme")
    person.run("init", "example", "no-auth", "--vendor", "acme")
    person.run("pack", "acme/myservice", "-o", "out.zip")
    return person


@covers("publish", "remove", "component ls")
def test_a_component_is_published_listed_and_removed(example: Person) -> None:
    said = example.run("publish", "out.zip")
    listed = example.run("component", "ls", "acme").split()
    removed = example.run("remove", "acme.myservice")

    assert "Published" in said or "successfully" in said
    assert listed == [COMPONENT]
    assert "acme.myservice" in removed
    assert "There are no components" in example.run("component", "ls", "acme")


@covers("download")
def test_what_was_published_comes_back(example: Person) -> None:
    example.run("publish", "out.zip")

    example.run("download", COMPONENT, "-o", "back.zip")
    example.run("remove", "acme.myservice")

    assert _file(example.home / "back.zip", f"{FOLDER}/MyComponent.js") == _file(
        example.home / "out.zip", f"{FOLDER}/MyComponent.js"
    )


@covers("publish")
def test_a_wrong_file_is_named_with_what_is_wrong(example: Person) -> None:
    archive = example.home / "wrong.zip"
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr(f"{FOLDER}/component.json", '{"name": "acme.myservice.mymodule.MyComponent", "inPorts": 5}')

    said = example.run("publish", "wrong.zip", status=1)

    assert "component.json" in said and "inPorts" in said
    assert "There are no components" in example.run("component", "ls", "acme")


@covers("remove", "download")
def test_what_is_not_there_is_neither_removed_nor_downloaded(example: Person) -> None:
    removed = example.run("remove", "acme.nothing", status=1)
    downloaded = example.run("download", "acme.nothing", status=1)

    assert "acme.nothing" in removed and "endpoint" not in removed
    assert "Nothing found for acme.nothing" in downloaded


def _file(archive: Path, name: str) -> bytes:
    with zipfile.ZipFile(archive) as opened:
        return opened.read(name)
