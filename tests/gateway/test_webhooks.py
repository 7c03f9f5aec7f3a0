"""Webhooks: what arrives becomes an event, what is answered 2xx is durable, and nothing else gets in."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import httpx
import orjson
import pytest
from headrace_core import Json, errors
from headrace_gateway.app import Gateway
from headrace_gateway.clients.executions import Acceptance, Accepted, Event, ExecutionClient
from headrace_gateway.coalescer import Coalescer
from headrace_gateway.passing import clean_headers
from headrace_gateway.server import Listening
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE

from .services import Services

ECHO = "/flows/f1/components/echo"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_every_verb_reaches_the_flow(method: str, nobody: httpx.AsyncClient) -> None:
    answer = await nobody.request(method, ECHO + "?a=1&b=2&b=3", headers={"X-Own": "x"})

    content = answer.json()
    assert answer.status_code == 200
    assert content["method"] == method
    assert content["query"] == {"a": "1", "b": ["2", "3"]}
    assert content["headers"]["x-own"] == "x"
    assert content["hostname"] == "gateway.test"
    assert content["path"] == ECHO
    assert answer.headers["x-headrace-run-id"]


async def test_a_head_call_reaches_the_flow_too(nobody: httpx.AsyncClient, services: Services) -> None:
    assert (await nobody.head(ECHO)).status_code == 200
    assert orjson.loads(services.executor.events[0].content)["method"] == "HEAD"


@pytest.mark.parametrize(
    ("kind", "body", "data"),
    [
        ("application/json", b'{"a": [1, "x"]}', {"a": [1, "x"]}),
        ("application/vnd.api+json", b"[1]", [1]),
        ("application/json; charset=utf-8", b'"text"', "text"),
        ("application/x-www-form-urlencoded", b"a=1&b=2&a=3&c=", {"a": ["1", "3"], "b": "2", "c": ""}),
        ("text/plain", "grün".encode(), "grün"),
        ("text/plain; charset=iso-8859-1", "grün".encode("latin-1"), "grün"),
        ("application/xml", b"<a/>", "<a/>"),
        ("", b'{"a": 1}', {"a": 1}),
        ("", b"word", "word"),
        ("application/json", b"", None),
    ],
)
async def test_a_body_is_the_data_it_says_it_is(kind: str, body: bytes, data: Json, nobody: httpx.AsyncClient) -> None:
    answer = await nobody.post(ECHO, content=body, headers={"Content-Type": kind} if kind else {})

    assert answer.json()["data"] == data


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b'{"a":', 400),
        ("application/json", b"NaN", 400),
        ("application/json", b"[" * 65 + b"]" * 65, 400),
        ("application/json", b"[" * 1500, 400),
        ("application/json", b'"\xff"', 400),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("image/png", b"\x89PNG\xff", 415),
        ("text/plain; charset=utf-7", b"x", 415),
        ("text/plain", b"x" * 2049, 413),
    ],
)
async def test_what_cannot_be_data_is_refused_and_makes_no_run(
    kind: str, body: bytes, status: int, nobody: httpx.AsyncClient, services: Services
) -> None:
    answer = await nobody.post(ECHO, content=body, headers={"Content-Type": kind})

    assert answer.status_code == status
    assert answer.json()["statusCode"] == status
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    assert services.executor.batches == []


async def test_big_numbers_keep_their_digits(nobody: httpx.AsyncClient, services: Services) -> None:
    await nobody.post(ECHO, content=b'{"n": 123456789012345678901234567890}')

    assert b"123456789012345678901234567890" in services.executor.events[0].content


async def test_a_form_has_at_most_a_thousand_fields(nobody: httpx.AsyncClient, gateway: Gateway) -> None:
    body = b"&".join([b"a"] * 1001)

    answer = await nobody.post(ECHO, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_a_flows_answer_is_passed_on(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.post("/flows/f1/components/teapot")

    assert (answer.status_code, answer.text) == (418, "short and stout")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-tea"] == "green"


async def test_a_flow_cannot_break_the_answer_apart(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.post("/flows/f1/components/evil")

    assert answer.status_code == 204
    assert answer.content == b""
    assert answer.headers["x-good"] == "yes"
    kept_back = {"transfer-encoding", "content-length", "x-split", "set-cookie", "access-control-allow-origin"}
    assert kept_back.isdisjoint(answer.headers)
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_a_flow_without_an_answer_of_its_own_answers_an_empty_object(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.post("/flows/f1/components/implicit")

    assert (answer.status_code, answer.json()) == (200, {})


async def test_a_flow_that_only_takes_the_event_is_202_with_its_run(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.post("/flows/f1/components/taken")

    assert answer.status_code == 202
    assert answer.json() == {"runId": answer.headers["x-headrace-run-id"], "flowId": "f1"}


async def test_a_flow_that_says_nothing_in_time_is_202_with_its_run(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.post("/flows/f1/components/silent")

    assert answer.status_code == 202
    assert answer.json() == {"runId": answer.headers["x-headrace-run-id"], "flowId": "f1"}


async def test_enqueue_only_does_not_wait(nobody: httpx.AsyncClient, services: Services) -> None:
    answer = await nobody.post("/flows/f1/components/silent?enqueueOnly=true")

    assert answer.status_code == 202
    assert not services.executor.events[0].wants_answer


async def test_a_refusal_is_answered_with_its_code(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.post("/flows/f1/components/refused")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("header", ["Idempotency-Key", "webhook-id", "X-Headrace-Event-Id"])
async def test_the_same_event_twice_is_the_same_run(header: str, nobody: httpx.AsyncClient, services: Services) -> None:
    first = await nobody.post(ECHO, headers={header: "e1"})
    second = await nobody.post(ECHO, headers={header: "e1"})
    third = await nobody.post(ECHO, headers={header: "e2"})

    runs = [each.headers["x-headrace-run-id"] for each in (first, second, third)]
    assert runs[0] == runs[1] != runs[2]
    assert services.executor.events[0].event_id == f"{header.lower()}:e1"


async def test_a_duplicate_that_nobody_answers_is_told_its_run(nobody: httpx.AsyncClient) -> None:
    silent = "/flows/f1/components/silent"
    first = await nobody.post(silent, headers={"Idempotency-Key": "e"})
    again = await nobody.post(silent, headers={"Idempotency-Key": "e"})

    assert again.json() == {**first.json(), "duplicate": True}


async def test_without_an_event_id_every_call_is_a_run(nobody: httpx.AsyncClient, services: Services) -> None:
    first, second = await nobody.post(ECHO), await nobody.post(ECHO)

    assert first.headers["x-headrace-run-id"] != second.headers["x-headrace-run-id"]
    ids = [event.event_id for event in services.executor.events]
    assert all(ids)  # so that a call which gRPC repeats on the way to the executor is no second run
    assert ids[0] != ids[1]


@pytest.mark.parametrize("header", ["Idempotency-Key", "webhook-id", "X-Headrace-Event-Id"])
async def test_an_event_id_of_tests_is_refused(header: str, nobody: httpx.AsyncClient, services: Services) -> None:
    refused = await nobody.post(ECHO, headers={header: "test:1"})
    fine = await nobody.post(ECHO, headers={header: "testing:1"})

    said = refused.json()
    assert (refused.status_code, fine.status_code) == (400, 200)
    assert said["problems"][0]["where"] == header.lower() and "tests of flows" in said["problems"][0]["message"]
    assert len(services.executor.events) == 1


async def test_event_and_correlation_ids_have_a_length(nobody: httpx.AsyncClient, services: Services) -> None:
    long_id = await nobody.post(ECHO, headers={"Idempotency-Key": "x" * 256})
    long_correlation = await nobody.post(ECHO, params={"correlationId": "x" * 256})
    two = await nobody.post(ECHO + "?correlationId=a&correlationId=b")
    fine = await nobody.post(ECHO, params={"correlationId": "order 7"})

    assert [long_id.status_code, long_correlation.status_code, two.status_code] == [400, 400, 400]
    assert fine.status_code == 200
    assert [event.correlation_id for event in services.executor.events] == ["order 7"]


@pytest.mark.parametrize("name", ["a%2Fb", "a;b", "%00", "a%0d%0ab", "a" * 201, "..%5c"])
async def test_a_node_id_is_words_blanks_and_hyphens(name: str, nobody: httpx.AsyncClient, services: Services) -> None:
    assert (await nobody.post(f"/flows/f1/components/{name}")).status_code == 404
    assert services.executor.batches == []


async def test_a_token_is_neither_needed_nor_asked_about(nobody: httpx.AsyncClient, services: Services) -> None:
    await nobody.post(ECHO, headers={"Authorization": "Bearer whatever"})

    assert services.people.asked == 0


async def test_unknown_methods_are_405(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.request("PROPFIND", ECHO)

    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


async def test_an_executor_that_is_away_is_503_and_says_when_to_come_back(
    nobody: httpx.AsyncClient, services: Services
) -> None:
    services.executor.failure = errors.Unavailable("The store is away.")

    answer = await nobody.post(ECHO)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"


async def test_a_mistake_of_ours_tells_nothing_but_the_request_id(
    nobody: httpx.AsyncClient, services: Services
) -> None:
    services.executor.failure = errors.Internal("secret detail")

    answer = await nobody.post(ECHO, headers={"X-Request-Id": "req-7"})

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["requestId"] == answer.headers["x-request-id"] == "req-7"


async def test_requests_that_arrive_during_a_commit_leave_together(
    nobody: httpx.AsyncClient, services: Services
) -> None:
    services.executor.may_commit.clear()
    calls = [asyncio.create_task(nobody.post(ECHO)) for _ in range(50)]
    await turns(500)
    services.executor.may_commit.set()
    answers = await asyncio.gather(*calls)

    assert {answer.status_code for answer in answers} == {200}
    sizes = [len(batch) for batch in services.executor.batches]
    assert sizes == [1, 1, 48]
    assert [answer.json()["path"] for answer in answers] == [ECHO] * 50


async def test_nobody_is_told_202_before_the_commit(nobody: httpx.AsyncClient, services: Services) -> None:
    services.executor.may_commit.clear()
    call = asyncio.create_task(nobody.post(ECHO + "?enqueueOnly=true"))
    await turns(100)
    assert not call.done()

    services.executor.may_commit.set()

    assert (await call).status_code == 202


async def test_an_acceptance_that_does_not_come_is_503(services: Services) -> None:
    services.executor.may_commit.clear()
    coalescer = _coalescer(services, accept_within=0.02)

    with pytest.raises(errors.DeadlineExceeded):
        await coalescer.submit(_event("echo"))
    await coalescer.drain()


async def test_a_batch_is_bounded_in_events(services: Services) -> None:
    services.executor.may_commit.clear()
    coalescer = _coalescer(services)
    calls = [asyncio.create_task(coalescer.submit(_event("echo"))) for _ in range(1200)]
    await turns(50)
    services.executor.may_commit.set()
    outcomes = await asyncio.gather(*calls)
    await coalescer.drain()

    assert max(len(batch) for batch in services.executor.batches) == 500
    assert len({outcome.run_id for outcome in outcomes}) == 1200


async def test_a_caller_who_leaves_takes_nobody_along(services: Services) -> None:
    services.executor.may_commit.clear()
    coalescer = _coalescer(services)
    calls = [asyncio.create_task(coalescer.submit(_event("echo"))) for _ in range(6)]
    await turns(20)
    calls[0].cancel()
    calls[4].cancel()
    services.executor.may_commit.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    await coalescer.drain()

    left = [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes]
    assert left == [True, False, False, False, True, False]


async def test_a_stream_that_breaks_after_the_commit_still_means_accepted(services: Services) -> None:
    async def accept(events: Sequence[Event], timeout_seconds: float) -> AsyncGenerator[Accepted, None]:
        yield Accepted([Acceptance(0, "run-1", False, None)], [])
        raise errors.Unavailable("The executor left.")

    coalescer = Coalescer(accept, accept_within_seconds=1)

    assert (await coalescer.submit(_event("echo", answer_within=1.0))).run_id == "run-1"
    await coalescer.drain()


async def test_an_event_that_waits_for_a_free_lane_is_refused_as_soon_as_one_under_way() -> None:
    async def accept(events: Sequence[Event], within: float) -> AsyncGenerator[Accepted, None]:
        await asyncio.get_running_loop().create_future()
        yield Accepted([], [])

    coalescer = Coalescer(accept, accept_within_seconds=0.5, lanes=1)
    began = asyncio.get_running_loop().time()

    under_way = asyncio.create_task(coalescer.submit(_event("echo", answer_within=10.0)))
    await asyncio.sleep(0.2)
    waiting = asyncio.create_task(coalescer.submit(_event("echo", answer_within=10.0)))
    outcomes = await asyncio.gather(under_way, waiting, return_exceptions=True)

    assert [type(each) for each in outcomes] == [errors.DeadlineExceeded] * 2
    assert asyncio.get_running_loop().time() - began < 1.0
    await coalescer.drain()


@settings(max_examples=60, deadline=None)
@given(headers=st.dictionaries(st.text(max_size=30), st.text(max_size=50) | st.integers() | st.none()))
def test_any_headers_of_a_flow_come_out_well_formed(headers: dict[str, Json]) -> None:
    for name, value in clean_headers(headers):
        assert not HEADER_RE.search(name)
        assert not HEADER_VALUE_RE.search(value)


async def test_a_slow_body_is_408_and_makes_no_run(listening: Listening, services: Services) -> None:
    reader, writer = await asyncio.open_connection(listening.host, listening.port)
    writer.write(b"POST /flows/f/components/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"deadline_exceeded" in answer
    assert services.executor.batches == []


async def test_a_webhook_over_a_socket_keeps_the_connection(listening: Listening) -> None:
    async with httpx.AsyncClient(base_url=listening.url) as client:
        for _ in range(3):
            answer = await client.post(ECHO, json={"a": 1})
            assert answer.json()["data"] == {"a": 1}
        empty = await client.post("/flows/f1/components/evil")
        after = await client.post(ECHO, json={"a": 2})

    assert (empty.status_code, after.json()["data"]) == (204, {"a": 2})


async def turns(count: int) -> None:
    """Let everybody else run for a while."""
    for _ in range(count):
        await asyncio.sleep(0)


def _coalescer(services: Services, accept_within: float = 5.0) -> Coalescer:
    client = ExecutionClient(services.server.channel(), 5.0)
    return Coalescer(client.accept, accept_within_seconds=accept_within)


def _event(node_id: str, answer_within: float = 0.0) -> Event:
    return Event("f", node_id, "webhook", b"{}", answer_within_seconds=answer_within)
