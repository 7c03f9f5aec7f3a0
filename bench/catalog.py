"""What many published components cost the start of a flow: `python -m bench.catalog [components]`.

The embedded platform, called over its socket. A flow of a webhook and a published component is started and stopped
again and again: beside nothing else that was published, and beside so many other components of so many services.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from headrace_core.archives import write_archive
from headrace_embedded.platform import open_platform

from bench.report import markdown_table

COMPONENTS = 1_000
PER_SERVICE = 50
STARTS = 30
WARM_UP = 3
PUBLISH_SECONDS = 60
EMAIL, PASSWORD = "bench@example.org", "correct horse battery"
ICON = "data:image/png;base64,AA=="
CODE = b"""
from headrace_sdk import Component


class Own(Component):
    async def receive(self, context):
        await context.send_json(context.content)
"""
FLOW: dict[str, Any] = {
    "hook": {"type": "headrace.utils.http.WebhookTrigger", "source": {}, "config": {"properties": {}}},
    "own": {"type": "acme.first.core.C0", "source": {"in": {"hook": ["request"]}}, "config": {}},
}


async def measure(components: int, starts: int = STARTS) -> float:
    """Milliseconds of a start at the median, where so many other components are published."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            "HEADRACE_DATA_DIR": str(Path(folder, "data")),
            "HEADRACE_PORT": "0",
            "HEADRACE_DRAIN_DELAY": "0s",
            "HEADRACE_ADMIN_EMAIL": EMAIL,
            "HEADRACE_ADMIN_PASSWORD": PASSWORD,
        }
        async with open_platform(environ) as serving, httpx.AsyncClient(base_url=serving.url, timeout=60) as client:
            await _sign_in(client)
            await _publish(client, "first", 1)
            for number in range(-(-components // PER_SERVICE)):
                await _publish(client, f"s{number}", min(PER_SERVICE, components - number * PER_SERVICE))
            return await _starts(client, starts)


async def _sign_in(client: httpx.AsyncClient) -> None:
    signed_in = (await client.post("/user/auth", json={"email": EMAIL, "password": PASSWORD})).json()
    client.headers["Authorization"] = f"Bearer {signed_in['token']}"
    _fine(await client.put(f"/users/{signed_in['user']['id']}", json={"vendor": "acme"}))


async def _publish(client: httpx.AsyncClient, service: str, components: int) -> None:
    headers = {"content-type": "application/octet-stream"}
    made = _fine(await client.post("/components", content=_archive(service, components), headers=headers))
    told: Any = {}
    until = time.monotonic() + PUBLISH_SECONDS
    while not told and time.monotonic() < until:
        await asyncio.sleep(0.05)
        told = _fine(await client.get(f"/components/uploader/{made['ticket']}"))
    if "finished" not in told or "err" in told:
        raise RuntimeError(f"A connector of the benchmark was not published: {told}")


def _archive(service: str, components: int) -> bytes:
    described = {"name": f"acme.{service}", "label": service, "category": "apps", "description": "-", "icon": ICON}
    files = {f"acme/{service}/service.json": json.dumps(described).encode()}
    for number in range(components):
        folder = f"acme/{service}/core/C{number}"
        files[f"{folder}/component.json"] = json.dumps(_manifest(f"acme.{service}.core.C{number}")).encode()
        files[f"{folder}/component.py"] = CODE
    return write_archive(files)


def _manifest(name: str) -> Mapping[str, object]:
    """One as large as those of public connectors are."""
    inputs = {f"field{number}": {"type": "text", "label": f"Field {number}", "index": number} for number in range(8)}
    options = [{"label": f"Value {number}", "value": f"value{number}"} for number in range(20)]
    return {
        "name": name,
        "icon": ICON,
        "inPorts": [{"name": "in", "inspector": {"inputs": inputs}}],
        "outPorts": [{"name": "out", "options": options}],
    }


async def _starts(client: httpx.AsyncClient, starts: int) -> float:
    flow_id = _fine(await client.post("/flows", json={"name": "Bench", "flow": FLOW}))["flowId"]
    spans = []
    for _ in range(WARM_UP + starts):
        began = time.perf_counter()
        _fine(await client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"}))
        spans.append(time.perf_counter() - began)
        _fine(await client.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"}))
    return median(spans[WARM_UP:]) * 1000


def _fine(answer: httpx.Response) -> Any:
    if answer.status_code >= 300:
        raise RuntimeError(f"{answer.request.method} {answer.request.url.path}: {answer.text}")
    return answer.json()


HEADING = ("start of a flow", "p50 ms", "times the one alone")


def measure_all(components: int = COMPONENTS) -> list[list[str]]:
    """A row alone, and one beside so many components."""
    rows = {"alone": 0, f"beside {components:,} published components": components}
    spans = {name: asyncio.run(measure(count)) for name, count in rows.items()}
    return [[name, f"{span:.1f}", f"{span / spans['alone']:.2f}"] for name, span in spans.items()]


def main(arguments: Sequence[str]) -> int:
    components = int(arguments[0]) if arguments else COMPONENTS
    print("\n".join(markdown_table(HEADING, measure_all(components))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
