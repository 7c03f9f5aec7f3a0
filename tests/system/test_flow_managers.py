"""Two flow managers as processes over one MongoDB, from the first start on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from headrace_core.ids import new_id
from pymongo import MongoClient

from tests.servers import Mongo

from .process import ADMIN, wait_for
from .services import Services

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@pytest.fixture
def mongo(tmp_path: Path) -> Iterator[Mongo]:
    """A server of the test's own, to be hurt."""
    with Mongo(tmp_path / "mongo") as server:
        yield server


@pytest.fixture
def services(tmp_path: Path, mongo: Mongo) -> Iterator[Services]:
    made = Services(
        tmp_path,
        replicas={"flow_manager": 2},
        HEADRACE_MONGO_URL=mongo.url,
        HEADRACE_MONGO_NAMESPACE=f"test-{new_id()}",
    )
    yield made
    made.end()


def test_they_start_together_on_an_empty_database_and_outlive_the_server(services: Services, mongo: Mongo) -> None:
    both = services.replicas("flow_manager")
    services.start(both)

    with MongoClient[dict[str, object]](mongo.url) as client:
        (database,) = [name for name in client.list_database_names() if name.endswith("_flow_manager")]
        assert [each["username"] for each in client[database]["users"].find()] == [ADMIN]
    assert sum("Made the first administrator" in services.log(name) for name in both) == 1

    mongo.restart()
    for name in both:
        wait_for(lambda name=name: services.is_ready(name), 10)
    assert services.ask_to_stop(both) == dict.fromkeys(both, 0)


def test_one_that_starts_before_the_server_waits_for_it_and_says_so_in_a_line(services: Services, mongo: Mongo) -> None:
    mongo.kill()
    first = services.names[0]
    services.launch([first])

    wait_for(lambda: "Not started yet: MongoDB at" in services.log(first), 20)
    assert "Traceback" not in services.log(first)
    mongo.start()
    wait_for(lambda: services.is_ready(first), 30)
    services.send(first, signal.SIGTERM)
