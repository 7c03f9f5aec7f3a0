"""Live streams: what happens in a flow, as server-sent events, while somebody looks.

Happenings come from the executor and log records from the log service. Both streams may drop when the reader is
slow; a `dropped` event says how much is missing. A stream ends when either side behind it ends, when its caller
leaves, or when the gateway drains; callers come back by themselves.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import timedelta

import orjson
from headrace_core import Json, errors
from headrace_core.clock import Clock
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headrace_gateway.settings import GatewaySettings

HEARTBEAT_SECONDS = 15.0
MAX_BEATS = 240
MAX_PENDING = 1000
HELLO = b"retry: 2000\n: connected\n\n"
HEARTBEAT = b": beat\n\n"

Source = AsyncGenerator[tuple[list[dict[str, Json]], int], None]
Named = Sequence[tuple[str, Source]]
"""Sources, each with the name of its events."""


class LiveStreams:
    """Counts live streams, keeps them within bounds, and ends them all at the end."""

    def __init__(self, settings: GatewaySettings, clock: Clock) -> None:
        self._most = settings.live_streams
        self._most_per_user = settings.live_streams_per_user
        self._clock = clock
        self._by_user: Counter[str] = Counter()
        self._feeds: set[_Feed] = set()
        self._is_closed = False

    @property
    def count(self) -> int:
        """Streams that are open now."""
        return len(self._feeds)

    def close(self) -> None:
        """End every stream and begin no more. Twice is as once."""
        self._is_closed = True
        for feed in self._feeds:
            feed.end()

    def open(self, user_id: str, sources: Named, first: Sequence[tuple[str, Json]] = ()) -> "LiveResponse":
        """An answer that streams the sources' items, each as an event of the source's name; `first` goes before them.

        The items of a source without a name (\"\") bring their own, as `event`, and what it is about as `data`.
        Raises RateLimited when there is no room for another stream, Unavailable while draining.
        """
        if self._is_closed:
            raise errors.Unavailable("This gateway is stopping. Connect again.")
        if len(self._feeds) >= self._most or self._by_user[user_id] >= self._most_per_user:
            raise errors.RateLimited(
                "Too many live streams are open. Close one, then try again.", retry_after=timedelta(seconds=5)
            )
        return LiveResponse(self, user_id, sources, first, self._clock)

    @contextmanager
    def feed(self, user_id: str) -> Iterator["_Feed"]:
        """A feed that counts as open while the block runs."""
        feed = _Feed()
        self._feeds.add(feed)
        self._by_user[user_id] += 1
        try:
            yield feed
        finally:
            self._feeds.discard(feed)
            self._by_user[user_id] -= 1
            if not self._by_user[user_id]:
                del self._by_user[user_id]


class LiveResponse(Response):
    """An endless answer. It owns the tasks that feed it and ends them with itself."""

    media_type = "text/event-stream"

    def __init__(
        self, streams: LiveStreams, user_id: str, sources: Named, first: Sequence[tuple[str, Json]], clock: Clock
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._streams = streams
        self._user_id = user_id
        self._sources = sources
        self._first = first
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": HELLO, "more_body": True})
        with self._streams.feed(self._user_id) as feed:
            for name, value in self._first:
                feed.put(event(name, value))
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(feed.fill(name, source)) for name, source in self._sources]
                tasks.append(group.create_task(feed.beat(self._clock)))
                tasks.append(group.create_task(_end_on_disconnect(receive, feed)))
                async for text in feed.texts():
                    await send({"type": "http.response.body", "body": text, "more_body": True})
                for task in tasks:
                    task.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _end_on_disconnect(receive: Receive, feed: "_Feed") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    feed.end()


class _Feed:
    """What one stream has still to send, bounded; the oldest goes first when the reader is slow."""

    def __init__(self) -> None:
        self._pending: deque[bytes] = deque()
        self._dropped = 0
        self._has_ended = False
        self._stirred = asyncio.Event()

    def end(self) -> None:
        """Send what is pending, then nothing more."""
        self._has_ended = True
        self._stirred.set()

    def put(self, text: bytes) -> None:
        if len(self._pending) >= MAX_PENDING:
            self._pending.popleft()
            self._dropped += 1
        self._pending.append(text)
        self._stirred.set()

    async def fill(self, name: str, source: Source) -> None:
        """Pass on a source until it ends or fails; the whole stream ends with it."""
        try:
            async with aclosing(source):
                async for items, dropped in source:
                    self._dropped += dropped
                    for item in items:
                        self.put(event(name, item) if name else event(str(item["event"]), item["data"]))
        except errors.HeadraceError as error:
            said: dict[str, Json] = {"code": error.code, "message": error.message}
            self.put(event("error" if name else "test:error", said))
        finally:
            self.end()

    async def beat(self, clock: Clock) -> None:
        """Keep the connection warm, and end it after an hour: the caller's token is looked at again then."""
        for _ in range(MAX_BEATS):
            await clock.sleep(HEARTBEAT_SECONDS)
            self.put(HEARTBEAT)
        self.end()

    async def texts(self) -> AsyncIterator[bytes]:
        while True:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                yield event("dropped", {"count": dropped})
            elif self._pending:
                yield self._pending.popleft()
            elif self._has_ended:
                return
            else:
                self._stirred.clear()
                await self._stirred.wait()


async def about(topic: str, source: Source) -> Source:
    """The source, its items saying which topic they belong to."""
    async with aclosing(source):
        async for items, dropped in source:
            yield [{**item, "topic": topic} for item in items], dropped


def event(name: str, value: Json) -> bytes:
    """One server-sent event. JSON text has no line breaks, so that one data line is enough."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(value))
