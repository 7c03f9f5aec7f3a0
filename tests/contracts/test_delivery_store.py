"""What every store of deliveries to system webhooks promises."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core.errors import NotFound
from headrace_flow_manager.hooks.model import Delivery, DeliveryFilter
from headrace_flow_manager.hooks.store import DeliveryStore

from tests.contracts.flow_manager import KINDS, OpenStores, opener

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=2)


def delivery(number: int, **given: object) -> Delivery:
    made = Delivery(
        delivery_id=f"d{number}",
        hook_id="one",
        event_id=f"e{number}",
        event="flow.stopped",
        tenant_id="ann",
        at=NOW,
        body='{"a.b": 1}',
        fact="user exists",
        about="ann",
        state="pending",
        due=NOW + timedelta(seconds=number),
        created_at=NOW + timedelta(seconds=number),
    )
    return replace(made, **given)  # type: ignore[arg-type]  # fields of it


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def store(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[DeliveryStore]:
    async with open_stores(tmp_path) as opened:
        yield opened.hook_deliveries


async def ids(store: DeliveryStore, which: DeliveryFilter | None = None, offset: int = 0, limit: int = 10) -> list[str]:
    found, _ = await store.page(which or DeliveryFilter(), offset, limit)
    return [each.delivery_id for each in found]


async def test_what_is_added_again_stays_as_it_is(store: DeliveryStore) -> None:
    await store.add([delivery(1), delivery(2)])
    await store.add([delivery(1, body="{}"), delivery(3)])

    assert await store.get("d1") == delivery(1)
    assert await ids(store) == ["d3", "d2", "d1"]
    with pytest.raises(NotFound):
        await store.get("d4")


async def test_each_is_claimed_by_one_until_the_claim_ends(store: DeliveryStore) -> None:
    await store.add([delivery(1), delivery(2), delivery(3, hook_id="two"), delivery(9)])
    at = NOW + timedelta(seconds=5)
    first = await store.claim(at, LATER, 1, [])
    second = await store.claim(at, LATER, 10, ["two"])
    third = await store.claim(at, LATER, 10, [])
    nothing = await store.claim(at, LATER, 10, [])
    again = await store.claim(LATER, LATER + timedelta(minutes=2), 1, [])

    assert [[each.delivery_id for each in claimed] for claimed in (first, second, third, nothing)] == [
        *(["d1"], ["d2"], ["d3"], []),
    ]
    assert first == [delivery(1, due=LATER)]
    assert [each.delivery_id for each in again] == ["d9"], "the longest due first"


async def test_who_lost_the_claim_settles_nothing(store: DeliveryStore) -> None:
    await store.add([delivery(1)])
    [slow] = await store.claim(LATER, LATER + timedelta(minutes=2), 1, [])
    [quick] = await store.claim(LATER + timedelta(minutes=2), LATER + timedelta(minutes=4), 1, [])
    told = replace(
        quick, state="delivered", attempts=1, status=204, answer="ok", error="", ended_at=LATER + timedelta(minutes=3)
    )

    assert not await store.settle(slow, replace(slow, state="failed", error="late"))
    await store.drop(slow)
    assert await store.settle(quick, told)
    assert await store.get("d1") == told
    assert not await store.settle(quick, replace(told, state="failed"))
    assert await store.claim(LATER + timedelta(days=1), LATER + timedelta(days=2), 1, []) == []


async def test_one_that_ended_begins_anew_and_one_that_is_not_to_be_told_goes(store: DeliveryStore) -> None:
    await store.add([delivery(1, state="failed", attempts=20, ended_at=NOW), delivery(2)])
    again = await store.again("d1", LATER)
    pending = await store.again("d2", LATER)
    [claimed] = await store.claim(LATER - timedelta(seconds=1), LATER, 10, [])
    await store.drop(claimed)

    assert again == delivery(1, fact="", due=LATER)
    assert pending == delivery(2), "what is pending stays as it is"
    assert await ids(store) == ["d1"]
    with pytest.raises(NotFound):
        await store.again("d2", NOW)


async def test_pages_are_narrowed_and_old_ones_go(store: DeliveryStore) -> None:
    ended = NOW + timedelta(days=1)
    await store.add(
        [
            *(delivery(1), delivery(2, hook_id="two"), delivery(3, event="user.created", tenant_id="bob")),
            *(delivery(4, state="failed", ended_at=ended), delivery(5, state="delivered", ended_at=NOW)),
        ]
    )
    span = DeliveryFilter(after=NOW + timedelta(seconds=2), before=NOW + timedelta(seconds=4))

    assert await ids(store, DeliveryFilter(hook_id="two")) == ["d2"]
    assert await ids(store, DeliveryFilter(event="user.created", tenant_id="bob")) == ["d3"]
    assert await ids(store, DeliveryFilter(state="failed")) == ["d4"]
    assert await ids(store, span) == ["d3", "d2"]
    assert (await ids(store, offset=1, limit=2), (await store.page(DeliveryFilter(), 0, 1))[1]) == (["d4", "d3"], 5)
    assert (await store.waiting("one", 10), await store.waiting("one", 1), await store.waiting("none", 1)) == (2, 1, 0)
    assert (await store.prune(ended, 10), await store.prune(ended, 10)) == (1, 0)
    await store.forget_tenant("bob")
    await store.forget_hook("two")
    assert await ids(store) == ["d4", "d1"]
