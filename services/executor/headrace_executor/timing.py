"""Timers of flows: which ones a flow has, what becomes of a fire, and how the scheduler gets back what it lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson
from headrace_core.clock import Clock
from headrace_core.errors import DeadlineExceeded, HeadraceError, NotFound, Unavailable, ValidationFailed
from headrace_core.expressions import Json
from headrace_core.schedules import Interval
from headrace_core.schedules_calendar import anchored
from headrace_runtime.failpoints import failpoint

from headrace_executor.jobs import PORT as JOB_PORT
from headrace_executor.jobs import Jobs
from headrace_executor.model import StateChange
from headrace_executor.plan import Plan, schedule_of
from headrace_executor.plans import Plans
from headrace_executor.ports import Flows, FlowSource, FlowTimer, Schedules
from headrace_executor.service import Event, ExecutionService, own_event
from headrace_executor.settings import ExecutorSettings
from headrace_executor.store import ExecutorStore

LONGEST_LOOK_BACK = timedelta(days=3)
MAX_FLOWS = 500


@dataclass(frozen=True, slots=True)
class Fire:
    """A due timer of a node."""

    timer_id: str
    nominal_at: datetime
    next_at: datetime | None
    previous_at: datetime | None
    flow_id: str
    node_id: str
    port: str


@dataclass(frozen=True, slots=True)
class FireOutcome:
    """What became of a timer."""

    is_recorded: bool
    is_gone: bool


class Timing:
    """All decisions about timers of flows."""

    def __init__(
        self,
        service: ExecutionService,
        store: ExecutorStore,
        plans: Plans,
        schedules: Schedules,
        flows: Flows,
        jobs: Jobs,
        clock: Clock,
        settings: ExecutorSettings,
    ) -> None:
        self._service = service
        self._store = store
        self._plans = plans
        self._schedules = schedules
        self._flows = flows
        self._jobs = jobs
        self._clock = clock
        self._settings = settings

    # Fires.

    async def fire_timers(self, fires: Sequence[Fire]) -> list[FireOutcome]:
        """Put due timers on record, each once per nominal time, in one write. A tick waits for the one before it."""
        outcomes = [FireOutcome(False, False)] * len(fires)
        due: list[tuple[int, Plan, Event]] = []
        for place, fire in enumerate(fires):
            found = await self._due(fire)
            if isinstance(found, FireOutcome):
                outcomes[place] = found
            else:
                due.append((place, *found))
        if due:
            failpoint("timer.before_record")
            for place in await self._record(due):
                outcomes[place] = FireOutcome(True, False)
            failpoint("timer.after_record")
        return outcomes

    async def _due(self, fire: Fire) -> tuple[Plan, Event] | FireOutcome:
        try:
            if fire.port == JOB_PORT:
                return FireOutcome(await self._jobs.fire(fire.flow_id, fire.node_id, fire.nominal_at), False)
            plan = await self._plans.active(fire.flow_id)
            if plan is None or fire.node_id not in plan.nodes:
                return FireOutcome(False, True)
            if fire.port == "tick" and await self._store.is_ticking(fire.flow_id, fire.node_id):
                return FireOutcome(True, False)
        except NotFound:
            return FireOutcome(False, True)
        except (Unavailable, DeadlineExceeded, ValidationFailed):
            return FireOutcome(False, False)
        return plan, self._event(fire)

    async def _record(self, due: Sequence[tuple[int, Plan, Event]]) -> list[int]:
        """Write fires, and say which places are on record. One that cannot be written does not hold up the others."""
        try:
            await self._service.accept_all_inside([(plan, event) for _, plan, event in due])
        except (Unavailable, DeadlineExceeded):
            return []
        except HeadraceError:
            if len(due) == 1:
                return []
            return [place for each in due for place in await self._record([each])]
        return [place for place, _, _ in due]

    def _event(self, fire: Fire) -> Event:
        content: Json = {
            "now": self._clock.now().isoformat(),
            "nominalDate": fire.nominal_at.isoformat(),
            "previousDate": fire.previous_at.isoformat() if fire.previous_at else None,
            "nextDate": fire.next_at.isoformat() if fire.next_at else None,
        }
        event_id = f"{fire.timer_id}@{fire.nominal_at.timestamp():.6f}"
        return own_event(fire.flow_id, fire.node_id, fire.port, event_id, content)

    # Registering.

    async def began(self, plan: Plan, activation_id: str) -> datetime:
        """When this activation of a flow began: its schedules count from there, however often it is repeated."""
        known = (await self._store.read_state(_scope(plan))).get("began")
        if isinstance(known, dict) and known.get("activation") == activation_id:
            return datetime.fromisoformat(str(known["at"]))
        now = self._clock.now()
        value = {"activation": activation_id, "at": now.isoformat()}
        await self._store.write_state([StateChange(_scope(plan), "set", "began", orjson.dumps(value))])
        return now

    async def register(self, plan: Plan, began: datetime) -> None:
        """Make the flow's timers those of this plan."""
        await self._schedules.put(plan.tenant_id, plan.flow_id, self.timers_of(plan, began))

    def timers_of(self, plan: Plan, began: datetime) -> list[FlowTimer]:
        """The timers of a flow that was started at this instant."""
        timers: list[FlowTimer] = []
        for node in plan.nodes.values():
            schedule = schedule_of(node)
            if schedule is not None:
                at_once = node.component.fire_immediately(node.properties)
                name = f"{plan.flow_id}/{node.id}/schedule"
                timers.append(FlowTimer(name, node.id, "schedule", anchored(schedule, began), at_once))
            if node.manifest.ticks and not node.traits.hears_errors:
                every = Interval(self._settings.tick_every, began)
                timers.append(FlowTimer(f"{plan.flow_id}/{node.id}/tick", node.id, "tick", every, False))
        return timers

    # Restoring.

    async def restore(self, after_flow_id: str, limit: int) -> str:
        """Give the scheduler the timers that it lacks, for a page of running flows; returns the last flow's id.

        The answer is empty once there are no more. A timer that comes back is due from the last days on, and not from
        now: which of those times are on record is known here, so what was missed fires and nothing fires twice.
        """
        sources = await self._flows.list_active(after_flow_id, min(limit or MAX_FLOWS, MAX_FLOWS))
        timers: list[tuple[str, str, FlowTimer]] = []
        for source in sources:
            timers += [(source.tenant_id, source.flow_id, timer) for timer in await self._lost(source)]
        await self._schedules.restore(timers)
        return sources[-1].flow_id if sources else ""

    async def _lost(self, source: FlowSource) -> list[FlowTimer]:
        try:
            plan = await self._plans.version(source.flow_id, source.version)
        except (NotFound, ValidationFailed):
            return []  # stopped or damaged meanwhile: it cannot run
        known = (await self._store.read_state(_scope(plan))).get("began")
        now = self._clock.now()
        began = datetime.fromisoformat(str(known["at"])) if isinstance(known, dict) else now
        since = max(began, now - min(self._settings.retention / 2, LONGEST_LOOK_BACK))
        return [replace(timer, immediate=False, since=since) for timer in self.timers_of(plan, began)]


def _scope(plan: Plan) -> str:
    return f"{plan.tenant_id}/flow/{plan.flow_id}/timers"
