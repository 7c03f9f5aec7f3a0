"""Brings back charts, with the flows that they are about under the ids that those have here."""

from collections.abc import Mapping
from dataclasses import replace

from headrace_core import Json, errors

from headrace_gateway.archives.links import relinked
from headrace_gateway.archives.verdicts import Decision, differing, other_id, other_name
from headrace_gateway.archives.work import Work, an_object


async def bring(work: Work) -> None:
    """Every chart of the archive."""
    links = work.links
    async for _, given in work.archive.lines("charts"):
        document = an_object(relinked(given["document"], links))
        decision, document = await _decided(work, str(given["chartId"]), document)
        await work.do(decision, lambda: _write(work, decision, document))  # noqa: B023 # awaited before the next


async def _decided(work: Work, chart_id: str, document: dict[str, Json]) -> tuple[Decision, dict[str, Json]]:
    name = str(document.get("name", ""))
    decision = Decision("chart", chart_id, "created", chart_id, name)
    kept = await _kept(work, chart_id)
    if kept is not None and kept["userId"] != work.tenant:
        decision = replace(decision, target=other_id(work.tenant, "chart", chart_id, why="taken"))
        kept = await _kept(work, decision.target)
    if kept is not None and not _is_same(kept, document) and work.terms.on_conflict == "rename":
        document = {**document, "name": other_name(name)}
        target = other_id(work.tenant, "chart", chart_id, why="copy")
        decision = replace(decision, verdict="renamed", target=target, name=other_name(name))
        kept = await _kept(work, target)
    if kept is None:
        return decision, document
    if _is_same(kept, document):
        return replace(decision, verdict="unchanged"), document
    return differing(
        work.terms.on_conflict, decision, "There is a chart of this id that shows something else."
    ), document


async def _kept(work: Work, chart_id: str) -> dict[str, Json] | None:
    """The chart, whoever has it."""
    try:
        return await work.clients.charts.get(work.anybodys, chart_id)
    except errors.NotFound:
        return None


async def _write(work: Work, decision: Decision, document: dict[str, Json]) -> None:
    if decision.verdict == "replaced":
        await work.clients.charts.update(work.scope, decision.target, document, 0)
    else:
        await work.clients.charts.create(work.scope, document, decision.target)


def _is_same(kept: Mapping[str, Json], document: Mapping[str, Json]) -> bool:
    return all(kept.get(name) == value for name, value in document.items())
