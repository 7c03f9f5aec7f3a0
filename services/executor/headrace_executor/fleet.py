"""What the executors of one store tell each other. Every word is a hint: the store is what counts.

A hint that the bus loses costs time, never work: the sweeper finds ready runs, a waiting caller's answer is looked
up in the store, an order to cancel lies in the run's inbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import orjson
from headrace_core.errors import HeadraceError
from headrace_core.expressions import Json
from headrace_core.ports import Bus

logger = logging.getLogger(__name__)

READY = "run.ready"  # one of them looks at the store
NEWS = "executor.news"  # all of them hear it
GROUP = "executors"
MAX_UNSAID = 1_000

Happening = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told what the others said. None of them may wait."""

    ready: Callable[[], None]
    answered: Callable[[str], None]  # run id
    cancelled: Callable[[str, str], object]  # run id, reason
    watched: Callable[[str], None]  # flow id
    happened: Callable[[Happening], None]


class Fleet:
    """One executor's voice and ears. Speaking never waits: words gather and leave together."""

    def __init__(self, bus: Bus, owner: str) -> None:
        self._bus = bus
        self.owner = owner
        self._unsaid: list[bytes] = []
        self._ready = False
        self._has_words = asyncio.Event()
        self.lost = 0

    def ready(self) -> None:
        """Runs are ready that this executor will not take."""
        self._ready = True
        self._has_words.set()

    def answered(self, run_id: str) -> None:
        """A run that was accepted elsewhere has its answer on record."""
        self._say({"k": "answered", "run": run_id})

    def cancelled(self, run_id: str, reason: str) -> None:
        """Whoever drives this run shall end it."""
        self._say({"k": "cancelled", "run": run_id, "reason": reason})

    def watched(self, flow_id: str) -> None:
        """Somebody here watches this flow."""
        self._say({"k": "watched", "flow": flow_id})

    def happened(self, happening: Happening) -> None:
        """Something happened in a flow that is watched elsewhere."""
        self._say({"k": "happened", "what": happening})

    def _say(self, word: dict[str, Json]) -> None:
        if len(self._unsaid) >= MAX_UNSAID:
            self.lost += 1
            return
        self._unsaid.append(orjson.dumps({"from": self.owner, **word}))
        self._has_words.set()

    async def run(self, ears: Ears) -> None:
        """Speak and listen until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._speak())
            tasks.create_task(self._listen_for_work(ears))
            tasks.create_task(self._listen_for_news(ears))

    async def _speak(self) -> None:
        while True:
            await self._has_words.wait()
            self._has_words.clear()
            words, self._unsaid = self._unsaid, []
            is_ready, self._ready = self._ready, False
            try:
                if is_ready:
                    await self._bus.publish(READY, [self.owner.encode()])
                await self._bus.publish(NEWS, words)
            except (HeadraceError, ConnectionError, TimeoutError) as error:
                self.lost += len(words) + is_ready
                logger.warning("The other executors could not be told: %s", error)

    async def _listen_for_work(self, ears: Ears) -> None:
        async with self._bus.subscribe(READY, group=GROUP) as batches:
            async for _ in batches:
                ears.ready()

    async def _listen_for_news(self, ears: Ears) -> None:
        async with self._bus.subscribe(NEWS, group=self.owner) as batches:
            async for batch in batches:
                for payload in batch:
                    self._hear(payload, ears)

    def _hear(self, payload: bytes, ears: Ears) -> None:
        try:
            word = orjson.loads(payload)
            if word["from"] != self.owner:
                _tell(word, ears)
        except (KeyError, TypeError, ValueError):
            logger.warning("Another executor said something unknown: %.100r", payload)


def _tell(word: dict[str, Json], ears: Ears) -> None:
    match word["k"]:
        case "answered":
            ears.answered(str(word["run"]))
        case "cancelled":
            ears.cancelled(str(word["run"]), str(word["reason"]))
        case "watched":
            ears.watched(str(word["flow"]))
        case "happened":
            ears.happened(cast("Happening", word["what"]))
