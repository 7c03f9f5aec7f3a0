"""Who is at an archive in this process, and where archives wait that are being sent."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Final

from headrace_core import errors
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from headrace_gateway.archives.sealing import Sealer
from headrace_gateway.bodies import too_large
from headrace_gateway.errors import SlowRequest

MOST_EXPORTS: Final = 8
MOST_IMPORTS: Final = 2
_WRITE_BYTES: Final = 1024 * 1024
_SENT_WITHIN_SECONDS: Final = 3600.0
_COME_BACK: Final = timedelta(seconds=10)


class Desk:
    """Bounds how many are exported and imported at a time. Each import waits on disk, as long as it lasts."""

    def __init__(self) -> None:
        self.sealer = Sealer()
        self._exports = 0
        self._imports = 0

    @contextmanager
    def exporting(self) -> Iterator[None]:
        """Hold a place. Raises Unavailable where none is free."""
        if self._exports >= MOST_EXPORTS:
            raise errors.Unavailable("Too many exports are under way. Come back in a moment.", retry_after=_COME_BACK)
        self._exports += 1
        try:
            yield
        finally:
            self._exports -= 1

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Hold a place. Raises Unavailable where none is free."""
        if self._imports >= MOST_IMPORTS:
            raise errors.Unavailable("Too many imports are under way. Come back in a moment.", retry_after=_COME_BACK)
        self._imports += 1
        try:
            yield
        finally:
            self._imports -= 1


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a body may be, and how long each piece of it may take."""

    limit_bytes: int
    piece_seconds: float


@asynccontextmanager
async def spooled(receive: Receive, patience: Patience) -> AsyncIterator[IO[bytes]]:
    """The body of a request in a file of its own, which is gone when the block ends.

    Raises TooLarge as soon as it is, SlowRequest when a piece does not come in time, ClientDisconnect.
    """
    with tempfile.TemporaryFile() as file:
        try:
            async with asyncio.timeout(_SENT_WITHIN_SECONDS):
                await _receive(receive, patience, file)
        except TimeoutError:
            raise SlowRequest("The archive did not arrive in time. Send it again, faster.") from None
        yield file


async def _receive(receive: Receive, patience: Patience, file: IO[bytes]) -> None:
    waiting, size, more = bytearray(), 0, True
    while more:
        async with asyncio.timeout(patience.piece_seconds):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        size += len(piece)
        if size > patience.limit_bytes:
            raise too_large(patience.limit_bytes)
        waiting += piece
        more = message.get("more_body", False)
        if len(waiting) >= _WRITE_BYTES or not more:
            await asyncio.to_thread(file.write, bytes(waiting))
            waiting.clear()
    file.flush()
