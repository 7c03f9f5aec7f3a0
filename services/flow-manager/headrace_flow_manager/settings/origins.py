"""Origins of web pages that may call the API as users of a vendor: kept here, answered to browsers by the gateway."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, NotFound, Problem, ValidationFailed

from headrace_flow_manager.entries import Entry, EntryStore, keep, take

INSTALLATION: Final = ""
MAX_VENDORS: Final = 1_000
MAX_ORIGINS: Final = 100
MAX_NAME: Final = 255
_THE_LIST: Final = "The list of origins"
_ORIGIN: Final = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[1-9]\d{0,4}))?")
_OWN_PORT: Final = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class VendorOrigins:
    """The origins of a vendor in their order, and the tag of the list."""

    vendor: str
    origins: Sequence[str]
    tag: str


class Origins:
    """Keeps the origins of each vendor."""

    def __init__(self, store: EntryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def all(self) -> Sequence[VendorOrigins]:
        """The origins of every vendor that has some, by vendor."""
        return [_read(entry) for entry in await self._store.all("origins", INSTALLATION)]

    async def put(self, actor: str, vendor: str, origins: Sequence[str], expected: str = "") -> VendorOrigins:
        """Keep these origins for a vendor in place of all it had.

        Raises ValidationFailed, Conflict, and RevisionConflict when they have another tag than the one expected.
        """
        problems = list(_problems(vendor, origins))
        if problems:
            raise ValidationFailed(problems)
        known = [each.vendor for each in await self.all()]
        if vendor not in known and len(known) >= MAX_VENDORS:
            raise Conflict(f"There are origins of {MAX_VENDORS} vendors already. Delete those of one first.")
        value: dict[str, Json] = {"origins": [*origins]}
        entry = Entry("origins", vendor, vendor, INSTALLATION, value, actor, self._clock.now())
        await keep(self._store, entry, expected, _THE_LIST)
        return _read(entry)

    async def delete(self, vendor: str, expected: str = "") -> None:
        """Forget the origins of a vendor. Raises NotFound, and RevisionConflict as `put` does."""
        if not await take(self._store, "origins", INSTALLATION, vendor, expected, _THE_LIST):
            raise NotFound("list of origins of vendor", vendor[:MAX_NAME])


def is_origin(text: str) -> bool:
    """Whether it is written as browsers write it: scheme and host in lower case, the port where it is not the usual."""
    found = _ORIGIN.fullmatch(text)
    return found is not None and len(text) <= MAX_NAME and found["port"] != _OWN_PORT[found["scheme"]]


def _problems(vendor: str, origins: Sequence[str]) -> Iterator[Problem]:
    if not 1 <= len(vendor) <= MAX_NAME or not vendor.isprintable():
        yield Problem("vendor", f"It is a name of 1 to {MAX_NAME} visible characters.", field="vendor")
    if len(origins) > MAX_ORIGINS:
        yield Problem("origins", f"There are {len(origins)}, and {MAX_ORIGINS} are allowed.", field="origins")
    for number, origin in enumerate(origins[:MAX_ORIGINS]):
        if not is_origin(origin):
            fix = "Write scheme and host, and the port if it is not the usual one: https://app.example.com:8443."
            said = f"{origin[:100]!r} is no origin as browsers send it."
            yield Problem(f"origins.{number}", said, fix, field="origins")


def _read(entry: Entry) -> VendorOrigins:
    origins = entry.value.get("origins")
    return VendorOrigins(entry.key, [str(each) for each in origins] if isinstance(origins, list) else [], entry.tag)
