"""Templates and their instances: all instances are brought to a new version, or removed with their template.

The order is on record before anybody is answered, and after each instance it is put down how far the work is. Whoever
takes it up after a crash goes on there, and does at most one instance again, which then changes nothing.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import BadRequest, Conflict, HeadraceError, NotFound
from headrace_core.flow import parse_descriptor
from headrace_core.ids import derive_id, new_id
from headrace_core.merging import merged

from headrace_flow_manager.flows import cloning, preview, work
from headrace_flow_manager.flows.model import Flow, Instance
from headrace_flow_manager.flows.preview import InstanceUpdate, Sides
from headrace_flow_manager.flows.service import FlowService
from headrace_flow_manager.flows.store import FlowDirectory, FlowExecution, FlowStore, WorkStore
from headrace_flow_manager.flows.turns import Turns
from headrace_flow_manager.flows.waiting import Waiting
from headrace_flow_manager.flows.work import Order, Work, WorkState

log = logging.getLogger(__name__)

PAGE = 500
BATCH = 20
MAX_PREVIEW, DEFAULT_PREVIEW = 100, 20
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
        waiting: Waiting,
        clock: Clock,
        ordered: asyncio.Event,
    ) -> None:
        self._flows = flows
        self._store = store
        self._directory = directory
        self._works = works
        self._turns = turns
        self._execution = execution
        self._waiting = waiting
        self._clock = clock
        self._ordered = ordered

    async def update_instances(self, tenant: str, template_id: str, *, cancel_runs: bool = False) -> Work:
        """Order every instance to be brought to the template's newest version. Raises NotFound, Conflict."""
        return await self._order(await self._template(tenant, template_id), Order.UPDATE, cancels_runs=cancel_runs)

    async def preview(
        self, tenant: str, template_id: str, after_flow_id: str, limit: int
    ) -> tuple[int, list[InstanceUpdate], int]:
        """What `update_instances` would do now to a page of instances, by flow id; nothing is changed.

        The version they would be brought to, the page, and how many there are; `limit` 0 means 20. Raises NotFound,
        Conflict, BadRequest.
        """
        if not 0 <= limit <= MAX_PREVIEW:
            raise BadRequest(f"A page holds 1 to {MAX_PREVIEW} instances.")
        template = await self._template(tenant, template_id)
        page = await self._directory.instances(template_id, after_flow_id, limit or DEFAULT_PREVIEW)
        found = [await self._find(each) for each in page]
        updates = [await self._previewed(template, each) for each in found if each is not None]
        return template.version, updates, await self._count(template_id)

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

    async def _template(self, tenant: str, template_id: str) -> Flow:
        template = await self._store.get(tenant, template_id)
        if template.record.get("type") != "integration-template":
            raise Conflict(f"Flow {template_id!r} is no integration-template: nothing was made of it.")
        return template

    async def _previewed(self, template: Flow, instance: Flow) -> InstanceUpdate:
        said = InstanceUpdate(instance.flow_id, instance.stage, _followed(instance))
        try:
            base, new, ids = await self._versions(template.tenant_id, template.flow_id, template.version, instance)
            changes = _merged(base, new, instance)
            sides = Sides(base, new, instance.descriptor, changes)
            added, removed = preview.links(sides)
            said = replace(said, components=preview.components(sides, ids), links_added=added, links_removed=removed)
            after = await self._flows.rehearse(instance, {"flow": changes})
            said = replace(said, needs_accounts=(await self._waiting.settled(instance, after.descriptor)).missing)
        except HeadraceError as error:
            if error.is_temporary:
                raise
            return replace(said, error=str(error))
        return said

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
        error, waits = "", False
        try:
            flow = await self._find(instance)
            if flow is not None:
                waits = await self._do(order, flow)
        except HeadraceError as failure:
            if failure.is_temporary:
                raise
            error = f"{instance.flow_id}: {failure}"
            log.warning("work %s failed at flow %s: %s", order.ticket, instance.flow_id, failure)
        order = work.stepped(order, instance.flow_id, self._clock.now(), error, waits=waits)
        await self._works.save(order)
        return order

    async def _find(self, instance: Instance) -> Flow | None:
        """The instance; None when its owner removed it meanwhile."""
        try:
            return await self._store.get(instance.tenant_id, instance.flow_id)
        except NotFound:
            return None

    async def _do(self, order: Work, flow: Flow) -> bool:
        """Whether the flow waits for accounts then."""
        if order.order is Order.DELETE:
            await self._flows.delete(flow.tenant_id, flow.flow_id)
            return False
        changes = await self._changes(order, flow)
        updated, _ = await self._flows.update(flow.tenant_id, flow.flow_id, changes, force=True, brings_steps=True)
        if updated.needs_accounts:  # whoever assigned an account just before that was told of no flow that waits
            updated = await self._flows.catch_up(flow.tenant_id, flow.flow_id)
        if order.cancels_runs and not (updated.is_active and updated.needs_accounts):
            await self._execution.cancel_older(updated)
        return updated.needs_accounts

    async def _changes(self, order: Work, instance: Flow) -> dict[str, Json]:
        """What makes the instance one of the template's version, with all that was changed in it kept."""
        base, new, ids = await self._versions(order.tenant_id, order.flow_id, order.version, instance)
        changes: dict[str, Json] = {
            "flow": _merged(base, new, instance),
            "componentIdMap": {node_id: each for node_id, each in ids.items() if each in new},
            "templateVersion": order.version,
        }
        template = await self._store.get(order.tenant_id, order.flow_id)
        if "wizard" in template.record:
            changes["wizard"] = cloning.wizard_with_ids(template.record["wizard"], ids)
        return changes

    async def _versions(
        self, tenant: str, template_id: str, version: int, instance: Flow
    ) -> tuple[dict[str, Json], dict[str, Json], dict[str, str]]:
        """The version that the instance follows, the one it is to follow, and its ids, under which both are."""
        base = await self._store.version(tenant, template_id, _followed(instance))
        new = await self._store.version(tenant, template_id, version)
        ids = _ids(instance, {**base.descriptor, **new.descriptor})
        return _as_instance(base.descriptor, ids), _as_instance(new.descriptor, ids), ids


def _followed(instance: Flow) -> int:
    """The template's version that the instance follows."""
    version = instance.record.get("templateVersion", 1)
    return version if isinstance(version, int) else 1


def _merged(base: dict[str, Json], new: dict[str, Json], instance: Flow) -> dict[str, Json]:
    """The instance's descriptor with all that is new, and all that its owner changed."""
    mine = dict(instance.descriptor)
    return merged(parse_descriptor(base), parse_descriptor(mine), parse_descriptor(new))


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
