"""Runs that wait for an account go on when it can be used again: those that came first go first, one after the other.

A word on the bus begins it at once; looking begins it in any case. Of several executors one drains an account, under
a lock. Who dies on the way leaves what still waits to whoever looks next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import timedelta

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, Unavailable

from headrace_executor.model import Inbound
from headrace_executor.ports import Accounts, Schedules
from headrace_executor.store import RunStore

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
AT_ONCE = 100
MOST_ACCOUNTS = 1_000
LOCK = timedelta(seconds=60)
MOVE_SECONDS = 20.0
"""How long a run may take to leave the place where it waited; then the next one goes all the same."""

FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.02
ASK_SECONDS = 0.5


class Reconnecting:
    """Lets runs go on whose accounts can be used again."""

    def __init__(
        self,
        store: RunStore,
        accounts: Accounts,
        schedules: Schedules,
        clock: Clock,
        owner: str,
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._schedules = schedules
        self._clock = clock
        self._owner = owner
        self._nudge = nudge
        self._heard = asyncio.Event()

    def hear(self) -> None:
        """Somebody says that an account changed."""
        self._heard.set()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self._heard.clear()
            try:
                await self.round()
            except (HeadraceError, ConnectionError) as error:
                logger.warning("Runs that wait for accounts are looked at later: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._heard.wait()

    async def round(self) -> None:
        """Drain every account that runs wait for and that can be used."""
        waited_for = await self._store.waited_for(MOST_ACCOUNTS)
        if not waited_for:
            return
        for account_id in await self._accounts.usable(waited_for):
            await self._drain(account_id)

    async def _drain(self, account_id: str) -> None:
        name = f"account/{account_id}"
        if not (await self._schedules.acquire_lock(name, self._owner, LOCK)).acquired:
            return  # another one does it
        held = self._clock.monotonic()
        try:
            while waiting := await self._store.waiting_for(account_id, AT_ONCE):
                for tenant_id, run_id in waiting:
                    if self._clock.monotonic() > held + LOCK.total_seconds() / 4:
                        await self._schedules.extend_lock(name, self._owner, LOCK)
                        held = self._clock.monotonic()
                    now = self._clock.now().timestamp()
                    await self._store.put_inbox(tenant_id, run_id, Inbound(0, "account", account_id, b"null"), now)
                    self._nudge()
                    if not await self._has_moved(account_id, run_id):
                        return
        finally:
            with contextlib.suppress(Unavailable, ConnectionError):
                await self._schedules.release_lock(name, self._owner)

    async def _has_moved(self, account_id: str, run_id: str) -> bool:
        """Wait until the run waits for the account no more. False when the account can no longer be used."""
        began = asked = self._clock.monotonic()
        pause = FIRST_PAUSE
        while await self._store.is_waiting_for(run_id, account_id):
            now = self._clock.monotonic()
            if now > began + MOVE_SECONDS:
                logger.warning("Run %s does not move on; those behind it do.", run_id)
                return True
            if now > asked + ASK_SECONDS:
                if account_id not in await self._accounts.usable([account_id]):
                    return False
                asked = now
            await self._clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        return True
