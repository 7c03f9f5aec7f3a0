"""Noticing that MongoDB says nothing: a frozen server, a lost link, a partition.

While calls wait and no command is answered, a ping over a connection of its own asks whether anybody is there. When
nobody is, every prompt call that waits is ended, and new ones fail at once, until a ping is answered again. So their
callers hear within two seconds what a socket would tell after its time limit only, while a server that is merely slow
keeps its time: it answers other commands meanwhile, or the ping. Writes of work that is under way are not prompt: to
end them would only mean to do the work again. But they are watched, too: who has noticed by them that the server is
away can refuse the next prompt call at once, which may have waited elsewhere before.
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
        self.at = 0.0
        self._lock = threading.Lock()

    def started(self, event: CommandStartedEvent) -> None:
        pass

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._hear()

    def failed(self, event: CommandFailedEvent) -> None:
        if "errtype" not in event.failure:  # then the driver gave up; else the server refused, and so is there
            self._hear()

    def _hear(self) -> None:
        with self._lock:
            self.at = time.monotonic()


class Silence:
    """Watches while calls wait. `ping` blocks for `PING_SECONDS` at most and says whether there was an answer."""

    def __init__(self, where: str, ping: Callable[[], bool]) -> None:
        self.heard = Heard()
        self.is_away = False
        self._where = where
        self._ping = ping
        self._waiting: dict[object, float] = {}
        self._limits: set[asyncio.Timeout] = set()
        self._watcher: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watches(self) -> Iterator[None]:
        """Look whether the server is there, while the block waits for it."""
        call = object()
        self._waiting[call] = time.monotonic()
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._watch())
        try:
            yield
        finally:
            del self._waiting[call]

    @contextlib.contextmanager
    def ends(self, limit: asyncio.Timeout) -> Iterator[None]:
        """Let the limit run out as soon as the server is found to be away, while the block runs."""
        self._limits.add(limit)
        try:
            with self.watches():
                yield
        finally:
            self._limits.discard(limit)

    async def close(self) -> None:
        """Watch no more. Closing again changes nothing."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    async def _watch(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(LOOK_SECONDS)
                if self._is_quiet() and not await asyncio.to_thread(self._ping):
                    await self._until_back()
        finally:
            self._watcher = None

    def _is_quiet(self) -> bool:
        if not self._waiting:
            return False
        since = max(self.heard.at, min(self._waiting.values()))
        return time.monotonic() - since > QUIET_SECONDS

    async def _until_back(self) -> None:
        self.is_away = True
        _log.warning("MongoDB at %s does not answer.", self._where)
        try:
            for limit in self._limits:
                if not limit.expired():
                    limit.reschedule(asyncio.get_running_loop().time())
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if await asyncio.to_thread(self._ping):
                    break
        finally:
            self.is_away = False
        _log.warning("MongoDB at %s answers again.", self._where)
