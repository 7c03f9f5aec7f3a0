"""Charts in SQLite."""

import sqlite3
from collections.abc import Sequence

from headrace_core.errors import AlreadyExists, NotFound, RevisionConflict
from headrace_runtime.sqlite import Database

from headrace_flow_manager import json_text, times
from headrace_flow_manager.insights.model import Chart
from headrace_flow_manager.scope import Tenants
from headrace_flow_manager.stores.values import changed_rows, of_tenants, parsed_object

SCHEMA = """
CREATE TABLE charts (
    chart_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    document TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX charts_by_tenant ON charts (tenant_id, created_at);
"""


class SqliteChartStore:
    """The ChartStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, chart: Chart) -> None:
        values = (*_changing(chart), chart.chart_id, chart.tenant_id, times.to_micros(chart.created_at))

        def work(connection: sqlite3.Connection) -> None:
            made = connection.execute(
                "INSERT OR IGNORE INTO charts (document, revision, updated_at, chart_id, tenant_id, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
            if not changed_rows(made):
                row = connection.execute("SELECT * FROM charts WHERE chart_id = ?", (chart.chart_id,)).fetchone()
                if _needed(row, chart.chart_id) != chart:
                    raise AlreadyExists(f"There is a chart {chart.chart_id!r} already.")

        await self._database.write(work)

    async def get(self, tenants: Tenants, chart_id: str) -> Chart:
        where, values = of_tenants(tenants)

        def work(connection: sqlite3.Connection) -> Chart:
            row = connection.execute(f"SELECT * FROM charts WHERE chart_id = ? AND {where}", (chart_id, *values))
            return _needed(row.fetchone(), chart_id)

        return await self._database.read(work)

    async def all(self, tenants: Tenants) -> Sequence[Chart]:
        where, values = of_tenants(tenants)

        def work(connection: sqlite3.Connection) -> list[Chart]:
            rows = connection.execute(f"SELECT * FROM charts WHERE {where} ORDER BY created_at, chart_id", values)
            return [_chart(row) for row in rows]

        return await self._database.read(work)

    async def replace(self, chart: Chart, before: int) -> None:
        whose = (chart.chart_id, chart.tenant_id)
        values = (*_changing(chart), *whose, before)

        def work(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE charts SET document = ?, revision = ?, updated_at = ? "
                "WHERE chart_id = ? AND tenant_id = ? AND revision = ?",
                values,
            )
            if not changed_rows(changed):
                row = connection.execute("SELECT * FROM charts WHERE chart_id = ? AND tenant_id = ?", whose)
                _needed(row.fetchone(), chart.chart_id)
                raise RevisionConflict(f"Chart {chart.chart_id!r} was saved in between. Read it again and save that.")

        await self._database.write(work)

    async def delete(self, tenant: str, chart_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            gone = connection.execute("DELETE FROM charts WHERE chart_id = ? AND tenant_id = ?", (chart_id, tenant))
            if not changed_rows(gone):
                raise NotFound("chart", chart_id)

        await self._database.write(work)

    async def delete_owned(self, tenant: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM charts WHERE tenant_id = ?", (tenant,))

        await self._database.write(work)


def _changing(chart: Chart) -> tuple[str, int, int]:
    return json_text.encode(dict(chart.document)), chart.revision, times.to_micros(chart.updated_at)


def _needed(row: sqlite3.Row | None, chart_id: str) -> Chart:
    if row is None:
        raise NotFound("chart", chart_id)
    return _chart(row)


def _chart(row: sqlite3.Row) -> Chart:
    return Chart(
        row["chart_id"],
        row["tenant_id"],
        parsed_object(row["document"]),
        row["revision"],
        times.from_micros(row["created_at"]),
        times.from_micros(row["updated_at"]),
    )
