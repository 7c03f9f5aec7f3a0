"""Timers for the chaos tests: one-shot ones, repeating ones and a herd, and the nominal times they owe."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import grpc
from headrace.schedule.v1 import schedule_service_pb2 as pb
from headrace.schedule.v1 import schedule_service_pb2_grpc as grpc_pb
from headrace_core import schedules
from headrace_core.schedules import Cron, Interval, Once, Schedule
from headrace_scheduler.stores.instants import stored

from tests.chaos.fires import Due

PUT_AT_ONCE = 1_000
PUT_SECONDS = 20
HERD = "herd"
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many of each kind. `often` fire every 2 s and make up for all they missed, `seldom` every 10 s."""

    once: int
    often: int
    seldom: int
    crons: int
    herd: int

    @property
    def total(self) -> int:
        return self.once + self.often + self.seldom + self.crons + self.herd


@dataclass(frozen=True, slots=True)
class Timetable:
    """Timers, and everything that they must fire from the first of them on until `ends`."""

    timers: Sequence[pb.Timer]
    owed: frozenset[Due]
    ends: datetime


def timetable(amounts: Amounts, *, begins: datetime, window: float, ends: float, chance: random.Random) -> Timetable:
    """One-shot timers are spread over the seconds of the window, the herd is due at one instant 3 s before the end."""
    until = begins + ends * SECOND
    planned = list(_planned(amounts, begins, window, until - 3 * SECOND, chance))
    owed = {Due(name, stamp) for name, schedule, _ in planned for stamp in _stamps(schedule, begins, until)}
    timers = [_timer(name, schedule, misfire) for name, schedule, misfire in planned]
    return Timetable(timers, frozenset(owed), until)


def _planned(
    amounts: Amounts, begins: datetime, window: float, herd_at: datetime, chance: random.Random
) -> Iterator[tuple[str, Schedule, pb.Misfire.ValueType]]:
    for number in range(amounts.once):
        yield f"once{number}", Once(_soon(begins, window, chance)), pb.MISFIRE_FIRE_ONCE
    for number in range(amounts.often):
        yield f"often{number}", Interval(2 * SECOND, _soon(begins, 2, chance)), pb.MISFIRE_FIRE_ALL
    for number in range(amounts.seldom):
        yield f"seldom{number}", Interval(10 * SECOND, _soon(begins, 10, chance)), pb.MISFIRE_FIRE_ONCE
    for number in range(amounts.crons):
        yield f"cron{number}", Cron("*", "*", "*", "*", "*"), pb.MISFIRE_FIRE_ALL
    for number in range(amounts.herd):
        yield f"{HERD}{number}", Once(herd_at), pb.MISFIRE_FIRE_ONCE


def _soon(begins: datetime, within: float, chance: random.Random) -> datetime:
    return begins + timedelta(microseconds=chance.randrange(1, int(within * 1e6)))


def _stamps(schedule: Schedule, begins: datetime, until: datetime) -> Iterator[int]:
    at = schedules.next_after(schedule, begins)
    while at is not None and at <= until:
        yield stored(at)
        at = schedules.next_after(schedule, at)


def _timer(name: str, schedule: Schedule, misfire: pb.Misfire.ValueType) -> pb.Timer:
    """One-shot timers with an even number wake a run, and are gone afterwards; the others trigger a flow."""
    timer = pb.Timer(
        timer_id=name,
        group_id=name,
        tenant_id="chaos",
        schedule=json.dumps(schedules.to_json(schedule)).encode(),
        misfire=misfire,
    )
    if isinstance(schedule, Once) and name[-1] in "02468":
        timer.run_id = "run"
    else:
        timer.flow_id, timer.node_id, timer.port = "flow", "node", "schedule"
    return timer


def put(timers: Sequence[pb.Timer], ports: Sequence[int]) -> None:
    """Give them to the schedulers at these ports, each its part."""
    for place, start in enumerate(range(0, len(timers), PUT_AT_ONCE)):
        address = f"127.0.0.1:{ports[place % len(ports)]}"
        with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            request = pb.PutTimersRequest(timers=timers[start : start + PUT_AT_ONCE])
            grpc_pb.ScheduleServiceStub(channel).PutTimers(request, timeout=PUT_SECONDS)
