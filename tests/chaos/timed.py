"""Runs that wait for a time: each must go on at it or later, and every one must."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.chaos.effects import Sink
from tests.chaos.ledger import Ledger
from tests.chaos.load import call_of, hook

TIMED, WAIT, TIMED_HOOK = "timed", "wait", "timed-hook"
EARLY = 0.002
"""Seconds: instants of a flow have whole milliseconds."""


def timed_flow(sink_port: int) -> dict[str, Any]:
    """hook → wait until the event's own time → one call of the sink."""
    until = {
        "type": "json2new",
        "modifiers": {"until": {"until": {"variable": f"$.{TIMED_HOOK}.request.data.until", "functions": []}}},
        "lambda": {"until": "{{{until}}}"},
    }
    return {
        TIMED_HOOK: hook(),
        WAIT: {
            "type": "headrace.utils.timers.Wait",
            "x": 0,
            "y": 0,
            "source": {"in": {TIMED_HOOK: ["request"]}},
            "config": {"transform": {"in": {TIMED_HOOK: {"request": until}}}},
        },
        TIMED: call_of(sink_port, TIMED, {"effect": "idempotent"}, hook=TIMED_HOOK, after=(WAIT, "out")),
    }


class Timers:
    """The times that the events of a load ask for."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()

    def body(self, name: str) -> dict[str, str]:
        """What is posted for an event: the same time at each try."""
        with self._lock:
            due = self._due.setdefault(name, round(time.time() + self._wait_seconds, 3))
        return {"id": name, "until": datetime.fromtimestamp(due, UTC).isoformat(timespec="milliseconds")}

    def judge(self, ledger: Ledger, sink: Sink) -> Fired:
        """Compare what was asked for with what the sink saw."""
        came = sink.first_calls(TIMED)
        late = [came[name] - self._due[name] for name in came]
        return Fired(
            missed=sorted(ledger.acked - came.keys()),
            double=sorted(name for name, keys in sink.calls(TIMED).items() if len(set(keys)) > 1),
            early=sum(each < -EARLY for each in late),
            latest=max(late, default=0.0),
        )


@dataclass(frozen=True, slots=True)
class Fired:
    """What became of the timers."""

    missed: list[str]
    double: list[str]
    early: int
    latest: float  # seconds

    def complaints(self, allowed: float) -> Iterator[str]:
        """`allowed`: how late a timer may be, in seconds."""
        if self.missed:
            yield f"timers: {len(self.missed)} were missed: {', '.join(self.missed[:5])}"
        if self.double:
            yield f"timers: {len(self.double)} fired twice: {', '.join(self.double[:5])}"
        if self.early:
            yield f"timers: {self.early} were early"
        if self.latest > allowed:
            yield f"timers: the latest was {self.latest:.1f} s late, {allowed:.1f} s are allowed"
