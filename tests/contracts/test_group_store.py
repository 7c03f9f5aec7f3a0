"""What every GroupStore promises."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core.errors import AlreadyExists, Conflict, NotFound, RevisionConflict
from headrace_flow_manager.groups.model import Group
from headrace_flow_manager.groups.store import GroupStore
from headrace_flow_manager.query import Condition, ListQuery

from tests.contracts.flow_manager import KINDS, OpenStores, opener

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
ANN, BOB = "a" * 24, "b" * 24
GROUP = Group("sales", "Sales", "They sell", (ANN, BOB), NOW, NOW)


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def groups(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[GroupStore]:
    async with open_stores(tmp_path) as opened:
        yield opened.groups


async def test_a_group_comes_back_as_it_was_kept(groups: GroupStore) -> None:
    await groups.add(GROUP, 10)

    assert await groups.get("sales") == GROUP
    with pytest.raises(NotFound):
        await groups.get("Sales")


async def test_ids_and_names_are_taken_once_whatever_their_case(groups: GroupStore) -> None:
    await groups.add(GROUP, 10)
    await groups.add(replace(GROUP, group_id="law", name="Law"), 10)

    for taken in (replace(GROUP, name="Else"), replace(GROUP, group_id="else", name="SALES")):
        with pytest.raises(AlreadyExists):
            await groups.add(taken, 10)
    with pytest.raises(AlreadyExists):
        await groups.replace(replace(GROUP, group_id="law", name="sales", revision=2), 1)
    with pytest.raises(Conflict, match="2 groups"):
        await groups.add(replace(GROUP, group_id="else", name="Else"), 2)
    await groups.replace(replace(GROUP, name="SALES", revision=2), 1)


async def test_of_two_who_save_the_same_revision_one_is_told(groups: GroupStore) -> None:
    await groups.add(GROUP, 10)
    after = replace(GROUP, members=(BOB,), revision=2, updated_at=LATER)

    await groups.replace(after, 1)
    with pytest.raises(RevisionConflict):
        await groups.replace(after, 1)
    with pytest.raises(NotFound):
        await groups.replace(replace(after, group_id="none", name="None"), 1)

    assert await groups.get("sales") == after


async def test_groups_are_found_by_name_by_member_and_by_user(groups: GroupStore) -> None:
    for each in (
        GROUP,
        replace(GROUP, group_id="a", name="Zeta", members=(BOB,)),
        replace(GROUP, group_id="z", name="Alpha", members=()),
    ):
        await groups.add(each, 10)
    of_ann = ListQuery(conditions=(Condition("members", "equal", ANN),))

    assert [each.group_id for each in (await groups.page(ListQuery())).items] == ["z", "sales", "a"]
    assert [each.group_id for each in (await groups.page(of_ann)).items] == ["sales"]
    assert [each.group_id for each in (await groups.page(ListQuery(pattern="zet"))).items] == ["a"]
    assert (await groups.of_user(ANN), await groups.of_user(BOB)) == ({"sales"}, {"sales", "a"})
    assert await groups.of_user("c" * 24) == frozenset()


async def test_who_is_forgotten_is_in_no_group_and_a_group_that_is_deleted_has_nobody(groups: GroupStore) -> None:
    await groups.add(GROUP, 10)
    await groups.add(replace(GROUP, group_id="law", name="Law", members=(BOB,)), 10)

    for _ in range(2):
        await groups.forget_user(ANN, LATER)
    await groups.delete("law")

    assert await groups.get("sales") == replace(GROUP, members=(BOB,), revision=2, updated_at=LATER)
    assert (await groups.of_user(ANN), await groups.of_user(BOB)) == (frozenset(), {"sales"})
    with pytest.raises(NotFound):
        await groups.delete("law")
