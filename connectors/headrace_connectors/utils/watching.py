"""A bound on the time that somebody else's code takes in the current thread."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from headrace_sdk import CancelError

LOOK_EVERY = 16


@contextmanager
def limited(seconds: float, what: str) -> Iterator[None]:
    """Raise `CancelError` out of the block when it takes more time of the processor than that.

    The interpreter tells of every call; a single call of a C function is not cut short, so inputs need bounds too.
    Time in which the thread waits for its turn does not count.
    """
    deadline = time.thread_time() + seconds
    next_look = time.perf_counter() + seconds
    calls = 0

    def look(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls, next_look
        calls += 1
        # The thread's own clock is dear to read, and never ahead of the one on the wall.
        if calls % LOOK_EVERY or time.perf_counter() < next_look:
            return
        left = deadline - time.thread_time()
        next_look = time.perf_counter() + left
        if left <= 0:
            raise CancelError(f"{what} takes more than {seconds:g} seconds: make it simpler or its input smaller.")

    former = sys.getprofile()
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(former)
