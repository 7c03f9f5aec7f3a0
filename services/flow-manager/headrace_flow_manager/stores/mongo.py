"""One database of MongoDB with everything the flow manager keeps; any number of flow managers share it."""

from collections.abc import Sequence
from datetime import timedelta

from headrace_runtime.metrics import Metrics
from headrace_runtime.mongo import Mongo, Version, open_mongo

from headrace_flow_manager.stores import (
    mongo_audit,
    mongo_bundles,
    mongo_charts,
    mongo_data_stores,
    mongo_departures,
    mongo_entries,
    mongo_files,
    mongo_flows,
    mongo_groups,
    mongo_hooks,
    mongo_people,
    mongo_settings,
    mongo_tasks,
    mongo_work,
)
from headrace_flow_manager.stores.bundle import Stores
from headrace_flow_manager.stores.mongo_audit import MongoAuditStore
from headrace_flow_manager.stores.mongo_bundles import MongoBundleStore, MongoPublicationStore
from headrace_flow_manager.stores.mongo_charts import MongoChartStore
from headrace_flow_manager.stores.mongo_data_stores import MongoDataStores
from headrace_flow_manager.stores.mongo_departures import MongoDepartures
from headrace_flow_manager.stores.mongo_entries import MongoEntryStore
from headrace_flow_manager.stores.mongo_files import MongoFileStore
from headrace_flow_manager.stores.mongo_flow_directory import MongoFlowDirectory
from headrace_flow_manager.stores.mongo_flows import MongoFlowsStore
from headrace_flow_manager.stores.mongo_groups import MongoGroupStore
from headrace_flow_manager.stores.mongo_hooks import MongoDeliveryStore
from headrace_flow_manager.stores.mongo_outbox import MongoOutbox
from headrace_flow_manager.stores.mongo_people import MongoPeopleStore, MongoTokenLookup
from headrace_flow_manager.stores.mongo_settings import MongoSettingsStore
from headrace_flow_manager.stores.mongo_tasks import MongoTaskAgenda, MongoTaskStore
from headrace_flow_manager.stores.mongo_turns import MongoTurns
from headrace_flow_manager.stores.mongo_work import MongoWorkStore

PATIENCE = timedelta(seconds=2)
"""How long a call waits for MongoDB: who asked hears within two seconds that it is away, and comes again."""

VERSIONS: Sequence[Version] = (
    {
        **mongo_flows.INDEXES,
        **mongo_people.INDEXES,
        **mongo_data_stores.INDEXES,
        **mongo_files.INDEXES,
        **mongo_settings.INDEXES,
    },
    {**mongo_flows.TEMPLATE_INDEXES, **mongo_work.INDEXES},
    mongo_people.PERSONAL_INDEXES,
    mongo_departures.INDEXES,
    mongo_people.RESET_INDEXES,
    mongo_entries.INDEXES,
    {**mongo_charts.INDEXES},
    mongo_flows.SHARES_INDEXES,
    mongo_flows.fill_in,
    mongo_tasks.INDEXES,
    mongo_groups.INDEXES,
    {**mongo_bundles.INDEXES, **mongo_flows.BUNDLE_INDEXES},
    mongo_audit.INDEXES,
    mongo_hooks.INDEXES,
    {**mongo_flows.ORDER_INDEXES, **mongo_audit.LOOKED_THROUGH},
    mongo_audit.fill_in,
)
"""In the order they were made. One that is released never changes; the next one is added at the end."""


async def open_stores(
    url: str, database: str, *, patience: timedelta = PATIENCE, metrics: Metrics | None = None
) -> Stores:
    """Open or make the database as soon as the server can be used. Raises Conflict when waiting does not help."""
    mongo = await open_mongo(url, database, VERSIONS, patience=patience, prompt=True)
    if metrics is not None:
        mongo.count_in(metrics)
    return stores_of(mongo)


def stores_of(mongo: Mongo) -> Stores:
    """Every port over an open database."""
    return Stores(
        flows=MongoFlowsStore(mongo),
        directory=MongoFlowDirectory(mongo),
        work=MongoWorkStore(mongo),
        turns=MongoTurns(mongo),
        people=MongoPeopleStore(mongo),
        tokens=MongoTokenLookup(mongo),
        departures=MongoDepartures(mongo),
        data_stores=MongoDataStores(mongo),
        outbox=MongoOutbox(mongo),
        files=MongoFileStore(mongo),
        documents=MongoSettingsStore(mongo),
        entries=MongoEntryStore(mongo),
        charts=MongoChartStore(mongo),
        groups=MongoGroupStore(mongo),
        audit=MongoAuditStore(mongo),
        tasks=MongoTaskStore(mongo),
        task_agenda=MongoTaskAgenda(mongo),
        bundles=MongoBundleStore(mongo),
        publications=MongoPublicationStore(mongo),
        hook_deliveries=MongoDeliveryStore(mongo),
        closing=mongo.close,
    )
