"""A step whose component calls an API under a quota asks before it begins, and waits where it may not yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, NotFound
from headrace_core.expressions import Json
from headrace_core.manifest import QuotaUse
from headrace_core.quotas import allowances

from headrace_executor.model import HOOK_PORTS, Delivery, Parked, Run
from headrace_executor.ports import Neighbours

ASK_AGAIN = timedelta(seconds=5)
"""When nobody can say whether a call may be made."""

USER = "{{userId}}"


class Limits:
    """Asks the scheduler by the rules that the flow manager has."""

    def __init__(self, neighbours: Neighbours, clock: Clock) -> None:
        self._neighbours = neighbours
        self._clock = clock

    async def wait_for(self, quota: QuotaUse | None, run: Run, delivery: Delivery) -> Parked | None:
        """What the delivery waits for; None when its step may begin.

        A try that was counted and then broken off is not counted again. Hooks of a flow ask for nothing.
        """
        if quota is None or not quota.manager or delivery.port in HOOK_PORTS:
            return None
        try:
            rules = await self._neighbours.quotas.rules(quota.manager)
            asked = allowances(quota.manager, rules, quota.resources, _scope(quota.scope, run))
            if not asked:
                return None
            retry_at = await self._neighbours.schedules.acquire_quota(asked, f"{delivery.id}.{delivery.attempts}")
        except NotFound:
            return None  # nobody made rules for it
        except (HeadraceError, ConnectionError) as error:
            return Parked("quota", f"The quota {quota.manager} cannot be asked: {error}", self._clock.now() + ASK_AGAIN)
        if retry_at is None:
            return None
        return Parked("quota", f"The quota {quota.manager} allows its next call at {retry_at.isoformat()}.", retry_at)


def _scope(scope: Mapping[str, Json], run: Run) -> dict[str, Json]:
    """For whom it is counted; the user of the flow is the only variable there is."""
    return {name: run.tenant_id if value == USER else value for name, value in scope.items()}
