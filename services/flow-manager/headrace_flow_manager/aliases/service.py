"""What can be done with aliases."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, NotFound, ValidationFailed
from headrace_core.ids import new_id

from headrace_flow_manager import tags
from headrace_flow_manager.aliases import model
from headrace_flow_manager.aliases.model import Alias, Target
from headrace_flow_manager.entries import Entry, EntryStore, keep, take
from headrace_flow_manager.scope import Tenants

_THE_ALIAS: Final = "The alias"

OwnsFlow = Callable[[str, str], Awaitable[object]]
"""Looks for a tenant's flow. Raises NotFound when it is not theirs."""


class AliasService:
    """Keeps aliases. One path is one alias in the whole installation; the first who asks for it has it."""

    def __init__(self, store: EntryStore, owns_flow: OwnsFlow, clock: Clock) -> None:
        self._store = store
        self._owns_flow = owns_flow
        self._clock = clock

    async def create(self, tenant: str, path: str, target: Target, alias_id: str = "") -> Alias:
        """Keep a new alias, under a fresh id or the one given.

        Raises ValidationFailed, NotFound for somebody else's flow, AlreadyExists, Conflict.
        """
        await self._check(tenant, path, target)
        if len(await self._store.all("alias", tenant)) >= model.MAX_ALIASES:
            raise Conflict(f"There are {model.MAX_ALIASES} aliases already. Delete one that is not used.")
        entry = self._entry(tenant, model.check_alias_id(alias_id) if alias_id else new_id(), path, target)
        await self._store.add(entry)
        return _alias(entry)

    async def update(self, tenant: str, alias_id: str, path: str, target: Target, expected: str = "") -> Alias:
        """Replace an alias; one that says the same as before stays as it is.

        Raises as `create` does, NotFound when the tenant has none of this id, and RevisionConflict when it has another
        tag than the one expected.
        """
        await self._check(tenant, path, target)
        before = _alias(await self._store.get("alias", tenant, alias_id))
        tags.expect(before.tag, expected, _THE_ALIAS)
        if (before.path, before.target) == (path, target):
            return before
        entry = self._entry(tenant, alias_id, path, target)
        await keep(self._store, entry, expected, _THE_ALIAS)
        return _alias(entry)

    async def get(self, tenants: Tenants, alias_id: str) -> Alias:
        """The alias. Raises NotFound."""
        return _alias(await self._store.get("alias", tenants, alias_id))

    async def all(self, tenants: Tenants) -> Sequence[Alias]:
        """All aliases, by path."""
        return [_alias(entry) for entry in await self._store.all("alias", tenants)]

    async def delete(self, tenant: str, alias_id: str, expected: str = "") -> None:
        """Take the alias away; its path is free again. Raises NotFound, and RevisionConflict as `update` does."""
        if not await take(self._store, "alias", tenant, alias_id, expected, _THE_ALIAS):
            raise NotFound("alias", alias_id[: model.MAX_ID])

    async def resolve(self, path: str) -> Target:
        """What the path stands for. Raises NotFound when it is no alias."""
        entry = await self._store.find("alias", path)
        if entry is None:
            raise NotFound("alias", path[: model.MAX_PATH])
        return _alias(entry).target

    async def _check(self, tenant: str, path: str, target: Target) -> None:
        problems = model.check(path, target)
        if problems:
            raise ValidationFailed(problems)
        await self._owns_flow(tenant, target.flow_id)

    def _entry(self, tenant: str, alias_id: str, path: str, target: Target) -> Entry:
        value: dict[str, Json] = {"flowId": target.flow_id, "componentId": target.component_id}
        return Entry("alias", alias_id, path, tenant, value, tenant, self._clock.now())


def _alias(entry: Entry) -> Alias:
    target = Target(str(entry.value["flowId"]), str(entry.value["componentId"]))
    return Alias(entry.entry_id, entry.key, target, entry.owner, entry.changed_at, entry.tag)
