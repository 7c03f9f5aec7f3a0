"""Live streams: what happens arrives, what was dropped is counted, and leaving ends everything."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from headrace_core.clock import TestClock
from headrace_gateway.app import Gateway
from headrace_gateway.server import Listening

from .services import Services


@pytest.fixture
async def flow_id(user: httpx.AsyncClient) -> str:
    return str((await user.post("/flows", json={"name": "x"})).json()["flowId"])


def events_in(text: str) -> set[str]:
    return {line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")}


async def read_until(lines: AsyncIterator[str], *wanted: str) -> str:
    text = ""
    async with asyncio.timeout(10):
        async for line in lines:
            text += line + "\n"
            if all(f"event: {name}" in text for name in wanted) and text.endswith("\n\n"):
                return text
    return text


async def test_happenings_and_records_arrive_in_one_stream(
    listening: Listening, flow_id: str, services: Services
) -> None:
    headers = {"Authorization": "Bearer user-token"}
    async with (
        httpx.AsyncClient(base_url=listening.url, headers=headers) as client,
        client.stream("GET", f"/flows/{flow_id}/live") as stream,
    ):
        assert stream.status_code == 200
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-store"
        text = await read_until(stream.aiter_lines(), "happening", "log", "dropped")

    assert '"runId":"run-1"' in text
    assert '"msg":"line\\nbreak"' in text
    assert '{"count":3}' in text
    async with asyncio.timeout(5):
        await services.executor.unwatched.wait()


async def test_several_flows_are_followed_in_one_stream(
    listening: Listening, user: httpx.AsyncClient, other: httpx.AsyncClient, flow_id: str, gateway: Gateway
) -> None:
    second = str((await user.post("/flows", json={"name": "y"})).json()["flowId"])
    theirs = str((await other.post("/flows", json={"name": "z"})).json()["flowId"])
    topics = [("topic", f"flow:{each}") for each in (flow_id, second, flow_id, theirs, "none")]
    headers = {"Authorization": "Bearer user-token"}
    async with (
        httpx.AsyncClient(base_url=listening.url, headers=headers) as client,
        client.stream("GET", "/live", params=topics) as stream,
    ):
        lines, told = stream.aiter_lines(), []
        async with asyncio.timeout(10):
            async for line in lines:
                if line.startswith("data: "):
                    told.append(json.loads(line.removeprefix("data: ")))
                if {f"flow:{flow_id}", f"flow:{second}"} <= {each.get("topic") for each in told if "runId" in each}:
                    break
        assert gateway.live.count == 1

    refused = [(each["topic"], each["code"]) for each in told if "code" in each]
    assert refused == [(f"flow:{theirs}", "not_found"), ("flow:none", "not_found")]
    assert not [each for each in told if each.get("topic") == f"flow:{theirs}" and "code" not in each]


TOO_MANY = "&".join(f"topic=flow:{number}" for number in range(51))


@pytest.mark.parametrize("query", ["", "topic=", "topic=flow:", "topic=run:1", TOO_MANY])
async def test_what_is_no_list_of_topics_is_refused(user: httpx.AsyncClient, query: str) -> None:
    answer = await user.get(f"/live?{query}")

    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (400, "topic")


async def test_a_heartbeat_keeps_the_connection_warm(listening: Listening, flow_id: str, clock: TestClock) -> None:
    headers = {"Authorization": "Bearer user-token"}
    async with (
        httpx.AsyncClient(base_url=listening.url, headers=headers) as client,
        client.stream("GET", f"/flows/{flow_id}/live") as stream,
    ):
        lines = stream.aiter_lines()
        await read_until(lines, "log", "dropped")
        clock.advance(15)
        async with asyncio.timeout(5):
            async for line in lines:
                if line == ": beat":
                    break

    assert line == ": beat"


async def test_draining_ends_streams_and_begins_no_more(listening: Listening, flow_id: str, gateway: Gateway) -> None:
    headers = {"Authorization": "Bearer user-token"}
    async with httpx.AsyncClient(base_url=listening.url, headers=headers) as client:
        async with client.stream("GET", f"/flows/{flow_id}/live") as stream:
            lines = stream.aiter_lines()
            await read_until(lines, "log")
            gateway.begin_drain()
            async with asyncio.timeout(5):
                async for _ in lines:
                    pass
        refused = await client.get(f"/flows/{flow_id}/live")

    assert refused.status_code == 503
    assert gateway.live.count == 0


async def test_a_user_has_so_many_streams_at_a_time(listening: Listening, flow_id: str, gateway: Gateway) -> None:
    headers = {"Authorization": "Bearer user-token"}
    async with (
        httpx.AsyncClient(base_url=listening.url, headers=headers) as client,
        client.stream("GET", f"/flows/{flow_id}/live") as first,
        client.stream("GET", f"/flows/{flow_id}/live") as second,
    ):
        await read_until(first.aiter_lines(), "log")
        await read_until(second.aiter_lines(), "log")
        third = await client.get(f"/flows/{flow_id}/live")

    assert (third.status_code, third.json()["code"]) == (429, "rate_limited")
    assert "retry-after" in third.headers


async def test_nobody_follows_somebody_elses_flow(other: httpx.AsyncClient, flow_id: str, services: Services) -> None:
    assert (await other.get(f"/flows/{flow_id}/live")).status_code == 404
    assert not services.executor.watching.is_set()


async def test_administrators_follow_the_flows_of_all_and_nobody_else_does(
    listening: Listening, admin: httpx.AsyncClient, other: httpx.AsyncClient, flow_id: str, services: Services
) -> None:
    places = (f"/flows/{flow_id}/live?allTenants=true", f"/live?topic=flow:{flow_id}&allTenants=true")
    for place in places:
        assert (await other.get(place)).status_code == 403
        assert (await other.head(place)).status_code == 403
    assert not services.executor.watching.is_set()

    for place in places:
        async with (
            httpx.AsyncClient(base_url=listening.url, headers=admin.headers) as client,
            client.stream("GET", place) as stream,
        ):
            assert stream.status_code == 200
            text = await read_until(stream.aiter_lines(), "happening", "log")
        assert '"runId":"run-1"' in text


async def test_asking_for_the_head_opens_no_stream(user: httpx.AsyncClient, flow_id: str, services: Services) -> None:
    assert (await user.head(f"/flows/{flow_id}/live")).status_code == 200
    assert (await user.head(f"/live?topic=flow:{flow_id}")).status_code == 200
    assert not services.executor.watching.is_set()
