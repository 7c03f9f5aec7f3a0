"""Carries changes from the outbox to the triggers that want them.

A delivery leaves the outbox only after it is on record with the executor, so each arrives at least once; its id makes
the executor take it once. One that nobody will ever take (the flow is gone or stopped) is dropped and logged.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, Internal

from headrace_flow_manager.data_stores.store import LostChanges, Outbox, Refused, Triggers

log = logging.getLogger(__name__)

BATCH = 100
FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(minutes=5)
MAX_REFUSALS = 50


class Relay:
    """Empties the outbox, one batch a round. One relay at a time is enough; two do no harm."""

    def __init__(self, outbox: Outbox, triggers: Triggers, lost: LostChanges, clock: Clock) -> None:
        self._outbox = outbox
        self._triggers = triggers
        self._lost = lost
        self._clock = clock

    async def round(self) -> bool:
        """Deliver a batch; whether another one may be waiting."""
        now = self._clock.now()
        batch = await self._outbox.due(now, BATCH)
        if not batch:
            return False
        try:
            refusals = await self._triggers.accept(batch)
        except HeadraceError as error:
            if not error.is_temporary and not isinstance(error, Internal):
                raise
            log.warning("%d changes of data stores are told later: %s", len(batch), error)
            await self._outbox.settle((), [(each, now + delay_after(each.attempts)) for each in batch])
            return False
        postponed = {each.delivery.number: each.delivery for each in refusals if _may_come_later(each)}
        done = [each for each in batch if each.number not in postponed]
        await self._outbox.settle(done, [(each, now + delay_after(each.attempts)) for each in postponed.values()])
        await self._report([each for each in refusals if each.delivery.number not in postponed])
        return len(batch) == BATCH

    async def _report(self, dropped: Sequence[Refused]) -> None:
        for each in dropped:
            log.warning(
                "a change of a data store is dropped: flow %s, node %s does not take it: %s",
                each.delivery.flow_id,
                each.delivery.node_id,
                each.error,
            )
        if dropped:
            await self._lost.lost(dropped, self._clock.now())


def delay_after(attempts: int) -> timedelta:
    """How long to wait after this many tries before: doubling, up to five minutes."""
    return min(FIRST_DELAY * (1 << min(attempts, 16)), LONGEST_DELAY)


def _may_come_later(refused: Refused) -> bool:
    if isinstance(refused.error, Internal):
        return refused.delivery.attempts < MAX_REFUSALS
    return refused.error.is_temporary
