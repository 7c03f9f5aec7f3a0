"""HTTP never breaks: whatever arrives, the answer is a refusal in the one shape, never a failure."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from headrace_core import Json
from headrace_gateway.app import Gateway, create_app
from headrace_gateway.clients import Channels
from headrace_gateway.routes import ROUTES
from headrace_gateway.settings import GatewaySettings
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from .services import Services

FIELDS = ["name", "flow", "email", "password", "command", "componentId", "key", "value", "storeId", "scope", "aggs"]
PARAMETERS = ["filter", "sort", "limit", "offset", "projection", "pattern", "flowId", "state", "storeId", "searchAfter"]
HEADERS = [
    b"content-type",
    b"content-length",
    b"range",
    b"if-match",
    b"accept",
    b"origin",
    b"idempotency-key",
    b"x-request-id",
    b"uploader-chunk-number",
    b"uploader-file-id",
    b"authorization",
]

json_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=12,
)
printable = st.binary(max_size=30).map(lambda raw: bytes(byte for byte in raw if 0x20 < byte < 0x7F))
bodies = st.just(b"") | st.binary(max_size=200) | json_values.map(orjson.dumps)
queries = st.lists(st.tuples(st.sampled_from(PARAMETERS), printable), max_size=4).map(
    lambda pairs: b"&".join(name.encode() + b"=" + value for name, value in pairs)
)
headers = st.lists(
    st.tuples(
        st.sampled_from(HEADERS),
        printable
        | st.sampled_from(
            [b"application/json", b"multipart/form-data; boundary=x", b"Bearer user-token", b"bytes=0-1", b"3"]
        ),
    ),
    max_size=6,
)
paths = st.one_of(
    st.builds(
        lambda route, values: "/".join(
            values.pop() if part.startswith("{") else part for part in route.path.split("/")
        ).encode(),
        st.sampled_from([route for route in ROUTES if not route.path.endswith("/live")]),
        st.lists(
            st.sampled_from(["a", "f1", "%00", "%2e%2e", "%ff", "*", "run-1", "m1", "x" * 300]), min_size=4, max_size=4
        ),
    ),
    st.just(b"/flows/f1/components/echo"),
    st.just(b"/flows/f1/components/teapot"),
    printable.map(lambda raw: b"/" + raw.replace(b"?", b"").replace(b"#", b"")),
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def make_gateway() -> Gateway:
    channel = Services().server.channel()
    chosen = GatewaySettings(
        webhook_timeout=timedelta(milliseconds=5),
        body_timeout=timedelta(milliseconds=50),
        webhook_bytes=2048,
        cors_origins=("https://a.test",),
    )
    return create_app(
        channels=Channels(flow=channel, schedule=channel, execution=channel, log=channel), settings=chosen
    )


@settings(max_examples=200, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "FOO"]),
    path=paths,
    query=queries,
    extra=headers,
    body=bodies,
    token=st.sampled_from([b"", b"user-token", b"other-token", b"admin-token", b"none"]),
)
def test_whatever_arrives_is_answered_and_never_with_a_failure(
    runner: asyncio.Runner,
    method: str,
    path: bytes,
    query: bytes,
    extra: list[tuple[bytes, bytes]],
    body: bytes,
    token: bytes,
) -> None:
    head = [(b"host", b"x"), (b"authorization", b"Bearer " + token), *extra]
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path.decode(),
        "raw_path": path,
        "query_string": query,
        "headers": head,
        "client": ("127.0.0.1", 1),
        "server": ("x", 80),
        "scheme": "http",
    }

    status, answer = runner.run(exchange(scope, body))

    assert status < 500 or status == 503, (method, path, query, extra, body, answer)
    if status >= 400 and method != "HEAD" and answer and path != b"/flows/f1/components/teapot":
        said = orjson.loads(answer)
        assert said["statusCode"] == status
        assert {"error", "message", "code", "requestId"} <= set(said)


async def exchange(scope: dict[str, Any], body: bytes) -> tuple[int, bytes]:
    gateway = make_gateway()
    gateway.health.is_serving = True
    sent: list[Message] = []
    arriving: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if arriving:
            return arriving.pop()
        await asyncio.Event().wait()
        raise AssertionError("The event is never set.")

    async def send(message: Message) -> None:
        sent.append(message)

    await gateway(scope, receive, send)
    await gateway.drain()
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return int(sent[0]["status"]), content
