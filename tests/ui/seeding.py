"""A platform with users, flows, runs and dead messages: the same for either mode.

Users and flows are put where they are kept, by the stores' own code; what runs was started, and what is dead has
failed, by the API.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from headrace_core.ids import new_id
from headrace_flow_manager.flows.model import Flow
from headrace_flow_manager.people.model import Token, User
from headrace_flow_manager.people.passwords import Passwords
from headrace_flow_manager.people.service import hash_of
from headrace_flow_manager.stores import mongo, sqlite
from headrace_flow_manager.stores.bundle import Stores

from tests.api.people import HOOK, echo_flow, failing_flow, until

PASSWORD = "correct horse"
AT_ONCE = 16
RUNNING = 100
LIFETIME = timedelta(hours=8)
NAMES = (
    "Invoices to the ledger",
    "New leads",
    "Nightly report",
    "Approve a holiday",
    "Sync the stock",
    "Tickets to chat",
)
Headers = dict[str, str]


@asynccontextmanager
async def opened(place: Path | str) -> AsyncIterator[Stores]:
    """What the flow manager keeps: in the file, or behind this address of MongoDB."""
    if isinstance(place, Path):
        stores = await sqlite.open_stores(place)
    else:
        stores = await mongo.open_stores(place, "headrace_flow_manager")
    try:
        yield stores
    finally:
        await stores.close()


async def seeded(url: str, place: Path | str, *, users: int, flows: int, dead: int) -> None:
    """Make them. The first user has a flow whose steps fail, which is where the dead messages come from."""
    async with opened(place) as stores:
        everybody = await _users(stores, users)
        owned = [(everybody[number % users], _flow(everybody[number % users][0], number)) for number in range(flows)]
        await _each(owned, lambda each: stores.flows.add(each[1].tenant_id, each[1]))
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        started = [(flow.flow_id, headers) for (_, headers), flow in owned[: 3 * RUNNING : 3]]
        await _each(started, lambda each: _start(client, *each))
        await _dead(client, everybody[0][1], dead)


async def _users(stores: Stores, count: int) -> Sequence[tuple[str, Headers]]:
    """Who they are, and what each sends along. They share a password, and its hash."""
    password_hash = await Passwords().hash(PASSWORD)
    now = datetime.now(UTC)

    async def make(number: int) -> tuple[str, Headers]:
        address, token = f"user{number:04}@example.com", secrets.token_urlsafe(32)
        user = User(new_id(), address, address, now + timedelta(microseconds=number))
        await stores.people.add(user, password_hash, Token(hash_of(token), user.user_id, now, now + LIFETIME))
        return user.user_id, {"Authorization": f"Bearer {token}"}

    return await _each(range(count), make)


def _flow(user_id: str, number: int) -> Flow:
    record = {"name": f"{NAMES[number % len(NAMES)]} {number}"}
    now = datetime.now(UTC) - timedelta(minutes=number)
    return Flow(new_id(), user_id, record, echo_flow(), created_at=now, modified_at=now)


async def _start(client: httpx.AsyncClient, flow_id: str, owner: Mapping[str, str]) -> None:
    place = f"/flows/{flow_id}"
    assert (await client.post(f"{place}/coordinator", json={"command": "start"}, headers=owner)).status_code == 200
    assert (await client.post(f"{place}/components/{HOOK}", json={"name": "one"})).status_code == 200


async def _dead(client: httpx.AsyncClient, owner: Headers, count: int) -> None:
    given = {"name": "Orders of the day", "flow": failing_flow()}
    made = await client.post("/flows", json=given, headers=owner)
    place = f"/flows/{made.json()['flowId']}"
    assert (await client.post(f"{place}/coordinator", json={"command": "start"}, headers=owner)).status_code == 200

    async def knock(_: int) -> None:
        assert (await client.post(f"{place}/components/{HOOK}", json={"list": 5})).status_code < 300

    await _each(range(count), knock)

    last = f"/unprocessed-messages?limit=1&offset={count - 1}"
    await until(lambda: client.get(last, headers=owner), bool, within=240)


async def _each(items: Sequence[Any], act: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    """Done for each, some at once; what came of each, in their order."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(item: Any) -> Any:
        async with room:
            return await act(item)

    return await asyncio.gather(*(one(each) for each in items))
