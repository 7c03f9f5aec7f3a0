"""Small things that are kept by a name: the port that nouns of one record each share.

An entry has an id, a key that is unique among its kind, and an owner; the owner of what belongs to the whole
installation is "".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from headrace_core import Json
from headrace_core.errors import NotFound

from headrace_flow_manager import tags
from headrace_flow_manager.scope import Tenants

Kind = Literal[
    "account",
    "account_share",
    "account_use",
    "alias",
    "arrival",
    "config",
    "data_key",
    "origins",
    "quota",
    "service_config",
    "system_hook",
    "ticket",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One of them. `value` is the noun's own business, and `tag` a digest of what it says."""

    kind: Kind
    entry_id: str
    key: str
    owner: str
    value: Mapping[str, Json]
    changed_by: str
    changed_at: datetime

    @property
    def tag(self) -> str:
        return tags.tag_of([self.key, dict(self.value)])


class EntryStore(Protocol):
    """Entries by kind and id. Who names tenants sees what they own and nothing else."""

    async def add(self, entry: Entry) -> None:
        """Keep a new entry. Raises AlreadyExists when its id or key is taken among its kind."""
        ...

    async def put(self, entry: Entry) -> None:
        """Keep the entry in place of the one of its id, or as a new one.

        Raises AlreadyExists when another has its key, NotFound when the one of its id belongs to somebody else.
        """
        ...

    async def replace(self, before: Entry | None, after: Entry) -> bool:
        """Keep the entry in place of `before` of the same id, or as a new one where that is None.

        False, and nothing is kept, when something else is there by now.
        """
        ...

    async def remove(self, before: Entry) -> bool:
        """Take the entry away. False, and it stays, when something else is there by now."""
        ...

    async def get(self, kind: Kind, tenants: Tenants, entry_id: str) -> Entry:
        """The entry. Raises NotFound."""
        ...

    async def find(self, kind: Kind, key: str) -> Entry | None:
        """The entry of this key, whoever owns it."""
        ...

    async def all(self, kind: Kind, tenants: Tenants) -> Sequence[Entry]:
        """All of a kind, by key."""
        ...

    async def delete(self, kind: Kind, tenants: Tenants, entry_id: str) -> bool:
        """Take the entry away; whether it was there."""
        ...

    async def delete_owned(self, owner: str) -> None:
        """Take away all that this tenant owns. Doing it again changes nothing."""
        ...


async def keep(store: EntryStore, entry: Entry, expected: str, what: str) -> None:
    """Keep the entry in place of the one that has the expected tag; of any, or as a new one, where none is expected.

    Raises what `put` does, and RevisionConflict.
    """
    if not expected:
        await store.put(entry)
        return
    before = await _expected(store, entry.kind, entry.owner, entry.entry_id, expected, what)
    if before is None or not await store.replace(before, entry):
        raise tags.conflict(what)


async def take(store: EntryStore, kind: Kind, owner: str, entry_id: str, expected: str, what: str) -> bool:
    """Take the entry away if it has the expected tag, or whatever it says; whether there was one.

    Raises RevisionConflict.
    """
    if not expected:
        return await store.delete(kind, owner, entry_id)
    before = await _expected(store, kind, owner, entry_id, expected, what)
    if before is not None and not await store.remove(before):
        raise tags.conflict(what)
    return before is not None


async def _expected(store: EntryStore, kind: Kind, owner: str, entry_id: str, expected: str, what: str) -> Entry | None:
    try:
        before = await store.get(kind, owner, entry_id)
    except NotFound:
        return None
    tags.expect(before.tag, expected, what)
    return before
