"""What every LockStore promises."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_scheduler.store import LockStore

from tests.contracts.scheduler import scheduler_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TTL = timedelta(seconds=20)


@pytest.fixture(params=["sqlite", "redis"])
async def locks(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LockStore]:
    async with scheduler_store(request, tmp_path) as store:
        yield store.locks


async def test_of_many_who_ask_at_once_one_gets_the_lock(locks: LockStore) -> None:
    answers = await asyncio.gather(*(locks.acquire("name", f"holder {n}", TTL, NOW) for n in range(20)))

    assert sum(lock.acquired for lock in answers) == 1
    assert {lock.expires_at for lock in answers} == {NOW + TTL}


async def test_the_same_holder_extends_its_lease_and_keeps_its_token(locks: LockStore) -> None:
    first = await locks.acquire("name", "me", TTL, NOW)

    again = await locks.acquire("name", "me", TTL, NOW + TTL / 2)

    assert again.fencing_token == first.fencing_token
    assert again.expires_at == NOW + TTL / 2 + TTL


async def test_a_lease_that_ran_out_is_free_and_its_holder_cannot_extend_it(locks: LockStore) -> None:
    await locks.acquire("name", "me", TTL, NOW)

    assert await locks.extend("name", "me", TTL, NOW + TTL) is None
    assert (await locks.acquire("name", "you", TTL, NOW + TTL)).acquired


async def test_a_held_lease_is_extended_from_now(locks: LockStore) -> None:
    await locks.acquire("name", "me", TTL, NOW)

    assert await locks.extend("name", "me", TTL, NOW + TTL / 2) == NOW + TTL / 2 + TTL
    assert await locks.extend("name", "you", TTL, NOW) is None


async def test_tokens_of_a_name_grow_with_every_lease_even_after_it_was_forgotten(locks: LockStore) -> None:
    tokens = []
    for number in range(5):
        now = NOW + number * 2 * TTL
        tokens.append((await locks.acquire("name", "me", TTL, now)).fencing_token)
        if number % 2:
            await locks.release("name", "me")
        await locks.purge(now + TTL)

    assert tokens == sorted(set(tokens))


async def test_only_the_holder_releases_and_releasing_again_changes_nothing(locks: LockStore) -> None:
    await locks.acquire("name", "me", TTL, NOW)

    assert not await locks.release("name", "you")
    assert await locks.release("name", "me")
    assert not await locks.release("name", "me")
    assert (await locks.acquire("name", "you", TTL, NOW)).acquired


async def test_purging_forgets_only_what_ran_out(locks: LockStore) -> None:
    await locks.acquire("old", "me", TTL, NOW)
    await locks.acquire("new", "me", 3 * TTL, NOW)

    assert await locks.purge(NOW + TTL) == 1
    assert not (await locks.acquire("new", "you", TTL, NOW + TTL)).acquired
