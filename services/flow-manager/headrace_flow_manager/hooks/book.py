"""The hooks themselves: entries whose secrets are sealed, and those that keys of the configuration set."""

import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, NotFound, Unsupported, ValidationFailed
from headrace_core.ids import new_id

from headrace_flow_manager import tags, times
from headrace_flow_manager.entries import Entry, EntryStore, keep, take
from headrace_flow_manager.hooks import model
from headrace_flow_manager.hooks.model import Hook

INSTALLATION: Final = ""
KEYS: Final[Mapping[str, str]] = {
    "WEBHOOK_FLOW_COMPONENT_ERROR": "component.error",
    "WEBHOOK_FLOW_STOPPED": "flow.stopped",
    "WEBHOOK_USER_CREATED": "user.created",
}
"""Keys of the configuration that hosts of Appmixer set to an address (map §9), with the event that it is told."""

_PREFIX: Final = "key:"
_THE_HOOK: Final = "The webhook"


class Sealing(Protocol):
    """Seals secrets for their place."""

    def seal(self, value: bytes, place: Sequence[str]) -> str: ...

    def open(self, sealed: str, place: Sequence[str]) -> bytes: ...

    def is_current(self, sealed: str) -> bool: ...


class Configured(Protocol):
    """The configuration of the installation."""

    async def all(self) -> Sequence[tuple[str, Json]]: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A hook as somebody wants it."""

    url: str
    events: tuple[str, ...]
    description: str = ""
    tenants: tuple[str, ...] = ()
    active: bool = True


class HookBook:
    """Keeps hooks. A secret is told once, when it is made."""

    def __init__(self, store: EntryStore, vault: Sealing | None, configured: Configured, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._configured = configured
        self._clock = clock

    async def all(self) -> Sequence[Hook]:
        """All of them, those of the configuration last."""
        kept = [_hook(entry) for entry in await self._store.all("system_hook", INSTALLATION)]
        kept.sort(key=lambda hook: (hook.url, hook.hook_id))
        return [*kept, *await self._of_configuration()]

    async def get(self, hook_id: str) -> Hook:
        """One of them. Raises NotFound."""
        if hook_id.startswith(_PREFIX):
            found = next((each for each in await self._of_configuration() if each.hook_id == hook_id), None)
            if found is None:
                raise NotFound("webhook", hook_id[:100])
            return found
        return _hook(await self._entry(hook_id))

    async def create(self, actor: str, wanted: Wanted) -> tuple[Hook, str]:
        """A new hook and its secret. Raises ValidationFailed, Conflict for one too many, Unsupported without vault."""
        _check(wanted)
        if len(await self._store.all("system_hook", INSTALLATION)) >= model.MAX_HOOKS:
            raise Conflict(f"There are {model.MAX_HOOKS} webhooks already: delete one first.")
        hook_id, secret = new_id(), _new_secret()
        kept: list[Json] = [{"sealed": self._sealed(hook_id, secret), "until": None}]
        value: dict[str, Json] = {**_value(wanted), "secrets": kept}
        entry = Entry("system_hook", hook_id, hook_id, INSTALLATION, value, actor, self._clock.now())
        await self._store.add(entry)
        return _hook(entry), secret

    async def update(self, actor: str, hook_id: str, wanted: Wanted, expected: str = "") -> Hook:
        """Change all but its secrets. Raises NotFound, ValidationFailed, RevisionConflict."""
        _refuse_configured(hook_id)
        _check(wanted)
        before = await self._entry(hook_id)
        tags.expect(_tag(before), expected, _THE_HOOK)
        value = {**_value(wanted), "secrets": before.value["secrets"]}
        if value == dict(before.value):
            return _hook(before)
        return _hook(await self._replace(before, actor, value))

    async def renew_secret(self, actor: str, hook_id: str) -> tuple[Hook, str]:
        """A new secret. The one before it signs as well for a day, so that the receiver changes when it likes."""
        _refuse_configured(hook_id)
        before, secret, now = await self._entry(hook_id), _new_secret(), self._clock.now()
        newest = _secrets(before)[0]
        kept: list[Json] = [
            {"sealed": self._sealed(hook_id, secret), "until": None},
            {"sealed": newest["sealed"], "until": times.to_micros(now + model.OVERLAP)},
        ]
        return _hook(await self._replace(before, actor, {**before.value, "secrets": kept})), secret

    async def delete(self, hook_id: str, expected: str = "") -> None:
        """Take one away. Raises NotFound, RevisionConflict."""
        _refuse_configured(hook_id)
        before = await self._entry(hook_id)
        tags.expect(_tag(before), expected, _THE_HOOK)
        if not await take(self._store, "system_hook", INSTALLATION, hook_id, before.tag, _THE_HOOK):
            raise NotFound("webhook", hook_id[:100])

    async def secrets(self, hook_id: str) -> Sequence[str]:
        """What signs now, the newest first; nothing for a hook of the configuration. Raises NotFound, Conflict."""
        if hook_id.startswith(_PREFIX):
            return []
        now = times.to_micros(self._clock.now())
        kept = [each for each in _secrets(await self._entry(hook_id)) if _holds(each["until"], now)]
        return [self._needed().open(str(each["sealed"]), _place(hook_id)).decode() for each in kept]

    async def reseal(self) -> int:
        """Seal again what older keys sealed; how many hooks that were of."""
        if self._vault is None:
            return 0
        entries = await self._store.all("system_hook", INSTALLATION)
        return sum([await self._resealed(self._vault, entry) for entry in entries])

    async def _resealed(self, vault: Sealing, entry: Entry) -> bool:
        kept, place = _secrets(entry), _place(entry.entry_id)
        if all(vault.is_current(str(each["sealed"])) for each in kept):
            return False
        again: list[Json] = [
            {**each, "sealed": vault.seal(vault.open(str(each["sealed"]), place), place)} for each in kept
        ]
        return await self._store.replace(entry, replace(entry, value={**entry.value, "secrets": again}))

    def _sealed(self, hook_id: str, secret: str) -> str:
        return self._needed().seal(secret.encode(), _place(hook_id))

    def _needed(self) -> Sealing:
        if self._vault is None:
            raise Unsupported("Secrets cannot be kept here: HEADRACE_VAULT_KEYS is not set. An operator sets it.")
        return self._vault

    async def _entry(self, hook_id: str) -> Entry:
        try:
            return await self._store.get("system_hook", INSTALLATION, hook_id)
        except NotFound:
            raise NotFound("webhook", hook_id[:100]) from None

    async def _replace(self, before: Entry, actor: str, value: Mapping[str, Json]) -> Entry:
        entry = Entry("system_hook", before.entry_id, before.key, INSTALLATION, value, actor, self._clock.now())
        await keep(self._store, entry, before.tag, _THE_HOOK)
        return entry

    async def _of_configuration(self) -> Sequence[Hook]:
        moment = datetime.fromtimestamp(0, self._clock.now().tzinfo)
        return [
            Hook(
                hook_id=f"{_PREFIX}{key}",
                url=str(value),
                events=(KEYS[key],),
                description=f"Set by {key} of the system configuration.",
                tenants=(),
                active=True,
                changed_at=moment,
                changed_by="",
                is_plain=True,
            )
            for key, value in await self._configured.all()
            if key in KEYS and not model.check(str(value), (KEYS[key],), "")
        ]


def _check(wanted: Wanted) -> None:
    problems = model.check(wanted.url, wanted.events, wanted.description)
    if problems:
        raise ValidationFailed(problems)


def _refuse_configured(hook_id: str) -> None:
    if hook_id.startswith(_PREFIX):
        key = hook_id.removeprefix(_PREFIX)[:100]
        raise Conflict(f"The system configuration sets this webhook. Change or delete its key {key} there.")


def _new_secret() -> str:
    return model.SECRET_PREFIX + b64encode(secrets.token_bytes(32)).decode()


def _place(hook_id: str) -> Sequence[str]:
    return (INSTALLATION, "system_hook", hook_id, "secret")


def _secrets(entry: Entry) -> list[Mapping[str, Json]]:
    kept = entry.value["secrets"]
    return [each for each in kept if isinstance(each, dict)] if isinstance(kept, list) else []


def _holds(until: Json, now: int) -> bool:
    return until is None or (isinstance(until, int) and until > now)


def _value(wanted: Wanted) -> dict[str, Json]:
    return {
        "url": wanted.url,
        "events": list[Json](dict.fromkeys(wanted.events)),
        "description": wanted.description,
        "tenants": list[Json](dict.fromkeys(wanted.tenants)),
        "active": wanted.active,
    }


def _tag(entry: Entry) -> str:
    """Of what people see of it: a new secret makes nobody's stale."""
    return tags.tag_of({name: value for name, value in entry.value.items() if name != "secrets"})


def _hook(entry: Entry) -> Hook:
    value = entry.value
    return Hook(
        hook_id=entry.entry_id,
        url=str(value["url"]),
        events=_texts(value["events"]),
        description=str(value["description"]),
        tenants=_texts(value["tenants"]),
        active=bool(value["active"]),
        changed_at=entry.changed_at,
        changed_by=entry.changed_by,
        tag=_tag(entry),
    )


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
