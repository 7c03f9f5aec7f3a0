"""Every port of the flow manager over one database, whichever it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headrace_flow_manager.audit.store import AuditStore
from headrace_flow_manager.catalog.store import BundleStore, PublicationStore
from headrace_flow_manager.data_stores.store import DataStores, Outbox
from headrace_flow_manager.entries import EntryStore
from headrace_flow_manager.files.store import FileStore
from headrace_flow_manager.flows.store import FlowDirectory, FlowStore, TurnStore, WorkStore
from headrace_flow_manager.groups.store import GroupStore
from headrace_flow_manager.hooks.store import DeliveryStore
from headrace_flow_manager.insights.store import ChartStore
from headrace_flow_manager.people.store import DepartureStore, PeopleStore, TokenLookup
from headrace_flow_manager.settings.store import DocumentStore
from headrace_flow_manager.tasks.store import TaskAgenda, TaskStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What a flow manager keeps its nouns in."""

    flows: FlowStore
    directory: FlowDirectory
    work: WorkStore
    turns: TurnStore
    people: PeopleStore
    tokens: TokenLookup
    departures: DepartureStore
    data_stores: DataStores
    outbox: Outbox
    files: FileStore
    documents: DocumentStore
    entries: EntryStore
    charts: ChartStore
    groups: GroupStore
    audit: AuditStore
    tasks: TaskStore
    task_agenda: TaskAgenda
    bundles: BundleStore
    publications: PublicationStore
    hook_deliveries: DeliveryStore
    closing: Callable[[], Awaitable[None]]

    async def close(self) -> None:
        """Finish the writes that wait, then close. Closing again changes nothing."""
        await self.closing()
