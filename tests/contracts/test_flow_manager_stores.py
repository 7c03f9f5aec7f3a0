"""What every adapter of the flow manager's ports promises. A new adapter is one more entry in ADAPTERS."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core import Json
from headrace_core.errors import AlreadyExists, Conflict, NotFound, RevisionConflict
from headrace_core.ids import new_id
from headrace_flow_manager.data_stores.store import DataStores, Outbox
from headrace_flow_manager.files.store import FileStore
from headrace_flow_manager.flows import model
from headrace_flow_manager.flows.model import Flow
from headrace_flow_manager.flows.store import FlowDirectory, FlowStore
from headrace_flow_manager.people.model import AttemptKey, Token, User, UserChange
from headrace_flow_manager.people.store import PeopleStore, TokenLookup
from headrace_flow_manager.query import Condition, ListQuery, Operator, Selection
from headrace_flow_manager.scope import EVERY_TENANT
from headrace_flow_manager.settings.store import DocumentStore
from headrace_flow_manager.stores.sqlite import open_stores
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN, BOB = "a" * 24, "b" * 24


@dataclass
class Ports:
    flows: FlowStore
    directory: FlowDirectory
    people: PeopleStore
    tokens: TokenLookup
    data_stores: DataStores
    outbox: Outbox
    files: FileStore
    documents: DocumentStore


@asynccontextmanager
async def sqlite(path: Path) -> AsyncIterator[Ports]:
    stores = await open_stores(path / "flow_manager.db")
    try:
        yield Ports(
            stores.flows,
            stores.directory,
            stores.people,
            stores.tokens,
            stores.data_stores,
            stores.outbox,
            stores.files,
            stores.documents,
        )
    finally:
        await stores.close()


OpenPorts = Callable[[Path], AbstractAsyncContextManager[Ports]]
ADAPTERS: dict[str, OpenPorts] = {"sqlite": sqlite}


@pytest.fixture(params=sorted(ADAPTERS))
def open_ports(request: pytest.FixtureRequest) -> OpenPorts:
    return ADAPTERS[request.param]


@pytest.fixture
async def ports(open_ports: OpenPorts, tmp_path: Path) -> AsyncIterator[Ports]:
    async with open_ports(tmp_path) as opened:
        yield opened


def flow(flow_id: str = "f", tenant: str = ANN, **record: Json) -> Flow:
    return Flow(flow_id, tenant, {"name": flow_id, **record}, {"n": {"type": "a.b.c.D"}}, NOW, NOW)


def user(name: str = "ann", **more: object) -> User:
    return replace(User(f"{name:0>24}", name, f"{name}@example.com", NOW), **more)  # type: ignore[arg-type]  # a test's own words


def token(owner: User, content: bytes = b"t", at: datetime = NOW) -> Token:
    return Token(content, owner.user_id, at, at + timedelta(days=1))


async def test_of_writers_from_one_revision_one_wins(ports: Ports) -> None:
    before = flow()
    await ports.flows.add(ANN, before)

    results = await asyncio.gather(
        *(ports.flows.save(ANN, before, replace(before, record={"name": str(number)})) for number in range(10)),
        return_exceptions=True,
    )

    saved = [each for each in results if isinstance(each, Flow)]
    assert len(saved) == 1 and sum(isinstance(each, RevisionConflict) for each in results) == 9
    assert await ports.flows.get(ANN, "f") == saved[0] and saved[0].revision == 2


async def test_a_new_version_and_its_flow_are_one_write(ports: Ports) -> None:
    before = flow()
    await ports.flows.add(ANN, before)
    await ports.flows.save(ANN, before, replace(before, descriptor={}, version=2))

    with pytest.raises(RevisionConflict):
        await ports.flows.save(ANN, before, replace(before, descriptor={"x": {}}, version=3))

    page = await ports.flows.versions(ANN, "f", 0, 10)
    assert [(each.version, each.descriptor) for each in page.items] == [(2, {}), (1, before.descriptor)]


async def test_what_is_written_is_there_after_a_restart(open_ports: OpenPorts, tmp_path: Path) -> None:
    async with open_ports(tmp_path) as ports:
        await ports.flows.add(ANN, flow(customFields={"n": 2**70}))

    async with open_ports(tmp_path) as ports:
        assert await ports.flows.get(ANN, "f") == flow(customFields={"n": 2**70})


async def test_unfinished_flows_are_those_with_something_under_way(ports: Ports) -> None:
    for flow_id in ("stopped", "starting", "running", "updated", "stopping", "removed"):
        await ports.flows.add(ANN, flow(flow_id))
    starting = model.starting(flow("starting"), "id")
    running = model.activated(model.starting(flow("running"), "id"), NOW)
    updated = replace(model.activated(model.starting(flow("updated"), "id"), NOW), running_version=2, version=2)
    stages = [starting, running, updated, model.stopping(flow("stopping"), "id"), model.removing(flow("removed"), "id")]
    for each in stages:
        await ports.flows.save(ANN, flow(each.flow_id), each)

    unfinished = [each.flow_id for each in await ports.directory.unfinished("", 10)]
    active = [each.flow_id for each in await ports.directory.active("", 10)]

    assert unfinished == ["removed", "starting", "stopping", "updated"]
    assert active == ["running", "starting", "updated"]
    assert [each.flow_id for each in await ports.directory.unfinished("removed", 2)] == ["starting", "stopping"]


async def test_only_a_removed_flow_can_be_erased(ports: Ports) -> None:
    await ports.flows.add(ANN, flow())
    await ports.flows.erase(ANN, "f")
    removed = await ports.flows.save(ANN, flow(), model.removing(flow(), "id"))
    await ports.flows.erase(BOB, "f")

    assert await ports.directory.find("f") == removed
    with pytest.raises(NotFound):
        await ports.flows.get(ANN, "f")
    for _ in range(2):
        await ports.flows.erase(ANN, "f")
    with pytest.raises(NotFound):
        await ports.directory.find("f")


async def test_reads_across_tenants_are_asked_for_by_name(ports: Ports) -> None:
    await ports.flows.add(ANN, flow("one"))
    await ports.flows.add(BOB, flow("two", BOB))

    assert [each.flow_id for each in (await ports.flows.page(EVERY_TENANT, ListQuery())).items] == ["one", "two"]
    assert [each.flow_id for each in (await ports.flows.page(BOB, ListQuery())).items] == ["two"]
    with pytest.raises(NotFound):
        await ports.flows.get(BOB, "one")


NAMES = ["a", "A", "b", "a\x00", "'", "%", ""]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=6),
    field=st.sampled_from(["name", "stage", "flowId", "userId", "customFields.a", "flow.n.type", "missing"]),
    operator=st.sampled_from(["equal", "not_equal", "empty", "less"]),
    value=st.sampled_from([*NAMES, "stopped", "f1", ANN, BOB, "a.b.c.D"]),
)
async def test_a_store_finds_what_the_pure_selection_finds(
    open_ports: OpenPorts, tmp_path: Path, names: list[str], field: str, operator: Operator, value: str
) -> None:
    query = ListQuery((Condition(field, operator, value),))
    async with open_ports(tmp_path / new_id()) as ports:
        plain: list[tuple[str, dict[str, Json]]] = []
        for number, name in enumerate(names):
            each = flow(f"f{number}", customFields={"a": name}) if number % 2 else flow(f"f{number}")
            each = replace(each, record={**each.record, "name": name})
            await ports.flows.add(ANN, each)
            own: dict[str, Json] = {"flowId": each.flow_id, "userId": ANN, "stage": "stopped"}
            plain.append((each.flow_id, {**each.record, "flow": dict(each.descriptor), **own}))

        found = await ports.flows.page(ANN, query)
        expected = Selection(query).page(plain)

        assert tuple(each.flow_id for each in found.items) == expected.items
        assert found.total == expected.total == await ports.flows.count(ANN, query)


async def test_of_users_who_want_one_name_one_gets_it(ports: Ports) -> None:
    same = [replace(user(), user_id=f"{number:0>24}", email="") for number in range(5)]

    results = await asyncio.gather(
        *(ports.people.add(each, "hash", token(each, each.user_id.encode())) for each in same), return_exceptions=True
    )

    assert sum(isinstance(each, AlreadyExists) for each in results) == 4
    assert (await ports.people.page(ListQuery())).total == 1


async def test_of_first_administrators_one_is_made(ports: Ports) -> None:
    made = await asyncio.gather(*(ports.people.add_first(user(name), "hash") for name in ("ann", "bob", "carl")))

    assert sorted(made) == [False, False, True]


async def test_a_token_is_found_with_its_user_until_it_ends(ports: Ports) -> None:
    ann = user()
    await ports.people.add(ann, "hash", token(ann))

    assert await ports.tokens.find(b"t") == (replace(ann, metadata={}), token(ann))
    await ports.people.remove_token(b"t")
    assert await ports.tokens.find(b"t") is None


async def test_a_new_password_ends_all_tokens_but_one(ports: Ports) -> None:
    ann = user()
    await ports.people.add(ann, "old", token(ann, b"1"))
    for content in (b"2", b"3"):
        await ports.people.add_token(token(ann, content), 10)

    await ports.people.set_password(ann.user_id, "new", b"2")
    assert [await ports.tokens.find(content) is not None for content in (b"1", b"2", b"3")] == [False, True, False]
    await ports.people.set_password(ann.user_id, "newer", None)
    assert await ports.tokens.find(b"2") is None
    await ports.people.renew_hash(ann.user_id, "new", "too late")
    assert (await ports.people.credentials(ann.user_id)).password_hash == "newer"


async def test_attempts_at_once_never_pass_the_limit(ports: Ports) -> None:
    keys = [AttemptKey("login", "ann", 5), AttemptKey("address", "here", 100)]
    window = timedelta(minutes=1)

    claims = await asyncio.gather(*(ports.people.claim_attempt(keys, NOW, window) for _ in range(20)))

    assert claims.count(None) == 5
    assert {each for each in claims if each is not None} == {NOW + window}
    assert await ports.people.claim_attempt(keys[1:], NOW, window) is None
    assert await ports.people.claim_attempt(keys, NOW + window, window) is None


async def test_two_administrators_cannot_both_leave(ports: Ports) -> None:
    admins = [user(name, scopes=("admin",)) for name in ("ann", "bob")]
    for each in admins:
        await ports.people.add(each, "hash", token(each, each.user_id.encode()))

    results = await asyncio.gather(
        *(ports.people.update(each.user_id, UserChange(active=False)) for each in admins), return_exceptions=True
    )

    assert sum(isinstance(each, Conflict) for each in results) == 1


async def test_documents_are_replaced_whole(ports: Ports) -> None:
    assert await ports.documents.get("x") is None
    for document in ({"a": 1}, {"b": 2}):
        await ports.documents.put(ANN, "x", document, NOW)
    assert await ports.documents.get("x") == {"b": 2}
    for _ in range(2):
        await ports.documents.delete("x")
    assert await ports.documents.get("x") is None
