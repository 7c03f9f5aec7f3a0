"""Nodes in a flow that runs on a whole platform: what a person sends in, and what comes out of a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from tests.api.people import make_running, until

HOOK = "hook"
NODE = "node"


def node(type: str, source: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    return {"type": type, "x": 0, "y": 0, "source": source or {}, "config": config}


def fields_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """A transform that fills the fields with these values."""
    return {"type": "json2new", "modifiers": {}, "lambda": dict(values)}


def flow_of(type: str, in_port: str, values: Mapping[str, Any], properties: Mapping[str, Any] | None = None) -> Any:
    """A webhook before one node of this type, which gets these values; a node behind each of its out-ports."""
    return {
        HOOK: node("appmixer.utils.http.WebhookTrigger", properties={"immediateResponse": True}),
        NODE: node(
            type,
            {in_port: {HOOK: ["request"]}},
            properties=dict(properties or {}),
            transform={in_port: {HOOK: {"request": fields_of(values)}}},
        ),
    }


def address(client: httpx.AsyncClient, flow_id: str, node_id: str = HOOK) -> str:
    return f"/flows/{flow_id}/components/{node_id}"


async def sent_by(
    client: httpx.AsyncClient, flow_id: str, node_id: str = NODE, count: int = 1
) -> list[tuple[str, Any]]:
    """What left this node in all runs of the flow, oldest first, once there are so many messages: (port, content)."""
    found: list[tuple[str, Any]] = []

    async def look() -> httpx.Response:
        listed = await client.get(f"/runs?flowId={flow_id}")
        assert listed.status_code == 200, listed.text
        found.clear()
        for run in reversed(listed.json()["items"]):
            detail = (await client.get(f"/runs/{run['runId']}")).json()
            for step in detail["steps"]:
                if step["componentId"] == node_id:
                    found.extend((each["port"], each["content"]) for each in step["outputs"])
        return listed

    await until(look, lambda _: len(found) >= count)
    return found


async def play(
    client: httpx.AsyncClient,
    type: str,
    values: Mapping[str, Any],
    *,
    in_port: str = "in",
    properties: Mapping[str, Any] | None = None,
    count: int = 1,
) -> list[tuple[str, Any]]:
    """Run a flow with one node of this type, which gets these values, and tell what leaves it."""
    flow_id = await make_running(client, flow_of(type, in_port, values, properties))
    called = await client.post(address(client, flow_id), json={})
    assert called.status_code == 200, called.text
    return await sent_by(client, flow_id, count=count)
