"""The class that every Python component extends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from headrace_core import Json

from headrace_sdk.context import Context

if TYPE_CHECKING:
    from headrace_core.schedules import Schedule

Transform: TypeAlias = Callable[[Json], Json]
"""Turns the answer of a static call into options, a form or a list of variables."""


@dataclass(frozen=True, slots=True)
class Output:
    """A message that a component yields to an out-port other than `out`."""

    value: Json
    port: str = "out"


Work: TypeAlias = "Awaitable[Any] | AsyncIterator[Any]"
"""What calling a method of a component gives: something to await, or a generator whose values are sent."""


async def carry_out(work: Work, context: Context) -> Any:
    """Do what a method of a component gave: await it, or send what it yields, one after the other."""
    if isinstance(work, AsyncIterator):
        await _send_all(work, context)
        return None
    return await work


class Component:
    """What a node of a flow does.

    One instance serves every node of its type, so it keeps nothing between calls: whatever must be
    remembered goes to `context.state` (the node), `context.run_state` (the node within one run),
    `context.flow_state` or `context.service_state`.
    """

    fires_on_start: ClassVar[bool] = False
    """True for triggers that fire once when their flow starts (port "start", content {"started": when})."""

    answers_caller: ClassVar[bool] = False
    """True for components that may answer the HTTP caller of their run; the caller then waits for them."""

    hears_errors: ClassVar[bool] = False
    """True for components that hear of each final failure in their flow (port "error")."""

    transforms: ClassVar[Mapping[str, Transform]] = {}
    """What `"transform": "./Component#name"` of a dynamic source may name."""

    def receive(self, context: Context) -> Work:
        """Process the message on `context.port`: an in-port of the manifest or a pseudo-port.

        Written as `async def`: a coroutine that sends by `context.send_json`, or a generator whose every `yield` is
        sent, to `out` or where an `Output` says. Returning means done; raising means it failed (`headrace_sdk.errors`
        says how the engine takes it).
        May be called again for the same message after a crash, with the same `context.idempotency_key`.
        """
        return _nothing()

    def tick(self, context: Context) -> Work:
        """Look for news, like `receive`. Called in a steady rhythm where the manifest says so, never twice at once."""
        return _nothing()

    def signal(self, context: Context) -> Work:
        """Hear what another component of the flow tells all who hear signals: it is in `context.content`."""
        return _nothing()

    async def start(self, context: Context) -> None:
        """Prepare, for instance register a webhook. Called once each time the flow starts."""

    async def stop(self, context: Context) -> None:
        """Undo `start`. Called once each time the flow stops."""

    def schedule(self, properties: Mapping[str, Json]) -> Schedule | None:
        """When `receive` is called with port "schedule". Pure: the same properties, the same schedule.

        The content is {"now", "nominalDate", "previousDate", "nextDate"}. None means never.
        Raises `CancelError` when the properties make no sense; the flow then refuses to start.
        """
        return None

    def fire_immediately(self, properties: Mapping[str, Json]) -> bool:
        """Whether port "schedule" is also fired once when the flow starts."""
        return False

    async def reconcile(self, context: Context) -> bool | None:
        """Say whether an unsafe call that was cut short took place: True, False, or None when nobody can know."""
        return None


async def _send_all(work: AsyncIterator[Any], context: Context) -> None:
    try:
        async for each in work:
            if isinstance(each, Output):
                await context.send_json(each.value, each.port)
            else:
                await context.send_json(each)
    finally:
        if isinstance(work, AsyncGenerator):
            await work.aclose()


async def _nothing() -> None:
    """What a component does at what it does not care about."""
