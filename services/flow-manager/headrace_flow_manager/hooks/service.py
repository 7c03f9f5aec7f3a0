"""What can be done with system webhooks: kept, told, tried, looked at."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, HeadraceError, NotFound, Problem, Unsupported, ValidationFailed
from headrace_core.ids import derive_id, new_id
from headrace_core.system_events import EVENTS

from headrace_flow_manager import json_text, times
from headrace_flow_manager.happenings import Happening
from headrace_flow_manager.hooks import model
from headrace_flow_manager.hooks.book import HookBook, Wanted
from headrace_flow_manager.hooks.delivering import Delivering
from headrace_flow_manager.hooks.model import Delivery, DeliveryFilter, Hook
from headrace_flow_manager.hooks.store import DeliveryStore, Names

log = logging.getLogger(__name__)

FRESH: Final = timedelta(seconds=2)
"""How long a process believes that it knows the hooks."""

DOUBTED_FOR: Final = timedelta(seconds=2)
"""How long what is written down before it comes true is left alone."""

MAX_HAPPENINGS: Final = 1_000


class HookService:
    """Hooks, and what is told to them."""

    def __init__(
        self,
        book: HookBook,
        deliveries: DeliveryStore,
        delivering: Delivering | None,
        names: Names,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self.book = book
        self._deliveries = deliveries
        self._delivering = delivering
        self._names = names
        self._clock = clock
        self._wake = wake
        self._known: Sequence[Hook] = ()
        self._until = 0.0
        self._looking = asyncio.Lock()

    async def announce(self, happenings: Sequence[Happening]) -> None:
        """Write down what is to be told. Keeps `happenings.Announce`; equal ids are told once."""
        if not happenings:
            return
        hooks = await self._hooks()
        now = self._clock.now()
        wanted = [
            (hook, each)
            for each in happenings[:MAX_HAPPENINGS]
            for hook in hooks
            if hook.wants(each.event, each.tenant_id)
        ]
        if not wanted:
            return
        names = {each: await self._names.username(each) for each in {each.tenant_id for _, each in wanted}}
        await self._deliveries.add([_delivery(hook, _named(each, names), now) for hook, each in wanted])
        self._wake()

    async def round(self) -> bool:
        """Tell a batch; whether more may be waiting."""
        return False if self._delivering is None else await self._delivering.round()

    async def prune(self) -> bool:
        """Take away what ended long ago; whether there may be more."""
        return False if self._delivering is None else await self._delivering.prune()

    async def create(self, actor: str, wanted: Wanted) -> tuple[Hook, str]:
        """As `HookBook.create`."""
        made = await self.book.create(actor, wanted)
        self._until = 0.0
        return made

    async def update(self, actor: str, hook_id: str, wanted: Wanted, expected: str = "") -> Hook:
        """As `HookBook.update`."""
        changed = await self.book.update(actor, hook_id, wanted, expected)
        self._until = 0.0
        return changed

    async def delete(self, hook_id: str, expected: str = "") -> None:
        """Take a hook away with all that it was told. Raises as `HookBook.delete`."""
        await self.book.delete(hook_id, expected)
        self._until = 0.0
        await self._deliveries.forget_hook(hook_id)

    async def test(self, hook_id: str, event: str) -> Delivery:
        """Tell a hook of an example, once and now, whether or not it is active; what became of that is kept.

        Raises NotFound, ValidationFailed for an event that there is not, Unsupported where nothing can be sent.
        """
        if event not in EVENTS:
            fix = f"There are {', '.join(EVENTS)}."
            raise ValidationFailed([Problem("event", f"There is no event {event[:60]!r}.", fix, field="event")])
        if self._delivering is None:
            raise Unsupported("This flow manager sends nothing out.")
        hook, now = await self.book.get(hook_id), self._clock.now()
        happening = Happening(new_id(), event, "", now, model.sample(event))
        return await self._delivering.once(hook, _delivery(hook, happening, now))

    async def deliver_again(self, delivery_id: str) -> Delivery:
        """Tell it again from the first try on, under the same id. Raises NotFound, Conflict when its hook is gone."""
        found = await self._deliveries.get(delivery_id)
        try:
            await self.book.get(found.hook_id)
        except NotFound:
            raise Conflict("Its webhook is gone. What was told to it cannot be told again.") from None
        again = await self._deliveries.again(delivery_id, self._clock.now())
        self._wake()
        return again

    async def delivery(self, delivery_id: str) -> Delivery:
        """One delivery. Raises NotFound."""
        return await self._deliveries.get(delivery_id)

    async def deliveries(self, which: DeliveryFilter, offset: int, limit: int) -> tuple[Sequence[Delivery], int]:
        """A page of deliveries, the newest first, and how many there are."""
        return await self._deliveries.page(which, offset, limit)

    async def _hooks(self) -> Sequence[Hook]:
        """Those that there were within the last two seconds; the last known where they cannot be read now."""
        async with self._looking:
            if self._until <= self._clock.monotonic():
                self._known = [each for each in await self._readable() if each.active and await self._has_room(each)]
                self._until = self._clock.monotonic() + FRESH.total_seconds()
        return self._known

    async def _has_room(self, hook: Hook) -> bool:
        if await self._deliveries.waiting(hook.hook_id, model.MAX_WAITING) < model.MAX_WAITING:
            return True
        log.warning("webhook %s: %d things wait to be told; more is not", hook.hook_id, model.MAX_WAITING)
        return False

    async def _readable(self) -> Sequence[Hook]:
        try:
            return await self.book.all()
        except HeadraceError as error:
            if error.is_temporary:
                raise
            log.warning("webhooks of the system cannot be read: %s", error)
            return ()


def _named(happening: Happening, names: Mapping[str, str]) -> Happening:
    """With the name of whose it is, as people know them."""
    name = names.get(happening.tenant_id)
    return replace(happening, data={**happening.data, "username": name}) if name else happening


def _delivery(hook: Hook, happening: Happening, now: datetime) -> Delivery:
    return Delivery(
        delivery_id=derive_id("delivery", hook.hook_id, happening.event_id),
        hook_id=hook.hook_id,
        event_id=happening.event_id,
        event=happening.event,
        tenant_id=happening.tenant_id,
        at=happening.at,
        body=_body(hook, happening),
        fact=happening.fact,
        about=happening.about,
        state="pending",
        due=now + DOUBTED_FOR if happening.fact else now,
        created_at=now,
    )


def _body(hook: Hook, happening: Happening) -> str:
    data = dict(happening.data)
    body = _written(hook, happening, data)
    if len(body) > model.MAX_BODY:
        cut: dict[str, Json] = {"isCut": True, "inputMessages": None}
        body = _written(hook, happening, {**data, **cut})
    if len(body) > model.MAX_BODY:
        named = {name: value for name, value in data.items() if isinstance(value, str) and len(value) < 1_000}
        body = _written(hook, happening, {**named, "isCut": True})
    return body


def _written(hook: Hook, happening: Happening, data: dict[str, Json]) -> str:
    if hook.is_plain:
        return json_text.encode(data)
    return json_text.encode({"type": happening.event, "timestamp": times.to_text(happening.at), "data": data})
