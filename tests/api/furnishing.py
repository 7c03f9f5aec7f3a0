"""A tenant with lists of everything, filled with what filters stumble over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx

from .connector import VENDOR, packed, service
from .people import HOOK, echo_flow, make_running, until

CANARY = "bobscanary"
OPEN = """
type = "apiKey"
definition = {"auth": {"apiKey": {"type": "text", "name": "Key"}}, "validate": lambda context: True}
"""
SCALARS: Sequence[Any] = [
    "", " ", "a", "A", "b", "an", "banana", "é", "e\u0301", "ß", "SS", "İ", "ı", "K", "💥", "\u202e", "a\x00b",
    "\ufffd", "1", "1.0", "1.10", "1.50", "-0", "007", "1e3", "null", "true", "True", "$where", "this.name==1",
    "' OR '1'='1", "%", "_", "*", "[", "(a+)+$", "a" * 34 + "!", "a" * 40, "2026-01-31T00:00:00.000Z", "\\", '"',
    "{{{$.a}}}", "a:b", "!", "~x", ">5", "x=y", "a\nb", "-", "9" * 21, 0, 1, 2, -1, 1.0, 1.1, 1.5, 0.1, -1.5, 1000,
    2**53 + 1, 2**63 - 1, 2**64 - 1, 1e308, 5e-324, True, False, None,
]  # fmt: skip
SHAPES: Sequence[Any] = [
    [], {}, [1, "1", True], ["a", ["b", "c"]], [[]], [None], {"$ne": None}, {"$where": "1"}, {"$gt": ""},
    {"a": {"b": 1}}, [{"a": 1}, {"a": "x"}, 5, {"a": [2]}], {"a.b": 1, "a": {"b": 2}}, {"": {"": 1}}, {"a": ""},
    {"0": "zero"}, {"length": 3},
]  # fmt: skip
NAMES = [
    "One",
    "one",
    "ONE",
    "Straße",
    "100%",
    "x_y",
    "It's",
    'say "hi"',
    "a:b",
    "$where",
    "💥",
    "1.10",
    "007",
    "~",
    " lead",
]
LOG_WORDS = [
    "c1",
    "C1",
    "' OR 1=1 --",
    "$where",
    "a*b",
    "a?b",
    "AND",
    "x:y",
    "\\",
    "💥",
    "é",
    'q"q',
    "[a TO b]",
    "_exists_",
    "a b",
]


async def furnish_accounts(admin: httpx.AsyncClient, *clients: httpx.AsyncClient) -> None:
    """Give each of them accounts of a service that accepts everything, and that nobody has to ask."""
    user_id = (await admin.get("/user")).json()["id"]
    await _made(admin.put(f"/users/{user_id}", json={"vendor": VENDOR}))
    files = service("open", OPEN, "from headrace_sdk import Component\n\nclass Work(Component):\n    pass\n")
    headers = {"content-type": "application/octet-stream"}
    handed_in = await admin.post("/components", content=packed(files), headers=headers)
    assert handed_in.status_code == 200, handed_in.text
    ticket = handed_in.json()["ticket"]
    told = await until(lambda: admin.get(f"/components/uploader/{ticket}"), bool)
    assert "err" not in told, told
    for client in clients:
        for number, name in enumerate(NAMES[::2]):
            account = {
                "service": f"{VENDOR}:open",
                "token": {"apiKey": f"canary-{number}"},
                "name": f"{number} {name}",
                "displayName": name if number % 2 else "",
                "profileInfo": {"v": [*SCALARS, *SHAPES][number], "a.b": number},
            }
            await _made(client.post("/accounts", json=account))


async def furnish(client: httpx.AsyncClient, own: str, *, every: int = 1) -> dict[str, str]:
    """Give a tenant flows, stores, records, files, charts and tasks; `own` is part of every id and text that is free.

    `every` leaves all but every so-many-th of them out. Returns the ids of the store that holds records and of the
    flow that has runs.
    """
    each_value = [*SCALARS, *SHAPES]
    for number, name in list(enumerate(NAMES))[::every]:
        fields = {"v": each_value[number], "w": each_value[-1 - number], "own": own, "a.b": number, "$where": name}
        fields["list"] = each_value[number * 3 : number * 3 + 4]
        record = {"name": f"{name}", "customFields": fields, "flow": {}, "description": own if number % 2 else ""}
        await _made(client.put(f"/flows/{own}-{number}", json=record))
        chart = {"name": name, "index": number % 4 - 1.5 * (number % 2), "type": ["bar", "pie"][number % 2]}
        await _made(client.post("/charts", json={**chart, "options": {"v": each_value[number * 2], "own": own}}))
        await _made(client.post("/stores", json={"name": f"{name} {own if number % 3 else ''}"}))
        content = f"{own} {name}".encode() * (number % 5)
        kind = ["text/plain", "image/png", "application/json"][number % 3]
        asked = {"requester": f"{own}@example.com", "approver": f"a{number % 3}@example.org"}
        await _made(client.post("/people-task/tasks", json={**asked, "title": name, "description": own * (number % 2)}))
        await _made(client.post("/files", files={"file": (quote(name, safe=" %_"), content, kind)}))
    store_id = (await client.post("/stores", json={"name": f"Records {own}"})).json()["storeId"]
    for number, value in list(enumerate(each_value))[::every]:
        key = f"{NAMES[number % len(NAMES)]}{number}" if number % 4 else f"k{number}"
        await _made(client.post(f"/store/{store_id}/{quote(key, safe='')}", json={"v": value, "n": number % 7}))
        # Times are shown in milliseconds: no two records share one, so that their order by it is one order.
        await asyncio.sleep(0.002)
    flow_id = await make_running(client, echo_flow(), f"Runs {own}")
    for word in LOG_WORDS[::every]:
        url = f"/flows/{flow_id}/components/{HOOK}"
        answered = await client.post(url, json={"name": f"{own} {word}"}, params={"correlationId": word})
        assert answered.status_code == 200, answered.text
    return {"store": store_id, "flow": flow_id}


async def furnish_groups(admin: httpx.AsyncClient) -> None:
    """Make groups, which all users have in common."""
    for number, name in enumerate(NAMES):
        made = {"name": f"{number} {name.strip()}", "description": name * (number % 2)}
        await _made(admin.post("/groups", json=made))


async def _made(request: Any) -> None:
    answer = await request
    assert answer.status_code in (200, 201), answer.text
