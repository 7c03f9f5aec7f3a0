"""How much memory the services take, looked at twice a second."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from pathlib import Path

from tests.chaos.served import Served

LOOK_SECONDS = 0.5


class Memory:
    """Watches while the block runs. A process that was started again counts with what its predecessor had."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._seen: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watcher.join()

    def growth(self, since: float) -> dict[str, float]:
        """Process → the most it took from `since` on, as a multiple of the most it took before."""
        found = {}
        for name, seen in self._seen.items():
            before = [size for at, size in seen if at < since]
            after = [size for at, size in seen if at >= since]
            if before and after:
                found[name] = max(after) / max(before)
        return found

    def _watch(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            for name in self._served.services.names:
                with contextlib.suppress(OSError, KeyError):  # just gone
                    self._seen[name].append((time.monotonic(), _resident_kilobytes(self._served.pid(name))))


def _resident_kilobytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise KeyError(pid)  # it has ended and nobody has asked yet how
