"""The four jobs, done by one peer in one round."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.calls import Reply, call, wait_until
from bench.load import EVENT, Load, drive
from bench.machine import calibrate
from bench.operations import BATCHES, BROKER, KINDS, Operations, since
from bench.peers.peer import Peer
from bench.plan import Job, Plan
from bench.process import cpu_seconds, memory_of
from bench.results import Measure, Sample

ECHO: Mapping[str, Any] = {"name": "ADA LOVELACE", "email": "ada@example.org", "amount": 25}
READY_SECONDS = 180.0
REST_SECONDS = 60.0
IDLE_CORES, IDLE_LOOK_SECONDS = 0.2, 0.5
LOOK_SECONDS = 0.25
WARM_UP_CALLERS, WARM_UP_EVENTS = 4, 200

READY = Measure("F4", "launch to first answer, s")
IDLE_MEMORY = Measure("F4", "idle memory, RSS MiB")
BURST_RATE = Measure("F2", "runs finished/s")
BURST_TAKEN = Measure("F2", "events taken/s")


def answer_rate(job: Job, callers: int) -> Measure:
    return Measure(job, f"answers/s, {_callers(callers)}")


def median_latency(job: Job, callers: int) -> Measure:
    return Measure(job, f"p50 ms, {_callers(callers)}")


def cost(job: Job, kind: str, callers: int) -> Measure:
    """How many operations of a kind one event took, whatever the peer did beside included."""
    return Measure(job, f"{kind} an event, {_callers(callers)}")


def messages_a_batch(callers: int) -> Measure:
    """Of the direct path: where the accepting executor has room."""
    return Measure("F2", f"{BROKER} a batch of events, {_callers(callers)}")


def idle_cost(kind: str) -> Measure:
    return Measure("F4", f"idle {kind}/s")


def high_latency(job: Job, callers: int) -> Measure:
    return Measure(job, f"p99 ms, {_callers(callers)}")


class Round:
    """One peer's turn: it is started, does the jobs of the plan, and is stopped. No other peer runs meanwhile."""

    def __init__(self, peer: Peer, number: int, plan: Plan, folder: Path) -> None:
        self._peer = peer
        self._number = number
        self._plan = plan
        self._folder = folder  # on the disk where the peers keep their data
        self._loop_ms = 0.0

    def run(self) -> Iterator[Sample]:
        """Raises RuntimeError or TimeoutError when the peer answers wrongly, refuses events, or loses some."""
        try:
            yield from self._start()
            self._check_answers()
            if "F1" in self._plan.jobs:
                yield from self._answers("F1", self._peer.echo_url, self._plan.callers)
            if "F2" in self._plan.jobs:
                yield from self._burst()
            if "F3" in self._plan.jobs:
                yield from self._answers("F3", self._peer.branch_url, self._plan.callers[-1:])
        finally:
            self._peer.stop()

    def _start(self) -> Iterator[Sample]:
        self._calibrate()
        launched = time.perf_counter()
        self._peer.launch()
        wait_until(self._is_ready, READY_SECONDS, what=f"{self._peer.name} answers its first webhook")
        took = time.perf_counter() - launched
        if "F4" in self._plan.jobs:
            yield self._sample(READY, took)
            time.sleep(self._plan.settle)
            before = self._peer.operations()
            time.sleep(self._plan.idle)
            for kind, count in since(before, self._peer.operations()).items():
                if kind in KINDS:
                    yield self._sample(idle_cost(kind), count / self._plan.idle)
            yield self._sample(IDLE_MEMORY, memory_of(self._pids()).rss_mib)

    def _is_ready(self) -> bool:
        """Only the right answer counts: n8n answers 200 before its webhooks are there."""
        for process in self._peer.processes():
            process.check()
        with contextlib.suppress(OSError, http.client.HTTPException):
            return _holds(ECHO, call("POST", self._peer.echo_url, dict(EVENT)))
        return False

    def _check_answers(self) -> None:
        """Speed counts only for right answers."""
        self._expect(self._peer.echo_url, {}, ECHO)
        self._expect(self._peer.branch_url, {}, {"size": "large"})
        self._expect(self._peer.branch_url, {"amount": 5}, {"size": "small"})

    def _expect(self, url: str, changes: dict[str, Any], expected: Mapping[str, Any]) -> None:
        reply = call("POST", url, {**EVENT, **changes})
        if not _holds(expected, reply):
            raise RuntimeError(
                f"{self._peer.name} answered {reply.status} {reply.content!r} at {url}, not {expected!r}."
            )

    def _answers(self, job: Job, url: str, all_callers: tuple[int, ...]) -> Iterator[Sample]:
        drive(url, callers=WARM_UP_CALLERS, seconds=self._plan.warm_up)
        for callers in all_callers:
            self._rest()
            before = self._peer.operations()
            load = self._all_answered(job, drive(url, callers=callers, seconds=self._plan.seconds))
            yield self._sample(answer_rate(job, callers), load.rate)
            yield self._sample(median_latency(job, callers), load.percentile(0.5))
            yield self._sample(high_latency(job, callers), load.percentile(0.99))
            yield from self._costs(job, before, load, callers)

    def _burst(self) -> Iterator[Sample]:
        plan, peer = self._plan, self._peer
        before = peer.finished()
        warm = drive(peer.chain_url, callers=WARM_UP_CALLERS, seconds=plan.warm_up, events=WARM_UP_EVENTS)
        self._wait_for_runs(before + warm.answered)
        self._rest()
        before, asked = peer.finished(), peer.operations()
        load = drive(peer.chain_url, callers=plan.burst_callers, seconds=plan.burst_seconds, events=plan.events)
        self._all_answered("F2", load)
        self._wait_for_runs(before + load.answered)
        yield self._sample(BURST_RATE, load.answered / (peer.last_finished_at() - load.began))
        yield self._sample(BURST_TAKEN, load.rate)
        yield from self._costs("F2", asked, load, plan.burst_callers)
        if asked:
            yield from self._costs_alone()

    def _costs_alone(self) -> Iterator[Sample]:
        """What an event takes that shares nothing with others: one at a time."""
        before = self._peer.operations()
        load = drive(self._peer.chain_url, callers=1, seconds=self._plan.seconds)
        yield from self._costs("F2", before, self._all_answered("F2", load), 1)

    def _costs(self, job: Job, before: Operations, load: Load, callers: int) -> Iterator[Sample]:
        """Until everything is done that the load left to do: records of its steps are shipped after it."""
        if not before:
            return
        self._rest()
        found = since(before, self._peer.operations())
        for kind in KINDS:
            yield self._sample(cost(job, kind, callers), found[kind] / load.answered)
        if job == "F2":
            yield self._sample(messages_a_batch(callers), found[BROKER] / found[BATCHES])

    def _wait_for_runs(self, count: int) -> None:
        name = f"{self._peer.name} finished every event that it had taken"
        wait_until(lambda: self._peer.finished() >= count, REST_SECONDS, what=name, every=LOOK_SECONDS)

    def _all_answered(self, job: Job, load: Load) -> Load:
        if load.failed or not load.answered:
            raise RuntimeError(f"{self._peer.name} answered {load.answered} events of {job} and failed {load.failed}.")
        return load

    def _rest(self) -> None:
        """Until what the load before left to do is done, a minute at most; then see how fast the machine is."""
        until = time.monotonic() + REST_SECONDS
        busy = True
        while busy and time.monotonic() < until:
            spent = cpu_seconds(self._pids())
            time.sleep(IDLE_LOOK_SECONDS)
            busy = cpu_seconds(self._pids()) - spent > IDLE_CORES * IDLE_LOOK_SECONDS
        self._calibrate()

    def _calibrate(self) -> None:
        self._loop_ms = calibrate(self._folder).loop_ms

    def _pids(self) -> list[int]:
        return [pid for process in self._peer.processes() for pid in process.pids()]

    def _sample(self, measure: Measure, value: float) -> Sample:
        return Sample(self._peer.name, self._number, measure, value, self._loop_ms)


def _holds(expected: Mapping[str, Any], reply: Reply) -> bool:
    content = reply.content
    return reply.status == 200 and isinstance(content, dict) and expected.items() <= content.items()


def _callers(count: int) -> str:
    return "1 caller" if count == 1 else f"{count} callers"
