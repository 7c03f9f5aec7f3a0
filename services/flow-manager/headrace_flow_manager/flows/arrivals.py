"""Accounts that are on their way to flows which wait for them, on record until the flow has heard of it.

Whoever assigns an account writes that down first. Should its process end before the flow went on, or the flow not be
reached, another goes on from there.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, NotFound
from headrace_core.ids import new_id

from headrace_flow_manager.entries import Entry, EntryStore
from headrace_flow_manager.flows.model import Flow
from headrace_flow_manager.scope import EVERY_TENANT

log = logging.getLogger(__name__)

GOES_ON: Final = timedelta(seconds=30)
"""Longer than any call lasts: until then, whoever assigns the account is at it."""
CatchUp = Callable[[str, str], Awaitable[object]]
"""Lets a tenant's flow go on that waited for an account, by tenant and flow. Raises NotFound."""


class Arrivals:
    """Sees to it that a flow which waits for an account goes on once it has come, whoever dies in between."""

    def __init__(self, store: EntryStore, catch_up: CatchUp, clock: Clock) -> None:
        self._store = store
        self._catch_up = catch_up
        self._clock = clock

    async def expect(self, flow: Flow) -> Entry | None:
        """Write down that an account is about to come to the flow; None for one that waits for none."""
        if not flow.needs_accounts:
            return None
        arrival = new_id()
        value = {"flowId": flow.flow_id}
        entry = Entry("arrival", arrival, arrival, flow.tenant_id, value, flow.tenant_id, self._clock.now())
        await self._store.add(entry)
        return entry

    async def came(self, flow: Flow, expected: Entry | None) -> None:
        """The account is assigned: let the flow go on."""
        await self._catch_up(flow.tenant_id, flow.flow_id)
        if expected is not None:
            await self._store.delete("arrival", flow.tenant_id, expected.entry_id)

    async def round(self) -> bool:
        """Let flows go on whose accounts came, and nobody told them. One that cannot now does so in a later round."""
        latest = self._clock.now() - GOES_ON
        for entry in await self._store.all("arrival", EVERY_TENANT):
            if entry.changed_at > latest:
                continue
            flow_id = str(entry.value["flowId"])
            try:
                await self._catch_up(entry.owner, flow_id)
            except NotFound:
                log.info("flow %s is gone, and waits for no account any more", flow_id)
            except HeadraceError as error:
                log.warning("flow %s hears later of an account that came: %s", flow_id, error)
                continue
            await self._store.delete("arrival", entry.owner, entry.entry_id)
        return False
