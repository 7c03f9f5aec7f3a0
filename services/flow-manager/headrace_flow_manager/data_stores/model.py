"""Data stores: named collections of values by key, and who hears of their changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed

MAX_NAME = 255
MAX_KEY = 1024
MAX_VALUE_BYTES = 1024 * 1024
EVENTS = frozenset({"insert", "update", "delete"})


@dataclass(frozen=True, slots=True)
class DataStore:
    """A named collection of records."""

    store_id: str
    tenant_id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One value under one key, as JSON text."""

    store_id: str
    key: str
    value: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """A change on its way to one trigger. Its event id is the same however often it is delivered."""

    number: int
    flow_id: str
    node_id: str
    event_id: str
    content: bytes


def check_name(name: str) -> str:
    """The name itself. Raises ValidationFailed when it cannot be one."""
    if not 1 <= len(name.strip()) <= MAX_NAME:
        raise ValidationFailed([Problem("name", f"A store's name has 1 to {MAX_NAME} characters.", "Choose another.")])
    return name


def check_key(key: str) -> str:
    """The key itself. Raises ValidationFailed when it cannot be one."""
    if not 1 <= len(key) <= MAX_KEY:
        raise ValidationFailed([Problem("key", f"A key has 1 to {MAX_KEY} characters.", "Choose another.")])
    return key


def check_events(events: Mapping[str, Json] | list[str]) -> tuple[str, ...]:
    """The events themselves. Raises ValidationFailed when one is unknown."""
    unknown = sorted(set(events) - EVENTS)
    if unknown or not events:
        named = ", ".join(unknown) or "none"
        raise ValidationFailed([Problem("events", f"These are no events: {named}.", f"Use {sorted(EVENTS)}.")])
    return tuple(sorted(set(events)))
