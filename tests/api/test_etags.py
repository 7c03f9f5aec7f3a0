"""Lost updates are refused: who says which state they decided on is told when there is another by now.

Every place that is edited has an ETag and takes If-Match, or is named below with the reason why not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from headrace_core.ids import new_id
from headrace_gateway.access import TASK_PREFIXES
from headrace_gateway.revisions import IF_MATCH
from headrace_gateway.routes import ROUTES

from .people import People
from .test_no_drift import MODIFIERS, OTHERWISE, RESOURCES, RULES, Place, a_hook, a_store, a_user, an_alias

WITHOUT: Mapping[Place, str] = {
    ("PUT", "/flows/{id}/logger"): "sets one value, whatever else the flow says",
    ("PUT", "/flows/{id}/versions/{version}"): "sets one label and leaves the flow's ETag alone",
    ("POST", "/service-config"): "makes one; PUT of the same place has it",
    ("POST", "/config"): "sets one value of one key",
}
"""Places that say all they have in one value: whoever writes it has decided on nothing that was there."""

DELETED_WITHOUT = {
    "/groups/{id}": "takes it away, whatever it says",
    "/charts/{id}": "takes it away, whatever it says",
    "/stores/{id}": "takes it away, whatever it is called",
    "/users/{id}": "takes everything away, under a ticket",
    **{f"{prefix}/tasks/{{id}}": "takes it away, whatever it says" for prefix in TASK_PREFIXES},
}
"""Resources that are deleted without being asked what they say now."""


class Edited:
    """A place with two things to say, one after the other."""

    def __init__(self, method: str, path: str, one: Any, other: Any, *, by_admin: bool = True) -> None:
        self.method, self.path, self.bodies, self.by_admin = method, path, (one, other), by_admin


def _alias(values: Mapping[str, str], node: str) -> dict[str, str]:
    return {"alias": values["alias"], "flowId": values["flowId"], "componentId": node}


async def edited(kind: str, people: People) -> Edited:
    """One of each kind that has a digest of what it says for an ETag."""
    match kind:
        case "alias":
            values = await an_alias(people.ann)
            where = f"/url-aliases/{values['id']}"
            return Edited("PUT", where, _alias(values, "reply"), _alias(values, "hook"), by_admin=False)
        case "store":
            where = f"/stores/{(await a_store(people.ann))['id']}"
            return Edited("PUT", where, {"name": new_id()}, {"name": new_id()}, by_admin=False)
        case "user":
            where = f"/users/{(await a_user(people.admin))['id']}"
            return Edited("PUT", where, {"metadata": {"a": 1}}, {"metadata": {"a": 2}})
        case "service":
            return Edited("PUT", "/service-config/acme:mail", {"clientId": "one"}, {"clientId": "other"})
        case "origins":
            return Edited("PUT", "/origins/acme", {"origins": ["https://a.test"]}, {"origins": ["https://b.test"]})
        case "hook":
            where = f"/system/webhooks/{(await a_hook(people.admin))['id']}"
            body = {"url": "https://a.test/hook", "events": ["flow.started"]}
            return Edited("PUT", where, body, {**body, "events": ["flow.stopped"]})
        case "rules":
            return Edited("POST", "/acl/routes", RULES, RULES[1:])
        case _:
            return Edited("PUT", "/modifiers", MODIFIERS, {**MODIFIERS, "modifiers": {"g_b": {"label": "B"}}})


KINDS = ("alias", "store", "user", "service", "origins", "hook", "rules", "modifiers")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_decided_on_something_else_is_refused(kind: str, people: People) -> None:
    place = await edited(kind, people)
    client = people.admin if place.by_admin else people.ann
    one, other = place.bodies

    first = await client.request(place.method, place.path, json=one)
    read = await client.get(place.path)
    assert (first.status_code, read.status_code) == (200, 200), first.text
    assert first.headers["etag"] == read.headers["etag"]

    headers = {"If-Match": first.headers["etag"]}
    second = await client.request(place.method, place.path, json=other, headers=headers)
    assert second.status_code == 200, second.text
    assert second.headers["etag"] != first.headers["etag"]

    late = await client.request(place.method, place.path, json=one, headers=headers)
    assert (late.status_code, late.json()["code"]) == (409, "revision_conflict")
    kept = await client.get(place.path)
    assert kept.headers["etag"] == second.headers["etag"]

    for if_match, status in (("*", 200), (f"W/{second.headers['etag']}", 409), ('"7"', 400), ("x", 400)):
        said = await client.request(place.method, place.path, json=one, headers={"If-Match": if_match})
        assert said.status_code == status, (if_match, said.text)


@pytest.mark.parametrize("kind", KINDS)
async def test_of_many_who_decided_on_the_same_one_is_heard(kind: str, people: People) -> None:
    place = await edited(kind, people)
    client = people.admin if place.by_admin else people.ann
    one, other = place.bodies
    headers = {"If-Match": (await client.request(place.method, place.path, json=one)).headers["etag"]}

    said = await asyncio.gather(
        *(client.request(place.method, place.path, json=other, headers=headers) for _ in range(8))
    )

    # Who says what is there already has changed nothing, and is told that it is so.
    heard = [each for each in said if each.status_code == 200]
    assert len(heard) == 1, [each.text for each in said]
    assert {each.status_code for each in said} == {200, 409}
    assert (await client.get(place.path)).headers["etag"] == heard[0].headers["etag"]


@pytest.mark.parametrize("kind", ["alias", "service", "origins", "hook", "modifiers"])
async def test_only_what_was_read_is_taken_away(kind: str, people: People) -> None:
    place = await edited(kind, people)
    client = people.admin if place.by_admin else people.ann
    one, other = place.bodies
    before = (await client.request(place.method, place.path, json=one)).headers["etag"]
    now = (await client.request(place.method, place.path, json=other)).headers["etag"]

    refused = await client.delete(place.path, headers={"If-Match": before})
    assert (refused.status_code, refused.json()["code"]) == (409, "revision_conflict")
    assert (await client.get(place.path)).headers["etag"] == now
    assert (await client.delete(place.path, headers={"If-Match": now})).status_code == 200


def test_every_editable_place_takes_if_match_or_has_a_reason() -> None:
    taking = {(route.method, route.path) for route in ROUTES if IF_MATCH in route.parameters}

    assert RESOURCES.keys() - taking == WITHOUT.keys()
    assert not OTHERWISE.keys() & WITHOUT.keys()


def test_what_is_edited_is_deleted_as_it_was_read_or_has_a_reason() -> None:
    edited_paths = {path for _, path in RESOURCES.keys() - WITHOUT.keys()}
    deleting = {route.path: route for route in ROUTES if route.method == "DELETE" and route.path in edited_paths}

    assert {path for path, route in deleting.items() if IF_MATCH not in route.parameters} == DELETED_WITHOUT.keys()


def test_whatever_takes_if_match_can_refuse() -> None:
    assert not [route.path for route in ROUTES if IF_MATCH in route.parameters and 409 not in route.errors]
