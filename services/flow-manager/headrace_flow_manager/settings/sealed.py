"""What administrators set for services and for the whole installation. Every value is sealed before it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, NotFound, Problem, Unsupported, ValidationFailed

from headrace_flow_manager import json_text, tags
from headrace_flow_manager.entries import Entry, EntryStore, Kind

INSTALLATION: Final = ""
MAX_NAME: Final = 255
MAX_FIELDS: Final = 200
MAX_BYTES: Final = 256 * 1024
TRIES: Final = 5
"""Times that who decided on a tag looks again: what it was read from may be sealed again meanwhile."""

_VALUE: Final = "value"
_THE_CONFIGURATION: Final = "The configuration"


class Sealing(Protocol):
    """Seals values for their place, which is: tenant, thing, field."""

    def seal(self, value: bytes, place: Sequence[str]) -> str:
        """The value as it may be kept."""
        ...

    def open(self, sealed: str, place: Sequence[str]) -> bytes:
        """The value that was sealed for this place. Raises Conflict when it was not, or no key is left."""
        ...

    def is_current(self, sealed: str) -> bool:
        """Whether the key that seals now sealed it."""
        ...


class SealedSettings:
    """Service configurations by service, and configuration by key."""

    def __init__(self, store: EntryStore, vault: Sealing | None, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock

    async def services(self) -> Sequence[dict[str, Json]]:
        """The configurations of all services, by service."""
        return [{"serviceId": entry.key, **self._opened(entry)} for entry in await self._all("service_config")]

    async def service(self, service_id: str) -> tuple[dict[str, Json], str]:
        """The configuration of a service and its tag. Raises NotFound."""
        entry = await self._get("service_config", service_id)
        return {"serviceId": service_id, **self._opened(entry)}, self._tag(entry)

    async def put_service(
        self, actor: str, service_id: str, values: Mapping[str, Json], expected: str = ""
    ) -> tuple[dict[str, Json], str]:
        """Keep these values for a service in place of all it had; as they are kept, and their tag.

        Raises ValidationFailed, TooLarge, Unsupported, and RevisionConflict when it has another tag than expected.
        """
        values = {name: value for name, value in values.items() if name != "serviceId"}
        entry = await self._put("service_config", actor, service_id, values, expected)
        return {"serviceId": service_id, **values}, self._tag(entry)

    async def delete_service(self, service_id: str, expected: str = "") -> None:
        """Forget a service's configuration. Raises NotFound, and RevisionConflict as `put_service` does."""
        await self._delete("service_config", service_id, expected)

    async def all(self) -> Sequence[tuple[str, Json]]:
        """All keys with their values, by key."""
        return [(entry.key, self._opened(entry).get(_VALUE)) for entry in await self._all("config")]

    async def put(self, actor: str, key: str, value: Json) -> None:
        """Keep a value for the key in place of the former. Raises ValidationFailed, TooLarge, Unsupported."""
        await self._put("config", actor, key, {_VALUE: value})

    async def delete(self, key: str) -> None:
        """Forget a key. Raises NotFound."""
        await self._delete("config", key)

    async def reseal(self) -> int:
        """Seal again what older keys sealed; how many entries that were."""
        if self._vault is None:
            return 0
        entries = [*await self._all("service_config"), *await self._all("config")]
        return sum([await self._resealed(self._vault, entry) for entry in entries])

    async def _resealed(self, vault: Sealing, entry: Entry) -> bool:
        if all(vault.is_current(str(each)) for each in entry.value.values()):
            return False
        place = (INSTALLATION, entry.kind, entry.key)
        again: dict[str, Json] = {
            name: vault.seal(vault.open(str(sealed), (*place, name)), (*place, name))
            for name, sealed in entry.value.items()
        }
        return await self._store.replace(entry, replace(entry, value=again))

    async def _all(self, kind: Kind) -> Sequence[Entry]:
        return await self._store.all(kind, INSTALLATION)

    async def _get(self, kind: Kind, key: str) -> Entry:
        return await self._store.get(kind, INSTALLATION, key)

    async def _put(self, kind: Kind, actor: str, key: str, values: Mapping[str, Json], expected: str = "") -> Entry:
        """Keep the values. Those that hold already are not sealed again, so that nobody's tag goes stale."""
        _check(key, values)
        vault = self._needed()
        for _ in range(TRIES):
            before = await self._store.find(kind, key)
            tags.expect(None if before is None else self._tag(before), expected, _THE_CONFIGURATION)
            if before is not None and self._holds(before, values):
                return before
            sealed: dict[str, Json] = {
                name: vault.seal(json_text.encode(value).encode(), (INSTALLATION, kind, key, name))
                for name, value in values.items()
            }
            entry = Entry(kind, key, key, INSTALLATION, sealed, actor, self._clock.now())
            if not expected:
                await self._store.put(entry)
                return entry
            if await self._store.replace(before, entry):
                return entry
        raise tags.conflict(_THE_CONFIGURATION)

    async def _delete(self, kind: Kind, key: str, expected: str = "") -> None:
        if not expected:
            if not await self._store.delete(kind, INSTALLATION, key):
                raise NotFound("configuration", key[:MAX_NAME])
            return
        for _ in range(TRIES):
            before = await self._get(kind, key)
            tags.expect(self._tag(before), expected, _THE_CONFIGURATION)
            if await self._store.remove(before):
                return
        raise tags.conflict(_THE_CONFIGURATION)

    def _tag(self, entry: Entry) -> str:
        """A digest of what the entry says, whichever key sealed it: sealing it again is no change to anybody."""
        try:
            return tags.tag_of([entry.key, self._opened(entry)])
        except Conflict:
            return entry.tag  # its key is gone: nobody can read it, and it can be replaced

    def _opened(self, entry: Entry) -> dict[str, Json]:
        vault = self._needed()
        return {
            name: json_text.decode(vault.open(str(sealed), (INSTALLATION, entry.kind, entry.key, name)), name)
            for name, sealed in entry.value.items()
        }

    def _holds(self, entry: Entry, values: Mapping[str, Json]) -> bool:
        try:
            return json_text.encode(self._opened(entry)) == json_text.encode(dict(values))
        except Conflict:
            return False  # its key is gone; what is put now is sealed with one that is there

    def _needed(self) -> Sealing:
        if self._vault is None:
            raise Unsupported("Secrets cannot be kept here: HEADRACE_VAULT_KEYS is not set. An operator sets it.")
        return self._vault


def _check(key: str, values: Mapping[str, Json]) -> None:
    problems = [
        Problem(where, f"It is a name of 1 to {MAX_NAME} visible characters.", field=where)
        for where, name in (("key", key), *(("name", name) for name in values))
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable()
    ]
    if len(values) > MAX_FIELDS:
        problems.append(Problem("values", f"There are {len(values)} of them, and {MAX_FIELDS} are allowed."))
    if problems:
        raise ValidationFailed(problems)
    json_text.limited(json_text.encode(dict(values)), MAX_BYTES, "configuration")
