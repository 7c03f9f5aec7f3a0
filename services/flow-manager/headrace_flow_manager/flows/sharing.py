"""Who but its owner may do what with a flow: the rules of `sharedWith`. What no entry allows is refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from headrace_core import Json

Permission = Literal["read", "start", "stop"]
PERMISSIONS: tuple[Permission, ...] = ("read", "start", "stop")

MARKS: Final = ("email", "domain", "scope", "group")
_AS_WRITTEN: Final = ("scope", "group")
_OUTSIDE: Final = ("flowId", "userId", "name", "stage", "btime", "mtime", "started", "stopped")
"""What is told of a flow to those who may start or stop it and not read it."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who asks for a flow of another tenant: an active user, as an entry of `sharedWith` can name one."""

    email: str
    scopes: frozenset[str]
    groups: frozenset[str] = frozenset()

    @property
    def domain(self) -> str:
        """What stands behind the last @ of the mail address; "" without one."""
        name, at, domain = self.email.rpartition("@")
        return domain.casefold() if name and at else ""

    @property
    def marks(self) -> frozenset[str]:
        """What entries call this guest, in the form of `marks_of`."""
        named = [("email", self.email), ("domain", self.domain)]
        named += [("scope", each) for each in self.scopes] + [("group", each) for each in self.groups]
        return frozenset(_mark(name, value) for name, value in named if value)


def permits(record: Mapping[str, Json], guest: Guest, permission: Permission) -> bool:
    """Whether one entry names the guest and the permission. An entry that names several marks wants all of them."""
    entries = record.get("sharedWith")
    if not isinstance(entries, list):
        return False
    return any(isinstance(entry, dict) and _allows(entry, guest, permission) for entry in entries)


def _allows(entry: Mapping[str, Json], guest: Guest, permission: Permission) -> bool:
    permissions = entry.get("permissions")
    if not isinstance(permissions, list) or permission not in permissions:
        return False
    return _names(entry, guest)


def _names(entry: Mapping[str, Json], guest: Guest) -> bool:
    marks = [(name, entry[name]) for name in MARKS if name in entry]
    return bool(marks) and all(value and _fits(name, value, guest) for name, value in marks)


def is_named(entries: Iterable[Mapping[str, Json]], guest: Guest) -> bool:
    """Whether one of the entries names the guest, whatever it permits."""
    return any(_names(entry, guest) for entry in entries)


def marks_of(record: Mapping[str, Json]) -> frozenset[str]:
    """Whom a flow is shared with, as texts to look up. Who has none of these marks is allowed nothing by any entry."""
    entries = record.get("sharedWith")
    return frozenset(
        _mark(name, value)
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
        for name in MARKS
        if isinstance(value := entry.get(name), str) and value
    )


def visible(record: Mapping[str, Json], guest: Guest) -> Mapping[str, Json]:
    """Of a flow's public record what the guest may know: all of it to read, else its name and whether it runs."""
    if permits(record, guest, "read"):
        return record
    return {name: record[name] for name in _OUTSIDE if name in record}


def _mark(name: str, value: str) -> str:
    return f"{name}:{value if name in _AS_WRITTEN else value.casefold()}"


def _fits(name: str, value: Json, guest: Guest) -> bool:
    if not isinstance(value, str):
        return False
    if name in _AS_WRITTEN:
        return value in (guest.scopes if name == "scope" else guest.groups)
    return value.casefold() == (guest.email.casefold() if name == "email" else guest.domain)
