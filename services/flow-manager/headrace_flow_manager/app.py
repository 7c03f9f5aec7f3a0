"""Flow-manager put together from what it is handed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from headrace.catalog.v1.catalog_service_pb2_grpc import add_CatalogServiceServicer_to_server
from headrace.file.v1.file_service_pb2_grpc import add_FileServiceServicer_to_server
from headrace.flow.v1.flow_service_pb2_grpc import add_FlowServiceServicer_to_server
from headrace.people.v1.people_service_pb2_grpc import add_PeopleServiceServicer_to_server
from headrace.setting.v1.setting_service_pb2_grpc import add_SettingServiceServicer_to_server
from headrace.store.v1.store_service_pb2_grpc import add_StoreServiceServicer_to_server
from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Problem
from headrace_core.flow import Flow
from headrace_core.manifest import Manifest
from headrace_core.ports import Bus
from headrace_core.validation import validate_flow

from headrace_flow_manager.catalog.model import CatalogEntry
from headrace_flow_manager.catalog.service import CatalogService
from headrace_flow_manager.catalog.servicer import CatalogServicer
from headrace_flow_manager.clients import BusNews, ExecutionClient
from headrace_flow_manager.configuration import FlowManagerSettings
from headrace_flow_manager.data_stores.service import DataStoreService, Relay
from headrace_flow_manager.data_stores.servicer import StoreServicer
from headrace_flow_manager.data_stores.store import DataStores
from headrace_flow_manager.files.servicer import FileServicer
from headrace_flow_manager.files.store import Files
from headrace_flow_manager.flows.lifecycle import Lifecycle
from headrace_flow_manager.flows.service import FlowResolver, FlowService
from headrace_flow_manager.flows.servicer import FlowServicer
from headrace_flow_manager.flows.store import FlowDirectory, FlowStore
from headrace_flow_manager.loops import Loop, Loops
from headrace_flow_manager.people.model import PeopleRules
from headrace_flow_manager.people.passwords import Passwords
from headrace_flow_manager.people.service import Authenticator, PeopleService
from headrace_flow_manager.people.servicer import PeopleServicer
from headrace_flow_manager.people.store import PeopleStore, TokenLookup
from headrace_flow_manager.settings.servicer import SettingServicer
from headrace_flow_manager.settings.store import Documents

if TYPE_CHECKING:
    import grpc.aio

PURGE_BATCH = 100
UPLOADS_EVERY = timedelta(minutes=10)


class Stores(Protocol):
    """Everything it keeps."""

    @property
    def people(self) -> PeopleStore: ...
    @property
    def tokens(self) -> TokenLookup: ...
    @property
    def flows(self) -> FlowStore: ...
    @property
    def directory(self) -> FlowDirectory: ...
    @property
    def data_stores(self) -> DataStores: ...
    @property
    def files(self) -> Files: ...
    @property
    def documents(self) -> Documents: ...


@dataclass(slots=True)
class FlowManagerApp:
    """A flow-manager. `start` begins its loops; `drain` ends them."""

    servicers: Sequence[tuple[Any, Any]]  # (how to add it, servicer)
    loops: Loops
    tasks: asyncio.TaskGroup

    def register(self, server: Any) -> None:
        """Answer its six services at this server."""
        for add, servicer in self.servicers:
            add(servicer, server)

    async def start(self) -> None:
        """Begin to finish what is under way and to relay changes. Starting again changes nothing."""
        self.loops.start(self.tasks)

    async def drain(self) -> None:
        """End the loops. What they left is taken up at the next start."""
        self.loops.stop()


@asynccontextmanager
async def open_app(
    stores: Stores,
    *,
    catalog: Sequence[CatalogEntry],
    apps: Mapping[str, Mapping[str, Json]],
    bundles: Mapping[str, Mapping[str, Json]],
    execution_channel: grpc.aio.Channel,
    bus: Bus,
    clock: Clock,
    settings: FlowManagerSettings,
) -> AsyncIterator[FlowManagerApp]:
    """A flow-manager over these stores for the length of the block. The stores stay the caller's to close."""
    execution = ExecutionClient(execution_channel, settings.execution_timeout)
    news = BusNews(bus)
    known = CatalogService(catalog, apps, bundles)
    lifecycle = Lifecycle(stores.flows, stores.directory, execution, news, clock)
    flows = FlowService(stores.flows, lifecycle, _Validation(catalog), news, clock)
    passwords = Passwords()
    people = PeopleService(stores.people, passwords, _rules(settings), clock)
    data = DataStoreService(stores.data_stores, clock)
    relay = Relay(stores.data_stores, execution.deliver)

    async def purge_uploads() -> bool:
        before = (clock.now() - settings.upload_lifetime).timestamp()
        return await stores.files.purge(before, PURGE_BATCH) == PURGE_BATCH

    loops = Loops(
        [
            Loop("flow reconciler", lifecycle.reconcile, settings.reconcile_every, asyncio.Event()),
            Loop("data store relay", relay.round, settings.relay_every, data.changed),
            Loop("upload purge", purge_uploads, UPLOADS_EVERY, asyncio.Event()),
        ],
        clock,
    )
    servicers = [
        (add_PeopleServiceServicer_to_server, PeopleServicer(people, Authenticator(stores.tokens, clock))),
        (add_FlowServiceServicer_to_server, FlowServicer(flows, FlowResolver(stores.directory))),
        (add_CatalogServiceServicer_to_server, CatalogServicer(known)),
        (add_StoreServiceServicer_to_server, StoreServicer(data)),
        (add_FileServiceServicer_to_server, FileServicer(stores.files, clock, settings.max_file_bytes)),
        (add_SettingServiceServicer_to_server, SettingServicer(stores.documents)),
    ]
    try:
        async with asyncio.TaskGroup() as tasks:
            app = FlowManagerApp(servicers, loops, tasks)
            try:
                yield app
            finally:
                loops.stop()
    finally:
        passwords.close()


class _Validation:
    """Examines a descriptor against the components there are."""

    def __init__(self, catalog: Sequence[CatalogEntry]) -> None:
        self._manifests = {entry.parsed.type: entry.parsed for entry in catalog}

    def __call__(self, flow: Flow) -> Sequence[Problem]:
        return validate_flow(flow, self._find, strict=True, known_types=tuple(self._manifests))

    def _find(self, component_type: str) -> Manifest | None:
        return self._manifests.get(component_type)


def _rules(settings: FlowManagerSettings) -> PeopleRules:
    return PeopleRules(
        settings.token_lifetime,
        settings.tokens_per_user,
        settings.attempts_per_login,
        settings.attempts_per_address,
        settings.attempts_window,
    )
