"""A gateway in front of small services, reached over ASGI or over a socket."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from headrace_core.clock import SystemClock, TestClock
from headrace_gateway.app import Gateway, create_app
from headrace_gateway.clients import Channels
from headrace_gateway.server import Listening, serve_http
from headrace_gateway.settings import GatewaySettings

from .services import Services


@pytest.fixture
def chosen() -> GatewaySettings:
    """Small limits and short waits, so that tests meet them."""
    return GatewaySettings(
        ui_dir="/nowhere",  # these tests look at what there is without a built user interface
        cors_origins=("https://app.example.com",),
        webhook_timeout=timedelta(milliseconds=150),
        body_timeout=timedelta(milliseconds=200),
        webhook_bytes=2048,
        flow_bytes=8192,
        upload_bytes=4096,
        live_streams_per_user=2,
        drain_delay=timedelta(0),
        drain_timeout=timedelta(seconds=2),
    )


@pytest.fixture
async def services() -> Services:
    return Services()


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
async def gateway(services: Services, chosen: GatewaySettings, clock: TestClock) -> AsyncIterator[Gateway]:
    channel = services.server.channel()
    app = create_app(
        channels=Channels(flow=channel, schedule=channel, execution=channel, log=channel),
        settings=chosen,
        clock=clock,
    )
    app.health.is_serving = True
    yield app
    await app.drain()


@pytest.fixture
async def nobody(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A caller without a token."""
    transport = httpx.ASGITransport(app=gateway, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        yield client


@pytest.fixture
async def user(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with _client(gateway, "user-token") as client:
        yield client


@pytest.fixture
async def other(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A user of another tenant."""
    async with _client(gateway, "other-token") as client:
        yield client


@pytest.fixture
async def admin(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with _client(gateway, "admin-token") as client:
        yield client


@pytest.fixture
async def listening(gateway: Gateway) -> AsyncIterator[Listening]:
    """The gateway on a real socket."""
    async with serve_http(gateway, "127.0.0.1", 0, clock=SystemClock()) as listening:
        yield listening


def _client(gateway: Gateway, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=gateway, raise_app_exceptions=True),
        base_url="http://gateway.test",
        headers={"Authorization": f"Bearer {token}"},
    )
