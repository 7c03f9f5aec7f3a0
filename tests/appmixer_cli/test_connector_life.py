"""A new author with Appmixer's command line: makes a connector, publishes, uses, updates, and removes it.

The component is the one that `init example` makes, in JavaScript, as it is made; it runs in the platform's Node runner.
"""

from __future__ import annotations

import json

import pytest

from tests.cli.life import answer, flow_of

from .commands import covers
from .person import Person

VENDOR = "solo"  # nobody else publishes under it on the shared platform
SERVICE = f"{VENDOR}.myservice"
COMPONENT = f"{SERVICE}.mymodule.MyComponent"
FOLDER = COMPONENT.replace(".", "/")
SENT = "context.sendJson(context.messages.in.content, 'out');"
CHANGED = "context.sendJson({ sourceData: 'again ' + context.messages.in.content.sourceData }, 'out');"


@pytest.fixture
def author(admin: Person, person: Person) -> Person:
    """A developer of the vendor."""
    admin.make_developer(person, VENDOR)
    return person


@covers("init example", "pack", "publish", "update", "component ls", "flow start", "flow stop", "flow remove", "remove")
def test_a_connector_is_made_published_used_updated_under_a_running_flow_and_removed(author: Person) -> None:
    author.run("init", "example", "no-auth", "--vendor", VENDOR)
    author.run("pack", f"{VENDOR}/myservice", "-o", "first.zip")
    author.run("publish", "first.zip")
    assert author.run("component", "ls", VENDOR).split() == [COMPONENT]

    flow_id = bring_in(author)
    author.run("flow", "start", flow_id)
    assert answer(author.client, flow_id, "Ada") == "Ada"

    code = author.home / FOLDER / "MyComponent.js"
    assert SENT in code.read_text()
    code.write_text(code.read_text().replace(SENT, CHANGED))
    author.run("update", "minor", str(author.home / FOLDER))  # it takes whole paths only
    version = json.loads((author.home / FOLDER / "component.json").read_text())["version"]
    author.run("pack", f"{VENDOR}/myservice", "-o", "second.zip")
    author.run("publish", "second.zip")
    [manifest] = author.json("/components", {"manifest": "yes", "selector": COMPONENT})
    assert manifest["version"] == version
    assert answer(author.client, flow_id, "Ada") == "Ada", "what runs keeps what it began with"

    author.run("flow", "stop", flow_id)
    author.run("flow", "start", flow_id)
    assert answer(author.client, flow_id, "Ada") == "again Ada"

    refused = author.run("remove", SERVICE, status=1)
    assert "'life'" in refused and flow_id in refused
    assert answer(author.client, flow_id, "Bob") == "again Bob"

    author.run("flow", "stop", flow_id)
    author.run("flow", "remove", flow_id)
    author.run("remove", SERVICE)
    assert "There are no components" in author.run("component", "ls", VENDOR)


def bring_in(author: Person) -> str:
    """A flow that uses the component, imported; its id."""
    flow = {"name": "life", "flow": flow_of(COMPONENT, "sourceData", "sourceData")}
    said = author.run("flow", "import", str(author.write("life.json", flow)))
    [made] = [each for each in author.json("/flows") if each["flowId"] in said]
    return str(made["flowId"])
