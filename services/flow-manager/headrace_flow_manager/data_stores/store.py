"""The port to kept data stores. Every call names the tenant; a store of another tenant is not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from headrace_flow_manager.data_stores.model import DataStore, Delivery, Entry
from headrace_flow_manager.query import ListQuery, Page


class DataStores(Protocol):
    """Stores, their records, their listeners, and changes on their way to listeners."""

    async def create(self, store: DataStore) -> None:
        """Keep a new store. Raises AlreadyExists when the tenant has one of that name."""
        ...

    async def get(self, tenant: str, store_id: str) -> DataStore:
        """The store. Raises NotFound."""
        ...

    async def page(self, tenant: str, query: ListQuery) -> Page[DataStore]:
        """A page of the tenant's stores, by name."""
        ...

    async def rename(self, tenant: str, store_id: str, name: str) -> tuple[DataStore, str]:
        """The store under its new name, and the old one. Raises NotFound, AlreadyExists."""
        ...

    async def delete(self, tenant: str, store_id: str) -> None:
        """Take a store away with its records and listeners. Raises NotFound."""
        ...

    async def entry(self, tenant: str, store_id: str, key: str) -> Entry:
        """One record. Raises NotFound."""
        ...

    async def put(self, tenant: str, entry: Entry, request_id: str, only_if_absent: bool) -> tuple[Entry, str | None]:
        """Write a record, and what listeners are to hear of it, in one commit; with the former value.

        The same request id writes once; repetitions get the first outcome. Raises NotFound, AlreadyExists.
        """
        ...

    async def move(self, tenant: str, store_id: str, key: str, new_store_id: str, new_key: str) -> Entry:
        """Give a record another place. Raises NotFound, AlreadyExists when the place is taken."""
        ...

    async def remove(self, tenant: str, store_id: str, keys: Sequence[str] | None) -> int:
        """Remove records by key, or all with None; says how many there were. Raises NotFound for the store."""
        ...

    async def entries(self, tenant: str, store_id: str, query: ListQuery) -> Page[Entry]:
        """A page of records, by key. Raises NotFound for the store."""
        ...

    async def listen(self, tenant: str, store_id: str, flow_id: str, node_id: str, events: Sequence[str]) -> None:
        """Register a trigger; again replaces its events. Raises NotFound."""
        ...

    async def unlisten(self, tenant: str, store_id: str, flow_id: str, node_id: str) -> None:
        """Remove a trigger, of every store where none is named. Again changes nothing."""
        ...

    async def undelivered(self, limit: int) -> Sequence[Delivery]:
        """The oldest changes that listeners have not heard of; for the relay alone."""
        ...

    async def delivered(self, numbers: Sequence[int]) -> None:
        """Forget changes that were delivered, or whose trigger is gone."""
        ...
