"""Brings back flows with their versions, in the order in which those were saved.

A flow on its way in says so in its notes: whoever finds one that was interrupted goes on with it. It comes in stopped,
and its log stays behind.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Final

from headrace_core import Json

from headrace_gateway.archives.links import relinked
from headrace_gateway.archives.verdicts import WRITTEN, Decision, differing, other_id, other_name
from headrace_gateway.archives.work import Work, an_object
from headrace_gateway.clients.belongings import KeptFlow

_UNDER_WAY: Final = "This flow is being imported. If no import is under way, import the archive again to finish it."
_MAX_ID: Final = 64
_MOST_ROUNDS: Final = 10


async def bring(work: Work) -> None:
    """Every flow of the archive: where each will be, what becomes of it, and then that."""
    targets = await _targets(work)
    links = {**work.links, **{old: new for old, new in targets.items() if old != new}}
    decisions = {decision.id: decision async for decision in _decided(work, targets, links)}
    # What links to a copy is copied, too, to link to it: so copies may make more of them.
    for _ in range(_MOST_ROUNDS):
        more = {each.id: each.target for each in decisions.values() if each.target != each.id}
        if more.items() <= links.items():
            break
        links |= more
        decisions = {decision.id: decision async for decision in _decided(work, targets, links)}
    flow: _Flow | None = None
    async for what, given in work.archive.lines("flows"):
        if what == "version":
            if flow is not None:
                await flow.add(given, links)
            continue
        if flow is not None:
            await flow.end()
        flow = _Flow(work, decisions[str(given["flowId"])], _record(given, links))
        if given["isActive"]:
            flow.was_running = True
    if flow is not None:
        await flow.end()


class _Flow:
    """A flow on its way in."""

    def __init__(self, work: Work, decision: Decision, record: dict[str, Json]) -> None:
        self.was_running = False
        self._work = work
        self._decision = decision
        self._record = {**record, "name": decision.name}
        self._kept: KeptFlow | None = None
        self._is_written = decision.verdict in (*WRITTEN, "completed") and not work.terms.dry_run
        self._is_found = False

    async def add(self, given: Mapping[str, Json], links: Mapping[str, str]) -> None:
        """Save the next version, unless an interrupted import saved it already."""
        if not self._is_written or self._decision.verdict == "replaced":
            return
        number, label = int(str(given["version"])), str(given["label"])
        descriptor = relinked(given["descriptor"], links)
        async with self._work.guarded(self._decision) as outcome:
            kept = await self._so_far()
            if kept is None:
                first = {"name": self._decision.name, "notes": _UNDER_WAY, "flow": descriptor}
                kept = await self._work.clients.belongings.make_flow(self._work.scope, self._target, _text(first))
            elif number > kept.version:
                kept = await self._change({"flow": descriptor}, as_version=kept.version + 1)
            self._kept = kept
            if label and number <= kept.version:
                await self._work.clients.flows.label(self._work.scope, self._target, number, label)
        self._went(outcome.decision)

    async def end(self) -> None:
        """Save everything else of it, and put down how it went."""
        if self._is_written:
            async with self._work.guarded(self._decision) as outcome:
                kept = await self._so_far()
                if kept is None:
                    await self._work.clients.belongings.make_flow(self._work.scope, self._target, _text(self._record))
                else:
                    gone: dict[str, Json] = {name: None for name in json.loads(kept.record) if name not in self._record}
                    await self._change({**gone, **self._record})
            self._went(outcome.decision)
        self._work.report.decisions.append(self._decision)
        if self.was_running and self._decision.verdict in ("created", "renamed", "completed"):
            self._work.report.were_running.append(self._target)

    @property
    def _target(self) -> str:
        return self._decision.target

    async def _so_far(self) -> KeptFlow | None:
        """The flow as it is here now; None where it is not."""
        if not self._is_found:
            self._kept = await _mine(self._work, self._target)
            self._is_found = True
        return self._kept

    async def _change(self, changes: Mapping[str, Json], *, as_version: int = 0) -> KeptFlow:
        belongings, scope = self._work.clients.belongings, self._work.scope
        return await belongings.change_flow(scope, self._target, _text(changes), as_version=as_version)

    def _went(self, decision: Decision) -> None:
        if decision is not self._decision:
            self._decision, self._is_written = decision, False


async def _targets(work: Work) -> dict[str, str]:
    """The id that each flow will have: its own, unless another tenant has that."""
    targets: dict[str, str] = {}
    async for what, given in work.archive.lines("flows"):
        if what == "flow":
            flow_id = str(given["flowId"])
            kept = await work.clients.belongings.flow(work.anybodys, flow_id[:_MAX_ID])
            is_free = kept is None or kept.tenant_id == work.tenant
            targets[flow_id] = flow_id if is_free else other_id(work.tenant, "flow", flow_id, why="taken")
    return targets


async def _decided(work: Work, targets: Mapping[str, str], links: Mapping[str, str]) -> AsyncIterator[Decision]:
    """What becomes of each flow."""
    async for what, given in work.archive.lines("flows"):
        if what != "flow":
            continue
        flow_id, record = str(given["flowId"]), _record(given, links)
        decision = await _decision(work, flow_id, targets[flow_id], record)
        if decision.verdict in (*WRITTEN, "completed"):
            async with work.guarded(decision) as outcome:
                await work.terms.may_use(record.get("flow"))
            decision = outcome.decision
        yield decision


async def _decision(work: Work, flow_id: str, target: str, record: dict[str, Json]) -> Decision:
    name = str(record.get("name", ""))
    decision = Decision("flow", flow_id, "created", target, name)
    kept = await _mine(work, target)
    if kept is not None and work.terms.on_conflict == "rename" and not (_is_same(kept, record) or _is_begun(kept)):
        copy_id = other_id(work.tenant, "flow", flow_id, why="copy")
        decision = replace(decision, verdict="renamed", target=copy_id, name=other_name(name))
        record = {**record, "name": other_name(name)}
        kept = await _mine(work, copy_id)
    if kept is None:
        return decision
    if _is_same(kept, record):
        return replace(decision, verdict="unchanged")
    if _is_begun(kept):
        return replace(decision, verdict="completed")
    return differing(work.terms.on_conflict, decision, "There is a flow of this id that differs.")


async def _mine(work: Work, flow_id: str) -> KeptFlow | None:
    """The tenant's own flow of this id; one that is shared with them is somebody else's."""
    kept = await work.clients.belongings.flow(work.scope, flow_id)
    return kept if kept is not None and kept.tenant_id == work.tenant else None


def _record(given: Mapping[str, Json], links: Mapping[str, str]) -> dict[str, Json]:
    return an_object(relinked(given["record"], links))


def _is_same(kept: KeptFlow, record: Mapping[str, Json]) -> bool:
    return bool(json.loads(kept.record) == record)


def _is_begun(kept: KeptFlow) -> bool:
    return bool(json.loads(kept.record).get("notes") == _UNDER_WAY)


def _text(value: Mapping[str, Json]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
