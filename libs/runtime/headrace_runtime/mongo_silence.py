"""Noticing that MongoDB says nothing: a frozen server, a lost link, a partition.

Whenever no command is answered for a while, also when nobody asks, a ping over a connection of its own looks whether
anybody is there. When nobody is, every prompt call that waits is ended, and new ones fail at once, until a ping is
answered again. So their callers hear within two seconds what a socket would tell after its time limit only, even those
whose call goes through several services, as each of them knows by itself. A server that is merely slow keeps its time:
it answers other commands meanwhile, or the ping. Writes of work that is under way are not prompt: to end them would
only mean to do the work again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

LOOK_SECONDS = 0.2
QUIET_SECONDS = 0.4
"""No answer for so long asks for a ping."""
PING_SECONDS = 0.7

_log = logging.getLogger(__name__)


class Heard(CommandListener):
    """When the server was last heard. The driver calls it from many threads."""

    def __init__(self) -> None:
        self.at = 0.0  # never: who waits for a server to come has words of their own
        self._lock = threading.Lock()

    def started(self, event: CommandStartedEvent) -> None:
        pass

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self.hear()

    def failed(self, event: CommandFailedEvent) -> None:
        if "errtype" not in event.failure:  # then the driver gave up; else the server refused, and so is there
            self.hear()

    def hear(self) -> None:
        with self._lock:
            self.at = time.monotonic()


class Silence:
    """Watches from the first call on. `ping` blocks for `PING_SECONDS` at most and says whether there was an answer."""

    def __init__(self, where: str, ping: Callable[[], bool]) -> None:
        self.heard = Heard()
        self.is_away = False
        self._where = where
        self._ping = ping
        self._limits: set[asyncio.Timeout] = set()
        self._watcher: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Watch from now on, until `close`."""
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._watch())

    @contextlib.contextmanager
    def ends(self, limit: asyncio.Timeout) -> Iterator[None]:
        """Let the limit run out as soon as the server is found to be away, while the block runs."""
        self._limits.add(limit)
        try:
            yield
        finally:
            self._limits.discard(limit)

    async def close(self) -> None:
        """Watch no more. Closing again changes nothing."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self.heard.at and time.monotonic() - self.heard.at > QUIET_SECONDS and not await self._answers():
                await self._until_back()

    async def _answers(self) -> bool:
        is_there = await asyncio.to_thread(self._ping)
        if is_there:
            self.heard.hear()
        return is_there

    async def _until_back(self) -> None:
        self.is_away = True
        _log.warning("MongoDB at %s does not answer.", self._where)
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if await self._answers():
                    break
        finally:
            self.is_away = False
        _log.warning("MongoDB at %s answers again.", self._where)
