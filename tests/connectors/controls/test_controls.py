"""What each control does with a message."""

from datetime import timedelta

import pytest
from headrace_connectors.utils.controls.Counter.component import Counter
from headrace_connectors.utils.controls.Each.component import Each
from headrace_connectors.utils.controls.Join.component import Join
from headrace_connectors.utils.controls.ListTimeZones.component import ListTimeZones
from headrace_connectors.utils.controls.MockValue.component import MockValue
from headrace_connectors.utils.controls.OnError.component import OnError
from headrace_connectors.utils.controls.OnStart.component import OnStart
from headrace_connectors.utils.controls.SetVariable.component import SetVariable
from headrace_connectors.utils.controls.StopFlow.component import StopFlow
from headrace_connectors.utils.controls.Testing.component import Testing
from headrace_core import Json
from headrace_core.clock import TestClock
from headrace_sdk import CancelError, JsonObject, Message
from headrace_sdk.reading import as_list, as_object
from headrace_sdk.testing import World, run_component, run_start


async def test_on_start_says_when_the_flow_started() -> None:
    outcome = await run_component(OnStart, port="start", content={"started": "2026-01-01T00:00:00Z"})

    assert OnStart.fires_on_start
    assert outcome.outputs == [("out", {"started": "2026-01-01T00:00:00Z"})]


async def test_on_error_adds_the_names_of_flow_and_component() -> None:
    error: JsonObject = {
        "gridTimestamp": "2026-01-01T00:00:00Z",
        "msg": "no luck",
        "err": {"code": "x"},
        "componentId": "a",
        "componentType": "headrace.utils.http.Get",
        "inputMessages": {},
    }

    labelled = await run_component(
        OnError, port="error", content=error, flow_name="Mine", flow_descriptor={"a": {"label": "Ask"}}
    )
    unlabelled = await run_component(OnError, port="error", content=error)

    assert OnError.hears_errors
    assert labelled.on("out") == [{**error, "componentLabel": "Ask", "flowName": "Mine"}]
    assert as_object(unlabelled.on("out")[0])["componentLabel"] == "Get"


async def test_on_error_passes_no_more_than_its_limit_in_a_minute() -> None:
    clock = TestClock()
    world = World(clock=clock)

    async def hear() -> int:
        outcome = await run_component(OnError, port="error", content={}, properties={"limit": 2}, world=world)
        return len(outcome.outputs)

    first_minute = [await hear() for _ in range(4)]
    clock.advance(60)
    next_minute = await hear()

    assert first_minute == [1, 1, 0, 0]
    assert next_minute == 1


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ([1, "b", None], [1, "b", None]),
        ('["a", {"b": 2}]', ["a", {"b": 2}]),
        ([], []),
        ('{"a": 1}', []),
        (None, []),
    ],
)
async def test_each_sends_every_item_and_then_how_many(given: Json, values: list[Json]) -> None:
    outcome = await run_component(Each, content={"list": given}, out_ports=["item", "done"])

    items = [as_object(item) for item in outcome.on("item")]
    done = as_object(outcome.on("done")[0])
    assert [item["value"] for item in items] == values
    assert [item["index"] for item in items] == list(range(len(values)))
    assert done["count"] == len(values)
    assert all(item["count"] == len(values) and item["correlationId"] == done["correlationId"] for item in items)
    assert outcome.outputs[-1][0] == "done"


async def test_each_is_pure_and_tells_its_rounds_apart() -> None:
    first, again, other = [await run_component(Each, content={"list": [1]}, step_id=step) for step in ("a", "a", "b")]

    assert first.outputs == again.outputs
    assert first.outputs != other.outputs


async def test_each_says_what_to_do_with_text_that_is_no_list() -> None:
    with pytest.raises(CancelError, match="Split"):
        await run_component(Each, content={"list": "a,b,c"})


async def test_each_offers_its_variables() -> None:
    outcome = await run_component(Each, content={"list": []}, properties={"buildOutPortOptions": True})

    offered = [as_object(option)["value"] for option in as_list(outcome.on("item")[0])]
    assert offered == ["index", "value", "count", "correlationId"]


async def test_join_sends_on_all_that_came() -> None:
    outcome = await run_component(Join, messages={"in": [Message({"a": 1}, "x"), Message({"b": 2}, "y")]})

    assert outcome.on("out") == [{"a": 1}, {"b": 2}]


async def test_a_counter_counts_over_runs_and_can_be_reset() -> None:
    world = World()
    properties: JsonObject = {"count": 10, "increment": "2"}
    await run_start(Counter, properties=properties, world=world)

    async def count(port: str, content: Json = None) -> list[Json]:
        run_id = f"run {world.steps}"
        done = await run_component(
            Counter, port=port, content=content, properties=properties, world=world, run_id=run_id
        )
        return done.on("count")

    assert [await count("item"), await count("item")] == [[{"count": 12}], [{"count": 14}]]
    assert await count("reset", {"count": 100}) == []
    assert await count("item") == [{"count": 102}]
    assert await count("reset") == []
    assert await count("item") == [{"count": 12}]


async def test_a_repeated_step_counts_once() -> None:
    world = World()
    results = [await run_component(Counter, port="item", world=world, step_id="same") for _ in range(2)]

    assert [result.on("count") for result in results] == [[{"count": 1}], [{"count": 1}]]


ROWS: list[tuple[JsonObject, JsonObject]] = [
    ({"type": "text", "name": "a", "text": "x"}, {"a": "x"}),
    ({"name": "a", "text": "x"}, {"a": "x"}),
    ({"type": "text", "name": "a", "text": {"b": 1}}, {"a": {"b": 1}}),
    ({"type": "number", "name": "a", "number": "4.5"}, {"a": 4.5}),
    ({"type": "number", "name": "a", "number": 4}, {"a": 4}),
    ({"type": "number", "name": "a", "number": "many"}, {"a": "many"}),
    ({"type": "toggle", "name": "a", "toggle": "true"}, {"a": True}),
    ({"type": "toggle", "name": "a"}, {"a": False}),
    ({"type": "date-time", "name": "a", "date-time": "2026-01-01T00:00:00Z"}, {"a": "2026-01-01T00:00:00Z"}),
    ({"type": "text", "name": "a", "number": 4}, {}),
]


@pytest.mark.parametrize(("row", "named"), ROWS)
async def test_a_variable_has_the_type_of_its_row(row: JsonObject, named: JsonObject) -> None:
    outcome = await run_component(SetVariable, content={"variables": {"ADD": [row]}})

    assert outcome.outputs == [("out", named)]


async def test_a_variable_without_a_name_cancels() -> None:
    with pytest.raises(CancelError, match="no name"):
        await run_component(SetVariable, content={"variables": {"ADD": [{"type": "text", "text": "x"}]}})


async def test_variables_are_offered_to_later_steps() -> None:
    rows: list[Json] = [{"type": "number", "name": "a"}, {"name": "b"}]

    outcome = await run_component(
        SetVariable, content={"variables": {"ADD": rows}}, properties={"generateOutputPortOptions": True}
    )

    assert outcome.on("out") == [
        [
            {"label": "a", "value": "a", "schema": {"type": "number"}},
            {"label": "b", "value": "b", "schema": {"type": "string"}},
        ]
    ]


async def test_a_mock_value_is_sent_as_given() -> None:
    assert (await run_component(MockValue, content={"value": "v"})).on("out") == [{"outvalue": "v"}]


async def test_stop_flow_stops_and_sends_nothing() -> None:
    outcome = await run_component(StopFlow)

    assert outcome.stopped
    assert outcome.outputs == []


async def test_testing_sends_the_time() -> None:
    clock = TestClock()
    clock.advance(timedelta(hours=1))

    outcome = await run_component(Testing, world=World(clock=clock))

    assert outcome.on("out") == [{"out1value": "2026-01-01T01:00:00.000Z"}]


async def test_time_zones_become_options() -> None:
    answer = (await run_component(ListTimeZones)).on("out")[0]

    options = as_list(ListTimeZones.transforms["timezonesToSelectArray"](answer))

    assert {"label": "Prague, Europe (Europe/Prague)", "value": "Europe/Prague"} in options
    assert {"label": "GMT (GMT)", "value": "GMT"} in options
    assert len(options) > 300
