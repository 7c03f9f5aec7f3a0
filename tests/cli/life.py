"""The life of a connector as its author sees it, whatever it is made with: published, used, changed, removed."""

from __future__ import annotations

from typing import Any

from tests.api.people import HOOK
from tests.system.process import Client

MINE = "mine"
NEXT = "next"


def flow_of(component: str, given: str, sent: str) -> dict[str, Any]:
    """A webhook that has the component make an answer of the name it is sent.

    The name goes into the component's input `given`, and what it says is taken from its output `sent`.
    """
    return {
        HOOK: _node("headrace.utils.http.WebhookTrigger", {}, {"properties": {"immediateResponse": False}}),
        MINE: _node(component, {HOOK: "request"}, _filled(HOOK, "request", given, "data.name")),
        NEXT: _node("headrace.utils.http.Response", {MINE: "out"}, _filled(MINE, "out", "body", sent)),
    }


def answer(client: Client, flow_id: str, name: str) -> str:
    """What the flow answers to a name."""
    answered = client.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": name})
    assert answered.status_code == 200, answered.text
    return answered.text


def _filled(node: str, port: str, field: str, path: str) -> dict[str, Any]:
    value = {"variable": f"$.{node}.{port}.{path}", "functions": []}
    transform = {"type": "json2new", "modifiers": {field: {"v": value}}, "lambda": {field: "{{{v}}}"}}
    return {"transform": {"in": {node: {port: transform}}}}


def _node(component: str, sources: dict[str, str], config: dict[str, Any]) -> dict[str, Any]:
    source = {"in": {name: [port] for name, port in sources.items()}} if sources else {}
    return {"type": component, "x": 0, "y": 0, "source": source, "config": config}
