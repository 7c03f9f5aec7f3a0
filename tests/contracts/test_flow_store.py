"""What every FlowStore, FlowDirectory, WorkStore and TurnStore promises."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core import Json
from headrace_core.errors import AlreadyExists, NotFound, RevisionConflict, ValidationFailed
from headrace_core.ids import new_id
from headrace_flow_manager.flows import model
from headrace_flow_manager.flows.logger import LogLevel
from headrace_flow_manager.flows.model import Flow, Instance, Stage, Turn
from headrace_flow_manager.flows.sharing import Guest, Permission
from headrace_flow_manager.flows.work import Order, Work, WorkState, ended, stepped
from headrace_flow_manager.query import Condition, ListQuery, Selection, SortKey
from headrace_flow_manager.scope import EVERY_TENANT
from headrace_flow_manager.stores.bundle import Stores
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.flow_manager import KINDS, OpenStores, opener

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN, BOB = "a" * 24, "b" * 24


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def stores(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path) as opened:
        yield opened


def flow(flow_id: str = "f", tenant: str = ANN, **record: Json) -> Flow:
    return Flow(flow_id, tenant, {"name": flow_id, **record}, {"n": {"type": "a.b.c.D"}}, NOW, NOW)


async def test_of_writers_from_one_revision_one_wins(stores: Stores) -> None:
    before = flow()
    await stores.flows.add(ANN, before)

    results = await asyncio.gather(
        *(stores.flows.save(ANN, before, replace(before, record={"name": str(number)})) for number in range(10)),
        return_exceptions=True,
    )

    saved = [each for each in results if isinstance(each, Flow)]
    assert len(saved) == 1 and sum(isinstance(each, RevisionConflict) for each in results) == 9
    assert await stores.flows.get(ANN, "f") == saved[0] and saved[0].revision == 2


async def test_a_new_version_and_its_flow_are_one_write(stores: Stores) -> None:
    before = flow()
    await stores.flows.add(ANN, before)
    await stores.flows.save(ANN, before, replace(before, descriptor={}, version=2))

    with pytest.raises(RevisionConflict):
        await stores.flows.save(ANN, before, replace(before, descriptor={"x": {}}, version=3))

    page = await stores.flows.versions(ANN, "f", 0, 10)
    assert [(each.version, each.descriptor) for each in page.items] == [(2, {}), (1, before.descriptor)]


async def test_a_descriptor_under_the_same_version_takes_the_place_of_the_one_kept(stores: Stores) -> None:
    before = flow()
    await stores.flows.add(ANN, before)
    await stores.flows.label(ANN, "f", 1, "first")
    moved: dict[str, Json] = {"n": {"type": "a.b.c.D", "x": 7}}

    saved = await stores.flows.save(ANN, before, replace(before, descriptor=moved))
    await stores.flows.save(ANN, saved, replace(saved, descriptor={}, version=2))

    page = await stores.flows.versions(ANN, "f", 0, 10)
    assert [(each.version, each.descriptor, each.label) for each in page.items] == [(2, {}, ""), (1, moved, "first")]


async def test_what_is_written_is_there_after_a_restart(open_stores: OpenStores, tmp_path: Path) -> None:
    async with open_stores(tmp_path) as stores:
        await stores.flows.add(ANN, flow(customFields={"n": 2**70}))

    async with open_stores(tmp_path) as stores:
        assert await stores.flows.get(ANN, "f") == flow(customFields={"n": 2**70})


async def test_unfinished_flows_are_those_with_something_under_way(stores: Stores) -> None:
    for flow_id in ("stopped", "starting", "running", "updated", "stopping", "removed"):
        await stores.flows.add(ANN, flow(flow_id))
    starting = model.starting(flow("starting"), "id")
    running = model.activated(model.starting(flow("running"), "id"), NOW)
    updated = replace(model.activated(model.starting(flow("updated"), "id"), NOW), running_version=2, version=2)
    stages = [starting, running, updated, model.stopping(flow("stopping"), "id"), model.removing(flow("removed"), "id")]
    for each in stages:
        await stores.flows.save(ANN, flow(each.flow_id), each)

    unfinished = [each.flow_id for each in await stores.directory.unfinished("", 10)]
    active = [each.flow_id for each in await stores.directory.active("", 10)]

    assert unfinished == ["removed", "starting", "stopping", "updated"]
    assert active == ["running", "starting", "updated"]
    assert [each.flow_id for each in await stores.directory.unfinished("removed", 2)] == ["starting", "stopping"]


async def test_only_a_removed_flow_can_be_erased(stores: Stores) -> None:
    await stores.flows.add(ANN, flow())
    await stores.flows.erase(ANN, "f")
    removed = await stores.flows.save(ANN, flow(), model.removing(flow(), "id"))
    await stores.flows.erase(BOB, "f")

    assert await stores.directory.find("f") == removed
    with pytest.raises(NotFound):
        await stores.flows.get(ANN, "f")
    for _ in range(2):
        await stores.flows.erase(ANN, "f")
    with pytest.raises(NotFound):
        await stores.directory.find("f")


async def test_reads_across_tenants_are_asked_for_by_name(stores: Stores) -> None:
    await stores.flows.add(ANN, flow("one"))
    await stores.flows.add(BOB, flow("two", BOB))

    assert [each.flow_id for each in (await stores.flows.page(EVERY_TENANT, ListQuery())).items] == ["one", "two"]
    assert [each.flow_id for each in (await stores.flows.page(BOB, ListQuery())).items] == ["two"]
    with pytest.raises(NotFound):
        await stores.flows.get(BOB, "one")


TEXTS = ["a", "A", "b", "a\x00", "'", "%", "", "$gt", "5", "true", ".*", "stopped"]
FIELDS = ["name", "stage", "flowId", "userId", "btime", "customFields.a", "customFields.b.c", "customFields.$x",
          "customFields.list.k", "customFields", "flow.n.type", "missing", "$where", "record", "tenant_id"]  # fmt: skip
JSON = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, 5, -2.5, 2**70, *TEXTS]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["$gt", "k", "$where", "c"]), inner, max_size=2)
    ),
    max_leaves=4,
)
MINE, THEIRS = "<the tenant who asks>", "<another tenant>"
OPERATORS = st.sampled_from(["equal", "not_equal", "empty", "less", "greater", "match"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kept=st.lists(st.fixed_dictionaries({}, optional={"a": JSON, "b.c": JSON, "$x": JSON, "list": JSON}), max_size=5),
    conditions=st.lists(
        st.builds(Condition, st.sampled_from(FIELDS), OPERATORS, JSON | st.sampled_from([MINE, THEIRS])), max_size=2
    ),
    sort=st.lists(st.builds(SortKey, st.sampled_from(FIELDS), st.booleans()), max_size=2),
    pattern=st.sampled_from(["", "", "a", "%", "$"]),
    place=st.tuples(st.integers(0, 2), st.integers(0, 3)),
)
async def test_a_store_finds_what_the_plain_selection_finds(
    stores: Stores,
    kept: list[dict[str, Json]],
    conditions: list[Condition],
    sort: list[SortKey],
    pattern: str,
    place: tuple[int, int],
) -> None:
    tenant, another = new_id(), new_id()
    ids: dict[Json, str] = {MINE: tenant, THEIRS: another}
    meant = [
        replace(each, value=ids.get(each.value, each.value)) if isinstance(each.value, str) else each
        for each in conditions
    ]
    query = ListQuery(tuple(meant), pattern, tuple(sort), *place)
    await stores.flows.add(another, flow(another, another))
    plain: list[tuple[str, dict[str, Json]]] = []
    for number, fields in enumerate(kept):
        each = flow(f"{tenant}-{number}", tenant, customFields=fields)
        each = replace(each, record={**each.record, "name": TEXTS[number]})
        await stores.flows.add(tenant, each)
        own: dict[str, Json] = {
            "flowId": each.flow_id,
            "userId": tenant,
            "stage": "stopped",
            "btime": "2026-01-01T00:00:00.000Z",
        }
        plain.append((each.flow_id, {**each.record, "flow": dict(each.descriptor), **own}))

    try:
        expected = Selection(query).page(plain)
    except ValidationFailed:
        with pytest.raises(ValidationFailed):
            await stores.flows.page(tenant, query)
        return
    found = await stores.flows.page(tenant, query)

    assert tuple(each.flow_id for each in found.items) == expected.items
    assert found.total == expected.total == await stores.flows.count(tenant, query)


@pytest.mark.parametrize("named", [ANN, BOB, "nobody"])
async def test_who_asks_for_the_flows_of_another_tenant_finds_none(stores: Stores, named: str) -> None:
    await stores.flows.add(ANN, flow("hers", ANN))
    await stores.flows.add(BOB, flow("his", BOB))
    query = ListQuery((Condition("userId", "equal", named),))
    twice = replace(query, conditions=(*query.conditions, Condition("userId", "equal", BOB)))

    found = [[each.flow_id for each in (await stores.flows.page(BOB, asked)).items] for asked in (query, twice)]
    counted = [await stores.flows.count(BOB, asked) for asked in (query, twice)]
    of_all = [each.flow_id for each in (await stores.flows.page(EVERY_TENANT, query)).items]

    assert found == [["his"] if named == BOB else []] * 2
    assert counted == [len(each) for each in found]
    assert of_all == {ANN: ["hers"], BOB: ["his"]}.get(named, [])


async def test_what_users_wrote_comes_back_as_it_was(stores: Stores) -> None:
    hostile: Json = {"$set": {"a.b": 1, "": 2**80, "\u0000": [1.5, None]}, "$where": "sleep(1)", "x" * 2000: "y"}
    before = flow(customFields=hostile, wizard=hostile)
    await stores.flows.add(ANN, replace(before, descriptor={"n": {"type": "a.b.c.D", "config": hostile}}))

    kept = await stores.flows.get(ANN, "f")

    assert kept.record == before.record and kept.descriptor["n"] == {"type": "a.b.c.D", "config": hostile}


async def test_an_id_belongs_to_one_flow_of_all_tenants(stores: Stores) -> None:
    await stores.flows.add(ANN, flow())

    with pytest.raises(AlreadyExists, match="another"):
        await stores.flows.add(BOB, flow(tenant=BOB))
    removed = await stores.flows.save(ANN, flow(), model.removing(flow(), "id"))
    with pytest.raises(AlreadyExists, match="being removed"):
        await stores.flows.add(ANN, flow())

    assert await stores.directory.find("f") == removed


async def test_versions_are_paged_newest_first(stores: Stores) -> None:
    kept = flow()
    await stores.flows.add(ANN, kept)
    for version in range(2, 6):
        later = NOW + timedelta(minutes=version)
        kept = await stores.flows.save(
            ANN, kept, replace(kept, version=version, descriptor={str(version): {}}, modified_at=later)
        )
    kept = await stores.flows.save(
        ANN, kept, replace(kept, record={"name": "new"}, modified_at=NOW + timedelta(hours=1))
    )

    pages = [await stores.flows.versions(ANN, "f", offset, 2) for offset in (0, 1, 4, 5)]

    assert [[each.version for each in page.items] for page in pages] == [[5, 4], [4, 3], [1], []]
    assert {page.total for page in pages} == {5} and pages[0].items[0].name == "new"
    assert pages[0].items[0].created_at == NOW + timedelta(minutes=5) and pages[2].items[0].created_at == NOW
    with pytest.raises(NotFound):
        await stores.flows.versions(BOB, "f", 0, 2)


async def test_any_version_is_found_by_its_number(stores: Stores) -> None:
    kept = flow()
    await stores.flows.add(ANN, kept)
    await stores.flows.save(ANN, kept, replace(kept, version=2, descriptor={"new": {}}))

    found = [(await stores.flows.version(ANN, "f", version)).descriptor for version in (1, 2)]

    assert found == [kept.descriptor, {"new": {}}]
    for tenant, flow_id, version in ((ANN, "f", 3), (ANN, "f", 0), (ANN, "f", -1), (BOB, "f", 1), (ANN, "g", 1)):
        with pytest.raises(NotFound):
            await stores.flows.version(tenant, flow_id, version)


async def test_a_label_stays_with_its_version_and_leaves_the_flow_as_it_is(stores: Stores) -> None:
    kept = flow()
    await stores.flows.add(ANN, kept)
    named = await stores.flows.label(ANN, "f", 1, "a.b $x")
    kept = await stores.flows.save(ANN, kept, replace(kept, version=2, descriptor={"new": {}}))
    await stores.flows.label(ANN, "f", 2, "second")
    await stores.flows.label(ANN, "f", 2, "again")

    labels = [each.label for each in (await stores.flows.versions(ANN, "f", 0, 10)).items]
    cleared = await stores.flows.label(ANN, "f", 1, "")

    assert (named.label, labels, cleared.label) == ("a.b $x", ["again", "a.b $x"], "")
    assert await stores.flows.get(ANN, "f") == kept
    assert (await stores.directory.executable("f", 2)).version == await stores.flows.version(ANN, "f", 2)
    for tenant, version in ((BOB, 1), (ANN, 3), (ANN, 0)):
        with pytest.raises(NotFound):
            await stores.flows.label(tenant, "f", version, "x")


async def test_labels_and_saves_at_once_lose_nothing(stores: Stores) -> None:
    await stores.flows.add(ANN, flow())

    async def save() -> None:
        kept = await stores.flows.get(ANN, "f")
        for version in range(2, 7):
            kept = await stores.flows.save(ANN, kept, replace(kept, version=version, descriptor={str(version): {}}))

    async def label() -> None:
        for number in range(10):
            await stores.flows.label(ANN, "f", 1, str(number))

    await asyncio.gather(save(), label())

    assert (await stores.flows.version(ANN, "f", 1)).label == "9"
    assert (await stores.flows.get(ANN, "f")).revision == 6


async def test_a_flow_has_no_versions_of_an_erased_flow_of_its_id(stores: Stores) -> None:
    kept = flow()
    await stores.flows.add(ANN, kept)
    kept = await stores.flows.save(ANN, kept, replace(kept, version=2, descriptor={"old": {}}))
    await stores.flows.save(ANN, kept, model.removing(kept, "id"))
    await stores.flows.erase(ANN, "f")
    again = flow(tenant=BOB)
    await stores.flows.add(BOB, again)
    await stores.flows.save(BOB, again, replace(again, version=2, descriptor={"new": {}}))

    versions = await stores.flows.versions(BOB, "f", 0, 10)

    assert [each.descriptor for each in versions.items] == [{"new": {}}, again.descriptor]


async def test_executors_are_told_the_version_they_name_or_the_one_that_runs(stores: Stores) -> None:
    kept = flow(customFields={"a.b": 1}, logger={"level": "errors"})
    await stores.flows.add(ANN, kept)
    stopped = await stores.directory.executable("f", 0)
    kept = await stores.flows.save(ANN, kept, model.activated(model.starting(kept, "id"), NOW))
    kept = await stores.flows.save(ANN, kept, replace(kept, version=2, descriptor={"new": {}}))

    running, named = await stores.directory.executable("f", 0), await stores.directory.executable("f", 2)
    removed = await stores.flows.save(ANN, kept, model.removing(kept, "id"))
    leaving = await stores.directory.executable("f", 1)

    assert (stopped.stage, stopped.version) == (Stage.STOPPED, None)
    assert running.version is not None and running.version.descriptor == flow().descriptor
    assert running.version.custom_fields == {"a.b": 1} and running.tenant_id == ANN
    assert running.version.log_level is LogLevel.ERRORS
    assert named.version is not None and named.version.descriptor == {"new": {}}
    assert (leaving.removed, leaving.version) == (True, running.version) and removed.removed
    for flow_id, version in (("f", 9), ("g", 0)):
        with pytest.raises(NotFound):
            await stores.directory.executable(flow_id, version)


async def test_a_guest_finds_what_is_shared_with_them_and_nothing_else(stores: Stores) -> None:
    entry: Json = {"email": "bob@example.com", "permissions": ["read"]}
    await stores.flows.add(ANN, flow("shared", sharedWith=[entry]))
    await stores.flows.add(ANN, flow("own"))
    bob = Guest("bob@example.com", frozenset())

    assert (await stores.flows.shared(bob, "shared")).flow_id == "shared"
    for flow_id in ("own", "none"):
        with pytest.raises(NotFound):
            await stores.flows.shared(bob, flow_id)


def shared(flow_id: str, *entries: Json, tenant: str = ANN, **record: Json) -> Flow:
    return flow(flow_id, tenant, sharedWith=list(entries), **record)


def entry(*permissions: str, **whom: Json) -> Json:
    return {"permissions": list(permissions), **whom}


ANY = ListQuery()
BOBS = Guest("Bob@Partner.example", frozenset({"user", "beta"}))


async def ids_of_shared(stores: Stores, *permissions: Permission, query: ListQuery = ANY) -> list[str]:
    page = await stores.flows.page_shared(BOB, BOBS, permissions, query)
    assert page.total == await stores.flows.count_shared(BOB, BOBS, permissions, query)
    return [each.flow_id for each in page.items]


async def test_shared_flows_are_those_of_others_that_grant_one_of_the_permissions(stores: Stores) -> None:
    for each in (
        shared("mail", entry("read", email="bob@partner.EXAMPLE")),
        shared("domain", entry("read", "start", domain="PARTNER.example")),
        shared("role", entry("stop", scope="beta")),
        shared("two marks", entry("read", email="bob@partner.example", scope="gamma")),
        shared("somebody else", entry("read", email="eve@partner.example"), entry("read", domain="example")),
        shared("nobody"),
        shared("no entry", entry("read")),
        shared("own", entry("read", scope="user"), tenant=BOB),
        flow("plain"),
    ):
        await stores.flows.add(each.tenant_id, replace(each, flow_id=each.flow_id.replace(" ", "-")))

    assert await ids_of_shared(stores, "read") == ["domain", "mail"]
    assert await ids_of_shared(stores, "start") == ["domain"]
    assert await ids_of_shared(stores, "read", "stop") == ["domain", "mail", "role"]
    assert await ids_of_shared(stores) == []


async def test_a_list_of_shared_flows_follows_what_is_saved(stores: Stores) -> None:
    before = shared("f", entry("read", scope="beta"))
    await stores.flows.add(ANN, before)
    assert await ids_of_shared(stores, "read") == ["f"]

    after = await stores.flows.save(ANN, before, replace(before, record={"name": "f", "sharedWith": []}))
    assert await ids_of_shared(stores, "read") == []
    again = await stores.flows.save(ANN, after, replace(after, record=shared("f", entry("read", scope="user")).record))
    assert await ids_of_shared(stores, "read") == ["f"]
    gone = await stores.flows.save(ANN, again, model.removing(again, "id"))
    assert await ids_of_shared(stores, "read") == []
    await stores.flows.erase(ANN, gone.flow_id)
    assert await ids_of_shared(stores, "read") == []


async def test_queries_of_a_guest_see_only_what_the_guest_may_know(stores: Stores) -> None:
    readable = shared("a", entry("read", scope="beta"), customFields={"kind": "x"})
    runnable = shared("b", entry("start", scope="beta"), customFields={"kind": "x"})
    for each in (replace(readable, created_at=NOW + timedelta(seconds=1)), runnable):
        await stores.flows.add(ANN, each)

    def where(field: str, value: str) -> ListQuery:
        return ListQuery(conditions=(Condition(field, "equal", value),))

    assert await ids_of_shared(stores, "read", "start") == ["b", "a"]
    assert await ids_of_shared(stores, "read", "start", query=where("customFields.kind", "x")) == ["a"]
    assert await ids_of_shared(stores, "read", "start", query=where("name", "b")) == ["b"]
    assert await ids_of_shared(stores, "read", "start", query=ListQuery(sort=(SortKey("name"),), limit=1)) == ["a"]
    assert await ids_of_shared(stores, "read", "start", query=ListQuery(offset=1)) == ["a"]


async def test_instances_of_a_template_are_found_across_tenants_by_flow_id(stores: Stores) -> None:
    for flow_id, tenant, template in (
        ("c", ANN, "t"),
        ("a", BOB, "t"),
        ("b", ANN, "u"),
        ("d", ANN, "t"),
        ("e", ANN, ""),
    ):
        await stores.flows.add(tenant, flow(flow_id, tenant, **({"templateId": template} if template else {})))
    removed = await stores.flows.get(ANN, "d")
    await stores.flows.save(ANN, removed, model.removing(removed, "id"))
    changed = await stores.flows.get(ANN, "b")
    await stores.flows.save(ANN, changed, replace(changed, record={"name": "b", "templateId": "t"}))

    found = await stores.directory.instances("t", "", 10)

    assert found == [Instance(BOB, "a"), Instance(ANN, "b"), Instance(ANN, "c")]
    assert await stores.directory.instances("t", "a", 1) == [Instance(ANN, "b")]
    assert await stores.directory.instances("", "", 10) == [] == await stores.directory.instances("u", "", 10)


def work(ticket: str, tenant: str = ANN, at: datetime = NOW) -> Work:
    return Work(ticket, tenant, Order.UPDATE, "t", 3, True, 7, at, at)


async def test_work_is_its_tenants_and_as_it_was_saved_last(stores: Stores) -> None:
    await stores.work.add(work("one"))
    later = stepped(work("one"), "a", NOW + timedelta(seconds=1), "no\x00")
    await stores.work.save(later)

    assert await stores.work.get(ANN, "one") == later
    for tenant, ticket in ((BOB, "one"), (ANN, "two")):
        with pytest.raises(NotFound):
            await stores.work.get(tenant, ticket)


async def test_work_that_is_not_over_is_found_longest_untouched_first_and_is_never_forgotten(stores: Stores) -> None:
    hour = timedelta(hours=1)
    for ticket, tenant, at in (("new", ANN, NOW + hour), ("old", BOB, NOW), ("done", ANN, NOW), ("late", ANN, NOW)):
        await stores.work.add(work(ticket, tenant, at))
    await stores.work.save(ended(work("done"), NOW))
    await stores.work.save(ended(work("late"), NOW + hour))

    assert [each.ticket for each in await stores.work.unfinished(10)] == ["old", "new"]
    assert [each.ticket for each in await stores.work.unfinished(1)] == ["old"]
    await stores.work.prune(NOW + hour)
    assert [each.ticket for each in await stores.work.unfinished(10)] == ["old", "new"]
    assert (await stores.work.get(ANN, "late")).state is WorkState.COMPLETED
    with pytest.raises(NotFound):
        await stores.work.get(ANN, "done")


async def test_of_those_who_ask_for_a_turn_one_gets_it(stores: Stores) -> None:
    asked = [Turn(str(number)) for number in range(5)]

    answers = await asyncio.gather(*(stores.turns.take("f", each, None) for each in asked))

    taken = asked[answers.index(None)]
    assert answers.count(None) == 1 and {each for each in answers if each} == {taken}
    assert await stores.turns.take("other", asked[0], None) is None


async def test_a_turn_is_taken_over_only_while_it_has_not_moved(stores: Stores) -> None:
    await stores.turns.take("f", Turn("one"), None)
    assert await stores.turns.renew("f", "one")

    assert await stores.turns.take("f", Turn("two"), Turn("one")) == Turn("one", 1)
    assert await stores.turns.take("f", Turn("two"), Turn("one", 1)) is None
    assert not await stores.turns.renew("f", "one") and await stores.turns.renew("f", "two")


async def test_a_turn_that_ended_is_anybodys_and_only_its_holder_ends_it(stores: Stores) -> None:
    await stores.turns.take("f", Turn("one"), None)
    await stores.turns.end("f", "two")
    assert await stores.turns.take("f", Turn("two"), None) == Turn("one")
    for _ in range(2):
        await stores.turns.end("f", "one")

    assert not await stores.turns.renew("f", "one")
    assert await stores.turns.take("f", Turn("two"), Turn("one")) is None


async def test_a_version_is_pinned_once_and_keeps_its_revision(stores: Stores) -> None:
    await stores.flows.add(ANN, flow())

    assert await stores.directory.pin("f", 1, ("c1", "c2")) == ("c1", "c2")
    assert await stores.directory.pin("f", 1, ("c3",)) == ("c1", "c2")

    kept = await stores.flows.get(ANN, "f")
    assert (kept.revision, kept.pins) == (1, ("c1", "c2"))
    assert (await stores.flows.version(ANN, "f", 1)).pins == ("c1", "c2")
    for flow_id, version in (("f", 2), ("g", 1)):
        with pytest.raises(NotFound):
            await stores.directory.pin(flow_id, version, ("c1",))


async def test_pins_go_with_the_version_that_they_were_set_at(stores: Stores) -> None:
    first = flow()
    await stores.flows.add(ANN, first)
    second = await stores.flows.save(ANN, first, replace(first, pins=("c1",)))
    third = await stores.flows.save(ANN, second, replace(second, pins=("c2",), version=2))
    await stores.flows.save(ANN, third, replace(third, descriptor={}, pins=(), version=3))
    assert await stores.directory.pin("f", 3, ("c3",)) == ("c3",)

    pins = {each.version: each.pins for each in (await stores.flows.versions(ANN, "f", 0, 10)).items}
    found = (await stores.directory.executable("f", 1)).version

    assert pins == {1: ("c1",), 2: ("c2",), 3: ("c3",)}
    assert found is not None and found.pins == ("c1",)
    assert await stores.directory.pin("f", 1, ("c9",)) == ("c1",)


@pytest.mark.parametrize("version", [1, 2])
async def test_who_did_not_see_the_pins_of_a_version_cannot_save_over_it(stores: Stores, version: int) -> None:
    before = flow()
    await stores.flows.add(ANN, before)
    await stores.directory.pin("f", 1, ("c1",))

    with pytest.raises(RevisionConflict):
        await stores.flows.save(ANN, before, replace(before, pins=("c2",), version=1))
    if version == 2:
        now = await stores.flows.get(ANN, "f")
        await stores.flows.save(ANN, now, replace(now, descriptor={}, pins=("c2",), version=2))

    assert (await stores.flows.version(ANN, "f", 1)).pins == ("c1",)


async def test_a_past_version_is_pinned_where_it_is(stores: Stores) -> None:
    before = flow()
    await stores.flows.add(ANN, before)
    await stores.flows.save(ANN, before, replace(before, descriptor={}, version=2))

    assert await stores.directory.pin("f", 1, ("c1",)) == ("c1",)

    assert (await stores.flows.version(ANN, "f", 1)).pins == ("c1",)
    assert (await stores.flows.get(ANN, "f")).pins == ()


async def test_contents_that_any_version_is_pinned_to_are_known(stores: Stores) -> None:
    before = flow()
    await stores.flows.add(ANN, before)
    pinned = await stores.flows.save(ANN, before, replace(before, pins=("c1", "c2")))
    await stores.flows.save(ANN, pinned, replace(pinned, pins=("c3",), version=2))

    assert set(await stores.directory.pinned(["c1", "c2", "c3", "c4"])) == {"c1", "c2", "c3"}
    gone = replace(await stores.flows.get(ANN, "f"), removed=True)
    await stores.flows.save(ANN, await stores.flows.get(ANN, "f"), gone)
    await stores.flows.erase(ANN, "f")

    assert set(await stores.directory.pinned(["c1", "c2", "c3", "c4"])) == set()
    assert set(await stores.directory.pinned([])) == set()


async def test_flows_are_found_by_what_their_newest_version_uses(stores: Stores) -> None:
    def using(flow_id: str, tenant: str, *types: str) -> Flow:
        return replace(flow(flow_id, tenant), descriptor={f"n{n}": {"type": each} for n, each in enumerate(types)})

    first = using("f1", ANN, "acme.mail.core.Send", "acme.chat.core.Say")
    for each in (first, using("f2", BOB, "acme.mail.core.Read"), using("f3", ANN, "acme.mailer.core.Send")):
        await stores.flows.add(each.tenant_id, each)

    async def found(selector: str, limit: int = 10) -> list[str]:
        return [each.flow_id for each in await stores.directory.using(selector, limit)]

    assert await found("acme.mail") == ["f1", "f2"]
    assert await found("acme.mail", 1) == ["f1"]
    assert await found("acme.mail.core.Send") == ["f1"]
    assert await found("acme.mail.core.Sen") == await found("acme.mail.core.Send.x") == []
    await stores.flows.save(ANN, first, replace(first, descriptor={"n": {"type": "acme.chat.core.Say"}}, version=2))
    assert await found("acme.mail") == ["f2"]
    assert await found("acme.chat.core") == ["f1"]
