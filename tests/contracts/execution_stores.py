"""The adapters of the executor's store, and what the tests of its promises write into them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from headrace_core.clock import SystemClock
from headrace_executor.model import Commit, NewRun, Run, RunState, Unprocessed
from headrace_executor.store import ExecutorStore
from headrace_executor.stores.mongo import MongoExecutorStore
from headrace_executor.stores.sqlite import SqliteExecutorStore

from tests.contracts.databases import fresh_database

ANN, BOB = "a" * 24, "b" * 24
ME, OTHER = "me", "other"
ADAPTERS = ["mongo", "sqlite"]

Opened = Callable[[Path], AbstractAsyncContextManager[ExecutorStore]]
OpenedTwice = Callable[[Path], AbstractAsyncContextManager[tuple[ExecutorStore, ExecutorStore]]]


def adapter(request: pytest.FixtureRequest) -> Opened:
    """The adapter that a parametrized fixture asks for."""
    twice = adapter_twice(request)

    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[ExecutorStore]:
        async with twice(folder) as (store, _):
            yield store

    return opened


def adapter_twice(request: pytest.FixtureRequest) -> OpenedTwice:
    """The same, opened by two who know nothing of each other."""
    return sqlite if request.param == "sqlite" else mongo(request.getfixturevalue("mongo_url"))


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[tuple[ExecutorStore, ExecutorStore]]:
    async with AsyncExitStack() as stack:
        yield (
            await closing(stack, await SqliteExecutorStore.open(folder / "executor.db")),
            await closing(stack, await SqliteExecutorStore.open(folder / "executor.db")),
        )


def mongo(url: str) -> OpenedTwice:
    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[tuple[ExecutorStore, ExecutorStore]]:
        async with AsyncExitStack() as stack:
            name = stack.enter_context(fresh_database(url))
            yield (
                await closing(stack, await MongoExecutorStore.open(url, name, SystemClock())),
                await closing(stack, await MongoExecutorStore.open(url, name, SystemClock())),
            )

    return opened


async def closing(stack: AsyncExitStack, store: ExecutorStore) -> ExecutorStore:
    stack.push_async_callback(store.close)
    return store


def new_run(run_id: str = "r", **changes: Any) -> NewRun:
    plain = NewRun(run_id, ANN, "flow", 1, "trigger", "webhook", f"event-{run_id}", run_id, "", b'{"n": 1}', True)
    return replace(plain, **changes)


def commit(run: Run | str, records: object = None, **changes: Any) -> Commit:
    """The next commit of a run, or the first of one that was just accepted."""
    name, tenant, epoch, seq = (
        (run, ANN, 1, 0) if isinstance(run, str) else (run.run_id, run.tenant_id, run.epoch, run.seq)
    )
    packed = b"[]" if records is None else orjson.dumps([records])
    plain = Commit(name, tenant, epoch, seq, packed, RunState.RUNNING, 1, 1, 0, 10.0)
    return replace(plain, **changes)


def unprocessed(message_id: str = "m", **changes: Any) -> Unprocessed:
    return replace(Unprocessed(message_id, ANN, "flow", "node", "r", "r", b"[1]", b'{"code": "x"}', 3, 10.0), **changes)
