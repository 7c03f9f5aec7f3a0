"""R5: server mode while one of its backing servers is away under load.

`python -m tests.chaos.r5 --level ci|nightly [--server mongo] [--mode blackhole]` from the root of the repository.
Events are posted at a steady pace, and events whose runs wait for a time. After a calm while one server is away:
killed (`refuse`), standing still (`blackhole`), or behind a link that resets (`reset`). What must hold then:

  rabbitmq       no call is refused, and acceptance is as quick as before
  redis          no call is refused; timers are late by the outage and 5 s at most
  mongo          each call is answered within 2 s, with 2xx that is true or with 503 and Retry-After
  elasticsearch  no call is refused; every log record is there within 60 s after the return

And always: nothing lost or doubled, no timer missed, double or early, everything done within 60 s after the return, no
service takes more than 1.5 times the memory. Where neither server nor mode is named, `ci` plays one of each by the seed
and `nightly` all twelve.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import oracle
from tests.chaos.backends import BlackHole, Interruption, Refusal, Reset
from tests.chaos.effects import Sink
from tests.chaos.ledger import Ledger, Try
from tests.chaos.load import HOOK, Load, path_of, start, start_flow
from tests.chaos.memory import Memory
from tests.chaos.proxy import Proxy
from tests.chaos.r2 import PATIENCE, SINK_SECONDS, load_of
from tests.chaos.r3 import logs_of, wait_for_logs
from tests.chaos.served import Served, served_folder
from tests.chaos.timed import TIMED_HOOK, Fired, Timers, timed_flow
from tests.chaos.verdict import Verdict, command, percentile, play

SERVERS = ("rabbitmq", "redis", "mongo", "elasticsearch")
MODES = ("refuse", "blackhole", "reset")
PACE = 30.0
TIMED_PACE = 1.5
WAIT_SECONDS = 4.0
WARM_SECONDS = 5.0

ANSWER_WITHIN = 2.0
ACCEPT_P99 = 0.25
CALM_SHARE = 2.0
"""Acceptance may also take so many times what it took before: machines are shared."""
DRAINED_WITHIN = 60.0
LATE_WITHIN = 5.0
MEMORY_SHARE = 1.5


@dataclass(frozen=True, slots=True)
class Level:
    """Seconds before, of and after the outage."""

    calm: float
    outage: float
    after: float


LEVELS = {"ci": Level(20, 10, 10), "nightly": Level(30, 60, 15)}


@dataclass(frozen=True, slots=True)
class Case:
    """Which server is away, and how."""

    server: str
    mode: str

    def __str__(self) -> str:
        return f"{self.server}:{self.mode}"


def cases_of(level: str, seed: int, server: str | None, mode: str | None) -> list[Case]:
    """What to play: all that fit what was named; one of them by the seed at `ci`."""
    found = [Case(*each) for each in itertools.product([server] if server else SERVERS, [mode] if mode else MODES)]
    return [random.Random(seed).choice(found)] if level == "ci" else found


@dataclass(frozen=True, slots=True)
class Times:
    """Moments, by the monotonic clock."""

    warm: float
    away: float
    back: float
    rest: float

    @property
    def outage(self) -> float:
        return self.back - self.away

    @property
    def drained(self) -> float:
        return self.rest - self.back


def run(folder: Path, level: Level, case: Case, mutant: str = "") -> Verdict:
    """Post, let the server be away, let everything come to rest, end the processes, judge."""
    seconds = level.calm + level.outage + level.after
    timers = Timers(WAIT_SECONDS)
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(contextlib.closing(Sink(SINK_SECONDS)))
        ledger = stack.enter_context(contextlib.closing(Ledger(folder / "ledger")))
        timed = stack.enter_context(contextlib.closing(Ledger(folder / "timed")))
        served = Served(folder, mutant=mutant)
        interruption = _interruption(served, case, stack)
        stack.enter_context(served)
        client = served.client()
        flow_id = start_flow(client, sink.port, "R5")
        timed_id = start(client, "R5 timers", timed_flow(sink.port))
        loads = [
            load_of(served, path_of(flow_id, HOOK), _names(PACE * seconds), ledger, sink, PACE),
            Load(
                served.doors,
                path_of(timed_id, TIMED_HOOK),
                _names(TIMED_PACE * seconds),
                timed,
                pace=TIMED_PACE,
                patience=PATIENCE,
                body=timers.body,
            ),
        ]
        memory = stack.enter_context(Memory(served))
        began = time.monotonic()
        for load in loads:
            stack.enter_context(load)
        away, back, was_away = _outage(level, interruption)
        for load in loads:
            load.join()
        served.wait_for_rest(flow_id)
        served.wait_for_rest(timed_id)
        times = Times(began + WARM_SECONDS, away, back, time.monotonic())
        wait_for_logs(served)
        logs_seconds = time.monotonic() - back
        growth = memory.growth(away)
        served.stop_services()
        dump = served.dump(HOOK)
        logs = logs_of(served)
        seen = Seen(case, times, ledger.tries + timed.tries, timers.judge(timed, sink), logs_seconds, growth)
        return Verdict(
            "R5",
            oracle.judge(ledger, sink, dump),
            [
                *(f"fell: {line}" for line in served.fell),
                *([] if was_away else [f"proof: {case} was not away"]),
                *seen.complaints(),
                *logs.complaints(dump),
            ],
            events=len(ledger.acked) + len(timed.acked),
            kills=served.backing.all[case.server].kills,
            told=seen.told(),
        )


def _interruption(served: Served, case: Case, stack: contextlib.ExitStack) -> Interruption:
    server = served.backing.all[case.server]
    if case.mode == "reset":
        proxy = stack.enter_context(contextlib.closing(Proxy(server.port)))
        served.detours[case.server] = proxy.port
        return Reset(proxy)
    return Refusal(server) if case.mode == "refuse" else BlackHole(server)


def _names(count: float) -> list[str]:
    return [f"e{number}" for number in range(round(count))]


def _outage(level: Level, interruption: Interruption) -> tuple[float, float, bool]:
    """When it began, when it ended, and whether anybody could notice."""
    time.sleep(level.calm)
    away = time.monotonic()
    interruption.begin()
    was_away = interruption.is_away()
    time.sleep(max(away + level.outage - time.monotonic(), 0))
    interruption.end()
    return away, time.monotonic(), was_away


@dataclass(frozen=True, slots=True)
class Seen:
    """What the clients and the watchers noticed."""

    case: Case
    times: Times
    tries: Sequence[Try]
    fired: Fired
    logs_seconds: float
    growth: dict[str, float]

    def complaints(self) -> Iterator[str]:
        """What this server's outage must not do, and did."""
        server = self.case.server
        yield from self._refusals() if server == "mongo" else self._visible()
        yield from self.fired.complaints(self.times.outage + LATE_WITHIN if server == "redis" else float("inf"))
        if self.times.drained > DRAINED_WITHIN:
            yield f"drained: {self.times.drained:.1f} s after the return, {DRAINED_WITHIN:.0f} s are allowed"
        if server == "elasticsearch" and self.logs_seconds > DRAINED_WITHIN:
            yield f"logs: complete {self.logs_seconds:.1f} s after the return, {DRAINED_WITHIN:.0f} s are allowed"
        for name, share in self.growth.items():
            if share > MEMORY_SHARE:
                yield f"memory: {name} takes {share:.2f} times what it took before"

    def told(self) -> dict[str, object]:
        during = self._during()
        grown = max(self.growth.values(), default=0.0)
        return {
            "case": self.case,
            "outage": f"{self.times.outage:.1f}s",
            "tries_meanwhile": len(during),
            "refused_meanwhile": sum(not each.is_accepted for each in during),
            "slowest_meanwhile": f"{max((self._waited(each) for each in during), default=0):.2f}s",
            "accept_p99": f"{self._p99_after():.3f}s",
            "calm_p99": f"{self._p99_calm():.3f}s",
            "drained": f"{self.times.drained:.1f}s",
            "timer_latest": f"{self.fired.latest:.1f}s",
            "logs_complete": f"{self.logs_seconds:.1f}s",
            "memory": f"{grown:.2f}x",
        }

    def _during(self) -> list[Try]:
        """Calls that were open in the outage."""
        return [
            each for each in self.tries if each.began + each.seconds > self.times.away and each.began < self.times.back
        ]

    def _waited(self, each: Try) -> float:
        """How long a call of these waited for its answer while the server was away."""
        return each.began + each.seconds - max(each.began, self.times.away)

    def _refusals(self) -> Iterator[str]:
        for each in self._during():
            if not each.is_accepted and (each.status != 503 or not each.retry_after):
                told = f"Retry-After {each.retry_after}" if each.retry_after else "no Retry-After"
                yield f"answer: {each.event} got {each.status or 'none'} with {told}"
            if self._waited(each) > ANSWER_WITHIN:
                yield f"answer: {each.event} waited {self._waited(each):.2f} s for {each.status or 'nothing'}"

    def _visible(self) -> Iterator[str]:
        wrong = [each for each in self.tries if each.began > self.times.warm and not each.is_accepted]
        for each in wrong:
            after = each.began - self.times.away
            yield f"answer: {each.event} got {each.status or 'none'} {after:+.1f} s from the outage"
        if self._p99_after() > max(ACCEPT_P99, CALM_SHARE * self._p99_calm()):
            yield f"accept: p99 is {self._p99_after():.3f} s from the outage on, it was {self._p99_calm():.3f} s before"

    def _p99_after(self) -> float:
        return percentile([each.seconds for each in self.tries if each.began >= self.times.away and each.is_accepted])

    def _p99_calm(self) -> float:
        return percentile([each.seconds for each in self.tries if self.times.warm < each.began < self.times.away])


def main() -> int:
    parser = command(__doc__, LEVELS, "answer_before_commit")
    parser.add_argument("--server", choices=SERVERS)
    parser.add_argument("--mode", choices=MODES)
    chosen = parser.parse_args()
    level, status = LEVELS[chosen.level], 0
    for case in cases_of(chosen.level, chosen.seed, chosen.server, chosen.mode):
        with served_folder(chosen.keep) as folder:
            status |= play(chosen, [case], lambda: run(folder, level, case, chosen.mutant))  # noqa: B023
    return status


if __name__ == "__main__":
    sys.exit(main())
