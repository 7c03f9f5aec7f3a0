"""What goes with a message besides its content, and all that led to one. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from headrace_core.expressions import MISSING, Json, Missing
from headrace_sdk.context import JsonObject

WALKTHROUGH = "_walkthrough"
"""Where a scope tells the way that messages went, beside the outputs of nodes."""

Scope = Mapping[str, Json]
"""Outputs of nodes: {node: {out-port: content}}."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """`scope` is what variables behind the message find in place of what led to it; None: what led to it."""

    scope: Scope | None = None
    headers: Mapping[str, Json] | None = None

    def to_json(self) -> JsonObject:
        found = {"scope": self.scope, "headers": self.headers}
        return {name: cast("Json", value) for name, value in found.items() if value is not None}

    @staticmethod
    def from_json(value: Mapping[str, Json]) -> Envelope:
        return Envelope(_object(value.get("scope")), _object(value.get("headers")))


class Sent(Protocol):
    """A message, by what led to it."""

    @property
    def node(self) -> str: ...
    @property
    def port(self) -> str: ...
    @property
    def content(self) -> Json: ...
    @property
    def causes(self) -> Sequence[Sent]: ...
    @property
    def envelope(self) -> Envelope | None: ...


def lookup(scope: Scope, node_id: str, port: str) -> Json | Missing:
    """What the node sent from the port, as the scope has it."""
    ports = scope.get(node_id)
    return ports.get(port, MISSING) if isinstance(ports, dict) else MISSING


def scope_of(message: Sent, node_id: str, port: str) -> JsonObject:
    """Everything that led to a message which arrived at a port of a node: of several from one out-port the nearest."""
    found: JsonObject = {}
    way: list[Json] = []
    wave: list[tuple[Sent, str, str]] = [(message, node_id, port)]
    seen = set[int]()
    while wave:
        following: list[tuple[Sent, str, str]] = []
        for each, target, target_in in wave:
            if id(each) in seen:
                continue
            seen.add(id(each))
            if each.node:
                _put(found, each.node, each.port, each.content)
                way.append({"links": [_link(each, target, target_in)]})
            if each.envelope is not None and each.envelope.scope is not None:
                _merge(found, way, each.envelope.scope)
            else:
                following.extend((cause, each.node or target, "" if each.node else target_in) for cause in each.causes)
        wave = following
    return {**found, WALKTHROUGH: way[::-1]}


def _link(message: Sent, target: str, target_in: str) -> Json:
    link: JsonObject = {"sourceId": message.node, "sourceOut": message.port, "targetId": target}
    return {**link, "targetIn": target_in} if target_in else link


def _merge(found: JsonObject, way: list[Json], scope: Scope) -> None:
    for node, ports in scope.items():
        if node == WALKTHROUGH:
            way.extend(reversed(ports) if isinstance(ports, list) else ())
        elif isinstance(ports, dict):
            for port, content in ports.items():
                _put(found, node, port, content)


def _put(found: JsonObject, node: str, port: str, content: Json) -> None:
    ports = found.setdefault(node, {})
    if isinstance(ports, dict):
        ports.setdefault(port, content)


def _object(value: Json) -> JsonObject | None:
    return value if isinstance(value, dict) else None
