"""What the designer offers at an input: the variables that a component's out-ports have, and what they held last."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeGuard

from headrace_core import Json
from headrace_core.differences import ABSENT, Held
from headrace_core.flow import ERROR_PORT, Node
from headrace_core.manifest import Manifest, OutPort

Seen = Mapping[str, Json]
"""The content that left a component last, by out-port."""

MAX_DEPTH = 3
MAX_FOUND = 200
MAX_SAMPLE_CHARS = 500

_ERROR = OutPort(
    ERROR_PORT,
    options=(
        {"label": "Error message", "value": "error.message"},
        {"label": "Error code", "value": "error.code"},
        {"label": "Error name", "value": "error.name"},
        {"label": "Input", "value": "input"},
    ),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A variable: a place in the content of an out-port. `path` "" is the whole content.

    `is_declared` when the manifest names it; else it was only seen in a run. The sample is shortened.
    """

    node_id: str
    port: str
    path: str
    label: str
    schema: Json = None
    sample: Held = ABSENT
    is_declared: bool = True

    @property
    def variable(self) -> str:
        """As it is written into a field."""
        place = f"$.{self.node_id}.{self.port}" + (f".{self.path}" if self.path else "")
        return "{{{" + place + "}}}"


def offers_of(node: Node, manifest: Manifest, seen: Seen) -> list[Offer]:
    """Every variable of the node, port by port: what its manifest declares, then what was only seen.

    A port that nothing is known of offers its content as a whole.
    """
    ports = {port.name: port for port in manifest.out_ports}
    if node.has_error_port:
        ports[ERROR_PORT] = _ERROR
    names = dict.fromkeys((*ports, *seen))
    return [offer for name in names for offer in _of_port(node, ports.get(name, OutPort(name)), seen.get(name, ABSENT))]


def with_options(manifest: Manifest, options: Mapping[str, Json]) -> Manifest:
    """The manifest with what a call gave as the options of out-ports, by port. What is no option is left out."""
    if not options:
        return manifest
    ports = tuple(
        replace(port, options=_options(options[port.name])) if port.name in options else port
        for port in manifest.out_ports
    )
    return replace(manifest, out_ports=ports)


def _options(given: Json) -> tuple[Mapping[str, Json], ...]:
    listed = given if isinstance(given, list) else []
    return tuple(
        {"label": each, "value": each} if isinstance(each, str) else each for each in listed if _is_option(each)
    )


def _is_option(value: Json) -> TypeGuard[str | dict[str, Json]]:
    return isinstance(value, str | dict)


def _of_port(node: Node, port: OutPort, content: Held) -> Iterator[Offer]:
    known: set[str] = set()
    for path, label, schema in _declared(port):
        if path not in known:
            known.add(path)
            yield Offer(node.id, port.name, path, label, schema, _shortened(_at(content, path)))
    found = [path for path in _paths(content, "", MAX_DEPTH) if path not in known][:MAX_FOUND]
    for path in found:
        yield Offer(node.id, port.name, path, path, None, _shortened(_at(content, path)), is_declared=False)
    if not known and not found:
        yield Offer(node.id, port.name, "", port.name, port.schema, _shortened(content))


def _declared(port: OutPort) -> Iterator[tuple[str, str, Json]]:
    """Path, label and schema of what the manifest names: its options, else the properties of its schema."""
    if not port.options:
        yield from _properties(port.schema, "", MAX_DEPTH)
    for option in port.options:
        path = option.get("value")
        if isinstance(path, str) and path:
            yield path, str(option.get("label") or path), option.get("schema")


def _properties(schema: Json, prefix: str, depth: int) -> Iterator[tuple[str, str, Json]]:
    inner = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(inner, dict) or depth == 0:
        return
    for name, each in inner.items():
        if _can_be_named(name):
            title = each.get("title") if isinstance(each, dict) else None
            yield prefix + name, str(title or prefix + name), each
            yield from _properties(each, f"{prefix}{name}.", depth - 1)


def _paths(content: Held, prefix: str, depth: int) -> Iterator[str]:
    if not isinstance(content, dict) or depth == 0:
        return
    for name, each in content.items():
        if _can_be_named(name):
            yield prefix + name
            yield from _paths(each, f"{prefix}{name}.", depth - 1)


def _can_be_named(name: str) -> bool:
    """Whether a path can lead to a field of this name."""
    return bool(name) and not any(character in name for character in ".{}[]")


def _at(content: Held, path: str) -> Held:
    """What stands at the path; a list on the way has no fields."""
    for name in path.split("."):
        if not isinstance(content, dict) or name not in content:
            return ABSENT
        content = content[name]
    return content


def _shortened(value: Held) -> Held:
    """The value as a sample: long text is cut, and what is large otherwise is none."""
    if isinstance(value, str):
        return value if len(value) <= MAX_SAMPLE_CHARS else value[:MAX_SAMPLE_CHARS] + "…"
    if isinstance(value, dict | list) and len(json.dumps(value)) > MAX_SAMPLE_CHARS:
        return ABSENT
    return value
