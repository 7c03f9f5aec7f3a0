"""Routes as data: method, path, who may call, and what goes in and out.

The table is what requests are matched against, what the policy is read from, and what the API reference is
generated from. A path matches segment by segment and exactly: no trailing slash, no doubled slash, no other case,
and an encoded slash stays inside its segment. The last parameter may take all segments that are left: its value is
the rest of the path, percent-encoded.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote, unquote

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway.errors import MethodNotAllowed

if TYPE_CHECKING:
    from headrace_gateway.call import Call

Handler: TypeAlias = Callable[["Call"], Awaitable[Response]]
Schema: TypeAlias = dict[str, Json]
_ODD_PARTS = frozenset({"", ".", ".."})
"""No part of what a parameter stands for that takes all parts that are left."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Policy(Enum):
    """Who may call a route."""

    PUBLIC = "Anybody."
    OPEN = "Anybody; whoever is signed in gets more."
    PLUGIN = "Whom the plugin lets in: whoever is signed in, or anybody."
    USER = "Whoever is signed in."
    SECRET = "Whoever is signed in, or holds a secret of what is asked for."
    ADMIN = "Administrators."
    SIGN_UP = "Anybody where sign-up is open, else administrators."
    METRICS = "Anybody where metrics are public, else administrators."


class Limit(Enum):
    """Which setting limits a route's body; its value names the field."""

    BODY = "body_bytes"
    FLOW = "flow_bytes"
    WEBHOOK = "webhook_bytes"
    UPLOAD = "upload_bytes"
    IMPORT = "import_bytes"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query or a header, for the reference."""

    name: str
    description: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    place: Literal["query", "header"] = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers with, for the reference."""

    status: int
    description: str
    schema: Schema | None = None
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method at one path. `policy` has no default: a route without one cannot be made."""

    method: Method
    path: str
    handler: Handler
    policy: Policy
    summary: str
    tag: str
    description: str = ""
    parameters: Sequence[Parameter] = ()
    request: Schema | None = None
    request_media_type: str = "application/json"
    answers: Sequence[Answer] = ()
    errors: Sequence[int] = ()
    limit: Limit = Limit.BODY
    is_audited: bool = False  # stands in the audit trail, as what is for administrators does anyway
    takes_rest: bool = False  # the last parameter stands for all segments that are left

    def __post_init__(self) -> None:
        if not isinstance(self.policy, Policy):
            raise TypeError(f"{self.method} {self.path} has no policy: say who may call it.")
        if not self.path.startswith("/") or (self.path != "/" and self.path.endswith("/")):
            raise ValueError(f"{self.path!r} is no path: begin with a slash and end without one.")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the path's parameters, in order."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


@dataclass(frozen=True, slots=True)
class Match:
    """The route of a request, and the values in its path."""

    route: Route
    values: Mapping[str, str]


class _Node:
    __slots__ = ("by_method", "fixed", "open", "rest")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node] = {}
        self.open: _Node | None = None
        self.rest: _Node | None = None  # takes all parts from here on
        self.by_method: dict[str, Route] = {}


class RouteTable:
    """All routes. Raises ValueError when two of them claim one method and path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(routes)
        self._root = _Node()
        for route in self._routes:
            self._add(route)

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def __len__(self) -> int:
        return len(self._routes)

    def match(self, method: str, raw_path: bytes) -> Match:
        """The route of a request. Raises NotFound, or MethodNotAllowed naming the methods that are there."""
        segments = _segments(raw_path)
        fallback: list[str] = []
        for node, values in self._nodes(self._root, segments, ()):
            route = node.by_method.get("GET" if method == "HEAD" else method)
            if route is not None:
                return Match(route, dict(zip(route.names, values, strict=True)))
            fallback.extend(node.by_method)
        if fallback:
            raise MethodNotAllowed(method, sorted(set(fallback)))
        raise errors.NotFound("endpoint", unquote(raw_path.decode("ascii", "replace"))[:200])

    def methods(self, raw_path: bytes) -> list[str]:
        """The methods at a path, in alphabetical order; none where nothing is."""
        nodes = self._nodes(self._root, _segments(raw_path), ())
        return sorted({method for node, _ in nodes for method in node.by_method})

    def _add(self, route: Route) -> None:
        node = self._root
        *parts, last = _segments(route.path.encode()) or [""]
        for part in [*parts, last] if last and not route.takes_rest else parts:
            if part.startswith("{"):
                node.open = node.open or _Node()
                node = node.open
            else:
                node = node.fixed.setdefault(part, _Node())
        if route.takes_rest:
            node.rest = node.rest or _Node()
            node = node.rest
        if route.method in node.by_method:
            raise ValueError(f"{route.method} {route.path} is there twice.")
        node.by_method[route.method] = route

    def _nodes(
        self, node: _Node, segments: Sequence[str], values: tuple[str, ...]
    ) -> Iterator[tuple[_Node, tuple[str, ...]]]:
        """Every place the segments lead to, fixed names before open ones, and those before all that is left."""
        if not segments:
            if node.by_method:
                yield node, values
            return
        first, *rest = segments
        if first in node.fixed:
            yield from self._nodes(node.fixed[first], rest, values)
        if node.open is not None and first:
            yield from self._nodes(node.open, rest, (*values, first))
        if node.rest is not None and not _ODD_PARTS.intersection(segments):
            yield node.rest, (*values, "/".join(quote(part, safe="") for part in segments))


def _segments(raw_path: bytes) -> list[str]:
    if raw_path == b"/":
        return []
    text = raw_path.decode("ascii", "replace")
    return [unquote(part, errors="replace") for part in text.split("/")[1:]]
