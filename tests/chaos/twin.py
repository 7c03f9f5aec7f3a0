"""The frozen twin: a process stands still, another takes over its runs, and the first wakes up and goes on.

What the first had in hand is worth nothing any more: each of its commits must be refused and counted.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

from tests.chaos import store
from tests.system.process import Process, wait_for

LEASE = "2s"
CATCH_WITHIN = 20
TAKE_OVER_WITHIN = 40
REFUSED_WITHIN = 5
REFUSAL = "was taken over; what this executor had of it is dropped"
"""What the engine logs for each commit that the fence refused."""


class FrozenTwin:
    """A blow: SIGSTOP, take-over by a twin over the same data, SIGCONT, end of the twin."""

    def __init__(self, process: Process, data: Path, chance: random.Random) -> None:
        self._process = process
        self._data = data
        self._chance = chance
        self.door = process.port
        self.done = 0
        self.caught = 0

    def strike(self) -> None:
        self._process.send(signal.SIGSTOP)

    def mend(self) -> None:
        hands = self._catch()
        refused = self.refused
        twin = self._twin()
        try:
            twin.start()
            self.door = twin.port
            wait_for(lambda: store.are_taken_over(self._data, hands), TAKE_OVER_WITHIN)
            self._process.send(signal.SIGCONT)
            with contextlib.suppress(AssertionError):  # whether any was refused is for the verdict to say
                wait_for(lambda: self.refused > refused, REFUSED_WITHIN)
        finally:
            self._process.send(signal.SIGCONT)
            self.door = self._process.port
            twin.end(self._chance.choice([signal.SIGTERM, signal.SIGKILL]))
        self.done += 1
        self.caught += len(hands)

    @property
    def refused(self) -> int:
        """Commits that were refused so far, by the processes' own logs."""
        logs = [self._process.folder / "log", *self._process.folder.glob("twin*/log")]
        return sum(log.read_text(errors="replace").count(REFUSAL) for log in logs if log.exists())

    def _catch(self) -> dict[str, int]:
        """Stand still with runs in hand, but not in the middle of a write: SQLite would let nobody else in."""
        deadline = time.monotonic() + CATCH_WITHIN
        while time.monotonic() < deadline:
            self._process.send(signal.SIGSTOP)
            wait_until_stopped(self._process.pid)
            if not store.is_locked(self._data) and (hands := store.in_hand(self._data)):
                return hands
            self._process.send(signal.SIGCONT)
            time.sleep(self._chance.uniform(0.001, 0.02))
        raise AssertionError(f"The process had no run in hand at any moment within {CATCH_WITHIN} s.")

    def _twin(self) -> Process:
        folder = self._process.folder / f"twin{self.done}"
        folder.mkdir()
        environ = {
            **self._process.environ,
            "HEADRACE_DATA_DIR": str(self._data),
            "HEADRACE_CHAOS_SHARED_DATA": "true",
        }
        return Process(folder, **environ)


def wait_until_stopped(pid: int) -> None:
    """Until the signal has stopped every thread of a child. Asking again after it was seen returns nothing new."""
    wait_for(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", 10)
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG)
