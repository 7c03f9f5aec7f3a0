"""What can be done with charts."""

from collections.abc import Mapping
from dataclasses import replace

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, RevisionConflict
from headrace_core.ids import new_id

from headrace_flow_manager import json_text
from headrace_flow_manager.insights import model
from headrace_flow_manager.insights.model import Chart
from headrace_flow_manager.insights.store import ChartStore
from headrace_flow_manager.query import ListQuery, Page, Selection
from headrace_flow_manager.scope import Tenants


class ChartService:
    """Keeps the charts of each tenant."""

    def __init__(self, store: ChartStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, tenant: str, document: Mapping[str, Json], chart_id: str = "") -> Chart:
        """Keep a new chart, under a fresh id or the one given.

        Raises ValidationFailed, TooLarge, Conflict when the tenant has too many, or AlreadyExists for an id that is
        taken.
        """
        if chart_id:
            model.check_chart_id(chart_id)
        model.check(document)
        if len(await self._store.all(tenant)) >= model.MAX_CHARTS:
            raise Conflict(f"There are {model.MAX_CHARTS} charts already: delete one first.")
        now = self._clock.now()
        chart = Chart(chart_id or new_id(), tenant, document, 1, now, now)
        await self._store.add(chart)
        return chart

    async def get(self, tenants: Tenants, chart_id: str) -> Chart:
        """The chart. Raises NotFound."""
        return await self._store.get(tenants, chart_id)

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[Chart]:
        """A page of charts; by their index, then by when they were made, unless another order is asked for."""
        selection = Selection(query)
        charts = sorted(await self._store.all(tenants), key=_index)
        return selection.page((chart, model.public(chart)) for chart in charts)

    async def update(self, tenant: str, chart_id: str, changes: Mapping[str, Json], expected_revision: int) -> Chart:
        """Change the fields that are given; what says the same as before is no save.

        Raises as `create` does, NotFound, and RevisionConflict.
        """
        before = await self._store.get(tenant, chart_id)
        if expected_revision not in (0, before.revision):
            raise RevisionConflict(f"Chart {chart_id!r} was saved in between. Read it again and save that.")
        document = {**before.document, **changes}
        model.check(document)
        if json_text.encode_canonical(document) == json_text.encode_canonical(dict(before.document)):
            return before
        after = replace(before, document=document, revision=before.revision + 1, updated_at=self._clock.now())
        await self._store.replace(after, before.revision)
        return after

    async def delete(self, tenant: str, chart_id: str) -> None:
        """Take the chart away. Raises NotFound."""
        await self._store.delete(tenant, chart_id)


def _index(chart: Chart) -> float:
    index = chart.document.get("index", 0)
    return float(index) if isinstance(index, (int, float)) else 0.0
