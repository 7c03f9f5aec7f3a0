"""The whole platform in this process, over SQLite, with time that leaps and a far side that answers as told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from headrace_embedded.platform import open_platform

from tests.listening import listening
from tests.scenarios.clock import LeapingClock

SIGN_IN = {"email": "admin@example.com", "password": "correct horse"}
POLL = 0.05
QUIET_POLLS = 8


class FarSide:
    """An HTTP server that notes the idempotency key of each call and answers with the statuses that were set."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.keys: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(lines.get("content-length", "0")))
        self.keys.append(lines.get("idempotency-key", ""))
        status = self.statuses.pop(0) if self.statuses else 200
        writer.write(f"HTTP/1.1 {status} So\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode())
        await writer.drain()


class Stage:
    """What a transcript acts on."""

    def __init__(
        self, client: httpx.AsyncClient, stranger: httpx.AsyncClient, clock: LeapingClock, far: FarSide
    ) -> None:
        self.client = client
        self.stranger = stranger  # calls webhooks and is nobody here
        self.clock = clock
        self.far = far
        self.flows: dict[str, str] = {}

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer = await self.client.request(method, path, **more)
        assert answer.status_code < 500, answer.text
        return answer

    async def settled(self) -> list[dict[str, Any]]:
        """All runs, oldest first, once nothing is under way or overdue any more."""
        before, quiet = None, 0
        async with asyncio.timeout(30):
            while True:
                answer = (await self.call("GET", "/runs", params={"limit": "1000"})).json()
                runs: list[dict[str, Any]] = answer["items"]
                quiet = quiet + 1 if runs == before and not any(map(self._is_moving, runs)) else 0
                if quiet >= QUIET_POLLS:
                    return sorted(runs, key=lambda run: run["created"])
                before = runs
                await asyncio.sleep(POLL)

    def _is_moving(self, run: dict[str, Any]) -> bool:
        now = self.clock.now().isoformat()
        return run["state"] == "running" or (run["state"] == "waiting" and bool(run["due"]) and run["due"][:19] < now)


@contextlib.asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    clock, far = LeapingClock(), FarSide()
    environ = {
        "HEADRACE_DATA_DIR": str(folder),
        "HEADRACE_PORT": "0",
        "HEADRACE_DRAIN_DELAY": "0s",
        "HEADRACE_EXECUTOR_LEASE": "300d",  # a leap must not look like the death of the executor
        "HEADRACE_EGRESS_ALLOW_PRIVATE": "true",
        "HEADRACE_RETRY_COUNT": "3",
        "HEADRACE_ADMIN_EMAIL": SIGN_IN["email"],
        "HEADRACE_ADMIN_PASSWORD": SIGN_IN["password"],
    }
    async with contextlib.AsyncExitStack() as stack:
        far.port = await stack.enter_async_context(listening(far.serve))
        serving = await stack.enter_async_context(open_platform(environ, clock=clock))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=serving.url, timeout=20))
        stranger = await stack.enter_async_context(httpx.AsyncClient(base_url=serving.url, timeout=20))
        token = (await client.post("/user/auth", json=SIGN_IN)).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield Stage(client, stranger, clock, far)
