"""Charts in the shape of the map, over the whole platform."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .people import People

CHART: dict[str, Any] = {
    "name": "Messages",
    "index": 2,
    "type": "bar",
    "options": {"stacked": True},
    "query": {"range": {"from": "now-7d", "to": "now"}},
    "traces": {
        "t1": {
            "name": "In",
            "hidden": False,
            "agg": {"date_histogram": {"field": "gridTimestamp", "calendar_interval": "day"}},
            "options": {},
            "source": {"type": "flow", "targets": []},
        }
    },
}


async def test_charts_are_made_read_listed_changed_and_deleted(user: httpx.AsyncClient) -> None:
    chart_id = (await user.post("/charts", json=CHART)).json()["chartId"]
    first = (await user.post("/charts", json={**CHART, "name": "First", "index": 1})).json()["chartId"]
    read = await user.get(f"/charts/{chart_id}")
    listed = (await user.get("/charts", params={"projection": "chartId"})).json()
    found = (await user.get("/charts", params={"filter": "name:First"})).json()
    changed = await user.put(f"/charts/{chart_id}", json={"type": "line"}, headers={"If-Match": read.headers["etag"]})
    stale = await user.put(f"/charts/{chart_id}", json={"type": "pie"}, headers={"If-Match": read.headers["etag"]})
    unchanged = await user.put(f"/charts/{chart_id}", json=(await user.get(f"/charts/{chart_id}")).json())
    gone = (await user.delete(f"/charts/{chart_id}")).json()

    assert {name: read.json()[name] for name in CHART} == CHART
    assert listed == [{"chartId": first}, {"chartId": chart_id}]
    assert [each["chartId"] for each in found] == [first]
    assert changed.json() == {"chartId": chart_id}
    assert (stale.status_code, stale.json()["code"]) == (409, "revision_conflict")
    assert unchanged.status_code == 200
    assert gone == {"chartId": chart_id}
    assert (await user.get(f"/charts/{chart_id}")).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"type": "sunburst"}, "type"),
        ({"name": ""}, "name"),
        ({"index": "1"}, "index"),
        ({"traces": {"t": 5}}, "traces.t"),
        ({"traces": {"t": {"agg": []}}}, "agg"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_a_chart_cannot_hold_is_named(wrong: dict[str, Any], field: str, user: httpx.AsyncClient) -> None:
    answer = await user.post("/charts", json={**CHART, **wrong})

    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (400, field)


async def test_charts_of_others_are_not_there(people: People) -> None:
    chart_id = (await people.ann.post("/charts", json=CHART)).json()["chartId"]

    for method in ("GET", "PUT", "DELETE"):
        answer = await people.bob.request(method, f"/charts/{chart_id}", json={})
        assert answer.status_code == 404
    assert (await people.bob.get("/charts")).json() == []
    everybodys = (await people.admin.get("/charts", params={"allTenants": "true", "limit": "1000"})).json()
    assert [each["chartId"] for each in everybodys].count(chart_id) == 1
