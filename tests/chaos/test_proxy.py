"""A bad link passes on what it gets until it breaks, and again once it is whole."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator

import pytest

from .effects import Sink
from .proxy import Proxy


@pytest.fixture
def sink() -> Iterator[Sink]:
    with contextlib.closing(Sink()) as opened:
        yield opened


@pytest.fixture
def proxy(sink: Sink) -> Iterator[Proxy]:
    with contextlib.closing(Proxy(sink.port)) as opened:
        yield opened


def connected(proxy: Proxy) -> contextlib.closing[http.client.HTTPConnection]:
    return contextlib.closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5))


def call(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("POST", path, b"{}")
    with connection.getresponse() as answer:
        answer.read()
        return answer.status


def test_what_comes_is_passed_on(proxy: Proxy, sink: Sink) -> None:
    with connected(proxy) as one, connected(proxy) as other:
        assert [call(one, "/a/1"), call(other, "/a/2")] == [200, 200]

    assert set(sink.calls("a")) == {"1", "2"}
    assert proxy.resets == 0


def test_a_broken_link_resets_what_is_open_and_what_comes(proxy: Proxy, sink: Sink) -> None:
    with connected(proxy) as before, connected(proxy) as after:
        call(before, "/a/1")

        proxy.break_off()

        with pytest.raises(ConnectionError):
            call(before, "/a/2")
        with pytest.raises(ConnectionError):
            call(after, "/a/3")
    assert proxy.resets >= 2
    assert set(sink.calls("a")) == {"1"}

    proxy.heal()
    with connected(proxy) as again:
        assert call(again, "/a/4") == 200


def test_a_link_to_nobody_is_reset() -> None:
    with contextlib.closing(Sink()) as gone:
        port = gone.port
    with contextlib.closing(Proxy(port)) as proxy, connected(proxy) as one, pytest.raises(ConnectionError):
        call(one, "/a/1")
