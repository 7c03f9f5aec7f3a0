"""A MongoDB database for one test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from headrace_core.ids import new_id
from pymongo import MongoClient


@contextlib.contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """The name of a database that nobody else uses; it is dropped when the block ends."""
    name = f"test_{new_id()}"
    try:
        yield name
    finally:
        client: MongoClient[dict[str, object]] = MongoClient(url)
        with contextlib.closing(client):
            client.drop_database(name)
