"""What the clients know: which events were acknowledged, and which answers were lost on the way."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Try:
    """One call of a client."""

    event: str
    number: int  # 1 is the event's first
    began: float  # monotonic
    seconds: float  # until the answer, or until there was none
    status: int = 0  # 0 where no answer came
    retry_after: str = ""

    def __str__(self) -> str:
        return f"{self.event} {self.number} at {self.began:.3f} for {self.seconds:.3f} s: {self.status or 'no answer'}"

    @property
    def is_accepted(self) -> bool:
        return 200 <= self.status < 300


@dataclass(slots=True)
class _Moment:
    at: int
    act: Callable[[], None] | None
    came: threading.Event = field(default_factory=threading.Event)


class Ledger:
    """Every word stands in a file before the client goes on, so that it outlives whoever reads it."""

    def __init__(self, path: Path) -> None:
        self.acked: set[str] = set()
        self.ambiguous: set[str] = set()
        self.given_up: dict[str, str] = {}  # event → the last answer
        self.tries: list[Try] = []
        self._lock = threading.Lock()
        self._file = path.open("a", buffering=1)
        self._moments: list[_Moment] = []

    def note(self, tried: Try) -> None:
        """Remember a call, whatever became of it."""
        with self._lock:
            self.tries.append(tried)
            self._file.write(f"tried {tried}\n")

    def accepted_within(self, tries: int) -> int:
        """How many events were acknowledged by one of their first calls."""
        with self._lock:
            return len({each.event for each in self.tries if each.is_accepted and each.number <= tries})

    def acknowledge(self, name: str) -> None:
        """A 2xx came for the event."""
        with self._lock:
            self.acked.add(name)
            self._file.write(f"acked {name}\n")
            reached = [moment for moment in self._moments if len(self.acked) >= moment.at]
            self._moments = [moment for moment in self._moments if moment not in reached]
            for moment in reached:
                self._come(moment)

    def doubt(self, name: str) -> None:
        """The event was sent and its answer was lost."""
        with self._lock:
            self.ambiguous.add(name)
            self._file.write(f"ambiguous {name}\n")

    def give_up(self, name: str, reason: str) -> None:
        """The event was not acknowledged in time."""
        with self._lock:
            self.given_up[name] = reason
            self._file.write(f"given up {name}\n")

    def when_acked(self, count: int, act: Callable[[], None] | None = None) -> threading.Event:
        """An event that is set once so many are acknowledged.

        `act` is called first, by the very thread that got the acknowledgement: nothing comes between the two.
        """
        moment = _Moment(count, act)
        with self._lock:
            if len(self.acked) >= count:
                self._come(moment)
            else:
                self._moments.append(moment)
        return moment.came

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _come(self, moment: _Moment) -> None:
        if moment.act is not None:
            moment.act()
        moment.came.set()
