"""A simulation of executors that take ready runs from one store, all at the same time.

Each reads the oldest that are free and then writes its claims; between the two another one may have been quicker.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass

JITTER = 0.2  # of the time between reading and writing


@dataclass(frozen=True, slots=True)
class Claiming:
    """Until every run was taken. `useful` is the share of claims that got their run."""

    seconds: float
    sweeps: int
    useful: float


def claim_all(*, executors: int, ready: int, limit: int, window: float, seed: int, pause: float = 1.0) -> Claiming:
    """Every executor sweeps, `limit` runs at a time; `window` is from reading to having written.

    As the engine's sweeper does, one that got all it asked for sweeps again at once, any other after `pause`.
    """
    chance = random.Random(seed)
    store = _Store(ready)
    agenda = [(chance.uniform(0, pause), number, range(0)) for number in range(executors)]
    heapq.heapify(agenda)
    sweeps = claims = 0
    now = 0.0
    while store.left:
        now, number, read = heapq.heappop(agenda)
        if not read:
            took = window * chance.uniform(1 - JITTER, 1 + JITTER)
            heapq.heappush(agenda, (now + took, number, store.oldest(limit)))
            continue
        sweeps += 1
        claims += len(read)
        rest = 0.0 if store.take(read) == limit else pause
        heapq.heappush(agenda, (now + rest, number, range(0)))
    return Claiming(now, sweeps, ready / claims)


class _Store:
    """Runs by age."""

    def __init__(self, ready: int) -> None:
        self._is_taken = bytearray(ready)
        self._first = 0
        self.left = ready

    def oldest(self, limit: int) -> range:
        """The oldest that are free. They lie side by side: who takes some takes them from the front."""
        while self._first < len(self._is_taken) and self._is_taken[self._first]:
            self._first += 1
        return range(self._first, min(self._first + limit, len(self._is_taken)))

    def take(self, runs: range) -> int:
        """How many of them were still free."""
        got = sum(not self._is_taken[run] for run in runs)
        for run in runs:
            self._is_taken[run] = 1
        self.left -= got
        return got
