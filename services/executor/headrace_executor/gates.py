"""Calls as their service may have seen them: so many in any stretch of time, however long each was on its way.

Moments that are granted say when calls begin. On a busy machine one takes longer to its service than the next, and two
that began a second apart arrive closer together. So before one begins it is looked at when those before it arrived at
the latest: when they were over, or a little after they had begun.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace_core.clock import Clock
from headrace_core.quotas import Allowance

MOST_LIMIT = 1_000
"""Above that calls are too many to be looked at one by one, and their ways make no difference."""

MOST_GATES = 10_000
ON_ITS_WAY = 0.25
PART_OF_WINDOW = 0.15
"""A call has arrived so many seconds after it began, and after so much of its window: who waits longer wastes it."""


@dataclass(slots=True)
class _Gate:
    limit: int
    length: float
    arrived: deque[float] = field(default_factory=deque)
    flying: dict[str, float] = field(default_factory=dict)  # by call, when it began

    @property
    def on_its_way(self) -> float:
        return min(ON_ITS_WAY, self.length * PART_OF_WINDOW)

    def room_at(self, now: float) -> float:
        latest = sorted([*self.arrived, *(began + self.on_its_way for began in self.flying.values())])
        return now if len(latest) < self.limit else max(now, latest[-self.limit] + self.length)

    def end(self, call_id: str, now: float) -> None:
        began = self.flying.pop(call_id, None)
        if began is not None:
            self.arrived.append(min(now, began + self.on_its_way))
        while len(self.arrived) > self.limit:
            self.arrived.popleft()


class Gates:
    """The gates of one executor, by the name of their window. All moments are monotonic."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gates: OrderedDict[str, _Gate] = OrderedDict()
        self._passed: dict[str, Sequence[str]] = {}

    def room_at(self, asked: Sequence[Allowance]) -> float:
        """When all of these have room for one more call, as far as is known now."""
        now = self._clock.monotonic()
        return max([now, *(self._gate_of(each).room_at(now) for each in asked if each.limit <= MOST_LIMIT)])

    def enter(self, call_id: str, asked: Sequence[Allowance]) -> None:
        """A call begins under these windows."""
        names = [each.name for each in asked if each.limit <= MOST_LIMIT]
        for each in asked:
            if each.name in names:
                self._gate_of(each).flying[call_id] = self._clock.monotonic()
        if names:
            self._passed[call_id] = names

    def leave(self, call_id: str) -> None:
        """The call is over. Doing it again changes nothing."""
        for name in self._passed.pop(call_id, ()):
            if name in self._gates:
                self._gates[name].end(call_id, self._clock.monotonic())

    def _gate_of(self, asked: Allowance) -> _Gate:
        gate = self._gates.pop(asked.name, None) or _Gate(asked.limit, asked.window.total_seconds())
        gate.limit, gate.length = asked.limit, asked.window.total_seconds()
        self._gates[asked.name] = gate
        while len(self._gates) > MOST_GATES:
            self._gates.popitem(last=False)
        return gate
