"""Servers of tests that leave no connection behind: one that is left to the collector fails another test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE = 2.0
"""Seconds in which conversations may end by themselves."""


@asynccontextmanager
async def listening(serve: Serve, host: str = "127.0.0.1", port: int = 0, backlog: int = 200) -> AsyncIterator[int]:
    """Serve at a port while the block runs; every connection is closed when it is over."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            talks.discard(task)

    server = await asyncio.start_server(talk, host, port, backlog=backlog)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if talks:
            _, late = await asyncio.wait(talks, timeout=PATIENCE)
            for each in late:
                each.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await server.wait_closed()
