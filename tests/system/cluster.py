"""Server mode: the backing servers, and the five services over them, two of each that may be many."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from tests.servers import Elasticsearch, Mongo, RabbitMq, Redis, Server

from .services import Services

TWO_OF_EACH = {"gateway": 2, "flow_manager": 2, "scheduler": 2, "executor": 2, "logging": 1}


def settings_of(
    *, mongo: str, rabbitmq: str, redis: str, elasticsearch: str, namespace: str = "headrace"
) -> dict[str, str]:
    """The environment of services that keep everything in these servers, under names that begin with the namespace."""
    return {
        "HEADRACE_MONGO_URL": mongo,
        "HEADRACE_MONGO_NAMESPACE": namespace,
        "HEADRACE_RABBITMQ_URL": rabbitmq,
        "HEADRACE_RABBITMQ_NAMESPACE": namespace,
        "HEADRACE_REDIS_URL": redis,
        "HEADRACE_REDIS_NAMESPACE": namespace,
        "HEADRACE_ELASTICSEARCH_URL": elasticsearch,
        "HEADRACE_ELASTICSEARCH_PREFIX": namespace,
        "HEADRACE_ELASTICSEARCH_REPLICAS": "0",
    }


class Backing:
    """Servers of one's own, to be hurt. Leaving the block ends them."""

    def __init__(self, folder: Path) -> None:
        self.mongo = Mongo(folder / "mongo")
        self.rabbitmq = RabbitMq(folder / "rabbitmq")
        self.redis = Redis(folder / "redis")
        self.elasticsearch = Elasticsearch(folder / "elasticsearch")

    @property
    def all(self) -> Mapping[str, Server]:
        return {
            "mongo": self.mongo,
            "rabbitmq": self.rabbitmq,
            "redis": self.redis,
            "elasticsearch": self.elasticsearch,
        }

    @property
    def settings(self) -> dict[str, str]:
        """The environment of services over these servers."""
        return settings_of(**{name: server.url for name, server in self.all.items()})

    def __enter__(self) -> Self:
        with ThreadPoolExecutor(len(self.all)) as pool:
            starts = [pool.submit(server.start) for server in self.all.values()]
        try:
            for start in starts:
                start.result()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for server in self.all.values():
            server.close()


def cluster(
    folder: Path,
    settings: Mapping[str, str],
    *,
    replicas: Mapping[str, int] = TWO_OF_EACH,
    ports: Mapping[str, int] | None = None,
    **environ: str,
) -> Services:
    """Two of each service, one log service, over what the settings name. Not started yet."""
    folder.mkdir(parents=True, exist_ok=True)
    return Services(folder, replicas=replicas, ports=ports, **{**settings, **environ})
