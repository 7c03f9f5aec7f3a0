"""What stores, records and their changes are."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed

from headrace_flow_manager import tags, times

ChangeType = Literal["insert", "update", "delete"]
CHANGE_TYPES: Final[tuple[ChangeType, ...]] = ("insert", "update", "delete")

MAX_NAME = 255
MAX_KEY = 1024
MAX_VALUE_BYTES = 1024 * 1024
MAX_REQUEST_ID = 256
_STORE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Store:
    """A named collection of records. The name is unique per tenant."""

    store_id: str
    tenant_id: str
    name: str
    created_at: datetime

    @property
    def tag(self) -> str:
        """Digest of what can be changed."""
        return tags.tag_of(self.name)


@dataclass(frozen=True, slots=True)
class Record:
    """One value under one key. `value` is JSON text."""

    store_id: str
    key: str
    value: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """A record, and the JSON text that stood there before; None when nothing did."""

    record: Record
    old_value: str | None


@dataclass(frozen=True, slots=True)
class Put:
    """A value to write. Equal request ids for one key are one write; an empty one is a write every time."""

    store_id: str
    key: str
    value: str
    now: datetime
    request_id: str = ""
    only_if_absent: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """A trigger component that hears of changes."""

    flow_id: str
    node_id: str
    events: tuple[ChangeType, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one key."""

    type: ChangeType
    store_id: str
    key: str
    value: Json
    old_value: Json
    at: datetime

    def to_json(self) -> dict[str, Json]:
        """The change as triggers receive it."""
        return {
            "type": self.type,
            "key": self.key,
            "value": self.value,
            "oldValue": self.old_value,
            "storeId": self.store_id,
            "currentTime": times.to_text(self.at),
        }


@dataclass(frozen=True, slots=True)
class Delivery:
    """A change on its way to one trigger. `content` is JSON text; `change_id` makes it arrive once."""

    number: int
    change_id: str
    tenant_id: str
    flow_id: str
    node_id: str
    content: str
    attempts: int


def check_name(name: str) -> str:
    """The name itself. Raises ValidationFailed when a store cannot be called that."""
    if not 1 <= len(name) <= MAX_NAME or not name.strip():
        raise ValidationFailed([Problem("name", f"The name of a store has 1 to {MAX_NAME} characters.", field="name")])
    return name


def check_store_id(store_id: str) -> str:
    """The id itself. Raises ValidationFailed when a caller chose one that is not allowed."""
    if not _STORE_ID.fullmatch(store_id):
        fix = "Use 24 hexadecimal digits."
        said = "A store id has 1 to 64 letters, digits, hyphens and underscores."
        raise ValidationFailed([Problem("storeId", said, fix, field="storeId")])
    return store_id


def check_key(key: str) -> str:
    """The key itself. Raises ValidationFailed when a record cannot have it."""
    if not 1 <= len(key) <= MAX_KEY:
        raise ValidationFailed([Problem("key", f"A key has 1 to {MAX_KEY} characters.", field="key")])
    return key


def check_events(events: tuple[str, ...]) -> tuple[ChangeType, ...]:
    """The events, each once. Raises ValidationFailed for one that does not exist."""
    unknown = [each for each in events if each not in CHANGE_TYPES]
    if unknown or not events:
        fix = f"Choose among {', '.join(CHANGE_TYPES)}."
        raise ValidationFailed([Problem("events", "A listener names the changes that it wants.", fix, field="events")])
    return tuple(each for each in CHANGE_TYPES if each in events)
