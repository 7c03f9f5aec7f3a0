"""Who but its owner may do what with a flow: the rules of `sharedWith`. What no entry allows is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from headrace_core import Json

Permission = Literal["read", "start", "stop"]
PERMISSIONS: tuple[Permission, ...] = ("read", "start", "stop")


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who asks for a flow of another tenant: an active user, as an entry of `sharedWith` can name one."""

    email: str
    scopes: frozenset[str]

    @property
    def domain(self) -> str:
        """What stands behind the last @ of the mail address; "" without one."""
        name, at, domain = self.email.rpartition("@")
        return domain.casefold() if name and at else ""


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
    marks = [(name, entry[name]) for name in _MARKS if name in entry]
    return bool(marks) and all(value and _fits(name, value, guest) for name, value in marks)


_MARKS = ("email", "domain", "scope")


def _fits(name: str, value: Json, guest: Guest) -> bool:
    if not isinstance(value, str):
        return False
    if name == "scope":
        return value in guest.scopes
    return value.casefold() == (guest.email.casefold() if name == "email" else guest.domain)
