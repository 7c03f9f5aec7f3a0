"""Single calls, for setting peers up and asking them."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """`content` is what the JSON says, or the text when it is none."""

    status: int
    content: Any
    headers: Mapping[str, str]


def call(method: str, url: str, content: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
    """One request over a connection of its own. Raises OSError or HTTPException when nobody answers."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    body = None if content is None else json.dumps(content)
    sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, sent)
        with connection.getresponse() as response:
            names = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, _parsed(response.read()), names)
    finally:
        connection.close()


def demand(method: str, url: str, content: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
    """As `call`. Raises RuntimeError when the answer is not 2xx."""
    reply = call(method, url, content, headers)
    if not 200 <= reply.status < 300:
        raise RuntimeError(f"{method} {url} answered {reply.status}: {str(reply.content)[:500]}")
    return reply


def answers(method: str, url: str, content: Any = None) -> bool:
    """Whether somebody answers 2xx there now."""
    try:
        return 200 <= call(method, url, content).status < 300
    except (OSError, http.client.HTTPException):
        return False


def wait_until(holds: Callable[[], bool], seconds: float, *, what: str, every: float = 0.02) -> None:
    """Raises TimeoutError naming `what` when it does not hold within `seconds`."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds:g} s.")
        time.sleep(every)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")
