"""What the store lost is put back: timers are an index, and the owners of flows know what ought to be in it."""

import logging
from datetime import timedelta
from typing import Protocol

from headrace_core import ids
from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError

from headrace_scheduler.store import Store

LOCK = "headrace.scheduler/restore"
LEASE = timedelta(seconds=30)
PAGE_TIMEOUT = timedelta(seconds=20)

_log = logging.getLogger(__name__)


class Owners(Protocol):
    """Who knows which timers there ought to be."""

    async def restore(self, after_flow_id: str, within: timedelta) -> str:
        """Put back the missing timers of a page of flows; answers its last flow, or an empty text at the end."""
        ...


class Restoring:
    """Watches whether the store may have lost something, and has it put back; of several schedulers one does it."""

    def __init__(self, store: Store, owners: Owners, clock: Clock, *, look_every: timedelta) -> None:
        self._store = store
        self._owners = owners
        self._clock = clock
        self._look_every = look_every
        self._me = ids.new_id()

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                await self.look()
            except HeadraceError as error:
                _log.warning("Whether timers were lost is not known now: %s", error)
            await self._clock.sleep(self._look_every.total_seconds())

    async def look(self) -> bool:
        """Put everything back if something may be lost; answers whether that was so and is done."""
        gap = await self._store.gap()
        if not gap:
            return False
        lock = await self._store.locks.acquire(LOCK, self._me, LEASE, self._clock.now())
        if not lock.acquired:
            return False
        _log.warning("The store of the timers is new or was started again: missing timers are put back.")
        last = await self._owners.restore("", PAGE_TIMEOUT)
        while last:
            await self._store.locks.extend(LOCK, self._me, LEASE, self._clock.now())
            last = await self._owners.restore(last, PAGE_TIMEOUT)
        await self._store.close_gap(gap)
        await self._store.locks.release(LOCK, self._me)
        _log.info("Missing timers are back.")
        return True
