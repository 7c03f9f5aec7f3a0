"""The three flows in our format."""

from __future__ import annotations

from typing import Any

Flow = dict[str, Any]
Node = dict[str, Any]
STEPS = 10


def echo() -> Flow:
    """hook → three fields → answer."""
    request = "$.hook.request.data"
    shape = _set(
        "hook",
        "request",
        {
            "name": ("text", _variable(f"{request}.name", "g_uppercase")),
            "email": ("text", _variable(f"{request}.email", "g_lowercase")),
            "amount": ("number", _variable(f"{request}.amount", "g_mul", 2)),
        },
    )
    return {"hook": _hook(answers_at_once=False), "shape": shape, "answer": _answer("shape")}


def chain() -> Flow:
    """hook → ten nodes that add one to `n`."""
    flow = {"hook": _hook(answers_at_once=True)}
    before, port, path = "hook", "request", "$.hook.request.data.n"
    for number in range(1, STEPS + 1):
        node_id = f"step{number}"
        flow[node_id] = _set(before, port, {"n": ("number", _variable(path, "g_add", 1))})
        before, port, path = node_id, "out", f"$.{node_id}.out.n"
    return flow


def branch() -> Flow:
    """hook → is `amount` above 10? → one of two branches → merge → answer."""
    row = {"input": "{{{amount}}}", "operator": ">", "value": 10}
    question = {
        "type": "json2new",
        "modifiers": {"expression": {"amount": _variable("$.hook.request.data.amount")}},
        "lambda": {"expression": {"AND": [{"OR": [row]}]}},
    }
    return {
        "hook": _hook(answers_at_once=False),
        "if": _node("controls.Condition", {"hook": ["request"]}, {"hook": {"request": question}}),
        "large": _set("if", "true", {"size": ("text", "large")}),
        "small": _set("if", "false", {"size": ("text", "small")}),
        "merge": _node("controls.Join", {"large": ["out"], "small": ["out"]}),
        "answer": _answer("merge"),
    }


def _hook(*, answers_at_once: bool) -> Node:
    node = _node("http.WebhookTrigger", {})
    node["config"]["properties"] = {"immediateResponse": answers_at_once}
    return node


def _set(before: str, port: str, fields: dict[str, tuple[str, Any]]) -> Node:
    """A node that makes an object of `fields`: name → (type, a variable or a plain value)."""
    variables = {name: value for name, (_, value) in fields.items() if isinstance(value, dict)}
    rows = [
        {"type": kind, "name": name, kind: f"{{{{{{{name}}}}}}}" if name in variables else value}
        for name, (kind, value) in fields.items()
    ]
    content = {"type": "json2new", "modifiers": {"variables": variables}, "lambda": {"variables": {"ADD": rows}}}
    return _node("controls.SetVariable", {before: [port]}, {before: {port: content}})


def _answer(before: str) -> Node:
    """Answers with the whole output of the node before."""
    content = {
        "type": "json2new",
        "modifiers": {"body": {"all": _variable(f"$.{before}.out")}},
        "lambda": {"body": "{{{all}}}", "statusCode": 200},
    }
    return _node("http.Response", {before: ["out"]}, {before: {"out": content}})


def _variable(path: str, function: str = "", *params: int) -> dict[str, Any]:
    functions = [{"name": function, "params": [{"value": each} for each in params]}] if function else []
    return {"variable": path, "functions": functions}


def _node(kind: str, links: dict[str, list[str]], transform: dict[str, Any] | None = None) -> Node:
    config: dict[str, Any] = {"transform": {"in": transform}} if transform else {}
    source = {"in": links} if links else {}
    return {"type": f"headrace.utils.{kind}", "x": 0, "y": 0, "source": source, "config": config}
