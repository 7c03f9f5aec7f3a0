"""What answers in place of a server that the machine cannot have: one that lets nobody in, or is another product."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.listening import listening

ELASTIC = "X-Elastic-Product: Elasticsearch\r\n"


@asynccontextmanager
async def door(status: int, seen: list[str], *, head: str = ELASTIC, body: bytes | None = None) -> AsyncIterator[str]:
    """Answers each HTTP request alike while the block runs; the value is its address. `seen` gets the requests.

    By default it stands before a secured Elasticsearch: the distribution under test has no security.
    """
    said = body or b'{"error":{"type":"security_exception","reason":"who are you"},"status":401}'

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
            told = f"HTTP/1.1 {status} No\r\n{head}Content-Type: application/json\r\n"
            writer.write(f"{told}Content-Length: {len(said)}\r\nConnection: close\r\n\r\n".encode() + said)
            await writer.drain()

    async with listening(answer) as port:
        yield f"127.0.0.1:{port}"
