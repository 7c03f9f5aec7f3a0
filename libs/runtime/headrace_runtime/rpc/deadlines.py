"""The time that is left travels with the work: a call made while answering one gets no more than that has left.

What is left belongs to the task that answers. Work that is started on the side outlives the call and is free of it.
"""

import asyncio
from contextvars import ContextVar

MARGIN = 0.05
"""Seconds kept back for our own answer."""

_until: ContextVar[tuple[float, "asyncio.Task[object] | None"] | None] = ContextVar("headrace_deadline", default=None)


def begin(seconds_left: float) -> None:
    """The present task answers a call that has this long left."""
    _until.set((asyncio.get_running_loop().time() + seconds_left, asyncio.current_task()))


def within(timeout: float | None) -> float | None:
    """`timeout`, or less where the call that is being answered has less left. Zero or less: it is too late."""
    found = _until.get()
    if found is None or found[1] is not asyncio.current_task():
        return timeout
    left = found[0] - asyncio.get_running_loop().time() - MARGIN
    return left if timeout is None else min(timeout, left)
