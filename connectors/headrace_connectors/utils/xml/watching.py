"""A bound on the time that somebody else's code takes in the current thread."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from headrace_sdk import CancelError

LOOK_EVERY = 128


@contextmanager
def limited(seconds: float, what: str) -> Iterator[None]:
    """Raise `CancelError` out of the block when it takes more time of the processor than that.

    The interpreter tells of every call; a single call of a C function is not cut short, so inputs need bounds too.
    Time in which the thread waits for its turn does not count.
    """
    deadline = time.thread_time() + seconds
    calls = 0

    def look(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1
        if calls % LOOK_EVERY == 0 and time.thread_time() > deadline:
            raise CancelError(f"{what} takes more than {seconds:g} seconds: make it simpler, or the XML smaller.")

    former = sys.getprofile()
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(former)
