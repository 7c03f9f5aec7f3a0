"""Dynamic sources of a manifest: forms, options and out-ports that a call of a component gives.

    {"url": "/component/vendor/service/module/Component?outPort=out",
     "data": {"messages": {"in/field": "inputs/in/field"}, "properties": {…}, "transform": "./file#function"}}

What is asked for is filled from the node that is configured: `inputs/<in-port>/<field>` and `properties/<name>`. Every
other value stands for itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from headrace_core import Json
from headrace_core.flow import normalize_type

MAX_DEPTH = 12
_SEGMENTS = (3, 4)


@dataclass(frozen=True, slots=True)
class Source:
    """A call of a component, before it is filled."""

    type: str
    out_port: str
    messages: Mapping[str, Json] = field(default_factory=dict)
    properties: Mapping[str, Json] = field(default_factory=dict)
    transform: str = ""


@dataclass(frozen=True, slots=True)
class Filled:
    """What a node holds while it is configured: by in-port what its fields say, and its properties."""

    inputs: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    properties: Mapping[str, Json] = field(default_factory=dict)


def read_source(value: Json) -> Source | None:
    """The source; None for what is none."""
    if not isinstance(value, dict) or not isinstance(value.get("url"), str):
        return None
    url = urlsplit(str(value["url"]))
    kind, *names = url.path.strip("/").split("/")
    if kind != "component" or len(names) not in _SEGMENTS:
        return None
    data = _object(value.get("data"))
    transform = data.get("transform")
    return Source(
        ".".join(names),
        parse_qs(url.query).get("outPort", ["out"])[0],
        _object(data.get("messages")),
        _object(data.get("properties")),
        transform if isinstance(transform, str) else "",
    )


def fill(source: Source, node: Filled) -> tuple[dict[str, Json], dict[str, Json]]:
    """The messages by in-port, and the properties, of the call for this node. What it does not hold is left out."""
    given = {name: _filled(value, node) for name, value in source.properties.items()}
    asked = {name: _filled(value, node) for name, value in source.messages.items()}
    return by_port(_held(asked)), _held(given)


def by_port(messages: Mapping[str, "Json | _Nothing"]) -> dict[str, Json]:
    """Messages by in-port, where fields may be written as `in/field`."""
    found: dict[str, Json] = {}
    for name, value in messages.items():
        if isinstance(value, _Nothing):
            continue
        port, _, place = name.partition("/")
        if not place:
            found[port] = value
            continue
        content = found.setdefault(port, {})
        if isinstance(content, dict):
            content[place] = value
    return found


def named_types(manifest: Mapping[str, Json]) -> frozenset[str]:
    """The canonical types of the components that a manifest names as sources."""
    return frozenset(normalize_type(source.type) for source in _sources(dict(manifest), MAX_DEPTH))


class _Nothing:
    """What a node does not hold."""


_NOTHING = _Nothing()


def _held(values: Mapping[str, "Json | _Nothing"]) -> dict[str, Json]:
    return {name: value for name, value in values.items() if not isinstance(value, _Nothing)}


def _filled(value: Json, node: Filled) -> "Json | _Nothing":
    if not isinstance(value, str):
        return value
    kind, _, rest = value.partition("/")
    if kind == "properties" and rest:
        return node.properties.get(rest, _NOTHING)
    port, _, name = rest.partition("/")
    if kind == "inputs" and name:
        return node.inputs.get(port, {}).get(name, _NOTHING)
    return value


def _sources(value: Json, depth: int) -> Iterator[Source]:
    if depth == 0:
        return
    if isinstance(value, dict):
        found = read_source(value.get("source"))
        if found is not None:
            yield found
        value = list(value.values())
    for each in value if isinstance(value, list) else []:
        yield from _sources(each, depth - 1)


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
