"""Where data stores are kept, and where their changes wait to be told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headrace_core.errors import HeadraceError

from headrace_flow_manager.data_stores.model import Delivery, Listener, Put, Record, Store, Written
from headrace_flow_manager.query import ListQuery, Page
from headrace_flow_manager.scope import Tenants


class DataStores(Protocol):
    """Stores of one tenant at a time.

    Every change of a record is written together with one delivery for each listener that wants it. Every method that
    names a store raises NotFound when the tenant has none of that id.
    """

    async def add(self, tenant: str, store: Store) -> None:
        """Keep a new store. Raises AlreadyExists when the tenant has one of that name, or anybody one of that id."""
        ...

    async def get(self, tenants: Tenants, store_id: str) -> Store:
        """The store."""
        ...

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[Store]:
        """A page of stores, by name where the query names no order. Fields: storeId, name, userId, createdAt."""
        ...

    async def rename(self, tenant: str, store_id: str, name: str, expected: str = "") -> tuple[Store, str]:
        """The store under its new name, and its old one.

        Raises AlreadyExists when another has the name, RevisionConflict when it has another tag than the one expected.
        """
        ...

    async def remove(self, tenant: str, store_id: str) -> None:
        """Take away the store with records and listeners. Nobody hears of its records."""
        ...

    async def record(self, tenants: Tenants, store_id: str, key: str) -> Record:
        """The record. Raises NotFound when the key is not there."""
        ...

    async def put(self, tenant: str, put: Put) -> Written:
        """Write one record. A request id that was seen for this key answers as it did then and writes nothing.

        Raises AlreadyExists when the key must be absent and is not.
        """
        ...

    async def move(self, tenant: str, place: tuple[str, str], to: tuple[str, str], now: datetime) -> Record:
        """Give a record another store and key, heard as delete and insert. Raises AlreadyExists for a taken key."""
        ...

    async def delete(self, tenant: str, store_id: str, keys: Sequence[str] | None, now: datetime) -> int:
        """Take away the records of these keys, or all when None; how many there were."""
        ...

    async def records(self, tenants: Tenants, store_id: str, query: ListQuery) -> Page[Record]:
        """A page of records, by key where the query names no order. Fields: key, value.…, createdAt, updatedAt."""
        ...

    async def count(self, tenants: Tenants, store_id: str, query: ListQuery) -> int:
        """How many records the query finds."""
        ...

    async def listen(self, tenant: str, store_id: str, listener: Listener) -> None:
        """Tell this trigger of changes from now on. Doing it again replaces its events."""
        ...

    async def unlisten(self, tenant: str, store_id: str, flow_id: str, node_id: str) -> None:
        """Tell this trigger no more, of this store or of any when it is "". Doing it again changes nothing."""
        ...

    async def prune(self, before: datetime) -> None:
        """Forget request ids that were seen before this time."""
        ...


class Outbox(Protocol):
    """Changes of all tenants on their way to triggers, for the relay alone."""

    async def due(self, now: datetime, limit: int) -> Sequence[Delivery]:
        """Deliveries that may be tried now, oldest first."""
        ...

    async def settle(self, done: Sequence[Delivery], later: Sequence[tuple[Delivery, datetime]]) -> None:
        """Take away what is done, and put off the rest until the times given, counting an attempt. Once, together."""
        ...


@dataclass(frozen=True, slots=True)
class Refused:
    """A delivery that was not accepted, and why."""

    delivery: Delivery
    error: HeadraceError


class Triggers(Protocol):
    """Who makes runs of changes."""

    async def accept(self, deliveries: Sequence[Delivery]) -> Sequence[Refused]:
        """Hand changes over; what is not refused is on record. Handing one over again makes no second run.

        Raises Unavailable or DeadlineExceeded when none of them may be taken as handed over.
        """
        ...


class LostChanges(Protocol):
    """Whom to tell about changes that nobody takes any more."""

    async def lost(self, refused: Sequence[Refused], at: datetime) -> None:
        """Write into the flows' logs what was dropped and why. Does its best, raises nothing."""
        ...
