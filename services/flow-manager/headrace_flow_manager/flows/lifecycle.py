"""Starting, stopping and removing flows: journaled first, then done, then settled.

A transition is written down (stage, activation id) before the executor hears of it, and settled after it has
answered. Whoever dies in between leaves an unfinished flow, and `reconcile` drives that to its end with the same
activation id, so that nothing happens twice.

Of all processes one moves a flow at a time (`turns`), so that the executor hears of a stop only when it is done with
the start. What is written stays right without that too: every write is conditional on the flow's revision.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, NotFound, RevisionConflict, Unavailable
from headrace_core.ids import new_id

from headrace_flow_manager.attempts import persistently
from headrace_flow_manager.flows import model
from headrace_flow_manager.flows.model import Flow, Stage
from headrace_flow_manager.flows.store import FlowDirectory, FlowExecution, FlowNews, FlowStore
from headrace_flow_manager.flows.turns import Turns
from headrace_flow_manager.locks import KeyedLocks

log = logging.getLogger(__name__)

RECONCILE_BATCH = 100

PATIENCE = timedelta(seconds=20)
"""How long a call waits for its turn: longer than a turn lasts whose holder died."""

Find = Callable[[], Awaitable[Flow]]
"""Reads the flow for somebody who may do this with it. Raises NotFound and Forbidden."""

FitToRun = Callable[[Flow], Awaitable[Flow]]
"""The flow as it is going to run. Raises ValidationFailed when it is not fit to start."""


class Lifecycle:
    """Moves flows from stage to stage. The caller of `carry_on` holds the flow's lock."""

    def __init__(
        self,
        store: FlowStore,
        directory: FlowDirectory,
        turns: Turns,
        execution: FlowExecution,
        news: FlowNews,
        clock: Clock,
    ) -> None:
        self._store = store
        self._directory = directory
        self._turns = turns
        self._execution = execution
        self._news = news
        self._clock = clock
        self.locks = KeyedLocks()
        self.unfinished = asyncio.Event()
        """Set when a start or stop is left to the reconciler."""

    async def start(self, flow_id: str, find: Find, fit: FitToRun, *, background: bool = False) -> Flow:
        """Make the flow that is found run; a running flow stays as it is.

        Returns it while still starting when the executor is away, or in the background: the reconciler starts it
        then, and notes an error at the flow. Raises ValidationFailed when it is not fit to start, or what the
        executor refused it for.
        """

        async def attempt() -> Flow:
            flow = await find()
            if flow.stage is Stage.STOPPING:
                flow = await self._finish(flow)
                if flow.stage is Stage.STOPPING:
                    raise Unavailable(f"Flow {flow_id!r} is still stopping. Start it again in a moment.")
            if flow.stage is Stage.STOPPED:
                flow = await self.save(flow, model.starting(await fit(flow), new_id()))
            return self._left_over(flow) if background else await self._finish(flow)

        async with self._alone(flow_id):
            return await persistently(attempt)

    async def stop(self, flow_id: str, find: Find, *, background: bool = False, error: str = "") -> Flow:
        """Make the flow that is found take no more events; a stopped flow stays as it is.

        Returns it while still stopping when the executor is away, or in the background: the reconciler stops it then.
        The error says at the flow why it was stopped, where its people did not ask for it.
        """

        async def attempt() -> Flow:
            flow = await find()
            if flow.is_active:
                flow = await self.save(flow, model.stopping(flow, new_id(), error))
            return self._left_over(flow) if background else await self._finish(flow)

        async with self._alone(flow_id):
            return await persistently(attempt)

    async def remove(self, tenant: str, flow_id: str, expected_revision: int = 0) -> None:
        """Take the flow from its owner at once, and from the executor now or later.

        Raises NotFound, or RevisionConflict when the flow is not at the revision that is expected.
        """

        async def attempt() -> None:
            flow = await self._store.get(tenant, flow_id)
            model.check_revision(flow, expected_revision)
            await self._finish(await self.save(flow, model.removing(flow, new_id())))

        async with self._alone(flow_id):
            await persistently(attempt)

    async def save(self, before: Flow, after: Flow) -> Flow:
        """Write a change down and tell of it."""
        saved = await self._store.save(before.tenant_id, before, after)
        await self._news.changed(saved)
        return saved

    async def carry_on(self, flow: Flow) -> Flow:
        """Drive what was just saved to its end; left to the reconciler when another process is at this flow."""
        async with self._turns.hold_if_free(flow.flow_id) as is_free:
            return await self._finish(await self._directory.find(flow.flow_id)) if is_free else flow

    def _left_over(self, flow: Flow) -> Flow:
        """The flow, with what is under way left to the reconciler, which begins at once."""
        if not flow.is_settled:
            self.unfinished.set()
        return flow

    @asynccontextmanager
    async def _alone(self, flow_id: str) -> AsyncIterator[None]:
        """Be the only one in the installation who moves this flow. In this process those who wait queue up first."""
        async with self.locks.hold(flow_id), self._turns.hold(flow_id, PATIENCE):
            yield

    async def _finish(self, flow: Flow) -> Flow:
        """Drive what is under way to its end. Returns the flow as it is then, unfinished when the executor is away."""
        if flow.stage is Stage.STOPPING:
            flow = await self._deactivate(flow)
        elif flow.is_active and flow.activated_version != flow.running_version:
            flow = await self._activate(flow)
        if flow.removed and flow.stage is Stage.STOPPED:
            await self._forget(flow)
        return flow

    async def reconcile(self) -> bool:
        """Drive every unfinished flow to its end. Stops early, without harm, when the executor is away."""
        after = ""
        while flows := await self._directory.unfinished(after, RECONCILE_BATCH):
            for flow in flows:
                if not await self._reconcile(flow.flow_id):
                    return False
            after = flows[-1].flow_id
        return False

    async def _reconcile(self, flow_id: str) -> bool:
        """Whether it is worth while to go on with the next flow."""
        async with self.locks.hold(flow_id), self._turns.hold_if_free(flow_id) as is_free:
            if not is_free:
                return True
            try:
                flow = await self._finish(await self._directory.find(flow_id))
            except NotFound:
                return True
            except HeadraceError as error:
                log.warning("flow %s: what was under way ended with %s: %s", flow_id, error.code, error)
                return not error.is_temporary
            return flow.is_settled or (flow.removed and flow.stage is Stage.STOPPED)

    async def _activate(self, flow: Flow) -> Flow:
        try:
            await self._execution.activate(flow)
        except HeadraceError as error:
            if error.is_temporary:
                log.warning("flow %s starts later: %s", flow.flow_id, error)
                return flow
            await self._give_up_start(flow, error)
            raise
        return await self._settle(flow, model.activated(flow, self._clock.now()))

    async def _give_up_start(self, flow: Flow, error: HeadraceError) -> None:
        """Back to the version that ran before, or else to stopped, so that nothing half started stays."""
        if flow.stage is Stage.RUNNING and flow.activated_version:
            await self._finish(await self.save(flow, model.fallen_back(flow, error.message)))
        else:
            await self._finish(await self.save(flow, model.stopping(flow, new_id(), error.message)))

    async def _deactivate(self, flow: Flow) -> Flow:
        try:
            await self._execution.deactivate(flow)
        except HeadraceError as error:
            if error.is_temporary:
                log.warning("flow %s stops later: %s", flow.flow_id, error)
                return flow
            log.warning("flow %s is stopped, though its stop failed: %s", flow.flow_id, error)
        return await self._settle(flow, model.stopped(flow, self._clock.now()))

    async def _forget(self, flow: Flow) -> None:
        try:
            await self._execution.forget(flow)
        except HeadraceError as error:
            if error.is_temporary:
                log.warning("flow %s is cleaned up later: %s", flow.flow_id, error)
                return
            log.warning("flow %s is removed, though its clean-up failed: %s", flow.flow_id, error)
        await self._store.erase(flow.tenant_id, flow.flow_id)

    async def _settle(self, flow: Flow, settled: Flow) -> Flow:
        await self._news.settling(flow, settled)
        try:
            return await self.save(flow, settled)
        except RevisionConflict:
            return await self._directory.find(flow.flow_id)  # somebody else drives it; the reconciler looks again
