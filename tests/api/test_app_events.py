"""The application tells flows of its users what happened, over the whole platform."""

from __future__ import annotations

import pytest

from tests.connectors.flows.playing import NODE, address, node, sent_by

from .people import People, make_running

PREFIXES = ("/plugins/appmixer/utils/appevents", "/plugins/headrace/utils/appevents")


def listening(event: str) -> dict[str, object]:
    return {NODE: node("appmixer.utils.appevents.OnAppEvent", properties={"event": event})}


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_an_event_reaches_the_flows_that_wait_for_it_once(prefix: str, people: People) -> None:
    mine = await make_running(people.ann, listening("contact made/now"))
    other = await make_running(people.ann, listening("contact gone"))
    theirs = await make_running(people.bob, listening("contact made/now"))
    stopped = await people.ann.post("/flows", json={"name": "stopped", "flow": listening("contact made/now")})
    assert stopped.status_code == 200
    said = {"id": 7, "name": "Ada", "list": [None]}

    headers = {"Idempotency-Key": "event 7"}
    told = [
        await people.ann.post(f"{prefix}/events/contact%20made%2Fnow", json=said, headers=headers) for _ in range(2)
    ]

    assert await sent_by(people.ann, mine) == [("out", said)]
    assert [(each.status_code, each.json()["count"]) for each in told] == [(200, 1)] * 2
    assert told[0].json() == told[1].json()
    for client, flow_id, count in ((people.ann, mine, 1), (people.ann, other, 0), (people.bob, theirs, 0)):
        runs = (await client.get(f"/runs?flowId={flow_id}")).json()["items"]
        assert [each["triggerPort"] for each in runs].count("webhook") == count


async def test_without_listeners_nothing_happens(people: People) -> None:
    answer = await people.ann.post(f"{PREFIXES[0]}/events/nothing", json="x")

    assert (answer.status_code, answer.json()) == (200, {"event": "nothing", "count": 0, "runs": []})


async def test_what_is_called_from_outside_is_no_event(people: People) -> None:
    flow_id = await make_running(people.ann, listening("paid"))

    forged = await people.ann.post(address(people.ann, flow_id, NODE), json={"appEvent": "paid", "data": {"sum": 1}})
    real = await people.ann.post(f"{PREFIXES[0]}/events/paid", json={"sum": 2})

    assert (forged.status_code, real.json()["count"]) == (200, 1)
    assert await sent_by(people.ann, flow_id) == [("out", {"sum": 2})]


async def test_a_flow_without_a_name_to_wait_for_does_not_start(people: People) -> None:
    made = (await people.ann.post("/flows", json={"name": "x", "flow": listening(" ")})).json()

    started = await people.ann.post(f"/flows/{made['flowId']}/coordinator", json={"command": "start"})

    assert started.status_code >= 400


async def test_an_example_says_what_can_be_picked(people: People) -> None:
    data = {"properties": {"generateOutputPortOptions": True, "eventDataExample": '{"a": {"b": 1}, "c": [true]}'}}

    answer = await people.ann.post("/component/appmixer/utils/appevents/OnAppEvent?outPort=out", json=data)

    assert [(each["value"], each["schema"]["type"]) for each in answer.json()] == [
        ("a", "object"),
        ("a.b", "number"),
        ("c", "array"),
    ]
