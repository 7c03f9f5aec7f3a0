"""A step whose component calls an API under a quota asks before it begins, and waits where it may not yet."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, NotFound
from headrace_core.expressions import Json
from headrace_core.manifest import Manifest, QuotaUse
from headrace_core.quotas import Places, allowances, places

from headrace_executor.model import HOOK_PORTS, Delivery, Parked, Run
from headrace_executor.ports import Neighbours

ASK_AGAIN = timedelta(seconds=5)
"""When nobody can say whether a call may be made."""

ASK_FOR_A_PLACE = timedelta(seconds=1)
"""When so many calls are under way as there may be at once."""

MOST_TRIED = 16
"""Places that one call looks at; with more of them than that, one that is free may be missed until the next time."""

USER = "{{userId}}"

logger = logging.getLogger(__name__)


class Limits:
    """Asks the scheduler by the rules that the flow manager has.

    A rule of so many calls at once has a lock for each place. A call holds one while it lasts, at most `longest`; one
    that is repeated after a crash finds the place that it held.
    """

    def __init__(self, neighbours: Neighbours, clock: Clock, longest: timedelta) -> None:
        self._neighbours = neighbours
        self._clock = clock
        self._longest = longest
        self._held: dict[str, list[tuple[str, str]]] = {}

    async def wait_for(self, quota: QuotaUse | None, run: Run, delivery: Delivery) -> Parked | None:
        """What the delivery waits for; None when its step may begin. `end` is called when that is over.

        A try that was counted and then broken off is not counted again. Hooks of a flow ask for nothing.
        """
        if quota is None or delivery.port in HOOK_PORTS:
            return None
        return await self._wait(quota, run.tenant_id, delivery.id, f"{delivery.id}.{delivery.attempts}")

    async def wait_for_call(self, manifest: Manifest, tenant_id: str, request_id: str) -> Parked | None:
        """What a static call waits for; None when it may be made, until `end`. Equal request ids count once."""
        return None if manifest.quota is None else await self._wait(manifest.quota, tenant_id, request_id, request_id)

    async def end(self, call_id: str) -> None:
        """The step of this delivery, or the call of this request, is over: give its places back."""
        for name, holder in self._held.pop(call_id, ()):
            try:
                await self._neighbours.schedules.release_lock(name, holder)
            except (HeadraceError, ConnectionError) as error:
                logger.info("The place %s of a quota is given back when its time is over: %s", name, error)

    async def _wait(self, quota: QuotaUse, tenant_id: str, call_id: str, request_id: str) -> Parked | None:
        if not quota.manager:
            return None
        scope = _scope(quota.scope, tenant_id)
        try:
            rules = await self._neighbours.quotas.rules(quota.manager)
            for each in places(quota.manager, rules, quota.resources, scope):
                if not await self._took_place(each, call_id, request_id):
                    await self.end(call_id)
                    reason = f"The quota {quota.manager} allows {each.limit} calls at once."
                    return Parked("quota", reason, self._clock.now() + ASK_FOR_A_PLACE)
            asked = allowances(quota.manager, rules, quota.resources, scope)
            retry_at = await self._neighbours.schedules.acquire_quota(asked, request_id) if asked else None
        except NotFound:
            return None  # nobody made rules for it
        except (HeadraceError, ConnectionError) as error:
            await self.end(call_id)
            return Parked("quota", f"The quota {quota.manager} cannot be asked: {error}", self._clock.now() + ASK_AGAIN)
        if retry_at is None:
            return None
        await self.end(call_id)
        return Parked("quota", f"The quota {quota.manager} allows its next call at {retry_at.isoformat()}.", retry_at)

    async def _took_place(self, wanted: Places, call_id: str, request_id: str) -> bool:
        for number in _order(wanted.limit, request_id):
            name = f"{wanted.name}/{number}"
            lease = await self._neighbours.schedules.acquire_lock(name, request_id, self._longest)
            if lease.acquired:
                self._held.setdefault(call_id, []).append((name, request_id))
                return True
        return False


def _order(limit: int, request_id: str) -> Sequence[int]:
    """The places to look at: always the same ones for one request, other ones for another."""
    first = int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=4).digest()) % limit
    return [(first + step) % limit for step in range(min(limit, MOST_TRIED))]


def _scope(scope: Mapping[str, Json], tenant_id: str) -> dict[str, Json]:
    """For whom it is counted; the user of the flow is the only variable there is."""
    return {name: tenant_id if value == USER else value for name, value in scope.items()}
