"""Plugins of published connectors: their routes are served below the place of their service, whatever the method.

A plugin is somebody's own code. It learns who calls, and never with which token; what it answers is shown by browsers
and not run by them, for it comes from the API's own origin.
"""

import re

from headrace_core import Json, errors
from headrace_runtime import logs
from starlette.responses import Response

from headrace_gateway import heads
from headrace_gateway.bodies import parse_form
from headrace_gateway.call import Call
from headrace_gateway.clients.executions import PluginRequest
from headrace_gateway.identity import STRANGER
from headrace_gateway.openapi import ANY_TYPE
from headrace_gateway.passing import SANDBOX, clean_headers
from headrace_gateway.routing import Answer, Limit, Method, Policy, Route
from headrace_gateway.schemas import ANYTHING

METHODS: tuple[Method, ...] = ("GET", "POST", "PUT", "PATCH", "DELETE")
PATH = "/plugins/{vendor}/{service}/{path}"

_NAME = re.compile(r"\w{1,60}", re.ASCII)
_KEPT_BACK = frozenset({"cookie", "proxy-authorization", "connection", "transfer-encoding", "content-length"})


async def call_plugin(call: Call) -> Response:
    vendor, service = call.value("vendor"), call.value("service")
    if not (_NAME.fullmatch(vendor) and _NAME.fullmatch(service)):
        raise errors.NotFound("plugin", f"{vendor}/{service}"[:200])
    caller = call.known_caller
    if caller is None:
        await call.gateway.guard.check_route(STRANGER, call.route.method, call.route.path)
    query = call.request.scope["query_string"]
    headers = _headers(call)
    asked = PluginRequest(
        service=f"{vendor}.{service}",
        method=call.route.method,
        path=f"/{call.value('path')}",
        headers=headers,
        query=parse_form(query) if query else {},
        body=await call.body(),
        user=None if caller is None else _shown(await call.clients.people.get(caller.user_id)),
        hostname=headers.get("host", "").partition(":")[0],
    )
    within = call.settings.call_timeout.total_seconds()
    answer = await call.clients.executions.call_plugin(None if caller is None else caller.scope, asked, within)
    response = Response(answer.body, status_code=answer.status)
    length = [(b"content-length", b"%d" % len(answer.body))] if answer.status not in (204, 304) else []
    response.raw_headers = [*clean_headers(answer.headers), *length, SANDBOX]
    return response


def _headers(call: Call) -> dict[str, str]:
    """What the plugin is told of the head: a token of ours stays here, what a far service sends as its own goes on."""
    texts = heads.header_texts(call.request.scope["headers"])
    kept_back = _KEPT_BACK if call.known_caller is None else _KEPT_BACK | {"authorization"}
    kept = {name: text for name, text in texts.items() if name not in kept_back}
    return {**kept, "x-request-id": logs.request_id.get()}


def _shown(user: dict[str, Json]) -> dict[str, Json]:
    return {name: user.get(name) for name in ("id", "username", "email", "scope")}


_DESCRIPTION = (
    "What a connector's `plugin.js` or `routes.py` registers is served here, below the place of its service, and what "
    "a module's does below the module's name. `path` takes all parts that are left. A route is for whoever is signed "
    "in unless it lets everybody in. Services of which a caller sees nothing have no plugin for that caller. The "
    "answer is the plugin's own, at most 16 MiB, and within HEADRACE_CALL_TIMEOUT. Who calls is told to the plugin, "
    "the token is not."
)


def _route(method: Method) -> Route:
    return Route(
        method=method,
        path=PATH,
        handler=call_plugin,
        policy=Policy.PLUGIN,
        tag="Plugins",
        summary="Call a plugin",
        description=_DESCRIPTION,
        request=None if method in ("GET", "DELETE") else {},
        request_media_type=ANY_TYPE,
        answers=(Answer(200, "What the plugin answers, with the status of its choice.", ANYTHING, ANY_TYPE),),
        errors=(401, 403, 404, 413, 429, 500),
        limit=Limit.WEBHOOK,
        takes_rest=True,
    )


ROUTES = tuple(_route(method) for method in METHODS)
