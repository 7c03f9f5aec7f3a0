"""A new author with `headrace`: makes a connector, publishes, uses, updates and removes it."""

from __future__ import annotations

import json

import pytest
from headrace_cli.failures import Status

from .life import answer, flow_of
from .shell import Shell

CODE = {"python": "component.py", "node": "Greet.js"}


@pytest.mark.parametrize("language", CODE)
def test_a_connector_is_made_published_used_updated_under_a_running_flow_and_removed(
    admin: Shell, shell: Shell, language: str
) -> None:
    service = f"acme.{language}life"
    name, place = f"{service}.core.Greet", service.replace(".", "/")
    folder, code = f"{place}/core/Greet", CODE[language]
    admin.run("user", "set", shell.email, "--vendor", "acme")

    shell.run("connector", "new", name, "--language", language)
    assert [each["passed"] for each in shell.json("connector", "test", folder)] == [True]
    shell.run("connector", "pack", place, "-o", "first.zip")
    published = shell.json("connector", "publish", "first.zip")
    assert published["components"] == [name]

    shell.write("flow.json", {"flowId": f"{language}-life", "name": "Greets", "flow": flow_of(name, "name", "text")})
    shell.run("flow", "apply", "-f", "flow.json", "--yes")
    flow_id = f"{language}-life"
    shell.run("flow", "start", flow_id)
    assert answer(shell.client, flow_id, "Ada") == "Hello Ada!"

    file = shell.home / folder / code
    file.write_text(file.read_text().replace("Hello", "Welcome"))
    told = json.loads((shell.home / folder / "component.json").read_text())
    shell.write(f"{folder}/component.json", {**told, "version": "1.1.0"})
    shell.run("connector", "publish", place)
    assert [(each["name"], each["version"]) for each in shell.json("connector", "ls", service)] == [(name, "1.1.0")]
    assert answer(shell.client, flow_id, "Ada") == "Hello Ada!", "what runs keeps what it began with"

    shell.run("flow", "stop", flow_id)
    shell.run("flow", "start", flow_id)
    assert answer(shell.client, flow_id, "Ada") == "Welcome Ada!"

    refused = shell.run("connector", "rm", service, "--yes", status=Status.CONFLICT)
    assert "'Greets'" in refused and flow_id in refused
    assert answer(shell.client, flow_id, "Bob") == "Welcome Bob!"
    shell.run("connector", "pull", service, "-o", "kept")
    assert (shell.home / "kept" / folder / code).read_text() == file.read_text()

    shell.run("flow", "stop", flow_id)
    shell.run("flow", "rm", flow_id, "--yes")
    assert shell.json("connector", "rm", service, "--yes")["components"] == [name]
    assert shell.json("connector", "ls", service) == []
    shell.run("connector", "pull", service, status=Status.NOT_FOUND)
