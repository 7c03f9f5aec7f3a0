"""What every AuditStore promises."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core.errors import NotFound
from headrace_flow_manager.audit.model import Act, public
from headrace_flow_manager.audit.store import AuditStore
from headrace_flow_manager.query import Condition, ListQuery, Selection, SortKey

from tests.contracts.flow_manager import KINDS, OpenStores, opener

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACT = Act(
    act_id="a0",
    begun_at=NOW,
    actor_id="admin",
    actor_name="admin@example.com",
    address="127.0.0.1",
    request_id="r",
    action="PUT /users/{id}",
    summary="Change a user",
    target="ann",
    tenant_id="",
    before={"a.b": 2**70, "": None},
    given=["x"],
)


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def trail(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[AuditStore]:
    async with open_stores(tmp_path) as opened:
        yield opened.audit


async def test_an_act_comes_back_as_it_was_begun_and_ends_once(trail: AuditStore) -> None:
    await trail.begin(ACT)
    await trail.begin(replace(ACT, actor_id="somebody else"))
    begun = await trail.get("a0")
    await trail.end("a0", 200, {"b": 1}, NOW + timedelta(seconds=1))
    await trail.end("a0", 500, {"b": 2}, NOW + timedelta(seconds=2))

    assert begun == ACT
    assert await trail.get("a0") == replace(ACT, status=200, after={"b": 1}, ended_at=NOW + timedelta(seconds=1))
    with pytest.raises(NotFound):
        await trail.end("a1", 200, None, NOW)
    with pytest.raises(NotFound):
        await trail.get("a1")


async def test_the_newest_come_first_and_what_is_asked_for_is_found(trail: AuditStore) -> None:
    for number in range(5):
        tenant = "ann" if number % 2 else ""
        await trail.begin(replace(ACT, act_id=f"a{number}", begun_at=NOW + timedelta(seconds=number), tenant_id=tenant))

    plain = await trail.page(ListQuery(offset=1, limit=2))
    of_ann = await trail.page(ListQuery((Condition("tenantId", "equal", "ann"),)))
    oldest = await trail.page(ListQuery(sort=(SortKey("at"),), limit=1))
    named = await trail.page(ListQuery(pattern="CHANGE A"))

    assert ([each.act_id for each in plain.items], plain.total) == (["a3", "a2"], 5)
    assert ([each.act_id for each in of_ann.items], of_ann.total) == (["a3", "a1"], 2)
    assert [each.act_id for each in oldest.items] == ["a0"]
    assert named.total == 5


@pytest.mark.parametrize(
    ("conditions", "pattern"),
    [
        ((), ""),
        ((Condition("target", "equal", "user1"),), ""),
        ((Condition("target", "equal", 7, "7"), Condition("actor", "equal", "admin@example.com")), ""),
        ((Condition("tenantId", "equal", "ann"), Condition("status", "less", 300)), ""),
        ((Condition("status", "greater", 299),), ""),
        ((Condition("target", "equal", "user1"), Condition("target", "equal", "user2")), ""),
        ((Condition("status", "empty"),), ""),
        ((Condition("status", "equal", 200), Condition("status", "empty")), ""),
        ((Condition("at", "greater", "2026-01-02"), Condition("at", "less", "2026-01-04")), ""),
        ((Condition("at", "greater", "2026-01-02T00:00:00.000Z"),), ""),
        ((Condition("at", "less", "2026-01"),), ""),
        ((Condition("at", "greater", "2026-02-30"),), ""),
        ((), "GROSSE STRASSE"),
        ((), "user1"),
        ((), "a\x1fu"),
        ((Condition("actor", "match", "^adm"), Condition("given.kind", "equal", "odd")), ""),
        ((Condition("tenantId", "equal", ""),), ""),
    ],
)
async def test_a_database_finds_what_the_evaluator_finds(
    trail: AuditStore, conditions: tuple[Condition, ...], pattern: str
) -> None:
    acts = [
        replace(
            ACT,
            act_id=f"a{number:02}",
            begun_at=NOW + timedelta(hours=7 * number, microseconds=number),
            tenant_id="ann" if number % 3 == 0 else "",
            target="7" if number % 4 == 0 else f"user{number % 4}",
            summary="Große Straße" if number % 5 == 0 else "Change a user",
            given={"kind": "odd" if number % 2 else "even"},
        )
        for number in range(20)
    ]
    for number, act in enumerate(acts):
        await trail.begin(act)
        if number % 3:
            await trail.end(act.act_id, 200 if number % 2 else 404, None, act.begun_at)
    every = [await trail.get(each.act_id) for each in reversed(acts)]
    query = ListQuery(conditions, pattern, offset=2, limit=3)

    wanted = Selection(query, ("actor", "action", "summary", "target")).page((each, public(each)) for each in every)

    assert await trail.page(query) == wanted
    whole = Selection(ListQuery(conditions, pattern, limit=100), ("actor", "action", "summary", "target"))
    walked = [act async for acts in trail.walk(query) for act in acts]
    assert walked == list(whole.page((each, public(each)) for each in every).items)
