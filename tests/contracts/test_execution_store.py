"""What every ExecutorStore promises of runs: accepted once, committed behind a fence, never lost or overlooked."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from headrace_executor.model import Commit, Inbound, RunState, StateChange
from headrace_executor.store import Accepted, ExecutorStore, Narrowing, RunFilter

from tests.contracts.execution_stores import ADAPTERS, ANN, BOB, ME, OTHER, adapter, commit, new_run, unprocessed

PAGE = 128 * 1024


@pytest.fixture(params=ADAPTERS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ExecutorStore]:
    async with adapter(request)(tmp_path) as opened:
        yield opened


async def state_of(store: ExecutorStore, run_id: str = "r") -> RunState:
    loaded = await store.get(ANN, run_id)
    assert loaded is not None
    return loaded.run.state


async def inbox_of(store: ExecutorStore, run_id: str = "r") -> list[Inbound]:
    loaded = await store.get(ANN, run_id)
    assert loaded is not None
    return loaded.inbox


async def write(store: ExecutorStore, *commits: Commit) -> None:
    assert await store.commit(commits) == [True] * len(commits)


# Accepting.


async def test_an_accepted_run_is_on_record_as_it_was_given(store: ExecutorStore) -> None:
    await store.accept([new_run(caller="c", correlation_id="k"), new_run("later", owned=False)], ME, 5.0)

    mine, free = await store.get(ANN, "r"), await store.get(ANN, "later")

    assert mine is not None and free is not None
    run = mine.run
    assert (run.state, run.owner, run.epoch, run.seq, run.pending) == (RunState.RUNNING, ME, 1, 0, 1)
    assert (run.flow_id, run.trigger_id, run.event_id, run.caller, run.correlation_id) == (
        *("flow", "trigger", "event-r", "c"),
        "k",
    )
    assert (run.content, run.created, run.due) == (b'{"n": 1}', 5.0, None)
    assert (free.run.state, free.run.owner, free.chunks, free.inbox) == (RunState.READY, "", [], [])


async def test_the_same_event_twice_is_one_run(store: ExecutorStore) -> None:
    first = await store.accept([new_run(), new_run("r2"), new_run()], ME, 1.0)

    second = await store.accept([new_run(content=b"other"), new_run("r3")], OTHER, 2.0)

    assert [outcome.is_new for outcome in first] == [True, True, False]
    assert second == [Accepted("r", False), Accepted("r3", True)]
    kept = await store.get(ANN, "r")
    assert kept is not None and (kept.run.content, kept.run.owner) == (b'{"n": 1}', ME)


async def test_of_many_who_accept_one_event_at_once_one_is_first(store: ExecutorStore) -> None:
    calls = [store.accept([new_run(), new_run(f"r{index}")], f"owner{index}", 1.0) for index in range(6)]

    outcomes = await asyncio.gather(*calls)

    assert sum(first.is_new for first, _ in outcomes) == 1
    assert all(second.is_new for _, second in outcomes)


async def test_nothing_to_accept_is_nothing(store: ExecutorStore) -> None:
    assert await store.accept([], ME, 1.0) == []
    assert await store.commit([]) == []


async def test_a_run_is_seen_by_its_tenant_only(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)

    assert await store.get(BOB, "r") is None
    assert await store.get(None, "r") is not None
    assert await store.commit([commit("r", tenant_id=BOB)]) == [False]
    assert not await store.put_inbox(BOB, "r", Inbound(0, "cancel", "r", b""), 2.0)


# Moving to another version.


async def test_a_waiting_run_moves_to_another_version_behind_its_fence(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    running = await store.get(ANN, "r")
    assert running is not None and not await store.move(running.run, 2, 2.0)
    await write(store, commit("r", {"k": "one"}, state=RunState.WAITING, due=50.0))
    waiting = await store.get(ANN, "r")
    assert waiting is not None

    moves = await asyncio.gather(*(store.move(waiting.run, version, 3.0) for version in (2, 3, 4)))

    moved = await store.get(ANN, "r")
    assert moved is not None and sorted(moves) == [False, False, True]
    assert moved.run.version == 2 + moves.index(True) and moved.run.epoch == waiting.run.epoch + 1
    assert (moved.run.state, moved.run.due, moved.run.seq) == (RunState.WAITING, 50.0, 1)
    assert moved.chunks == waiting.chunks
    assert await store.commit([commit("r", seq=1, epoch=waiting.run.epoch)]) == [False]
    [claimed] = await store.claim(OTHER, 60.0, 10)
    assert (claimed.run.version, claimed.run.epoch) == (moved.run.version, moved.run.epoch + 1)
    assert not await store.move(moved.run, 9, 61.0)


# Committing.


async def test_commits_add_to_the_journal_in_their_order(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)

    await write(store, commit("r", {"k": "one"}, steps=1))
    await write(store, commit("r", None, seq=1, steps=2))
    await write(
        store, commit("r", {"k": "two"}, seq=2, steps=3, pending=4, failed=2, error="why", suspect="s", now=12.0)
    )

    loaded = await store.get(ANN, "r")
    assert loaded is not None
    assert [orjson.loads(chunk) for chunk in loaded.chunks] == [[{"k": "one"}], [{"k": "two"}]]
    run = loaded.run
    assert (run.seq, run.steps, run.pending, run.failed, run.error) == (3, 3, 4, 2, "why")
    assert (run.suspect, run.updated) == ("s", 12.0)


@pytest.mark.parametrize("wrong", [{"epoch": 2}, {"epoch": 0}, {"seq": 0}, {"seq": 2}, {"run_id": "nobody"}])
async def test_a_commit_behind_the_wrong_fence_changes_nothing(store: ExecutorStore, wrong: dict[str, int]) -> None:
    await store.accept([new_run()], ME, 1.0)
    await write(store, commit("r", {"k": "mine"}))
    change = StateChange(f"{ANN}/x", "set", "k", b"1")

    refused = commit("r", {"k": "late"}, unprocessed=(unprocessed(),), changes=(change,))
    answers = await store.commit([Commit(**{**fields_of(refused), "seq": 1, **wrong})])

    assert answers == [False]
    loaded = await store.get(ANN, "r")
    assert loaded is not None and [orjson.loads(chunk) for chunk in loaded.chunks] == [[{"k": "mine"}]]
    assert await store.read_state(f"{ANN}/x") == {}
    assert (await store.list_unprocessed(ANN, "", "", 0, 10))[1] == 0


def fields_of(given: Commit) -> dict[str, object]:
    return {name: getattr(given, name) for name in given.__dataclass_fields__}


async def test_a_refused_commit_takes_no_other_with_it(store: ExecutorStore) -> None:
    runs = [new_run(f"r{index}") for index in range(12)]
    await store.accept(runs, ME, 1.0)
    commits = [
        commit(run.run_id, {"k": run.run_id}, epoch=2 if index % 3 == 0 else 1) for index, run in enumerate(runs)
    ]

    answers = await asyncio.gather(*(store.commit([each]) for each in commits))

    assert [answer for [answer] in answers] == [index % 3 != 0 for index in range(12)]
    for index, run in enumerate(runs):
        loaded = await store.get(ANN, run.run_id)
        assert loaded is not None and len(loaded.chunks) == (0 if index % 3 == 0 else 1)


async def test_commits_of_one_run_that_leave_together_arrive_in_order(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)

    answers = await asyncio.gather(*(store.commit([commit("r", {"n": seq}, seq=seq)]) for seq in range(8)))

    assert answers == [[True]] * 8
    loaded = await store.get(ANN, "r")
    assert loaded is not None and [orjson.loads(chunk)[0]["n"] for chunk in loaded.chunks] == list(range(8))


async def test_a_run_that_is_over_takes_no_commit(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    await write(store, commit("r", state=RunState.DONE, pending=0))

    assert await store.commit([commit("r", seq=1)]) == [False]
    assert await state_of(store) is RunState.DONE


async def test_large_events_and_outputs_come_back_whole(store: ExecutorStore) -> None:
    event = bytes(range(256)) * 20 * 1024  # 5 MB
    output = "x" * (9 * 1024 * 1024)

    await store.accept([new_run(content=event)], ME, 1.0)
    await write(store, commit("r", {"o": output}), commit("r", {"o": "small"}, seq=1))

    loaded = await store.get(ANN, "r")
    assert loaded is not None and loaded.run.content == event
    assert [orjson.loads(chunk)[0]["o"] for chunk in loaded.chunks] == [output, "small"]


async def test_a_long_journal_comes_back_whole_and_in_order(store: ExecutorStore) -> None:
    await store.accept([new_run(), new_run("short")], ME, 1.0)
    text = "x" * 20_000

    for seq in range(24):  # several times what fits into one document's share
        await write(store, commit("r", {"n": seq, "text": text}, seq=seq))

    loaded = await store.get(ANN, "r")
    assert loaded is not None
    assert [orjson.loads(chunk)[0]["n"] for chunk in loaded.chunks] == list(range(24))
    assert sum(map(len, loaded.chunks)) > 2 * PAGE
    await store.retire(ME, 20.0)
    [claimed] = [each for each in await store.claim(OTHER, 21.0, 10) if each.run.run_id == "r"]
    assert claimed.chunks == loaded.chunks
    assert [entry.run_id for entry in await store.unshipped(1000)].count("r") >= 24


# Who owns a run.


async def test_what_is_ready_due_or_left_by_the_dead_is_claimed(store: ExecutorStore) -> None:
    await asyncio.to_thread(store.heartbeat, "living", 200.0)
    await asyncio.to_thread(store.heartbeat, "dead", 50.0)
    await store.accept([new_run("ready", owned=False)], ME, 1.0)
    await store.accept([new_run("held")], "living", 1.0)
    await store.accept([new_run("left")], "dead", 1.0)
    await store.accept([new_run("of-nobody")], "unknown", 1.0)
    await store.accept([new_run("due"), new_run("waits"), new_run("asks"), new_run("over")], "living", 1.0)
    await write(
        store,
        commit("due", state=RunState.WAITING, due=90.0),
        commit("waits", state=RunState.WAITING, due=110.0),
        commit("asks", state=RunState.WAITING),
        commit("over", state=RunState.DONE),
    )

    claimed = await store.claim(ME, 100.0, 10)

    assert {each.run.run_id for each in claimed} == {"ready", "due", "left", "of-nobody"}
    assert {(each.run.owner, each.run.epoch, each.run.state) for each in claimed} == {(ME, 2, RunState.RUNNING)}
    assert {each.run.run_id for each in claimed if each.run.deaths} == {"left", "of-nobody"}
    assert await store.claim(ME, 100.0, 10) == []


async def test_the_limit_of_a_claim_holds(store: ExecutorStore) -> None:
    await store.accept([new_run(f"r{index}", owned=False) for index in range(5)], ME, 1.0)

    first, second = await store.claim(ME, 2.0, 3), await store.claim(ME, 2.0, 3)

    assert (len(first), len(second)) == (3, 2)
    assert len({each.run.run_id for each in first + second}) == 5


async def test_a_claim_leaves_out_tenants_who_have_enough(store: ExecutorStore) -> None:
    mine = [new_run(f"a{number}", owned=False) for number in range(5)]
    theirs = [new_run(f"b{number}", tenant_id=BOB, owned=False) for number in range(2)]
    await store.accept([*mine, *theirs], ME, 1.0)
    await store.accept([new_run("left"), new_run("left-too", tenant_id=BOB)], OTHER, 1.0)
    await store.retire(OTHER, 2.0)

    first = await store.claim(ME, 3.0, 10, [ANN, "nobody"])
    none = await store.claim(ME, 3.0, 10, [ANN, BOB])
    rest = await store.claim(ME, 3.0, 10)

    assert sorted(each.run.run_id for each in first) == ["b0", "b1", "left-too"]
    assert none == []
    assert sorted(each.run.run_id for each in rest) == ["a0", "a1", "a2", "a3", "a4", "left"]


async def test_two_who_claim_at_once_share_no_run(store: ExecutorStore) -> None:
    await store.accept([new_run(f"r{index}", owned=False) for index in range(20)], ME, 1.0)
    owners = [f"owner{index}" for index in range(4)]
    for owner in owners:
        await asyncio.to_thread(store.heartbeat, owner, 100.0)

    claims = await asyncio.gather(*(store.claim(owner, 2.0, 20) for owner in owners))

    taken = [each.run.run_id for claim in claims for each in claim]
    assert len(taken) == len(set(taken))
    rest = await store.claim("owner0", 2.0, 20)
    assert len(taken) + len(rest) == 20


async def test_a_late_twin_commits_nothing(store: ExecutorStore) -> None:
    await store.accept([new_run()], "slow", 1.0)
    [taken] = await store.claim(ME, 2.0, 10)

    late, mine = commit("r", {"k": "late"}), commit(taken.run, {"k": "mine"})

    assert await store.commit([late, mine]) == [False, True]
    loaded = await store.get(ANN, "r")
    assert loaded is not None and [orjson.loads(chunk) for chunk in loaded.chunks] == [[{"k": "mine"}]]


async def test_deaths_count_until_a_commit_names_no_suspect(store: ExecutorStore) -> None:
    await store.accept([new_run()], "dead1", 1.0)
    [taken] = await store.claim("dead2", 2.0, 10)
    await write(store, commit(taken.run, suspect="step"))
    [taken] = await store.claim("dead3", 3.0, 10)
    assert (taken.run.deaths, taken.run.suspect) == (2, "step")

    await write(store, commit(taken.run))

    loaded = await store.get(ANN, "r")
    assert loaded is not None and loaded.run.deaths == 0


async def test_reclaiming_voids_what_was_under_way(store: ExecutorStore) -> None:
    await store.accept([new_run(), new_run("over")], ME, 1.0)
    await write(store, commit("r", {"k": 1}), commit("over", state=RunState.DONE))

    again = await store.reclaim(ME, "r", 2.0)

    assert again is not None and (again.run.epoch, len(again.chunks)) == (2, 1)
    assert await store.commit([commit("r", seq=1)]) == [False]
    assert await store.reclaim(OTHER, "r", 2.0) is None
    assert await store.reclaim(ME, "over", 2.0) is None
    assert await store.reclaim(ME, "nobody", 2.0) is None


async def test_who_leaves_gives_everything_back(store: ExecutorStore) -> None:
    await asyncio.to_thread(store.heartbeat, ME, 100.0)
    await store.accept([new_run(), new_run("waits")], ME, 1.0)
    await write(store, commit("waits", state=RunState.WAITING, due=50.0))

    await store.retire(ME, 2.0)

    [claimed] = await store.claim(OTHER, 3.0, 10)
    assert (claimed.run.run_id, claimed.run.deaths) == ("r", 0)


async def test_who_is_alone_declares_the_others_dead(store: ExecutorStore) -> None:
    await asyncio.to_thread(store.heartbeat, ME, 100.0)
    await asyncio.to_thread(store.heartbeat, OTHER, 100.0)
    await store.accept([new_run()], OTHER, 1.0)

    assert await store.retire_others(ME, 2.0) == 1

    assert [each.run.run_id for each in await store.claim(ME, 2.0, 10)] == ["r"]


async def test_a_lease_is_renewed(store: ExecutorStore) -> None:
    await store.accept([new_run()], OTHER, 1.0)
    for until in (10.0, 100.0):
        await asyncio.to_thread(store.heartbeat, OTHER, until)

    assert await store.claim(ME, 50.0, 10) == []
    assert len(await store.claim(ME, 101.0, 10)) == 1


async def test_it_is_known_since_when_a_run_is_ready_and_not_taken(store: ExecutorStore) -> None:
    assert await store.ready_since() is None

    await store.accept([new_run("later", owned=False)], ME, 30.0)
    await store.accept([new_run("first", owned=False)], ME, 20.0)
    await store.accept([new_run("mine", owned=True)], ME, 10.0)
    assert await store.ready_since() == 20.0

    await store.claim(ME, 40.0, 10)
    assert await store.ready_since() is None


async def test_the_next_due_run_is_known(store: ExecutorStore) -> None:
    await store.accept([new_run("a"), new_run("b"), new_run("c")], ME, 1.0)
    assert await store.next_due() is None

    await write(
        store,
        commit("a", state=RunState.WAITING, due=30.0),
        commit("b", state=RunState.WAITING, due=20.0),
        commit("c", state=RunState.WAITING),
    )

    assert await store.next_due() == 20.0


async def test_a_tick_on_its_way_is_known(store: ExecutorStore) -> None:
    await store.accept([new_run(port="tick"), new_run("w")], ME, 1.0)

    assert await store.is_ticking("flow", "trigger")
    assert not await store.is_ticking("flow", "other")
    await write(store, commit("r", state=RunState.DONE))
    assert not await store.is_ticking("flow", "trigger")


async def test_suspended_runs_wait_for_their_flow(store: ExecutorStore) -> None:
    await store.accept([new_run("a"), new_run("b"), new_run("c", flow_id="g")], ME, 1.0)
    await write(
        store,
        commit("a", state=RunState.WAITING, suspended=True),
        commit("b", state=RunState.WAITING),
        commit("c", state=RunState.WAITING, suspended=True),
    )

    assert await store.resume_flow("flow", 20.0) == 1

    assert [each.run.run_id for each in await store.claim(ME, 20.0, 10)] == ["a"]


# What others leave.


async def test_an_answer_wakes_a_waiting_run(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    await write(store, commit("r", state=RunState.WAITING))

    assert await store.put_inbox(ANN, "r", Inbound(0, "answer", "d", b'"yes"'), 20.0)

    [claimed] = await store.claim(ME, 20.0, 10)
    [left] = claimed.inbox
    assert (left.kind, left.delivery_id, left.content) == ("answer", "d", b'"yes"')


async def test_the_same_is_left_once(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)

    for kind in ("answer", "answer", "retry", "retry"):
        assert await store.put_inbox(ANN, "r", Inbound(0, kind, "d", b"1"), 2.0)  # type: ignore[arg-type]  # as given
    await store.put_inbox(ANN, "r", Inbound(0, "answer", "e", b"2"), 2.0)

    left = await inbox_of(store)
    assert [(each.kind, each.delivery_id) for each in left] == [("answer", "d"), ("retry", "d"), ("answer", "e")]
    assert len({each.number for each in left}) == 3


async def test_nothing_is_left_for_a_run_that_is_not_there(store: ExecutorStore) -> None:
    assert not await store.put_inbox(ANN, "nobody", Inbound(0, "retry", "d", b""), 2.0)


async def test_what_was_handled_goes_with_the_commit(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    for name in ("d", "e"):
        await store.put_inbox(ANN, "r", Inbound(0, "answer", name, b"1"), 2.0)
    first, second = await inbox_of(store)

    await write(store, commit("r", handled_inbox=(first.number,)))

    assert await inbox_of(store) == [second]


@pytest.mark.parametrize("settled", [RunState.WAITING, RunState.DONE, RunState.FAILED])
@pytest.mark.parametrize("kind", ["answer", "retry", "cancel"])
async def test_what_came_while_the_run_went_on_is_not_overlooked(
    store: ExecutorStore, settled: RunState, kind: str
) -> None:
    await store.accept([new_run()], ME, 1.0)
    await store.put_inbox(ANN, "r", Inbound(0, "answer", "handled", b"1"), 2.0)
    [handled] = await inbox_of(store)
    await store.put_inbox(ANN, "r", Inbound(0, kind, "d", b"1"), 3.0)  # type: ignore[arg-type]  # one of its kinds

    await write(store, commit("r", {"k": 1}, state=settled, due=90.0, handled_inbox=(handled.number,), now=10.0))

    goes_on = settled is RunState.WAITING or kind == "retry"
    assert await state_of(store) is (RunState.WAITING if goes_on else settled)
    claimed = await store.claim(ME, 10.0, 10)
    assert [[each.delivery_id for each in one.inbox] for one in claimed] == ([["d"]] if goes_on else [])


async def test_a_retry_brings_an_ended_run_back_and_an_answer_does_not(store: ExecutorStore) -> None:
    await store.accept([new_run("a"), new_run("b")], ME, 1.0)
    await write(store, commit("a", state=RunState.FAILED), commit("b", state=RunState.FAILED))

    assert await store.put_inbox(ANN, "a", Inbound(0, "retry", "d", b""), 20.0)
    assert await store.put_inbox(ANN, "b", Inbound(0, "answer", "d", b"1"), 20.0)

    assert await state_of(store, "a") is RunState.WAITING
    assert await state_of(store, "b") is RunState.FAILED
    assert [each.run.run_id for each in await store.claim(ME, 20.0, 10)] == ["a"]


async def test_a_cancelled_timeout_is_told_to_its_run_within_the_tenant(store: ExecutorStore) -> None:
    await store.accept([new_run(), new_run("mine"), new_run("hers", tenant_id=BOB)], ME, 1.0)
    await write(store, commit("mine", state=RunState.WAITING, due=90.0))

    await write(store, commit("r", cancelled_timeouts=("mine.t", "hers.t", "nobody.t")))

    assert [(each.kind, each.delivery_id) for each in await inbox_of(store, "mine")] == [("cancel", "mine.t")]
    hers = await store.get(BOB, "hers")
    assert hers is not None and hers.inbox == []
    assert [each.run.run_id for each in await store.claim(ME, 10.0, 10)] == ["mine"]


# Unprocessed messages.


async def test_given_up_messages_are_listed_within_their_tenant_newest_first(store: ExecutorStore) -> None:
    await store.accept([new_run(), new_run("hers", tenant_id=BOB)], ME, 1.0)
    big = b"[" + b"1," * 100_000 + b"1]"
    old, new = unprocessed("old", created=5.0), unprocessed("new", flow_id="g", messages=big, created=6.0)
    hers = unprocessed("hers", tenant_id=BOB, run_id="hers", created=7.0)

    await write(store, commit("r", unprocessed=(old, new)), commit("hers", tenant_id=BOB, unprocessed=(hers,)))

    assert await store.list_unprocessed(ANN, "", "", 0, 10) == ([new, old], 2)
    assert await store.list_unprocessed(ANN, "", "", 1, 10) == ([old], 2)
    assert await store.list_unprocessed(ANN, "g", "", 0, 10) == ([new], 1)
    assert await store.list_unprocessed(ANN, "", "no such", 0, 10) == ([], 0)
    assert (await store.list_unprocessed(None, "", "", 0, 10))[1] == 3
    assert await store.get_unprocessed(ANN, "new") == new
    assert await store.get_unprocessed(BOB, "new") is None


async def test_given_up_messages_are_narrowed_by_node_cause_and_time(store: ExecutorStore) -> None:
    await store.accept([new_run("r"), new_run("hers", tenant_id=BOB)], ME, 1.0)
    old = unprocessed("old", node_id="a", error=b'{"code":"in_doubt","message":"Nobody knows"}', created=5.0)
    new = unprocessed("new", node_id="b", error=b'{"code":"x","message":"Took 100% [too] long"}', created=6.0)
    hers = unprocessed("hers", tenant_id=BOB, run_id="hers", error=b'{"message":"NOBODY KNOWS"}', created=7.0)
    await write(store, commit("r", unprocessed=(old, new)), commit("hers", tenant_id=BOB, unprocessed=(hers,)))

    async def found(**narrowing: Any) -> list[str]:
        ids, total = await store.unprocessed_ids(None, "", Narrowing(**narrowing), 10)
        listed, counted = await store.list_unprocessed(None, "", "", 0, 10, Narrowing(**narrowing))
        assert total == counted and [each.message_id for each in listed] == ids[::-1]
        return ids

    assert await found() == ["old", "new", "hers"]
    assert await found(node_id="a") == ["old"]
    assert await found(cause="nobody KNOWS") == ["old", "hers"]
    assert await found(cause="100% [too]") == ["new"] and await found(cause="100.") == []
    assert await found(after=5.0, before=7.0) == ["new"]
    assert await found(without='"Code":"IN_doubt"') == ["new", "hers"]
    assert await found(cause="nobody", without="in_doubt") == ["hers"]
    assert await found(names=("new", "hers", "none"), without="100%") == ["hers"]
    assert await store.unprocessed_ids(ANN, "", Narrowing(), 1) == (["old"], 2)
    await store.delete_unprocessed(ANN, ["old"])
    assert await found(cause="nobody knows") == ["hers"]


async def test_a_survey_counts_what_is_open_and_what_began(store: ExecutorStore) -> None:
    await store.accept([new_run("old")], ME, 10.0)
    await store.accept([new_run("r"), new_run("hers", tenant_id=BOB, owned=False)], ME, 100.0)
    lost = unprocessed("lost", error=b'{"code":"in_doubt"}')
    done = commit("r", state=RunState.DONE, steps=3, failed=1, unprocessed=(lost, unprocessed("m")))
    await write(store, replace(done, now=104.0))

    seen = await store.survey(60.0)

    assert seen.open == {RunState.RUNNING: 1, RunState.READY: 1}
    assert (seen.unprocessed, seen.in_doubt, seen.looked_at) == (2, 1, 2)
    assert {minute: (each.runs, each.failed, each.steps) for minute, each in seen.minutes.items()} == {60: (2, 1, 3)}
    assert [(tenant, each.steps) for tenant, each in seen.tenants.items()] == [(ANN, 3), (BOB, 0)]
    assert seen.median == seen.p95 == 4.0


async def test_a_message_given_up_again_replaces_what_was_known_of_it(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    again = unprocessed(attempts=9)

    await write(store, commit("r", unprocessed=(unprocessed(),)), commit("r", seq=1, unprocessed=(again,)))

    assert await store.list_unprocessed(ANN, "", "", 0, 10) == ([again], 1)


async def test_deleted_messages_are_gone_for_their_tenant_only(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    await write(store, commit("r", unprocessed=(unprocessed("a"), unprocessed("b"))))

    assert await store.delete_unprocessed(BOB, ["a", "b"]) == 0
    assert await store.delete_unprocessed(ANN, ["a", "nobody"]) == 1
    assert await store.get_unprocessed(ANN, "a") is None
    assert await store.get_unprocessed(ANN, "b") is not None


async def test_a_retried_message_goes_back_to_its_run(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    await write(store, commit("r", unprocessed=(unprocessed(),), state=RunState.FAILED))

    assert await store.retry_unprocessed(BOB, ["m"], 20.0) == 0
    assert await store.retry_unprocessed(ANN, ["m", "nobody"], 20.0) == 1
    assert await store.retry_unprocessed(ANN, ["m"], 20.0) == 0

    [claimed] = await store.claim(ME, 20.0, 10)
    assert [(each.kind, each.delivery_id, each.content) for each in claimed.inbox] == [("retry", "m", b"")]
    assert (await store.list_unprocessed(ANN, "", "", 0, 10))[1] == 0


async def test_of_two_who_decide_at_once_one_does(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    await write(store, commit("r", unprocessed=(unprocessed(),), state=RunState.FAILED))
    said = [b'{"by":"ann"}', b'{"by":"bob"}']

    *counts, dropped = await asyncio.gather(
        *(store.retry_unprocessed(ANN, ["m"], 20.0, content=each) for each in said),
        store.delete_unprocessed(ANN, ["m"]),
    )

    assert sum(counts) + dropped == 1
    won = [each for each, count in zip(said, counts, strict=True) if count]
    assert [each.content for each in await inbox_of(store)] == won
    assert await store.get_unprocessed(ANN, "m") is None


async def test_a_retried_message_takes_its_edits_along(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    await write(store, commit("r", unprocessed=(unprocessed(),), state=RunState.FAILED))

    assert await store.retry_unprocessed(ANN, ["m"], 20.0, content=b'[["in",0,1]]') == 1

    [claimed] = await store.claim(ME, 20.0, 10)
    assert [(each.kind, each.content) for each in claimed.inbox] == [("retry", b'[["in",0,1]]')]


# Lists, logs and the end.


async def test_runs_are_listed_newest_first_by_what_is_asked(store: ExecutorStore) -> None:
    given = [
        new_run("a"),
        new_run("b", flow_id="g"),
        new_run("c", correlation_id="a"),
        new_run("d", tenant_id=BOB, correlation_id="a"),
    ]
    for at, run in enumerate(given):
        await store.accept([run], ME, float(at))
    await write(store, commit("a", state=RunState.DONE))

    async def asked(*, offset: int = 0, limit: int = 10, **query: object) -> tuple[list[str], int]:
        runs, total = await store.list_runs(RunFilter(**{"tenant_id": ANN, **query}), offset, limit)  # type: ignore[arg-type]  # fields of RunFilter
        return [run.run_id for run in runs], total

    assert await asked() == (["c", "b", "a"], 3)
    assert await asked(offset=1, limit=1) == (["b"], 3)
    assert await asked(flow_id="g") == (["b"], 1)
    assert await asked(state=RunState.DONE) == (["a"], 1)
    assert await asked(correlation_id="a") == (["c", "a"], 2)
    assert await asked(tenant_id=None) == (["d", "c", "b", "a"], 4)


async def test_chunks_wait_until_they_are_shipped(store: ExecutorStore) -> None:
    await store.accept([new_run(correlation_id="k"), new_run("s")], ME, 1.0)
    await write(store, commit("r", {"n": 1}))
    await write(store, commit("s", {"n": 2}))
    await write(store, commit("r", None, seq=1))
    await write(store, commit("r", {"n": 3}, seq=2))

    first = await store.unshipped(100)

    assert [(each.run_id, orjson.loads(each.records)[0]["n"]) for each in first] == [("r", 1), ("s", 2), ("r", 3)]
    assert (first[0].tenant_id, first[0].flow_id, first[0].version, first[0].correlation_id) == (ANN, "flow", 1, "k")
    assert await store.unshipped(100) == first
    await store.shipped([first[0].ticket])
    assert [each.run_id for each in await store.unshipped(100)] == ["s", "r"]
    await store.shipped([each.ticket for each in first[1:]])
    await store.shipped([])
    assert await store.unshipped(100) == []


async def test_old_ended_runs_go_with_all_that_is_theirs(store: ExecutorStore) -> None:
    await store.accept([new_run("old", content=b"x" * 100_000), new_run("open"), new_run("young")], ME, 1.0)
    message = unprocessed(run_id="old")
    await write(
        store,
        commit("old", {"k": 1}, state=RunState.DONE, unprocessed=(message,), now=10.0),
        commit("open", now=10.0),
        commit("young", state=RunState.DONE, now=50.0),
    )

    assert await store.purge(20.0, 10) == 1
    assert await store.purge(20.0, 10) == 0

    assert await store.get(ANN, "old") is None
    assert await store.get_unprocessed(ANN, "m") is None
    assert await store.get(ANN, "open") is not None and await store.get(ANN, "young") is not None
    assert (await store.accept([new_run("old")], ME, 60.0))[0].is_new


async def test_a_forgotten_flow_leaves_nothing(store: ExecutorStore) -> None:
    await store.accept([new_run(), new_run("g", flow_id="g"), new_run("hers", tenant_id=BOB)], ME, 1.0)
    scope = f"{ANN}/flow/flow/node/n"
    kept = StateChange(f"{ANN}/flow/g/node/n", "set", "k", b"1")
    await write(store, commit("r", unprocessed=(unprocessed(),), changes=(StateChange(scope, "set", "k", b"1"), kept)))

    await store.forget_flow(ANN, "flow")
    await store.forget_flow(ANN, "flow")

    assert await store.get(ANN, "r") is None
    assert await store.read_state(scope) == {}
    assert (await store.list_unprocessed(ANN, "", "", 0, 10))[1] == 0
    assert await store.get(ANN, "g") is not None and await store.get(BOB, "hers") is not None
    assert await store.read_state(kept.scope) == {"k": 1}


async def test_runs_that_wait_for_an_account_are_found_in_the_order_they_came(store: ExecutorStore) -> None:
    await store.accept([new_run("a")], ME, 1.0)
    await store.accept([new_run("b", tenant_id=BOB)], ME, 2.0)
    await store.accept([new_run("c"), new_run("d")], ME, 3.0)
    await write(
        store,
        commit("a", state=RunState.WAITING, waits_for=("one", "two")),
        commit("b", state=RunState.WAITING, waits_for=("one",), tenant_id=BOB),
        commit("c", state=RunState.WAITING, waits_for=("three",)),
        commit("d", state=RunState.WAITING),
    )

    assert await store.waited_for(10) == ["one", "three", "two"]
    assert len(await store.waited_for(1)) == 1
    assert await store.waiting_for("one", 10) == [(ANN, "a"), (BOB, "b")]
    assert await store.waiting_for("one", 1) == [(ANN, "a")]
    assert await store.is_waiting_for("a", "two") and not await store.is_waiting_for("d", "two")

    await store.put_inbox(ANN, "a", Inbound(0, "account", "one", b"null"), 20.0)
    [claimed] = await store.claim(ME, 20.0, 10)
    [left] = claimed.inbox
    assert (left.kind, left.delivery_id) == ("account", "one")
    await write(
        store,
        commit("a", epoch=2, seq=1, state=RunState.DONE, handled_inbox=(left.number,)),
    )
    assert await store.waited_for(10) == ["one", "three"]


async def test_an_executor_stays_kept_back_until_somebody_lets_it_go(store: ExecutorStore) -> None:
    await store.keep_hold("one:7103", 5.0, "ann@example.com")
    await store.keep_hold("one:7103", 9.0, "bob@example.com")

    assert await store.held("one:7103") == (5.0, "ann@example.com")
    assert await store.held("two:7103") is None

    await store.drop_hold("one:7103")
    await store.drop_hold("one:7103")
    assert await store.held("one:7103") is None
