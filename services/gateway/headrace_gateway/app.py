"""The gateway as one ASGI app: webhooks by the short way, everything else through the route table."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from time import perf_counter

from headrace_core import errors
from headrace_core.clock import Clock, SystemClock
from headrace_runtime import logs
from headrace_runtime.health import Health
from headrace_runtime.metrics import Metrics
from headrace_runtime.process import Process
from headrace_runtime.rpc import Replicas, TheOnly
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from headrace_gateway import heads
from headrace_gateway.aliases import Aliases
from headrace_gateway.archives.desk import Desk
from headrace_gateway.auditing import Auditor, is_audited
from headrace_gateway.call import Call, query_parameters
from headrace_gateway.checking import SchemaChecks
from headrace_gateway.clients import Channels, open_clients
from headrace_gateway.clients.health import watch_services
from headrace_gateway.clients.processes import Processes
from headrace_gateway.coalescer import Coalescer
from headrace_gateway.cors import Cors, admit, unlisted_origin
from headrace_gateway.errors import answer_of
from headrace_gateway.guarding import Guard
from headrace_gateway.identity import Authenticator, Caller
from headrace_gateway.live import LiveStreams
from headrace_gateway.openapi import openapi_document
from headrace_gateway.origins import VendorOrigins
from headrace_gateway.routes import ROUTES
from headrace_gateway.routing import Match, Policy, Route, RouteTable
from headrace_gateway.schemas import COMPONENTS
from headrace_gateway.settings import GatewaySettings
from headrace_gateway.sources import Sources
from headrace_gateway.throttle import Throttle
from headrace_gateway.ui import Ui, is_page, prefers_html
from headrace_gateway.webhooks import Webhooks

_NO_STORE = (b"cache-control", b"no-store")
_NO_CONTENT_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_OWN_ALONE = frozenset({"/user/tokens", "/user/tokens/{id}", "/user/change-password", "/user/sign-out-everywhere"})
"""Where a token could be made that outlives an administrator's stay, or the user be shut out."""

STRANGERS_CALLS = 60
STRANGERS_WINDOW = timedelta(minutes=1)
"""How often one address may ask without a token for what costs more than a page."""

logger = logging.getLogger(__name__)


def create_app(
    *,
    channels: Channels,
    settings: GatewaySettings,
    clock: Clock | None = None,
    health: Health | None = None,
    metrics: Metrics | None = None,
    routes: Sequence[Route] = ROUTES,
    replicas: Mapping[str, Replicas] | None = None,
    process: Process | None = None,
) -> "Gateway":
    """The gateway over channels to the services behind it. It opens nothing and keeps nothing.

    `replicas` are the processes of each service, one by one; without them each service is one process.
    """
    clock = clock or SystemClock()
    metrics = metrics or Metrics()
    gateway = Gateway(channels, settings, clock, health or Health(clock), metrics, routes)
    known = replicas or {
        "flow-manager": TheOnly("here", channels.flow),
        "scheduler": TheOnly("here", channels.schedule),
        "executor": TheOnly("here", channels.execution),
        "logging": TheOnly("here", channels.log),
    }
    own = process or Process("gateway", {}, metrics, settings=(GatewaySettings,), clock=clock)
    gateway.processes = Processes(known, own, clock)
    return gateway


class Gateway:
    """An ASGI app. `begin_drain` ends its live streams; `drain` waits for events under way."""

    processes: Processes

    def __init__(
        self,
        channels: Channels,
        settings: GatewaySettings,
        clock: Clock,
        health: Health,
        metrics: Metrics,
        routes: Sequence[Route],
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.health = health
        self.metrics = metrics
        watch_services(health, channels)
        self.table = RouteTable(routes)
        self.schemas = SchemaChecks(routes, COMPONENTS)
        self.openapi = openapi_document(routes)
        self.clients = open_clients(channels, settings.rpc_timeout.total_seconds())
        self.authenticator = Authenticator(self.clients.people.authenticate, clock)
        self.aliases = Aliases(self.clients.aliases.resolve, (route.path for route in routes), clock)
        self.guard = Guard(self.clients.settings.rules, clock)
        self.origins = VendorOrigins(self.clients.settings.origins, clock)
        self.sources = Sources(self.clients.executions.call_component, clock, settings.call_timeout.total_seconds())
        self.archives = Desk()
        self.strangers = Throttle(clock, limit=STRANGERS_CALLS, window=STRANGERS_WINDOW)
        self.auditor = Auditor(self)
        self.ui = Ui(settings.ui_dir)
        self.live = LiveStreams(settings, clock)
        self.coalescer = Coalescer(
            self.clients.executions.accept,
            accept_within_seconds=settings.accept_timeout.total_seconds(),
        )
        self._cors = Cors(settings.cors_origins)
        self._webhooks = Webhooks(self.coalescer, settings, self._cors, metrics)
        self._requests = metrics.counter(
            "headrace_gateway_requests_total", "Requests answered.", ("route", "method", "status")
        )
        self._seconds = metrics.histogram(
            "headrace_gateway_request_seconds", "Time until a request's answer began.", ("route", "method")
        )
        self._follow(metrics)

    def _follow(self, metrics: Metrics) -> None:
        events, live, follow = self.coalescer, self.live, metrics.follow
        follow("headrace_gateway_batches_total", "Calls that brought events to the executor.", lambda: events.batches)
        follow("headrace_gateway_events_total", "Events brought to the executor.", lambda: events.events)
        follow("headrace_gateway_events_waiting", "Events that wait for a call.", lambda: events.waiting, kind="gauge")
        follow("headrace_gateway_live_streams", "Live streams that are open.", lambda: live.count, kind="gauge")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._live(receive, send)
            return
        if scope["method"] != "OPTIONS":
            place = Webhooks.match(scope["raw_path"])
            if place is not None:
                await self._webhooks(scope, receive, send, place)
                return
        await self._serve(scope, receive, send)

    async def _aliased(self, scope: Scope) -> "re.Match[bytes] | None":
        """The webhook that the path stands for, where no endpoint is. Endpoints are never hidden by one."""
        if scope["method"] == "OPTIONS" or self.table.methods(scope["raw_path"]) or self.ui.is_of_office(scope):
            return None
        path = await self.aliases.webhook_path(scope["raw_path"])
        return None if path is None else Webhooks.match(path)

    def begin_drain(self) -> None:
        """Say not ready, and end live streams: their callers come back elsewhere. Twice is as once."""
        self.health.is_serving = False
        self.live.close()

    async def drain(self) -> None:
        """Return when every event that was taken has its outcome."""
        self.begin_drain()
        await self.coalescer.drain()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.drain()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(scope, send, self._cors)
        logs.request_id.set(exchange.request_id)
        began = perf_counter()
        place = "none"
        try:
            response: Response | None = None
            heads.check_head(scope)
            if is_page(scope["raw_path"]) and self._is_for_a_person(scope):
                await self.ui.page()(scope, receive, exchange.send)
                return
            webhook = await self._aliased(scope)
            if webhook is not None:
                await self._webhooks(scope, receive, send, webhook)
                return
            if self.ui.is_of_office(scope):
                place, response = "/backoffice", self.ui.office()
            else:
                match = self._match(scope)
                place = "none" if match is None else match.route.path
                response = await (self._options(scope) if match is None else self._respond(match, scope, receive))
        except errors.HeadraceError as error:
            response = _error_response(error, exchange.request_id)
        except ClientDisconnect:
            return
        except Exception:
            # The last stand before the server: the caller gets the request id, the log gets the rest.
            logger.exception("A request failed.", extra={"route": place, "method": scope["method"]})
            response = _error_response(errors.Internal(""), exchange.request_id)
        method = scope["method"] if place != "none" else "any"
        self._requests.inc(route=place, method=method, status=str(response.status_code))
        self._seconds.observe(perf_counter() - began, route=place, method=method)
        await response(scope, receive, exchange.send)

    def _match(self, scope: Scope) -> Match | None:
        if scope["method"] == "OPTIONS":
            return None
        return self.table.match(scope["method"], scope["raw_path"])

    async def _options(self, scope: Scope) -> Response:
        """The answer to a preflight, or what methods there are."""
        if heads.header(scope, b"access-control-request-method") is not None:
            others = () if unlisted_origin(scope, self._cors) is None else await self.origins.of_any()
            preflight = self._cors.preflight(scope, others)
            if preflight is not None:
                return _bare(204, preflight)
            raise errors.Forbidden("Pages of this origin may not call the API. An administrator can list it.")
        if Webhooks.match(scope["raw_path"]) is not None:
            return _bare(204, [(b"allow", ", ".join((*Webhooks.methods, "OPTIONS")).encode())])
        methods = self.table.methods(scope["raw_path"])
        if not methods:
            raise errors.NotFound("endpoint")
        return _bare(204, [(b"allow", ", ".join((*methods, "OPTIONS")).encode())])

    async def _respond(self, match: Match, scope: Scope, receive: Receive) -> Response:
        caller = await self._caller(match.route.policy, scope)
        if caller is not None:
            if caller.impersonator_id and match.route.path in _OWN_ALONE and match.route.method != "GET":
                raise errors.Forbidden("This is for the user alone, and not for who signed in as them.")
            await self.guard.check_route(caller, scope["method"], match.route.path)
        parameters = query_parameters(scope["query_string"])
        call = Call(Request(scope, receive), match, self, caller, parameters)
        if is_audited(call, effective(match.route.policy, self.settings)):
            return await self.auditor.carry_out(call)
        return await match.route.handler(call)

    def _is_for_a_person(self, scope: Scope) -> bool:
        """Whether a browser opens this address, and no client that holds a token asks for the data there."""
        if scope["method"] != "GET" or not self.ui.is_built or heads.header(scope, b"authorization") is not None:
            return False
        return prefers_html(heads.text_header(scope, b"accept"))

    async def _caller(self, policy: Policy, scope: Scope) -> Caller | None:
        """Who calls, where the policy wants to know. Raises Unauthenticated and Forbidden."""
        policy = effective(policy, self.settings)
        authorization = heads.text_header(scope, b"authorization")
        if policy is Policy.PUBLIC or (policy in (Policy.SECRET, Policy.OPEN) and not authorization):
            return None  # whether a secret will do is for who keeps its hash to say
        try:
            caller = await self.authenticator.caller(authorization)
        except errors.Unauthenticated:
            if policy is Policy.PLUGIN:  # whom a service of elsewhere speaks for is for the plugin to say
                return None
            raise
        await self.admit_origin(scope, caller.vendors)
        if policy is Policy.ADMIN and not caller.is_admin:
            raise errors.Forbidden("This is for administrators.")
        return caller

    async def admit_origin(self, scope: Scope, vendors: Iterable[str]) -> None:
        """Let a page read the answer to this request where one of its caller's vendors lists the page's origin."""
        origin = unlisted_origin(scope, self._cors)
        if origin is not None and origin in await self.origins.of(vendors):
            admit(scope)


def effective(policy: Policy, settings: GatewaySettings) -> Policy:
    """The policy with the settings applied: PUBLIC, OPEN, PLUGIN, SECRET, USER or ADMIN."""
    if policy is Policy.SIGN_UP:
        return Policy.PUBLIC if settings.sign_up == "open" else Policy.ADMIN
    if policy is Policy.METRICS:
        return Policy.PUBLIC if settings.metrics_public else Policy.ADMIN
    return policy


class _Exchange:
    """One request and its answer: every answer gets the headers that belong to all of them."""

    def __init__(self, scope: Scope, send: Send, cors: Cors) -> None:
        self.request_id = heads.request_id_of(scope)
        self._scope = scope
        self._send = send
        self._cors = cors

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            names = {name for name, _ in headers}
            headers = [*headers, (b"x-request-id", self.request_id.encode())]
            headers += [each for each in (_NO_STORE, _NO_CONTENT_POLICY) if each[0] not in names]
            headers += [each for each in heads.SECURITY_HEADERS if each[0] not in names]
            headers += self._cors.headers(self._scope) if b"access-control-allow-origin" not in names else []
            if message["status"] in (408, 413):
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        await self._send(message)


def _bare(status: int, headers: list[tuple[bytes, bytes]]) -> Response:
    response = Response(status_code=status)
    response.raw_headers = headers
    return response


def _error_response(error: errors.HeadraceError, request_id: str) -> Response:
    status, headers, body = answer_of(error, request_id)
    response = _bare(status, [*headers, (b"content-length", b"%d" % len(body))])
    response.body = body
    return response
