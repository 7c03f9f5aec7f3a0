"""How a process lives and dies: it stops politely when asked, at once when asked twice, and in time in any case."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from headrace_core.errors import HeadraceError

from headrace_runtime import garbage, logs, variables

PATIENCE = timedelta(seconds=30)
"""How long a process may take from being asked to stop until it is gone."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger(__name__)


class Stopping:
    """The wish that the process stops. Once it is there it stays."""

    def __init__(self) -> None:
        self._wished = asyncio.Event()
        self._failed = False
        self._is_awaited = False

    def set(self) -> None:
        """Ask the process to stop. Asking again changes nothing."""
        self._wished.set()

    def fail(self, error: BaseException) -> None:
        """Ask the process to stop and to end with status 1, so that whoever keeps it starts it again."""
        _log.critical("%s The process ends and has to be started again.", error)
        self._failed = True
        self._wished.set()

    @property
    def has_failed(self) -> bool:
        """Whether the process stops because something in it broke."""
        return self._failed

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for it, so that the process has started and will stop by itself."""
        return self._is_awaited

    def is_set(self) -> bool:
        """Whether the process was asked to stop."""
        return self._wished.is_set()

    async def wait(self) -> None:
        """Return when the process is asked to stop. Whoever calls this has started."""
        self._is_awaited = True
        garbage.settle()
        await self._wished.wait()


Main = Callable[[AsyncExitStack, Stopping], Awaitable[None]]


def run(main: Main, *, patience: timedelta = PATIENCE) -> None:
    """Run `main` until it returns, then close what it put on the stack, last first.

    SIGTERM and SIGINT set `stopping`, on which `main` is to return. While it has not come to `stopping.wait()` it
    still starts, perhaps waiting for a server that never comes: it is cancelled then. A second signal ends the
    process at once, with status 128 + its number; so does running out of `patience` after the first, with status 1.
    Nothing accepted is lost by either: stopping well is only politeness. What `main` raises is raised here, after the
    stack is closed; so is SystemExit with status 1 when something broke.
    """
    stopping = Stopping()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_live(main, patience, stopping))
    if stopping.has_failed:
        raise SystemExit(1)


def run_service(name: str, main: Main, *, patience: timedelta = PATIENCE) -> None:
    """`run` for the process of one service, with its logs set up.

    A HeadraceError (a wrong setting, a taken port, a data directory in use) is one line in the log and status 1.
    So is a variable of the environment that looks like a setting and is none, without the status.
    """
    logs.setup(service=name)
    variables.warn_of_unread(os.environ)
    refusals = run_or_refuse(main, patience=patience)
    if refusals:
        for each in refusals:
            _log.critical("The service %s cannot run: %s", name, each)
        sys.exit(1)


def run_or_refuse(main: Main, *, patience: timedelta = PATIENCE) -> list[HeadraceError]:
    """`run`, and what it was refused for: a wrong setting, a taken port, a data directory in use."""
    refusals: list[HeadraceError] = []
    try:
        run(main, patience=patience)
    except* HeadraceError as group:
        refusals = _leaves(group)
    return refusals


def _leaves(error: BaseException) -> list[HeadraceError]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error] if isinstance(error, HeadraceError) else []


async def _live(main: Main, patience: timedelta, stopping: Stopping) -> None:
    end = _End(stopping, patience, asyncio.current_task())
    loop = asyncio.get_running_loop()
    for each in _SIGNALS:
        loop.add_signal_handler(each, end.on_signal, each)
    try:
        async with AsyncExitStack() as stack:
            try:
                await main(stack, stopping)
            except asyncio.CancelledError:
                if not end.cut_the_start_short():
                    raise
            end.begin()
    finally:
        end.called_off()
        for each in _SIGNALS:
            loop.remove_signal_handler(each)


class _End:
    """The last seconds of a process."""

    def __init__(self, stopping: Stopping, patience: timedelta, starting: asyncio.Task[Any] | None) -> None:
        self._stopping = stopping
        self._patience = patience
        self._starting = starting
        self._was_cut_short = False
        self._alarm: asyncio.TimerHandle | None = None
        self._signals = 0

    def on_signal(self, number: signal.Signals) -> None:
        self._signals += 1
        if self._signals > 1:
            _log.warning("Asked again to stop by %s: leaving at once", number.name)
            _leave(128 + number)
        _log.info("Asked to stop by %s", number.name)
        if self._starting is not None and not self._stopping.is_awaited:
            self._was_cut_short = True
            self._starting.cancel()
        self.begin()

    def cut_the_start_short(self) -> bool:
        """Whether the cancellation that arrived is the one for a start that nobody waits for any more."""
        if self._was_cut_short and (task := asyncio.current_task()) is not None:
            task.uncancel()
        return self._was_cut_short

    def begin(self) -> None:
        """From now on time runs."""
        self._starting = None
        self._stopping.set()
        if self._alarm is None:
            seconds = self._patience.total_seconds()
            self._alarm = asyncio.get_running_loop().call_later(seconds, self._too_late)

    def called_off(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    def _too_late(self) -> None:
        _log.error("Not stopped after %s: leaving now", self._patience)
        _leave(1)


def _leave(status: int) -> None:
    # Whatever still runs gets no say: it had its time.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
