"""Moving runs that wait to another version of their flow: which may, why others may not, and the move itself.

A run may move when its journal, replayed over the other version, leaves exactly what it leaves over its own: the same
deliveries pending and failed, under the same ids. Then nothing it has done is undone, doubled or made up, and only
what is still to come differs. Besides, whatever waits must find its component, of the same type and with that in-port.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace_core.clock import Clock
from headrace_core.errors import NotFound, ValidationFailed

from headrace_executor.engine import entry_of
from headrace_executor.journal import Progress
from headrace_executor.model import Delivery, Loaded, Run, RunState
from headrace_executor.plan import Plan, check_ports
from headrace_executor.plans import Plans
from headrace_executor.store import RunFilter, RunStore


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one run: it may move (and has, unless this is a preview), or the reasons why it stays."""

    run_id: str
    version: int  # it began with
    moved: bool
    reasons: tuple[str, ...] = ()


class Migration:
    """Moves runs of one flow."""

    def __init__(self, store: RunStore, plans: Plans, clock: Clock) -> None:
        self._store = store
        self._plans = plans
        self._clock = clock

    async def page(
        self, tenant_id: str, flow_id: str, version: int, offset: int, limit: int, *, dry_run: bool
    ) -> tuple[list[Verdict], int]:
        """Move a page of the flow's waiting runs, newest first; how many wait in all. Raises NotFound as `some`."""
        runs, total = await self._store.list_runs(RunFilter(tenant_id, flow_id, RunState.WAITING), offset, limit)
        names = [run.run_id for run in runs]
        return await self.some(tenant_id, flow_id, version, names, dry_run=dry_run), total

    async def some(
        self, tenant_id: str, flow_id: str, version: int, run_ids: Sequence[str], *, dry_run: bool
    ) -> list[Verdict]:
        """Move these runs. Raises NotFound when the tenant's flow has no such version, or one of the runs is not its.

        A run that somebody took up meanwhile stays, and moving a run again changes nothing.
        """
        target = await self._plans.version(flow_id, version)
        if target.tenant_id != tenant_id:
            raise NotFound("flow", flow_id)
        loaded = [await self._load(tenant_id, flow_id, name) for name in run_ids]
        return [await self._one(each, target, dry_run=dry_run) for each in loaded]

    async def _load(self, tenant_id: str, flow_id: str, run_id: str) -> Loaded:
        loaded = await self._store.get(tenant_id, run_id)
        if loaded is None or loaded.run.flow_id != flow_id:
            raise NotFound("run", run_id)
        return loaded

    async def _one(self, loaded: Loaded, target: Plan, *, dry_run: bool) -> Verdict:
        run = loaded.run
        if run.version == target.version:
            return Verdict(run.run_id, run.version, False, ("It has this version already.",))
        if run.state is not RunState.WAITING:
            return Verdict(run.run_id, run.version, False, ("It does not wait: it ends with the version it has.",))
        try:
            own = await self._plans.version(run.flow_id, run.version)
        except (NotFound, ValidationFailed) as error:
            return Verdict(run.run_id, run.version, False, (f"Its own version cannot be read: {error}",))
        reasons = tuple(obstacles(loaded, own, target))
        if reasons or dry_run:
            return Verdict(run.run_id, run.version, not reasons, reasons)
        now = self._clock.now().timestamp()
        if await self._store.move(run, target.version, now):
            return Verdict(run.run_id, run.version, True)
        return Verdict(run.run_id, run.version, False, ("It went on meanwhile. Ask again.",))


def obstacles(loaded: Loaded, own: Plan, target: Plan) -> Iterator[str]:
    """Every reason why a run of `own` cannot go on as one of `target`; none when it can."""
    run = loaded.run
    if not _is_there(run.trigger_id, own, target):
        yield f"Its trigger {_name(own, run.trigger_id)} is gone or of another type."
        return
    before = _replayed(loaded, own)
    try:
        after = _replayed(loaded, target)
    except KeyError:  # a join on record names parts that the target's links never brought together
        yield "Messages that were joined would not have met."
        return
    waiting, there = {**before.pending, **before.failed}, {**after.pending, **after.failed}
    for delivery in waiting.values():
        yield from _unfit(delivery, own, target)
        if delivery.id not in there:
            yield f"A message on its way to {_at(own, delivery)} has no such link any more."
    for delivery in there.values():
        if delivery.id not in waiting:
            yield f"{_name(target, delivery.node)} would get a message that was sent before it was linked."
    yield from _changed_joins(run, before, own, target)


def _unfit(delivery: Delivery, own: Plan, target: Plan) -> Iterator[str]:
    if not _is_there(delivery.node, own, target):
        yield f"A message waits at {_at(own, delivery)}, which is gone or of another type."
        return
    try:
        check_ports(target, delivery.node, delivery.port)
    except ValidationFailed:
        yield f"A message waits at {_at(own, delivery)}, and there is no such in-port any more."
    if delivery.intent or (delivery.parked is not None and delivery.parked.kind == "in_doubt"):
        yield f"It is not known how a step of {_name(own, delivery.node)} ended; settle that first."


def _changed_joins(run: Run, before: Progress, own: Plan, target: Plan) -> Iterator[str]:
    """Joins that hold messages wait for the same links, from the same fork."""
    held = {delivery.node for delivery, parked in before.waits if parked.kind == "join"}
    joins, others = own.rules(run.trigger_id).joins, target.rules(run.trigger_id).joins
    for node in sorted(held):
        if joins.get(node) != others.get(node):
            yield f"Messages wait to join at {_name(own, node)}, and it joins others now."


def _replayed(loaded: Loaded, plan: Plan) -> Progress:
    run = loaded.run
    progress = Progress(run.run_id, plan, plan.rules(run.trigger_id), entry_of(run))
    progress.replay(loaded.chunks)
    return progress


def _is_there(node_id: str, own: Plan, target: Plan) -> bool:
    return node_id in own.nodes and node_id in target.nodes and own.nodes[node_id].type == target.nodes[node_id].type


def _at(plan: Plan, delivery: Delivery) -> str:
    return f"{_name(plan, delivery.node)} ({delivery.port})"


def _name(plan: Plan, node_id: str) -> str:
    """The component as people know it, with the id that tells it from others of its label."""
    node = plan.nodes.get(node_id)
    return f"{node.label!r} [{node_id}]" if node is not None and node.label else node_id
