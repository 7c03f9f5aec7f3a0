"""Plans, kept while they are used, and which version of a flow takes new events."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from headrace_core.clock import Clock

from headrace_executor.plan import Components, Plan, compile_plan
from headrace_executor.ports import Flows, FlowSource

MAX_PLANS = 2_000
FRESH_SECONDS = 2.0


@dataclass(slots=True)
class _Active:
    source: FlowSource
    plan: Plan | None
    until: float


class Library(Protocol):
    """Knows the components that a flow version may use."""

    async def components_for(self, source: FlowSource) -> Components:
        """Those that come with Headrace, and the published ones that the version is pinned to, ready to be called.

        Raises ValidationFailed when one of them cannot be loaded, Unavailable when nobody can say now.
        """
        ...


class Plans:
    """Finds plans. Answers from memory while they are fresh; `forget` makes the next question go to flow-manager.

    `flow.changed` on the bus makes it forget at once; the freshness limit bounds what a lost hint can cost.
    """

    def __init__(self, flows: Flows, library: Library, clock: Clock, public_url: str) -> None:
        self._flows = flows
        self._library = library
        self._clock = clock
        self._public_url = public_url
        self._plans: OrderedDict[tuple[str, int], Plan] = OrderedDict()
        self._active: dict[str, _Active] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[FlowSource]] = {}

    def fresh(self, flow_id: str) -> Plan | None:
        """The plan that new events take, when it is known without asking; for the hot path."""
        active = self._active.get(flow_id)
        if active is None or active.until < self._clock.monotonic():
            return None
        return active.plan

    async def active(self, flow_id: str) -> Plan | None:
        """The plan that new events take; None while the flow is stopped. Raises NotFound, ValidationFailed."""
        active = self._active.get(flow_id)
        if active is not None and active.until >= self._clock.monotonic():
            return active.plan
        source = await self._ask(flow_id, 0)
        plan = await self._compile(source) if source.is_active else None
        if len(self._active) >= MAX_PLANS:
            self._active.clear()
        self._active[flow_id] = _Active(source, plan, self._clock.monotonic() + FRESH_SECONDS)
        return plan

    async def version(self, flow_id: str, version: int) -> Plan:
        """The plan of one version. Raises NotFound when flow-manager has it no more."""
        plan = self._plans.get((flow_id, version))
        if plan is not None:
            self._plans.move_to_end((flow_id, version))
            return plan
        return await self._compile(await self._ask(flow_id, version))

    def forget(self, flow_id: str) -> None:
        """Ask flow-manager again at the next event."""
        self._active.pop(flow_id, None)

    async def _ask(self, flow_id: str, version: int) -> FlowSource:
        """Ask once for all who want to know the same at the same time."""
        key = (flow_id, version)
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._flows.resolve(flow_id, version))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _compile(self, source: FlowSource) -> Plan:
        key = (source.flow_id, source.version)
        plan = self._plans.get(key)
        if plan is None or not _says(plan, source):
            plan = compile_plan(
                await self._library.components_for(source),
                flow_id=source.flow_id,
                version=source.version,
                tenant_id=source.tenant_id,
                name=source.name,
                descriptor=source.descriptor,
                custom_fields=source.custom_fields,
                log_level=source.log_level,
                public_url=self._public_url,
            )
            self._plans[key] = plan
            if len(self._plans) > MAX_PLANS:
                self._plans.popitem(last=False)
        return plan


def _says(plan: Plan, source: FlowSource) -> bool:
    """Whether the plan has what may change about a version: all but its descriptor."""
    return (plan.name, plan.custom_fields, plan.log_level) == (source.name, source.custom_fields, source.log_level)
