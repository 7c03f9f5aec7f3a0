"""Infrastructure as code: what was applied reads back as applied, and applying what was read changes nothing.

Which places are editable follows from the routes: everything that is put or patched, and everything that is posted to
a place that can be read. Each is either a resource of the table below, or named as something else with the reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from headrace_core.ids import new_id
from headrace_gateway.access import TASK_PREFIXES
from headrace_gateway.routes import ROUTES

from .people import PASSWORD, People, echo_flow
from .test_charts import CHART

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Resource:
    """How a client applies a resource and reads it.

    `make` brings what must be there before, and returns what stands in the path. `path` is where it is read where
    that is not where it is written; `member` finds it in a list. `bodies` are applied one after the other.
    """

    bodies: tuple[Any, ...]
    make: Callable[[httpx.AsyncClient], Awaitable[Mapping[str, str]]]
    path: str = ""
    member: Callable[[Any], Any] | None = None
    by_admin: bool = False
    shown: Callable[[Any], Any] = field(default=lambda read: read)  # what of the reading is the body again


async def nothing(client: httpx.AsyncClient) -> Mapping[str, str]:
    return {}


async def a_flow(client: httpx.AsyncClient) -> Mapping[str, str]:
    made = await client.post("/flows", json={"name": "Flow", "flow": echo_flow()})
    return {"id": made.json()["flowId"], "version": "1"}


async def a_store(client: httpx.AsyncClient) -> Mapping[str, str]:
    return {"id": (await client.post("/stores", json={"name": "Store"})).json()["storeId"]}


async def a_chart(client: httpx.AsyncClient) -> Mapping[str, str]:
    return {"id": (await client.post("/charts", json=CHART)).json()["chartId"]}


async def an_alias(client: httpx.AsyncClient) -> Mapping[str, str]:
    flow_id = (await a_flow(client))["id"]
    made = await client.post("/url-aliases", json={"alias": f"{new_id()}/b", "flowId": flow_id, "componentId": "hook"})
    return {"id": made.json()["id"], "flowId": flow_id, "alias": f"{new_id()}/path"}


async def a_group(client: httpx.AsyncClient) -> Mapping[str, str]:
    return {"id": (await client.post("/groups", json={"name": f"Group {new_id()}"})).json()["groupId"]}


async def a_task(client: httpx.AsyncClient) -> Mapping[str, str]:
    task = {"title": "Pay?", "requester": "r@example.com", "approver": "a@example.com"}
    return {"id": (await client.post("/people-task/tasks", json=task)).json()["taskId"]}


async def a_user(client: httpx.AsyncClient) -> Mapping[str, str]:
    made = await client.post("/user", json={"email": f"{new_id()}@example.com", "password": PASSWORD})
    return {"id": made.json()["user"]["id"], "email": f"{new_id()}@example.com"}


def named(name: str) -> Callable[[httpx.AsyncClient], Awaitable[Mapping[str, str]]]:
    async def make(client: httpx.AsyncClient) -> Mapping[str, str]:
        return {"serviceId": name, "type": name, "vendor": name, "name": name}

    return make


async def a_hook(client: httpx.AsyncClient) -> Mapping[str, str]:
    made = await client.post("/system/webhooks", json={"url": "https://a.test/hook", "events": ["flow.started"]})
    return {"id": made.json()["id"]}


RULES = [
    {"role": "user", "resource": "charts", "action": ["update", "read", "create"], "attributes": []},
    {"role": "guest", "resource": "*", "action": ["!*"], "attributes": []},
]
RULE = "module.exports = { rules: [{ limit: 5, window: 1000, resource: 'requests' }]"
MODIFIERS = {"categories": {"b": {"label": "B"}, "a": {"label": "A"}}, "modifiers": {"g_own": {"label": "Own"}}}
FLOW = {
    "name": "Applied",
    "description": "By a program",
    "flow": echo_flow(),
    "customFields": {"z": 1, "a": [None, 1.5, {"b": "ä"}]},
    "sharedWith": [{"email": "x@example.com", "permissions": ["start", "read"]}],
}

RESOURCES: Mapping[Place, Resource] = {
    ("PUT", "/flows/{id}"): Resource((FLOW, {**FLOW, "name": "Again"}), a_flow),
    ("PUT", "/flows/{id}/logger"): Resource(
        ({"level": "errors"}, {"level": "all"}), a_flow, path="/flows/{id}", shown=lambda flow: flow["logger"]
    ),
    ("PUT", "/flows/{id}/versions/{version}"): Resource(({"label": "first"}, {"label": ""}), a_flow),
    ("PUT", "/stores/{id}"): Resource(({"name": "Applied"},), a_store),
    ("PUT", "/charts/{id}"): Resource(({**CHART, "options": {"z": 1, "a": 2}}, {**CHART, "name": "B"}), a_chart),
    ("PUT", "/url-aliases/{id}"): Resource(
        ({"alias": "{alias}", "flowId": "{flowId}", "componentId": "reply"},), an_alias
    ),
    ("PUT", "/users/{id}"): Resource(
        (
            {"email": "{email}", "scope": ["user", "author"], "vendor": "acme", "metadata": {"b": 1, "a": {}}},
            {"scope": ["author", "user"], "vendor": ["b", "a"], "isActive": False},
        ),
        a_user,
        by_admin=True,
    ),
    ("PUT", "/groups/{id}"): Resource(
        ({"name": "Applied", "description": "By a program"}, {"description": "", "members": []}), a_group, by_admin=True
    ),
    ("PUT", "/quota/{name}"): Resource(
        ({"source": f"{RULE} }}"}, {"source": f"{RULE}, }}"}),
        named("acme:crm"),
        path="/quota",
        member=lambda found: next(each for each in found if each["id"] == "acme:crm"),
        by_admin=True,
        shown=lambda quota: {"source": quota["source"]},
    ),
    **{
        ("PUT", f"{prefix}/tasks/{{id}}"): Resource(
            ({"title": "Applied", "description": "By a program"}, {"decisionBy": "2099-01-01T00:00:00.000Z"}), a_task
        )
        for prefix in TASK_PREFIXES
    },
    ("PUT", "/modifiers"): Resource((MODIFIERS,), nothing, by_admin=True),
    ("PUT", "/service-config/{serviceId}"): Resource(
        ({"clientId": "x", "more": {"b": [1], "a": None}}, {"clientId": "y"}), named("acme:mail"), by_admin=True
    ),
    ("POST", "/service-config"): Resource(
        ({"serviceId": "acme:chat", "clientId": "x"},),
        nothing,
        member=lambda found: next(each for each in found if each["serviceId"] == "acme:chat"),
        by_admin=True,
    ),
    ("POST", "/config"): Resource(
        ({"key": "colour", "value": {"b": 1, "a": [2.5]}}, {"key": "colour", "value": None}),
        nothing,
        member=lambda found: next(each for each in found if each["key"] == "colour"),
        by_admin=True,
    ),
    ("PUT", "/origins/{vendor}"): Resource(
        ({"origins": ["https://b.test", "http://a.test:8080"]}, {"origins": []}), named("acme"), by_admin=True
    ),
    ("PUT", "/system/webhooks/{id}"): Resource(
        (
            {"url": "https://b.test/hook", "events": ["user.created", "flow.stopped"], "users": ["b", "a"]},
            {"url": "https://b.test/hook", "events": ["user.created"], "description": "Ours", "active": False},
        ),
        a_hook,
        by_admin=True,
    ),
    ("POST", "/acl/{type}"): Resource((RULES, RULES[:1]), named("routes"), by_admin=True),
}

OTHERWISE: Mapping[Place, str] = {
    ("POST", "/flows"): "makes another one each time",
    ("POST", "/flows/{id}"): "sends a message",
    ("POST", "/flows/{id}/versions"): "labels the newest version, which PUT does too",
    ("POST", "/stores"): "makes another one each time",
    ("POST", "/charts"): "makes another one each time",
    ("POST", "/url-aliases"): "makes another one each time",
    ("POST", "/user"): "signs somebody up",
    ("POST", "/user/tokens"): "makes another one each time",
    ("POST", "/logs"): "searches",
    ("POST", "/files"): "uploads contents: a file is its content and says when it was uploaded",
    ("POST", "/public-files"): "uploads contents, as /files does",
    ("POST", "/store/{id}/{key}"): "writes data: triggers hear of every write, and a record says when it was written",
    ("POST", "/unprocessed-messages/{id}"): "hands the message in again",
    ("PATCH", "/store/{id}/{key}"): "writes data, as POST does",
    ("PUT", "/store/{id}/{key}"): "moves a record to another place",
    ("POST", "/groups"): "makes another one each time",
    ("POST", "/system/webhooks"): "makes another one each time",
    (
        "PUT",
        "/accounts/{id}",
    ): "names an account, which a service has to accept first: its own tests read the name back",
    ("POST", "/accounts"): "takes secrets, which nothing reads back, and asks a service about them",
    ("PUT", "/auth/component/{componentId}/{accountId}"): "names what it assigns in its path, as its own tests show",
    ("POST", "/components"): "publishes under a ticket: the same content again changes nothing, as its own tests show",
    ("PUT", "/groups/{id}/members/{userId}"): "is part of the group's members, which PUT of the group says",
    **{
        (verb, "/plugins/{vendor}/{service}/{path}"): "is a call of somebody's own code"
        for verb in ("POST", "PUT", "PATCH")
    },
    **{("POST", f"{prefix}/tasks"): "makes another one each time" for prefix in TASK_PREFIXES},
    **{
        ("PUT", f"{prefix}/tasks/{{id}}/{verb}"): "decides, once"
        for prefix in TASK_PREFIXES
        for verb in ("approve", "reject")
    },
}


def editable() -> set[Place]:
    """Every place that is put or patched, or posted to where it can be read."""
    readable = {route.path for route in ROUTES if route.method == "GET"}
    return {
        (route.method, route.path)
        for route in ROUTES
        if route.method in {"PUT", "PATCH"} or (route.method == "POST" and route.path in readable)
    }


def test_every_editable_place_is_a_resource_or_something_else_for_a_reason() -> None:
    assert editable() == RESOURCES.keys() | OTHERWISE.keys()
    assert not RESOURCES.keys() & OTHERWISE.keys()


def test_whatever_is_put_can_be_taken_away_or_is_part_of_something() -> None:
    """A client that works by GET, PUT and DELETE can undo what it did."""
    parts = {"/flows/{id}/logger", "/flows/{id}/versions/{version}", "/acl/{type}"}
    deletable = {route.path for route in ROUTES if route.method == "DELETE"}
    members = {path.rpartition("/")[0] for path in deletable if path.endswith("}")}

    assert {path for _, path in RESOURCES} - parts <= deletable | members


@pytest.mark.parametrize("place", RESOURCES, ids=" ".join)
async def test_what_is_applied_reads_back_and_applying_what_is_read_changes_nothing(
    place: Place, people: People
) -> None:
    resource = RESOURCES[place]
    client = people.admin if resource.by_admin else people.ann
    values = await resource.make(client)
    where = place[1].format(**values)
    read_at = (resource.path or place[1]).format(**values)

    async def read() -> tuple[Any, str]:
        answer = await client.get(read_at)
        assert answer.status_code == 200, answer.text
        found = answer.json() if resource.member is None else resource.member(answer.json())
        return found, answer.headers.get("etag", "")

    async def apply(body: Any) -> None:
        answer = await client.request(place[0], where, json=body)
        assert answer.status_code == 200, answer.text

    for body in resource.bodies:
        wanted = _filled(body, values)
        await apply(wanted)
        first = await read()

        assert _drift(wanted, resource.shown(first[0])) == []
        for again in (resource.shown(first[0]), wanted):
            await apply(again)
            assert await read() == first


def _filled(body: Any, values: Mapping[str, str]) -> Any:
    """The body with what was made before in place of its texts that are one `{name}`."""
    if not isinstance(body, dict):
        return body
    places = {f"{{{name}}}": value for name, value in values.items()}
    return {name: places.get(value, value) if isinstance(value, str) else value for name, value in body.items()}


def _drift(wanted: Any, read: Any) -> list[str]:
    """The fields that read otherwise than they were applied. What a server adds on top of an object is no drift."""
    if isinstance(wanted, dict):
        return [name for name, value in wanted.items() if name not in read or read[name] != value]
    return [] if wanted == read else ["all of it"]
