"""What an executor shows of itself: how much it did, and how long work waits for somebody to do it."""

from __future__ import annotations

from headrace_core.clock import Clock
from headrace_runtime.metrics import Metrics

from headrace_executor.counters import Counters
from headrace_executor.engine import Engine
from headrace_executor.store import RunStore


class Measuring:
    """Reads the counters where they are, and the store when somebody asks."""

    def __init__(self, store: RunStore, engine: Engine, clock: Clock, counters: Counters) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._counters = counters

    def show_in(self, metrics: Metrics) -> None:
        """Show everything among these metrics."""
        counters, engine, follow = self._counters, self._engine, metrics.follow
        follow("headrace_executor_accepted_total", "Events accepted.", lambda: counters.accepted)
        follow("headrace_executor_duplicates_total", "Events that were there already.", lambda: counters.duplicates)
        follow("headrace_executor_refused_total", "Events refused.", lambda: counters.refused)
        follow("headrace_executor_settled_total", "Runs brought to an end or to a wait.", lambda: counters.settled)
        follow("headrace_executor_claimed_total", "Runs taken from the store.", lambda: counters.claimed)
        follow("headrace_executor_fenced_total", "Runs lost to another executor.", lambda: counters.fenced)
        follow("headrace_executor_committed_total", "Commits of runs.", lambda: counters.committed)
        follow("headrace_executor_log_shipped_total", "Log records shipped.", lambda: counters.shipped)
        follow("headrace_executor_log_dropped_total", "Journals nobody may read.", lambda: counters.log_drops)
        follow("headrace_executor_news_lost_total", "Words that others missed.", lambda: engine.fleet.lost)
        follow("headrace_executor_active_runs", "Runs under way.", lambda: engine.active_count, kind="gauge")
        follow("headrace_executor_queued_runs", "Runs waiting for a worker.", lambda: engine.backlog, kind="gauge")
        follow(
            "headrace_executor_lease_age_seconds",
            "How long ago this executor renewed the lease that its runs are held by.",
            lambda: engine.lease_age,
            kind="gauge",
        )
        self._ready_age = metrics.gauge(
            "headrace_executor_ready_age_seconds",
            "How long the oldest run that could go on has waited, in the store or for a worker of this executor.",
        )
        metrics.look(self._look)

    async def _look(self) -> None:
        now = self._clock.now().timestamp()
        since = [each for each in (await self._store.ready_since(), await self._store.next_due()) if each is not None]
        self._ready_age.set(max([self._engine.longest_queued, *(now - each for each in since)]))
