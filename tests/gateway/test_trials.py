"""Test mode over REST: a stream of events that ends with the test."""

from typing import Any

import httpx
import orjson

from .services import Services
from .test_flows import DESCRIPTOR, make


def events_of(text: str) -> list[tuple[str, Any]]:
    blocks = [block for block in text.split("\n\n") if block.startswith("event: ")]
    pairs = [block.removeprefix("event: ").split("\ndata: ") for block in blocks]
    return [(name, orjson.loads(data)) for name, data in pairs]


async def test_a_test_tells_what_each_component_did_and_how_it_ended(
    user: httpx.AsyncClient, services: Services
) -> None:
    flow_id = await make(user)

    answer = await user.post(
        f"/flows/{flow_id}/test", json={"componentId": "n1", "payload": 7, "options": {"timeout": 500}}
    )

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert events_of(answer.text) == [
        ("test:start", {"runId": "run-1"}),
        ("component:start", {"componentId": "n1", "stepId": "s", "attempt": 1}),
        ("component:output", {"componentId": "n1", "port": "out", "data": {"a": 1}}),
        ("component:start", {"componentId": "n2", "stepId": None, "attempt": 1}),
        ("component:error", {"componentId": "n2", "message": "no", "willRetry": True}),
        ("test:done", {"status": "timeout", "runId": "run-1"}),
    ]
    (asked,) = services.executor.trials
    assert (asked.node_id, asked.version, asked.within.ToMilliseconds()) == ("n1", 1, 500)
    assert orjson.loads(asked.content)["data"] == 7


async def test_input_data_is_the_message_of_the_component(user: httpx.AsyncClient, services: Services) -> None:
    flow_id = await make(user)

    await user.post(f"/flows/{flow_id}/test", json={"componentId": "n1", "inputData": {"b": 2}})

    assert orjson.loads(services.executor.trials[0].content) == {"b": 2}


async def test_a_test_that_cannot_begin_says_why(user: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
    flow_id = await make(user, flow={"closed": DESCRIPTOR["n1"]})

    refused = await user.post(f"/flows/{flow_id}/test", json={"componentId": "closed"})
    nowhere = await user.post(f"/flows/{flow_id}/test", json={"componentId": "n9"})
    theirs = await other.post(f"/flows/{flow_id}/test", json={"componentId": "closed"})
    endless = await user.post(f"/flows/{flow_id}/test", json={"componentId": "closed", "options": {"timeout": 10**9}})

    assert events_of(refused.text) == [("test:error", {"code": "bad_request", "message": "Nothing can be sent there."})]
    assert (nowhere.status_code, theirs.status_code, endless.status_code) == (404, 404, 400)
