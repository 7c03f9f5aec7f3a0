"""What happens in a flow, for those who watch it now. Costs nothing while nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from headrace_core.clock import Clock
from headrace_core.expressions import Json

from headrace_executor.fleet import Fleet
from headrace_executor.model import Run
from headrace_executor.plan import Plan
from headrace_executor.redaction import Redaction

MAX_WAITING = 1_000
MAX_WATCHED = 10_000
REMIND_SECONDS = 5.0
WATCHED_SECONDS = 12.0


class _Watcher:
    def __init__(self) -> None:
        self.waiting: list[dict[str, Json]] = []
        self.dropped = 0
        self.news = asyncio.Event()


class Watching:
    """Hands happenings to watchers; a slow one loses the newest and is told how many."""

    def __init__(self, clock: Clock, fleet: Fleet) -> None:
        self._clock = clock
        self._fleet = fleet
        self._watchers: dict[str, set[_Watcher]] = {}
        self._is_closed = False
        self._elsewhere: dict[str, float] = {}

    def is_watched(self, flow_id: str) -> bool:
        return flow_id in self._watchers or (bool(self._elsewhere) and self._is_watched_elsewhere(flow_id))

    def happen(self, plan: Plan, run: Run, happening: dict[str, Json]) -> None:
        if not self.is_watched(plan.flow_id):
            return
        told = {"runId": run.run_id, "flowId": plan.flow_id, "at": self._clock.now().isoformat(), **happening}
        shown = Redaction.of_event(run.content).json(told)
        told = shown if isinstance(shown, dict) else {}
        if self._is_watched_elsewhere(plan.flow_id):
            self._fleet.happened(told)
        self.hear(told)

    def hear(self, told: dict[str, Json]) -> None:
        """Hand on what happened, here or at another executor."""
        for watcher in self._watchers.get(str(told.get("flowId")), ()):
            if len(watcher.waiting) >= MAX_WAITING:
                watcher.dropped += 1
            else:
                watcher.waiting.append(told)
            watcher.news.set()

    def close(self) -> None:
        """End every watch after what waits for it, and the ones that come. Closing again changes nothing."""
        self._is_closed = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.news.set()

    def watched_elsewhere(self, flow_id: str) -> None:
        """Another executor has a watcher of this flow; it says so again as long as that stays true."""
        if len(self._elsewhere) < MAX_WATCHED or flow_id in self._elsewhere:
            self._elsewhere[flow_id] = self._clock.monotonic() + WATCHED_SECONDS

    async def keep_saying(self) -> None:
        """Remind the other executors of what is watched here, until cancelled."""
        while True:
            await self._clock.sleep(REMIND_SECONDS)
            for flow_id in self._watchers:
                self._fleet.watched(flow_id)
            now = self._clock.monotonic()
            self._elsewhere = {flow_id: until for flow_id, until in self._elsewhere.items() if until >= now}

    def _is_watched_elsewhere(self, flow_id: str) -> bool:
        return self._elsewhere.get(flow_id, 0.0) > self._clock.monotonic()

    async def watch(self, flow_id: str) -> AsyncGenerator[tuple[list[dict[str, Json]], int], None]:
        """Yield (happenings, dropped) as they come, until the reader leaves or the process drains."""
        watcher = _Watcher()
        self._watchers.setdefault(flow_id, set()).add(watcher)
        self._fleet.watched(flow_id)
        try:
            while not self._is_closed:
                await watcher.news.wait()
                watcher.news.clear()
                batch, watcher.waiting = watcher.waiting, []
                dropped, watcher.dropped = watcher.dropped, 0
                if batch or dropped:
                    yield batch, dropped
        finally:
            watchers = self._watchers[flow_id]
            watchers.discard(watcher)
            if not watchers:
                del self._watchers[flow_id]
