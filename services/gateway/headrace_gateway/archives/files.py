"""Brings back files. Their ids are a tenant's own, so nobody else can have one."""

from collections.abc import Mapping
from dataclasses import replace

from headrace_core import Json, errors

from headrace_gateway.archives.verdicts import Decision, differing, other_id, other_name
from headrace_gateway.archives.work import Work, an_object


async def bring(work: Work) -> None:
    """Every file of the archive."""
    async for _, given in work.archive.lines("files"):
        decision = await _decided(work, given)
        await work.do(decision, lambda: _write(work, decision, given))  # noqa: B023 # awaited before the next


async def _decided(work: Work, given: Mapping[str, Json]) -> Decision:
    file_id, name = str(given["fileId"]), str(given["filename"])
    decision = Decision("file", file_id, "created", file_id, name)
    kept = await _kept(work, file_id)
    if kept is None:
        return decision
    if _is_same(kept, given, name):
        return replace(decision, verdict="unchanged")
    if work.terms.on_conflict != "rename":
        return differing(work.terms.on_conflict, decision, "There is a file of this id with another content.")
    decision = replace(decision, target=other_id(work.tenant, "file", file_id, why="copy"), name=other_name(name))
    copy = await _kept(work, decision.target)
    is_there = copy is not None and _is_same(copy, given, decision.name)
    return replace(decision, verdict="unchanged" if is_there else "renamed")


async def _kept(work: Work, file_id: str) -> dict[str, Json] | None:
    try:
        return await work.clients.files.get(work.scope, file_id)
    except errors.NotFound:
        return None


async def _write(work: Work, decision: Decision, given: Mapping[str, Json]) -> None:
    files, scope = work.clients.files, work.scope
    kind, metadata = str(given["contentType"]), an_object(given["metadata"])
    _, upload_id = await files.open(scope, decision.target, decision.name, kind, metadata)
    offset = 0
    async for piece in work.archive.content(str(given["member"])):
        await files.write(scope, upload_id, offset, piece)
        offset += len(piece)
    await files.finish(scope, upload_id)


def _is_same(kept: Mapping[str, Json], given: Mapping[str, Json], name: str) -> bool:
    metadata = {name: value for name, value in an_object(kept["metadata"]).items() if name != "userId"}
    now = (kept["sha256"], kept["filename"], kept["contentType"], metadata)
    return now == (given["sha256"], name, given["contentType"], given["metadata"])
