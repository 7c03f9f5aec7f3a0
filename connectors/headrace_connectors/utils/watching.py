"""A bound on the time that somebody else's code takes in the current thread.

An error that a hook of the interpreter raises is lost where nobody can catch it: in a generator that is thrown away,
in what a weak reference calls, in code that goes on after any error. The interpreter takes a hook that raised away, so
a second one, which never raises, puts it back when the code still runs.
"""

from __future__ import annotations

import _weakrefset
import inspect
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

from headrace_sdk import CancelError

LOOK_EVERY = 16

AGAIN_AFTER = 200
"""How many lines may run on the way out before an error counts as lost. Each that is lost halves it."""

PATIENCE = 1000
"""How many events are waited for one outside of generators."""

UNHEARD = {_weakrefset.__file__, weakref.__file__}
"""Whose functions the interpreter calls on its own, and drops their errors."""


class limited:
    """Raise `CancelError` out of the block when it takes more time of the processor than that.

    The interpreter tells of every call; a single call of a C function is not cut short, so inputs need bounds too.
    Time in which the thread waits for its turn does not count.
    """

    def __init__(self, seconds: float, what: str) -> None:
        self._seconds = seconds
        self._refusal = f"{what} takes more than {seconds:g} seconds: make it simpler or its input smaller."
        self._calls = self._lines_since = self._events_unheard = 0
        self._again_after = AGAIN_AFTER
        self._is_over = self._is_left = False
        self._outer: FrameType | None = None

    def __enter__(self) -> None:
        self._deadline = time.thread_time() + self._seconds
        self._next_look = time.perf_counter() + self._seconds
        self._former, self._former_trace = sys.getprofile(), sys.gettrace()
        self._outer = sys._getframe(1).f_back
        sys.setprofile(self._look)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_left = True  # no call: the hooks are told of the calls that take them away, too
        if self._is_over:
            sys.settrace(self._former_trace)
        sys.setprofile(self._former)
        self._outer = None
        if self._is_over and (error is None or (isinstance(error, Exception) and not isinstance(error, CancelError))):
            raise CancelError(self._refusal) from error

    def _look(self, frame: FrameType, event: str, argument: object) -> None:
        if self._is_left:
            return
        self._calls += 1
        # The thread's own clock is dear to read, and never ahead of the one on the wall.
        if not self._is_over:
            if self._calls % LOOK_EVERY or time.perf_counter() < self._next_look:
                return
            left = self._deadline - time.thread_time()
            self._next_look = time.perf_counter() + left
            if left > 0:
                return
            self._is_over = True
        if self._is_heard(frame, event):
            self._lines_since = self._events_unheard = 0
            sys.settrace(self._look_again)
            for entered in self._entered(frame):
                entered.f_trace = self._look_again
            raise CancelError(self._refusal)

    def _look_again(self, frame: FrameType, event: str, argument: object) -> Callable[[FrameType, str, Any], Any]:
        self._lines_since += 1
        if not self._is_left and self._lines_since > self._again_after:
            self._again_after //= 2
            self._lines_since = 0
            sys.setprofile(self._look)
        return self._look_again

    def _is_heard(self, frame: FrameType, event: str) -> bool:
        """Whether an error raised now most likely reaches who entered the block, and is not written to stderr."""
        self._events_unheard += 1
        if frame.f_code.co_flags & inspect.CO_GENERATOR and (event != "c_call" or self._events_unheard < PATIENCE):
            return False  # it may be one that is thrown away
        hook = getattr(sys.unraisablehook, "__code__", None)
        return not any(
            (code := entered.f_code) is hook
            or code is limited.__exit__.__code__
            or code.co_name == "__del__"
            or code.co_filename in UNHEARD
            for entered in self._entered(frame)
        )

    def _entered(self, frame: FrameType | None) -> Iterator[FrameType]:
        """The frame and those around it, up to the one of the block."""
        while frame is not None and frame is not self._outer:
            yield frame
            frame = frame.f_back
