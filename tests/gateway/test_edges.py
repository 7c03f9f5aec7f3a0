"""What every answer has in common: ids, headers, limits, CORS, health, numbers and the way out."""

import asyncio

import httpx
import pytest
from headrace_core import errors
from headrace_core.clock import TestClock
from headrace_gateway.app import Gateway
from headrace_gateway.server import Listening, serve_http

from .services import Services


async def test_a_request_id_is_repeated_when_it_is_harmless(nobody: httpx.AsyncClient) -> None:
    given = await nobody.get("/", headers={"X-Request-Id": "abc-1.2_3"})
    hostile = await nobody.get("/", headers={"X-Request-Id": "a b<script>"})

    assert given.headers["x-request-id"] == "abc-1.2_3"
    assert hostile.headers["x-request-id"].isalnum()


async def test_every_answer_is_kept_from_caches_and_sniffers(
    nobody: httpx.AsyncClient, user: httpx.AsyncClient
) -> None:
    for answer in (await nobody.get("/"), await nobody.get("/nowhere"), await user.get("/flows")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        [(f"x-{number}", "v") for number in range(101)],
        [("x-long", "v" * 33_000)],
    ],
)
@pytest.mark.parametrize("path", ["/", "/flows/f/components/echo"])
async def test_heads_have_an_end(headers: list[tuple[str, str]], path: str, nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get(path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (431, "too_large")


async def test_a_url_takes_so_many_parameters(user: httpx.AsyncClient) -> None:
    answer = await user.get("/flows?" + "&".join(["a=1"] * 201))

    assert answer.status_code == 400


ORIGINS = [
    ("https://app.example.com", True),
    ("http://app.example.com", False),
    ("https://app.example.com:8443", False),
    ("https://app.example.com.evil.test", False),
    ("https://evil-app.example.com", False),
    ("https://APP.example.com", False),
    ("null", False),
]


@pytest.mark.parametrize(("origin", "is_listed"), ORIGINS)
@pytest.mark.parametrize("path", ["/", "/flows", "/flows/f/components/echo"])
async def test_only_listed_origins_may_read_answers(
    origin: str, is_listed: bool, path: str, nobody: httpx.AsyncClient
) -> None:
    answer = await nobody.get(path, headers={"Origin": origin})
    preflight = await nobody.options(path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})

    assert (answer.headers.get("access-control-allow-origin") == origin) is is_listed
    assert answer.headers["vary"] == "Origin"
    assert preflight.status_code == (204 if is_listed else 403)
    assert ("access-control-allow-methods" in preflight.headers) is is_listed
    for each in (answer, preflight):
        assert "access-control-allow-credentials" not in each.headers
        assert len(each.headers.get_list("access-control-allow-origin")) <= 1


async def test_while_nobody_tells_the_lists_of_vendors_only_the_installations_holds(
    admin: httpx.AsyncClient, services: Services, clock: TestClock
) -> None:
    services.settings.origins = {"acme": ["https://acme.test"]}
    assert "access-control-allow-origin" in (await admin.get("/flows", headers={"Origin": "https://acme.test"})).headers

    services.settings.origins = None
    clock.advance(6)
    vendors = await admin.get("/flows", headers={"Origin": "https://acme.test"})
    ours = await admin.get("/flows", headers={"Origin": "https://app.example.com"})

    assert (vendors.status_code, vendors.headers.get("access-control-allow-origin")) == (200, None)
    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (200, "https://app.example.com")


async def test_options_tell_what_methods_there_are(nobody: httpx.AsyncClient) -> None:
    assert (await nobody.options("/flows")).headers["allow"] == "GET, POST, OPTIONS"
    assert (await nobody.options("/nowhere")).status_code == 404


async def test_a_process_that_drains_is_alive_but_not_ready(nobody: httpx.AsyncClient, gateway: Gateway) -> None:
    assert (await nobody.get("/health/ready")).status_code == 200

    gateway.begin_drain()

    assert (await nobody.get("/health/live")).status_code == 200
    assert (await nobody.get("/health/ready")).status_code == 503


async def test_numbers_are_counted_by_route_and_not_by_path(
    nobody: httpx.AsyncClient, user: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    await user.get("/flows/secret-id")
    await nobody.get("/no/such/path")
    await nobody.post("/flows/f/components/echo")

    text = (await admin.get("/metrics")).text

    assert 'route="/flows/{id}",method="GET",status="404"' in text
    assert "secret-id" not in text
    assert "/no/such/path" not in text
    assert 'headrace_gateway_webhooks_total{status="200"} 1' in text


async def test_the_root_is_a_page_for_people_and_json_for_programs(nobody: httpx.AsyncClient) -> None:
    page = await nobody.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    data = await nobody.get("/", headers={"Accept": "application/json, text/plain, */*"})

    assert page.headers["content-type"].startswith("text/html")
    assert "/docs/api" in page.text
    assert data.json()["name"] == "Headrace"
    assert data.json()["version"]


async def test_a_taken_port_is_refused_in_words(listening: Listening, gateway: Gateway) -> None:
    with pytest.raises(errors.Conflict, match="Set HEADRACE_PORT to another port"):
        async with serve_http(gateway, listening.host, listening.port):
            pass


async def test_a_head_that_never_ends_is_cut_off(listening: Listening) -> None:
    reader, writer = await asyncio.open_connection(listening.host, listening.port)
    writer.write(b"GET / HTTP/1.1\r\nx: ")
    async with asyncio.timeout(10):
        with_answer = asyncio.create_task(reader.read())
        for _ in range(40):
            if with_answer.done():
                break
            writer.write(b"a" * 8192)
            await asyncio.wait([with_answer], timeout=0.01)
        answer = await with_answer
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", b"A" * 100],
)
async def test_what_is_no_http_is_400_and_the_server_lives(garbage: bytes, listening: Listening) -> None:
    reader, writer = await asyncio.open_connection(listening.host, listening.port)
    writer.write(garbage + b"\r\n\r\n")
    writer.write_eof()
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()

    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    async with httpx.AsyncClient() as client:
        assert (await client.get(listening.url)).status_code == 200


async def test_requests_under_way_end_before_the_server_does(gateway: Gateway, services: Services) -> None:
    services.executor.may_commit.clear()
    async with httpx.AsyncClient() as client:
        async with serve_http(gateway, "127.0.0.1", 0) as listening:
            call = asyncio.create_task(client.post(f"{listening.url}/flows/f/components/echo?enqueueOnly=1"))
            await asyncio.wait_for(services.executor.called.wait(), 5)
            asyncio.get_running_loop().call_later(0.05, services.executor.may_commit.set)
        answer = await call

    assert answer.status_code == 202


async def test_who_hangs_up_in_a_pipeline_leaves_no_error_behind(
    listening: Listening, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.executor.may_commit.clear()
    _reader, writer = await asyncio.open_connection(listening.host, listening.port)
    call = b"POST /flows/f/components/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    writer.write(call * 3)
    await asyncio.wait_for(services.executor.called.wait(), 5)
    writer.close()
    await writer.wait_closed()
    async with httpx.AsyncClient() as client:
        await client.get(listening.url)
        services.executor.may_commit.set()
        answer = await client.post(f"{listening.url}/flows/f/components/echo")

    assert answer.status_code == 200
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
