"""Connections that are kept for the next request to the same place.

What a request takes here does not grow with how many connections there are: httpcore's own pool looks at every one of
them for each request, which is most of the work when hundreds are under way.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpcore

AT_ONCE: Final = 500
"""Requests under way; more wait for their turn."""
IDLE: Final = 100
IDLE_SECONDS: Final = 15.0
"""Short, so that a host that moves is noticed."""

_Place = tuple[bytes, bytes, int]


class KeptConnections:
    """Opens connections, and keeps those whose answer was read to its end. The one last used is used first."""

    def __init__(self, tls: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend) -> None:
        self._tls = tls
        self._backend = backend
        self._room = asyncio.Semaphore(AT_ONCE)
        self._busy: set[httpcore.AsyncHTTPConnection] = set()
        self._idle: dict[_Place, deque[httpcore.AsyncHTTPConnection]] = {}
        self._since: dict[httpcore.AsyncHTTPConnection, tuple[_Place, float]] = {}  # in the order of time

    @asynccontextmanager
    async def sent(self, request: httpcore.Request) -> AsyncIterator[httpcore.Response]:
        """The answer, whose body may be read until the block ends. Raises what httpcore does."""
        async with self._room:
            connection = await self._take(request.url.origin)
            self._busy.add(connection)
            try:
                response = await connection.handle_async_request(request)
                try:
                    yield response
                finally:
                    await response.aclose()
            finally:
                self._busy.discard(connection)
                await self._give_back(_place(request.url.origin), connection)

    async def aclose(self) -> None:
        """Close all connections, those under way as well. Closing again changes nothing."""
        every = [*self._busy, *self._since]
        self._idle.clear()
        self._since.clear()
        for connection in every:
            await connection.aclose()

    async def _take(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        place = _place(origin)
        while kept := self._idle.get(place):
            connection = kept.pop()
            self._left(place, connection)
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._tls, keepalive_expiry=IDLE_SECONDS, network_backend=self._backend
        )

    async def _give_back(self, place: _Place, connection: httpcore.AsyncHTTPConnection) -> None:
        now = time.monotonic()
        surplus = []
        if connection.is_idle() and not connection.is_closed():
            self._idle.setdefault(place, deque()).append(connection)
            self._since[connection] = place, now
        elif not connection.is_closed():
            surplus.append(connection)
        while self._since:
            oldest, (there, since) = next(iter(self._since.items()))
            if len(self._since) <= IDLE and now - since <= IDLE_SECONDS:
                break
            self._idle[there].popleft()
            self._left(there, oldest)
            surplus.append(oldest)
        for each in surplus:
            await each.aclose()

    def _left(self, place: _Place, connection: httpcore.AsyncHTTPConnection) -> None:
        """It is taken out of those that are kept."""
        del self._since[connection]
        if not self._idle[place]:
            del self._idle[place]


def _place(origin: httpcore.Origin) -> _Place:
    return origin.scheme, origin.host, origin.port
