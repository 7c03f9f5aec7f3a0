"""A test of a flow, made of flows: rounds, checks, and one result per round."""

import json
from datetime import timedelta

import pytest
from headrace_connectors.utils.test.AfterAll.component import AfterAll
from headrace_connectors.utils.test.Assert.component import Assert
from headrace_connectors.utils.test.BeforeAll.component import BeforeAll
from headrace_connectors.utils.test.CallCount.component import CallCount
from headrace_connectors.utils.test.Join.component import Join
from headrace_connectors.utils.test.ProcessE2EResults.component import ProcessE2EResults
from headrace_connectors.utils.test.Tick.component import Tick
from headrace_core import Json
from headrace_core.clock import TestClock
from headrace_sdk import CancelError, JsonObject, Message
from headrace_sdk.reading import as_object
from headrace_sdk.testing import Outcome, World, run_component, run_start, run_tick

CHECKS: list[tuple[JsonObject, list[Json], list[Json]]] = [
    ({"assertion": "equal", "field": 5, "expected": "5"}, ["5 equals 5"], []),
    ({"assertion": "equal", "field": True, "expected": "true"}, ["true equals true"], []),
    ({"assertion": "equal", "field": "a", "expected": "b"}, [], ["a does not equal b"]),
    ({"assertion": "notEmpty", "field": 0}, ["0 is not empty"], []),
    ({"assertion": "notEmpty"}, [], ["The value is empty"]),
    ({"assertion": "regex", "field": "abc", "regex": "^a"}, ["abc matches ^a"], []),
    ({"assertion": "regex", "field": "abc", "regex": "^b"}, [], ["abc does not match ^b"]),
    ({"assertion": "equal", "field": 5, "expected": 5, "type": "number"}, ["5 equals 5", "5 is of type number"], []),
    ({"assertion": "equal", "field": "5", "expected": 5, "type": "number"}, [], ["5 is of type string and not number"]),
    ({"assertion": "notEmpty", "field": [1], "type": "array"}, ["[1] is not empty", "[1] is of type array"], []),
    ({"assertion": "sings"}, [], ["There is no check 'sings': choose equal, notEmpty or regex"]),
]


@pytest.mark.parametrize(("row", "success", "error"), CHECKS)
async def test_a_check_is_a_result_and_never_an_error(row: JsonObject, success: list[Json], error: list[Json]) -> None:
    outcome = await run_component(Assert, content={"expression": {"AND": [row]}}, node_id="n", label="Check it")

    assert outcome.on("out") == [{"componentId": "n", "componentName": "Check it", "success": success, "error": error}]


async def test_a_pattern_that_cannot_be_used_is_a_failed_check() -> None:
    rows: list[Json] = [{"assertion": "regex", "field": "a", "regex": "("}]

    outcome = await run_component(Assert, content={"expression": {"AND": rows}})

    assert "cannot be used" in str(as_object(outcome.on("out")[0])["error"])


FLOW: JsonObject = {
    "after": {"type": "headrace.utils.test.AfterAll", "source": {"in": {"a": ["out"], "b": ["out", "else"]}}},
    "a": {"type": "headrace.utils.test.Assert", "label": "First"},
    "b": {"type": "headrace.utils.test.Assert"},
}


async def before(world: World, step_id: str = "begin") -> Outcome:
    return await run_component(BeforeAll, world=world, step_id=step_id, node_id="before")


async def after(world: World, source: str, port: str = "out", step_id: str | None = None, run: str = "run") -> Outcome:
    return await run_component(
        AfterAll,
        messages={"in": [Message(f"{source} {port}", source, port)]},
        properties={"timeout": 60},
        world=world,
        step_id=step_id,
        node_id="after",
        run_id=run,
        flow_descriptor=FLOW,
    )


async def time_out(world: World, content: Json) -> Outcome:
    return await run_component(
        AfterAll,
        port="timeout",
        content=content,
        properties={"timeout": 60},
        world=world,
        node_id="after",
        flow_descriptor=FLOW,
    )


async def test_a_round_begins_once_however_often_its_step_is_repeated() -> None:
    world = World()

    first, again, other = [await before(world, step) for step in ("x", "x", "y")]

    assert first.outputs == again.outputs
    assert first.outputs != other.outputs
    assert as_object(first.on("out")[0])["now"] == 1767225600000


async def test_all_results_leave_together_when_the_last_link_delivers_whichever_run_brings_it() -> None:
    world = World()
    await before(world)

    outcomes = [
        await after(world, "b", "else", run="one"),
        await after(world, "a", run="two"),
        await after(world, "b", run="three"),
        await after(world, "a", run="four"),
    ]

    assert [outcome.outputs for outcome in outcomes] == [[], [], [("out", ["b else", "a out", "b out"])], []]


async def test_a_round_that_ends_in_time_leaves_no_timeout_for_its_run_to_wait_for() -> None:
    world = World()
    (timeout,) = (await after(world, "a")).timeouts
    await after(world, "b", "else")
    assert list(world.timeouts) == [timeout.timeout_id]

    await after(world, "b", step_id="last")

    assert world.timeouts == {}


async def test_a_repeated_last_step_sends_again_what_it_sent() -> None:
    world = World()
    await before(world)
    await after(world, "a")
    await after(world, "b", "else")

    first = await after(world, "b", step_id="last")
    again = await after(world, "b", step_id="last")

    assert first.outputs == again.outputs != []


async def test_a_new_round_begins_empty() -> None:
    world = World()
    for step in ("x", "y"):
        await before(world, step)
        await after(world, "a")
        await after(world, "b", "else")
        assert (await after(world, "b")).on("out") == [["a out", "b else", "b out"]]


async def test_a_round_that_takes_too_long_names_what_is_missing_once() -> None:
    clock = TestClock()
    world = World(clock=clock)
    await before(world)
    clock.advance(10)
    (timeout,) = (await after(world, "a")).timeouts

    gave_up = await time_out(world, timeout.content)
    again = await time_out(world, timeout.content)
    late = [await after(world, "b", "else"), await after(world, "b")]

    assert timeout.due - clock.now() == timedelta(seconds=50)
    assert gave_up.on("out") == [
        {"message": "timed out", "timedOutLinks": ["headrace.utils.test.Assert:out", "headrace.utils.test.Assert:else"]}
    ]
    assert [outcome.outputs for outcome in (again, *late)] == [[], [], []]


async def test_a_test_from_which_nothing_comes_is_reported_too() -> None:
    clock = TestClock()
    world = World(clock=clock)
    started = await run_start(AfterAll, properties={"timeout": 60}, world=world, node_id="after")
    clock.advance(30)
    await before(world)
    clock.advance(30)

    early = await time_out(world, started.timeouts[0].content)
    clock.advance(30)
    due = await time_out(world, early.timeouts[0].content)

    assert early.outputs == []
    assert "First:out" in str(due.on("out"))


async def test_without_a_test_the_time_of_the_start_means_nothing() -> None:
    assert (await time_out(World(), {})).outputs == []


async def test_the_time_of_an_old_round_means_nothing() -> None:
    world = World()
    await before(world, "x")
    (timeout,) = (await after(world, "a")).timeouts
    await before(world, "y")

    assert (await time_out(world, timeout.content)).outputs == []


async def test_a_single_branch_is_passed_on_as_it_is() -> None:
    flow: JsonObject = {"after": {"source": {"in": {"a": ["out"]}}}}

    outcome = await run_component(
        AfterAll, messages={"in": [Message({"x": 1}, "a", "out")]}, node_id="after", flow_descriptor=flow
    )

    assert outcome.on("out") == [{"x": 1}]
    assert outcome.timeouts == []


async def test_without_before_all_every_run_is_its_own_round() -> None:
    world = World()
    await after(world, "a", run="one")
    await after(world, "b", "else", run="one")

    assert (await after(world, "b", run="two")).outputs == []
    assert (await after(world, "b", run="one")).on("out") == [["a out", "b else", "b out"]]


async def test_calls_are_counted_over_runs_and_sent_once() -> None:
    world = World()
    await before(world)

    async def call(number: int) -> list[Json]:
        outcome = await run_component(
            CallCount,
            content={"callCount": 2},
            messages={"in": [Message(number)]},
            world=world,
            run_id=f"run {number}",
        )
        return outcome.on("out")

    assert [await call(number) for number in range(4)] == [[], [[0, 1]], [], []]


async def test_a_count_that_is_missing_cancels() -> None:
    with pytest.raises(CancelError, match="how many calls"):
        await run_component(CallCount, content={})


async def test_one_message_is_put_together_with_each_other() -> None:
    messages = {"join": [Message("old"), Message("j")], "in": [Message(1), Message(2)]}

    outcome = await run_component(Join, messages=messages)
    lonely = await run_component(Join, messages={"in": [Message(1)]})

    assert outcome.on("out") == [{"join": "j", "in": 1}, {"join": "j", "in": 2}]
    assert lonely.outputs == []
    assert lonely.logs != []


async def test_a_tick_sends_the_time() -> None:
    assert (await run_tick(Tick)).on("out") == [{"time": "2026-01-01T00:00:00.000Z"}]


PASSED: JsonObject = {"componentId": "a", "componentName": "A", "success": ["fine"], "error": []}
FAILED: JsonObject = {"componentId": "b", "componentName": "B", "success": [], "error": ["1 does not equal 2"]}
LATE: JsonObject = {"message": "timed out", "timedOutLinks": ["A:out"]}


@pytest.mark.parametrize(
    ("result", "passes", "said"),
    [
        ([PASSED], True, ""),
        (PASSED, True, ""),
        ([PASSED, FAILED], False, "1 does not equal 2"),
        (LATE, False, "waiting for A:out"),
        ([{"error": ["of no component"]}], True, ""),
    ],
)
async def test_a_result_is_filed_in_one_place_only(result: Json, passes: bool, said: str) -> None:
    world = World()
    stores = {name: str((await world.stores.create_store(name))["storeId"]) for name in ("passed", "failed")}
    for store_id in stores.values():
        await world.stores.set(store_id, "my test", "old")

    outcome = await run_component(
        ProcessE2EResults,
        content={"recipients": "qa@example.com", "testCase": "my test", "result": json.dumps(result)},
        properties={"successStoreId": stores["passed"], "failedStoreId": stores["failed"]},
        world=world,
    )

    here, elsewhere = ("passed", "failed") if passes else ("failed", "passed")
    filed = await world.stores.get(stores[here], "my test")
    assert filed is not None and json.loads(str(filed["value"])) == result
    assert await world.stores.get(stores[elsewhere], "my test") is None
    assert bool(outcome.logs) is not passes
    assert said in str(outcome.logs)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"testCase": "t", "result": "[1"}, "not well-formed JSON"),
        ({"result": "[]"}, "testCase"),
        ({"testCase": "t", "result": "[]"}, "No data store"),
    ],
)
async def test_a_result_that_cannot_be_filed_cancels(content: JsonObject, message: str) -> None:
    with pytest.raises(CancelError, match=message):
        await run_component(ProcessE2EResults, content=content)
