"""A published component as the engine calls it: like any other, in another process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import orjson
from headrace_core.expressions import Json
from headrace_core.schedules import Schedule
from headrace_sdk import Component, Context

from headrace_executor.context import StepContext
from headrace_executor.plan import Traits
from headrace_executor.runners.client import Description, VerbName

if TYPE_CHECKING:
    from headrace_executor.runners.pool import Key, Runners

Scheduled = tuple[Schedule | None, bool]


class RemoteComponent(Component):
    """Passes each call on to the runner of its bundle. Schedules are those that were asked for beforehand."""

    def __init__(self, runners: Runners, key: Key, root: str, description: Description, timeout: float) -> None:
        self._runners = runners
        self._key = key
        self._root = root
        self._verbs = description.verbs
        self._timeout = timeout
        self._schedules: dict[bytes, Scheduled | Exception] = {}

    async def receive(self, context: Context) -> None:
        await self._call("receive", context)

    async def tick(self, context: Context) -> None:
        await self._call("tick", context)

    async def start(self, context: Context) -> None:
        await self._call("start", context)

    async def stop(self, context: Context) -> None:
        await self._call("stop", context)

    async def signal(self, context: Context) -> None:
        await self._call("signal", context)

    async def reconcile(self, context: Context) -> bool | None:
        return await self._call("reconcile", context) if "reconcile" in self._verbs else None

    async def transform(self, name: str, value: Json) -> Json:
        """The value as a transform of the component leaves it: one of its own by name, or `./file#name`."""
        return await self._runners.transform(self._key, self._root, name, value)

    def schedule(self, properties: Mapping[str, Json]) -> Schedule | None:
        return self._scheduled(properties)[0]

    def fire_immediately(self, properties: Mapping[str, Json]) -> bool:
        return self._scheduled(properties)[1]

    def learn_schedule(self, properties: Mapping[str, Json], found: Scheduled | Exception) -> None:
        """Keep what the component said of these properties."""
        self._schedules[_spelled(properties)] = found

    def _scheduled(self, properties: Mapping[str, Json]) -> Scheduled:
        found = self._schedules.get(_spelled(properties), (None, False))
        if isinstance(found, Exception):
            raise found
        return found

    async def _call(self, verb: VerbName, context: Context) -> bool | None:
        # The engine gives no other context than its own.
        step = cast("StepContext", context)
        return await self._runners.invoke(self._key, self._root, verb, step, self._timeout)


def traits_of(description: Description, bundle_id: str) -> Traits:
    """What the engine has to know."""
    return Traits(
        fires_on_start=description.fires_on_start,
        answers_caller=description.answers_caller,
        hears_errors=description.hears_errors,
        hooks=frozenset(str(verb) for verb in description.verbs if verb in ("start", "stop")),
        bundle_id=bundle_id,
        hears_signals="signal" in description.verbs,
    )


def _spelled(properties: Mapping[str, Json]) -> bytes:
    return orjson.dumps(dict(properties), option=orjson.OPT_SORT_KEYS)
