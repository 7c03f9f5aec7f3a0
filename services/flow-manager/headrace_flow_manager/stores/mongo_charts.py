"""Charts in MongoDB: a document each; every change is one conditional write of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from headrace_core.errors import AlreadyExists, NotFound, RevisionConflict
from headrace_runtime.mongo import Mongo
from pymongo import IndexModel

from headrace_flow_manager import times
from headrace_flow_manager.insights.model import Chart
from headrace_flow_manager.scope import EveryTenant, Tenants
from headrace_flow_manager.stores.mongo_values import packed, unpacked

CHARTS: Final = "charts"
INDEXES: Mapping[str, Sequence[IndexModel]] = {CHARTS: [IndexModel([("tenant_id", 1), ("created_at", 1)])]}


class MongoChartStore:
    """The ChartStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def add(self, chart: Chart) -> None:
        made = {"tenant_id": chart.tenant_id, "created_at": times.to_micros(chart.created_at), **_changing(chart)}
        async with self._mongo.asking() as database:
            done = await database[CHARTS].update_one({"_id": chart.chart_id}, {"$setOnInsert": made}, upsert=True)
            kept = None if done.upserted_id is not None else await database[CHARTS].find_one({"_id": chart.chart_id})
        if kept is not None and _chart(kept) != chart:
            raise AlreadyExists(f"There is a chart {chart.chart_id!r} already.")

    async def get(self, tenants: Tenants, chart_id: str) -> Chart:
        async with self._mongo.asking() as database:
            found = await database[CHARTS].find_one({"_id": chart_id, **_of(tenants)})
        if found is None:
            raise NotFound("chart", chart_id)
        return _chart(found)

    async def all(self, tenants: Tenants) -> Sequence[Chart]:
        async with self._mongo.asking() as database:
            found = database[CHARTS].find(_of(tenants)).sort([("created_at", 1), ("_id", 1)])
            return [_chart(each) async for each in found]

    async def replace(self, chart: Chart, before: int) -> None:
        whose = {"_id": chart.chart_id, "tenant_id": chart.tenant_id}
        async with self._mongo.asking() as database:
            done = await database[CHARTS].update_one({**whose, "revision": before}, {"$set": _changing(chart)})
            if done.matched_count:
                return
            found = await database[CHARTS].find_one(whose)
        if found is None:
            raise NotFound("chart", chart.chart_id)
        raise RevisionConflict(f"Chart {chart.chart_id!r} was saved in between. Read it again and save that.")

    async def delete(self, tenant: str, chart_id: str) -> None:
        async with self._mongo.asking() as database:
            gone = await database[CHARTS].delete_one({"_id": chart_id, "tenant_id": tenant})
        if not gone.deleted_count:
            raise NotFound("chart", chart_id)

    async def delete_owned(self, tenant: str) -> None:
        async with self._mongo.asking() as database:
            await database[CHARTS].delete_many({"tenant_id": tenant})


def _of(tenants: Tenants) -> dict[str, str]:
    return {} if isinstance(tenants, EveryTenant) else {"tenant_id": tenants}


def _changing(chart: Chart) -> dict[str, Any]:
    return {
        "document": packed(chart.document),
        "revision": chart.revision,
        "updated_at": times.to_micros(chart.updated_at),
    }


def _chart(found: Mapping[str, Any]) -> Chart:
    return Chart(
        found["_id"],
        found["tenant_id"],
        unpacked(found["document"]),
        found["revision"],
        times.from_micros(found["created_at"]),
        times.from_micros(found["updated_at"]),
    )
