"""Webhooks, their answers, and the watch over a site."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from headrace_connectors.utils.http import durations, expressions
from headrace_connectors.utils.http.DynamicWebhook.component import DynamicWebhook
from headrace_connectors.utils.http.Response.component import Response
from headrace_connectors.utils.http.Uptime.component import Uptime
from headrace_connectors.utils.http.Webhook.component import Webhook
from headrace_connectors.utils.http.WebhookTrigger.component import WebhookTrigger
from headrace_core import Json
from headrace_core.clock import TestClock
from headrace_sdk import CancelError, Component, HttpStatusError, JsonObject
from headrace_sdk.testing import HttpHandler, World, run_component, run_tick
from headrace_sdk.testing.world import Identity, MemoryContext

if TYPE_CHECKING:
    from tests.connectors.http.conftest import Site

ARRIVED: JsonObject = {"method": "POST", "data": {"a": 1}, "query": {}, "headers": {"x": "y"}, "hostname": "h"}
PASSED_ON: JsonObject = {"method": "POST", "data": {"a": 1}, "query": {}, "headers": {"x": "y"}}
TRIGGERS = [(WebhookTrigger, "request"), (Webhook, "trigger"), (DynamicWebhook, "request")]


@pytest.mark.parametrize(("component", "port"), TRIGGERS)
async def test_a_request_is_passed_on_and_answered_at_once(component: type[Component], port: str) -> None:
    outcome = await run_component(component, port="webhook", content=ARRIVED)

    assert outcome.outputs == [(port, PASSED_ON)]
    assert [(answer.body, answer.status) for answer in outcome.responses] == [({}, 200)]


@pytest.mark.parametrize(("component", "port"), TRIGGERS)
async def test_the_answer_is_left_to_others_when_it_is_not_immediate(component: type[Component], port: str) -> None:
    outcome = await run_component(component, port="webhook", content=ARRIVED, properties={"immediateResponse": False})

    assert outcome.outputs == [(port, PASSED_ON)]
    assert outcome.responses == []


@pytest.mark.parametrize(("component", "port"), TRIGGERS[:2])
async def test_the_settings_show_the_url(component: type[Component], port: str) -> None:
    outcome = await run_component(component, properties={"generateInspector": True}, node_id="n", flow_id="f")

    [form] = outcome.on(port)
    assert isinstance(form, dict) and isinstance(form["inputs"], dict)
    assert form["inputs"]["url"] == {
        "type": "text",
        "label": "Webhook URL",
        "tooltip": "Send requests here.",
        "readonly": True,
        "index": 1,
        "defaultValue": "https://hooks.example/flows/f/components/n",
    }


async def test_what_comes_to_the_response_port_is_the_answer() -> None:
    outcome = await run_component(Webhook, port="response", content={"ok": True})

    assert [answer.body for answer in outcome.responses] == [{"ok": True}]
    assert outcome.outputs == []


ANSWERS: list[tuple[JsonObject, Json, int, dict[str, str]]] = [
    ({}, None, 200, {}),
    ({"body": "hi", "statusCode": 201}, "hi", 201, {}),
    ({"body": "hi", "statusCode": "404", "headers": '{"X-A": 1}'}, "hi", 404, {"X-A": "1"}),
    (
        {"body": '{"a": 1}', "headers": {"content-type": "application/json"}},
        {"a": 1},
        200,
        {"content-type": "application/json"},
    ),
    ({"body": '{"a": 1}', "headers": {"Content-Type": "text/plain"}}, '{"a": 1}', 200, {"Content-Type": "text/plain"}),
]


@pytest.mark.parametrize(("content", "body", "status", "headers"), ANSWERS)
async def test_response_answers_with_body_status_and_headers(
    content: JsonObject, body: Json, status: int, headers: dict[str, str]
) -> None:
    outcome = await run_component(Response, content=content)

    [answer] = outcome.responses
    assert (answer.body, answer.status, answer.headers) == (body, status, headers)


@pytest.mark.parametrize(
    "content",
    [
        {"headers": "no json"},
        {"body": "{", "headers": {"Content-Type": "application/json"}},
        {"statusCode": 42},
        {"statusCode": "many"},
    ],
)
async def test_response_refuses_what_is_no_answer(content: JsonObject) -> None:
    with pytest.raises(CancelError):
        await run_component(Response, content=content)


SETTINGS: dict[str, Json] = {
    "onStartRequestMethod": "post",
    "onStartRequestHeaders": '{"X-Key": "k"}',
    "onStartRequestBody": '{"target": "{{webhookUrl}}"}',
    "onStopRequestMethod": "delete",
    "onStopRequestHeaders": '{"X-Id": "{$response.body#/hook/id}"}',
    "onStopRequestBody": '{"etag": "{$response.header.ETag}"}',
}


def hook_context(world: World, site: Site, port: str) -> MemoryContext:
    urls = {
        "onStartRequestUrl": f"{site.url}/hooks",
        "onStopRequestUrl": f"{site.url}/hooks/{{$response.body#/hook/id}}",
    }
    return MemoryContext(world, Identity(), port=port, properties={**SETTINGS, **urls})


async def test_a_dynamic_webhook_registers_itself_and_leaves_with_the_id_it_was_given(
    site: Site, network: HttpHandler
) -> None:
    world = World(http=network)
    site.answers({"hook": {"id": 7}}, status=201, ETag='"v1"')
    starting = hook_context(world, site, "start")

    await DynamicWebhook().start(starting)
    starting.commit()
    stopping = hook_context(world, site, "stop")
    site.answers(b"", status=404)
    await DynamicWebhook().stop(stopping)
    stopping.commit()
    await DynamicWebhook().stop(hook_context(world, site, "stop"))

    register, leave = site.received
    assert (register.method, register.path, register.headers["x-key"]) == ("POST", "/hooks", "k")
    assert register.body == b'{"target": "https://hooks.example/flows/flow/components/node"}'
    assert (leave.method, leave.path, leave.headers["x-id"]) == ("DELETE", "/hooks/7", "7")
    assert leave.body == b'{"etag": "\\"v1\\""}'


async def test_a_refused_registration_keeps_the_flow_from_starting(site: Site, network: HttpHandler) -> None:
    site.answers({"message": "no"}, status=403)

    with pytest.raises(HttpStatusError):
        await DynamicWebhook().start(hook_context(World(http=network), site, "start"))


@pytest.mark.parametrize("template", ["{$response.body#/none}", "{$response.header.none}"])
def test_an_expression_that_finds_nothing_is_refused(template: str) -> None:
    with pytest.raises(CancelError):
        expressions.fill(template, {"data": {"a": []}, "headers": {}})


def test_pointers_reach_into_lists_and_escaped_names() -> None:
    assert expressions.resolve({"a/b": [{"~": 1}]}, "/a~1b/0/~0") == 1


async def test_uptime_tells_only_of_changes(site: Site, network: HttpHandler) -> None:
    clock = TestClock()
    world = World(clock=clock, http=network)
    told = []
    for status in (200, 204, 503, 500, 404):
        site.answers(b"", status=status)
        outcome = await run_tick(Uptime, properties={"target": site.url}, world=world)
        told.append(outcome.outputs)
        clock.advance(timedelta(minutes=2))

    assert told == [
        [("up", {"target": site.url, "statusCode": 200, "downTimeMs": None, "downTimeText": None})],
        [],
        [("down", {"target": site.url, "statusCode": 503})],
        [],
        [("up", {"target": site.url, "statusCode": 404, "downTimeMs": 240_000, "downTimeText": "4 minutes"})],
    ]


async def test_a_site_that_cannot_be_reached_is_down() -> None:
    outcome = await run_tick(Uptime, properties={"target": "http://nowhere.example"})

    assert outcome.outputs == [("down", {"target": "http://nowhere.example", "statusCode": None})]


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(seconds=3), "a few seconds"),
        (timedelta(seconds=60), "a minute"),
        (timedelta(minutes=12), "12 minutes"),
        (timedelta(hours=1), "an hour"),
        (timedelta(hours=5), "5 hours"),
        (timedelta(days=1), "a day"),
        (timedelta(days=9), "9 days"),
        (timedelta(days=31), "a month"),
        (timedelta(days=100), "3 months"),
        (timedelta(days=400), "a year"),
        (timedelta(days=1500), "4 years"),
    ],
)
def test_lengths_of_time_have_words(length: timedelta, text: str) -> None:
    assert durations.in_words(length) == text
