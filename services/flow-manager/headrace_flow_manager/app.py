"""The flow manager put together from what it is handed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.expressions import default_modifiers
from headrace_core.ports import Bus
from headrace_runtime.rpc import Channel, Server

from headrace_flow_manager.accounts.book import AccountBook
from headrace_flow_manager.accounts.connecting import Connecting
from headrace_flow_manager.accounts.keys import DataKeys
from headrace_flow_manager.accounts.modules import AuthModules
from headrace_flow_manager.accounts.rotation import Reload, Rotation
from headrace_flow_manager.accounts.service import AccountService, stopper
from headrace_flow_manager.accounts.servicer import AccountServicer
from headrace_flow_manager.accounts.tickets import TicketBook
from headrace_flow_manager.accounts.tokens import TokenKeeper
from headrace_flow_manager.aliases.service import AliasService
from headrace_flow_manager.aliases.servicer import AliasServicer
from headrace_flow_manager.audit.service import AuditService
from headrace_flow_manager.audit.servicer import AuditServicer
from headrace_flow_manager.catalog.jobs import PluginJobs
from headrace_flow_manager.catalog.model import AuthModule, CatalogEntry
from headrace_flow_manager.catalog.packages import NoPackages, PackageSource
from headrace_flow_manager.catalog.publishing import PublishingService
from headrace_flow_manager.catalog.service import Catalog, CatalogService
from headrace_flow_manager.catalog.servicer import CatalogServicer
from headrace_flow_manager.clients import (
    AccountNewsPublisher,
    AuthModuleClient,
    ExecutionClient,
    FlowNewsPublisher,
    LogClient,
    PluginClient,
)
from headrace_flow_manager.components import CatalogComponents
from headrace_flow_manager.configuration import FlowManagerSettings
from headrace_flow_manager.data_stores.relay import Relay
from headrace_flow_manager.data_stores.service import DataStoreService
from headrace_flow_manager.data_stores.servicer import StoreServicer
from headrace_flow_manager.facts import FactsOfNouns
from headrace_flow_manager.files.service import FileService
from headrace_flow_manager.files.servicer import FileServicer
from headrace_flow_manager.flows.arrivals import Arrivals
from headrace_flow_manager.flows.integrations import IntegrationService
from headrace_flow_manager.flows.lifecycle import Lifecycle
from headrace_flow_manager.flows.publishing import Publisher
from headrace_flow_manager.flows.service import FlowResolver, FlowService
from headrace_flow_manager.flows.servicer import FlowServicer, IntegrationServicer
from headrace_flow_manager.flows.turns import Turns
from headrace_flow_manager.flows.use import FlowUse
from headrace_flow_manager.flows.waiting import Waiting
from headrace_flow_manager.groups.service import GroupService
from headrace_flow_manager.groups.servicer import GroupServicer
from headrace_flow_manager.guests import GuestBook
from headrace_flow_manager.hooks.book import HookBook
from headrace_flow_manager.hooks.delivering import Delivering
from headrace_flow_manager.hooks.service import HookService
from headrace_flow_manager.hooks.servicer import HookServicer
from headrace_flow_manager.hooks.store import Sender
from headrace_flow_manager.insights.service import ChartService
from headrace_flow_manager.insights.servicer import ChartServicer
from headrace_flow_manager.loops import Loop, Loops
from headrace_flow_manager.mail import Mail
from headrace_flow_manager.people.model import PeopleRules
from headrace_flow_manager.people.passwords import Passwords
from headrace_flow_manager.people.recovery import Recovery
from headrace_flow_manager.people.service import Authenticator, PeopleService
from headrace_flow_manager.people.servicer import PeopleServicer
from headrace_flow_manager.removal import Removal
from headrace_flow_manager.rights import LOOK_AGAIN, ComponentRights, Withdrawal
from headrace_flow_manager.settings.access import AccessRules
from headrace_flow_manager.settings.origins import Origins
from headrace_flow_manager.settings.quotas import Quotas
from headrace_flow_manager.settings.sealed import SealedSettings, Sealing
from headrace_flow_manager.settings.service import SettingService
from headrace_flow_manager.settings.servicer import SettingServicer
from headrace_flow_manager.stores.bundle import Stores
from headrace_flow_manager.stores.sqlite import open_stores
from headrace_flow_manager.tasks.service import TaskService
from headrace_flow_manager.tasks.servicer import TaskServicer
from headrace_flow_manager.tasks.telling import Telling
from headrace_flow_manager.vendors import VendorBook

PRUNE_EVERY = timedelta(minutes=10)


class Published(Protocol):
    """A component as connectors publish it: a `CatalogEntry`, or anything with a type and a manifest."""

    @property
    def type(self) -> str: ...

    @property
    def manifest(self) -> Mapping[str, Json]: ...


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Who is called and told."""

    execution_channel: Channel
    log_channel: Channel | None
    bus: Bus | None
    mail: Mail | None
    vault: Sealing | None
    reload_keys: Reload
    packages: PackageSource
    sender: Sender | None


class FlowManagerApp:
    """A flow manager. `start` begins its own work; `drain` ends it."""

    def __init__(
        self,
        stores: Stores,
        builtin: Catalog,
        neighbours: Neighbours,
        passwords: Passwords,
        clock: Clock,
        settings: FlowManagerSettings,
        tasks: asyncio.TaskGroup,
    ) -> None:
        execution = ExecutionClient(neighbours.execution_channel, settings.execution_timeout, settings.hooks_timeout)
        self.sealed = SealedSettings(stores.entries, neighbours.vault, clock)
        data_keys = DataKeys(stores.entries, neighbours.vault, clock)
        book = AccountBook(stores.entries, data_keys, clock)
        told = asyncio.Event()
        self.hooks = _hooks(stores, neighbours, self.sealed, FactsOfNouns(stores.people, book), clock, told.set)
        announce = self.hooks.announce
        news = FlowNewsPublisher(neighbours.bus, announce, clock)
        records_changed = asyncio.Event()
        turns = Turns(stores.turns, clock)
        self.lifecycle = Lifecycle(stores.flows, stores.directory, turns, execution, news, clock)
        vendors, submitted, published = VendorBook(stores.people), asyncio.Event(), asyncio.Event()
        self.catalog = CatalogService(builtin, stores.bundles, vendors)
        self.publishing = PublishingService(
            self.catalog,
            stores.bundles,
            stores.publications,
            stores.directory,
            vendors,
            turns,
            neighbours.packages,
            clock,
            submitted,
            published,
        )
        rights_changed = asyncio.Event()
        self.access = AccessRules(stores.documents, clock, rights_changed.set)
        self.rights = rights = ComponentRights(self.access, stores.people, stores.groups, self.catalog)
        self.withdrawal = Withdrawal(rights, stores.directory, self.lifecycle)
        guests = GuestBook(stores.people, stores.groups)
        components = CatalogComponents(self.catalog, lambda: self.settings.modifiers())
        self.resolver = FlowResolver(stores.directory, components)
        self.use = FlowUse(stores.flows, self.catalog.app_ids)
        ordered = asyncio.Event()
        self.people = PeopleService(
            stores.people, passwords, _people_rules(settings), clock, rights_changed.set, announce
        )
        self.recovery = Recovery(stores.people, passwords, neighbours.mail, _people_rules(settings), clock)
        self.audit = AuditService(stores.audit, clock)
        self.groups = GroupService(stores.groups, stores.people.get, clock)
        self.authenticator = Authenticator(stores.tokens, clock)
        self.data_stores = DataStoreService(stores.data_stores, clock, records_changed, settings.request_memory)
        self.files = FileService(stores.files, clock, settings.max_file_bytes, settings.upload_lifetime)
        self.charts = ChartService(stores.charts, clock)
        ended = asyncio.Event()
        self.tasks = TaskService(stores.tasks, guests, stores.flows.get, neighbours.mail, clock, ended.set)
        self.telling = Telling(stores.task_agenda, stores.tasks, execution, clock)
        self.settings = SettingService(stores.documents, clock, default_modifiers)
        self.aliases = AliasService(stores.entries, stores.flows.get, clock)
        self.origins = Origins(stores.entries, clock)
        self.quotas = Quotas(stores.entries, clock, self.catalog.quota_sources, self.catalog.quotas)
        log_client = LogClient(neighbours.log_channel, settings.execution_timeout)
        account_news = AccountNewsPublisher(neighbours.bus, log_client, announce, clock)
        tickets = TicketBook(stores.entries, data_keys, clock)
        self.modules = modules = AuthModules(self.catalog, AuthModuleClient(neighbours.execution_channel), self.sealed)
        plugin_host = PluginClient(neighbours.execution_channel)
        self.plugin_jobs = PluginJobs(self.catalog, modules, plugin_host)
        self.tokens = TokenKeeper(book, modules, turns, account_news, clock)
        stop = stopper(self.lifecycle.stop, stores.flows.get)
        self.arrivals = Arrivals(stores.entries, self._catch_up, clock)
        self.accounts = AccountService(
            book, modules, self.tokens, stores.flows, guests, stop, self.arrivals, account_news, clock
        )
        waiting = Waiting(stores.flows, self.accounts)
        self.flows = FlowService(stores.flows, guests, self.lifecycle, components, rights, waiting, news, clock)
        self.publisher = Publisher(self.flows, stores.flows)
        self.integrations = IntegrationService(
            self.flows, stores.flows, stores.directory, stores.work, turns, execution, waiting, clock, ordered
        )
        self.connecting = Connecting(
            book, tickets, modules, self.accounts, guests.address, clock, believes_all=settings.mutant == "any_state"
        )
        self.rotation = Rotation(
            stores.entries,
            data_keys,
            book,
            self._reseal if settings.mutant != "no_reseal" else _nothing_sealed,
            neighbours.reload_keys,
            clock,
            settings.data_key_lifetime,
        )
        self.relay = Relay(stores.outbox, execution, log_client, clock)
        leaving = asyncio.Event()
        self.removal = Removal(
            stores.departures,
            stores.people,
            stores.flows,
            stores.directory,
            self.lifecycle,
            stores.data_stores,
            stores.files,
            stores.entries,
            stores.charts,
            stores.tasks,
            stores.groups,
            stores.publications,
            stores.hook_deliveries,
            log_client,
            execution,
            clock,
            leaving.set,
        )
        self._tasks = tasks
        self._mailing: asyncio.Task[None] | None = None
        self._loops = Loops(
            [
                Loop("flow reconciler", self.lifecycle.reconcile, settings.reconcile_every, self.lifecycle.unfinished),
                Loop("work at integrations", self.integrations.round, settings.reconcile_every, ordered),
                Loop("arrivals of accounts", self.arrivals.round, settings.reconcile_every, asyncio.Event()),
                Loop("pruning of work at integrations", self.integrations.prune, PRUNE_EVERY, asyncio.Event()),
                Loop("publications", self.publishing.round, settings.reconcile_every, submitted),
                Loop("pruning of publications", self.publishing.prune, PRUNE_EVERY, asyncio.Event()),
                Loop("jobs of plugins", self.plugin_jobs.round, settings.reconcile_every, published),
                Loop("withdrawal of components", self.withdrawal.round, LOOK_AGAIN, rights_changed),
                Loop("store relay", self.relay.round, settings.relay_every, records_changed),
                Loop("ends of tasks", self.telling.round, settings.relay_every, ended),
                Loop("removal of users", self.removal.round, settings.reconcile_every, leaving),
                Loop("pruning of removals", self.removal.prune, PRUNE_EVERY, asyncio.Event()),
                Loop("pruning of people", self.people.prune, PRUNE_EVERY, asyncio.Event()),
                Loop("pruning of store requests", self.data_stores.prune, PRUNE_EVERY, asyncio.Event()),
                Loop("keys of secrets", self.rotation.round, settings.key_rotation_every, asyncio.Event()),
                Loop("pruning of tickets", tickets.prune, PRUNE_EVERY, asyncio.Event()),
                Loop("pruning of uploads", self.files.prune, PRUNE_EVERY, asyncio.Event()),
                Loop("system webhooks", self.hooks.round, settings.relay_every, told),
                Loop("pruning of deliveries", self.hooks.prune, PRUNE_EVERY, asyncio.Event()),
            ],
            clock,
        )

    async def _catch_up(self, tenant: str, flow_id: str) -> None:
        await self.flows.catch_up(tenant, flow_id)

    async def _reseal(self) -> int:
        return await self.sealed.reseal() + await self.hooks.book.reseal()

    def register(self, server: Server) -> None:
        """Answer the services of the flow manager at this server."""
        HookServicer(self.hooks).register(server)
        FlowServicer(self.flows, self.resolver, self.use).register(server)
        IntegrationServicer(self.integrations, self.publisher).register(server)
        PeopleServicer(self.people, self.authenticator, self.recovery, self.removal, self.groups).register(server)
        GroupServicer(self.groups).register(server)
        AuditServicer(self.audit).register(server)
        CatalogServicer(self.catalog, self.publishing, self.rights, self.modules).register(server)
        StoreServicer(self.data_stores).register(server)
        FileServicer(self.files).register(server)
        AliasServicer(self.aliases).register(server)
        ChartServicer(self.charts).register(server)
        TaskServicer(self.tasks).register(server)
        AccountServicer(self.accounts, self.connecting).register(server)
        SettingServicer(
            self.settings, self.sealed, self.access, self.origins, self.quotas, self.withdrawal.preview
        ).register(server)

    async def start(self) -> None:
        """Begin with unfinished work: flows on their way, changes that nobody heard. Again, it changes nothing."""
        self._loops.start(self._tasks)
        self._mailing = self._mailing or self._tasks.create_task(self.recovery.run(), name="mailing of codes")

    async def drain(self) -> None:
        """End the work of its own; calls are still answered. Draining again changes nothing."""
        self._loops.stop()
        if self._mailing is not None:
            self._mailing.cancel()
            self._mailing = None
        await self.tokens.settle()


@asynccontextmanager
async def open_app(
    database: Path | Stores,
    *,
    catalog: Sequence[Published],
    execution_channel: Channel,
    clock: Clock,
    settings: FlowManagerSettings,
    log_channel: Channel | None = None,
    bus: Bus | None = None,
    mail: Mail | None = None,
    vault: Sealing | None = None,
    reload_keys: Reload | None = None,
    packages: PackageSource | None = None,
    sender: Sender | None = None,
    apps: Mapping[str, Mapping[str, Json]] | None = None,
    bundles: Mapping[str, Mapping[str, Json]] | None = None,
    quotas: Mapping[str, str] | None = None,
) -> AsyncIterator[FlowManagerApp]:
    """A flow manager for the length of the block, over a SQLite file or over stores that stay the caller's to close.

    Without mail nobody can ask for a new password, without a vault no secret is kept, without packages no bundle
    that needs some is published, without a sender no webhook is told. Without a bus others learn of
    changes when they look again; without a log, changes of data stores that nobody takes stand in the service's own
    log only. `quotas` are the sources that connectors bring, by name.
    """
    stores = await open_stores(database) if isinstance(database, Path) else database
    passwords = await asyncio.to_thread(Passwords)
    try:
        async with asyncio.TaskGroup() as tasks:
            app = FlowManagerApp(
                stores,
                _catalog([_entry(each) for each in catalog], apps or {}, bundles or {}, quotas or {}),
                Neighbours(
                    execution_channel,
                    log_channel,
                    bus,
                    mail,
                    vault,
                    reload_keys or _nothing_new,
                    packages or NoPackages(),
                    sender,
                ),
                passwords,
                clock,
                settings,
                tasks,
            )
            try:
                yield app
            finally:
                await app.drain()
    finally:
        passwords.close()
        if stores is not database:
            await stores.close()


def _hooks(
    stores: Stores,
    neighbours: Neighbours,
    sealed: SealedSettings,
    facts: FactsOfNouns,
    clock: Clock,
    wake: Callable[[], None],
) -> HookService:
    book = HookBook(stores.entries, neighbours.vault, sealed, clock)
    sender = neighbours.sender
    delivering = Delivering(book, stores.hook_deliveries, facts, sender, clock) if sender is not None else None
    return HookService(book, stores.hook_deliveries, delivering, facts, clock, wake)


async def _nothing_sealed() -> int:
    """What seals again that is broken on purpose, for the chaos tests."""
    return 0


async def _nothing_new() -> None:
    """The keys of who has no other source of them."""


def _catalog(
    entries: Sequence[CatalogEntry],
    apps: Mapping[str, Mapping[str, Json]],
    bundles: Mapping[str, Mapping[str, Json]],
    quotas: Mapping[str, str],
) -> Catalog:
    """What comes with Headrace. Auth modules of built-in components lie in no content: the executor has them."""
    services = {need.service for entry in entries if (need := entry.parsed.auth) is not None}
    auths = {each: AuthModule(each, "", each.replace(":", "/"), "python") for each in services}
    return Catalog(entries, apps, bundles, quotas, auths)


def _entry(published: Published) -> CatalogEntry:
    if isinstance(published, CatalogEntry):
        return published
    return CatalogEntry(published.type, published.manifest)


def _people_rules(settings: FlowManagerSettings) -> PeopleRules:
    return PeopleRules(
        token_lifetime=settings.token_lifetime,
        tokens_per_user=settings.tokens_per_user,
        attempts_per_login=settings.attempts_per_login,
        attempts_per_address=settings.attempts_per_address,
        attempts_window=settings.attempts_window,
        reset_lifetime=settings.reset_lifetime,
        reset_url=settings.reset_url,
    )
