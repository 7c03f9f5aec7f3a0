"""GET, POST, PUT, PATCH and DELETE against a real server."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from headrace_connectors.utils.http import answers
from headrace_connectors.utils.http.Delete.component import Delete
from headrace_connectors.utils.http.Get.component import Get
from headrace_connectors.utils.http.Patch.component import Patch
from headrace_connectors.utils.http.Post.component import Post
from headrace_connectors.utils.http.Put.component import Put
from headrace_core import Json
from headrace_sdk import CancelError, Component, HttpStatusError, JsonObject, RateLimitedError
from headrace_sdk.testing import HttpHandler, World, run_component

if TYPE_CHECKING:
    from tests.connectors.http.conftest import Site

METHODS = {"GET": Get, "POST": Post, "PUT": Put, "PATCH": Patch, "DELETE": Delete}


async def sent(component: type[Component], content: JsonObject, network: HttpHandler) -> JsonObject:
    outcome = await run_component(component, content=content, http=network, out_ports=["response"])
    [message] = outcome.on("response")
    assert isinstance(message, dict)
    return message


@pytest.mark.parametrize("method", METHODS)
async def test_each_component_sends_its_method_and_passes_the_answer_on(
    method: str, site: Site, network: HttpHandler
) -> None:
    site.answers({"n": 1}, X_Kind="test")

    message = await sent(METHODS[method], {"url": f"{site.url}/a?b=c", "headers": '{"X-Me": "yes"}'}, network)

    [request] = site.received
    assert (request.method, request.path, request.headers["x-me"]) == (method, "/a?b=c", "yes")
    assert message["body"] == {"n": 1}
    assert message["statusCode"] == 200
    headers, told = message["headers"], message["request"]
    assert isinstance(headers, dict) and isinstance(told, dict) and isinstance(told["uri"], dict)
    assert headers["x-kind"] == "test"
    assert headers["content-type"] == {"type": "application/json", "parameters": {}}
    assert told["method"] == method.lower()
    assert told["uri"]["href"] == f"{site.url}/a?b=c"


@pytest.mark.parametrize("component", [Post, Patch])
async def test_what_must_not_happen_twice_carries_the_key_of_the_step(
    component: type[Component], site: Site, network: HttpHandler
) -> None:
    content: JsonObject = {"url": site.url, "body": "x"}

    await run_component(component, content=content, http=network, step_id="step-7")
    await run_component(component, content={**content, "headers": {"idempotency-key": "own"}}, http=network)

    assert [each.headers["idempotency-key"] for each in site.received] == ["step-7", "own"]


@pytest.mark.parametrize("component", [Get, Put, Delete])
async def test_what_may_happen_twice_carries_no_key(
    component: type[Component], site: Site, network: HttpHandler
) -> None:
    await run_component(component, content={"url": site.url}, http=network)

    assert "idempotency-key" not in site.received[0].headers


BODIES: list[tuple[JsonObject, bytes, str]] = [
    ({"body": '{"a": 1}'}, b'{"a": 1}', "application/json"),
    ({"body": {"a": "é"}}, '{"a": "é"}'.encode(), "application/json"),
    ({"body": "plain é"}, "plain é".encode(), "application/x-www-form-urlencoded"),
    ({"body": "42"}, b"42", "application/x-www-form-urlencoded"),
    ({"body": "<a/>", "headers": {"content-type": "text/xml"}}, b"<a/>", "text/xml"),
    ({"body": "AAEC", "bodyBase64Encode": True}, b"\0\1\2", "application/octet-stream"),
    (
        {"body": '{"a": {"b": [1, "x y"]}}', "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        b"a%5Bb%5D%5B0%5D=1&a%5Bb%5D%5B1%5D=x%20y",
        "application/x-www-form-urlencoded",
    ),
]


@pytest.mark.parametrize(("content", "body", "kind"), BODIES)
async def test_bodies_are_sent_as_what_they_are(
    content: JsonObject, body: bytes, kind: str, site: Site, network: HttpHandler
) -> None:
    await sent(Put, {"url": site.url, **content}, network)

    [request] = site.received
    assert (request.body, request.headers["content-type"]) == (body, kind)


async def test_the_body_of_get_becomes_its_query(site: Site, network: HttpHandler) -> None:
    body = '{"q": "a b&c", "n": 2, "list": [1, 2], "none": null, "deep": {"x": 1}}'

    await sent(Get, {"url": f"{site.url}/find?p=1", "body": body}, network)

    expected = "/find?p=1&q=a%20b%26c&n=2&list[]=1&list[]=2&deep=%7B%22x%22%3A%201%7D"
    assert site.received[0].path.replace("%5B", "[").replace("%5D", "]") == expected
    assert site.received[0].body == b""


async def test_a_stored_file_is_sent_as_the_body(site: Site, network: HttpHandler) -> None:
    world = World()
    file = await world.files.save("a.bin", b"\0bytes")
    content: JsonObject = {"url": site.url, "bodyType": "binary", "fileId": file.file_id}

    await run_component(Post, content=content, http=network, world=world)

    assert site.received[0].body == b"\0bytes"
    assert site.received[0].headers["content-type"] == "application/octet-stream"


async def test_a_form_holds_fields_and_files_and_is_the_same_when_repeated(site: Site, network: HttpHandler) -> None:
    world = World()
    file = await world.files.save('so"so.txt', b"file text", "text/plain")
    entries: list[Json] = [
        {"name": "word", "type": "text", "text": "é"},
        {"name": "many", "type": "number", "number": 3},
        {"name": "on", "type": "toggle", "toggle": True},
        {"name": "up", "type": "filepicker", "filepicker": file.file_id},
    ]
    content: JsonObject = {"url": site.url, "bodyType": "form-data", "bodyFormData": {"ADD": entries}}

    for _ in range(2):
        await run_component(Post, content=content, http=network, world=world, step_id="one")

    first, second = site.received
    assert first.body == second.body
    assert first.headers["content-type"].startswith("multipart/form-data; boundary=")
    for part in (
        'name="word"\r\n\r\né\r\n',
        'name="many"\r\n\r\n3\r\n',
        'name="on"\r\n\r\ntrue\r\n',
        'name="up"; filename="so%22so.txt"\r\nContent-Type: text/plain\r\n\r\nfile text\r\n',
    ):
        assert f"Content-Disposition: form-data; {part}".encode() in first.body


ENCODINGS: list[tuple[str | None, bytes, Json]] = [
    ("utf8", "é".encode(), "é"),
    (None, b'{"a": 1}', {"a": 1}),
    ("noEncoding", b"12", 12),
    ("utf8", b"\xef\xbb\xbf[1]", [1]),
    ("utf8", b'{"a": NaN}', '{"a": NaN}'),
    ("utf8", b"", ""),
    ("latin1", b"\xe9", "é"),
    ("binary", b"\xe9", "é"),
    ("ascii", b"\xe1", "a"),
    ("utf16le", "né".encode("utf-16-le"), "né"),
    ("base64", b"1234", base64.b64encode(b"1234").decode()),
    ("hex", b"\x12\x34", "1234"),
]


@pytest.mark.parametrize(("encoding", "body", "expected"), ENCODINGS)
async def test_the_answer_is_read_in_the_chosen_encoding(
    encoding: str | None, body: bytes, expected: Json, site: Site, network: HttpHandler
) -> None:
    site.answers(body)

    message = await sent(Get, {"url": site.url, "responseEncoding": encoding}, network)

    assert message["body"] == expected


async def test_a_status_outside_200_to_299_fails_with_what_the_server_said(site: Site, network: HttpHandler) -> None:
    site.answers({"message": "no such pet"}, status=404)

    with pytest.raises(HttpStatusError, match="status 404: no such pet") as failure:
        await sent(Get, {"url": site.url}, network)

    assert failure.value.status == 404
    assert isinstance(failure.value.data, dict)
    assert failure.value.data["body"] == '{"message": "no such pet"}'


async def test_429_says_how_long_to_wait(site: Site, network: HttpHandler) -> None:
    site.answers(b"slow", status=429, Retry_After="120")

    with pytest.raises(RateLimitedError) as failure:
        await sent(Get, {"url": site.url}, network)

    assert failure.value.retry_after == timedelta(seconds=120)


async def test_secrets_of_the_request_are_not_passed_on(site: Site, network: HttpHandler) -> None:
    message = await sent(Get, {"url": site.url, "headers": {"Authorization": "Bearer secret"}}, network)

    assert site.received[0].headers["authorization"] == "Bearer secret"
    assert "secret" not in str(message)


async def test_credentials_in_the_url_are_sent_as_a_header_and_nowhere_else(site: Site, network: HttpHandler) -> None:
    url = site.url.replace("http://", "http://me:sec%20ret@")

    message = await sent(Get, {"url": url}, network)

    expected = base64.b64encode(b"me:sec ret").decode()
    assert site.received[0].headers["authorization"] == f"Basic {expected}"
    assert "sec" not in str(message) and expected not in str(message)


WRONG: list[tuple[JsonObject, str]] = [
    ({}, "field url"),
    ({"url": "ftp://x/"}, "http://"),
    ({"url": "http://[x"}, "no URL"),
    ({"url": "http://x", "headers": "{"}, "headers is no JSON"),
    ({"url": "http://x", "headers": "[]"}, "must be a JSON object"),
    ({"url": "http://x", "headers": {"A": "b\r\nC: d"}}, "line break"),
    ({"url": "http://x", "bodyType": "soap"}, "body type"),
    ({"url": "http://x", "bodyType": "binary"}, "fileId"),
    ({"url": "http://x", "bodyType": "form-data", "bodyFormData": {"ADD": [{"type": "text"}]}}, "needs a name"),
    ({"url": "http://x", "body": "A", "bodyBase64Encode": True}, "base64"),
    ({"url": "http://x", "responseEncoding": "rot13"}, "rot13"),
]


@pytest.mark.parametrize(("content", "complaint"), WRONG)
async def test_input_that_makes_no_request_is_refused_by_name(content: JsonObject, complaint: str) -> None:
    with pytest.raises(CancelError, match=complaint):
        await run_component(Post, content=content)


async def test_a_query_of_get_must_be_an_object() -> None:
    with pytest.raises(CancelError, match="JSON object"):
        await run_component(Get, content={"url": "http://x", "body": "[1]"})


async def test_an_answer_that_fits_no_message_is_refused(site: Site, network: HttpHandler) -> None:
    site.answers(b"x" * (answers.MAX_BODY_BYTES + 1))

    with pytest.raises(CancelError, match="at most"):
        await sent(Get, {"url": site.url}, network)
