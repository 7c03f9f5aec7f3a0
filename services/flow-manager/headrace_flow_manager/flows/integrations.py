"""Templates and their instances: all instances are brought to a new version, or removed with their template.

The order is on record before anybody is answered, and after each instance it is put down how far the work is. Whoever
takes it up after a crash goes on there, and does at most one instance again, which then changes nothing.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, HeadraceError, NotFound
from headrace_core.flow import parse_descriptor
from headrace_core.ids import derive_id, new_id
from headrace_core.merging import merged

from headrace_flow_manager.flows import cloning, work
from headrace_flow_manager.flows.model import Flow, Instance
from headrace_flow_manager.flows.service import FlowService
from headrace_flow_manager.flows.store import FlowDirectory, FlowExecution, FlowStore, WorkStore
from headrace_flow_manager.flows.turns import Turns
from headrace_flow_manager.flows.work import Order, Work, WorkState

log = logging.getLogger(__name__)

PAGE = 500
BATCH = 20
KEPT_FOR = timedelta(days=7)


class IntegrationService:
    """Takes orders for templates and carries them out, one instance after the other. `ordered` is set by new ones."""

    def __init__(
        self,
        flows: FlowService,
        store: FlowStore,
        directory: FlowDirectory,
        works: WorkStore,
        turns: Turns,
        execution: FlowExecution,
        clock: Clock,
        ordered: asyncio.Event,
    ) -> None:
        self._flows = flows
        self._store = store
        self._directory = directory
        self._works = works
        self._turns = turns
        self._execution = execution
        self._clock = clock
        self._ordered = ordered

    async def update_instances(self, tenant: str, template_id: str, *, cancel_runs: bool = False) -> Work:
        """Order every instance to be brought to the template's newest version. Raises NotFound, Conflict."""
        template = await self._store.get(tenant, template_id)
        if template.record.get("type") != "integration-template":
            raise Conflict(f"Flow {template_id!r} is no integration-template: nothing was made of it.")
        return await self._order(template, Order.UPDATE, cancels_runs=cancel_runs)

    async def delete(self, tenant: str, flow_id: str) -> Work:
        """Order the flow to be removed, with all instances that were made of it. Raises NotFound."""
        return await self._order(await self._store.get(tenant, flow_id), Order.DELETE)

    async def progress(self, tenant: str, ticket: str) -> Work:
        """How far the work is. Raises NotFound."""
        return await self._works.get(tenant, ticket)

    async def round(self) -> bool:
        """Take every piece of work to its end that nobody else is at; whether there may be more."""
        batch = await self._works.unfinished(BATCH)
        done = 0
        for each in batch:
            async with self._turns.hold_if_free(f"work:{each.ticket}") as is_free:
                if is_free and await self._carry_on(each):
                    done += 1
        return done == BATCH

    async def prune(self) -> bool:
        """Forget what ended a week ago."""
        await self._works.prune(self._clock.now() - KEPT_FOR)
        return False

    async def _order(self, flow: Flow, order: Order, *, cancels_runs: bool = False) -> Work:
        now = self._clock.now()
        total = await self._count(flow.flow_id) + (order is Order.DELETE)
        made = Work(new_id(), flow.tenant_id, order, flow.flow_id, flow.version, cancels_runs, total, now, now)
        await self._works.add(made)
        self._ordered.set()
        return made

    async def _count(self, template_id: str) -> int:
        count, after = 0, ""
        while page := await self._directory.instances(template_id, after, PAGE):
            count, after = count + len(page), page[-1].flow_id
        return count

    async def _carry_on(self, order: Work) -> bool:
        """Whether the work has come to its end; what is away for a moment lets it wait for the next round."""
        try:
            await self._carry_out(await self._works.get(order.tenant_id, order.ticket))
        except HeadraceError as error:
            if not error.is_temporary:
                raise
            log.warning("work %s goes on later: %s", order.ticket, error)
            return False
        return True

    async def _carry_out(self, order: Work) -> None:
        """Go on behind the instance that was looked at last."""
        if order.state is not WorkState.IN_PROGRESS:
            return
        while page := await self._directory.instances(order.flow_id, order.after, PAGE):
            for instance in page:
                order = await self._step(order, instance)
        if order.order is Order.DELETE and order.after != order.flow_id:
            order = await self._step(order, Instance(order.tenant_id, order.flow_id))
        await self._works.save(work.ended(order, self._clock.now()))

    async def _step(self, order: Work, instance: Instance) -> Work:
        error = ""
        try:
            flow = await self._find(instance)
            if flow is not None:
                await self._do(order, flow)
        except HeadraceError as failure:
            if failure.is_temporary:
                raise
            error = f"{instance.flow_id}: {failure}"
            log.warning("work %s failed at flow %s: %s", order.ticket, instance.flow_id, failure)
        order = work.stepped(order, instance.flow_id, self._clock.now(), error)
        await self._works.save(order)
        return order

    async def _find(self, instance: Instance) -> Flow | None:
        """The instance; None when its owner removed it meanwhile."""
        try:
            return await self._store.get(instance.tenant_id, instance.flow_id)
        except NotFound:
            return None

    async def _do(self, order: Work, flow: Flow) -> None:
        if order.order is Order.DELETE:
            await self._flows.delete(flow.tenant_id, flow.flow_id)
            return
        changes = await self._changes(order, flow)
        updated, _ = await self._flows.update(flow.tenant_id, flow.flow_id, changes, force=True)
        if order.cancels_runs:
            await self._execution.cancel_older(updated)

    async def _changes(self, order: Work, instance: Flow) -> dict[str, Json]:
        """What makes the instance one of the template's version, with all that was changed in it kept."""
        former = instance.record.get("templateVersion", 1)
        base = await self._store.version(order.tenant_id, order.flow_id, former if isinstance(former, int) else 1)
        new = await self._store.version(order.tenant_id, order.flow_id, order.version)
        ids = _ids(instance, {**base.descriptor, **new.descriptor})
        before, after = (_as_instance(version.descriptor, ids) for version in (base, new))
        descriptor = merged(
            parse_descriptor(before), parse_descriptor(dict(instance.descriptor)), parse_descriptor(after)
        )
        changes: dict[str, Json] = {
            "flow": descriptor,
            "componentIdMap": {node_id: ids[node_id] for node_id in new.descriptor},
            "templateVersion": order.version,
        }
        template = await self._store.get(order.tenant_id, order.flow_id)
        if "wizard" in template.record:
            changes["wizard"] = cloning.wizard_with_ids(template.record["wizard"], ids)
        return changes


def _ids(instance: Flow, descriptor: Mapping[str, Json]) -> dict[str, str]:
    """The instance's id for each component of the template: as its map says, else the same whenever it is asked for."""
    known = instance.record.get("componentIdMap")
    if not isinstance(known, dict):
        raise Conflict("The instance has no componentIdMap, so its components cannot be told from others.")
    return {
        node_id: str(known[node_id])
        if node_id in known
        else str(UUID(derive_id("instance", instance.flow_id, node_id)))
        for node_id in descriptor
    }


def _as_instance(descriptor: Mapping[str, Json], ids: Mapping[str, str]) -> dict[str, Json]:
    """The descriptor as an instance has it: under its own ids, and with nobody else's accounts."""
    return cloning.with_ids(cloning.without_accounts(descriptor), ids)
