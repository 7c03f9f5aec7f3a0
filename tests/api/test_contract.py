"""What is served is called by a test, and the page of compatibility says no more than that."""

from __future__ import annotations

import pytest
from headrace_gateway.routes import ROUTES

from . import calls, compatibility, map


def test_every_endpoint_that_is_served_is_called_by_a_test() -> None:
    tests = calls.tests_by_place()

    assert sorted(" ".join(each) for each in calls.served() if not tests.get(each)) == []


def test_the_map_names_each_endpoint_once() -> None:
    places = [(each.method, each.path) for each in map.endpoints()]

    assert len(places) == len(set(places)) > 100


def test_an_endpoint_passes_only_by_a_test_that_calls_it() -> None:
    rows = {row.endpoint.name: row for row in compatibility.rows()}

    assert rows["POST /flows/:id/coordinator"].state == compatibility.PASS
    assert rows["POST /flows/:id/coordinator"].test.startswith("tests/api/")
    assert {row.state for row in rows.values() if not row.test} & {compatibility.PASS} == set()
    assert rows["POST /auth/ticket"].state in {compatibility.PASS, "owned by the issue on accounts"}


def test_the_page_has_a_line_for_every_endpoint_of_the_map() -> None:
    page = compatibility.page()

    assert [each.name for each in map.endpoints() if f"| `{each.name}` |" not in page] == []


SOURCE = """
URL = "/flows/f1"
PLACES = [("DELETE", "/stores/s1")]
ROOMS = ("/charts", "/files")

async def test_one(client, flow_id):
    await client.get(URL)
    where = f"{URL}/clone"
    await client.post(where, json={})
    await client.put(f"/users/{flow_id}?a=b")
    await client.get(f"{client.base}/store/download/{flow_id}")
    await client.get(name)
    {}.get("word")

def client_of(platform):
    platform.request("PATCH", "/store/a/" + key)

@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("word", ["a", "b"])
def test_two(client, room, word):
    client.get(f"{room}/{word}")
"""


def test_calls_are_read_from_the_source() -> None:
    seen = [(each.test, each.method, each.path) for each in calls.calls_in(SOURCE, "t.py")]

    assert seen == [
        ("t.py", "DELETE", "/stores/s1"),
        ("t.py::test_one", "GET", "/flows/f1"),
        ("t.py::test_one", "POST", "/flows/f1/clone"),
        ("t.py::test_one", "PUT", "/users/something?a=b"),
        ("t.py::test_one", "GET", "/store/download/something"),
        ("t.py::client_of", "PATCH", "/store/a/something"),
        ("t.py::test_two", "GET", "/charts/something"),
        ("t.py::test_two", "GET", "/files/something"),
    ]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_route_says_what_it_answers(route: object) -> None:
    assert getattr(route, "answers", ()) and getattr(route, "summary", "")
