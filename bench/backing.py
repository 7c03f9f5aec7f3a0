"""The servers that server mode keeps its data in, started once for the whole benchmark."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.servers import Elasticsearch, Mongo, RabbitMq, Redis, Server

KINDS: Mapping[str, type[Server]] = {
    "MONGO": Mongo,
    "RABBITMQ": RabbitMq,
    "REDIS": Redis,
    "ELASTICSEARCH": Elasticsearch,
}


class Backing:
    """MongoDB's wire, RabbitMQ, Redis and Elasticsearch, from the first `settings` to the end of the block.

    A server that `HEADRACE_TEST_MONGO_URL` and its like name is taken instead of one of our own.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._urls: dict[str, str] = {}

    def settings(self, namespace: str) -> dict[str, str]:
        """The environment of services whose data have names that begin with the namespace.

        Raises `tests.servers.install.Missing` or `NotReady` when the servers cannot be had.
        """
        if not self._urls:
            self._start()
        names = {f"HEADRACE_{kind}_NAMESPACE": namespace for kind in ("MONGO", "RABBITMQ", "REDIS")}
        return {
            **{f"HEADRACE_{kind}_URL": url for kind, url in self._urls.items()},
            **names,
            "HEADRACE_ELASTICSEARCH_PREFIX": namespace,
            "HEADRACE_ELASTICSEARCH_REPLICAS": "0",
        }

    def _start(self) -> None:
        # Not in the clone: Elasticsearch runs as nobody, who must be able to enter the folder.
        folder = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-bench-", ignore_cleanup_errors=True))
        )
        folder.chmod(0o755)
        given = {kind: os.environ.get(f"HEADRACE_TEST_{kind}_URL", "") for kind in KINDS}
        servers = {kind: server(folder / kind.lower()) for kind, server in KINDS.items() if not given[kind]}
        for server in servers.values():
            self._stack.callback(server.close)
        with ThreadPoolExecutor(len(KINDS)) as pool:
            for start in [pool.submit(server.start) for server in servers.values()]:
                start.result()
        self._urls = {kind: given[kind] or servers[kind].url for kind in KINDS}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
