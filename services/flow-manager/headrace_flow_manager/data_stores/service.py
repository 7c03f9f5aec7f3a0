"""What can be done with data stores."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import timedelta

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import BadRequest

from headrace_flow_manager import json_text
from headrace_flow_manager.data_stores import model
from headrace_flow_manager.data_stores.model import Listener, Put, Record, Store, Written
from headrace_flow_manager.data_stores.store import DataStores
from headrace_flow_manager.query import ListQuery, Page
from headrace_flow_manager.scope import Tenants


class DataStoreService:
    """Keeps data stores. `changed` is set after each write, so that the relay need not wait for its time."""

    def __init__(self, store: DataStores, clock: Clock, changed: asyncio.Event, request_memory: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed
        self._request_memory = request_memory

    async def create(self, tenant: str, name: str, store_id: str = "") -> Store:
        """Make a store, under a fresh id or the one given. Raises AlreadyExists when the name or the id is taken."""
        store_id = model.check_store_id(store_id) if store_id else secrets.token_hex(12)
        store = Store(store_id, tenant, model.check_name(name), self._clock.now())
        await self._store.add(tenant, store)
        return store

    async def get(self, tenants: Tenants, store_id: str) -> Store:
        """The store. Raises NotFound."""
        return await self._store.get(tenants, store_id)

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[Store]:
        """A page of stores."""
        return await self._store.page(tenants, query)

    async def rename(self, tenant: str, store_id: str, name: str, expected: str = "") -> tuple[Store, str]:
        """The store under its new name, and its old one. Raises AlreadyExists when the name is taken."""
        return await self._store.rename(tenant, store_id, model.check_name(name), expected)

    async def delete(self, tenant: str, store_id: str) -> None:
        """Remove a store with its records. Raises NotFound."""
        await self._store.remove(tenant, store_id)

    async def record(self, tenants: Tenants, store_id: str, key: str) -> Record:
        """The record. Raises NotFound."""
        return await self._store.record(tenants, store_id, key)

    async def put(
        self,
        tenant: str,
        store_id: str,
        key: str,
        value: Json,
        *,
        request_id: str = "",
        only_if_absent: bool = False,
    ) -> Written:
        """Write one record, once per `request_id`. Raises TooLarge, NotFound, or AlreadyExists for a taken key."""
        if len(request_id) > model.MAX_REQUEST_ID:
            raise BadRequest(f"A request id has at most {model.MAX_REQUEST_ID} characters.")
        text = json_text.limited(json_text.encode(value), model.MAX_VALUE_BYTES, "value")
        put = Put(store_id, model.check_key(key), text, self._clock.now(), request_id, only_if_absent)
        written = await self._store.put(tenant, put)
        self._changed.set()
        return written

    async def move(self, tenant: str, place: tuple[str, str], new_store_id: str, new_key: str) -> Record:
        """Give the record at (store, key) another place; what is empty stays. Raises AlreadyExists for a taken key."""
        store_id, key = place
        to = (new_store_id or store_id, model.check_key(new_key or key))
        if to == place:
            return await self._store.record(tenant, *place)
        moved = await self._store.move(tenant, place, to, self._clock.now())
        self._changed.set()
        return moved

    async def delete_records(self, tenant: str, store_id: str, keys: Sequence[str], *, every: bool) -> int:
        """Remove records by key, or every one; how many there were."""
        deleted = await self._store.delete(tenant, store_id, None if every else keys, self._clock.now())
        self._changed.set()
        return deleted

    async def records(self, tenants: Tenants, store_id: str, query: ListQuery) -> Page[Record]:
        """A page of records."""
        return await self._store.records(tenants, store_id, query)

    async def count(self, tenants: Tenants, store_id: str, query: ListQuery) -> int:
        """How many records the query finds."""
        return await self._store.count(tenants, store_id, query)

    async def listen(self, tenant: str, store_id: str, flow_id: str, node_id: str, events: tuple[str, ...]) -> None:
        """Tell a trigger of changes from now on."""
        if not flow_id or not node_id:
            raise BadRequest("A listener is a node of a flow. Send flow_id and node_id.")
        await self._store.listen(tenant, store_id, Listener(flow_id, node_id, model.check_events(events)))

    async def unlisten(self, tenant: str, store_id: str, flow_id: str, node_id: str) -> None:
        """Tell a trigger no more; of no store at all when `store_id` is ""."""
        await self._store.unlisten(tenant, store_id, flow_id, node_id)

    async def prune(self) -> bool:
        """Forget old request ids."""
        await self._store.prune(self._clock.now() - self._request_memory)
        return False
