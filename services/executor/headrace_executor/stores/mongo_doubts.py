"""Runs that may belong to this executor without its knowing, because the server did not say what became of a write.

Whoever asked was told that nothing is known: the sender of an event comes again, a claim is tried again. If the write
arrived all the same, the run has an owner that lives and does nothing. So these runs are given free as long as the
write might still arrive: a minute, in which a server that does not answer does not count, as it may do later what it
was told long ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headrace_runtime.mongo import Mongo
from pymongo import UpdateMany

from headrace_executor.model import RunState

DOUBT_SECONDS = 60.0
LONGEST_LOOK = 5.0
MAX_DOUBTS = 100_000


@dataclass(slots=True, eq=False)
class _Doubt:
    owner: str
    epoch: int
    watched: float = 0.0  # for how many seconds a server that answers did not have it


class Doubts:
    """The runs of one store, by their ids."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._doubts: dict[str, _Doubt] = {}
        self._looked: float | None = None

    def add(self, owner: str, epochs: Mapping[str, int]) -> None:
        """These runs may belong to `owner` at these epochs."""
        for run_id, epoch in epochs.items():
            if len(self._doubts) < MAX_DOUBTS:
                self._doubts[run_id] = _Doubt(owner, epoch)

    def drop(self, run_ids: Iterable[str]) -> None:
        """Of these the owner knows."""
        for run_id in run_ids:
            self._doubts.pop(run_id, None)

    async def settle(self, now: float) -> None:
        """Give free what arrived after all."""
        if not self._doubts:
            return
        doubts = dict(self._doubts)
        kinds: dict[tuple[str, int], list[str]] = {}
        for run_id, doubt in doubts.items():
            kinds.setdefault((doubt.owner, doubt.epoch), []).append(run_id)
        # At a later epoch: whoever came to know of the run meanwhile, and drives it, must not write to it any more.
        free = {"$set": {"state": int(RunState.READY), "owner": ""}, "$inc": {"epoch": 1}}
        async with self._mongo.asking() as database:
            await database["runs"].bulk_write(
                [
                    UpdateMany(
                        {"_id": {"$in": run_ids}, "epoch": epoch, "state": int(RunState.RUNNING), "owner": owner}, free
                    )
                    for (owner, epoch), run_ids in kinds.items()
                ],
                ordered=False,
            )
        passed = 0.0 if self._looked is None else min(max(0.0, now - self._looked), LONGEST_LOOK)
        self._looked = now
        for run_id, doubt in doubts.items():
            doubt.watched += passed
            if doubt.watched > DOUBT_SECONDS and self._doubts.get(run_id) is doubt:
                del self._doubts[run_id]
