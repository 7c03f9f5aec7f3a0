"""Answers of components that forms are made of, kept for a minute: a designer asks for the same ones all the time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import orjson
from headrace_core import Json
from headrace_core.clock import Clock

from headrace_gateway.clients.executions import StaticCall
from headrace_gateway.identity import Scope

KEPT_SECONDS = 60.0
KEPT = 1_000
KEPT_BYTES = 256 * 1024
"""An answer larger than this is asked for each time."""

AT_ONCE = 5
"""Components that one request asks at the same time."""

Ask = Callable[[Scope, StaticCall, float], Awaitable[Json]]


class Sources:
    """Asks components, each user's answers apart from others'. What failed is asked for again."""

    def __init__(self, ask: Ask, clock: Clock, within_seconds: float) -> None:
        self._ask = ask
        self._clock = clock
        self._within = within_seconds
        self._kept: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()

    async def ask(self, scope: Scope, asked: StaticCall, *, use_kept: bool) -> Json:
        """The answer. Raises what the call raises."""
        key = _key(scope, asked)
        until, kept = self._kept.get(key, (0.0, b""))
        if use_kept and until > self._clock.monotonic():
            value: Json = orjson.loads(kept)
            return value
        value = await self._ask(scope, asked, self._within)
        packed = orjson.dumps(value)
        self._kept.pop(key, None)
        if len(packed) <= KEPT_BYTES:
            self._kept[key] = (self._clock.monotonic() + KEPT_SECONDS, packed)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return value

    async def ask_all(self, scope: Scope, asked: list[StaticCall], *, use_kept: bool) -> "list[Json | Exception]":
        """The answer to each, or what it raised, in their order."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(each: StaticCall) -> Json:
            async with room:
                return await self.ask(scope, each, use_kept=use_kept)

        answers = await asyncio.gather(*map(one, asked), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, Exception):
                raise answer
        return [each for each in answers if not isinstance(each, BaseException) or isinstance(each, Exception)]


def _key(scope: Scope, asked: StaticCall) -> bytes:
    return orjson.dumps(
        [
            scope.tenant_id,
            asked.type,
            asked.out_port,
            dict(asked.messages),
            dict(asked.properties),
            asked.transform,
            asked.flow_id,
            asked.node_id,
        ],
        option=orjson.OPT_SORT_KEYS,
    )
