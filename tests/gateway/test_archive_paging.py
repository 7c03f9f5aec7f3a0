"""Whatever is added and taken away meanwhile, what stays comes once."""

import random

import pytest
from headrace_core.errors import Conflict, TooLarge
from headrace_gateway.archives.paging import Listing, every
from headrace_gateway.queries import ListQuery


class Shelf:
    """A list that others work at, between any two pages."""

    def __init__(self, items: list[str], chance: random.Random) -> None:
        self.items = items
        self.stays = {item for item in items if chance.random() < 0.8}
        self._chance = chance
        self._turns = 12
        self.asked: list[int] = []

    async def page(self, query: ListQuery) -> list[str]:
        self.asked.append(query.limit)
        found = sorted(self.items)[query.offset : query.offset + query.limit]
        if self._turns and self.items:
            self._turns -= 1
            gone = self._chance.choice(self.items)
            if gone not in self.stays:
                self.items.remove(gone)
            if self._chance.random() < 0.5:
                self.items.append(f"{self._chance.randrange(1000):04}-new-{self._turns}")
        return found


@pytest.mark.parametrize("in_order", [True, False])
async def test_what_stays_comes_exactly_once(in_order: bool) -> None:
    for seed in range(300):
        chance = random.Random(seed)
        shelf = Shelf([f"{number:04}" for number in range(chance.randrange(120))], chance)

        listing = Listing(shelf.page, str, lambda item: 2_000_000 if item.endswith("7") else 1, in_order=in_order)
        came = [item async for item in every(listing)]

        assert len(came) == len(set(came)), seed
        assert shelf.stays <= set(came), seed


async def test_a_page_that_is_too_large_for_one_answer_is_asked_for_in_parts() -> None:
    items = [f"{number:03}" for number in range(60)]

    async def page(query: ListQuery) -> list[str]:
        if query.limit > 20:
            raise TooLarge("The answer is too large.")
        return items[query.offset : query.offset + query.limit]

    assert [item async for item in every(Listing(page, str, len))] == items


async def test_a_list_that_never_rests_is_given_up() -> None:
    turn = 0

    async def page(query: ListQuery) -> list[str]:
        nonlocal turn
        turn += 1
        return [f"{turn}-{number}" for number in range(query.limit)]

    with pytest.raises(Conflict):
        async for _ in every(Listing(page, str, len)):
            pass
