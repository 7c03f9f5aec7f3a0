"""What the listener of metrics promises."""

import asyncio

import pytest
from headrace_core.errors import Conflict, Unavailable, ValidationFailed
from headrace_runtime.metrics import Metrics
from headrace_runtime.metrics_listener import MAX_HEAD_BYTES, MetricsSettings, open_metrics, serve_metrics


async def said(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


async def test_metrics_are_shown_to_whoever_gets_them() -> None:
    metrics = Metrics()
    metrics.counter("runs_total", "Runs.").inc(3)

    async with serve_metrics(metrics, "127.0.0.1", 0) as port:
        answer = await said(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
    assert f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"
    assert body.endswith(b"runs_total 3\n")


async def test_nothing_but_metrics_is_there() -> None:
    async with serve_metrics(Metrics(), "127.0.0.1", 0) as port:
        assert (await said(port, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
        assert (await said(port, b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        assert (await said(port, b"HEAD /metrics HTTP/1.1\r\n\r\n")).endswith(b"\r\n\r\n")


async def test_a_head_without_an_end_gets_no_answer_and_the_next_caller_does() -> None:
    async with serve_metrics(Metrics(), "127.0.0.1", 0) as port:
        assert await said(port, b"x" * (4 * MAX_HEAD_BYTES)) == b""
        assert (await said(port, b"GET /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")


async def test_a_store_that_is_away_leaves_the_other_numbers_to_be_shown() -> None:
    metrics = Metrics()
    age = metrics.gauge("age_seconds", "Age.")
    age.set(7)

    async def look() -> None:
        raise Unavailable("The store is away.")

    metrics.look(look)

    assert (await metrics.text()).endswith("age_seconds 7\n")


async def test_a_look_is_taken_before_each_text() -> None:
    metrics, seen = Metrics(), iter((1, 2))
    age = metrics.gauge("age_seconds", "Age.")

    async def look() -> None:
        age.set(next(seen))

    metrics.look(look)

    assert (await metrics.text()).endswith("age_seconds 1\n")
    assert (await metrics.text()).endswith("age_seconds 2\n")


async def test_without_an_address_metrics_are_shown_nowhere() -> None:
    async with open_metrics({}) as metrics:
        assert metrics.render() == ""


async def test_a_process_that_shows_its_metrics_watches_its_event_loop() -> None:
    async with open_metrics({"HEADRACE_METRICS_LISTEN": ":0"}) as metrics:
        await asyncio.sleep(0)

        assert "headrace_loop_lag_seconds" in metrics.render()


@pytest.mark.parametrize("address", ["here", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999"])
async def test_an_address_that_is_none_is_refused_by_its_name(address: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        async with open_metrics({"HEADRACE_METRICS_LISTEN": address}):
            pass

    assert refused.value.problems[0].where == "HEADRACE_METRICS_LISTEN"


async def test_an_address_that_is_taken_is_told() -> None:
    async with serve_metrics(Metrics(), "127.0.0.1", 0) as port:
        with pytest.raises(Conflict, match="HEADRACE_METRICS_LISTEN"):
            async with open_metrics({"HEADRACE_METRICS_LISTEN": f"127.0.0.1:{port}"}):
                pass


def test_an_address_without_a_host_is_the_loopback_address() -> None:
    assert MetricsSettings(listen=":9464").place == ("127.0.0.1", 9464)
    assert MetricsSettings(listen="[::]:9464").place == ("::", 9464)
