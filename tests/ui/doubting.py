"""Steps in doubt for a browser: a component that ends its process in the middle of an effect."""

from __future__ import annotations

import json

import httpx

from tests.api.connector import ICON, VENDOR, packed
from tests.api.people import until

TYPE = f"{VENDOR}.doubt.core.Order"
FILES = {
    f"{VENDOR}/doubt/service.json": json.dumps(
        {
            "name": f"{VENDOR}.doubt",
            "label": "Doubt",
            "category": "applications",
            "icon": ICON,
            "description": "Orders.",
        }
    ),
    f"{VENDOR}/doubt/bundle.json": json.dumps({"name": f"{VENDOR}.doubt", "version": "1.0.0"}),
    f"{VENDOR}/doubt/core/Order/component.json": json.dumps(
        {"name": TYPE, "icon": ICON, "inPorts": ["in"], "outPorts": ["out"], "version": "1.0.0", "effect": "unsafe"}
    ),
    f"{VENDOR}/doubt/core/Order/Order.js": "module.exports = { receive() { process.exit(7); } };",
}


async def in_doubt(url: str, login: str, password: str, count: int) -> list[str]:
    """The ids of so many runs of this person's, each with one step in doubt."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        token = (await client.post("/user/auth", json={"username": login, "password": password})).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        handed_in = await client.post(
            "/components", content=packed(FILES), headers={"content-type": "application/octet-stream"}
        )
        assert handed_in.status_code == 200, handed_in.text
        told = await until(lambda: client.get(f"/components/uploader/{handed_in.json()['ticket']}"), bool)
        assert not told.get("err"), told
        hook = {"type": "appmixer.utils.http.WebhookTrigger", "x": 0, "y": 0, "source": {}, "config": {}}
        order = {"type": TYPE, "x": 0, "y": 0, "source": {"in": {"hook": ["request"]}}, "config": {}}
        made = await client.post("/flows", json={"name": "Orders", "flow": {"hook": hook, "order": order}})
        flow_id = made.json()["flowId"]
        started = await client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
        assert started.status_code == 200, started.text
        for _ in range(count):
            await client.post(f"/flows/{flow_id}/components/hook", json={"n": 1})
        where = f"/unprocessed-messages?flowId={flow_id}"
        found = await until(lambda: client.get(where), lambda listed: len(listed) == count, within=60)
        return [str(each["runId"]) for each in found]
