"""The way out as components see it: `headrace_sdk.Http` over the egress guard."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol, TypeAlias
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson
from headrace_core import Json
from headrace_core.errors import DeadlineExceeded, HeadraceError, Unavailable
from headrace_sdk.context import Http, HttpResponse
from headrace_sdk.errors import CancelError, TransientError

WEB_TIMEOUT = timedelta(seconds=60)


class Answer(Protocol):
    """What a server answered."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Sequence[tuple[str, str]]: ...

    @property
    def content(self) -> bytes: ...

    @property
    def url(self) -> str: ...


Way: TypeAlias = Callable[[str, str, Sequence[tuple[str, str]], bytes, timedelta], Awaitable[Answer]]
"""Sends method, URL, headers and body, within a time. Raises `HeadraceError`s."""


Connecting: TypeAlias = Callable[[str, int, timedelta], Awaitable[socket.socket]]
"""Connects to host and port, within a time. Raises `HeadraceError`s."""


class DoorToSockets:
    """Implements `headrace_sdk.Tcp`."""

    def __init__(self, connecting: Connecting) -> None:
        self._connecting = connecting

    async def connect(self, host: str, port: int, *, timeout: timedelta | None = None) -> socket.socket:
        with _as_components_know_them():
            return await self._connecting(host, port, timeout or WEB_TIMEOUT)


@contextmanager
def _as_components_know_them() -> Iterator[None]:
    """Errors of the guard, as a component raises them: to be tried again, or not."""
    try:
        yield
    except (Unavailable, DeadlineExceeded) as error:
        raise TransientError(str(error)) from error
    except HeadraceError as error:
        raise CancelError(str(error)) from error


class DoorToWeb(Http):
    """Implements `headrace_sdk.Http`."""

    def __init__(self, way: Way) -> None:
        self._way = way

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Json = None,
        data: Mapping[str, str] | None = None,
        timeout: timedelta | None = None,
    ) -> HttpResponse:
        sent = dict(headers or {})
        body, kind = _body(content, json, data)
        if kind and not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = kind
        with _as_components_know_them():
            answer = await self._way(
                method, _with_params(url, params), list(sent.items()), body, timeout or WEB_TIMEOUT
            )
        return HttpResponse(answer.status, answer.headers, answer.content, url=answer.url)


def _body(content: bytes | None, json: Json, data: Mapping[str, str] | None) -> tuple[bytes, str]:
    if content is not None:
        return content, ""
    if json is not None:
        return orjson.dumps(json), "application/json"
    if data is not None:
        return urlencode(data).encode(), "application/x-www-form-urlencoded"
    return b"", ""


def _with_params(url: str, params: Mapping[str, str] | None) -> str:
    if not params:
        return url
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, urlencode(params)]))
    return urlunsplit(parts._replace(query=query))
