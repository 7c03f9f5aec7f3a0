"""The whole platform, embedded and in server mode, and people who call it over a socket."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from headrace_core.ids import new_id
from headrace_embedded.platform import open_platform

from tests.system.cluster import cluster, settings_of
from tests.system.services import ALL, Services

from .installation import set_back
from .people import ADMIN, PASSWORD, People, people_at

MODES = ("embedded", "server")
SETTINGS = {
    "HEADRACE_ADMIN_EMAIL": ADMIN,
    "HEADRACE_ADMIN_PASSWORD": PASSWORD,
    "HEADRACE_SIGN_IN_ATTEMPTS": "3",
    "HEADRACE_SIGN_IN_ATTEMPTS_PER_ADDRESS": "5",
    "HEADRACE_EGRESS_ALLOW_PRIVATE": "true",
    "HEADRACE_KEY_ROTATION_EVERY": "1s",
}
"""The same for both modes, so that one test holds for both."""


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, mongo_url: str, rabbitmq_url: str, redis_url: str, elasticsearch_url: str
) -> Iterator[Services]:
    """Server mode, one process of each service, for the whole session: whoever asks shares it with everybody."""
    settings = settings_of(
        mongo=mongo_url,
        rabbitmq=rabbitmq_url,
        redis=redis_url,
        elasticsearch=elasticsearch_url,
        namespace=f"test-{new_id()}".lower(),
    )
    own = {**SETTINGS, "HEADRACE_VAULT_KEYS": base64.b64encode(secrets.token_bytes(32)).decode()}
    made = cluster(tmp_path_factory.mktemp("api"), settings, replicas=dict.fromkeys(ALL, 1), **own)
    try:
        made.start()
        yield made
    finally:
        made.end()


@pytest.fixture(params=MODES)
async def people(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[People]:
    """An administrator and two new users: of a fresh embedded platform, and of the session's server mode."""
    if request.param == "server":
        services: Services = request.getfixturevalue("server")
        async with served_people(services) as people:
            yield people
    else:
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
        **SETTINGS,
        **more,
    }


@asynccontextmanager
async def served_people(services: Services) -> AsyncIterator[People]:
    """An administrator and two new users of server mode.

    What is set for everybody, or given to the administrator, is gone afterwards: others share the platform.
    """
    async with people_at(f"http://127.0.0.1:{services.port}") as people:
        try:
            yield people
        finally:
            await set_back(people.admin)


@asynccontextmanager
async def open_people(folder: Path, **more: str) -> AsyncIterator[People]:
    """An administrator and two users of an embedded platform in this folder."""
    async with open_platform(environ(folder, **more)) as serving, people_at(serving.url, serving.app) as people:
        yield people
