"""The three flows in Node-RED's format, and one that says how many runs of the chain have ended."""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]
STEPS = 10

COUNT = """global.set("finished", (global.get("finished") || 0) + 1);
global.set("last", Date.now());"""
READ_COUNT = """msg.payload = { finished: global.get("finished") || 0, last: global.get("last") || 0 };
return msg;"""


def everything() -> list[Node]:
    """The content of flows.json."""
    return [*_echo(), *_chain(), *_branch(), *_count()]


def _echo() -> list[Node]:
    rules = [
        ("payload.name", "$uppercase(payload.name)", "jsonata"),
        ("payload.email", "$lowercase(payload.email)", "jsonata"),
        ("payload.amount", "payload.amount * 2", "jsonata"),
    ]
    return [
        _tab("echo"),
        _hook("echo", ["echo-shape"]),
        _set("echo", "shape", rules, "echo-answer"),
        _answer("echo"),
    ]


def _chain() -> list[Node]:
    """The answer goes out beside the first step, so it waits for none of them."""
    nodes = [_tab("chain"), _hook("chain", ["chain-answer", "chain-1"]), _answer("chain")]
    for number in range(1, STEPS + 1):
        after = f"chain-{number + 1}" if number < STEPS else "chain-end"
        nodes.append(_set("chain", str(number), [("payload.n", "payload.n + 1", "jsonata")], after))
    return [*nodes, _node("chain", "end", "function", [[]], outputs=0, func=COUNT)]


def _branch() -> list[Node]:
    """Two wires into one node are a merge."""
    rules = [{"t": "gt", "v": "10", "vt": "num"}, {"t": "else"}]
    switch = {"property": "payload.amount", "propertyType": "msg", "rules": rules, "checkall": "true", "outputs": 2}
    return [
        _tab("branch"),
        _hook("branch", ["branch-if"]),
        _node("branch", "if", "switch", [["branch-large"], ["branch-small"]], **switch),
        _set("branch", "large", [("payload.size", "large", "str")], "branch-answer"),
        _set("branch", "small", [("payload.size", "small", "str")], "branch-answer"),
        _answer("branch"),
    ]


def _count() -> list[Node]:
    return [
        _tab("count"),
        _hook("count", ["count-read"], method="get"),
        _node("count", "read", "function", [["count-answer"]], outputs=1, func=READ_COUNT),
        _answer("count"),
    ]


def _tab(name: str) -> Node:
    return {"id": name, "type": "tab", "label": name}


def _hook(tab: str, wires: list[str], *, method: str = "post") -> Node:
    return _node(tab, "hook", "http in", [wires], url=f"/{tab}", method=method)


def _answer(tab: str) -> Node:
    return _node(tab, "answer", "http response", [[]], statusCode="200", headers={})


def _set(tab: str, name: str, rules: list[tuple[str, str, str]], wire: str) -> Node:
    """`rules`: (property, expression or value, its kind)."""
    changes = [{"t": "set", "p": path, "pt": "msg", "to": value, "tot": kind} for path, value, kind in rules]
    return _node(tab, name, "change", [[wire]], rules=changes)


def _node(tab: str, name: str, kind: str, wires: list[list[str]], **settings: Any) -> Node:
    place = {"id": f"{tab}-{name}", "z": tab, "x": 100, "y": 100}
    return {**place, "type": kind, "name": name, "wires": wires, **settings}
