"""A simulation of one executor: events that arrive in batches, and writes to the store that go out in groups.

One write of a kind is under way at a time; what arrives meanwhile goes with the next one. So a store that takes longer
gets fewer and larger writes, and an executor with little to do writes each event by itself.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

ARRIVED, ACCEPTED, RAN, COMMITTED = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """What an event needs of an executor, and of its store. Times are in seconds."""

    cpu: float  # of one core, for an event and its run
    round_trip: float  # of a command that carries nothing
    per_document: float  # that each document adds to it
    max_group: int = 256
    accept_commands: int = 1  # to write a group of events down
    commit_commands: int = 2  # to write a group of commits down, one after the other


@dataclass(slots=True)
class Outcome:
    """What came of a simulated time. `events` are those that were committed in it."""

    events: int = 0
    commands: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def commands_an_event(self) -> float:
        return self.commands / self.events if self.events else 0.0

    @property
    def median_latency(self) -> float:
        """From arrival to the commit of the run's end."""
        return sorted(self.latencies)[len(self.latencies) // 2] if self.latencies else 0.0


def simulate(executor: Executor, *, rate: float, seconds: float, seed: int, batch: int = 1) -> Outcome:
    """Send `rate` events a second, in batches of that size at random moments, for so long; the same seed, the same."""
    return _Run(executor, random.Random(seed), rate / batch, batch).run(seconds)


class _Run:
    def __init__(self, executor: Executor, chance: random.Random, batches_a_second: float, batch: int) -> None:
        self._executor = executor
        self._chance = chance
        self._batches_a_second = batches_a_second
        self._batch = batch
        self._agenda: list[tuple[float, int, int, list[float]]] = []  # when, order, what, arrival of each event
        self._order = 0
        self._cpu_free = 0.0
        self._accepting = _Group(executor, executor.accept_commands)
        self._committing = _Group(executor, executor.commit_commands)
        self._outcome = Outcome()

    def run(self, seconds: float) -> Outcome:
        for moment in self._arrivals(seconds):
            self._plan(moment, ARRIVED, [moment] * self._batch)
        while self._agenda:
            now, _, what, events = heapq.heappop(self._agenda)
            self._happens(now, what, events)
        return self._outcome

    def _arrivals(self, seconds: float) -> Iterator[float]:
        moment = self._chance.expovariate(self._batches_a_second)
        while moment < seconds:
            yield moment
            moment += self._chance.expovariate(self._batches_a_second)

    def _happens(self, now: float, what: int, events: list[float]) -> None:
        if what == ARRIVED:
            self._accepting.waiting.extend(events)
        elif what == ACCEPTED:
            self._accepting.is_writing = False
            for event in events:
                self._cpu_free = max(now, self._cpu_free) + self._executor.cpu
                self._plan(self._cpu_free, RAN, [event])
        elif what == RAN:
            self._committing.waiting.extend(events)
        else:
            self._committing.is_writing = False
            self._outcome.events += len(events)
            self._outcome.latencies += [now - arrived for arrived in events]
        self._write(now, self._accepting, ACCEPTED)
        self._write(now, self._committing, COMMITTED)

    def _write(self, now: float, group: _Group, what: int) -> None:
        if group.is_writing or not group.waiting:
            return
        events, took = group.take()
        self._outcome.commands += group.commands
        self._plan(now + took, what, events)

    def _plan(self, when: float, what: int, events: list[float]) -> None:
        self._order += 1
        heapq.heappush(self._agenda, (when, self._order, what, events))


class _Group:
    """What waits for a write of its kind."""

    def __init__(self, executor: Executor, commands: int) -> None:
        self.commands = commands
        self.waiting: deque[float] = deque()
        self.is_writing = False
        self._executor = executor

    def take(self) -> tuple[list[float], float]:
        """The next group, and how long its write takes."""
        self.is_writing = True
        size = min(len(self.waiting), self._executor.max_group)
        took = self.commands * (self._executor.round_trip + size * self._executor.per_document)
        return [self.waiting.popleft() for _ in range(size)], took
