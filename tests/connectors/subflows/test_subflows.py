"""Flows call flows, wait for their answers, and know each other's forms."""

import pytest
from headrace_connectors.utils.subflows.CallFlow.component import CallFlow
from headrace_connectors.utils.subflows.FlowCallOutput.component import FlowCallOutput
from headrace_connectors.utils.subflows.OnFlowCall.component import OnFlowCall
from headrace_core import Json
from headrace_sdk import CancelError, JsonObject
from headrace_sdk.reading import as_object
from headrace_sdk.testing import FlowCall, World, run_component, run_start

FIELDS: JsonObject = {"ADD": [{"name": "who", "type": "string"}, {"name": "often", "type": "number"}]}
TYPE = "headrace.utils.subflows.Any"


async def test_a_call_hands_over_everything_but_the_address() -> None:
    outcome = await run_component(CallFlow, content={"flowId": "f", "componentId": "c", "who": "Ada", "often": 2})

    assert outcome.calls == [FlowCall("f", "c", {"who": "Ada", "often": 2})]
    assert outcome.outputs == []


async def test_the_answer_goes_on_as_output() -> None:
    outcome = await run_component(CallFlow, port="answer", content={"sum": 3})

    assert outcome.outputs == [("out", {"output": {"sum": 3}})]
    assert outcome.calls == []


@pytest.mark.parametrize("content", [{}, {"flowId": "f"}, {"componentId": "c", "flowId": ""}])
async def test_a_call_without_address_cancels(content: Json) -> None:
    with pytest.raises(CancelError, match="which flow"):
        await run_component(CallFlow, content=content)


@pytest.mark.parametrize(("port", "content"), [("call", {"who": "Ada"}), ("webhook", {"data": {"who": "Ada"}})])
async def test_a_called_flow_begins_with_what_it_was_handed(port: str, content: Json) -> None:
    outcome = await run_component(OnFlowCall, port=port, content=content)

    assert outcome.outputs == [("out", {"input": {"who": "Ada"}})]


ROWS: list[tuple[Json, str, Json]] = [
    ("2", "number", 2),
    ("two", "number", "two"),
    ("false", "boolean", False),
    ('{"a": 1}', "object", {"a": 1}),
    ("[1", "array", "[1"),
    ([1], "array", [1]),
    ("2", "string", "2"),
]


@pytest.mark.parametrize(("value", "kind", "expected"), ROWS)
async def test_an_output_answers_in_its_types_and_goes_on(value: Json, kind: str, expected: Json) -> None:
    rows: JsonObject = {"ADD": [{"name": "a", "value": value, "type": kind}, {"name": "unset", "type": kind}]}

    outcome = await run_component(FlowCallOutput, content={"output": rows})

    assert outcome.answers == [{"a": expected}]
    assert outcome.outputs == [("out", {"output": {"a": expected}})]


async def test_a_caller_sees_the_form_of_a_flow_that_was_started() -> None:
    world = World()
    await run_start(
        OnFlowCall, properties={"input": FIELDS}, world=world, flow_id="f", node_id="c", component_type=TYPE
    )

    asked = await run_component(
        CallFlow,
        content={"flowId": "f", "componentId": "c"},
        properties={"generateInspector": True},
        world=world,
        component_type=TYPE,
    )
    form = as_object(CallFlow.transforms["generateInspector"](asked.on("out")[0]))

    inputs = as_object(form["inputs"])
    assert list(inputs) == ["flowId", "componentId", "who", "often"]
    assert as_object(inputs["often"])["type"] == "number"


async def test_the_form_of_a_flow_nobody_knows_asks_for_its_address_only() -> None:
    asked = await run_component(CallFlow, properties={"generateInspector": True})

    form = as_object(CallFlow.transforms["generateInspector"](asked.on("out")[0]))

    assert list(as_object(form["inputs"])) == ["flowId", "componentId"]


async def test_a_caller_sees_the_output_of_a_flow_that_was_started() -> None:
    world = World()
    transform: Json = {"source": {"out": {"lambda": {"output": FIELDS}}}}
    descriptor: JsonObject = {"o": {"config": {"transform": {"in": transform}}}}
    await run_start(
        FlowCallOutput, world=world, flow_id="f", node_id="o", flow_descriptor=descriptor, component_type=TYPE
    )

    asked = await run_component(
        CallFlow,
        content={"flowId": "f"},
        properties={"generateOutputPortOptions": True},
        world=world,
        component_type=TYPE,
    )

    assert asked.on("out") == [
        [
            {"label": "who", "value": "output.who", "schema": {"type": "string"}},
            {"label": "often", "value": "output.often", "schema": {"type": "number"}},
        ]
    ]


@pytest.mark.parametrize(
    ("component", "properties", "content"),
    [
        (OnFlowCall, {"input": FIELDS}, None),
        (FlowCallOutput, {}, {"output": FIELDS}),
    ],
)
async def test_a_change_in_the_designer_is_left_for_callers(
    component: type[OnFlowCall | FlowCallOutput], properties: JsonObject, content: Json
) -> None:
    outcome = await run_component(component, properties={**properties, "triggerUpdate": True}, content=content)

    assert list(outcome.service_state.values()) == [FIELDS["ADD"]]
    assert outcome.answers == []


async def test_what_is_called_offers_its_own_variables() -> None:
    flag = {"generateOutputPortOptions": True}
    began = await run_component(OnFlowCall, properties={**flag, "input": FIELDS})
    ended = await run_component(FlowCallOutput, properties=flag, content={"output": FIELDS})

    assert [as_object(each)["value"] for each in _options(began.on("out"))] == ["input.who", "input.often"]
    assert [as_object(each)["value"] for each in _options(ended.on("out"))] == ["output.who", "output.often"]


def _options(sent: list[Json]) -> list[Json]:
    assert isinstance(sent[0], list)
    return sent[0]
