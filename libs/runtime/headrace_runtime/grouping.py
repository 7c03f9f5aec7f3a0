"""Group commit for stores that answer over the network: what arrives while a write is under way goes out together.

One write is under way at a time, so items leave in the order they came. Under load the groups grow by themselves; an
item that comes alone waits for nobody. A store that is slow gets smaller groups, until it keeps up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from datetime import timedelta
from typing import Generic, TypeVar

from headrace_core.errors import Unavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MAX_GROUP = 256
SMALLEST_GROUP = 8
LONG_WRITE = timedelta(seconds=2)
"""A write that takes longer halves the next groups: one that outlived its deadline would be done again."""

MAX_WAITING = 20_000


class Grouping(Generic[Item, Answer]):
    """Gathers items and hands them to `write`, which answers for each with a value or an error.

    Two items of the same `lane` never share a group: where the second builds on the first, it is written after it.
    What `write` raises is the answer to every item of its group.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        lane: Callable[[Item], Hashable] = id,
        max_group: int = MAX_GROUP,
        max_waiting: int = MAX_WAITING,
        long_write: timedelta = LONG_WRITE,
    ) -> None:
        self._write = write
        self._lane = lane
        self._max_group = self._limit = max_group
        self._long_write = long_write.total_seconds()
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    async def put(self, item: Item) -> Answer:
        """Write the item with its group and return its answer. Raises Unavailable when too many wait."""
        if self._closed:
            raise Unavailable("The store is closed.")
        if len(self._waiting) >= self._max_waiting:
            raise Unavailable(f"The store has {len(self._waiting)} writes waiting.", retry_after=timedelta(seconds=1))
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    async def close(self) -> None:
        """Take nothing more and finish what waits."""
        self._closed = True
        if self._worker is not None:
            await self._worker

    async def _work(self) -> None:
        while self._waiting:
            group = self._next_group()
            began = asyncio.get_running_loop().time()
            try:
                answers = await self._write([item for item, _ in group])
            except Exception as error:  # whatever it is, those who wait must hear of it
                answers = [error] * len(group)
            self._adapt(asyncio.get_running_loop().time() - began)
            for (_, future), answer in zip(group, answers, strict=True):
                _settle(future, answer)
        self._worker = None

    def _adapt(self, seconds: float) -> None:
        if seconds > self._long_write:
            self._limit = max(min(SMALLEST_GROUP, self._max_group), self._limit // 2)
        else:
            self._limit = min(self._max_group, self._limit * 2)

    def _next_group(self) -> list[tuple[Item, asyncio.Future[Answer]]]:
        group: list[tuple[Item, asyncio.Future[Answer]]] = []
        later: list[tuple[Item, asyncio.Future[Answer]]] = []
        lanes: set[Hashable] = set()
        while self._waiting and len(group) < self._limit:
            entry = self._waiting.popleft()
            lane = self._lane(entry[0])
            (later if lane in lanes else group).append(entry)
            lanes.add(lane)
        self._waiting.extendleft(reversed(later))
        return group


def _settle(future: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if future.done():  # whoever asked is gone
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
