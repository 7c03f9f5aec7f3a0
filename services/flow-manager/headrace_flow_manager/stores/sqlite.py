"""One SQLite file with everything the flow manager keeps."""

from collections.abc import Callable
from pathlib import Path

from headrace_runtime.sqlite import Database

from headrace_flow_manager.stores import (
    sqlite_audit,
    sqlite_bundles,
    sqlite_charts,
    sqlite_data_stores,
    sqlite_departures,
    sqlite_entries,
    sqlite_files,
    sqlite_flows,
    sqlite_groups,
    sqlite_hooks,
    sqlite_people,
    sqlite_settings,
    sqlite_tasks,
    sqlite_work,
)
from headrace_flow_manager.stores.bundle import Stores
from headrace_flow_manager.stores.process_turns import ProcessTurns
from headrace_flow_manager.stores.sqlite_audit import SqliteAuditStore
from headrace_flow_manager.stores.sqlite_bundles import SqliteBundleStore, SqlitePublicationStore
from headrace_flow_manager.stores.sqlite_charts import SqliteChartStore
from headrace_flow_manager.stores.sqlite_data_stores import SqliteDataStores, SqliteOutbox
from headrace_flow_manager.stores.sqlite_departures import SqliteDepartures
from headrace_flow_manager.stores.sqlite_entries import SqliteEntryStore
from headrace_flow_manager.stores.sqlite_files import SqliteFileStore
from headrace_flow_manager.stores.sqlite_flows import SqliteFlowDirectory, SqliteFlowStore
from headrace_flow_manager.stores.sqlite_groups import SqliteGroupStore
from headrace_flow_manager.stores.sqlite_hooks import SqliteDeliveryStore
from headrace_flow_manager.stores.sqlite_people import SqlitePeopleStore, SqliteTokenLookup
from headrace_flow_manager.stores.sqlite_settings import SqliteDocumentStore
from headrace_flow_manager.stores.sqlite_tasks import SqliteTaskAgenda, SqliteTaskStore
from headrace_flow_manager.stores.sqlite_work import SqliteWorkStore

MIGRATIONS = (
    sqlite_flows.SCHEMA,
    sqlite_people.SCHEMA,
    sqlite_data_stores.SCHEMA,
    sqlite_files.SCHEMA,
    sqlite_settings.SCHEMA,
    sqlite_flows.TEMPLATES_SCHEMA,
    sqlite_work.SCHEMA,
    sqlite_people.PERSONAL_TOKENS,
    sqlite_departures.SCHEMA,
    sqlite_people.RESET_CODES,
    sqlite_entries.SCHEMA,
    sqlite_charts.SCHEMA,
    sqlite_flows.SHARES_SCHEMA,
    sqlite_tasks.SCHEMA,
    sqlite_groups.SCHEMA,
    sqlite_bundles.SCHEMA,
    sqlite_flows.BUNDLES_SCHEMA,
    sqlite_audit.SCHEMA,
    sqlite_people.IMPERSONATION,
    sqlite_hooks.SCHEMA,
    sqlite_audit.LOOKED_THROUGH,
    sqlite_work.WAITING,
)
"""In the order they were made. One that is released never changes; the next one is added at the end."""


async def open_stores(path: Path, *, on_broken: Callable[[BaseException], None] | None = None) -> Stores:
    """Open or make the file. `on_broken` hears once when a commit failed: the process should end then."""
    database = await Database.open(path, MIGRATIONS, on_broken=on_broken)
    return Stores(
        flows=SqliteFlowStore(database),
        directory=SqliteFlowDirectory(database),
        work=SqliteWorkStore(database),
        turns=ProcessTurns(),
        people=SqlitePeopleStore(database),
        tokens=SqliteTokenLookup(database),
        departures=SqliteDepartures(database),
        data_stores=SqliteDataStores(database),
        outbox=SqliteOutbox(database),
        files=SqliteFileStore(database),
        documents=SqliteDocumentStore(database),
        entries=SqliteEntryStore(database),
        charts=SqliteChartStore(database),
        groups=SqliteGroupStore(database),
        audit=SqliteAuditStore(database),
        tasks=SqliteTaskStore(database),
        task_agenda=SqliteTaskAgenda(database),
        bundles=SqliteBundleStore(database),
        publications=SqlitePublicationStore(database),
        hook_deliveries=SqliteDeliveryStore(database),
        closing=database.close,
    )
