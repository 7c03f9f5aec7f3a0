"""A platform with users, flows, runs and dead messages, made by its API: the same for either mode."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx

from tests.api.people import HOOK, echo_flow, failing_flow, until

PASSWORD = "correct horse"
AT_ONCE = 16
NAMES = (
    "Invoices to the ledger",
    "New leads",
    "Nightly report",
    "Approve a holiday",
    "Sync the stock",
    "Tickets to chat",
)


async def seeded(url: str, login: str, password: str, *, users: int, flows: int, dead: int) -> None:
    """Make them. The first user has a flow whose steps fail, which is where the dead messages come from."""
    async with httpx.AsyncClient(base_url=url, timeout=120) as admin:
        token = (await admin.post("/user/auth", json={"username": login, "password": password})).json()["token"]
        admin.headers["Authorization"] = f"Bearer {token}"
        await _users(admin, users)
        everybody = await _tokens(admin, users)
        await _each(range(flows), lambda number: _flow(admin, everybody[number % users], number))
        await _dead(admin, everybody[0], dead)


async def _users(admin: httpx.AsyncClient, count: int) -> None:
    async def make(number: int) -> None:
        made = await admin.post("/user", json={"email": _address(number), "password": PASSWORD})
        assert made.status_code == 201, made.text

    await _each(range(count), make)


async def _tokens(admin: httpx.AsyncClient, count: int) -> Sequence[dict[str, str]]:
    """What each user sends along, in their order: administrators sign in as them, which needs no hash."""
    listed: list[dict[str, Any]] = []
    while len(page := (await admin.get("/users", params={"limit": 1000, "offset": len(listed)})).json()):
        listed += page
    ids = {each["email"]: each["id"] for each in listed}

    async def token(number: int) -> dict[str, str]:
        given = await admin.post(f"/users/{ids[_address(number)]}/sign-in-as")
        return {"Authorization": f"Bearer {given.json()['token']}"}

    return await _each(range(count), token)


async def _flow(admin: httpx.AsyncClient, owner: dict[str, str], number: int) -> None:
    name = f"{NAMES[number % len(NAMES)]} {number}"
    made = await admin.post("/flows", json={"name": name, "flow": echo_flow()}, headers=owner)
    assert made.status_code == 200, made.text
    if number % 3 == 0 and number < 300:  # starting takes longer than making, and a hundred that run are enough
        place = f"/flows/{made.json()['flowId']}"
        assert (await admin.post(f"{place}/coordinator", json={"command": "start"}, headers=owner)).status_code == 200
        await admin.post(f"{place}/components/{HOOK}", json={"name": "one"})


async def _dead(admin: httpx.AsyncClient, owner: dict[str, str], count: int) -> None:
    made = await admin.post("/flows", json={"name": "Orders of the day", "flow": failing_flow()}, headers=owner)
    place = f"/flows/{made.json()['flowId']}"
    assert (await admin.post(f"{place}/coordinator", json={"command": "start"}, headers=owner)).status_code == 200
    await _each(range(count), lambda _: admin.post(f"{place}/components/{HOOK}", json={"list": 5}))
    counted = "/unprocessed-messages?limit=1000"
    await until(lambda: admin.get(counted, headers=owner), lambda found: len(found) >= min(count, 1000), within=120)


async def _each(items: Sequence[Any], act: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    """Done for each, some at once; what came of each, in their order."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(item: Any) -> Any:
        async with room:
            return await act(item)

    return await asyncio.gather(*(one(each) for each in items))


def _address(number: int) -> str:
    return f"user{number:04}@example.com"
