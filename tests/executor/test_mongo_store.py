"""What only a store over the network suffers: a server that is away, frozen or late, and deaths between two writes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from headrace_core.clock import SystemClock
from headrace_core.errors import Conflict, Fenced, Unavailable
from headrace_core.expressions import Json
from headrace_executor.model import Commit, RunState, StateChange, StateVerb
from headrace_executor.store import EVERY_ONE
from headrace_executor.stores import mongo_pieces
from headrace_executor.stores.mongo import MongoExecutorStore, latest
from headrace_executor.stores.mongo_accepting import were_there
from headrace_executor.stores.mongo_documents import VERSIONS
from headrace_executor.stores.mongo_doubts import Doubts
from headrace_executor.stores.mongo_outbox import Errands, entry
from headrace_runtime.mongo import Mongo, open_mongo

from tests.contracts.databases import fresh_database
from tests.contracts.execution_stores import ANN, ME, OTHER, commit, new_run, unprocessed
from tests.executor.platform import TENANT, HandedFlows, OwnComponent, platform, set_variables, webhook
from tests.executor.test_fleet import until
from tests.executor.test_keeping import Keeper, own_node
from tests.executor.test_runs import HOOK, event
from tests.servers import Mongo as MongoServer

SCOPE = f"{ANN}/flow/flow/node/n"
T = TypeVar("T")


@pytest.fixture
def database(mongo_url: str) -> Iterator[str]:
    with fresh_database(mongo_url) as name:
        yield name


@pytest.fixture
async def store(mongo_url: str, database: str) -> AsyncIterator[MongoExecutorStore]:
    opened = await MongoExecutorStore.open(mongo_url, database, SystemClock())
    yield opened
    await opened.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MongoServer]:
    """A server that the test may hurt."""
    with MongoServer(tmp_path / "mongo") as running:
        yield running


# Claims.


async def test_claims_of_owners_who_die_at_once_name_each_run_once(mongo_url: str, database: str) -> None:
    """Between two searches of a claim a run is taken by another, who never says that it lives."""
    stores = [await MongoExecutorStore.open(mongo_url, database, SystemClock()) for _ in range(2)]
    claims: list[list[str]] = []

    async def claiming(store: MongoExecutorStore, owner: str) -> None:
        for _ in range(40):
            claims.append([loaded.run.run_id for loaded in await store.claim(owner, 2.0, 50)])
            await store.retire(owner, 2.0)

    try:
        await stores[0].accept([new_run(f"r{number}", owned=False) for number in range(10)], ME, 1.0)
        await asyncio.gather(*(claiming(store, f"owner{at}") for at, store in enumerate(stores)))
    finally:
        for store in stores:
            await store.close()

    assert any(claims)
    assert all(len(claim) == len(set(claim)) for claim in claims)


def test_a_run_that_was_seen_twice_is_claimed_as_it_was_seen_last() -> None:
    ready, dying = {"_id": "r", "epoch": 2, "state": 1}, {"_id": "r", "epoch": 3, "state": 2}

    assert latest([ready, {"_id": "s", "epoch": 1, "state": 1}, dying]) == [
        dying,
        {"_id": "s", "epoch": 1, "state": 1},
    ]


# A server in trouble.


async def test_a_server_that_is_away_is_told_within_two_seconds_and_nothing_is_lost(server: MongoServer) -> None:
    store = await MongoExecutorStore.open(server.url, "executor", SystemClock())
    await store.accept([new_run()], ME, 1.0)
    server.kill()

    for call in (
        lambda: store.accept([new_run("r2")], ME, 2.0),
        lambda: store.commit([commit("r")]),
        lambda: store.get(ANN, "r"),
        lambda: store.claim(ME, 2.0, 10),
        lambda: asyncio.to_thread(store.heartbeat, ME, 100.0),
    ):
        began = time.monotonic()
        with pytest.raises(Unavailable) as refused:
            await call()
        assert time.monotonic() - began < 2.0
        assert refused.value.retry_after is not None

    server.start()
    assert await store.commit([commit("r", {"k": 1})]) == [True]
    accepted = await when_heard_again(lambda: store.accept([new_run(), new_run("r2")], ME, 3.0))
    assert [outcome.is_new for outcome in accepted] == [False, True]
    await store.close()


@pytest.mark.parametrize(
    ("refused", "ours", "known"),
    [
        (set(), set(), set()),
        ({0, 1}, set(), {0, 1}),  # somebody else's, both
        ({0, 1, 2}, {"a"}, {1, 2}),  # the second try of a write that had arrived: one of two equal events is new
        ({2}, {"a"}, {2}),  # the same event twice in one write
        ({1}, {"a"}, {1}),
    ],
)
def test_a_run_that_came_by_a_write_sent_twice_is_new(refused: set[int], ours: set[str], known: set[int]) -> None:
    assert were_there(["a", "b", "a"], refused, ours) == known


async def when_heard_again(call: Callable[[], Awaitable[T]]) -> T:
    """What a caller gets who comes again, as he was told to: that the server is back shows in its next ping."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await call()
            except Unavailable:
                await asyncio.sleep(0.05)


async def test_an_event_that_arrived_after_its_sender_was_refused_runs_all_the_same(server: MongoServer) -> None:
    store = MongoExecutorStore(
        await open_mongo(server.url, "executor", VERSIONS, patience=timedelta(seconds=1)), SystemClock()
    )
    await asyncio.to_thread(store.heartbeat, ME, 1000.0)
    await store.accept([new_run("warm")], ME, 1.0)
    server.pause()
    with pytest.raises(Unavailable):
        await store.accept([new_run()], ME, 2.0)
    server.resume()

    claimed: list[str] = []
    async with asyncio.timeout(20):
        while "r" not in claimed:
            with contextlib.suppress(Unavailable):
                claimed += [each.run.run_id for each in await store.claim(ME, 3.0, 10)]
            if await store.get(ANN, "r") is None:  # it never arrived: then the sender comes again
                await store.accept([new_run(owned=False)], ME, 3.0)

    assert claimed == ["r"]
    await store.close()


async def test_a_claim_that_nobody_heard_of_is_given_free(store: MongoExecutorStore) -> None:
    await asyncio.to_thread(store.heartbeat, ME, 1000.0)
    await store.accept([new_run(owned=False), new_run("mine", owned=False)], ME, 1.0)
    claimed = await store.claim(ME, 2.0, 10)
    doubts = Doubts(store.mongo)
    doubts.add(ME, {each.run.run_id: each.run.epoch for each in claimed})
    doubts.drop(["mine"])

    await doubts.settle(3.0)

    assert [each.run.run_id for each in await store.claim(ME, 4.0, 10)] == ["r"]
    await doubts.settle(5.0)  # at another epoch it is another claim
    assert await store.claim(ME, 6.0, 10) == []


async def test_what_is_given_free_is_not_written_to_by_whoever_had_it(store: MongoExecutorStore) -> None:
    await asyncio.to_thread(store.heartbeat, ME, 1000.0)
    await store.accept([new_run("doubted", owned=False), new_run("retired", owned=False)], ME, 1.0)
    epochs = {each.run.run_id: each.run.epoch for each in await store.claim(ME, 2.0, 10)}
    doubts = Doubts(store.mongo)
    doubts.add(ME, {"doubted": epochs["doubted"]})

    await doubts.settle(3.0)
    await store.retire(ME, 3.0)

    late = [commit(run_id, epoch=epoch) for run_id, epoch in epochs.items()]
    assert await store.commit(late) == [False, False]
    assert {each.run.run_id for each in await store.claim(ME, 4.0, 10)} == {"doubted", "retired"}


async def test_a_frozen_server_is_told_to_whoever_brings_an_event_within_two_seconds(server: MongoServer) -> None:
    store = await MongoExecutorStore.open(server.url, "executor", SystemClock())
    await store.accept([new_run("before")], ME, 1.0)
    server.pause()

    async def refused(name: str) -> None:
        began = time.monotonic()
        with pytest.raises(Unavailable) as told:
            await store.accept([new_run(name)], ME, 2.0)
        assert time.monotonic() - began < 2.0
        assert told.value.retry_after is not None

    await asyncio.gather(refused("first"), refused("second"), refused("third"))
    await refused("later")
    server.resume()

    async with asyncio.timeout(30):
        claimed: set[str] = set()
        while "first" not in claimed:  # it may have arrived; then it runs
            with contextlib.suppress(Unavailable):
                claimed |= {each.run.run_id for each in await store.claim(ME, 3.0, 10)}
                await store.accept([new_run("first", owned=False)], ME, 3.0)
    assert not claimed & {"before"}
    assert await store.get(ANN, "later") is None  # what waited behind it never left
    await store.close()


async def test_what_was_said_to_be_written_is_written_though_the_server_is_killed_at_any_time(
    server: MongoServer,
) -> None:
    store = await MongoExecutorStore.open(server.url, "executor", SystemClock())
    accepted: list[str] = []
    committed: Counter[str] = Counter()
    counted: set[Json] = set()
    stopping = asyncio.Event()

    async def live(name: str) -> None:
        """Accept a run, count in it, commit, and so on; after any trouble begin another one."""
        number = 0
        while not stopping.is_set():
            number += 1
            run_id = f"{name}.{number}"
            try:
                await store.accept([new_run(run_id)], ME, 1.0)
                accepted.append(run_id)
                for seq in range(4):
                    asked = StateVerb(f"{run_id}.{seq}", run_id, 1, SCOPE, "inc", "n", 1)
                    counted.add(await store.apply_now(asked))
                    assert await store.commit([commit(run_id, {"seq": seq}, seq=seq)]) == [True]
                    committed[run_id] += 1
            except Unavailable:
                await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as lives:
        for index in range(8):
            lives.create_task(live(f"r{index}"))
        for _ in range(3):
            said = len(accepted)
            async with asyncio.timeout(60):
                await until(lambda said=said: len(accepted) > said + 15)
            await asyncio.to_thread(server.restart)
        stopping.set()

    assert server.kills == 3
    for run_id in accepted:
        loaded = await store.get(ANN, run_id)
        assert loaded is not None
        assert committed[run_id] <= len(loaded.chunks) == loaded.run.seq <= committed[run_id] + 1
    assert len(counted) >= sum(committed.values())  # each heard a number of its own
    for run_id in {name for name in accepted if (await store.get(ANN, name))}:
        await store.reclaim(ME, run_id, 2.0)
    total = (await store.read_state(SCOPE))["n"]
    made = await store.mongo.database["state_changes"].count_documents({"result": {"$exists": True}})
    assert isinstance(total, int) and total == made >= len(counted)
    await store.close()


async def test_a_server_that_is_missing_at_the_start_is_a_line_and_a_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = MongoServer(tmp_path / "mongo")
    url = server.url.replace("mongodb://", "mongodb://ann:secret@")
    opening = asyncio.create_task(MongoExecutorStore.open(url, "executor", SystemClock()))
    async with asyncio.timeout(10):
        await until(lambda: bool(caplog.records))
    opening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await opening

    line = caplog.records[0].getMessage()
    assert f"MongoDB at 127.0.0.1:{server.port} cannot be reached" in line
    assert "secret" not in line and "\n" not in line and caplog.records[0].exc_info is None


async def test_credentials_that_do_not_hold_are_a_line_and_a_wait(
    server: MongoServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.url.replace("mongodb://", "mongodb://ann:secret@")
    opening = asyncio.create_task(MongoExecutorStore.open(url, "executor", SystemClock()))
    async with asyncio.timeout(10):
        await until(lambda: len(caplog.records) > 1)  # it asked again
    opening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await opening

    assert "refuses the user or password of HEADRACE_MONGO_URL" in caplog.records[0].getMessage()
    for record in caplog.records:
        assert "secret" not in record.getMessage() and record.exc_info is None


async def test_a_server_that_comes_late_is_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = MongoServer(tmp_path / "mongo")
    opening = asyncio.create_task(MongoExecutorStore.open(server.url, "executor", SystemClock()))
    async with asyncio.timeout(10):
        await until(lambda: bool(caplog.records))

    with server:
        store = await asyncio.wait_for(opening, 60)
        assert (await store.accept([new_run()], ME, 1.0))[0].is_new
        await store.close()


@pytest.mark.parametrize("url", ["mongodb://", "http://x", "mongodb://h:port/"])
def test_a_url_that_is_none_is_refused_by_name(url: str) -> None:
    with pytest.raises(Conflict, match="HEADRACE_MONGO_URL"):
        Mongo(url, "executor")


async def test_a_newer_database_is_left_alone(mongo_url: str, database: str) -> None:
    await (await open_mongo(mongo_url, database, [*VERSIONS, {}])).close()

    with pytest.raises(Conflict, match="start the newer release"):
        await open_mongo(mongo_url, database, VERSIONS)


# Two executors.


async def test_a_step_that_was_taken_over_changes_no_state_when_it_wakes_up(
    mongo_url: str, database: str, store: MongoExecutorStore, tmp_path: Path
) -> None:
    flows = HandedFlows()
    flows.put("keep", {HOOK: webhook(immediateResponse=True), "own": own_node()})
    late, next_one = Keeper("late"), Keeper("next")
    next_one.may_go_on.set()
    other = await MongoExecutorStore.open(mongo_url, database, SystemClock())
    async with platform(tmp_path, flows, alone=False, store=store, own=[OwnComponent(lambda: late)]) as first:
        run, _ = await first.send("keep", HOOK, event("ada"))
        await late.began.wait()
        async with platform(tmp_path, flows, store=other, own=[OwnComponent(lambda: next_one)]) as second:
            await second.rest(run)

            late.may_go_on.set()
            async with asyncio.timeout(10):
                await until(lambda: first.counters.fenced == 1)

            assert await other.read_state(f"{TENANT}/flow/keep/node/own") == {"by": "next", "count": 1}


async def test_the_chaos_tests_can_take_the_fence_away(
    mongo_url: str, database: str, store: MongoExecutorStore
) -> None:
    mutant = await MongoExecutorStore.open(mongo_url, database, SystemClock(), fenced=False)
    await store.accept([new_run()], ME, 1.0)
    await store.claim(OTHER, 2.0, 10)
    late = StateVerb("c", "r", 1, SCOPE, "inc", "n", 1)

    assert await store.commit([commit("r", {"k": 1})]) == [False]
    with pytest.raises(Fenced):
        await store.apply_now(late)
    assert await mutant.commit([commit("r", {"k": 1})]) == [True]
    assert await mutant.apply_now(late) == 1
    await mutant.close()


# Deaths between the commit and what it does elsewhere.


async def leave_undone(store: MongoExecutorStore, order: Commit) -> None:
    """A commit whose executor dies right after it: what it does elsewhere is on record, and not done."""
    bare = replace(order, unprocessed=(), changes=(), cancelled_timeouts=())
    assert await store.commit([bare]) == [True]
    await owe(store, Errands.of_commit(order, []))


async def owe(store: MongoExecutorStore, errands: Errands | None) -> None:
    """Leave errands in the outbox of their run, as the write that put them there does."""
    assert errands is not None
    owed = entry(errands, mongo_pieces.pack(errands.run_id, errands.encoded()))
    await store.mongo.database["runs"].update_one({"_id": errands.run_id}, {"$push": {"outbox": owed}})


def undone(**changes: Any) -> Commit:
    return commit(
        "r",
        {"k": 1},
        unprocessed=(unprocessed(),),
        changes=(StateChange(SCOPE, "set", "k", b"1"), StateChange(SCOPE, "set", "other", b"1")),
        cancelled_timeouts=("other.t",),
        **changes,
    )


async def is_done(store: MongoExecutorStore) -> bool:
    other, run = await store.get(ANN, "other"), await store.mongo.database["runs"].find_one({"_id": "r"})
    assert other is not None and run is not None
    return (
        await store.read_state(SCOPE) == {"k": 1, "other": 1}
        and await store.get_unprocessed(ANN, "m") == unprocessed()
        and [each.delivery_id for each in other.inbox] == ["other.t"]
        and run["outbox"] == []
    )


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.WAITING])
async def test_who_takes_a_run_over_does_what_was_left_undone(store: MongoExecutorStore, state: RunState) -> None:
    await store.accept([new_run()], "dead", 1.0)
    await asyncio.to_thread(store.heartbeat, ME, 1000.0)
    await store.accept([new_run("other")], ME, 1.0)
    await leave_undone(store, undone(state=state, due=11.0))

    [taken] = await store.claim(ME, 20.0, 10)

    assert taken.run.run_id == "r"
    assert await is_done(store)


async def test_what_an_ended_run_left_undone_is_done_by_anybody(store: MongoExecutorStore) -> None:
    await store.accept([new_run(), new_run("other")], ME, 1.0)
    await asyncio.to_thread(store.heartbeat, ME, 1000.0)
    await leave_undone(store, undone(state=RunState.FAILED))

    await store.claim(OTHER, 100.0, 10)

    assert await is_done(store)


async def test_what_a_commit_left_undone_is_done_before_the_next_one(store: MongoExecutorStore) -> None:
    await store.accept([new_run(), new_run("other")], ME, 1.0)
    await leave_undone(store, undone())

    assert await store.commit([commit("r", seq=1, changes=(StateChange(SCOPE, "set", "k", b"2"),))]) == [True]

    assert await store.read_state(SCOPE) == {"k": 2, "other": 1}
    assert await store.get_unprocessed(ANN, "m") == unprocessed()


async def test_what_somebody_late_does_again_undoes_nothing_that_came_since(store: MongoExecutorStore) -> None:
    await store.accept([new_run(), new_run("other")], "dead", 1.0)
    await store.commit([undone()])
    await store.write_state([StateChange(SCOPE, "set", "k", b"2"), StateChange(SCOPE, "unset", "other")])
    await store.delete_unprocessed(ANN, ["m"])
    await owe(store, Errands.of_commit(undone(), []))

    await store.claim(ME, 20.0, 10)

    assert await store.read_state(SCOPE) == {"k": 2}
    assert await store.list_unprocessed(ANN, "", "", 0, 10) == ([], 0)


async def test_a_verb_that_was_left_undone_is_done_by_who_takes_the_run_over(store: MongoExecutorStore) -> None:
    """The step that asked is repeated then: it hears what came of it."""
    await store.accept([new_run()], "dead", 1.0)
    asked = StateVerb("c", "r", 1, SCOPE, "inc", "n", 2, (StateChange(SCOPE, "set", "by", b'"dead"'),))
    await owe(store, Errands.of_verb(asked, [], 1.0))

    [taken] = await store.claim(ME, 20.0, 10)

    assert await store.read_state(SCOPE) == {"n": 2, "by": "dead"}
    assert await store.apply_now(replace(asked, epoch=taken.run.epoch)) == 2
    assert await store.read_state(SCOPE) == {"n": 2, "by": "dead"}


async def test_a_verb_that_nobody_could_fit_holds_nobody_up(store: MongoExecutorStore) -> None:
    await store.accept([new_run()], "dead", 1.0)
    await store.write_state([StateChange(SCOPE, "set", "n", b'"text"')])
    asked = StateVerb("c", "r", 1, SCOPE, "inc", "n", 2, (StateChange(SCOPE, "set", "by", b'"dead"'),))
    await owe(store, Errands.of_verb(asked, [], 1.0))

    [taken] = await store.claim(ME, 20.0, 10)

    assert await store.read_state(SCOPE) == {"n": "text"}
    assert await store.commit([commit(taken.run, {"k": 1})]) == [True]


async def test_a_key_that_was_removed_long_ago_is_forgotten(store: MongoExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    keys = store.mongo.database["state"]
    for index, change in enumerate(("set", "unset")):
        assert await store.commit([commit("r", seq=index, changes=(StateChange(SCOPE, change, "k", b"1"),))]) == [True]
    assert await keys.count_documents({}) == 1
    await keys.update_many({}, {"$set": {"gone": 1.0}})

    await store.purge(0.0, 10)

    assert await keys.count_documents({}) == 0


async def test_logs_of_the_dead_are_shipped_by_the_living(
    mongo_url: str, database: str, store: MongoExecutorStore
) -> None:
    dead = await MongoExecutorStore.open(mongo_url, database, SystemClock())
    await asyncio.to_thread(dead.heartbeat, "dead", 1.0)
    await dead.accept([new_run(), new_run("over")], "dead", 1.0)
    await dead.commit([commit("r", {"n": 1}), commit("over", {"n": 2}, state=RunState.DONE)])
    await dead.close()

    assert {entry.run_id for entry in await store.unshipped(100)} == {"r", "over"}


async def test_logs_of_the_living_are_theirs_to_ship(mongo_url: str, database: str, store: MongoExecutorStore) -> None:
    other = await MongoExecutorStore.open(mongo_url, database, SystemClock())
    await asyncio.to_thread(other.heartbeat, OTHER, SystemClock().now().timestamp() + 60)
    await other.accept([new_run()], OTHER, 1.0)
    await other.commit([commit("r", {"n": 1})])

    assert await store.unshipped(100) == []
    assert len(await other.unshipped(100)) == 1
    await other.close()


async def test_a_removal_that_was_cut_off_is_finished(store: MongoExecutorStore) -> None:
    await store.accept([new_run(content=b"x" * 100_000)], ME, 1.0)
    await store.commit([commit("r", {"k": 1}, state=RunState.DONE)])
    database = store.mongo.database
    await database["graves"].insert_one({"_id": "g", "runs": ["r"]})
    await database["runs"].delete_one({"_id": "r"})

    await store.purge(0.0, 10)

    assert await database["pieces"].count_documents({}) == 0
    assert await database["graves"].count_documents({}) == 0


# What it costs.


def ten_steps() -> dict[str, Any]:
    flow: dict[str, Any] = {"hook": webhook()}
    above = ("hook", "request")
    for index in range(9):
        flow[f"s{index}"] = set_variables({above[0]: above[1]}, n=str(index))
        above = (f"s{index}", "out")
    return flow


@pytest.mark.parametrize(("at_once", "most_writes"), [(1, 4), (50, 16)])
async def test_a_run_of_ten_steps_takes_four_round_trips_and_fifty_at_once_hardly_more(
    store: MongoExecutorStore, tmp_path: Path, at_once: int, most_writes: int
) -> None:
    flows = HandedFlows()
    flows.put("flow", ten_steps())
    async with platform(tmp_path, flows, store=store, workers=64, alone=False) as made:
        await made.rest((await made.send("flow", "hook", event("warm")))[0])
        async with asyncio.timeout(10):
            await until(lambda: made.counters.shipped > 0)
        before = store.mongo.sent

        sent = await asyncio.gather(*(made.send("flow", "hook", event(f"e{index}")) for index in range(at_once)))
        async with asyncio.timeout(30):
            await until(lambda: made.counters.settled > at_once)
        counted = since(before, store)

        runs = [await made.rest(run_id) for run_id, _ in sent]
    assert all(len(each.steps) == 10 for each in runs)
    writes = sum(counted.get(name, 0) for name in ("insert", "update", "delete"))
    assert writes <= most_writes, counted


async def test_an_idle_executor_asks_five_times_a_second_and_writes_nothing(
    store: MongoExecutorStore, tmp_path: Path
) -> None:
    async with platform(tmp_path, HandedFlows(), store=store, alone=False):
        async with asyncio.timeout(30):
            await until(lambda: store.mongo.sent["find"] >= 10)  # it has looked around
            began, before = time.monotonic(), store.mongo.sent
            await until(lambda: since(before, store)["find"] >= 15)
        seconds, counted = time.monotonic() - began, since(before, store)

    assert counted.keys() == {"find"}
    assert counted["find"] / seconds <= 6


def since(before: Mapping[str, int], store: MongoExecutorStore) -> Counter[str]:
    """The commands sent since then."""
    return Counter(store.mongo.sent) - Counter(before)


# Messages that are given back.


async def test_what_fails_again_while_all_are_given_back_is_neither_lost_nor_doubled(
    mongo_url: str, database: str
) -> None:
    """Two executors over runs whose steps fail up to three times more, two operators who retry all there is."""
    names = [f"r{number:02}" for number in range(40)]
    fails = {name: number % 4 for number, name in enumerate(names)}
    asides, attempts, given_back, idle = Counter(names), Counter[str](), 0, 0
    stores = [await MongoExecutorStore.open(mongo_url, database, SystemClock()) for _ in range(2)]
    for owner in (ME, OTHER):
        await asyncio.to_thread(stores[0].heartbeat, owner, time.time() + 600)
    await stores[0].accept([new_run(name) for name in names], ME, 1.0)
    dead = {name: unprocessed(f"m-{name}", run_id=name) for name in names}
    await stores[0].commit([commit(name, state=RunState.FAILED, unprocessed=(dead[name],)) for name in names])

    def is_over() -> bool:
        return all(attempts[name] == fails[name] + 1 for name in names)

    async def retry_all(store: MongoExecutorStore) -> None:
        nonlocal given_back
        while not is_over():
            ids, _ = await store.unprocessed_ids(None, "", EVERY_ONE, 25)
            retried = await store.retry_unprocessed(None, ids, time.time())
            given_back += retried

    async def execute(store: MongoExecutorStore, owner: str) -> None:
        nonlocal idle
        while not is_over():
            for loaded in await store.claim(owner, time.time(), 10):
                name, now = loaded.run.run_id, time.time()
                handled = tuple(each.number for each in loaded.inbox)
                idle += attempts[name] == asides[name]
                attempts[name] += attempts[name] < asides[name]
                again = attempts[name] <= fails[name]
                asides[name] += again
                state, kept = (RunState.FAILED, (dead[name],)) if again else (RunState.DONE, ())
                made = commit(loaded.run, now=now, state=state, unprocessed=kept, handled_inbox=handled)
                assert await store.commit([made]) == [True]

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for store, owner in zip(stores, (ME, OTHER), strict=True):
            tasks.create_task(retry_all(store))
            tasks.create_task(execute(store, owner))

    left, total = await stores[0].list_unprocessed(None, "", "", 0, 100)
    for store in stores:
        await store.close()

    assert (left, total, idle) == ([], 0, 0)
    assert attempts == asides and given_back == sum(attempts.values()) == sum(fails.values()) + len(names)
