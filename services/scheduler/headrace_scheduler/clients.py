"""What the scheduler asks of others: that the executor puts fires on record."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from headrace.execution.v1 import execution_service_pb2 as pb
from headrace.execution.v1 import execution_service_pb2_grpc as grpc_pb
from headrace_runtime.rpc import Channel

from headrace_scheduler.model import Fire, Outcome


class ExecutionClient:
    """The executor behind a channel."""

    def __init__(self, channel: Channel) -> None:
        self._stub = grpc_pb.ExecutionServiceStub(channel)

    async def fire(self, fires: Sequence[Fire], within: timedelta) -> Sequence[Outcome]:
        """Say of each fire, in order, what became of it."""
        request = pb.FireTimersRequest(fires=[_encoded(fire) for fire in fires])
        answer = await self._stub.FireTimers(request, timeout=within.total_seconds())
        return [_outcome(each) for each in answer.outcomes]

    async def restore(self, after_flow_id: str, within: timedelta) -> str:
        """Have the missing timers of a page of flows put back; answers its last flow, or nothing at the end."""
        request = pb.RestoreTimersRequest(after_flow_id=after_flow_id)
        answer = await self._stub.RestoreTimers(request, timeout=within.total_seconds())
        return answer.last_flow_id


def _encoded(fire: Fire) -> pb.Fire:
    return pb.Fire(
        timer_id=fire.timer.timer_id,
        nominal_at=_timestamp(fire.nominal_at),
        next_at=_timestamp(fire.next_at),
        previous_at=_timestamp(fire.previous_at),
        flow_id=fire.timer.flow_id,
        node_id=fire.timer.node_id,
        port=fire.timer.port,
        run_id=fire.timer.run_id,
    )


def _outcome(outcome: pb.FireOutcome) -> Outcome:
    return "gone" if outcome.gone else "recorded" if outcome.recorded else "refused"


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    written = Timestamp()
    written.FromDatetime(moment.astimezone(UTC))
    return written
