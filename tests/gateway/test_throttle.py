"""Who asks without a token is counted by address, and nothing is remembered for ever."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from headrace_core.clock import TestClock
from headrace_core.errors import RateLimited
from headrace_gateway.app import STRANGERS_CALLS, STRANGERS_WINDOW
from headrace_gateway.throttle import Throttle

MINUTE = timedelta(minutes=1)


def test_an_address_may_ask_so_often_in_a_window_and_others_are_not_concerned() -> None:
    clock = TestClock()
    throttle = Throttle(clock, limit=2, window=MINUTE)
    throttle.count("one")
    clock.advance(20)
    throttle.count("one")

    with pytest.raises(RateLimited) as refused:
        throttle.count("one")
    throttle.count("other")
    clock.advance(40)
    throttle.count("one")

    assert refused.value.retry_after == timedelta(seconds=40)


def test_so_many_addresses_are_remembered_and_no_more() -> None:
    throttle = Throttle(TestClock(), limit=1, window=MINUTE, capacity=2)
    for address in ("one", "two", "three"):
        throttle.count(address)

    throttle.count("one")  # forgotten
    with pytest.raises(RateLimited):
        throttle.count("three")


async def test_the_catalog_is_there_for_a_stranger_so_often_and_for_who_signs_in_always(
    nobody: httpx.AsyncClient, user: httpx.AsyncClient, clock: TestClock
) -> None:
    for _ in range(STRANGERS_CALLS):
        assert (await nobody.get("/components")).status_code == 200

    refused = await nobody.get("/components")
    signed_in = await user.get("/components")
    clock.advance(STRANGERS_WINDOW.total_seconds())
    later = await nobody.get("/components")

    assert refused.status_code == 429 and int(refused.headers["retry-after"]) == STRANGERS_WINDOW.total_seconds()
    assert (signed_in.status_code, later.status_code) == (200, 200)
