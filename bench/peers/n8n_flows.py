"""The three flows in n8n's format."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Literal

Node = dict[str, Any]
Workflow = dict[str, Any]
Link = tuple[str, int, str, int]  # node, its output, node, its input
STEPS = 10


def echo() -> Workflow:
    fields = [
        ("name", "={{ $json.body.name.toUpperCase() }}", "string"),
        ("email", "={{ $json.body.email.toLowerCase() }}", "string"),
        ("amount", "={{ $json.body.amount * 2 }}", "number"),
    ]
    nodes = [_hook("echo", "responseNode"), _set("Shape", fields), _answer()]
    return _workflow("F1 echo", nodes, [("Webhook", 0, "Shape", 0), ("Shape", 0, "Answer", 0)])


def chain() -> Workflow:
    nodes, links, before, path = [_hook("chain", "onReceived")], [], "Webhook", "$json.body.n"
    for number in range(1, STEPS + 1):
        name = f"Step {number}"
        nodes.append(_set(name, [("n", f"={{{{ {path} + 1 }}}}", "number")]))
        links.append((before, 0, name, 0))
        before, path = name, "$json.n"
    return _workflow("F2 chain", nodes, links)


def branch() -> Workflow:
    nodes = [
        _hook("branch", "responseNode"),
        _if("={{ $json.body.amount }}", 10),
        _set("Large", [("size", "large", "string")]),
        _set("Small", [("size", "small", "string")]),
        _node("Merge", "merge", 3.1, {}),
        _answer(),
    ]
    links = [
        ("Webhook", 0, "If", 0),
        ("If", 0, "Large", 0),
        ("If", 1, "Small", 0),
        ("Large", 0, "Merge", 0),
        ("Small", 0, "Merge", 1),
        ("Merge", 0, "Answer", 0),
    ]
    return _workflow("F3 branch", nodes, links)


def _hook(path: str, mode: Literal["onReceived", "responseNode"]) -> Node:
    parameters = {"httpMethod": "POST", "path": path, "responseMode": mode, "options": {}}
    return _node("Webhook", "webhook", 2, parameters) | {"webhookId": _new_id()}


def _answer() -> Node:
    return _node("Answer", "respondToWebhook", 1.1, {"respondWith": "firstIncomingItem", "options": {}})


def _set(name: str, fields: Sequence[tuple[str, str, str]]) -> Node:
    """`fields`: (name, value or expression, type)."""
    rows = [{"id": _new_id(), "name": field, "value": value, "type": kind} for field, value, kind in fields]
    return _node(name, "set", 3.4, {"mode": "manual", "options": {}, "assignments": {"assignments": rows}})


def _if(value: str, above: int) -> Node:
    condition = {
        "id": _new_id(),
        "leftValue": value,
        "rightValue": above,
        "operator": {"type": "number", "operation": "gt"},
    }
    options = {"caseSensitive": True, "leftValue": "", "typeValidation": "strict", "version": 2}
    conditions = {"options": options, "combinator": "and", "conditions": [condition]}
    return _node("If", "if", 2.2, {"options": {}, "conditions": conditions})


def _workflow(name: str, nodes: list[Node], links: Sequence[Link]) -> Workflow:
    connections: dict[str, dict[str, list[list[dict[str, Any]]]]] = {}
    for source, output, target, port in links:
        outputs = connections.setdefault(source, {"main": []})["main"]
        outputs.extend([] for _ in range(output + 1 - len(outputs)))
        outputs[output].append({"node": target, "type": "main", "index": port})
    return {"name": name, "nodes": nodes, "connections": connections, "settings": {"executionOrder": "v1"}}


def _node(name: str, kind: str, version: float, parameters: dict[str, Any]) -> Node:
    return {
        "id": _new_id(),
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [0, 0],
        "parameters": parameters,
    }


def _new_id() -> str:
    return str(uuid.uuid4())
