"""headrace.schedule.v1: decode, call, encode."""

import json
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from headrace.schedule.v1 import schedule_service_pb2 as pb
from headrace.schedule.v1 import schedule_service_pb2_grpc as grpc_pb
from headrace_core import schedules
from headrace_core.errors import BadRequest, HeadraceError, Problem, ValidationFailed
from headrace_core.schedules import MisfirePolicy, Schedule
from headrace_runtime.rpc import Server

from headrace_scheduler.model import Caller, KeptTimer, Timer, Window
from headrace_scheduler.service import Scheduler

MAX_SCHEDULE_BYTES = 16_384

_POLICIES: dict[int, MisfirePolicy] = {
    pb.MISFIRE_UNSPECIFIED: "fire_once",
    pb.MISFIRE_FIRE_ONCE: "fire_once",
    pb.MISFIRE_FIRE_ALL: "fire_all",
    pb.MISFIRE_SKIP: "skip",
}
_MISFIRES: dict[MisfirePolicy, pb.Misfire.ValueType] = {
    "fire_once": pb.MISFIRE_FIRE_ONCE,
    "fire_all": pb.MISFIRE_FIRE_ALL,
    "skip": pb.MISFIRE_SKIP,
}


class ScheduleServicer(grpc_pb.ScheduleServiceServicer):
    """Answers headrace.schedule.v1.ScheduleService."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_ScheduleServiceServicer_to_server(self, server)

    async def PutTimers(self, request: pb.PutTimersRequest, context: object) -> pb.PutTimersResponse:
        timers = [_timer(timer) for timer in request.timers]
        kept = await self._scheduler.put_timers(timers, only_missing=request.only_missing)
        return pb.PutTimersResponse(timers=[_encoded(timer) for timer in kept])

    async def RemoveTimers(self, request: pb.RemoveTimersRequest, context: object) -> pb.RemoveTimersResponse:
        removed = await self._scheduler.remove_timers(tuple(request.timer_ids), tuple(request.group_ids))
        return pb.RemoveTimersResponse(removed=removed)

    async def ListTimers(self, request: pb.ListTimersRequest, context: object) -> pb.ListTimersResponse:
        page = await self._scheduler.list_timers(request.group_id, request.after_timer_id, request.limit)
        return pb.ListTimersResponse(timers=[_encoded(timer) for timer in page])

    async def AcquireLock(self, request: pb.AcquireLockRequest, context: object) -> pb.AcquireLockResponse:
        lock = await self._scheduler.acquire_lock(request.name, request.holder, _length(request.ttl, "ttl"))
        return pb.AcquireLockResponse(
            acquired=lock.acquired, fencing_token=lock.fencing_token, expires_at=_timestamp(lock.expires_at)
        )

    async def ExtendLock(self, request: pb.ExtendLockRequest, context: object) -> pb.ExtendLockResponse:
        expires_at = await self._scheduler.extend_lock(request.name, request.holder, _length(request.ttl, "ttl"))
        return pb.ExtendLockResponse(expires_at=_timestamp(expires_at))

    async def ReleaseLock(self, request: pb.ReleaseLockRequest, context: object) -> pb.ReleaseLockResponse:
        await self._scheduler.release_lock(request.name, request.holder)
        return pb.ReleaseLockResponse()

    async def AcquireQuota(self, request: pb.AcquireQuotaRequest, context: object) -> pb.AcquireQuotaResponse:
        windows = [Window(each.name, each.limit, _length(each.window, each.name)) for each in request.windows]
        caller = Caller(request.request_id, request.party)
        turn = await self._scheduler.acquire_quota(windows, caller, list(request.learned_names))
        if isinstance(turn, datetime):
            return pb.AcquireQuotaResponse(retry_at=_timestamp(turn))
        answer = pb.AcquireQuotaResponse(granted=True)
        if turn:
            answer.starts_in.FromTimedelta(turn)
        return answer

    async def ReportQuotaRefusal(
        self, request: pb.ReportQuotaRefusalRequest, context: object
    ) -> pb.ReportQuotaRefusalResponse:
        pause = _length(request.retry_after, request.name) if request.HasField("retry_after") else None
        await self._scheduler.report_refusal(request.name, pause, max(0.0, request.passed_per_second))
        return pb.ReportQuotaRefusalResponse()


def _timer(timer: pb.Timer) -> Timer:
    if timer.misfire not in _POLICIES:
        raise BadRequest(f"The timer {timer.timer_id!r} has the misfire policy {timer.misfire}, which does not exist.")
    return Timer(
        timer_id=timer.timer_id,
        group_id=timer.group_id,
        tenant_id=timer.tenant_id,
        schedule=_schedule(timer),
        misfire=_POLICIES[timer.misfire],
        flow_id=timer.flow_id,
        node_id=timer.node_id,
        port=timer.port,
        run_id=timer.run_id,
        immediate=timer.immediate,
        since=timer.since.ToDatetime(UTC) if timer.HasField("since") else None,
    )


def _schedule(timer: pb.Timer) -> Schedule:
    if len(timer.schedule) > MAX_SCHEDULE_BYTES:
        raise BadRequest(f"The schedule of the timer {timer.timer_id!r} has more than {MAX_SCHEDULE_BYTES} bytes.")
    try:
        return schedules.from_json(json.loads(timer.schedule))
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The schedule of the timer {timer.timer_id!r} is no JSON.") from error
    except HeadraceError as error:
        said = f"The timer {timer.timer_id!r} has no usable schedule: {error}"
        problems = error.problems if isinstance(error, ValidationFailed) else [Problem("schedule", str(error))]
        raise ValidationFailed(list(problems), said) from error


def _encoded(kept: KeptTimer) -> pb.Timer:
    timer = kept.timer
    return pb.Timer(
        timer_id=timer.timer_id,
        group_id=timer.group_id,
        tenant_id=timer.tenant_id,
        schedule=json.dumps(schedules.to_json(timer.schedule)).encode(),
        misfire=_MISFIRES[timer.misfire],
        flow_id=timer.flow_id,
        node_id=timer.node_id,
        port=timer.port,
        run_id=timer.run_id,
        immediate=timer.immediate,
        next_at=_timestamp(kept.next_at),
    )


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    written = Timestamp()
    written.FromDatetime(moment.astimezone(UTC))
    return written


def _length(duration: Duration, name: str) -> timedelta:
    try:
        return duration.ToTimedelta()
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{name} is no length of time that can be kept.") from error
