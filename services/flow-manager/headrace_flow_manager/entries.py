"""Small things that are kept by a name: the port that nouns of one record each share.

An entry has an id, a key that is unique among its kind, and an owner; the owner of what belongs to the whole
installation is "".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from headrace_core import Json

from headrace_flow_manager.scope import Tenants

Kind = Literal["alias", "config", "origins", "quota", "service_config"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One of them. `value` is the noun's own business."""

    kind: Kind
    entry_id: str
    key: str
    owner: str
    value: Mapping[str, Json]
    changed_by: str
    changed_at: datetime


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
