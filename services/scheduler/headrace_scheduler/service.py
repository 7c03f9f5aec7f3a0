"""What the scheduler does for others: keep timers, hand out locks, meter quotas."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from headrace_core.clock import Clock
from headrace_core.errors import BadRequest, Fenced, HeadraceError, Problem, ValidationFailed

from headrace_scheduler import pace
from headrace_scheduler.drift import SteadyTime
from headrace_scheduler.firing import Firing
from headrace_scheduler.model import Caller, KeptTimer, Lock, Timer, Window
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.store import Store

MAX_TIMERS = 1_000
MAX_NAME = 512
MAX_WINDOWS = 16
MAX_LIMIT = 100_000
LEARNERS = 10
"""Times that what was learned is written anew because another one was faster."""
GUARD = timedelta(milliseconds=50)
"""By so much one call may be later than another at the service, and no stretch of time there holds one too many."""
LONGEST_WINDOW = timedelta(days=31)
LONGEST_LOCK = timedelta(hours=24)
DEFAULT_PAGE = 100

_log = logging.getLogger(__name__)


class Scheduler:
    """The use cases of the scheduler."""

    def __init__(self, store: Store, firing: Firing, *, clock: Clock, settings: SchedulerSettings) -> None:
        self._store = store
        self._firing = firing
        self._clock = clock
        self._settings = settings
        self._steady = SteadyTime(clock)

    # Timers.

    async def put_timers(self, timers: Sequence[Timer], *, only_missing: bool = False) -> list[KeptTimer]:
        """Add or replace timers, or only add those that are missing; answers them as kept.

        An equal timer keeps its next time.

        Raises ValidationFailed that names every timer that is wrong, Conflict for an id of another tenant; none is
        kept then.
        """
        _check_count("timers", len(timers), MAX_TIMERS)
        problems = [problem for place, timer in enumerate(timers) for problem in _problems(place, timer)]
        if problems:
            raise ValidationFailed(problems)
        kept = await self._store.timers.put(timers, self._clock.now(), only_missing=only_missing)
        self._firing.wake()
        return kept

    async def remove_timers(self, timer_ids: Sequence[str], group_ids: Sequence[str]) -> int:
        """Remove timers by id and by group; answers how many there were. Removing them again changes nothing."""
        _check_count("ids", len(timer_ids) + len(group_ids), MAX_TIMERS)
        return await self._store.timers.remove(timer_ids=timer_ids, group_ids=group_ids)

    async def list_timers(self, group_id: str, after_timer_id: str, limit: int) -> list[KeptTimer]:
        """A page of timers by id; `limit` 0 takes the usual size."""
        if not 0 <= limit <= MAX_TIMERS:
            raise BadRequest(f"limit is {limit}: ask for up to {MAX_TIMERS} timers.")
        return await self._store.timers.list(
            group_id=group_id, after_timer_id=after_timer_id, limit=limit or DEFAULT_PAGE
        )

    # Locks. Their ends are kept in steady time and told in wall time.

    async def acquire_lock(self, name: str, holder: str, ttl: timedelta) -> Lock:
        """Take a lease on a name, or extend one's own. Raises BadRequest."""
        _check_lock(name, holder, ttl)
        lock = await self._store.locks.acquire(name, holder, ttl, self._steady.now())
        return Lock(lock.acquired, lock.fencing_token, self._steady.on_the_wall(lock.expires_at))

    async def extend_lock(self, name: str, holder: str, ttl: timedelta) -> datetime:
        """Move the end of a held lease. Raises Fenced when the holder does not have it any more, BadRequest."""
        _check_lock(name, holder, ttl)
        expires_at = await self._store.locks.extend(name, holder, ttl, self._steady.now())
        if expires_at is None:
            raise Fenced(f"The lock {name!r} is not held by {holder!r} any more: stop what it protected.")
        return self._steady.on_the_wall(expires_at)

    async def release_lock(self, name: str, holder: str) -> None:
        """Give a lease back. Releasing it again, or one of somebody else, changes nothing."""
        await self._store.locks.release(name, holder)

    # Quotas.

    async def acquire_quota(
        self, windows: Sequence[Window], caller: Caller, learned_names: Sequence[str] = ()
    ) -> timedelta | datetime:
        """Ask for one call under every window, and what was learned: in how long it begins, else when to ask again.

        Asking again for the same request counts once. Raises BadRequest.
        """
        _check_windows(windows)
        _check_names(caller, learned_names)
        now = self._steady.now()
        learned = [await self._learned(name, now) for name in learned_names]
        asked = [*map(_guarded, windows), *(each for each in learned if each is not None)]
        if not asked:
            return timedelta()
        turn = await self._store.quotas.acquire(asked, caller, now)
        if not turn.is_granted:
            return self._steady.on_the_wall(turn.at)
        return max(timedelta(), turn.at - self._steady.now())

    async def report_refusal(self, name: str, retry_after: timedelta | None, passed: float) -> None:
        """Learn from a call that its service refused because there were too many. Raises BadRequest.

        `passed` is how many calls went through in the second before, as far as the caller knows.
        """
        _check_names(Caller(""), [name])
        now = self._steady.now()
        for _ in range(LEARNERS):
            before = await self._store.quotas.pace(name)
            after = pace.refused(before, now, retry_after, passed)
            if after == before or await self._store.quotas.keep_pace(name, before, after):
                return
        _log.info("Many learn at once how often %s may be called: this refusal adds nothing.", name)

    async def _learned(self, name: str, now: datetime) -> Window | None:
        found = await self._store.quotas.pace(name)
        return None if found is None else pace.window_of(name, found, now)

    async def keep_tidy(self) -> None:
        """Forget locks and quota calls that ran out, again and again, until cancelled."""
        while True:
            await self._clock.sleep(self._settings.tidy_every.total_seconds())
            try:
                await self.tidy()
            except HeadraceError as error:
                _log.warning("Locks and quota calls that ran out stay for now: %s", error)

    async def tidy(self) -> int:
        """Forget locks and quota calls that ran out; answers how many."""
        forgotten = await self._store.locks.purge(self._steady.now())
        while removed := await self._store.quotas.purge(self._steady.now()):
            forgotten += removed
        return forgotten


def _check_count(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise BadRequest(f"A call takes at most {limit} {what}, this one has {count}: split it.")


def _problems(place: int, timer: Timer) -> list[Problem]:
    where = f"timers.{place}"
    found: list[Problem] = []
    for field, text in (("timer_id", timer.timer_id), ("group_id", timer.group_id), ("tenant_id", timer.tenant_id)):
        if not 0 < len(text) <= MAX_NAME:
            said = f"It has {len(text)} characters."
            found.append(Problem(f"{where}.{field}", said, f"Give 1 to {MAX_NAME}.", field=field))
    triggers = bool(timer.flow_id and timer.node_id and timer.port)
    if triggers == bool(timer.run_id):
        said = f"The timer {timer.timer_id!r} has to trigger a flow's node or wake a run."
        found.append(Problem(where, said, "Name flow, node and port, or the run, and not both."))
    return found


def _check_lock(name: str, holder: str, ttl: timedelta) -> None:
    if not (0 < len(name) <= MAX_NAME and 0 < len(holder) <= MAX_NAME):
        raise BadRequest(f"The name and the holder of a lock have 1 to {MAX_NAME} characters each.")
    if not timedelta() < ttl <= LONGEST_LOCK:
        raise BadRequest(f"The lock {name!r} cannot be held for {ttl}: give more than 0 and at most 24 hours.")


def _check_names(caller: Caller, learned_names: Sequence[str]) -> None:
    if len(learned_names) > MAX_WINDOWS:
        raise BadRequest(f"A call asks for at most {MAX_WINDOWS} learned limits.")
    if len(caller.party) > MAX_NAME or not all(0 < len(name) <= MAX_NAME for name in learned_names):
        raise BadRequest(f"The name of a learned limit has 1 to {MAX_NAME} characters, and that of a party no more.")


def _guarded(window: Window) -> Window:
    """The window as it is counted here: a little longer, since some calls arrive later than others after their time."""
    return replace(window, length=window.length + min(GUARD, window.length / 10))


def _check_windows(windows: Sequence[Window]) -> None:
    _check_count("windows", len(windows), MAX_WINDOWS)
    if len({window.name for window in windows}) < len(windows):
        raise BadRequest("Each window of a call has a name of its own: join those that share one.")
    for window in windows:
        if not 0 < len(window.name) <= MAX_NAME:
            raise BadRequest(f"The name of a quota window has 1 to {MAX_NAME} characters.")
        if not 1 <= window.limit <= MAX_LIMIT:
            raise BadRequest(f"The quota {window.name!r} allows {window.limit} calls: give 1 to {MAX_LIMIT}.")
        if not timedelta(milliseconds=1) <= window.length <= LONGEST_WINDOW:
            raise BadRequest(f"The quota {window.name!r} has a window of {window.length}: give up to 31 days.")
