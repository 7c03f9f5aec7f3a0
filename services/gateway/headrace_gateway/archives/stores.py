"""Brings back data stores, record by record: one that is there and says the same is left alone."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from headrace_core import Json, errors

from headrace_gateway.archives.verdicts import WRITTEN, Decision, Verdict, other_id, other_name
from headrace_gateway.archives.work import Work
from headrace_gateway.clients.belongings import KeptRecord
from headrace_gateway.queries import ListQuery

_AT_ONCE: Final = 16
_PAGE: Final = 1_000


async def bring(work: Work) -> None:
    """Every store of the archive with its records."""
    names = await _names(work)
    differing = await _differing(work) if work.terms.on_conflict == "rename" else frozenset()
    store: _Store | None = None
    async for what, given in work.archive.lines("stores"):
        if what == "record":
            if store is not None:
                await store.add(given)
            continue
        if store is not None:
            await store.end()
        store = await _begun(work, given, names, str(given["storeId"]) in differing)
        if store.takes_records:
            names[store.decision.name] = store.decision.target
    if store is not None:
        await store.end()


class _Store:
    """A store on its way in, and its records, some at once."""

    def __init__(self, work: Work, decision: Decision, *, is_here: bool) -> None:
        self.decision = decision
        self._work = work
        self._is_here = is_here
        self._counts: Counter[str] = Counter()
        self._waiting: list[KeptRecord] = []
        self.takes_records = decision.verdict not in ("skipped", "failed")

    async def add(self, given: Mapping[str, Json]) -> None:
        """Bring a record, now or with the next ones."""
        self._waiting.append(KeptRecord(str(given["key"]), _text(given.get("value"))))
        if len(self._waiting) >= _AT_ONCE:
            await self._flush()

    async def end(self) -> None:
        """Bring what waits, and put down how it all went."""
        await self._flush()
        decision = self.decision
        if decision.verdict == "completed":
            decision = replace(decision, verdict=self._outcome())
            if decision.verdict == "skipped":
                decision = replace(decision, why="Records of it are here with other values; they stay.")
        if self._counts:
            decision = replace(decision, counts=tuple(sorted(self._counts.items())))
        self._work.report.decisions.append(decision)

    def _outcome(self) -> Verdict:
        """What became of a store that was here already."""
        if self._counts["replaced"]:
            return "replaced"
        if self._counts["created"]:
            return "completed"
        return "skipped" if self._counts["skipped"] else "unchanged"

    async def _flush(self) -> None:
        records, self._waiting = self._waiting, []
        if not self.takes_records:
            return
        async with self._work.guarded(self.decision) as outcome:
            self._counts.update(await asyncio.gather(*map(self._bring, records)))
        if outcome.decision is not self.decision:
            self.decision, self.takes_records = outcome.decision, False

    async def _bring(self, record: KeptRecord) -> str:
        belongings, scope, store_id = self._work.clients.belongings, self._work.scope, self.decision.target
        if self._work.terms.dry_run:
            if not self._is_here:
                return "created"
        elif await belongings.put_record(scope, store_id, record, only_if_absent=True):
            return "created"
        kept = await belongings.record(scope, store_id, record.key)
        if kept is None:
            return "created" if self._work.terms.dry_run else "skipped"
        if _is_same(kept, record):
            return "unchanged"
        if self._work.terms.on_conflict != "replace":
            return "skipped"
        if not self._work.terms.dry_run:
            await belongings.put_record(scope, store_id, record, only_if_absent=False)
        return "replaced"


async def _begun(work: Work, given: Mapping[str, Json], names: Mapping[str, str], differs: bool) -> _Store:
    """The store, made or found; `differs` where one of this id has a record that says something else."""
    store_id, name = str(given["storeId"]), str(given["name"])
    decision = Decision("store", store_id, "created", store_id, name)
    kept = await _kept(work, store_id)
    if kept is not None and kept["userId"] != work.tenant:
        decision = replace(decision, target=other_id(work.tenant, "store", store_id, why="taken"))
        kept = await _kept(work, decision.target)
    if kept is not None and work.terms.on_conflict == "rename" and (differs or not _is_named(kept, name)):
        copy_id = other_id(work.tenant, "store", store_id, why="copy")
        decision = replace(decision, verdict="renamed", target=copy_id, name=other_name(name))
        kept = await _kept(work, copy_id)
    elif kept is None and name in names:
        decision = _against_name(work, decision, names[name])
        kept = await _kept(work, decision.target)
    is_here = kept is not None and kept["userId"] == work.tenant
    if is_here and decision.verdict in ("created", "renamed"):
        decision = replace(decision, verdict="completed")
    if not work.terms.dry_run:
        decision = await _made(work, decision, kept if is_here else None)
    return _Store(work, decision, is_here=is_here)


def _against_name(work: Work, decision: Decision, its_id: str) -> Decision:
    """What becomes of a store whose name another one has."""
    if work.terms.on_conflict == "replace":
        return replace(decision, verdict="completed", target=its_id)
    if work.terms.on_conflict == "rename":
        return replace(decision, verdict="renamed", name=other_name(decision.name))
    return replace(decision, verdict="skipped", why=f"The store {its_id} has this name.")


async def _made(work: Work, decision: Decision, kept: Mapping[str, Json] | None) -> Decision:
    """The decision once the store is there under its name, or could not be brought there."""
    stores = work.clients.stores
    async with work.guarded(decision) as outcome:
        if kept is None and decision.verdict in WRITTEN:
            try:
                await stores.create(work.scope, decision.name, decision.target)
            except errors.AlreadyExists:  # one of this id is on its way out
                target = other_id(work.tenant, "store", decision.id, why="taken")
                outcome.decision = replace(decision, target=target)
                await stores.create(work.scope, decision.name, target)
        elif kept is not None and work.terms.on_conflict == "replace" and kept["name"] != decision.name:
            await stores.rename(work.scope, decision.target, decision.name)
    return outcome.decision


async def _kept(work: Work, store_id: str) -> dict[str, Json] | None:
    """The store, whoever has it."""
    try:
        return await work.clients.stores.get(work.anybodys, store_id)
    except errors.NotFound:
        return None


async def _names(work: Work) -> dict[str, str]:
    """The id of each store by its name."""
    names: dict[str, str] = {}
    while page := await work.clients.stores.page(work.scope, ListQuery(offset=len(names), limit=_PAGE)):
        names |= {str(each["name"]): str(each["storeId"]) for each in page}
    return names


async def _differing(work: Work) -> frozenset[str]:
    """The stores that are the tenant's own and have a record that is otherwise in the archive."""
    found: set[str] = set()
    store_id = ""
    async for what, given in work.archive.lines("stores"):
        if what == "store":
            kept = await _kept(work, str(given["storeId"]))
            store_id = str(given["storeId"]) if kept is not None and kept["userId"] == work.tenant else ""
        elif store_id and store_id not in found:
            record = KeptRecord(str(given["key"]), _text(given.get("value")))
            here = await work.clients.belongings.record(work.scope, store_id, record.key)
            if here is not None and not _is_same(here, record):
                found.add(store_id)
    return frozenset(found)


def _is_named(kept: Mapping[str, Json], name: str) -> bool:
    return kept["name"] in (name, other_name(name))


def _is_same(kept: KeptRecord, record: KeptRecord) -> bool:
    return bool(json.loads(kept.value) == json.loads(record.value))


def _text(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
