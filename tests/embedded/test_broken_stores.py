"""A store whose commit failed ends the process, whichever of the four it is."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from headrace_embedded.platform import open_platform

from ..system.process import Process

SIGN_IN = {"email": "admin@example.com", "password": "correct horse"}
HOOK: dict[str, Any] = {
    "hook": {"type": "appmixer.utils.http.WebhookTrigger", "x": 0, "y": 0, "source": {}, "config": {}},
}
EVERY_MINUTE: dict[str, Any] = {
    "clock": {
        "type": "appmixer.utils.timers.SchedulerTrigger",
        "x": 0,
        "y": 0,
        "source": {},
        "config": {"properties": {"scheduleType": "custom", "customIntervalUnit": "minutes", "customIntervalValue": 1}},
    }
}


@contextmanager
def damaged(file: Path) -> Iterator[None]:
    """Make every write to the file fail, as those on a bad disk do; it can be read."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        tables = [
            row[1] for row in connection.execute("PRAGMA table_list") if row[2] == "table" and "sqlite_" not in row[1]
        ]
        for table in tables:
            for verb in ("INSERT", "UPDATE"):
                connection.execute(
                    f"CREATE TRIGGER {verb}_{table} BEFORE {verb} ON {table} BEGIN INSERT INTO nowhere VALUES (1); END"
                )
        yield
        for table in tables:
            for verb in ("INSERT", "UPDATE"):
                connection.execute(f"DROP TRIGGER {verb}_{table}")


async def broken(heard: asyncio.Queue[BaseException], *names: str) -> bool:
    """Whether just these stores say next that they are broken."""
    async with asyncio.timeout(20):
        errors = [str(await heard.get()) for _ in names]
    return all(any(name in error for error in errors) for name in names)


async def test_every_store_says_by_name_that_its_commit_failed(tmp_path: Path) -> None:
    heard: asyncio.Queue[BaseException] = asyncio.Queue()
    environ = {
        "HEADRACE_DATA_DIR": str(tmp_path),
        "HEADRACE_PORT": "0",
        "HEADRACE_DRAIN_DELAY": "0s",
        "HEADRACE_DRAIN_WITHIN": "100ms",
        "HEADRACE_EXECUTOR_LEASE": "3s",
        "HEADRACE_ADMIN_EMAIL": SIGN_IN["email"],
        "HEADRACE_ADMIN_PASSWORD": SIGN_IN["password"],
    }
    async with (
        open_platform(environ, on_broken=heard.put_nowait) as serving,
        httpx.AsyncClient(base_url=serving.url, timeout=30) as client,
    ):
        token = (await client.post("/user/auth", json=SIGN_IN)).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"

        async def make(flow: dict[str, Any]) -> str:
            return str((await client.post("/flows", json={"name": "x", "flow": flow})).json()["flowId"])

        async def start(flow_id: str) -> httpx.Response:
            return await client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})

        hook, clock = await make(HOOK), await make(EVERY_MINUTE)
        assert (await start(hook)).status_code == 200

        with ExitStack() as stack:
            stack.enter_context(damaged(tmp_path / "logging.db"))
            stack.enter_context(damaged(tmp_path / "scheduler.db"))
            called = await client.post(f"/flows/{hook}/components/hook", json={})
            assert called.status_code < 300
            assert (await start(clock)).status_code == 200  # it starts as soon as the scheduler is back
            assert await broken(heard, "logging.db", "scheduler.db")
        with ExitStack() as stack:
            stack.enter_context(damaged(tmp_path / "executor.db"))
            stack.enter_context(damaged(tmp_path / "flow_manager.db"))
            answers = await asyncio.gather(
                client.post("/flows", json={"name": "y", "flow": HOOK}),
                client.post(f"/flows/{hook}/components/hook", json={}),
            )
            assert [answer.status_code for answer in answers] == [503, 503]
            assert await broken(heard, "executor.db", "flow_manager.db")
    assert heard.empty()


@pytest.mark.system
def test_the_process_ends_with_status_1_and_a_line_that_says_why(tmp_path: Path) -> None:
    process = Process(tmp_path, HEADRACE_DRAIN_WITHIN="100ms", HEADRACE_EXECUTOR_LEASE="3s")
    process.start()
    assert process.child is not None
    try:
        with damaged(tmp_path / "data" / "executor.db"):
            assert process.child.wait(25) == 1  # its next sign of life cannot be written
        log = (tmp_path / "log").read_text()
        assert "The store executor.db could not commit" in log
        assert "has to be started again" in log
        assert "Traceback" not in log
        assert "cannot start" not in log

        process.start()
        assert process.client().get("/flows").status_code == 200
    finally:
        process.end(signal.SIGKILL)
