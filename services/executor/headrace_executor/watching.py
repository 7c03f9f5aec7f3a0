"""What happens in a flow, for those who watch it now. Costs nothing while nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from headrace_core.clock import Clock
from headrace_core.expressions import Json

from headrace_executor.model import Run
from headrace_executor.plan import Plan

MAX_WAITING = 1_000


class _Watcher:
    def __init__(self) -> None:
        self.waiting: list[dict[str, Json]] = []
        self.dropped = 0
        self.news = asyncio.Event()


class Watching:
    """Hands happenings to watchers; a slow one loses the newest and is told how many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watchers: dict[str, set[_Watcher]] = {}
        self._is_closed = False

    def is_watched(self, flow_id: str) -> bool:
        return flow_id in self._watchers

    def happen(self, plan: Plan, run: Run, happening: dict[str, Json]) -> None:
        watchers = self._watchers.get(plan.flow_id)
        if not watchers:
            return
        told = {"runId": run.run_id, "flowId": plan.flow_id, "at": self._clock.now().isoformat(), **happening}
        for watcher in watchers:
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

    async def watch(self, flow_id: str) -> AsyncIterator[tuple[list[dict[str, Json]], int]]:
        """Yield (happenings, dropped) as they come, until the reader leaves or the process drains."""
        watcher = _Watcher()
        self._watchers.setdefault(flow_id, set()).add(watcher)
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
