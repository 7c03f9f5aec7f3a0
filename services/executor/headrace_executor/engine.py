"""The engine of one executor: takes runs in, gives them to workers, and looks after those that nobody works on.

Accepted runs go straight to a worker's queue; what does not fit stays in the store. The sweeper claims what is
ready, due or left by the dead. Ownership is a lease of the whole executor plus an epoch per run: a late twin's
commit is refused by the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import orjson
from headrace_core.clock import Clock
from headrace_core.errors import Fenced, HeadraceError, NotFound, Unavailable, ValidationFailed
from headrace_core.expressions import Json
from headrace_runtime import logs
from headrace_runtime.failpoints import failpoint

from headrace_executor.answers import Waiters, implicit, to_answer
from headrace_executor.counters import Counters
from headrace_executor.execution import Execution, Surroundings
from headrace_executor.fairness import FairQueue
from headrace_executor.fleet import Fleet
from headrace_executor.journal import Progress
from headrace_executor.model import Commit, Delivery, Inbound, Loaded, Message, Run, RunState
from headrace_executor.plan import Plan
from headrace_executor.plans import Plans
from headrace_executor.redaction import secrets_of
from headrace_executor.store import RunStore

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
FULL_SECONDS = 0.1
"""When to look again at what is due, where this executor or a tenant has as much as it may."""
CLAIM_BATCH = 200
PURGE_SECONDS = 60.0
PURGE_BATCH = 500
TROUBLE_SECONDS = 1.0

MakeSurroundings = Callable[["Engine"], Surroundings]


class Engine:
    """Runs the runs of one executor."""

    def __init__(
        self,
        store: RunStore,
        plans: Plans,
        waiters: Waiters,
        clock: Clock,
        counters: Counters,
        *,
        workers: int,
        backlog: int,
        lease: timedelta,
        retention: timedelta,
        fleet: Fleet,
        surroundings: MakeSurroundings,
        has_turns: bool = True,
    ) -> None:
        self.owner = fleet.owner
        self.fleet = fleet
        self._store = store
        self._plans = plans
        self._waiters = waiters
        self._clock = clock
        self._counters = counters
        self._workers = workers
        # Bounded by `has_room_for` and `_claim`: what was accepted as ours must find a place, or nobody ever runs it.
        self._queue = FairQueue(backlog, workers, clock, has_turns=has_turns)
        self._active: dict[str, Execution] = {}
        self._lease = lease
        self._retention = retention
        self._around = surroundings(self)
        self._wake = asyncio.Event()
        self._stopping = False
        self._held = False
        self._renewed = clock.monotonic()
        self._tasks: asyncio.TaskGroup | None = None
        self._keeper: threading.Thread | None = None
        self._keeper_stop = threading.Event()

    # Life.

    @contextlib.asynccontextmanager
    async def running(self, *, alone: bool) -> AsyncIterator[None]:
        """Work until the block ends. `alone` says that no other executor can be alive on this store."""
        now = self._clock.now().timestamp()
        await asyncio.to_thread(self._store.heartbeat, self.owner, now + self._lease.total_seconds())
        if alone:
            await self._store.retire_others(self.owner, now)
        self._keeper = threading.Thread(target=self._keep_lease, name="lease-keeper", daemon=True)
        self._keeper.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = [tasks.create_task(self._work()) for _ in range(self._workers)]
                helpers += [tasks.create_task(self._sweep()), tasks.create_task(self._purge())]
                try:
                    yield
                finally:
                    for helper in helpers:
                        helper.cancel()
        finally:
            self._keeper_stop.set()
            await asyncio.to_thread(self._keeper.join)
            await self._retire()

    async def drain(self, within: timedelta) -> None:
        """Take nothing new and let what is on its way come to an end, for so long at most."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await self._queue.join()

    async def _retire(self) -> None:
        """Give the runs back at once. From a store that is broken they come back when the lease runs out."""
        try:
            await self._store.retire(self.owner, self._clock.now().timestamp())
        except Unavailable as error:
            logger.warning("The runs of this executor are free only when its lease runs out: %s", error)

    def _keep_lease(self) -> None:
        """Say that this executor lives, from a thread that no step can hold up."""
        pause = self._lease.total_seconds() / 3
        while not self._keeper_stop.wait(pause):
            until = self._clock.now().timestamp() + self._lease.total_seconds()
            try:
                self._store.heartbeat(self.owner, until)
                self._renewed = self._clock.monotonic()
            except (HeadraceError, TimeoutError) as error:
                logger.warning("The lease could not be renewed: %s", error)

    # Holding back; `holding` keeps it over restarts.

    def hold(self) -> None:
        """Take in no more runs: events are put on record for other executors, what is under way goes on to its end."""
        self._held = True
        self.fleet.ready()

    def resume(self) -> None:
        """Take runs in again."""
        self._held = False
        self._wake.set()

    # Taking runs in.

    @property
    def has_room(self) -> bool:
        """Whether this executor takes runs in."""
        return not self._stopping and not self._held and self._queue.left > 0

    def has_room_for(self, tenant_id: str) -> bool:
        """Whether it takes in another one of this tenant."""
        return self.has_room and self._queue.has_room(tenant_id)

    @property
    def backlog(self) -> int:
        return len(self._queue)

    @property
    def longest_queued(self) -> float:
        """For how many seconds the run has waited for a worker that has waited longest; 0 when none waits."""
        return self._queue.longest

    @property
    def active_count(self) -> int:
        return len(self._active)

    @property
    def lease_age(self) -> float:
        """For how many seconds the lease of this executor was not renewed."""
        return self._clock.monotonic() - self._renewed

    def take(self, run: Run) -> None:
        """Give a run that was just accepted, and belongs to this executor, to a worker.

        One that comes while the executor stops is given back to the store with all others.
        """
        if not self._stopping:
            self._queue.put(Loaded(run, [], []))

    def nudge(self, tenant_id: str = "") -> None:
        """Look at the store soon: something there, of this tenant, became ready or due.

        What this executor cannot take, another may.
        """
        if self.has_room_for(tenant_id):
            self._wake.set()
        else:
            self.fleet.ready()

    def wake(self) -> None:
        """Look at the store soon, because another executor says so."""
        self._wake.set()

    def cancel(self, run_id: str, reason: str) -> bool:
        """End a run that is under way here. False when it is not."""
        execution = self._active.get(run_id)
        if execution is None:
            return False
        execution.cancel(reason)
        return True

    # Workers.

    async def _work(self) -> None:
        while True:
            loaded = await self._queue.get()
            try:
                await self._execute(loaded)
            finally:
                self._queue.done(loaded)

    async def _execute(self, loaded: Loaded) -> None:
        """Bring one run forward. A store that fails is tried again; a run that was taken away is let go."""
        run = loaded.run
        trouble = TROUBLE_SECONDS
        while True:
            try:
                await self._attempt(loaded)
                return
            except Fenced:
                self._counters.fenced += 1
                logger.warning("Run %s was taken over; what this executor had of it is dropped.", run.run_id)
                return
            except (Unavailable, ConnectionError) as error:
                logger.warning("Run %s could not be committed and is loaded again: %s", run.run_id, error)
            again = await self._again(run.run_id, trouble)
            if again is None:
                return
            loaded, trouble = again, min(trouble * 2, 30.0)

    async def _again(self, run_id: str, trouble: float) -> Loaded | None:
        """Load a run anew after its commit failed: what was in memory is not to be trusted."""
        while True:
            await self._clock.sleep(trouble)
            try:
                return await self._store.reclaim(self.owner, run_id, self._clock.now().timestamp())
            except (Unavailable, ConnectionError):
                trouble = min(trouble * 2, 30.0)

    async def _attempt(self, loaded: Loaded) -> None:
        run = loaded.run
        try:
            plan = await self._plans.version(run.flow_id, run.version)
        except (NotFound, ValidationFailed) as error:
            await self._end_without_plan(run, str(error))
            return
        entry = entry_of(run)
        progress = Progress(run.run_id, plan, plan.rules(run.trigger_id), entry)
        progress.replay(loaded.chunks)
        execution = Execution(self._around, plan, run, progress, loaded.inbox)
        if await self._is_aside(run, loaded, progress):
            await execution.suspend()
            return
        self._active[run.run_id] = execution
        try:
            with logs.hiding(*secrets_of(entry.message.content)):
                state = await execution.drive()
        finally:
            self._active.pop(run.run_id, None)
        self._counters.settled += 1
        self._answer_the_rest(plan, run, state)
        if run.has_moved and plan.expects_answer(run.trigger_id):
            self.fleet.answered(run.run_id)
        if state is RunState.WAITING:
            self.nudge()

    async def _is_aside(self, run: Run, loaded: Loaded, progress: Progress) -> bool:
        """A run that only waits stays aside while its flow is stopped; one that was on its way goes on."""
        if not loaded.chunks or progress.ready or loaded.inbox or not progress.pending:
            return False
        return await self._plans.active(run.flow_id) is None

    def _answer_the_rest(self, plan: Plan, run: Run, state: RunState) -> None:
        """Answer those whom the run passed over. Who came after its answer gets that one, from the record."""
        if self._waiters.is_awaited(run.run_id) and not self._waiters.is_looked_up(run.run_id):
            status = 202 if state is not RunState.DONE or plan.expects_answer(run.trigger_id) else 200
            self._waiters.answer(run.run_id, implicit(status, run.run_id))

    async def _end_without_plan(self, run: Run, reason: str) -> None:
        now = self._clock.now().timestamp()
        error = f"The run cannot go on: {reason}"
        record = orjson.dumps([{"k": "x", "y": error}])
        commit = Commit(
            run.run_id, run.tenant_id, run.epoch, run.seq, record, RunState.FAILED, run.steps, 0, 1, now, error=error
        )
        [written] = await self._store.commit([commit])
        self._counters.committed += written
        if not written:
            raise Fenced(f"Run {run.run_id} belongs to another executor by now.")
        self._waiters.answer(run.run_id, implicit(202, run.run_id))

    # The sweeper.

    async def _sweep(self) -> None:
        """Claim what is ready, due or left by the dead, as far as there is room."""
        while True:
            try:
                claimed = await self._claim()
                pause = 0.0 if claimed == CLAIM_BATCH else await self._pause()
            except (Unavailable, ConnectionError) as error:
                logger.warning("The store cannot be swept: %s", error)
                pause = SWEEP_SECONDS
            if pause:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
            self._wake.clear()

    async def _claim(self) -> int:
        room = min(CLAIM_BATCH, self._queue.left)
        if self._stopping or self._held or room <= 0:
            return 0
        full = self._queue.full()
        claimed = await self._store.claim(self.owner, self._clock.now().timestamp(), room, full)
        failpoint("run.claimed")
        for loaded in claimed:
            self._counters.claimed += 1
            self._queue.put(loaded)
        return len(claimed)

    async def _pause(self) -> float:
        due = await self._store.next_due()
        if due is None:
            return SWEEP_SECONDS
        soonest = 0.001 if self.has_room and not self._queue.full() else FULL_SECONDS
        return min(SWEEP_SECONDS, max(soonest, due - self._clock.now().timestamp()))

    async def _purge(self) -> None:
        """Forget ended runs whose time is over, a few at a time."""
        while True:
            await self._clock.sleep(PURGE_SECONDS)
            before = self._clock.now().timestamp() - self._retention.total_seconds()
            try:
                while await self._store.purge(before, PURGE_BATCH) == PURGE_BATCH:
                    await self._clock.sleep(SWEEP_SECONDS)
            except (Unavailable, ConnectionError) as error:
                logger.warning("Old runs could not be removed: %s", error)

    # What runs report.

    def answer(self, run_id: str, response: dict[str, Json]) -> None:
        self._waiters.answer(run_id, to_answer(response))


def entry_of(run: Run) -> Delivery:
    """The event of a run as its first delivery."""
    content: Json = orjson.loads(run.content)
    message = Message(run.run_id, "", run.port, content)
    return Delivery(run.run_id, message, run.trigger_id, run.port)


def cancel_order(run_id: str, reason: str) -> Inbound:
    """What is left in the inbox of a run that shall end."""
    return Inbound(0, "cancel", run_id, orjson.dumps(reason))
