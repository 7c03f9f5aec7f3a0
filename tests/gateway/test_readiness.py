"""Readiness asks the services behind the gateway over the wire, and names the one that is not there."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import grpc
import httpx
import pytest
from headrace_core.clock import TestClock
from headrace_gateway.app import create_app
from headrace_gateway.clients import Channels
from headrace_gateway.settings import GatewaySettings
from headrace_runtime import rpc

LIMITS = rpc.ServerLimits(notice=timedelta(0), grace=timedelta(0))


def nothing_more(server: grpc.aio.Server) -> None:
    """The health service is there by itself."""


class House:
    """Four servers, and a gateway in front of them."""

    def __init__(self) -> None:
        self.servers: dict[str, rpc.RunningServer] = {}
        self.clock = TestClock()
        self.client: httpx.AsyncClient

    async def readiness(self) -> tuple[int, dict[str, str]]:
        """What readiness says now; what was found a moment ago is over."""
        self.clock.advance(2)
        answer = await self.client.get("/health/ready")
        return answer.status_code, answer.json()["failed"]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        made = House()
        channels = {}
        for name in ("flow", "schedule", "execution", "log"):
            made.servers[name] = await stack.enter_async_context(rpc.serve("127.0.0.1:0", nothing_more, limits=LIMITS))
            channels[name] = await stack.enter_async_context(rpc.dial(made.servers[name].address))
        app = create_app(channels=Channels(**channels), settings=GatewaySettings(), clock=made.clock)
        app.health.is_serving = True
        made.client = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway.test")
        )
        yield made


async def test_the_executor_is_named_when_it_is_away_and_the_process_is_still_alive(house: House) -> None:
    assert await house.readiness() == (200, {})

    await house.servers["execution"].drain()

    assert await house.readiness() == (503, {"executor": "It cannot be reached."})
    assert (await house.client.get("/health/live")).status_code == 200


async def test_a_service_that_stops_takes_readiness_before_it_is_gone(house: House) -> None:
    assert await house.readiness() == (200, {})

    await house.servers["flow"].set_serving(False)

    status, failed = await house.readiness()
    assert (status, list(failed)) == (503, ["flow-manager"])

    await house.servers["flow"].set_serving(True)


async def test_events_are_taken_without_the_scheduler_and_the_log_which_are_named(house: House) -> None:
    await house.servers["schedule"].drain()
    await house.servers["log"].drain()

    status, failed = await house.readiness()
    assert (status, sorted(failed)) == (200, ["logging", "scheduler"])


async def test_a_caller_reads_which_service_is_away_and_no_method_names(house: House) -> None:
    await house.servers["flow"].drain()

    answer = await house.client.post("/user/auth", json={"email": "ada@example.com", "password": "correct horse"})

    assert answer.status_code == 503
    assert answer.json()["message"].startswith("The flow manager is away. Try again in a moment")
    assert "headrace.people" not in answer.text
