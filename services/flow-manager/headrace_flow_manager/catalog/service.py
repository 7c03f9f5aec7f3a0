"""What can be asked of the catalog: what comes with Headrace, and what vendors have published until now.

A snapshot of it is kept in memory and used as long as the store says that nothing was published since: one small
question each time, whose answer is never late. So whoever was told that something is published finds it at once, at
every flow manager.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from headrace_core import Json
from headrace_core.errors import AlreadyExists, NotFound
from headrace_core.manifest import Manifest

from headrace_flow_manager.catalog.model import (
    App,
    AuthModule,
    Bundle,
    CatalogEntry,
    Offer,
    PluginModule,
    offer_of,
)
from headrace_flow_manager.catalog.store import BundleStore, Published

REMEMBERED = 500
"""Contents whose offers are kept in memory. They never change."""

AT_ONCE = 20
"""Descriptions that are read at once: with many pictures in them they are large."""


class Vendors(Protocol):
    """Who is a developer of which vendors."""

    async def of(self, user_id: str) -> frozenset[str]:
        """The vendors of an active user; none of anybody else."""
        ...


class Catalog:
    """Components, apps, bundles and auth modules at one moment.

    Raises AlreadyExists when two components answer to one name.
    """

    def __init__(
        self,
        entries: Sequence[CatalogEntry],
        apps: Mapping[str, Mapping[str, Json]],
        bundles: Mapping[str, Mapping[str, Json]],
        quota_sources: Mapping[str, str] | None = None,
        auth_modules: Mapping[str, AuthModule] | None = None,
        plugins: Sequence[PluginModule] = (),
    ) -> None:
        self.plugins = tuple(sorted(plugins, key=lambda each: each.folder))
        self.auth_modules = dict(auth_modules or {})
        self._entries = tuple(sorted(entries, key=lambda entry: entry.type))
        self._by_name = _by_name(self._entries)
        self._apps = dict(apps)
        self._bundles = dict(bundles)
        self.quota_sources: Mapping[str, str] = dict(quota_sources or {})
        """The quota modules that bundles bring, by the name of the quota."""
        self._sights: dict[frozenset[str], Catalog] = {}

    def under(self, selector: str = "", *, include_private: bool = False) -> Sequence[CatalogEntry]:
        """The components under a selector, by type. Either vendor's spelling of the utilities selects them."""
        return [
            entry for entry in self._entries if entry.is_under(selector) and (include_private or not entry.is_private)
        ]

    def get(self, component_type: str) -> CatalogEntry:
        """The component by any of its names. Raises NotFound."""
        entry = self.find(component_type)
        if entry is None:
            raise NotFound("component", component_type[:256])
        return entry

    def find(self, component_type: str) -> CatalogEntry | None:
        """The component by any of its names, or None."""
        return self._by_name.get(component_type)

    def manifest(self, component_type: str) -> Manifest | None:
        """The manifest of a component by any of its names, or None."""
        entry = self.find(component_type)
        return None if entry is None else entry.parsed

    def is_private(self, component_type: str) -> bool:
        """Whether the component by any of its names is hidden from the designer; one there is not is not hidden."""
        entry = self.find(component_type)
        return entry is not None and entry.is_private

    @property
    def types(self) -> Sequence[str]:
        """Every canonical type there is."""
        return [entry.type for entry in self._entries]

    def is_named_by_its_vendor(self, entry: CatalogEntry) -> bool:
        """Whether the form of a component here, of the entry's own vendor, needs a call of it."""
        return any(each.vendor == entry.vendor and entry.type in each.sources for each in self._entries)

    @property
    def quotas(self) -> Collection[str]:
        """The names of the quotas that components ask for."""
        asked = (entry.manifest.get("quota") for entry in self._entries)
        names = {each.get("manager") for each in asked if isinstance(each, dict)}
        return [name for name in names if isinstance(name, str) and name]

    @property
    def apps(self) -> Sequence[App]:
        """Services and modules, by id."""
        return [App(app_id, self._apps[app_id]) for app_id in sorted(self._apps)]

    @property
    def bundles(self) -> Sequence[Bundle]:
        """Installed bundles, by name."""
        return [Bundle(name, str(self._bundles[name].get("version", ""))) for name in sorted(self._bundles)]

    def with_offers(self, offers: Iterable[Offer]) -> "Catalog":
        """This catalog and what was published. A component that answers to a name that is taken is left out."""
        entries, names = list(self._entries), set(self._by_name)
        apps, bundles, quotas = dict(self._apps), dict(self._bundles), dict(self.quota_sources)
        auths, plugins = dict(self.auth_modules), list(self.plugins)
        for offer in offers:
            for entry in offer.entries:
                if names.isdisjoint(entry.names):
                    entries.append(entry)
                    names.update(entry.names)
            apps = {**offer.apps, **apps}
            bundles = {**offer.bundles, **bundles}
            quotas = {**offer.quotas, **quotas}
            auths = {**offer.auths, **auths}
            plugins += offer.plugins
        return Catalog(entries, apps, bundles, quotas, auths, plugins)

    def shown_to(self, vendors: frozenset[str]) -> "Catalog":
        """What somebody of those vendors may see. Apps and bundles of which nothing is to be seen are not there."""
        hidden = [entry for entry in self._entries if not entry.is_shown_to(vendors)]
        if not hidden:
            return self
        if vendors not in self._sights:
            shown = [entry for entry in self._entries if entry.is_shown_to(vendors)]

            def is_seen(name: str) -> bool:
                return any(each.is_under(name) for each in shown) or not any(each.is_under(name) for each in hidden)

            self._sights[vendors] = Catalog(
                shown,
                {name: app for name, app in self._apps.items() if is_seen(name)},
                {name: bundle for name, bundle in self._bundles.items() if is_seen(name)},
                self.quota_sources,
                auth_modules={
                    service: module
                    for service, module in self.auth_modules.items()
                    if is_seen(service.replace(":", "."))
                },
                plugins=[each for each in self.plugins if is_seen(each.service)],
            )
        return self._sights[vendors]


class CatalogService:
    """The catalog as it is now."""

    def __init__(self, builtin: Catalog, store: BundleStore, vendors: Vendors) -> None:
        self.builtin = builtin
        self._store = store
        self._vendors = vendors
        self._offers: OrderedDict[str, Offer] = OrderedDict()
        self._now = builtin
        self._published = Published(0, {})

    async def now(self) -> Catalog:
        """Everything there is."""
        if await self._store.generation() != self._published.generation:
            published = await self._store.published()
            offers = await self.offers(sorted(published.contents.values()))
            catalog = self.builtin.with_offers(offers[each] for each in sorted(offers))
            if published.generation >= self._published.generation:  # else another call was faster
                self._now, self._published = catalog, published
        return self._now

    async def seen_by(self, user_id: str) -> Catalog:
        """What this user may see."""
        catalog = await self.now()
        return catalog if catalog is self.builtin else catalog.shown_to(await self._vendors.of(user_id))

    async def to_call(self, user_id: str, component_type: str, bundle_id: str = "") -> CatalogEntry:
        """A component that this user may call by itself, or that the code of this content may. Raises NotFound.

        That is one the user sees, or a private one that a component of its vendor, which the user sees, has as a source
        of its form: without it nobody but the vendor could fill the form in. Code reaches all that lies in its content,
        as it is there.
        """
        offers = await self.offers([bundle_id] if bundle_id else [])
        beside = (entry for offer in offers.values() for entry in offer.entries if component_type in entry.names)
        if (own := next(beside, None)) is not None:
            return own
        seen = await self.seen_by(user_id)
        entry = seen.find(component_type)
        if entry is None:
            entry = (await self.now()).find(component_type)
            if entry is None or not seen.is_named_by_its_vendor(entry):
                raise NotFound("component", component_type[:256])
        return entry

    async def plugins(self, service: str, user_id: str | None) -> Sequence[PluginModule]:
        """The plugins of a service that this user may see, or whoever is not signed in with ""; with None all.

        Raises NotFound where there are none.
        """
        everything = await self.now()
        seen = everything if user_id is None else everything.shown_to(await self._vendors.of(user_id))
        if found := [each for each in seen.plugins if each.service == service]:
            return found
        raise NotFound("plugin", service[:256])

    async def app_ids(self, user_id: str) -> Collection[str]:
        """The apps that this user may see."""
        return [app.app_id for app in (await self.seen_by(user_id)).apps]

    async def quotas(self) -> Collection[str]:
        """The names of the quotas that components ask for, whoever may see them."""
        return (await self.now()).quotas

    async def quota_sources(self) -> Mapping[str, str]:
        """The quota modules that published bundles bring, by the name of the quota."""
        return (await self.now()).quota_sources

    async def offers(self, content_ids: Collection[str]) -> Mapping[str, Offer]:
        """What contents offer that are kept, whether they are published now or were before."""
        missing = [each for each in content_ids if each not in self._offers]
        found = {each: self._offers[each] for each in content_ids if each in self._offers}
        for start in range(0, len(missing), AT_ONCE):
            for content in await self._store.contents(missing[start : start + AT_ONCE]):
                found[content.content_id] = offer_of(content.content_id, content.description)
        for content_id, offer in found.items():
            self._offers[content_id] = offer
            self._offers.move_to_end(content_id)
        while len(self._offers) > REMEMBERED:
            self._offers.popitem(last=False)
        return found


def _by_name(entries: Iterable[CatalogEntry]) -> Mapping[str, CatalogEntry]:
    found: dict[str, CatalogEntry] = {}
    for entry in entries:
        for name in entry.names:
            if found.setdefault(name, entry) is not entry:
                raise AlreadyExists(f"Two components answer to {name!r}. Rename one of them.")
    return found
