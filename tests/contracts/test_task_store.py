"""What every TaskStore and TaskAgenda promises."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core.errors import Conflict, NotFound, RevisionConflict
from headrace_flow_manager.query import Condition, ListQuery, SortKey
from headrace_flow_manager.stores.bundle import Stores
from headrace_flow_manager.tasks import model
from headrace_flow_manager.tasks.model import Hook, HookState, Party, Role, Status, Task, Viewer, hash_of

from tests.contracts.flow_manager import KINDS, OpenStores, opener

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ANN, BOB = "a" * 24, "b" * 24
HOOK = Hook("t_h", "https://x.example/flows/f/components/n", "f", "n", NOW)
TASK = Task(
    "t",
    ANN,
    "Pay 2**70?",
    "All of “it”",
    Party("Eve@Example.com", hash_of("eve's")),
    Party("ron@example.com", hash_of("ron's")),
    NOW,
    NOW,
    NOW + 10 * SECOND,
    hooks=(HOOK,),
)
OWN = Viewer(ANN)


def other(name: str, **more: object) -> Task:
    """Another task, with secrets of its own."""
    parties = {"approver": Party("eve@example.com", hash_of(f"{name}a")), "requester": Party("r@x", hash_of(name))}
    return replace(TASK, task_id=name, **{**parties, **more})  # type: ignore[arg-type]  # fields by name


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def stores(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path) as opened:
        yield opened


async def ids(stores: Stores, viewer: Viewer, role: Role | None = None, query: ListQuery | None = None) -> list[str]:
    page = await stores.tasks.page(viewer, role, query or ListQuery(), NOW)
    return [each.task_id for each in page.items]


async def test_a_task_comes_back_as_it_was_kept_and_once(stores: Stores) -> None:
    for _ in range(2):
        await stores.tasks.add(TASK, 10)

    assert await stores.tasks.get(OWN, "t") == TASK
    assert await ids(stores, OWN) == ["t"]


@pytest.mark.parametrize(
    ("viewer", "roles"),
    [
        (Viewer(ANN), {None, Role.CREATOR}),
        (Viewer(BOB, "EVE@example.COM"), {None, Role.APPROVER}),
        (Viewer(BOB, "ron@example.com"), {None, Role.REQUESTER}),
        (Viewer(ANN, "ron@example.com"), {None, Role.CREATOR, Role.REQUESTER}),
        (Viewer(secret="eve's"), {None, Role.APPROVER}),
        (Viewer(BOB, "bob@example.com", "ron's"), {None, Role.REQUESTER}),
        (Viewer(BOB), set()),
        (Viewer(BOB, "bob@example.com", "nobody's"), set()),
        (Viewer(), set()),
        (Viewer(email="example.com"), set()),
        (Viewer(secret=hash_of("eve's").hex()), set()),
    ],
)
async def test_a_task_is_there_for_who_is_something_to_it(
    stores: Stores, viewer: Viewer, roles: set[Role | None]
) -> None:
    await stores.tasks.add(TASK, 10)

    assert {role for role in (None, *Role) if await ids(stores, viewer, role)} == roles
    assert model.roles_of(TASK, viewer) == roles - {None}
    if roles:
        assert await stores.tasks.get(viewer, "t") == TASK
    else:
        with pytest.raises(NotFound):
            await stores.tasks.get(viewer, "t")


async def test_lists_are_filtered_ordered_and_tell_what_is_due_by_now(stores: Stores) -> None:
    await stores.tasks.add(replace(TASK, decision_by=NOW), 10)
    await stores.tasks.add(other("u", title="Another", created_at=NOW + SECOND), 10)
    pending = ListQuery(conditions=(Condition("status", "equal", "pending"),))

    assert await ids(stores, OWN) == ["t", "u"]
    assert await ids(stores, OWN, query=pending) == ["u"]
    assert await ids(stores, OWN, query=ListQuery(pattern="ANOTHER")) == ["u"]
    assert await ids(stores, OWN, query=ListQuery(sort=(SortKey("title"),), limit=1)) == ["u"]
    assert (await stores.tasks.page(OWN, None, ListQuery(), NOW)).items[0].status is Status.DUE
    assert (await stores.tasks.get(OWN, "t")).status is Status.PENDING


async def test_of_two_who_change_one_revision_one_is_told(stores: Stores) -> None:
    await stores.tasks.add(TASK, 10)
    approved = model.decided(TASK, approves=True, now=NOW + SECOND)

    await stores.tasks.replace(approved, 1)
    with pytest.raises(RevisionConflict):
        await stores.tasks.replace(model.decided(TASK, approves=False, now=NOW), 1)
    with pytest.raises(NotFound):
        await stores.tasks.replace(replace(approved, tenant_id=BOB), 2)

    assert await stores.tasks.get(OWN, "t") == approved


async def test_a_tenant_has_so_many_tasks_and_deletes_only_its_own(stores: Stores) -> None:
    await stores.tasks.add(TASK, 1)
    with pytest.raises(Conflict, match="1 tasks"):
        await stores.tasks.add(other("u"), 1)
    await stores.tasks.add(other("v", tenant_id=BOB), 1)

    with pytest.raises(NotFound):
        await stores.tasks.delete(BOB, "t")
    await stores.tasks.delete(ANN, "t")
    with pytest.raises(NotFound):
        await stores.tasks.delete(ANN, "t")
    for _ in range(2):
        await stores.tasks.delete_owned(ANN)
    assert await ids(stores, Viewer(BOB)) == ["v"]


async def test_the_agenda_has_what_is_overdue_and_what_is_untold(stores: Stores) -> None:
    agenda = stores.task_agenda
    await stores.tasks.add(TASK, 10)
    await stores.tasks.add(other("never", decision_by=None), 10)
    await stores.tasks.add(other("sooner", tenant_id=BOB, decision_by=NOW + SECOND), 10)

    assert [each.task_id for each in await agenda.overdue(NOW + 9 * SECOND, 9)] == ["sooner"]
    assert [each.task_id for each in await agenda.overdue(NOW + 10 * SECOND, 9)] == ["sooner", "t"]
    assert await agenda.overdue(NOW + 10 * SECOND, 1) == await agenda.overdue(NOW + 9 * SECOND, 9)

    approved = model.decided(TASK, approves=True, now=NOW + SECOND)
    assert await agenda.untold(NOW + SECOND, 9) == []
    await stores.tasks.replace(approved, 1)
    assert await agenda.untold(NOW + SECOND, 9) == [approved]
    assert [each.task_id for each in await agenda.overdue(NOW + 10 * SECOND, 9)] == ["sooner"]


async def test_a_telling_that_is_put_off_comes_again_and_one_that_was_done_does_not(stores: Stores) -> None:
    agenda, approved = stores.task_agenda, model.decided(TASK, approves=True, now=NOW)
    await stores.tasks.add(TASK, 10)
    await stores.tasks.replace(approved, 1)

    await agenda.postpone(approved, NOW + 5 * SECOND)
    await agenda.postpone(TASK, NOW + 99 * SECOND)  # of a revision that is gone

    assert await agenda.untold(NOW + 4 * SECOND, 9) == []
    assert await agenda.untold(NOW + 5 * SECOND, 9) == [approved]
    told = model.with_hooks(approved, (replace(HOOK, state=HookState.SENT),))
    await stores.tasks.replace(told, approved.revision)
    await agenda.postpone(told, NOW)
    assert await agenda.untold(NOW + 99 * SECOND, 9) == []
    assert await stores.tasks.get(OWN, "t") == told
