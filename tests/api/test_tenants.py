"""Two tenants with twin data: whatever of Ann's Bob names, wherever he names it, he hears what an id of nobody gets.

Every route of the live table is called as Bob with each of Ann's ids in the path, in the query and in each field of
the body, and once more with an id of the same form that nobody has. The two answers must be alike, none may hold a
word of Ann's, and what Ann has must be untouched afterwards. In server mode, where each request takes a way over
sockets, each place but the path and filters gets one of the ids, another one each time.
"""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from headrace_core.archives import write_archive
from headrace_gateway.openapi import openapi_document
from headrace_gateway.routes import ROUTES
from headrace_gateway.routing import Policy, Route

from .archive_parts import members
from .furnishing import OPEN
from .people import HOOK, People, echo_flow, failing_flow, make_running, until

CANARY = "annscanary"
TWIN = "bobstwin"
TASKS = "/plugins/appmixer/utils/tasks"
# Names under which ids may come, besides those that a route's own schema has.
ID_NAMES = (
    "flowId",
    "storeId",
    "userId",
    "componentId",
    "correlationId",
    "fileId",
    "chartId",
    "accountId",
    "runId",
    "taskId",
)
NOT_IDS = {"limit", "offset", "size", "from", "sort", "projection", "includes", "excludes", "trace", "allTenants"}
# Who makes a flow may choose its id, and ids of flows are unique in the installation, as webhooks are found by them
# alone: that an id is taken is told, whose it is and what it has is not.
CHOOSING_IDS = {("POST", "/flows"), ("PUT", "/flows/{id}")}
# Texts and times that two answers to one request may differ in.
NUMBERS = itertools.count()
FRESH = re.compile(
    r"name-\d{8}|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{24,32}|\d{4}-\d\d-\d\dT[0-9:.]+Z?|\b\d{13}\b|hr_pat_[\w-]+"
)
# These speak of the caller's own token and password; what they would end is what the test calls with.
OF_THE_CALLER = {"/user/sign-out", "/user/sign-out-everywhere", "/user/change-password", "/user/auth", "/user"}
CALLABLE = [route for route in ROUTES if route.policy is not Policy.PUBLIC and route.path not in OF_THE_CALLER]
DOCUMENT: dict[str, Any] = openapi_document(ROUTES)


async def furnish(client: httpx.AsyncClient, mark: str) -> dict[str, str]:
    """Give a tenant one of everything, with the mark in each text. Returns the ids by what they are of."""
    flow_id = await make_running(client, echo_flow(), f"Flow {mark}")
    failing_id = await make_running(client, failing_flow(), f"Failing {mark}")
    answered = await client.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": mark})
    await client.post(f"/flows/{failing_id}/components/{HOOK}", json={"list": 5, "mark": mark})
    unprocessed = await until(lambda: client.get("/unprocessed-messages"), bool)
    store_id = (await client.post("/stores", json={"name": f"Store {mark}"})).json()["storeId"]
    await client.post(f"/store/{store_id}/key", json={"value": mark})
    file_id = (await client.post("/files", files={"file": (f"{mark}.txt", mark.encode())})).json()["fileId"]
    chart_id = (await client.post("/charts", json={"name": f"Chart {mark}", "type": "bar"})).json()["chartId"]
    asked = {"title": f"Task {mark}", "requester": f"{mark}@example.com", "approver": f"{mark}@example.org"}
    task_id = (await client.post(f"{TASKS}/tasks", json=asked)).json()["taskId"]
    url = f"{client.base_url}/flows/{flow_id}/components/{HOOK}"
    hook_id = (await client.post(f"{TASKS}/webhooks", json={"taskId": task_id, "url": url})).json()["webhookId"]
    search = f"/logs?flowId={flow_id}&portType=in"
    logged = await until(lambda: client.get(search), lambda said: bool(said["hits"]))
    return {
        "flow": flow_id,
        "failing": failing_id,
        "run": answered.headers["x-headrace-run-id"],
        "message": unprocessed[0]["messageId"],
        "store": store_id,
        "file": file_id,
        "chart": chart_id,
        "task": task_id,
        "hook": hook_id,
        "record": logged["hits"][0]["_id"],
        "index": logged["hits"][0]["_index"],
        "user": (await client.get("/user")).json()["id"],
    }


async def furnish_vendor(admin: httpx.AsyncClient, client: httpx.AsyncClient, vendor: str, mark: str) -> dict[str, str]:
    """Make a tenant the developer of a vendor and publish a private component of it; its type, and the ticket."""
    user_id = (await client.get("/user")).json()["id"]
    assert (await admin.put(f"/users/{user_id}", json={"vendor": [vendor]})).status_code == 200
    component = f"{vendor}.mail.core.send"  # in lower case, as some answers repeat what they were asked
    folder = component.replace(".", "/")
    manifest = {"name": component, "private": True, "description": f"Component {mark}"}
    archive = write_archive(
        {
            f"{folder}/component.json": json.dumps(manifest).encode(),
            f"{folder}/component.py": mark.encode(),
            f"{vendor}/mail/auth.py": OPEN.encode(),
        }
    )
    ticket = (await client.post("/components", content=archive)).json()["ticket"]
    told = await until(lambda: client.get(f"/components/uploader/{ticket}"), bool)
    assert told["components"] == [component], told
    account = {"service": f"{vendor}:mail", "token": {"apiKey": mark}, "displayName": mark, "profileInfo": {"of": mark}}
    made = await client.post("/accounts", json=account)
    assert made.status_code == 200, made.text
    connection = (await client.post("/auth/ticket")).json()["ticket"]
    return {
        "component": component,
        "publication": ticket,
        "account": made.json()["accountId"],
        "connection": connection,
    }


def nobodys(found: str) -> str:
    """An id of the same form that nobody has."""
    return "".join(_turned(letter) for letter in found)


def _turned(letter: str) -> str:
    if letter.isdigit():
        return str((int(letter) + 5) % 10)
    return {"a": "b", "b": "c", "c": "d", "d": "e", "e": "f", "f": "a"}.get(letter, letter)


def requests(route: Route, what: str, found: str, index: str) -> Iterator[dict[str, Any]]:
    """Every request of a route that has an id in one place: the path, a parameter of the query, a field of the body."""
    if route.names:
        yield {"method": route.method, "url": path_with(route, found, index), "json": body_of(route)}
    plain = path_with(route, "none", index)
    for name in query_names(route):
        value = f"{what}Id:{found}" if name == "filter" else found
        yield {"method": route.method, "url": plain, "params": {name: value}, "json": body_of(route)}
    for name in {*ID_NAMES, *properties_of(route)} if route.request is not None else ():
        yield {"method": route.method, "url": plain, "json": {**(body_of(route) or {}), name: found}}
    if route.request is not None and route.request.get("type") == "array":
        yield {"method": route.method, "url": plain, "json": [dict.fromkeys((*ID_NAMES, "key"), found)]}


def query_names(route: Route) -> list[str]:
    """The parameters that take text, and those under which ids are known elsewhere; for routes that read."""
    if route.method != "GET":
        return []
    declared = {each.name for each in route.parameters if each.place == "query" and each.name not in NOT_IDS}
    return sorted(declared | set(ID_NAMES))


def path_with(route: Route, found: str, index: str) -> str:
    values = {"key": "key", "index": index, "pattern": "k", "version": "1"}
    parts = [part[1:-1] if part.startswith("{") else "" for part in route.path.split("/")]
    named = [values.get(name, found) if name else part for name, part in zip(parts, route.path.split("/"), strict=True)]
    return "/".join(named)


def properties_of(route: Route) -> Mapping[str, Any]:
    """The fields of a route's body, as its schema has them."""
    schema: Any = route.request or {}
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    properties: Mapping[str, Any] = schema.get("properties", {})
    return properties


def body_of(route: Route) -> dict[str, Any] | None:
    """The smallest body that fits the schema; none where the route takes none."""
    if route.request is None:
        return None
    return {name: _example(properties_of(route).get(name, {})) for name in route.request.get("required", [])}  # type: ignore[union-attr] # a list of names


def _example(schema: Mapping[str, Any]) -> Any:
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if schema.get("enum"):
        return schema["enum"][0]
    return {"object": {}, "array": [], "boolean": False, "integer": 1, "number": 1}.get(
        kind, f"name-{next(NUMBERS):08}"
    )


def form_of(request: Mapping[str, Any], found: str) -> str:
    """What two requests have in common whose ids nobody has and are written alike: one is asked for all of them."""
    said = json.dumps(request, sort_keys=True).replace(found, re.sub(r"[0-9a-f]", "x", found))
    return FRESH.sub("<fresh>", said)


def text_of(answer: httpx.Response) -> str:
    """What an answer says; of an archive, what is in it."""
    if answer.headers.get("content-type") != "application/zip":
        return answer.text
    return "\n".join(text.decode("utf-8", "replace") for text in members(answer.content).values())


def told(answer: httpx.Response, ids: Iterable[str]) -> tuple[int, str, dict[str, str]]:
    """What an answer says without times and the ids that are asked for, which Bob may have written somewhere."""
    text = text_of(answer).replace(answer.headers["x-request-id"], "<request>")
    for found in ids:
        text = text.replace(found, "<fresh>").replace(found[:40], "<fresh>")  # of long words some repeat the beginning
    text = FRESH.sub("<fresh>", text)
    kept = {name: value for name, value in answer.headers.items() if name in {"content-type", "etag", "retry-after"}}
    return answer.status_code, text, kept


async def world_of(client: httpx.AsyncClient, ids: Mapping[str, str]) -> dict[str, Any]:
    """What a tenant sees of its own."""
    places = (
        "/user",
        "/flows?sort=flowId",
        "/stores",
        "/charts",
        f"{TASKS}/tasks",
        f"/store?storeId={ids['store']}",
        "/files",
        f"/files/{ids['file']}",
        f"/flows/{ids['flow']}/versions",
        f"/flows/{ids['failing']}",
        f"/runs/{ids['run']}",
        "/unprocessed-messages",
        "/runs",
        "/accounts",
        f"/auth/status/{ids['connection']}",
        "/components?manifest=yes&selector=" + ids["component"],
        f"/components/{ids['component']}",
        f"/components/uploader/{ids['publication']}",
    )
    return {path: (await client.get(path)).text for path in places}


@asynccontextmanager
async def bob_of(people: People) -> AsyncIterator[httpx.AsyncClient]:
    """Bob, without the socket where the platform is in this process: thousands of requests are made."""
    if people.app is None:
        yield people.bob
        return
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(people.app), base_url="http://asgi.test", headers=people.bob.headers
    ) as bob:
        yield bob


@pytest.mark.timeout(600)
async def test_no_route_tells_a_tenant_anything_of_another(people: People) -> None:
    async with bob_of(people) as bob:
        ann = await furnish(people.ann, CANARY) | await furnish_vendor(people.admin, people.ann, "annsvendor", CANARY)
        await furnish(people.bob, TWIN)
        await furnish_vendor(people.admin, people.bob, "bobsvendor", TWIN)
        before = await world_of(people.ann, ann)
        assert all(CANARY in before[path] for path in ("/flows?sort=flowId", "/stores", f"/files/{ann['file']}"))
        assert before[f"/components/{ann['component']}"].startswith("PK")

        index = ann.pop("index")
        ids = sorted((each for found in ann.values() for each in (found, nobodys(found))), key=len, reverse=True)
        turn = random.randrange(len(ann))
        for route in sorted(CALLABLE, key=lambda route: (route.method, route.path) in CHOOSING_IDS):
            controls: dict[str, tuple[int, tuple[int, str, dict[str, str]]]] = {}
            for number, (what, found) in enumerate(ann.items()):
                theirs = requests(route, what, found, index)
                nobody = requests(route, what, nobodys(found), index)
                for place, (asked, twin) in enumerate(zip(theirs, nobody, strict=True)):
                    is_asked = "filter" in asked.get("params", ()) or not (place + number + turn) % len(ann)
                    if people.app is None and place and not is_asked:
                        continue
                    answer = await bob.request(**asked)
                    form = form_of(twin, nobodys(found))
                    known = controls.get(form)
                    # What writes changes its own answers, and what runs meanwhile changes those of others.
                    if known is None or route.method != "GET" or known[1] != told(answer, ids):
                        control = await bob.request(**twin)
                        controls[form] = control.status_code, told(control, ids)
                    control_status, control_told = controls[form]

                    where = (what, asked, answer.text)
                    assert CANARY not in text_of(answer), where
                    if (route.method, route.path) in CHOOSING_IDS and control_status == 200:
                        assert answer.status_code in {200, 404, 409}, where
                    else:
                        assert told(answer, ids) == control_told, where
                    assert answer.status_code < 500, where
                    is_theirs = route.method != "PUT" and "{event}" not in route.path  # events are named by who tells
                    if route.names and found in asked["url"] and is_theirs:
                        assert answer.status_code >= 400, where

        assert await world_of(people.ann, ann) == before
