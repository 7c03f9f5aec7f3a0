"""Flows begin and end here: start and stop hooks, schedules, what fires at the start, what is left at the end."""

from __future__ import annotations

import contextlib

from headrace_core.clock import Clock
from headrace_core.errors import Conflict

from headrace_executor.engine import Engine
from headrace_executor.model import START_HOOK, STOP_HOOK, StateChange, node_scope
from headrace_executor.plan import Plan, PlannedNode
from headrace_executor.plans import Plans
from headrace_executor.ports import Schedules
from headrace_executor.service import ExecutionService, own_event
from headrace_executor.settings import ExecutorSettings
from headrace_executor.store import ExecutorStore
from headrace_executor.timing import Timing


class Activation:
    """The use cases of flow-manager: activate, deactivate, forget. Each may be repeated with the same ids."""

    def __init__(
        self,
        service: ExecutionService,
        timing: Timing,
        store: ExecutorStore,
        engine: Engine,
        plans: Plans,
        schedules: Schedules,
        clock: Clock,
        settings: ExecutorSettings,
    ) -> None:
        self._service = service
        self._timing = timing
        self._store = store
        self._engine = engine
        self._plans = plans
        self._schedules = schedules
        self._clock = clock
        self._settings = settings

    async def activate(self, flow_id: str, version: int, activation_id: str) -> None:
        """Run the start hooks, register the schedules, fire what fires at start, wake what was put aside.

        The same activation does each of it once. Raises ValidationFailed or Conflict when the flow cannot start;
        then nothing of it runs.
        """
        plan = await self._plans.version(flow_id, version)
        began = await self._timing.began(plan, activation_id)
        self._timing.timers_of(plan, began)  # what cannot be scheduled is refused before anything happens
        await self._run_hooks(plan, START_HOOK, activation_id)
        self._plans.forget(flow_id)
        await self._timing.register(plan, began)
        for node in plan.nodes.values():
            if node.traits.fires_on_start:
                event = own_event(flow_id, node.id, "start", activation_id, {"started": began.isoformat()})
                await self._service.accept_inside(plan, event)
        await self._store.resume_flow(flow_id, self._clock.now().timestamp())
        self._engine.nudge()

    async def deactivate(self, flow_id: str, version: int, activation_id: str) -> None:
        """Remove the schedules, run the stop hooks, clear state that shall not outlive a stop."""
        await self._schedules.remove(flow_id)
        self._plans.forget(flow_id)
        plan = await self._plans.version(flow_id, version)
        with contextlib.suppress(Conflict):
            await self._run_hooks(plan, STOP_HOOK, activation_id)
        ended = [node for node in plan.nodes.values() if not node.manifest.keeps_state]
        await self._store.write_state(
            [StateChange(node_scope(plan.tenant_id, flow_id, node.id), "clear") for node in ended]
        )

    async def forget_flow(self, tenant_id: str, flow_id: str) -> None:
        """Remove everything kept for a deleted flow."""
        self._plans.forget(flow_id)
        await self._schedules.remove(flow_id)
        await self._store.forget_flow(tenant_id, flow_id)

    async def _run_hooks(self, plan: Plan, hook: str, activation_id: str) -> None:
        """Run the hooks of all nodes that have one, each in a run of its own, and wait for them."""
        name = hook.removeprefix("@")
        nodes = [node for node in plan.nodes.values() if name in node.traits.hooks]
        runs = []
        for node in nodes:
            event = own_event(plan.flow_id, node.id, hook, activation_id, {})
            runs.append((node, (await self._service.accept_inside(plan, event)).run_id))
        for node, hook_run in runs:
            await self._wait_for_hook(plan, node, hook_run, name)

    async def _wait_for_hook(self, plan: Plan, node: PlannedNode, hook_run: str, name: str) -> None:
        deadline = self._clock.monotonic() + self._settings.hook_within.total_seconds()
        while self._clock.monotonic() < deadline:
            loaded = await self._store.get(plan.tenant_id, hook_run)
            if loaded is not None and loaded.run.steps > 0:
                if loaded.run.failed:
                    raise Conflict(f"{node.type} ({node.label}, {node.id}) cannot {name}: {loaded.run.error}")
                return
            await self._clock.sleep(0.02)
        raise Conflict(f"{node.type} ({node.label}, {node.id}) did not {name} within {self._settings.hook_within}.")
