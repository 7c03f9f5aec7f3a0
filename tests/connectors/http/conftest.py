"""A real server on the loopback interface, and the way to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from headrace_core import Json
from headrace_sdk import HttpResponse, TransientError
from headrace_sdk.testing import HttpHandler, HttpRequest


@dataclass
class Received:
    """A request as the server saw it; header names are small."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """What the server answers, and what it was asked."""

    url: str = ""
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    received: list[Received] = field(default_factory=list)

    def answers(self, body: bytes | Json, status: int = 200, **headers: str) -> None:
        is_raw = isinstance(body, bytes)
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = headers.pop("content_type", "text/plain" if is_raw else "application/json")
        self.status = status
        self.headers = [("Content-Type", kind), *((name.replace("_", "-"), text) for name, text in headers.items())]


@pytest.fixture
def site() -> Iterator[Site]:
    known = Site()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): text for name, text in self.headers.items()}
            known.received.append(Received(self.command, self.path, headers, self.rfile.read(length)))
            self.send_response(known.status)
            for name, text in known.headers:
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(known.body)))
            self.end_headers()
            self.wfile.write(known.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    known.url = f"http://127.0.0.1:{server.server_port}"
    yield known
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def network() -> HttpHandler:
    async def send(request: HttpRequest) -> HttpResponse:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                answer = await client.request(
                    request.method, request.url, headers=dict(request.headers), content=request.content
                )
            except httpx.ConnectError as error:
                raise TransientError(str(error)) from error
        return HttpResponse(answer.status_code, answer.headers.multi_items(), answer.content)

    return send
