"""The flow descriptor: what people draw, as frozen values.

`parse_descriptor` accepts what Appmixer's schema accepts and names everything else, all at once. What a flow means
(do the components exist, do the ports fit) is asked by `headrace_core.validation` when the flow starts, so that an
unfinished flow can be saved.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from headrace_core import Json
from headrace_core.errors import Problem, TooLarge, ValidationFailed

OnError = Literal["errorPort", "stopFlow", "storeUnprocessed"]

ERROR_PORT = "error"
"""The out-port that every node has while its `onError` is `errorPort`."""

NODE_KEYS = ("type", "label", "source", "x", "y", "version", "manifest", "config", "errorHandling")
ERROR_HANDLING_KEYS = ("autoRetry", "maxRetries", "onError")
ON_ERROR_CHOICES: tuple[OnError, ...] = ("errorPort", "stopFlow", "storeUnprocessed")

_NODE_ID = re.compile(r"[\w -]+", re.ASCII)
_TYPE = re.compile(r"\w+\.\w+\.\w+\.\w+", re.ASCII)
_MAX_NAME = 256
_NO_IDS = frozenset({"__proto__"})  # an object key that JavaScript readers of the flow could not hold

_APPMIXER_UTILS = "appmixer.utils."
_HEADRACE_UTILS = "headrace.utils."


@dataclass(frozen=True, slots=True)
class Limits:
    """How big a descriptor may be."""

    size_bytes: int = 2 * 1024 * 1024
    nodes: int = 2_000
    depth: int = 64


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class ErrorHandling:
    """What becomes of a message whose component failed. `max_retries` None means what the installation says."""

    auto_retry: bool = True
    max_retries: int | None = None
    on_error: OnError = "storeUnprocessed"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What the user filled in. `transform` is in-port → source node → out-port → {type, modifiers, lambda}."""

    properties: Mapping[str, Json] = field(default_factory=dict)
    transform: Mapping[str, Json] = field(default_factory=dict)
    auth: Json = None
    other: Mapping[str, Json] = field(default_factory=dict)

    def transform_of(self, in_port: str, source: str, out_port: str) -> Mapping[str, Json] | None:
        """The transform of one link, or None when the message goes in as it is."""
        step: Json | Mapping[str, Json] = self.transform
        for key in (in_port, source, out_port):
            if not isinstance(step, dict):
                return None
            step = step.get(key)
        return step if isinstance(step, dict) else None


@dataclass(frozen=True, slots=True)
class Node:
    """One component placed in a flow. `source` is in-port → source node → out-ports, `type` is canonical."""

    id: str
    type: str
    label: str = ""
    source: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    x: float = 0
    y: float = 0
    version: str = ""
    manifest: Json = None
    config: NodeConfig = NodeConfig()
    error_handling: ErrorHandling = ErrorHandling()
    raw: Mapping[str, Json] = field(default_factory=dict, repr=False)

    @property
    def has_error_port(self) -> bool:
        """Whether its failures leave through the virtual out-port `error`."""
        return self.error_handling.on_error == "errorPort"


@dataclass(frozen=True, slots=True)
class Flow:
    """A descriptor that keeps the rules. Nodes stand in the order they were written in."""

    nodes: Mapping[str, Node]

    def to_json(self) -> dict[str, Json]:
        """The descriptor as it came in, to the last key."""
        return {node_id: dict(node.raw) for node_id, node in self.nodes.items()}


def normalize_type(component_type: str) -> str:
    """The canonical name of a component type: `appmixer.utils.…` is an alias of `headrace.utils.…`."""
    if component_type.startswith(_APPMIXER_UTILS):
        return _HEADRACE_UTILS + component_type[len(_APPMIXER_UTILS) :]
    return component_type


def spellings(name: str) -> tuple[str, ...]:
    """What a component type, or the beginning of one, may be written as, the canonical name first."""
    canonical = normalize_type(name)
    if canonical.startswith(_HEADRACE_UTILS):
        return canonical, _APPMIXER_UTILS + canonical[len(_HEADRACE_UTILS) :]
    return (canonical,)


def parse_descriptor(value: Json, limits: Limits = LIMITS) -> Flow:
    """Read a descriptor. The flow keeps references into `value`: whoever parses it, gives it away.

    Raises TooLarge when a limit of size or count is passed, and ValidationFailed with every problem otherwise.
    """
    if not isinstance(value, dict):
        said = f"A flow is an object of nodes, and this is {kind_of(value)}."
        raise ValidationFailed([Problem("flow", said, 'Send {"<nodeId>": {"type": …}, …}.')])
    _check_limits(value, limits)
    reader = _Reader()
    nodes = {node_id: reader.node(node_id, node) for node_id, node in value.items()}
    if reader.problems:
        raise ValidationFailed(reader.problems)
    return Flow({node_id: node for node_id, node in nodes.items() if node is not None})


def kind_of(value: object) -> str:
    """What a person calls this kind of value: "a number", "a list" …"""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"


def _check_limits(value: dict[str, Json], limits: Limits) -> None:
    if len(value) > limits.nodes:
        raise TooLarge(f"The flow has {len(value)} nodes, and {limits.nodes} are allowed. Split it in two flows.")
    problem = _tree_problem(value, limits.depth)
    if problem:
        raise ValidationFailed([problem])
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
    if size > limits.size_bytes:
        raise TooLarge(
            f"The flow descriptor is {size} bytes of JSON, and {limits.size_bytes} are allowed. "
            "Move large values into files or data stores."
        )


def _tree_problem(value: dict[str, Json], depth: int) -> Problem | None:
    """What keeps the tree from being plain JSON of bounded depth. Walks without recursion: nobody vouches for it."""
    level: list[tuple[str, Json]] = list(value.items())
    for _ in range(depth):
        deeper: list[tuple[str, Json]] = []
        for node, each in level:
            if isinstance(each, dict):
                deeper.extend((node, below) for below in each.values())
            elif isinstance(each, list):
                deeper.extend((node, below) for below in each)
            elif isinstance(each, float) and not math.isfinite(each):
                return Problem(f"flow.{node}", "There is a number that JSON cannot hold (NaN or infinity).", node=node)
        if not deeper:
            return None
        level = deeper
    node = level[0][0]
    return Problem(
        f"flow.{node}", f"Values are nested deeper than {depth} levels.", "Flatten the deepest of them.", node=node
    )


class _Reader:
    """Reads nodes and keeps every problem it meets on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, node: str, path: str, message: str, fix: str = "", port: str = "") -> None:
        where = f"flow.{node}.{path}" if path else f"flow.{node}"
        self.problems.append(Problem(where, message, fix, node=node, port=port, field=path))

    def node(self, node_id: str, value: Json) -> Node | None:
        if not _NODE_ID.fullmatch(node_id) or len(node_id) > _MAX_NAME or node_id in _NO_IDS:
            self.add(
                node_id[:_MAX_NAME],
                "",
                "The id of a node has word characters, blanks and hyphens only, at most 256.",
                "Use a UUID.",
            )
        if not isinstance(value, dict):
            self.add(node_id, "", f"A node is an object, and this is {kind_of(value)}.", 'Give it a "type" at least.')
            return None
        for key in value:
            if key not in NODE_KEYS:
                self.add(node_id, key, "A node has no such key.", f"Remove it. Known keys: {', '.join(NODE_KEYS)}.")
        return Node(
            id=node_id,
            type=self.type(node_id, value),
            label=self.text(node_id, value, "label"),
            source=self.source(node_id, value.get("source", {})),
            x=self.number(node_id, value, "x"),
            y=self.number(node_id, value, "y"),
            version=self.text(node_id, value, "version"),
            manifest=value.get("manifest"),
            config=self.config(node_id, value.get("config")),
            error_handling=self.error_handling(node_id, value.get("errorHandling", {})),
            raw=value,
        )

    def type(self, node: str, value: dict[str, Json]) -> str:
        found = value.get("type")
        example = "Write vendor.service.module.Component, for instance headrace.utils.controls.OnStart."
        if "type" not in value:
            self.add(node, "type", "The node has no component type.", example)
        elif not isinstance(found, str):
            self.add(node, "type", f"The component type is {kind_of(found)} and not text.", example)
        elif not _TYPE.fullmatch(found) or len(found) > _MAX_NAME:
            self.add(node, "type", f"{found[:_MAX_NAME]!r} is not four words with dots between them.", example)
        else:
            return normalize_type(found)
        return ""

    def text(self, node: str, value: dict[str, Json], key: str) -> str:
        found = value.get(key, "")
        if isinstance(found, str):
            return found
        self.add(node, key, f"The {key} is {kind_of(found)} and not text.", "Put it in quotes, or leave it out.")
        return ""

    def number(self, node: str, value: dict[str, Json], key: str) -> float:
        found = value.get(key, 0)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return found
        self.add(
            node, key, f"The position {key} is {kind_of(found)} and not a number.", "Give pixels, for instance 64."
        )
        return 0

    def source(self, node: str, value: Json) -> dict[str, dict[str, tuple[str, ...]]]:
        shape = 'Write {"<inPort>": {"<sourceNodeId>": ["<outPort>"]}}, or {} for a node without links.'
        if not isinstance(value, dict):
            self.add(node, "source", f"The source is {kind_of(value)} and not an object.", shape)
            return {}
        links: dict[str, dict[str, tuple[str, ...]]] = {}
        for in_port, sources in value.items():
            self.port_name(node, "source", in_port)
            if not isinstance(sources, dict):
                said = f"In-port {in_port!r} has {kind_of(sources)} where its source nodes belong."
                self.add(node, f"source.{in_port}", said, shape, port=in_port)
                continue
            links[in_port] = {each: self.out_ports(node, in_port, each, ports) for each, ports in sources.items()}
        return links

    def out_ports(self, node: str, in_port: str, source: str, value: Json) -> tuple[str, ...]:
        path = f"source.{in_port}.{source}"
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list):
            said = f"The out-ports of {source!r} are {kind_of(value)}."
            self.add(node, path, said, 'Write a list of names, for instance ["out"].', port=in_port)
            return ()
        names = [each for each in value if isinstance(each, str)]
        if len(names) < len(value):
            said = f"The out-ports of {source!r} hold something that is not a name."
            self.add(node, path, said, 'Write a list of names, for instance ["out"].', port=in_port)
        for name in names:
            self.port_name(node, path, name)
        return tuple(dict.fromkeys(names))

    def port_name(self, node: str, path: str, name: str) -> None:
        if not name or len(name) > _MAX_NAME:
            said = f"The name of a port has 1 to {_MAX_NAME} characters, and one here has {len(name)}."
            self.add(node, path, said, "Use the port's name from the component's manifest.", port=name[:_MAX_NAME])

    def config(self, node: str, value: Json) -> NodeConfig:
        if value is None:
            return NodeConfig()
        if not isinstance(value, dict):
            fix = "Write an object with properties and transform, or leave it out."
            self.add(node, "config", f"The config is {kind_of(value)} and not an object.", fix)
            return NodeConfig()
        known = ("properties", "transform", "auth")
        return NodeConfig(
            properties=self.section(node, value, "properties"),
            transform=self.section(node, value, "transform"),
            auth=value.get("auth"),
            other={key: each for key, each in value.items() if key not in known},
        )

    def section(self, node: str, config: dict[str, Json], key: str) -> Mapping[str, Json]:
        found = config.get(key)
        if found is None or isinstance(found, dict):
            return found or {}
        self.add(node, f"config.{key}", f"It is {kind_of(found)} and not an object.", "Write {} when there is nothing.")
        return {}

    def error_handling(self, node: str, value: Json) -> ErrorHandling:
        if not isinstance(value, dict):
            fix = 'Write an object, for instance {"onError": "errorPort"}.'
            self.add(node, "errorHandling", f"It is {kind_of(value)} and not an object.", fix)
            return ErrorHandling()
        for key in value:
            if key not in ERROR_HANDLING_KEYS:
                fix = f"Remove it. Known keys: {', '.join(ERROR_HANDLING_KEYS)}."
                self.add(node, f"errorHandling.{key}", "Error handling has no such key.", fix)
        auto_retry = value.get("autoRetry", True)
        if not isinstance(auto_retry, bool):
            self.add(node, "errorHandling.autoRetry", f"It is {kind_of(auto_retry)}.", "Write true or false.")
        return ErrorHandling(
            auto_retry=auto_retry is not False,
            max_retries=self.max_retries(node, value.get("maxRetries")) if "maxRetries" in value else None,
            on_error=self.on_error(node, value.get("onError", "storeUnprocessed")),
        )

    def max_retries(self, node: str, value: Json) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        said = f"It is {value}" if isinstance(value, int | float) else f"It is {kind_of(value)}"
        self.add(node, "errorHandling.maxRetries", f"{said}.", "Write a whole number from 0.")
        return None

    def on_error(self, node: str, value: Json) -> OnError:
        for choice in ON_ERROR_CHOICES:
            if value == choice:
                return choice
        fix = f"Choose one of {', '.join(ON_ERROR_CHOICES)}."
        self.add(node, "errorHandling.onError", f"{str(value)[:_MAX_NAME]!r} is no way to handle errors.", fix)
        return "storeUnprocessed"
