"""A platform for a browser: with the built user interface, and with a service that has accounts."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from headrace_embedded.platform import open_platform

from tests.api.connector import VENDOR, connector, packed, service
from tests.api.people import until
from tests.provider import CLIENT, CLIENT_SECRET, KEY, provider

ROOT = Path(__file__).resolve().parents[2]
LOGIN, PASSWORD = "admin@headrace.local", "a-password-for-the-browser"
KINDS = ("key", "oauth")
INPUTS = {
    "file": {"type": "filepicker", "label": "File", "index": 1},
    "code": {"type": "code", "label": "Code", "index": 2},
    "stars": {"type": "stars", "label": "Stars", "index": 3},
    "odd": {"type": "hologram", "label": "Odd", "index": 4},
    "choice": {"type": "select", "label": "Choice", "options": ["one", "two", "two"], "index": 5},
}
FORM = """
from headrace_sdk import Component, Context

class Work(Component):
    async def receive(self, context: Context) -> None:
        await context.send_json(dict(context.content))
"""


def free_port() -> int:
    """A port that nobody has now, for a page whose origin the platform has to know before it is served."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def standing(build: Path, data_dir: Path) -> AsyncIterator[Mapping[str, str]]:
    """What a browser's test has to know of it, as its environment."""
    foreign, host = free_port(), free_port()
    environ = {
        "HEADRACE_CORS_ORIGINS": f"http://127.0.0.1:{foreign},http://127.0.0.1:{host}",
        "HEADRACE_DATA_DIR": str(data_dir),
        "HEADRACE_PORT": "0",
        "HEADRACE_DRAIN_DELAY": "0s",
        "HEADRACE_ADMIN_EMAIL": LOGIN,
        "HEADRACE_ADMIN_PASSWORD": PASSWORD,
        "HEADRACE_UI_DIR": str(build),
        "HEADRACE_SIGN_UP": "open",  # people of a host sign up with the names that it gives them
        "HEADRACE_EGRESS_ALLOW_PRIVATE": "true",  # the service with accounts is of this machine
    }
    async with provider() as holder, open_platform(environ) as serving:
        await connect_services(serving.url, holder.url)
        async with demo_page(serving.url, foreign):
            yield {
                "HEADRACE_URL": serving.url,
                "HEADRACE_LOGIN": LOGIN,
                "HEADRACE_PASSWORD": PASSWORD,
                "HEADRACE_SERVICE_KEY": KEY,
                "HEADRACE_CLIENT_SECRET": CLIENT_SECRET,
                "HEADRACE_FOREIGN": f"http://127.0.0.1:{foreign}",
                "HEADRACE_HOST_PORT": str(host),
                "HEADRACE_SERVICE_URL": holder.url,
                "HEADRACE_CONNECTOR": base64.b64encode(forms()).decode(),
            }


async def connect_services(platform: str, holder: str, login: str = LOGIN, password: str = PASSWORD) -> None:
    """Publish the connectors of the service with accounts, and what configures them."""
    async with _admin(platform, login, password) as admin:
        for kind in KINDS:
            await _publish(admin, connector(kind, holder))
            known = {"serviceId": f"{VENDOR}:{kind}", "clientId": CLIENT, "clientSecret": CLIENT_SECRET}
            await _done(admin.post("/service-config", json=known))
        await _publish(admin, forms())


@asynccontextmanager
async def demo_page(platform: str, port: int) -> AsyncIterator[None]:
    """The demo page of docs/embedding at this port, under its own policy."""
    command = [sys.executable, str(ROOT / "docs/embedding/serve.py"), "--platform", platform, "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert b"The demo page" in await asyncio.wait_for(process.stdout.readline(), 30)
        yield
    finally:
        process.terminate()
        await process.wait()


def forms() -> bytes:
    """The archive of `vault.forms`, whose component has fields of kinds that the utilities lack."""
    files = service("forms", "", FORM)
    root = f"{VENDOR}/forms"
    del files[f"{root}/auth.py"]
    path = f"{root}/core/Work/component.json"
    manifest = json.loads(files[path])
    del manifest["auth"]
    files[path] = json.dumps({**manifest, "inPorts": [{"name": "in", "inspector": {"inputs": INPUTS}}]})
    return packed(files)


@asynccontextmanager
async def _admin(url: str, login: str, password: str) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator, who may publish connectors of the tests' vendor."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        signed_in = (await _done(client.post("/user/auth", json={"username": login, "password": password}))).json()
        client.headers["authorization"] = f"Bearer {signed_in['token']}"
        await _done(client.put(f"/users/{signed_in['user']['id']}", json={"vendor": VENDOR}))
        yield client


async def _publish(admin: httpx.AsyncClient, archive: bytes) -> None:
    headers = {"content-type": "application/octet-stream"}
    ticket = (await _done(admin.post("/components", content=archive, headers=headers))).json()["ticket"]
    told = await until(lambda: admin.get(f"/components/uploader/{ticket}"), bool)
    assert "err" not in told, told


async def _done(request: Awaitable[httpx.Response]) -> httpx.Response:
    answer = await request
    assert answer.status_code == 200, (answer.request.url, answer.text)
    return answer


async def browse(node: str, environ: Mapping[str, str], seconds: float, *arguments: str) -> tuple[int, str]:
    """Play `ui/test/browser` with this environment; how it ended and what it said."""
    vitest = ROOT / "ui" / "node_modules" / "vitest" / "vitest.mjs"
    command = [node, str(vitest), "run", "--config", "test/browser/vitest.config.ts", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT / "ui",
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), seconds)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode()
