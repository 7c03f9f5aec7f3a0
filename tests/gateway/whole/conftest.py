"""Clients of a fresh platform."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from headrace_embedded.platform import open_platform

PASSWORD = "correct horse"


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """An administrator's client of a fresh platform."""
    environ = {
        "HEADRACE_DATA_DIR": str(tmp_path),
        "HEADRACE_PORT": "0",
        "HEADRACE_DRAIN_DELAY": "0s",
        "HEADRACE_ADMIN_EMAIL": "admin@example.com",
        "HEADRACE_ADMIN_PASSWORD": PASSWORD,
    }
    async with open_platform(environ) as serving, httpx.AsyncClient(base_url=serving.url) as client:
        signed_in = await client.post("/user/auth", json={"email": "admin@example.com", "password": PASSWORD})
        speak_with(client, signed_in.json()["token"])
        yield client


@pytest.fixture
async def ann(admin: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """The client of a user who is nobody special."""
    made = await admin.post("/user", json={"email": "ann@example.com", "password": PASSWORD})
    async with httpx.AsyncClient(base_url=admin.base_url) as client:
        speak_with(client, made.json()["token"])
        yield client


def speak_with(client: httpx.AsyncClient, token: str) -> None:
    client.headers["Authorization"] = f"Bearer {token}"
