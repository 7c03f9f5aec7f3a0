"""Components as flows see them: the one place where flows and the catalog meet."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from headrace_core import Json
from headrace_core import flow as descriptors
from headrace_core.errors import Problem
from headrace_core.expressions import MODIFIER_NAMES, scripts_of
from headrace_core.validation import validate_flow

from headrace_flow_manager.catalog.model import CatalogEntry
from headrace_flow_manager.catalog.service import CatalogService
from headrace_flow_manager.flows.model import Component


class CatalogComponents:
    """Keeps `flows.store.Components` from the catalog there is now."""

    def __init__(self, catalog: CatalogService, modifiers: Callable[[], Awaitable[Mapping[str, Json]]]) -> None:
        self._catalog = catalog
        self._modifiers = modifiers

    async def problems(self, tenant: str, flow: descriptors.Flow) -> Sequence[Problem]:
        catalog = await self._catalog.seen_by(tenant)
        names = {*MODIFIER_NAMES, *scripts_of(await self._modifiers())}
        return validate_flow(
            flow, manifest_of=catalog.manifest, strict=True, known_types=catalog.types, modifier_names=names
        )

    async def pins(self, tenant: str, types: Collection[str]) -> tuple[str, ...]:
        if all(self._catalog.builtin.find(each) is not None for each in types):
            return ()
        catalog = await self._catalog.seen_by(tenant)
        found = (catalog.find(each) for each in types)
        return tuple(sorted({entry.bundle_id for entry in found if entry is not None and entry.bundle_id}))

    async def pinned(self, types: Collection[str], pins: Collection[str]) -> Sequence[Component]:
        offers = await self._catalog.offers(pins)
        entries = {entry.type: entry for offer in offers.values() for entry in offer.entries}
        return [
            Component(entry.type, _without_pictures(entry), entry.bundle_id, entry.root, entry.language or "")
            for each in types
            if (entry := entries.get(each)) is not None
        ]


def _without_pictures(entry: CatalogEntry) -> Mapping[str, Json]:
    """The manifest as far as a run needs it."""
    return {key: value for key, value in entry.manifest.items() if key not in ("icon", "marker", "localization")}
