"""Timers as flows have them: many flows with many schedules each, and the runs that must come of them."""

from __future__ import annotations

import contextlib
import http.client
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from headrace.schedule.v1 import schedule_service_pb2 as pb
from headrace.schedule.v1 import schedule_service_pb2_grpc as grpc_pb
from pymongo import MongoClient

from tests.chaos.dump import STATES
from tests.chaos.served import NAMESPACE, Served
from tests.system.process import Client, wait_for

PERIOD = 120
STARTERS = 4
START_WITHIN = 30
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Fired:
    """A run that a timer began: its event names timer and nominal time."""

    event: str
    state: str
    began: float


def flow(nodes: int) -> dict[str, Any]:
    """Schedules that fire every other minute, and nothing else."""
    every = {"scheduleType": "custom", "customIntervalValue": PERIOD // 60, "customIntervalUnit": "minutes"}
    return {
        f"timer{number}": {
            "type": "headrace.utils.timers.SchedulerTrigger",
            "x": 0,
            "y": number,
            "source": {},
            "config": {"properties": every},
        }
        for number in range(nodes)
    }


def start_flows(client: Client, flows: int, nodes: int) -> None:
    """Make and start so many."""
    with ThreadPoolExecutor(STARTERS) as pool:
        list(pool.map(lambda number: _start(client, f"timers {number}", nodes), range(flows)))


def _start(client: Client, name: str, nodes: int) -> None:
    flow_id = client.post("/flows", json={"name": name, "flow": flow(nodes)}).json()["flowId"]

    def is_started() -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"}).status_code == 200
        return False

    wait_for(is_started, START_WITHIN)


def listed(served: Served) -> dict[str, float]:
    """Timer → when it is due next, as a scheduler says."""
    port = served.services.ports[served.instances("scheduler")[0]]
    found: dict[str, float] = {}
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = grpc_pb.ScheduleServiceStub(channel)
        last = ""
        while page := stub.ListTimers(pb.ListTimersRequest(after_timer_id=last, limit=PAGE), timeout=20).timers:
            found |= {timer.timer_id: timer.next_at.ToMicroseconds() / 1e6 for timer in page}
            last = page[-1].timer_id
    return found


def owed(due: Mapping[str, float], until: float) -> Iterator[str]:
    """The events that timers owe from their next times on until this moment."""
    for timer_id, first in due.items():
        at = first
        while at <= until:
            yield f"{timer_id}@{at:.6f}"
            at += PERIOD


def fired(served: Served) -> list[Fired]:
    """All runs of timers, as MongoDB holds them."""
    fields = {"event_id": 1, "state": 1, "created": 1}
    with MongoClient[dict[str, Any]](served.backing.mongo.url) as client:
        runs = client[f"{NAMESPACE}_executor"]["runs"].find({"port": "schedule"}, fields)
        return [Fired(run["event_id"].rpartition(":")[2], STATES[run["state"]], run["created"]) for run in runs]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is wrong with the timers, one line each, and how late the runs began."""

    missed: list[str]
    double: list[str]
    early: list[str]
    unfinished: list[str]
    late: Mapping[str, float]


def judge(events: Sequence[str], runs: Sequence[Fired]) -> Judged:
    """Compare what is owed with what ran. Runs of times before and after are not missed, but never double or early."""
    count = Counter(run.event for run in runs)
    began = {run.event: run.began for run in runs}
    late = {event: began[event] - nominal(event) for event in events if event in began}
    return Judged(
        missed=[f"{event} began no run" for event in events if event not in count],
        double=[f"{event} began {times} runs" for event, times in count.items() if times > 1],
        early=[f"{run.event} began at {run.began:.3f}" for run in runs if run.began < nominal(run.event)],
        unfinished=[
            f"the run of {run.event} is {run.state}" for run in runs if run.state != "done" and run.event in late
        ],
        late=late,
    )


def nominal(event: str) -> float:
    """The time that a timer's event names."""
    return float(event.rpartition("@")[2])
