"""What can be inserted at an input is told over REST, in the shape that designers read."""

import httpx
import orjson
import pytest

from .services import Services
from .test_flows import make

HOOK, SET, LAST = "headrace.utils.http.Webhook", "headrace.utils.controls.SetVariable", "headrace.utils.controls.Join"
FLOW = {
    "hook": {"type": HOOK},
    "n": {"type": SET, "source": {"in": {"hook": ["request"]}}},
    "last": {"type": LAST, "source": {"in": {"n": ["out"]}}},
    "aside": {"type": HOOK},
    "odd": {"type": "acme.no.such.Thing", "source": {"in": {"aside": "request"}}},
}
MANIFESTS = {
    HOOK: {"name": HOOK, "outPorts": [{"name": "request", "options": [{"label": "Body", "value": "data"}]}]},
    SET: {"name": SET, "inPorts": ["in"], "outPorts": [{"name": "out", "source": {"url": "/component/x", "data": {}}}]},
    LAST: {
        "name": LAST,
        "inPorts": [{"name": "in", "inspector": {"inputs": {"x": {"type": "text"}}}}],
        "outPorts": ["out"],
        "properties": {"schema": {"type": "object"}, "inspector": {"inputs": {"p": {"type": "text"}}}},
    },
}


@pytest.fixture
async def flow_id(user: httpx.AsyncClient, services: Services) -> str:
    services.catalog.manifests = {name: orjson.dumps(each) for name, each in MANIFESTS.items()}
    return await make(user, flow=FLOW)


async def test_a_link_offers_what_comes_before_it_declared_or_seen_with_samples(
    user: httpx.AsyncClient, flow_id: str
) -> None:
    asked = {"components": {"IDs": ["last"]}}

    found = (await user.post(f"/variables/{flow_id}/fetch", json=asked)).json()

    body = {"componentId": "hook", "port": "request", "label": "Body", "value": "{{{$.hook.request.data}}}"}
    seen = {"componentId": "n", "port": "out", "label": "a", "value": "{{{$.n.out.a}}}", "sample": 1}
    inspector = {"inputs": {"x": {"type": "text"}}}
    assert found["components"] == {
        "last": {
            "links": {
                "in": {"n": {"out": {"inspector": inspector, "variables": {"static": [body], "dynamic": [seen]}}}}
            },
            "properties": {
                "inspector": {"inputs": {"p": {"type": "text"}}},
                "schema": {"type": "object"},
                "variables": {"static": [], "dynamic": []},
            },
        }
    }


async def test_what_was_not_asked_for_is_left_out(user: httpx.AsyncClient, flow_id: str) -> None:
    asked = {"flow": False, "components": {"IDs": ["last", "hook"], "properties": False}}

    found = (await user.post(f"/variables/{flow_id}/fetch", json=asked)).json()
    every = (await user.post(f"/variables/{flow_id}/fetch")).json()

    assert found.keys() == {"components"}
    assert found["components"].keys() == {"last", "hook"} and found["components"]["hook"] == {"links": {}}
    assert every["components"].keys() == FLOW.keys()


async def test_values_of_the_flow_itself_have_a_name_a_label_and_a_category(
    user: httpx.AsyncClient, flow_id: str, services: Services
) -> None:
    services.settings.document = orjson.dumps(
        {
            "categories": {},
            "modifiers": {
                "g_flowId": {"label": "Flow id", "type": "flow", "category": ["flow"]},
                "g_trim": {"label": "Trim", "type": "modifier", "category": ["text"]},
            },
        }
    )

    found = (await user.post(f"/variables/{flow_id}/fetch", json={})).json()

    assert found["flow"] == [{"name": "g_flowId", "label": "Flow id", "category": ["flow"]}]


async def test_a_component_that_the_flow_does_not_have_is_named(user: httpx.AsyncClient, flow_id: str) -> None:
    answer = await user.post(f"/variables/{flow_id}/fetch", json={"components": {"IDs": ["nobody"]}})
    many = await user.post(f"/variables/{flow_id}/fetch", json={"components": {"IDs": ["n"] * 51}})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert many.json()["problems"][0]["field"] == "components"


async def test_what_others_drew_is_not_there(other: httpx.AsyncClient, flow_id: str) -> None:
    assert (await other.post(f"/variables/{flow_id}/fetch", json={})).status_code == 404
