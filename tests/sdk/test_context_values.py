"""What the SDK itself does: answers that are errors, values kept for a while, streams in pieces, generators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from headrace_core.clock import TestClock
from headrace_sdk import Component, Context, HttpResponse, HttpStatusError, Output, RateLimitedError
from headrace_sdk.caching import MOST_BYTES, MemoryCache
from headrace_sdk.streaming import pieces_of
from headrace_sdk.testing import ComponentCall, HttpRequest, World, run_component, run_tick


def test_an_answer_of_an_error_is_raised_as_the_engine_takes_it() -> None:
    fine = HttpResponse(204)

    assert fine.raise_for_status() is fine
    with pytest.raises(HttpStatusError, match="https://x answered with status 503: Down") as failed:
        HttpResponse(503, content=b"Down", url="https://x").raise_for_status()
    assert failed.value.status == 503


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("7", timedelta(seconds=7)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", timedelta()),
        ("soon", None),
        ("", None),
        ("9" * 30, None),
    ],
)
def test_a_pause_that_is_asked_for_is_kept(text: str, pause: timedelta | None) -> None:
    with pytest.raises(RateLimitedError) as limited:
        HttpResponse(429, [("Retry-After", text)]).raise_for_status()

    assert limited.value.retry_after == pause


def test_a_cache_keeps_values_for_a_while_and_not_too_many() -> None:
    clock = TestClock()
    cache = MemoryCache(2, lambda: clock.now().timestamp())
    value: Any = {"a": [1]}
    cache.set("a", value, timedelta(seconds=10))
    value["a"].append(2)
    cache.set("large", "x" * MOST_BYTES)

    assert (cache.get("a"), cache.get("large", "no"), cache.get("none", 1)) == ({"a": [1]}, "no", 1)
    clock.advance(timedelta(seconds=10))
    assert cache.get("a") is None
    for name in ("b", "c"):
        cache.set(name, name)
    assert cache.get("b") == "b"
    cache.set("d", "d")
    assert [cache.get(name) for name in ("b", "c", "d")] == ["b", None, "d"]


async def streamed(*pieces: Any) -> AsyncIterator[Any]:
    for each in pieces:
        yield each


async def test_a_stream_is_cut_into_pieces_of_one_size() -> None:
    found = [each async for each in pieces_of(streamed(b"abc", b"", bytearray(b"defgh"), b"i"), 4)]

    assert found == [b"abcd", b"efgh", b"i"]
    with pytest.raises(TypeError, match="gave str"):
        [each async for each in pieces_of(streamed("text"))]


class Generating(Component):
    """Yields what it sends, and looks for news the same way."""

    def receive(self, context: Context) -> Any:
        return self._found(context)

    async def tick(self, context: Context) -> AsyncIterator[Any]:
        yield "news"

    async def _found(self, context: Context) -> AsyncIterator[Any]:
        answer = await context.http.get("https://x/y", params={"page": "1"})
        yield answer.raise_for_status().json()
        yield Output(await context.call("a.b.c.D", "list", transform="short"), port="other")


async def test_what_a_component_yields_is_sent_where_it_says() -> None:
    async def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, content=b'{"from": "%s"}' % request.url.encode())

    async def other(call: ComponentCall) -> Any:
        return [call.component_type, call.port, call.transform]

    world = World(components=other)

    outcome = await run_component(Generating, http=answer, world=world)

    assert outcome.outputs == [("out", {"from": "https://x/y?page=1"}), ("other", ["a.b.c.D", "list", "short"])]
    assert (await run_tick(Generating)).outputs == [("out", "news")]


async def test_files_come_and_go_in_pieces_in_tests_too() -> None:
    class Copying(Component):
        async def receive(self, context: Context) -> None:
            kept = await context.files.save("a.txt", streamed(b"ab", b"c"))
            await context.send_json([[piece.decode() async for piece in context.files.stream(kept.file_id)]])

    assert (await run_component(Copying)).on("out") == [[["abc"]]]
