"""The hot path: webhook calls become events without passing through routers, middlewares or request objects.

    ANY /flows/{flowId}/components/{componentId}[?correlationId=…&enqueueOnly=true]

The flow's answer is passed on when it comes in time; else 202 with the run's id. Whatever is answered 2xx is durable.
"""

import logging
import re
from urllib.parse import unquote

import orjson
from headrace_core import Json, errors
from headrace_core.webhook_signatures import HEADERS, SignedRequest
from headrace_runtime import logs
from headrace_runtime.metrics import Metrics
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from headrace_gateway import heads
from headrace_gateway.bodies import Parsed, parse_body, parse_form, read_body
from headrace_gateway.clients.executions import RESERVED, TRIAL, Answer, Event
from headrace_gateway.coalescer import Coalescer, Outcome
from headrace_gateway.cors import Cors
from headrace_gateway.errors import Headers, MethodNotAllowed, answer_of, one_problem
from headrace_gateway.passing import SANDBOX, clean_headers
from headrace_gateway.settings import GatewaySettings

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
EVENT_ID_HEADERS = (b"idempotency-key", b"webhook-id", b"x-headrace-event-id")
MAX_EVENT_ID = 255
MAX_CORRELATION_ID = 255


_SIGNED = frozenset(name.encode() for name in HEADERS)
_PATH = re.compile(rb"/flows/([^/]{1,600})/components/([^/]{1,600})\Z")
_ID = re.compile(r"[\w \-]{1,200}\Z")
_NO_BODY = frozenset({204, 205, 304})

logger = logging.getLogger(__name__)


class Webhooks:
    """Takes webhook calls as a bare ASGI app."""

    methods = METHODS

    def __init__(self, coalescer: Coalescer, settings: GatewaySettings, cors: Cors, metrics: Metrics) -> None:
        self._coalescer = coalescer
        self._cors = cors
        self._limit_bytes = settings.webhook_bytes
        self._body_seconds = settings.body_timeout.total_seconds()
        self._answer_seconds = settings.webhook_timeout.total_seconds()
        self._answered = metrics.counter("headrace_gateway_webhooks_total", "Webhook calls answered.", ("status",))

    @staticmethod
    def match(raw_path: bytes) -> "re.Match[bytes] | None":
        """Whether a path is a webhook's."""
        return _PATH.match(raw_path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, place: "re.Match[bytes]") -> None:
        request_id = heads.request_id_of(scope)
        logs.request_id.set(request_id)
        try:
            status, headers, body = await self._answer(scope, receive, place)
        except errors.HeadraceError as error:
            status, headers, body = answer_of(error, request_id)
            headers.append((b"cache-control", b"no-store"))
        except ClientDisconnect:
            return
        except Exception:
            # The last stand before the server: the caller gets the request id, the log gets the rest.
            logger.exception("A webhook call failed.")
            status, headers, body = answer_of(errors.Internal(""), request_id)
        self._answered.inc(status=str(status))
        headers.append((b"x-request-id", request_id.encode()))
        headers.append((b"x-content-type-options", b"nosniff"))
        headers += self._cors.headers(scope)
        if status not in _NO_BODY:
            headers.append((b"content-length", b"%d" % len(body)))
        if status in (408, 413):
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if status in _NO_BODY else body})

    async def _answer(self, scope: Scope, receive: Receive, place: "re.Match[bytes]") -> tuple[int, Headers, bytes]:
        heads.check_head(scope)
        method: str = scope["method"]
        if method not in METHODS:
            raise MethodNotAllowed(method, METHODS)
        query = parse_form(scope["query_string"]) if scope["query_string"] else {}
        waits = not _is_yes(query.get("enqueueOnly", "false"))
        body = await read_body(scope, receive, self._limit_bytes, self._body_seconds)
        event = Event(
            flow_id=_id_in(place[1], "flow"),
            node_id=_id_in(place[2], "component"),
            port="webhook",
            content=_content(scope, query, parse_body(body, heads.text_header(scope, b"content-type"))),
            event_id=_event_id(scope),
            correlation_id=_correlation_id(query),
            answer_within_seconds=self._answer_seconds if waits else 0.0,
            signed=_signed(scope, body),
        )
        outcome = await self._coalescer.submit(event)
        if outcome.answer is None or (outcome.answer.implicit and outcome.answer.status == 202):
            return _accepted(event, outcome)
        return _passed_on(outcome.answer, outcome.run_id)


def _id_in(segment: bytes, what: str) -> str:
    text = unquote(segment.decode("ascii", "replace"), errors="replace")
    if not _ID.match(text):
        raise errors.NotFound(what, text[:100])
    return text


def _is_yes(value: Json) -> bool:
    return value in ("true", "1", "yes", "")


def _correlation_id(query: dict[str, Json]) -> str:
    given = query.get("correlationId", "")
    if not isinstance(given, str) or len(given) > MAX_CORRELATION_ID:
        raise one_problem("correlationId", f"Give it once, with at most {MAX_CORRELATION_ID} characters.")
    return given


def _signed(scope: Scope, body: bytes) -> SignedRequest | None:
    """What a signature is made of, for a request that bears one: whether it must is known where the flow is."""
    found = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name in _SIGNED]
    return SignedRequest(body, found) if found else None


def _event_id(scope: Scope) -> str:
    """The sender's own id of the event, under the name of the header it came in. Equal ids make one run."""
    for name in EVENT_ID_HEADERS:
        given = heads.header(scope, name)
        if given:
            text = given.decode("latin-1").strip()
            if len(text) > MAX_EVENT_ID:
                raise one_problem(name.decode(), f"An event id takes at most {MAX_EVENT_ID} characters.")
            if text.startswith(TRIAL):
                raise one_problem(name.decode(), *RESERVED)
            return f"{name.decode()}:{text}"
    return ""


def _content(scope: Scope, query: dict[str, Json], data: Parsed) -> bytes:
    headers = heads.header_texts(scope["headers"])
    return orjson.dumps(
        {
            "method": scope["method"],
            "data": data.value if data.raw_json is None else orjson.Fragment(data.raw_json),
            "hostname": headers.get("host", "").rpartition(":")[0] or headers.get("host", ""),
            "headers": headers,
            "query": query,
            "path": scope["path"],
        }
    )


def _accepted(event: Event, outcome: Outcome) -> tuple[int, Headers, bytes]:
    said: dict[str, Json] = {"runId": outcome.run_id, "flowId": event.flow_id}
    if outcome.duplicate:
        said["duplicate"] = True
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"x-headrace-run-id", outcome.run_id.encode("latin-1", "replace")),
    ]
    return 202, headers, orjson.dumps(said)


def _passed_on(answer: Answer, run_id: str) -> tuple[int, Headers, bytes]:
    """What the flow said, as far as it may say it."""
    run_header = (b"x-headrace-run-id", run_id.encode("latin-1", "replace"))
    if answer.implicit:
        return 200, [(b"content-type", b"application/json"), run_header], b"{}"
    status = answer.status if 200 <= answer.status <= 599 else 200
    headers = clean_headers(answer.headers)
    if not any(name == b"content-type" for name, _ in headers):
        headers.append((b"content-type", b"application/json" if _is_json(answer.body) else b"text/plain"))
    return status, [*headers, SANDBOX, run_header], answer.body


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True
