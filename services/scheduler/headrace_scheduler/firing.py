"""The firing loop: due timers go to the executor, and move on once it has them on record.

Each timer is single flight: its next time is not sent before the former is on record. The executor knows a fire by
timer and nominal time, so sending one again does no harm, and an owner that dies in between costs a delay.
"""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Protocol

from headrace_core import ids
from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError
from headrace_runtime.failpoints import failpoint
from headrace_runtime.metrics import Metrics

from headrace_scheduler import model
from headrace_scheduler.drift import SteadyTime
from headrace_scheduler.model import Claim, Fire, Outcome, Retry, Settlement
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.store import TimerStore

_log = logging.getLogger(__name__)


class Executions(Protocol):
    """Who takes the fires."""

    async def fire(self, fires: Sequence[Fire], within: timedelta) -> Sequence[Outcome]:
        """Say of each fire, in order, what became of it. Raises HeadraceError when that is not known of any."""
        ...


class Firing:
    """One scheduler's part in firing: it competes for due timers with its equals over one store."""

    def __init__(
        self,
        timers: TimerStore,
        executions: Executions,
        *,
        clock: Clock,
        settings: SchedulerSettings,
        metrics: Metrics | None = None,
    ) -> None:
        self._timers = timers
        self._executions = executions
        self._clock = clock
        self._settings = settings
        self._owner = ids.new_id()
        self._steady = SteadyTime(clock)
        self._stirred = asyncio.Event()
        self._stopping = False
        self._failures = 0
        self._paused_until = 0.0
        self._count(metrics or Metrics())

    def _count(self, metrics: Metrics) -> None:
        self._lateness = metrics.histogram("headrace_timer_lateness_seconds", "How late timers are on record.")
        self._fenced = metrics.counter("headrace_timer_fenced_total", "Settlements refused because the claim was void.")
        self._failed = metrics.counter("headrace_timer_failed_calls_total", "Calls to the executor that failed.")

    def wake(self) -> None:
        """Look at once: something may be due earlier than was known."""
        self._stirred.set()

    def stop(self) -> None:
        """Claim no more; `run` returns once what is under way is done."""
        self._stopping = True
        self._stirred.set()

    async def run(self) -> None:
        """Fire what is due, as it becomes due, until stopped."""
        lanes = asyncio.Semaphore(self._settings.lanes)
        async with asyncio.TaskGroup() as deliveries:
            while not self._stopping:
                self._steady.notice_jumps()
                self._stirred.clear()
                await lanes.acquire()
                claims = await self._claim()
                if claims:
                    delivery = deliveries.create_task(self._deliver(claims), name="timer delivery")
                    delivery.add_done_callback(lambda _: lanes.release())
                else:
                    lanes.release()
                if not claims or self._paused_for() > 0:
                    await self._rest()

    async def fire_due(self) -> int:
        """Fire one batch of what is due now; answers how many timers were tried."""
        claims = await self._claim()
        if claims:
            await self._deliver(claims)
        return len(claims)

    async def _claim(self) -> Sequence[Claim]:
        settings = self._settings
        if self._stopping or self._paused_for() > 0:
            return ()
        try:
            found = await self._timers.claim_due(self._owner, self._clock.now(), settings.lease, settings.batch)
        except HeadraceError as error:
            self._pause("Due timers cannot be claimed", error)
            return ()
        for timer_id in found.unreadable_ids:
            _log.error("The timer %s has a schedule that this release cannot read: it is put aside", timer_id)
        return found.claims

    async def _deliver(self, claims: Sequence[Claim]) -> None:
        try:
            outcomes = await self._executions.fire([model.fire_of(claim) for claim in claims], self._fire_timeout())
        except HeadraceError as error:
            self._failed.inc()
            await self._after_failure(claims, error)
            return
        self._failures = 0
        failpoint("timer.before_settle")
        await self._settle(claims, outcomes)

    async def _after_failure(self, claims: Sequence[Claim], error: HeadraceError) -> None:
        """Try all again when the executor is away; else find the fire it fails at, so that the others get through."""
        if error.is_temporary:
            self._pause("The executor takes no fires", error)
            now = self._clock.now()
            await self._keep(self._timers.release([Retry(claim, now) for claim in claims]), len(claims))
        elif len(claims) > 1:
            middle = len(claims) // 2
            await self._deliver(claims[:middle])
            await self._deliver(claims[middle:])
        else:
            _log.error("The executor fails at the timer %s: %s", claims[0].kept.timer.timer_id, error)
            await self._settle(claims, ["refused"])

    def _fire_timeout(self) -> timedelta:
        return min(self._settings.fire_timeout, self._settings.lease * 0.9)

    async def _settle(self, claims: Sequence[Claim], outcomes: Sequence[Outcome]) -> None:
        # An executor that answers too little has said nothing about the rest.
        said = [*outcomes, *["refused"] * (len(claims) - len(outcomes))]
        fired = [claim for claim, outcome in zip(claims, said, strict=False) if outcome == "recorded"]
        gone = [claim for claim, outcome in zip(claims, said, strict=False) if outcome == "gone"]
        refused = [claim for claim, outcome in zip(claims, said, strict=False) if outcome == "refused"]
        now = self._clock.now()
        for claim in fired:
            self._lateness.observe((now - claim.nominal_at).total_seconds())
        if fired:
            settlements = [Settlement(claim, model.fire_of(claim).next_at) for claim in fired]
            await self._keep(self._timers.settle(settlements), len(fired))
        if gone:
            await self._keep(self._timers.drop(gone), len(gone))
        if refused:
            await self._keep(self._timers.release([self._retry(claim) for claim in refused]), len(refused))
        self._stirred.set()

    def _retry(self, claim: Claim) -> Retry:
        settings = self._settings
        pause = model.backoff(claim.attempts, first=settings.first_retry, longest=settings.longest_retry)
        return Retry(claim, self._clock.now() + pause)

    async def _keep(self, change: Awaitable[int], expected: int) -> None:
        try:
            fenced = expected - await change
        except HeadraceError as error:
            # The claims run out by themselves, and the executor knows these fires again.
            self._pause("What became of fires cannot be kept", error)
            return
        if fenced:
            self._fenced.inc(fenced)
            _log.warning("%d timers were taken over or removed; what this scheduler had of them is dropped", fenced)

    def _pause(self, what: str, error: HeadraceError) -> None:
        settings = self._settings
        pause = model.backoff(self._failures, first=settings.first_retry, longest=settings.longest_pause)
        self._failures += 1
        self._paused_until = max(self._paused_until, self._clock.monotonic() + pause.total_seconds())
        _log.warning("%s; trying again in %.1f s: %s", what, pause.total_seconds(), error)

    def _paused_for(self) -> float:
        return self._paused_until - self._clock.monotonic()

    async def _rest(self) -> None:
        """Until something is due, the pause is over, or somebody wakes us; never longer than `poll` past a pause."""
        paused = self._paused_for()
        if paused > 0:
            await self._doze(paused)
            return
        try:
            due = await self._timers.next_due(self._clock.now())
        except HeadraceError as error:
            self._pause("The next due timer cannot be read", error)
            return
        seconds = self._settings.poll.total_seconds()
        if due is not None:
            seconds = min(seconds, (due - self._clock.now()).total_seconds())
        await self._doze(seconds)

    async def _doze(self, seconds: float) -> None:
        if self._stopping:
            return
        alarm = asyncio.ensure_future(self._clock.sleep(seconds))
        stirred = asyncio.ensure_future(self._stirred.wait())
        try:
            await asyncio.wait((alarm, stirred), return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            stirred.cancel()
            await asyncio.gather(alarm, stirred, return_exceptions=True)
