"""Test mode: a version of a flow, running or not, is tried from one component on; who tries it hears what happens.

A trial is a run like any other, on record under an event id of its own kind; it is ended when nobody waits for it any
more. Nothing is told twice, and what comes too fast for the reader is left out: the run's record has it all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

from headrace_core.clock import Clock
from headrace_core.errors import BadRequest, NotFound
from headrace_core.expressions import Json
from headrace_core.ids import new_id

from headrace_executor.plan import Plan, PlannedNode, schedule_of
from headrace_executor.plans import Plans
from headrace_executor.service import TRIAL, ExecutionService, own_event
from headrace_executor.watching import Watching

_OVER = frozenset({"done", "failed", "cancelled", "quarantined"})


class Trials:
    """Tries flows."""

    def __init__(self, service: ExecutionService, plans: Plans, watching: Watching, clock: Clock) -> None:
        self._service = service
        self._plans = plans
        self._watching = watching
        self._clock = clock

    async def run(
        self, tenant_id: str, flow_id: str, version: int, node_id: str, content: Json, within: timedelta
    ) -> AsyncGenerator[dict[str, Json], None]:
        """Run the version from this component on, with this content at its entry; yield what happens, as a watch does.

        The last one is of the type `end`, with the state of the run, or `timeout` when the time is over: the run is
        cancelled then, as it is when the reader leaves. Raises NotFound, or BadRequest when nothing can enter there.
        """
        plan = await self._plans.version(flow_id, version)
        if plan.tenant_id != tenant_id:
            raise NotFound("flow", flow_id)
        event = own_event(flow_id, node_id, entry_port(plan, node_id), f"{TRIAL}{new_id()}", content)
        told = self._watching.watch(flow_id)
        news = asyncio.ensure_future(anext(told))
        await asyncio.sleep(0)  # the watch begins before the run does
        run_id, is_over = "", False
        until = self._clock.monotonic() + within.total_seconds()
        try:
            run_id = (await self._service.accept_inside(plan, event)).run_id
            yield {"type": "begin", "runId": run_id}
            while not is_over:
                try:
                    async with asyncio.timeout(max(0.0, until - self._clock.monotonic())):
                        batch, _ = await asyncio.shield(news)
                except (TimeoutError, StopAsyncIteration):
                    break
                news = asyncio.ensure_future(anext(told))
                for each in batch:
                    if each.get("runId") == run_id:
                        yield each
                state = (await self._service.get_run(tenant_id, run_id)).run.state.name.lower()
                if is_over := state in _OVER:
                    yield {"type": "end", "runId": run_id, "state": state}
            if not is_over:
                yield {"type": "end", "runId": run_id, "state": "timeout"}
        finally:
            news.cancel()
            await asyncio.gather(news, return_exceptions=True)
            await told.aclose()
            if run_id and not is_over:
                await self._service.cancel_run(tenant_id, run_id, "the test of it ended")


def entry_port(plan: Plan, node_id: str) -> str:
    """Where a trial enters a component. Raises NotFound, or BadRequest when it is no place to begin."""
    node = plan.nodes.get(node_id)
    if node is None:
        raise NotFound("component", node_id[:256])
    port = _entry_port(node)
    if not port:
        raise BadRequest(f"Nothing can be sent to {node.type} from outside. Begin the test with another component.")
    return port


def _entry_port(node: PlannedNode) -> str:
    if node.manifest.in_ports and not node.manifest.is_trigger:
        return node.manifest.in_ports[0].name
    if node.manifest.has_webhook:
        return "webhook"
    if node.traits.fires_on_start:
        return "start"
    if node.manifest.ticks:
        return "tick"
    if schedule_of(node) is not None:
        return "schedule"
    return node.manifest.in_ports[0].name if node.manifest.in_ports else ""
