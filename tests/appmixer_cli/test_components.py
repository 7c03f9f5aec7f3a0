"""Components: made, checked, packed and tried on the developer's own machine."""

from __future__ import annotations

import json
import re
import time
import urllib.request
import zipfile

import pytest

from .commands import covers
from .person import Person, plain

COMPONENT = "acme.myservice.mymodule.MyComponent"
FOLDER = "acme/myservice/mymodule/MyComponent"
ICON = "data:image/svg+xml;base64,PHN2Zy8+"
SPECIFICATION = {
    "openapi": "3.0.0",
    "info": {"title": "Pets", "version": "1.0.0"},
    "servers": [{"url": "http://127.0.0.1:1/"}],
    "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
    "security": [{"key": []}],
    "paths": {
        "/pets": {"get": {"operationId": "listPets", "summary": "List", "responses": {"200": {"description": ""}}}}
    },
}
KEYED = """
'use strict';
module.exports = {
    type: 'apiKey',
    definition: {
        auth: { apiKey: { type: 'text', name: 'Key', tooltip: 'Any that is good.' } },
        accountNameFromProfileInfo: 'name',
        requestProfileInfo() { return { name: 'Ada' }; },
        validate(context) { return context.apiKey === 'good'; }
    }
};
"""


@pytest.fixture
def example(person: Person) -> Person:
    """Somebody who has the example component."""
    person.run("init", "example", "no-auth", "--vendor", "acme")
    return person


@covers("component ls")
def test_the_catalog_is_listed_by_either_vendor(person: Person) -> None:
    listed = person.run("component", "ls").split()
    chosen = person.run("component", "ls", "appmixer.utils.http").split()
    manifests = person.run("component", "ls", "-m", "appmixer.utils.http")

    assert listed == person.json("/components", {"manifest": "no"})
    assert "headrace.utils.http.Get" in chosen and set(chosen) < set(listed)
    assert re.search(r"name: +headrace\.utils\.http\.Get\n", manifests) and "version:" in manifests


@covers("init example", "pack")
def test_the_example_is_made_and_packed_under_its_full_name(example: Person) -> None:
    said = example.run("pack", "acme/myservice", "-o", "out.zip")

    manifest = json.loads((example.home / FOLDER / "component.json").read_text())
    with zipfile.ZipFile(example.home / "out.zip") as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    assert "out.zip" in said
    assert manifest["name"] == COMPONENT
    assert {f"{FOLDER}/component.json", f"{FOLDER}/MyComponent.js", "acme/myservice/service.json"} <= names


@covers("init component", "update")
def test_a_component_is_made_and_gets_a_new_version(person: Person) -> None:
    place = person.home / "made" / "acme" / "shop" / "core" / "Order"

    person.run("init", "component", "acme.shop.core.Order", "made", "--inPorts", "in", "--outPorts", "out")
    before = json.loads((place / "component.json").read_text())
    person.run("update", "minor", str(place))

    assert (before["name"], [port["name"] for port in before["outPorts"]]) == ("acme.shop.core.Order", ["out"])
    assert json.loads((place / "component.json").read_text())["version"] != before.get("version")


@covers("init openapi", "init template")
def test_a_service_is_made_of_a_specification(person: Person) -> None:
    file = person.write("pets.json", SPECIFICATION)
    template = {"vendor": "acme", "author": "A", "service": {"name": "pets", "label": "Pets", "icon": ICON}}
    template |= {"openapi": {"specification": {"$ref": "pets.json"}}, "modules": []}
    person.write("template.json", template)

    person.run("init", "openapi", "--vendor", "acme", "--service", "pets", "--icon", ICON, str(file), "one")
    person.run("init", "template", "template.json", "two")

    made = json.loads((person.home / "one" / "core" / "listPets" / "component.json").read_text())
    assert made["name"] == "acme.pets.core.listPets"
    assert json.loads((person.home / "two" / "service.json").read_text())["name"] == "acme.pets"


@covers("test component")
def test_a_component_is_tried_with_a_message(example: Person) -> None:
    place = str(example.home / FOLDER)

    good = example.run("test", "component", place, "-i", '{"in": {"sourceData": "hello"}}')
    bad = example.run("test", "component", place, "-i", '{"in": {}}', status=1)

    assert "Component has send a message to output port: out" in good and "hello" in good
    assert "must have required property 'sourceData'" in bad


@covers("test auth login", "test auth validate", "test dump")
def test_an_account_by_key_is_tried(person: Person) -> None:
    module = _module(person, KEYED)

    said = _sign_in(person, module, "acme:keyed", {"apiKey": "good"})
    validated = person.run("test", "auth", "validate", "-n", "acme:keyed", module)
    dumped = person.run("test", "dump", "acme:keyed")

    assert "Account name: Ada" in said
    assert "Result from validate call: \ntrue" in validated
    assert re.search(r"apiKey: +good", dumped)


def _module(person: Person, code: str) -> str:
    file = person.home / "module" / "auth.js"
    file.parent.mkdir()
    file.write_text(code)
    return str(file)


def _sign_in(person: Person, module: str, name: str, fields: dict[str, str]) -> str:
    """Plays the browser that the command waits for."""
    said = ""
    with person.start("test", "auth", "login", "-n", name, module) as child:
        assert child.stdout is not None
        for line in child.stdout:
            said += line
            found = re.search(r"(http://localhost:\d+)/auth-service\S*ticket%3D([\w-]+)", line)
            if found:
                address = f"{found[1]}/auth/process-auth-data?ticket={found[2]}"
                body = json.dumps(fields).encode()
                _opened(urllib.request.Request(address, body, {"Content-Type": "application/json"}))
        assert child.wait(20) == 0, said
    return plain(said)


def _opened(request: urllib.request.Request) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
