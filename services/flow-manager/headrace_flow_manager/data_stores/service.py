"""What users and flows do with data stores."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, NotFound
from headrace_core.ids import new_user_id

from headrace_flow_manager import json_text
from headrace_flow_manager.data_stores import model
from headrace_flow_manager.data_stores.model import DataStore, Delivery, Entry
from headrace_flow_manager.data_stores.store import DataStores
from headrace_flow_manager.query import ListQuery, Page

logger = logging.getLogger(__name__)

RELAY_BATCH = 100


class DataStoreService:
    """Stores and records of a tenant. `changed` is set when a listener has something to hear."""

    def __init__(self, stores: DataStores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock
        self.changed = asyncio.Event()

    async def create(self, tenant: str, name: str) -> DataStore:
        store = DataStore(new_user_id(), tenant, model.check_name(name), self._clock.now())
        await self._stores.create(store)
        return store

    async def get(self, tenant: str, store_id: str) -> DataStore:
        return await self._stores.get(tenant, store_id)

    async def page(self, tenant: str, query: ListQuery) -> Page[DataStore]:
        return await self._stores.page(tenant, query)

    async def rename(self, tenant: str, store_id: str, name: str) -> tuple[DataStore, str]:
        return await self._stores.rename(tenant, store_id, model.check_name(name))

    async def delete(self, tenant: str, store_id: str) -> None:
        await self._stores.delete(tenant, store_id)

    async def entry(self, tenant: str, store_id: str, key: str) -> Entry:
        return await self._stores.entry(tenant, store_id, key)

    async def put(
        self, tenant: str, store_id: str, key: str, value: bytes, *, request_id: str, only_if_absent: bool
    ) -> tuple[Entry, str | None]:
        """Write a record. Raises BadRequest for what is no JSON, TooLarge past 1 MiB, NotFound for the store."""
        text = json_text.encode(json_text.decode(value, "value"))
        now = self._clock.now()
        entry = Entry(store_id, model.check_key(key), json_text.limited(text, model.MAX_VALUE_BYTES, "value"), now, now)
        outcome = await self._stores.put(tenant, entry, request_id, only_if_absent)
        self.changed.set()
        return outcome

    async def move(self, tenant: str, store_id: str, key: str, new_store_id: str, new_key: str) -> Entry:
        target = model.check_key(new_key or key)
        return await self._stores.move(tenant, store_id, key, new_store_id or store_id, target)

    async def remove(self, tenant: str, store_id: str, keys: Sequence[str] | None) -> int:
        removed = await self._stores.remove(tenant, store_id, keys)
        self.changed.set()
        return removed

    async def entries(self, tenant: str, store_id: str, query: ListQuery) -> Page[Entry]:
        return await self._stores.entries(tenant, store_id, query)

    async def listen(self, tenant: str, store_id: str, flow_id: str, node_id: str, events: Sequence[str]) -> None:
        await self._stores.listen(tenant, store_id, flow_id, node_id, model.check_events(list(events)))

    async def unlisten(self, tenant: str, store_id: str, flow_id: str, node_id: str) -> None:
        await self._stores.unlisten(tenant, store_id, flow_id, node_id)


class Relay:
    """Takes changes to the triggers that listen, each until it was accepted."""

    def __init__(self, stores: DataStores, deliver: Callable[[Delivery], Awaitable[None]]) -> None:
        self._stores = stores
        self._deliver = deliver

    async def round(self) -> bool:
        """Deliver the oldest changes. True when more wait. Raises what makes the executor be asked later."""
        waiting = await self._stores.undelivered(RELAY_BATCH)
        for delivery in waiting:
            try:
                await self._deliver(delivery)
            except NotFound as error:
                logger.info("A change of a data store has no listener any more: %s", error)
            except HeadraceError as error:
                if error.is_temporary:
                    raise
                logger.warning("A change of a data store was refused: %s", error)
            await self._stores.delivered([delivery.number])
        return len(waiting) == RELAY_BATCH
