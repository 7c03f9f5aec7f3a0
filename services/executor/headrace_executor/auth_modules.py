"""Steps of auth modules of published connectors. What may happen once only is done once, whoever asks again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError
from headrace_core.expressions import Json
from headrace_sdk.errors import ConnectionExpired, HttpStatusError

from headrace_executor.retry import classify, describe

KEPT_SECONDS = 600.0
MOST_KEPT = 2_000
REFUSALS = frozenset({400, 401, 403})
"""What services answer that do not accept a grant or a token."""

FailureKind = Literal["", "rejected", "unavailable", "broken"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an auth module lies."""

    bundle_id: str
    folder: str
    language: str


class Absent(Enum):
    """What a module says to a step that it does not have; told apart from null."""

    ABSENT = "absent"


class ModuleHost(Protocol):
    """Where auth modules run."""

    async def describe(self, tenant_id: str, place: Place) -> Mapping[str, Json]:
        """What a module is. Raises NotFound when there is none, Conflict when it cannot be loaded, Unavailable."""
        ...

    async def step(
        self, tenant_id: str, place: Place, name: str, given: Mapping[str, Json], session: str
    ) -> Json | Absent:
        """What a step comes to. Raises what the module raises."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to, or why it failed."""

    value: Json | Absent = None
    failure: FailureKind = ""
    message: str = ""


@dataclass(slots=True)
class _Kept:
    task: asyncio.Task[Outcome]
    until: float


class AuthSteps:
    """Carries out steps of auth modules. What happens once under a name is done once, however often it is asked.

    A service gives a new refresh token once and forgets the old one. Who asked may die before the answer is kept, so
    the answer stays here for a while: whoever asks next under the same name is given it.
    """

    def __init__(self, host: ModuleHost, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    async def describe(self, tenant_id: str, place: Place) -> Mapping[str, Json]:
        """What a module is. Raises as its host does."""
        return await self._host.describe(tenant_id, place)

    async def call(
        self, tenant_id: str, place: Place, name: str, given: Mapping[str, Json], session: str, once: str
    ) -> Outcome:
        """What a step comes to. It never raises what the module raises."""

        async def step() -> Outcome:
            return await self._step(tenant_id, place, name, given, session)

        return await (self._once(tenant_id, once, step) if once else step())

    async def _once(self, tenant_id: str, once: str, step: Callable[[], Awaitable[Outcome]]) -> Outcome:
        now = self._clock.monotonic()
        self._forget(now)
        kept = self._kept.get((tenant_id, once))
        if kept is None:
            kept = _Kept(asyncio.create_task(_awaited(step)), now + KEPT_SECONDS)
            self._kept[tenant_id, once] = kept
        outcome = await asyncio.shield(kept.task)
        if outcome.failure:
            self._kept.pop((tenant_id, once), None)  # nothing was given, so it may be asked for again
        return outcome

    def _forget(self, now: float) -> None:
        while self._kept:
            name, oldest = next(iter(self._kept.items()))
            if oldest.until > now and len(self._kept) < MOST_KEPT:
                return
            if not oldest.task.done():
                return
            del self._kept[name]

    async def settle(self) -> None:
        """Return when no step is under way that happens once."""
        tasks = [kept.task for kept in self._kept.values() if not kept.task.done()]
        if tasks:
            await asyncio.wait(tasks)

    async def _step(self, tenant_id: str, place: Place, name: str, given: Mapping[str, Json], session: str) -> Outcome:
        try:
            return Outcome(await self._host.step(tenant_id, place, name, given, session))
        except Exception as error:  # of somebody else's module
            return Outcome(failure=_kind_of(error), message=describe(error))


async def _awaited(step: Callable[[], Awaitable[Outcome]]) -> Outcome:
    return await step()


def _kind_of(error: Exception) -> FailureKind:
    if isinstance(error, ConnectionExpired) or (isinstance(error, HttpStatusError) and error.status in REFUSALS):
        return "rejected"
    if classify(error) in ("rate_limit", "server", "network", "timeout") or (
        isinstance(error, HeadraceError) and error.is_temporary
    ):
        return "unavailable"
    return "broken"
