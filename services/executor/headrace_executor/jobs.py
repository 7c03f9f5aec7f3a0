"""Jobs of plugins: which timers they have, and how each due time is carried out once.

The scheduler sends a due time until it is on record here, and no later one before it. It is on record once the job has
come to its end. One executor carries it out at a time, under a lock that it extends; when that one dies, the lock runs
out and the next one who is told of the due time begins again.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from headrace_core.clock import Clock
from headrace_core.cron import parse_cron
from headrace_core.errors import BadRequest, HeadraceError, NotFound, Problem, ValidationFailed
from headrace_core.expressions import Json
from headrace_core.ids import new_id
from headrace_core.schedules import Interval, Schedule
from headrace_sdk.errors import LockUnavailable

from headrace_executor.context import Doors
from headrace_executor.doors import HeldLock
from headrace_executor.model import StateChange
from headrace_executor.plugins import PluginHost, Speech, is_passing, tenant_of
from headrace_executor.ports import Catalog, FlowTimer, PluginPlace, ServicePlugins
from headrace_executor.retry import CutShort, describe

PORT: Final = "job"
MOST_JOBS: Final = 100
"""Jobs of one service."""

AT_ONCE: Final = 16
"""Jobs that one executor carries out at the same time."""

LONGEST_JOB: Final = timedelta(minutes=10)
LEASE: Final = timedelta(seconds=30)
TRIES: Final = 3
"""How often a due time is begun whose process ended in the middle, or which something away kept from its end."""

SHORTEST: Final = timedelta(seconds=5)
"""Between two due times of a job."""

EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)
_STEP: Final = re.compile(r"\*(?:/([1-5]?\d))?")

REMEMBERED: Final = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A job as a plugin scheduled it."""

    name: str  # folder:id
    cron: str


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the latest due time of a job is."""

    nominal_at: datetime
    tries: int
    is_done: bool


class Jobs:
    """Carries out jobs of plugins at the content that is published now."""

    def __init__(self, catalog: Catalog, host: PluginHost, doors: Doors, clock: Clock) -> None:
        self._catalog = catalog
        self._host = host
        self._doors = doors
        self._clock = clock
        self._me = new_id()
        self._under_way: set[str] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._known: OrderedDict[tuple[str, str, bytes], Sequence[Job]] = OrderedDict()

    async def run(self) -> None:
        """Carry out what is due until cancelled: then what is under way ends, and is begun again elsewhere."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    # Which ones there are.

    async def refresh(self, service: str) -> None:
        """Make the timers of a service those that its plugins ask for now; equal ones keep their place.

        Raises what a plugin fails at that cannot say what it asks for: the timers stay as they are then.
        """
        tenant = tenant_of(service)
        try:
            found = await self._catalog.plugins(service, None)
        except NotFound:
            await self._doors.schedules.remove(tenant)
            await self._doors.state.write_state([StateChange(_scope(tenant), "clear")])
            return
        jobs = [job for place in found.places for job in await self._jobs_of(found, place)]
        if len(jobs) > MOST_JOBS:
            raise BadRequest(f"The plugins of {service} have {len(jobs)} jobs: {MOST_JOBS} are allowed.")
        kept = await self._doors.state.read_state(_scope(tenant))
        timers = list(self._timers(found, jobs, kept))
        await self._doors.schedules.put(tenant, tenant, timers)
        gone = sorted(kept.keys() - {timer.node_id for timer in timers})
        await self._doors.state.write_state([StateChange(_scope(tenant), "unset", name) for name in gone])

    async def _jobs_of(self, found: ServicePlugins, place: PluginPlace) -> Sequence[Job]:
        known = (found.bundle_id, place.folder, orjson.dumps(dict(found.config), option=orjson.OPT_SORT_KEYS))
        if known not in self._known:
            self._known[known] = await self._described(found, place)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return self._known[known]

    async def _described(self, found: ServicePlugins, place: PluginPlace) -> Sequence[Job]:
        try:
            described = await self._host.describe(found, place)
        except BadRequest as error:
            Speech(found).line("error", str(error))
            raise
        jobs = described.get("jobs")
        return [
            Job(f"{place.folder}:{each.get('id')}", str(each.get("cron")))
            for each in (jobs if isinstance(jobs, list) else [])
            if isinstance(each, dict)
        ]

    def _timers(self, found: ServicePlugins, jobs: Iterable[Job], kept: Mapping[str, Json]) -> Iterable[FlowTimer]:
        for name, job in {each.name: each for each in jobs}.items():
            try:
                schedule = schedule_of(job.cron)
            except ValidationFailed as error:
                Speech(found).line("error", f"The job {name} is never called: its cron {job.cron!r} is none. {error}")
                continue
            mark = _mark(kept.get(name))
            since = mark.nominal_at if mark is not None else None
            yield FlowTimer(f"{tenant_of(found.service)}/{name}", name, PORT, schedule, False, since)

    # Carrying them out.

    async def fire(self, tenant: str, name: str, nominal_at: datetime) -> bool:
        """Whether this due time has come to its end; where it has not, see that somebody is at it.

        Raises NotFound where there is no such plugin any more.
        """
        service = tenant.removeprefix("plugin:")
        found = await self._catalog.plugins(service, None)
        place = next((each for each in found.places if each.folder == name.partition(":")[0]), None)
        if place is None:
            raise NotFound("plugin", name)
        if self._is_over(await self._mark(tenant, name), nominal_at):
            return True
        is_busy = f"{tenant}/{name}" in self._under_way or len(self._under_way) >= AT_ONCE
        if not is_busy and self._tasks is not None:
            self._under_way.add(f"{tenant}/{name}")
            self._tasks.create_task(self._carry_out(found, place, name, nominal_at), name=f"job {name}")
        return False

    async def _carry_out(self, found: ServicePlugins, place: PluginPlace, name: str, nominal_at: datetime) -> None:
        tenant = tenant_of(found.service)
        try:
            lock = HeldLock(
                self._doors.schedules, self._clock, f"{tenant}/job/{name}", f"{self._me}.{new_id()}", LEASE, 0.0, 0
            )
            async with lock:
                mark = await self._mark(tenant, name)
                if not self._is_over(mark, nominal_at):
                    tries = mark.tries + 1 if mark is not None and mark.nominal_at == nominal_at else 1
                    await self._tried(found, place, name, Mark(nominal_at, tries, False), lock)
        except LockUnavailable:
            pass  # another executor is at it
        except HeadraceError as error:
            logger.warning("The job %s goes on later: %s", name, error)
        finally:
            self._under_way.discard(f"{tenant}/{name}")

    async def _tried(self, found: ServicePlugins, place: PluginPlace, name: str, mark: Mark, lock: HeldLock) -> None:
        """One try; what does not end by the plugin's own doing is tried again, a few times."""
        tenant, said = tenant_of(found.service), Speech(found)
        await self._keep(tenant, name, mark)
        is_last = mark.tries >= TRIES
        try:
            async with asyncio.timeout(LONGEST_JOB.total_seconds()):
                await self._held(found, place, name, lock)
        except TimeoutError:
            said.line("error", f"The job {name} did not end within {LONGEST_JOB}, and is given up.")
        except Exception as error:  # of somebody else's job
            said.line("error", f"The job {name} failed: {describe(error)}")
            if (isinstance(error, CutShort | LockUnavailable) or is_passing(error)) and not is_last:
                return
        await self._keep(tenant, name, Mark(mark.nominal_at, mark.tries, True))

    async def _held(self, found: ServicePlugins, place: PluginPlace, name: str, lock: HeldLock) -> None:
        """Run the job for as long as the lock is this executor's."""
        job = asyncio.ensure_future(self._host.job(found, place, name.partition(":")[2], LONGEST_JOB))
        try:
            while not job.done():
                await asyncio.wait([job], timeout=LEASE.total_seconds() / 3)
                if not job.done():
                    await lock.extend(LEASE)
            job.result()
        finally:
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)

    @staticmethod
    def _is_over(mark: Mark | None, nominal_at: datetime) -> bool:
        return mark is not None and (mark.nominal_at > nominal_at or (mark.nominal_at == nominal_at and mark.is_done))

    async def _mark(self, tenant: str, name: str) -> Mark | None:
        return _mark((await self._doors.state.read_state(_scope(tenant))).get(name))

    async def _keep(self, tenant: str, name: str, mark: Mark) -> None:
        value = {"at": mark.nominal_at.isoformat(), "tries": mark.tries, "done": mark.is_done}
        await self._doors.state.write_state([StateChange(_scope(tenant), "set", name, orjson.dumps(value))])


def schedule_of(cron: str) -> Schedule:
    """The schedule of a job: a cron in five fields, or in six with the second in front. Raises ValidationFailed.

    A second as such is left out: the job begins with the minute. Steps of seconds are an interval.
    """
    second, _, rest = cron.strip().partition(" ")
    if len(cron.split()) != 6:
        return parse_cron(cron)
    every_minute = parse_cron(rest)
    if second.isdecimal() and int(second) < 60:
        return every_minute
    step = _STEP.fullmatch(second)
    if step is None or rest.split() != ["*"] * 5:
        said = f"Its seconds {second!r} cannot be kept."
        raise ValidationFailed([Problem("cron.second", said, "Write 0, or */10 before five stars.", field="second")])
    return Interval(max(timedelta(seconds=int(step[1] or 1)), SHORTEST), EPOCH)


def _scope(tenant: str) -> str:
    return f"{tenant}/jobs/all"


def _mark(kept: Json) -> Mark | None:
    if not isinstance(kept, dict):
        return None
    return Mark(datetime.fromisoformat(str(kept["at"])), int(str(kept["tries"])), kept["done"] is True)
