"""Brings back paths of webhooks, for the flows under the ids that those have here."""

from collections.abc import Mapping
from dataclasses import replace

from headrace_core import Json, errors

from headrace_gateway.archives.verdicts import WRITTEN, Decision, differing, other_id, other_path
from headrace_gateway.archives.work import Work

Target = tuple[str, str]


async def bring(work: Work) -> None:
    """Every alias of the archive. A path that somebody else has is theirs: bringing it fails, and says so."""
    flows = work.report.ids("flow")
    mine = {str(each["id"]): each for each in await work.clients.aliases.all(work.scope)}
    async for _, given in work.archive.lines("aliases"):
        flow_id = str(given["flowId"])
        target = (flows.get(flow_id, flow_id), str(given["componentId"]))
        decision = await _decided(work, str(given["id"]), str(given["alias"]), target, mine)
        await work.do(decision, lambda: _write(work, decision, target))  # noqa: B023 # awaited before the next
        if work.report.decisions[-1].verdict in WRITTEN:
            kept: dict[str, Json] = {"id": decision.target, "alias": decision.name}
            mine[decision.target] = {**kept, "flowId": target[0], "componentId": target[1]}


async def _decided(
    work: Work, alias_id: str, path: str, target: Target, mine: Mapping[str, Mapping[str, Json]]
) -> Decision:
    decision = Decision("alias", alias_id, "created", alias_id, path)
    if not work.terms.is_free_path(path):
        return decision.failed("This path is the platform's own.")
    by_path = {str(each["alias"]): each for each in mine.values()}
    kept = by_path.get(path) or mine.get(alias_id)
    if kept is None and await _is_somebodys(work, alias_id):
        decision = replace(decision, target=other_id(work.tenant, "alias", alias_id, why="taken"))
        kept = mine.get(decision.target)
    if kept is not None and not _is_same(kept, path, target) and work.terms.on_conflict == "rename":
        copy_id = other_id(work.tenant, "alias", alias_id, why="copy")
        decision = replace(decision, verdict="renamed", target=copy_id, name=other_path(path))
        kept = by_path.get(decision.name) or mine.get(copy_id)
    if kept is None:
        return decision
    decision = replace(decision, target=str(kept["id"]))
    if _is_same(kept, decision.name, target):
        return replace(decision, verdict="unchanged")
    said = "There is an alias of this path or id that stands for something else."
    return differing(work.terms.on_conflict, decision, said)


async def _is_somebodys(work: Work, alias_id: str) -> bool:
    try:
        await work.clients.aliases.get(work.anybodys, alias_id)
    except errors.NotFound:
        return False
    return True


async def _write(work: Work, decision: Decision, target: Target) -> None:
    if decision.verdict == "replaced":
        await work.clients.aliases.update(work.scope, decision.target, decision.name, *target)
    else:
        await work.clients.aliases.create(work.scope, decision.name, *target, decision.target)


def _is_same(kept: Mapping[str, Json], path: str, target: Target) -> bool:
    return (kept["alias"], kept["flowId"], kept["componentId"]) == (path, *target)
