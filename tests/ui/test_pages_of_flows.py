"""A form of a flow in a real browser: what the sandbox of its page lets people do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.conftest import open_people
from tests.api.people import make_running
from tests.connectors.flows.playing import NODE, address, node, sent_by

SECONDS = 60
GONE = -32000  # the page went on between two questions
pytestmark = pytest.mark.timeout(SECONDS * 2)


class Moved(Exception):
    """What was asked about is of a page that is no longer there."""


class Page:
    """A page by the protocol of the browser's tools."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            told = await self._socket.receive_json()
            if told.get("id") == number:
                if told.get("error", {}).get("code") == GONE:
                    raise Moved
                assert "error" not in told, told
                return dict(told["result"])

    async def text(self) -> str:
        root = (await self.ask("DOM.getDocument", depth=-1))["root"]["nodeId"]
        return str((await self.ask("DOM.getOuterHTML", nodeId=root))["outerHTML"])

    async def until(self, said: str) -> str:
        async with asyncio.timeout(SECONDS):
            while True:
                with contextlib.suppress(Moved):
                    text = await self.text()
                    if said in text:
                        return text
                await asyncio.sleep(0.1)

    async def click(self, selector: str) -> None:
        root = (await self.ask("DOM.getDocument"))["root"]["nodeId"]
        found = (await self.ask("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
        x0, y0, x1, _, _, y1, *_ = (await self.ask("DOM.getBoxModel", nodeId=found))["model"]["content"]
        for kind in ("mousePressed", "mouseReleased"):
            place = {"x": (x0 + x1) / 2, "y": (y0 + y1) / 2}
            await self.ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)


@asynccontextmanager
async def browsing(chromium: Path, url: str) -> AsyncIterator[Page]:
    """A page of a browser of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        browser = await asyncio.create_subprocess_exec(
            *(str(chromium), *flags, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            assert browser.stderr is not None
            async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as session:
                while not (told := re.search(rb"ws://([^/\s]+)/", await browser.stderr.readline())):
                    assert not browser.stderr.at_eof(), "the browser did not start"
                async with session.get(f"http://{told[1].decode()}/json/list") as answer:
                    [tab, *_] = [each for each in json.loads(await answer.text()) if each["type"] == "page"]
                async with session.ws_connect(tab["webSocketDebuggerUrl"]) as socket:
                    page = Page(socket)
                    await page.ask("Page.enable")
                    await page.ask("Page.navigate", url=url)
                    yield page
        finally:
            browser.kill()
            await browser.wait()


async def test_a_person_fills_in_a_form_and_no_script_of_it_runs(chromium: Path, tmp_path: Path) -> None:
    async with open_people(tmp_path) as people:
        base = str(people.ann.base_url).rstrip("/")
        fields = {"ADD": [{"label": "Name", "type": "text", "defaultValue": '"><script>document.title="run"</script>'}]}
        form = node("appmixer.utils.forms.FormTrigger", properties={"title": "Sign up", "fields": fields})
        flow_id = await make_running(people.ann, {NODE: form})
        async with browsing(chromium, f"{base}{address(people.ann, flow_id, NODE)}") as page:
            shown = await page.until("Sign up")
            await page.click("button.first")
            await page.until("Thank you!")
            sent = await sent_by(people.ann, flow_id)

    assert "<title>Sign up</title>" in shown, "nothing ran that would have changed it"
    assert [entry["Name"] for _, entry in sent] == ['"><script>document.title="run"</script>']
