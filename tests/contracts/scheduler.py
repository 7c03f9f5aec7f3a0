"""The stores of the scheduler that every suite runs over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from headrace_core import ids
from headrace_scheduler.store import Store
from headrace_scheduler.stores import redis, sqlite


@asynccontextmanager
async def scheduler_store(request: pytest.FixtureRequest, folder: Path, kind: str = "") -> AsyncIterator[Store]:
    """The store that `kind`, or else `request.param`, names, empty."""
    if (kind or request.param) == "redis":
        url = request.getfixturevalue("redis_url")
        async with redis.open_store(url, prefix=f"test-{ids.new_id()}", patience=timedelta(seconds=10)) as store:
            yield store
    else:
        opened = await sqlite.open_store(folder / "scheduler.db")
        yield opened
        await opened.close()
