"""A bound on the time that somebody else's code takes in the current thread."""

from __future__ import annotations

import inspect
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
    is_over = False
    refusal = f"{what} takes more than {seconds:g} seconds: make it simpler or its input smaller."

    def look(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls, next_look, is_over
        calls += 1
        # The thread's own clock is dear to read, and never ahead of the one on the wall.
        if not is_over:
            if calls % LOOK_EVERY or time.perf_counter() < next_look:
                return
            left = deadline - time.thread_time()
            next_look = time.perf_counter() + left
            is_over = left <= 0
        # An error that comes up while a generator is thrown away is lost, and the watch with it: none is raised where
        # a generator is entered or left.
        if is_over and (event == "c_call" or not frame.f_code.co_flags & inspect.CO_GENERATOR):
            raise CancelError(refusal)

    former = sys.getprofile()
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(former)
    if is_over:
        raise CancelError(refusal)
