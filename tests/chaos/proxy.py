"""A bad link: passes connections on to a server, and when told resets all that are open and each that comes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any

from tests.servers.places import free_port

CHUNK = 65_536
LINGER_ZERO = struct.pack("ii", 1, 0)
"""Closing then sends a reset instead of saying goodbye."""


class Proxy:
    """Listens at `port` on the loopback address until it is closed."""

    def __init__(self, to_port: int) -> None:
        self.port = free_port()
        self.resets = 0
        self._to_port = to_port
        self._is_broken = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: asyncio.Server = self._do(asyncio.start_server(self._pass_on, "127.0.0.1", self.port))

    def break_off(self) -> None:
        """Reset what is open, and what comes from now on."""
        self._is_broken = True
        self._do(self._reset_all())

    def heal(self) -> None:
        """Pass on again what comes from now on."""
        self._is_broken = False

    def close(self) -> None:
        """Stop listening and drop what is open."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _end(self) -> None:
        self._server.close()
        await self._reset_all()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)

    async def _reset_all(self) -> None:
        for writer in list(self._writers):
            self._reset(writer)

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        connection: socket.socket = writer.get_extra_info("socket")
        with contextlib.suppress(OSError):  # the other side was quicker
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        writer.transport.abort()
        self.resets += 1

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_broken:
            self._reset(writer)
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            self._reset(writer)
            return
        pair = {writer, back}
        self._writers |= pair
        try:
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            self._writers -= pair
            writer.close()
            back.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # one side is gone: the other one hears of it below
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
