"""Each server at most once a session, when a test first asks for it; or somebody's own, by a URL in the environment."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import Elasticsearch, Mongo, RabbitMq, Redis, Server


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """Where the servers of this session keep their data. An unprivileged server must be able to enter it."""
    with tempfile.TemporaryDirectory(prefix="headrace-servers-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def mongo_url(servers_folder: Path) -> Iterator[str]:
    """A MongoDB replica set. Take a database of your own, and drop it."""
    yield from _url("HEADRACE_TEST_MONGO_URL", lambda: Mongo(servers_folder / "mongo"))


@pytest.fixture(scope="session")
def redis_url(servers_folder: Path) -> Iterator[str]:
    """A Redis. Take a key prefix of your own, and delete what is under it."""
    yield from _url("HEADRACE_TEST_REDIS_URL", lambda: Redis(servers_folder / "redis"))


@pytest.fixture(scope="session")
def rabbitmq_url(servers_folder: Path) -> Iterator[str]:
    """A RabbitMQ. Take a namespace of your own, and delete its queues."""
    yield from _url("HEADRACE_TEST_RABBITMQ_URL", lambda: RabbitMq(servers_folder / "rabbitmq"))


@pytest.fixture(scope="session")
def elasticsearch_url(servers_folder: Path) -> Iterator[str]:
    """An Elasticsearch. Take an index prefix of your own, and delete its indices."""
    yield from _url("HEADRACE_TEST_ELASTICSEARCH_URL", lambda: Elasticsearch(servers_folder / "elasticsearch"))


def _url(variable: str, make: Callable[[], Server]) -> Iterator[str]:
    given = os.environ.get(variable)
    if given:
        yield given
        return
    with make() as server:
        yield server.url
