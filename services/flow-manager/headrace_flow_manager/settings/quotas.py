"""How often other people's APIs may be called: the rules that connectors bring, and those put in their place."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headrace_core.clock import Clock
from headrace_core.errors import NotFound, Problem, RevisionConflict, ValidationFailed
from headrace_core.quotas import QuotaRule, parse_quota

from headrace_flow_manager.entries import Entry, EntryStore

INSTALLATION: Final = ""
FIRST_REVISION: Final = 1
MAX_NAME: Final = 255
_NAME: Final = re.compile(r"[\w-]+:[\w-]+(:[\w-]+)?\Z", re.ASCII)

Named = Callable[[], Awaitable[Collection[str]]]
"""The names of the quotas that components ask for now, with or without rules."""

Brought = Callable[[], Awaitable[Mapping[str, str]]]
"""The sources that connectors bring now, by name."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota by its name, `vendor:service` or `vendor:service:module`, and who changed it last."""

    name: str
    default_source: str
    custom_source: str | None = None
    revision: int = FIRST_REVISION
    changed_by: str = ""
    changed_at: datetime | None = None

    @property
    def source(self) -> str:
        return self.default_source if self.custom_source is None else self.custom_source

    @property
    def rules(self) -> Sequence[QuotaRule]:
        """What holds; nothing where there is no source, or where a connector's own source works its rules out."""
        try:
            return parse_quota(self.source) if self.source else ()
        except ValidationFailed:
            return ()  # what somebody puts is checked before


class Quotas:
    """Keeps the rules that administrators put. What they replace stays known, and the revision never falls."""

    def __init__(self, store: EntryStore, clock: Clock, brought: Brought, named: Named) -> None:
        self._store = store
        self._clock = clock
        self._brought = brought
        self._named = named

    async def all(self) -> Sequence[Quota]:
        """Every quota that a connector brings, that a component names or that somebody put, by name."""
        brought = await self._brought()
        entries = await self._store.all("quota", INSTALLATION)
        kept = {entry.entry_id: _read(entry, brought) for entry in entries}
        put = {name for name, quota in kept.items() if quota.custom_source is not None}
        names = {*brought, *await self._named(), *put}
        return [kept.get(name) or Quota(name, brought.get(name, "")) for name in sorted(names)]

    async def get(self, name: str) -> Quota:
        """The quota. Raises NotFound when nobody knows it."""
        quota, _ = await self._find(name)
        if quota.custom_source is None and not quota.default_source and name not in await self._named():
            raise NotFound("quota", name[:MAX_NAME])
        return quota

    async def put(self, actor: str, name: str, source: str, expected_revision: int) -> Quota:
        """Let this source hold from now on. What holds already is not saved again.

        Raises ValidationFailed that names what is wrong with it, RevisionConflict.
        """
        if not _NAME.match(name) or len(name) > MAX_NAME:
            fix = "Name it vendor:service or vendor:service:module."
            raise ValidationFailed([Problem("name", "It is no name of a quota.", fix, field="name")])
        parse_quota(source)
        return await self._save(actor, name, source, expected_revision)

    async def reset(self, actor: str, name: str, expected_revision: int) -> Quota:
        """Go back to what the connector brings. Doing it again changes nothing. Raises NotFound, RevisionConflict."""
        await self.get(name)
        return await self._save(actor, name, None, expected_revision)

    async def _save(self, actor: str, name: str, source: str | None, expected_revision: int) -> Quota:
        quota, before = await self._find(name)
        if expected_revision not in (0, quota.revision):
            raise _conflict(name)
        if quota.custom_source == source:
            return quota
        value = {"source": source, "revision": quota.revision + 1}
        after = Entry("quota", name, name, INSTALLATION, value, actor, self._clock.now())
        if not await self._store.replace(before, after):
            raise _conflict(name)
        return _read(after, await self._brought())

    async def _find(self, name: str) -> tuple[Quota, Entry | None]:
        brought = await self._brought()
        try:
            entry = await self._store.get("quota", INSTALLATION, name)
        except NotFound:
            return Quota(name, brought.get(name, "")), None
        return _read(entry, brought), entry


def _read(entry: Entry, brought: Mapping[str, str]) -> Quota:
    source, revision = entry.value["source"], entry.value["revision"]
    return Quota(
        entry.entry_id,
        brought.get(entry.entry_id, ""),
        source if isinstance(source, str) else None,
        revision if isinstance(revision, int) else FIRST_REVISION,
        entry.changed_by,
        entry.changed_at,
    )


def _conflict(name: str) -> RevisionConflict:
    return RevisionConflict(f"The quota {name!r} was saved in between. Read it again and decide on that.")
