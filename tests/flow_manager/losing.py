"""A way to MongoDB on which answers get lost: the server did what it was asked, and its client never hears of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CHUNK = 1 << 20


@dataclass
class LosingWay:
    """Passes everything on, but for the answer to the next command that holds the word to lose."""

    host: str
    port: int
    url: str = ""
    lose: bytes = b""
    lost: int = 0
    _carrying: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        task = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def close(self) -> None:
        """End all connections."""
        for each in self._carrying:
            each.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either end closes it or an answer is lost."""
        server_reader, server_writer = await asyncio.open_connection(self.host, self.port)
        is_losing = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as directions:
                asking = directions.create_task(self._ask(reader, server_writer, is_losing))
                await self._answer(server_reader, writer, is_losing)
                asking.cancel()
        finally:
            for end in (writer, server_writer):
                end.close()
            await asyncio.gather(writer.wait_closed(), server_writer.wait_closed(), return_exceptions=True)

    async def _ask(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, is_losing: asyncio.Event) -> None:
        while data := await reader.read(CHUNK):
            if self.lose and self.lose in data:
                self.lose = b""
                self.lost += 1
                is_losing.set()
            server.write(data)
            await server.drain()
        server.write_eof()

    async def _answer(
        self, server: asyncio.StreamReader, writer: asyncio.StreamWriter, is_losing: asyncio.Event
    ) -> None:
        while (data := await server.read(CHUNK)) and not is_losing.is_set():
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def losing_way(url: str) -> AsyncIterator[LosingWay]:
    """A way to the server of this URL."""
    parts = urlsplit(url)
    way = LosingWay(parts.hostname or "127.0.0.1", parts.port or 27017)
    async with await asyncio.start_server(way.accept, "127.0.0.1", 0) as listening:
        way.url = f"mongodb://127.0.0.1:{listening.sockets[0].getsockname()[1]}/?{parts.query}"
        try:
            yield way
        finally:
            listening.close()
            await way.close()
