"""A step whose component calls an API under a quota asks before it begins, and waits where it may not yet.

Where a service says 429, a limit is learned from that: for the quota that the component names, else for the account
that it acts with, else for the node. The message waits for its turn under it, and has not failed.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, NotFound
from headrace_core.expressions import Json
from headrace_core.ids import derive_id
from headrace_core.manifest import Manifest, QuotaUse
from headrace_core.quotas import Allowance, Places, QuotaRule, allowances, places
from headrace_sdk.errors import HttpStatusError, RateLimitedError

from headrace_executor.gates import Gates
from headrace_executor.model import HOOK_PORTS, Delivery, Parked, Run
from headrace_executor.plan import PlannedNode
from headrace_executor.ports import Neighbours
from headrace_executor.retry import describe

ASK_AGAIN = timedelta(seconds=5)
"""When nobody can say whether a call may be made."""

ASK_FOR_A_PLACE = timedelta(seconds=1)
"""When so many calls are under way as there may be at once."""

MOST_TRIED = 16
"""Places that one call looks at; with more of them than that, one that is free may be missed until the next time."""

HOLD = 0.5
"""Seconds: a step that begins so soon waits where it is, so that it begins on time."""

EARLY = 0.25
"""Seconds before its moment at which a step is woken that begins later."""

LATE = 0.05
"""Seconds: a step that would begin so much later than it may asks for another moment."""

GATED_LATE = 0.3
"""The same where it waited for calls before it to arrive."""

LONGEST_GATED = 1.0
"""Seconds that it waits for them; where it would be longer, the scheduler knows better."""

MOST_HELD = 64
"""Steps that wait where they are; more of them are put aside."""

RULES_FOR = 1.0
"""Seconds for which rules are taken as they were."""

MOST_COUNTED = 1_000
"""Calls of the last second that are counted; a limit above is as good as none."""

MOST_NAMES = 10_000
"""Learned limits that an executor remembers, and messages that were refused."""

CAREFUL_FOR = timedelta(minutes=10)
"""How long after a refusal an executor asks for what was learned: as long as the scheduler remembers it."""

TOO_MANY = 429

UNLIMITED = 1_000.0
"""Calls a second that no learned limit has to hold back."""

UNKNOWN_PAUSE = timedelta(seconds=1)

USER = "{{userId}}"

Learner: TypeAlias = tuple[str, ...]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Calls:
    """What went through lately, until when the limit is asked for, and until when nobody calls (monotonic)."""

    through: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_COUNTED))
    careful_until: float = 0.0
    paused_until: float = 0.0

    def in_last_second(self, at: float) -> int:
        while self.through and self.through[0] <= at - 1:
            self.through.popleft()
        return len(self.through)


@dataclass(frozen=True, slots=True)
class _Try:
    """One call that is to be made: by which name the scheduler counts it, for whom, and under what."""

    request_id: str
    tenant_id: str
    call_id: str
    asked: Sequence[Allowance]
    learner: Learner | None
    is_ruled: bool


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
        self._calls: OrderedDict[Learner, _Calls] = OrderedDict()
        self._refusals: OrderedDict[str, int] = OrderedDict()
        self._granted: OrderedDict[str, float] = OrderedDict()  # tries, and when they begin, in monotonic seconds
        self._holding = 0
        self._gates = Gates(clock)
        self._read: OrderedDict[str, tuple[float, Sequence[QuotaRule]]] = OrderedDict()  # until when, what

    async def wait_for(self, node: PlannedNode, run: Run, delivery: Delivery, account_id: str) -> Parked | None:
        """What the delivery waits for; None when its step may begin. `end` is called when that is over.

        A try that was counted and then broken off is not counted again. Hooks of a flow ask for nothing.
        """
        quota = node.manifest.quota
        if delivery.port in HOOK_PORTS or (node.is_pure and quota is None):
            return None
        calls = self._calls.get(learner := _learner(node, run, account_id))
        if quota is None and (calls is None or calls.careful_until <= self._clock.monotonic()):
            return None
        request_id = self._try_of(delivery)
        return await self._wait(quota or QuotaUse(), run.tenant_id, delivery.id, request_id, learner)

    def went_through(self, node: PlannedNode, run: Run, delivery: Delivery, account_id: str) -> None:
        """A call of this node was made, and nobody refused it as one too many."""
        self._gates.leave(delivery.id)
        if not node.is_pure:
            self._calls_of(_learner(node, run, account_id)).through.append(self._clock.monotonic())

    async def too_many(
        self, node: PlannedNode, run: Run, delivery: Delivery, account_id: str, error: Exception
    ) -> Parked | None:
        """What a delivery waits for whose call was one too many; None where it failed at something else.

        None, too, while nobody can be told: then it is tried again as after any other failure.
        """
        self._gates.leave(delivery.id)
        if not is_one_too_many(error):
            return None
        learner, now = _learner(node, run, account_id), self._clock.monotonic()
        calls = self._calls_of(learner)
        calls.careful_until = now + CAREFUL_FOR.total_seconds()
        pause = getattr(error, "retry_after", None)
        pause = pause if isinstance(pause, timedelta) and pause > timedelta() else None
        self._refusals[delivery.id] = self._refusals.pop(delivery.id, 0) + 1
        _bound(self._refusals)
        quota, schedules = node.manifest.quota, self._neighbours.schedules
        try:
            # Under a rule it is likely to be right, and a call was late: then there is a pause, and no other limit.
            is_ruled = quota is not None and bool(await self._rules(quota.manager))
            name, passed = _learned_name(learner, is_ruled=is_ruled), calls.in_last_second(now)
            await schedules.report_refusal(name, pause, UNLIMITED if is_ruled else passed)
            calls.paused_until = now + (pause or UNKNOWN_PAUSE).total_seconds()
            turn = await schedules.acquire_quota([], self._try_of(delivery), run.tenant_id, [name])
        except (HeadraceError, ConnectionError) as away:
            logger.info("Nobody learns of a refusal of %s: %s", node.type, away)
            return None
        due = turn if isinstance(turn, datetime) else self._clock.now() + turn
        return Parked("quota", f"Too many calls ({describe(error)}). The next one is at {due.isoformat()}.", due)

    def _try_of(self, delivery: Delivery) -> str:
        """A name for this try: a call that was refused counts, and the next one is another."""
        refused = self._refusals.get(delivery.id, 0)
        return f"{delivery.id}.{delivery.attempts}" + (f".{refused}" if refused else "")

    def _calls_of(self, learner: Learner) -> _Calls:
        found = self._calls.pop(learner, None) or _Calls()
        self._calls[learner] = found
        _bound(self._calls)
        return found

    async def wait_for_call(self, manifest: Manifest, tenant_id: str, request_id: str) -> Parked | None:
        """What a static call waits for; None when it may be made, until `end`. Equal request ids count once."""
        quota = manifest.quota
        return None if quota is None else await self._wait(quota, tenant_id, request_id, request_id)

    async def end(self, call_id: str) -> None:
        """The step of this delivery, or the call of this request, is over: give its places back."""
        self._gates.leave(call_id)
        for name, holder in self._held.pop(call_id, ()):
            try:
                await self._neighbours.schedules.release_lock(name, holder)
            except (HeadraceError, ConnectionError) as error:
                logger.info("The place %s of a quota is given back when its time is over: %s", name, error)

    async def _wait(
        self, quota: QuotaUse, tenant_id: str, call_id: str, request_id: str, learner: Learner | None = None
    ) -> Parked | None:
        scope = _scope(quota.scope, tenant_id)
        try:
            rules = await self._rules(quota.manager)
            for each in places(quota.manager, rules, quota.resources, scope):
                if not await self._took_place(each, call_id, request_id):
                    await self.end(call_id)
                    reason = f"The quota {quota.manager} allows {each.limit} calls at once."
                    return Parked("quota", reason, self._clock.now() + ASK_FOR_A_PLACE)
            asked = allowances(quota.manager, rules, quota.resources, scope)
            retry_at = await self._turn(_Try(request_id, tenant_id, call_id, asked, learner, bool(rules)))
        except (HeadraceError, ConnectionError) as error:
            await self.end(call_id)
            if not quota.manager:
                return None  # nobody set a limit, and what was learned is a guess
            return Parked("quota", f"The quota {quota.manager} cannot be asked: {error}", self._clock.now() + ASK_AGAIN)
        if retry_at is None:
            return None
        await self.end(call_id)
        whose = f"The quota {quota.manager}" if quota.manager else "The service, which had too many calls,"
        return Parked("quota", f"{whose} allows the next call at {retry_at.isoformat()}.", retry_at)

    async def _turn(self, call: _Try) -> datetime | None:
        """Wait for the moment that the call has, if it is near; None when that has come, else when to ask again."""
        begins = self._granted.pop(call.request_id, None)
        while True:
            calls = None if call.learner is None else self._calls.get(call.learner)
            if begins is None or (calls is not None and begins < calls.paused_until):
                learned = self._learned(call, calls)
                if not call.asked and not learned:
                    return None
                schedules = self._neighbours.schedules
                turn = await schedules.acquire_quota(call.asked, call.request_id, call.tenant_id, learned)
                if isinstance(turn, datetime):
                    return turn
                begins = self._clock.monotonic() + turn.total_seconds()
            wait = begins - self._clock.monotonic()
            if wait > (HOLD if self._holding < MOST_HELD else 0):
                self._granted[call.request_id] = begins
                _bound(self._granted)
                return self._clock.now() + timedelta(seconds=wait - (EARLY if wait > HOLD else 0))
            if wait > 0:
                await self._hold(wait)
            if self._clock.monotonic() <= begins + LATE and await self._passed_gates(call, begins):
                return None
            begins = None

    async def _passed_gates(self, call: _Try, begins: float) -> bool:
        """Wait until those before it have arrived; whether it still begins in time, and nobody asked for a pause."""
        while (wait := self._gates.room_at(call.asked) - self._clock.monotonic()) > 0:
            if wait > LONGEST_GATED:
                break
            await self._hold(wait)
        calls = None if call.learner is None else self._calls.get(call.learner)
        is_paused = calls is not None and calls.paused_until > self._clock.monotonic()
        if is_paused or self._clock.monotonic() > begins + GATED_LATE:
            return False
        self._gates.enter(call.call_id, call.asked)
        return True

    def _learned(self, call: _Try, calls: _Calls | None) -> Sequence[str]:
        """By what name the scheduler may have learned something."""
        if call.learner is None or calls is None or calls.careful_until <= self._clock.monotonic():
            return ()
        return (_learned_name(call.learner, is_ruled=call.is_ruled),)

    async def _hold(self, seconds: float) -> None:
        self._holding += 1
        try:
            await self._clock.sleep(seconds)
        finally:
            self._holding -= 1

    async def _rules(self, manager: str) -> Sequence[QuotaRule]:
        if not manager:
            return ()
        now = self._clock.monotonic()
        until, rules = self._read.get(manager, (0.0, ()))
        if until <= now:
            try:
                rules = await self._neighbours.quotas.rules(manager)
            except NotFound:
                rules = ()  # nobody made rules for it
            self._read[manager] = (now + RULES_FOR, rules)
            _bound(self._read)
        return rules

    async def _took_place(self, wanted: Places, call_id: str, request_id: str) -> bool:
        for number in _order(wanted.limit, request_id):
            name = f"{wanted.name}/{number}"
            lease = await self._neighbours.schedules.acquire_lock(name, request_id, self._longest)
            if lease.acquired:
                self._held.setdefault(call_id, []).append((name, request_id))
                return True
        return False


def is_one_too_many(error: Exception) -> bool:
    """Whether a service says with it that it is called too often."""
    return isinstance(error, RateLimitedError) or (isinstance(error, HttpStatusError) and error.status == TOO_MANY)


def _learner(node: PlannedNode, run: Run, account_id: str) -> Learner:
    """For what it is learned how often the node's service may be called. Every step asks: nothing is worked out."""
    quota = node.manifest.quota
    if quota is not None and quota.manager:
        scope = _scope(quota.scope, run.tenant_id)
        return ("quota", quota.manager, *(f"{key}={value}" for key, value in sorted(scope.items())))
    if account_id:
        return ("account", run.tenant_id, account_id)
    return ("node", run.tenant_id, run.flow_id, node.id)


def _learned_name(learner: Learner, *, is_ruled: bool) -> str:
    """What the scheduler knows it by. What was learned before there was a rule is not asked about under it."""
    return f"{'paused' if is_ruled else 'learned'}/{derive_id(*learner)}"


def _bound(known: OrderedDict[Any, Any]) -> None:
    while len(known) > MOST_NAMES:
        known.popitem(last=False)


def _order(limit: int, request_id: str) -> Sequence[int]:
    """The places to look at: always the same ones for one request, other ones for another."""
    first = int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=4).digest()) % limit
    return [(first + step) % limit for step in range(min(limit, MOST_TRIED))]


def _scope(scope: Mapping[str, Json], tenant_id: str) -> dict[str, Json]:
    """For whom it is counted; the user of the flow is the only variable there is."""
    return {name: tenant_id if value == USER else value for name, value in scope.items()}
