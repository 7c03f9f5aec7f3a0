"""What every DepartureStore promises."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core.errors import NotFound
from headrace_flow_manager.people.departure import Departure, Status
from headrace_flow_manager.stores.bundle import Stores

from tests.contracts.flow_manager import KINDS, OpenStores, opener

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = "a" * 24


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def stores(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path) as opened:
        yield opened


async def test_of_one_user_one_removal_is_under_way(stores: Stores) -> None:
    asked = [Departure(f"t{number}", ANN, 3, NOW) for number in range(5)]

    begun = await asyncio.gather(*(stores.departures.begin(each) for each in asked))

    assert len(set(begun)) == 1
    assert list(await stores.departures.under_way(10)) == [begun[0]]
    assert await stores.departures.get(ANN, begun[0].ticket) == begun[0]
    with pytest.raises(NotFound):
        await stores.departures.get("b" * 24, begun[0].ticket)


async def test_no_step_is_taken_back_and_what_has_ended_stays_so(stores: Stores) -> None:
    begun = await stores.departures.begin(Departure("t", ANN, 2, NOW))
    first = begun.one_step_on(NOW)
    ended = first.one_step_on(NOW)

    for each in (first, begun, ended, first, begun.given_up("late", NOW)):
        await stores.departures.save(each)

    kept = await stores.departures.get(ANN, "t")
    assert kept == ended and kept.status is Status.COMPLETED
    assert list(await stores.departures.under_way(10)) == []
    assert (await stores.departures.begin(replace(begun, ticket="again"))).ticket == "again"


async def test_removals_that_ended_long_ago_are_forgotten(stores: Stores) -> None:
    for name in ("old", "new", "open"):
        begun = await stores.departures.begin(Departure(name, name, 1, NOW))
        if name != "open":
            await stores.departures.save(begun.one_step_on(NOW + timedelta(days=name == "new")))

    await stores.departures.prune(NOW + timedelta(hours=1))

    with pytest.raises(NotFound):
        await stores.departures.get("old", "old")
    assert [(await stores.departures.get(each, each)).ticket for each in ("new", "open")] == ["new", "open"]
