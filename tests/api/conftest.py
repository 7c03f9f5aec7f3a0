"""The whole platform in one process, and people who call it over a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from headrace_embedded.platform import open_platform

from .people import ADMIN, PASSWORD, People, sign_up


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[People]:
    """An administrator and two users of a fresh platform."""
    async with open_people(tmp_path) as people:
        yield people


@pytest.fixture
async def user(people: People) -> httpx.AsyncClient:
    return people.ann


@pytest.fixture
async def admin(people: People) -> httpx.AsyncClient:
    return people.admin


def environ(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a platform that keeps its data in the folder."""
    return {
        "HEADRACE_DATA_DIR": str(folder),
        "HEADRACE_PORT": "0",
        "HEADRACE_DRAIN_DELAY": "0s",
        "HEADRACE_ADMIN_EMAIL": ADMIN,
        "HEADRACE_ADMIN_PASSWORD": PASSWORD,
        **more,
    }


@asynccontextmanager
async def open_people(folder: Path, **more: str) -> AsyncIterator[People]:
    async with open_platform(environ(folder, **more)) as serving, httpx.AsyncClient(base_url=serving.url) as admin:
        signed_in = await admin.post("/user/auth", json={"email": ADMIN, "password": PASSWORD})
        admin.headers["Authorization"] = f"Bearer {signed_in.json()['token']}"
        async with await sign_up(admin, "ann@example.com") as ann, await sign_up(admin, "bob@example.com") as bob:
            yield People(serving.app, admin, ann, bob)
