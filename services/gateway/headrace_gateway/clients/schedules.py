"""Timers."""

from headrace.schedule.v1 import schedule_service_pb2 as pb
from headrace.schedule.v1.schedule_service_pb2_grpc import ScheduleServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_object, moment


class ScheduleClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = ScheduleServiceStub(channel)
        self._timeout = timeout_seconds

    async def jobs(self, after: str, limit: int) -> list[dict[str, Json]]:
        """A page of the timers of all tenants by id, after this one."""
        request = pb.ListTimersRequest(after_timer_id=after, limit=limit)
        answer = await self._stub.ListTimers(request, timeout=self._timeout)
        return [_job(each) for each in answer.timers]


def _job(timer: pb.Timer) -> dict[str, Json]:
    return {
        "jobId": timer.timer_id,
        "userId": timer.tenant_id,
        "flowId": timer.flow_id or None,
        "componentId": timer.node_id or None,
        "port": timer.port or None,
        "runId": timer.run_id or None,
        "schedule": json_object(timer.schedule),
        "nextAt": moment(timer, "next_at"),
    }
