"""headrace.chart.v1: decode, call, encode."""

from headrace.chart.v1 import chart_service_pb2 as pb
from headrace.chart.v1 import chart_service_pb2_grpc as grpc_pb
from headrace_runtime.rpc import Server

from headrace_flow_manager import json_text
from headrace_flow_manager.insights.model import Chart
from headrace_flow_manager.insights.service import ChartService
from headrace_flow_manager.servicer import json_bytes, query_of, scope_of, tenant_of, timestamp


class ChartServicer(grpc_pb.ChartServiceServicer):
    """Answers headrace.chart.v1.ChartService."""

    def __init__(self, charts: ChartService) -> None:
        self._charts = charts

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_ChartServiceServicer_to_server(self, server)

    async def CreateChart(self, request: pb.CreateChartRequest, context: object) -> pb.CreateChartResponse:
        document = json_text.decode_object(request.document, "chart")
        made = await self._charts.create(tenant_of(request.scope), document, request.chart_id)
        return pb.CreateChartResponse(chart=_encoded(made))

    async def GetChart(self, request: pb.GetChartRequest, context: object) -> pb.GetChartResponse:
        chart = await self._charts.get(scope_of(request.scope).readable, request.chart_id)
        return pb.GetChartResponse(chart=_encoded(chart))

    async def ListCharts(self, request: pb.ListChartsRequest, context: object) -> pb.ListChartsResponse:
        page = await self._charts.page(scope_of(request.scope).readable, query_of(request.query))
        return pb.ListChartsResponse(charts=map(_encoded, page.items), total=page.total)

    async def UpdateChart(self, request: pb.UpdateChartRequest, context: object) -> pb.UpdateChartResponse:
        changes = json_text.decode_object(request.changes, "changes of the chart")
        tenant = tenant_of(request.scope)
        chart = await self._charts.update(tenant, request.chart_id, changes, request.expected_revision)
        return pb.UpdateChartResponse(chart=_encoded(chart))

    async def DeleteChart(self, request: pb.DeleteChartRequest, context: object) -> pb.DeleteChartResponse:
        await self._charts.delete(tenant_of(request.scope), request.chart_id)
        return pb.DeleteChartResponse()


def _encoded(chart: Chart) -> pb.Chart:
    return pb.Chart(
        chart_id=chart.chart_id,
        tenant_id=chart.tenant_id,
        document=json_bytes(chart.document),
        revision=chart.revision,
        created_at=timestamp(chart.created_at),
        updated_at=timestamp(chart.updated_at),
    )
