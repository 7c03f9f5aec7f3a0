"""What components print: lines of the step that printed them, bounded, and the rest for the executor's own log."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar

Say = Callable[[str], None]

of_the_call: ContextVar[Say | None] = ContextVar("headrace_runner_say", default=None)
"""Takes the lines that the call under way prints."""

LONGEST_LINE = 2_000
WINDOW_SECONDS = 10.0


class Printed(io.TextIOBase):
    """Stands for `sys.stdout` and `sys.stderr`. What passes the bound is counted and left out."""

    def __init__(self, behind: io.TextIOBase, limit_bytes: int) -> None:
        self._behind = behind
        self._limit = limit_bytes
        self._left = limit_bytes
        self._since = time.monotonic()
        self._dropped = 0
        self._line = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        size = len(text)
        self._renew()
        taken = text[: max(0, self._left)]
        self._left -= len(taken)
        self._dropped += size - len(taken)
        *lines, self._line = (self._line + taken).split("\n")
        for line in lines:
            self._say(line)
        if len(self._line) > LONGEST_LINE:
            self._say(self._line)
            self._line = ""
        return size

    def flush(self) -> None:
        self._behind.flush()

    def _renew(self) -> None:
        now = time.monotonic()
        if now - self._since < WINDOW_SECONDS:
            return
        dropped, self._dropped = self._dropped, 0
        self._since, self._left = now, self._limit
        if dropped:
            self._say(f"({dropped:,} characters of output left out)")

    def _say(self, line: str) -> None:
        line = line[:LONGEST_LINE].rstrip()
        if not line:
            return
        say = of_the_call.get()
        if say is not None:
            say(line)
        else:
            self._behind.write(f"{line}\n")
            self._behind.flush()


def bound(limit_bytes: int) -> None:
    """Put the bound on everything that is printed from here on."""
    sys.stdout = Printed(sys.__stdout__, limit_bytes)  # type: ignore[arg-type]  # as print uses it
    sys.stderr = Printed(sys.__stderr__, limit_bytes)  # type: ignore[arg-type]
