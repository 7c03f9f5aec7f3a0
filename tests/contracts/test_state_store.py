"""What every store promises of the state that components keep."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from headrace_core import Json
from headrace_core.errors import BadRequest, Fenced
from headrace_executor.model import RunState, StateChange, StateVerb
from headrace_executor.store import ExecutorStore

from tests.contracts.execution_stores import ADAPTERS, ANN, BOB, ME, OTHER, adapter, adapter_twice, commit, new_run

SCOPE = f"{ANN}/flow/f/node/n"


@pytest.fixture(params=ADAPTERS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ExecutorStore]:
    async with adapter(request)(tmp_path) as opened:
        await opened.accept([new_run(), new_run("r2")], ME, 1.0)
        yield opened


@pytest.fixture(params=ADAPTERS)
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[ExecutorStore, ExecutorStore]]:
    async with adapter_twice(request)(tmp_path) as (first, second):
        await first.accept([new_run(), new_run("r2")], ME, 1.0)
        yield first, second


def put(key: str, value: Json, scope: str = SCOPE) -> StateChange:
    return StateChange(scope, "set", key, orjson.dumps(value))


def unset(key: str) -> StateChange:
    return StateChange(SCOPE, "unset", key)


CLEAR = StateChange(SCOPE, "clear")


def verb(
    change_id: str,
    kind: Any = "inc",
    key: str = "n",
    value: Json = 1,
    *before: StateChange,
    run: str = "r",
    epoch: int = 1,
) -> StateVerb:
    return StateVerb(change_id, run, epoch, SCOPE, kind, key, value, before)


async def apply(store: ExecutorStore, change_id: str, kind: str, key: str, value: Json) -> Json:
    return await store.apply_now(verb(change_id, kind, key, value))


async def test_writes_are_carried_out_in_their_order(store: ExecutorStore) -> None:
    await store.write_state([put("a", 1), put("b", {"x": [1, "é"]}), put("a", 2), unset("nothing")])
    assert await store.read_state(SCOPE) == {"a": 2, "b": {"x": [1, "é"]}}

    await store.write_state([unset("b"), put("c", None)])
    assert await store.read_state(SCOPE) == {"a": 2, "c": None}

    await store.write_state([put("d", 4), CLEAR, put("e", 5)])
    assert await store.read_state(SCOPE) == {"e": 5}


async def test_a_commit_carries_writes_and_a_refused_one_does_not(store: ExecutorStore) -> None:
    answers = await store.commit([commit("r", changes=(put("a", 1),)), commit("r", changes=(put("a", 2),))])

    assert answers == [True, False]
    assert await store.read_state(SCOPE) == {"a": 1}


async def test_scopes_do_not_mix_and_go_by_their_beginning(store: ExecutorStore) -> None:
    scopes = [SCOPE, f"{SCOPE}2", f"{ANN}/flow/other/node/n", f"{BOB}/flow/f/node/n"]
    await store.write_state([put("k", index, scope) for index, scope in enumerate(scopes)])
    assert [await store.read_state(scope) for scope in scopes] == [{"k": index} for index in range(4)]

    await store.forget_flow(ANN, "f")

    assert [await store.read_state(scope) for scope in scopes] == [{}, {}, {"k": 2}, {"k": 3}]


@pytest.mark.parametrize(
    "key",
    ["", "a.b", "$set", "with\x00zero", "k" * 5_000, "😀"],
)
async def test_any_text_is_a_key(store: ExecutorStore, key: str) -> None:
    await store.write_state([put(key, key)])
    await apply(store, "c", "add", f"{key}!", key)

    assert await store.read_state(SCOPE) == {key: key, f"{key}!": [key]}


async def test_verbs_answer_what_came_of_them(store: ExecutorStore) -> None:
    await store.write_state([put("n", 5)])

    assert await apply(store, "1", "inc", "n", 2) == 7
    assert await apply(store, "2", "inc", "new", 0.5) == 0.5
    assert await apply(store, "3", "add", "set", "a") == ["a"]
    assert await apply(store, "4", "add", "set", "b") == ["a", "b"]
    assert await apply(store, "5", "add", "set", "a") == ["a", "b"]
    assert await apply(store, "6", "remove", "set", "a") == ["b"]
    assert await store.read_state(SCOPE) == {"n": 7, "new": 0.5, "set": ["b"]}


async def test_a_verb_is_carried_out_once_and_answers_the_same_for_ever(store: ExecutorStore) -> None:
    first = await apply(store, "1", "inc", "n", 1)
    await apply(store, "2", "inc", "n", 1)
    await store.write_state([put("n", 50)])

    assert await apply(store, "1", "inc", "n", 1) == first == 1
    assert await apply(store, "2", "inc", "n", 1) == 2
    assert await store.read_state(SCOPE) == {"n": 50}


async def test_a_verb_is_remembered_when_its_value_is_gone(store: ExecutorStore) -> None:
    await apply(store, "1", "inc", "n", 1)
    await apply(store, "2", "inc", "m", 1)
    await store.write_state([unset("n"), CLEAR])

    assert await apply(store, "1", "inc", "n", 1) == 1
    assert await apply(store, "2", "inc", "m", 1) == 1
    assert await store.read_state(SCOPE) == {}
    assert await apply(store, "3", "inc", "n", 1) == 1


async def test_many_who_count_at_once_lose_nothing(store: ExecutorStore) -> None:
    answers = await asyncio.gather(*(apply(store, f"c{index}", "inc", "n", 1) for index in range(30)))

    assert sorted(answers, key=str) == sorted(range(1, 31), key=str)
    assert await store.read_state(SCOPE) == {"n": 30}


async def test_twins_that_count_at_once_count_once(store: ExecutorStore) -> None:
    answers = await asyncio.gather(*(apply(store, "same", "inc", "n", 1) for _ in range(5)))

    assert answers == [1] * 5
    assert await store.read_state(SCOPE) == {"n": 1}


async def test_a_verb_that_does_not_fit_is_refused_and_harms_nobody(store: ExecutorStore) -> None:
    await store.write_state([put("text", "x"), put("number", 1)])

    answers = await asyncio.gather(
        apply(store, "1", "inc", "text", 1),
        apply(store, "2", "add", "number", 1),
        apply(store, "3", "inc", "number", 1),
        return_exceptions=True,
    )

    assert isinstance(answers[0], BadRequest) and isinstance(answers[1], BadRequest)
    assert answers[2] == 2
    assert await store.read_state(SCOPE) == {"text": "x", "number": 2}


async def test_a_verb_meets_what_was_written_before_it_and_takes_it_along_once(store: ExecutorStore) -> None:
    await store.write_state([put("n", 5), put("old", 1)])
    before = (CLEAR, put("n", 10), put("m", "x"), put("gone", 1), unset("gone"))

    assert await store.apply_now(verb("c1", "inc", "n", 1, *before)) == 11
    assert await store.read_state(SCOPE) == {"n": 11, "m": "x"}
    await store.write_state([put("m", "later")])
    assert await store.apply_now(verb("c1", "inc", "n", 1, *before)) == 11
    assert await store.apply_now(verb("c2", "inc", "other", 1, put("n", 0))) == 1

    assert await store.read_state(SCOPE) == {"n": 0, "m": "later", "other": 1}


async def test_a_verb_after_all_is_cleared_begins_anew(store: ExecutorStore) -> None:
    await store.write_state([put("n", 5)])

    assert await store.apply_now(verb("c1", "inc", "n", 2, CLEAR)) == 2


async def test_a_verb_that_does_not_fit_leaves_what_was_written_before_it_undone(store: ExecutorStore) -> None:
    with pytest.raises(BadRequest):
        await store.apply_now(verb("c1", "inc", "n", 1, put("n", "text"), put("m", 1)))
    assert await store.read_state(SCOPE) == {}

    assert await store.apply_now(verb("c1", "inc", "n", 1, put("m", 1))) == 1  # asked for anew it may fit
    assert await store.read_state(SCOPE) == {"n": 1, "m": 1}


async def test_a_verb_counts_only_while_its_run_has_its_epoch(store: ExecutorStore) -> None:
    assert await store.apply_now(verb("c1", epoch=1)) == 1
    await store.reclaim(ME, "r", 2.0)

    with pytest.raises(Fenced, match="r"):
        await store.apply_now(verb("c2", "inc", "n", 1, put("m", 1)))
    with pytest.raises(Fenced, match="r"):
        await store.apply_now(verb("c1"))
    with pytest.raises(Fenced, match="nobody"):
        await store.apply_now(verb("c3", run="nobody"))

    assert await store.apply_now(verb("c1", epoch=2)) == 1
    assert await store.apply_now(verb("c2", epoch=2)) == 2
    assert await store.read_state(SCOPE) == {"n": 2}


async def test_a_run_that_is_over_changes_nothing(store: ExecutorStore) -> None:
    assert await store.apply_now(verb("c1")) == 1
    assert await store.commit([commit("r", state=RunState.DONE)]) == [True]

    for name in ("c1", "c2"):
        with pytest.raises(Fenced):
            await store.apply_now(verb(name))
    assert await store.read_state(SCOPE) == {"n": 1}


async def test_verbs_and_commits_of_a_run_that_come_at_once_all_count(store: ExecutorStore) -> None:
    commits = [commit("r", seq=index, changes=(put(f"k{index}", index),)) for index in range(5)]

    answers = await asyncio.gather(store.commit(commits), *(store.apply_now(verb(f"c{index}")) for index in range(5)))

    assert answers[0] == [True] * 5
    assert sorted(answers[1:], key=str) == [1, 2, 3, 4, 5]
    assert await store.read_state(SCOPE) == {"n": 5, **{f"k{index}": index for index in range(5)}}


async def test_runs_of_two_executors_that_count_at_once_lose_nothing(
    stores: tuple[ExecutorStore, ExecutorStore],
) -> None:
    async def count(store: ExecutorStore, run: str) -> list[Json]:
        return [await store.apply_now(verb(f"{run}.{index}", run=run)) for index in range(15)]

    first, second = await asyncio.gather(count(stores[0], "r"), count(stores[1], "r2"))

    assert first == sorted(first, key=lambda each: int(str(each)))
    assert sorted(int(str(each)) for each in [*first, *second]) == list(range(1, 31))
    assert await stores[0].read_state(SCOPE) == {"n": 30}


async def test_of_a_late_twin_nothing_comes_after_anything_of_its_successor(
    stores: tuple[ExecutorStore, ExecutorStore],
) -> None:
    """One counts and notes its name until it is fenced; the other takes the run over in between."""
    late, next_one = stores
    await late.write_state([put("by", "nobody")])

    under_way = asyncio.Event()

    async def go_on() -> int:
        for index in range(1_000):
            if index == 3:
                under_way.set()
            try:
                await late.apply_now(verb(f"late{index}", "inc", "late", 1, put("by", "late")))
            except Fenced:
                return index
        raise AssertionError("nobody took the run over")

    going = asyncio.create_task(go_on())
    async with asyncio.timeout(30):
        await under_way.wait()
    [taken] = [each for each in await next_one.claim(OTHER, 2.0, 10) if each.run.run_id == "r"]
    counted = (await next_one.read_state(SCOPE))["late"]
    await next_one.apply_now(verb("next", "inc", "next", 1, put("by", "next"), epoch=taken.run.epoch))

    assert await going == counted
    assert await next_one.read_state(SCOPE) == {"by": "next", "late": counted, "next": 1}


async def test_a_verb_makes_only_so_much_of_a_value(store: ExecutorStore) -> None:
    await store.write_state([put("set", ["x" * 1_000_000] * 4)])

    with pytest.raises(BadRequest, match="fit"):
        await apply(store, "c", "add", "set", "y" * 1_000_000)
    assert await apply(store, "c", "add", "small", "y") == ["y"]
