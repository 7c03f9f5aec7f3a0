"""Tells what was announced: at least once, each under an id that stays, in no order.

Who tries has claimed it for a while; who dies leaves it to the next. A hook that does not answer well is left alone for
a while with all that is for it, so that it holds up nobody else; the first thing that is told to it then is a probe.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from headrace_core import webhook_signatures
from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, NotFound

from headrace_flow_manager.hooks import model
from headrace_flow_manager.hooks.book import HookBook
from headrace_flow_manager.hooks.model import Delivery, Hook
from headrace_flow_manager.hooks.store import DeliveryStore, Facts, Sender

log = logging.getLogger(__name__)

BATCH: Final = 32
AT_ONCE: Final = 8
WITHIN: Final = timedelta(seconds=10)
LEASE: Final = timedelta(minutes=1)
"""Longer than a whole batch takes of which nobody answers."""

LATEST_FACT: Final = timedelta(minutes=1)
"""How long something may take to come true after it was announced."""

LOOK_AGAIN: Final = timedelta(seconds=5)
KEPT_FOR: Final = timedelta(days=14)
PRUNED_AT_ONCE: Final = 1_000
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class _Away:
    until: datetime
    failures: int


class Delivering:
    """Sends. One round at a time in a process; any number of processes."""

    def __init__(self, book: HookBook, store: DeliveryStore, facts: Facts, sender: Sender, clock: Clock) -> None:
        self._book = book
        self._store = store
        self._facts = facts
        self._sender = sender
        self._clock = clock
        self._away: dict[str, _Away] = {}

    async def round(self) -> bool:
        """Tell a batch; whether more may be waiting."""
        now = self._clock.now()
        away = [hook_id for hook_id, each in self._away.items() if each.until > now]
        batch = await self._store.claim(now, now + LEASE, BATCH, away)
        places = asyncio.Semaphore(AT_ONCE)
        probed: set[str] = set()
        late: list[Delivery] = []
        async with asyncio.TaskGroup() as tasks:
            for each in batch:
                if each.hook_id in self._away and each.hook_id in probed:
                    late.append(each)
                    continue
                probed.add(each.hook_id)
                tasks.create_task(self._alone(places, each))
        for each in late:
            known = self._away.get(each.hook_id)
            await self._store.settle(each, replace(each, due=known.until if known else self._clock.now()))
        return bool(late) or len(batch) == BATCH

    async def once(self, hook: Hook, delivery: Delivery) -> Delivery:
        """Tell a hook once, whatever comes of it; what came of it is kept."""
        claimed = replace(delivery, due=self._clock.now() + LEASE)
        await self._store.add([claimed])
        after = await self._told(hook, claimed)
        ended = after if after.state == "delivered" else replace(after, state="failed", ended_at=self._clock.now())
        await self._store.settle(claimed, ended)
        return ended

    async def prune(self) -> bool:
        """Take away what ended two weeks ago; whether there may be more."""
        return await self._store.prune(self._clock.now() - KEPT_FOR, PRUNED_AT_ONCE) == PRUNED_AT_ONCE

    async def _alone(self, places: asyncio.Semaphore, delivery: Delivery) -> None:
        async with places:
            try:
                await self._deliver(delivery)
            except HeadraceError as error:
                log.warning("delivery %s of a webhook goes on later: %s", delivery.delivery_id, error)

    async def _deliver(self, delivery: Delivery) -> None:
        if delivery.fact and not delivery.attempts and not await self._facts.holds(delivery):
            if self._clock.now() - delivery.created_at > LATEST_FACT:
                await self._store.drop(delivery)
            else:
                await self._store.settle(delivery, replace(delivery, due=self._clock.now() + LOOK_AGAIN))
            return
        try:
            hook = await self._book.get(delivery.hook_id)
        except NotFound:
            await self._store.drop(delivery)
            return
        if not hook.active:
            await self._store.settle(delivery, self._ended(delivery, "The webhook was switched off."))
            return
        after = await self._told(hook, delivery)
        self._note(hook, after)
        await self._store.settle(delivery, after)

    async def _told(self, hook: Hook, delivery: Delivery) -> Delivery:
        """What became of one try."""
        tried = replace(delivery, attempts=delivery.attempts + 1, status=0, answer="", error="")
        try:
            headers = self._headers(delivery, await self._book.secrets(hook.hook_id))
            answer = await self._sender.send(hook.url, headers, delivery.body.encode(), WITHIN)
        except HeadraceError as error:
            return self._after(replace(tried, error=str(error)[: model.MAX_ANSWER]))
        tried = replace(tried, status=answer.status, answer=answer.text[: model.MAX_ANSWER])
        if 200 <= answer.status < 300:
            return replace(tried, state="delivered", ended_at=self._clock.now())
        if answer.status == _GONE:
            return self._ended(tried, "The address says that it is gone for good.")
        return self._after(replace(tried, error=f"It answered {answer.status}."))

    def _after(self, tried: Delivery) -> Delivery:
        if tried.attempts >= model.TRIES:
            return self._ended(tried, tried.error)
        return replace(tried, due=self._clock.now() + model.pause_after(tried.attempts))

    def _ended(self, delivery: Delivery, error: str) -> Delivery:
        return replace(delivery, state="failed", error=error, ended_at=self._clock.now())

    def _note(self, hook: Hook, after: Delivery) -> None:
        if after.state != "pending":
            self._away.pop(hook.hook_id, None)
            return
        failures = self._away[hook.hook_id].failures + 1 if hook.hook_id in self._away else 1
        self._away[hook.hook_id] = _Away(self._clock.now() + model.pause_after(failures), failures)

    def _headers(self, delivery: Delivery, secrets: Sequence[str]) -> list[tuple[str, str]]:
        headers = [("Content-Type", "application/json"), ("User-Agent", "Headrace")]
        if not secrets:
            return headers
        moment = str(int(self._clock.now().timestamp()))
        name, body = delivery.delivery_id, delivery.body.encode()
        signatures = [f"v1,{webhook_signatures.sign(secret, name, moment, body)}" for secret in secrets]
        return [
            *headers,
            ("webhook-id", delivery.delivery_id),
            ("webhook-timestamp", moment),
            ("webhook-signature", " ".join(signatures)),
        ]
