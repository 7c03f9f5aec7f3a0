"""Faults under load: when each strikes, and what strikes."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.chaos.ledger import Ledger
from tests.chaos.store import Stall
from tests.system.process import Process

STRIKE_WITHIN = 180
"""Seconds in which the load must come as far as the next fault."""

STALL_SECONDS = 0.25

RESERVED = 20
"""Events that are held back for each fault that is still to come: one that strikes no load proves nothing."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that strikes once so many events are acknowledged, and so many seconds later."""

    kind: str
    at: int
    pause: float

    def __str__(self) -> str:
        return f"{self.kind}@{self.at}+{self.pause:.3f}s"


class Blow(Protocol):
    """One kind of fault."""

    def strike(self) -> None:
        """Do the harm; returns at once, may be called by a client's thread."""
        ...

    def mend(self) -> None:
        """Bring service back, and count what was proven."""
        ...


def schedule(kinds: Mapping[str, int], events: int, chance: random.Random) -> list[Fault]:
    """So many of each kind, mixed and spread over the events.

    Half of them strike the moment an acknowledgement arrives, where an answer that came too early shows; the others
    at any moment.
    """
    mixed = [kind for kind, count in kinds.items() for _ in range(count)]
    chance.shuffle(mixed)
    apart = events / (len(mixed) + 1)
    faults = []
    for number, kind in enumerate(mixed, start=1):
        at = int(apart * (number + chance.uniform(-0.3, 0.3)))
        faults.append(Fault(kind, max(at, 1), 0.0 if number % 2 else chance.uniform(0.002, 0.2)))
    return faults


class Reserve:
    """How far the load may go before the faults that are still to come."""

    def __init__(self, faults: Sequence[Fault], events: int) -> None:
        self._events = events
        self._each = min(RESERVED, events // (2 * (len(faults) + 1)))
        self._to_come = max(len(faults) - 1, 0)  # the first may strike at any time

    def room(self) -> int:
        return self._events - self._each * self._to_come

    def mended(self) -> None:
        self._to_come = max(self._to_come - 1, 0)


def inflict(
    faults: Sequence[Fault],
    ledger: Ledger,
    blows: Mapping[str, Blow],
    reserve: Reserve | None = None,
    within: float = STRIKE_WITHIN,
) -> None:
    """Let each fault strike in its turn and mend it. Raises AssertionError when the load does not come so far."""
    for fault in faults:
        blow = blows[fault.kind]
        came = ledger.when_acked(fault.at, None if fault.pause else blow.strike)
        assert came.wait(within), f"The load stands still before {fault}: {len(ledger.acked)} acknowledged."
        if fault.pause:
            time.sleep(fault.pause)
            blow.strike()
        blow.mend()
        if reserve is not None:
            reserve.mended()


@dataclass(slots=True)
class Kill:
    """kill -9 and a new start."""

    process: Process
    done: int = 0
    ready_seconds: list[float] = field(default_factory=list)

    def strike(self) -> None:
        self.process.send(signal.SIGKILL)

    def mend(self) -> None:
        self.bury()
        self.restart()

    def bury(self) -> None:
        """Wait until nothing of the process is left."""
        code = self.process.end(signal.SIGKILL)
        assert code == -signal.SIGKILL, f"The process ended with {code} before it was killed."
        self.done += 1

    def restart(self) -> None:
        began = time.monotonic()
        self.process.start()
        self.ready_seconds.append(time.monotonic() - began)


@dataclass(slots=True)
class StalledKill:
    """The disk takes no writes for a while, then kill -9: what was answered meanwhile was answered too early."""

    kill: Kill
    stall: Stall

    def strike(self) -> None:
        self.stall.begin()

    def mend(self) -> None:
        time.sleep(STALL_SECONDS)
        self.kill.strike()
        self.kill.bury()
        self.stall.end()
        self.kill.restart()
