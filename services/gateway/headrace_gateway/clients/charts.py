"""Charts of the log."""

import orjson
from headrace.chart.v1 import chart_service_pb2
from headrace.chart.v1.chart_service_pb2_grpc import ChartServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_object, moment, query_to_proto, scope_to_proto
from headrace_gateway.identity import Scope
from headrace_gateway.queries import ListQuery


class ChartClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = ChartServiceStub(channel)
        self._timeout = timeout_seconds

    async def create(self, scope: Scope, document: dict[str, Json], chart_id: str = "") -> dict[str, Json]:
        """Keep a new chart, under a fresh id or the one given. Raises ValidationFailed, TooLarge, AlreadyExists."""
        request = chart_service_pb2.CreateChartRequest(
            scope=scope_to_proto(scope), document=orjson.dumps(document), chart_id=chart_id
        )
        return _chart_to_json((await self._stub.CreateChart(request, timeout=self._timeout)).chart)

    async def get(self, scope: Scope, chart_id: str) -> dict[str, Json]:
        """The chart. Raises NotFound."""
        request = chart_service_pb2.GetChartRequest(scope=scope_to_proto(scope), chart_id=chart_id)
        return _chart_to_json((await self._stub.GetChart(request, timeout=self._timeout)).chart)

    async def page(self, scope: Scope, query: ListQuery) -> list[dict[str, Json]]:
        """A page of charts."""
        request = chart_service_pb2.ListChartsRequest(scope=scope_to_proto(scope), query=query_to_proto(query))
        answer = await self._stub.ListCharts(request, timeout=self._timeout)
        return [_chart_to_json(each) for each in answer.charts]

    async def update(
        self, scope: Scope, chart_id: str, changes: dict[str, Json], expected_revision: int
    ) -> dict[str, Json]:
        """Change the fields that are given. Raises ValidationFailed, TooLarge, NotFound and RevisionConflict."""
        request = chart_service_pb2.UpdateChartRequest(
            scope=scope_to_proto(scope),
            chart_id=chart_id,
            changes=orjson.dumps(changes),
            expected_revision=expected_revision,
        )
        return _chart_to_json((await self._stub.UpdateChart(request, timeout=self._timeout)).chart)

    async def delete(self, scope: Scope, chart_id: str) -> None:
        """Take the chart away. Raises NotFound."""
        request = chart_service_pb2.DeleteChartRequest(scope=scope_to_proto(scope), chart_id=chart_id)
        await self._stub.DeleteChart(request, timeout=self._timeout)


def _chart_to_json(chart: chart_service_pb2.Chart) -> dict[str, Json]:
    return {
        **json_object(chart.document),
        "chartId": chart.chart_id,
        "userId": chart.tenant_id,
        "revision": chart.revision,
        "created": moment(chart, "created_at"),
        "mtime": moment(chart, "updated_at"),
    }
