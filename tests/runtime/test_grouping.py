"""What arrives together is written together, in groups that the store can carry."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from headrace_runtime.grouping import SMALLEST_GROUP, Grouping

LONG = timedelta(milliseconds=50)


class Store:
    """Remembers the sizes of the groups it got; `takes` seconds for each."""

    def __init__(self) -> None:
        self.takes = 0.0
        self.sizes: list[int] = []

    async def write(self, items: Sequence[int]) -> list[int | Exception]:
        self.sizes.append(len(items))
        await asyncio.sleep(self.takes)
        return list(items)


async def put(grouping: Grouping[int, int], count: int) -> list[int]:
    return await asyncio.gather(*(grouping.put(number) for number in range(count)))


async def test_what_arrives_together_leaves_together_and_each_gets_its_own_answer() -> None:
    store = Store()
    grouping: Grouping[int, int] = Grouping(store.write, max_group=64)

    assert await put(grouping, 100) == list(range(100))

    assert store.sizes == [64, 36]
    await grouping.close()


async def test_a_slow_store_gets_smaller_groups_until_it_keeps_up() -> None:
    store = Store()
    grouping: Grouping[int, int] = Grouping(store.write, max_group=64, long_write=LONG)

    store.takes = 2 * LONG.total_seconds()
    await put(grouping, 136)
    assert store.sizes == [64, 32, 16, SMALLEST_GROUP, SMALLEST_GROUP, SMALLEST_GROUP]

    store.takes = 0.0
    store.sizes.clear()
    await put(grouping, 200)
    assert store.sizes[:4] == [SMALLEST_GROUP, 16, 32, 64]
    await grouping.close()
