"""What a handler gets: the request as values, who calls, and whom to ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

import orjson
from headrace_core import Json, errors
from headrace_core.clock import Clock
from starlette.requests import Request
from starlette.responses import Response

from headrace_gateway import heads, queries
from headrace_gateway.bodies import is_json, media_type, parse_json, read_body
from headrace_gateway.clients import Clients
from headrace_gateway.errors import UnsupportedMedia, one_problem
from headrace_gateway.identity import Caller, Scope
from headrace_gateway.routing import Match, Route
from headrace_gateway.schemas import ON_BEHALF_OF
from headrace_gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from headrace_gateway.app import Gateway

MAX_PARAMETERS = 200


@dataclass(slots=True)
class Call:
    """One request on its way through a handler."""

    request: Request
    match: Match
    gateway: "Gateway"
    known_caller: Caller | None
    parameters: Mapping[str, list[str]] = field(default_factory=dict)
    _body: bytes | None = None

    @property
    def route(self) -> Route:
        return self.match.route

    @property
    def clients(self) -> Clients:
        return self.gateway.clients

    @property
    def settings(self) -> GatewaySettings:
        return self.gateway.settings

    @property
    def clock(self) -> Clock:
        return self.gateway.clock

    @property
    def caller(self) -> Caller:
        """Who calls. Raises Unauthenticated on a public route that nobody signed in to."""
        if self.known_caller is None:
            raise errors.Unauthenticated()
        return self.known_caller

    @property
    def scope(self) -> Scope:
        """Whose data this call may touch: the caller's own; an administrator's may be that of who is named."""
        owner = self.on_behalf_of
        return Scope(owner, self.caller.user_id) if owner else self.caller.scope

    @property
    def on_behalf_of(self) -> str:
        """The user for whom an administrator acts; empty where the caller acts for themselves. Raises Forbidden."""
        owner = self.text(ON_BEHALF_OF.name) if ON_BEHALF_OF in self.route.parameters else ""
        if not owner or owner == self.caller.user_id:
            return ""
        if not self.caller.is_admin:
            raise errors.Forbidden("Only administrators act on behalf of others.")
        return owner

    @property
    def reading_scope(self) -> Scope:
        """As `scope`; an administrator who asks with allTenants=true reads across tenants."""
        if not queries.flag(self.parameters, "allTenants"):
            return self.scope
        if not self.caller.is_admin:
            raise errors.Forbidden("Only administrators read across tenants.")
        return Scope(self.caller.user_id, self.caller.user_id, all_tenants=True)

    @property
    def address(self) -> str:
        """The address the request came from."""
        return self.request.client.host if self.request.client else ""

    def value(self, name: str) -> str:
        """A value of the path."""
        return self.match.values[name]

    def text(self, name: str, default: str = "") -> str:
        """The last value of a parameter of the query."""
        return queries.last(self.parameters, name, default)

    def number(self, name: str, default: int, *, minimum: int = 0, maximum: int = queries.MAX_OFFSET) -> int:
        return queries.whole_number(self.parameters, name, default, minimum=minimum, maximum=maximum)

    def flag(self, name: str, default: bool = False) -> bool:
        return queries.flag(self.parameters, name, default)

    def header(self, name: str) -> str:
        return heads.text_header(self.request.scope, name.encode())

    async def body(self) -> bytes:
        """The whole body, within the route's limit."""
        if self._body is None:
            limit = cast("int", getattr(self.settings, self.route.limit.value))
            seconds = self.settings.body_timeout.total_seconds()
            self._body = await read_body(self.request.scope, self.request.receive, limit, seconds)
        return self._body

    async def json(self) -> Json:
        """The body's JSON value, checked against the route's schema.

        Raises BadRequest, UnsupportedMedia, or ValidationFailed naming the fields.
        """
        media = media_type(self.header("content-type"))
        if media and not is_json(media):
            raise UnsupportedMedia(f"This endpoint reads JSON, not {media[:100]!r}.")
        value = parse_json(await self.body())
        self.gateway.schemas.check(self.route, value)
        return value

    async def object(self) -> dict[str, Json]:
        """The body's JSON object, checked against the route's schema. Raises as `json` does."""
        value = await self.json()
        if not isinstance(value, dict):
            raise one_problem("body", "The body must be a JSON object.")
        return value

    async def object_or_empty(self) -> dict[str, Json]:
        """As `object`, but no body at all reads as an empty object."""
        if heads.header(self.request.scope, b"content-length") in (None, b"0") and not heads.header(
            self.request.scope, b"transfer-encoding"
        ):
            return {}
        return await self.object()


def query_parameters(query_string: bytes) -> dict[str, list[str]]:
    """The parameters of a URL by name. Raises BadRequest when there are too many."""
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise errors.BadRequest(f"A URL takes at most {MAX_PARAMETERS} parameters.") from None
    parameters: dict[str, list[str]] = {}
    for name, value in pairs:
        parameters.setdefault(name, []).append(value)
    return parameters


def answer(value: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(value), status_code=status, headers=dict(headers or {}), media_type="application/json")


def json_text(value: Json) -> bytes:
    """The JSON text of a value."""
    return orjson.dumps(value)
