"""What Redis lost is put back by those who own it; nothing is missed for it, and nothing fires twice."""

import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core.clock import TestClock
from headrace_core.errors import Unavailable
from headrace_core.schedules import Interval
from headrace_scheduler.firing import Firing
from headrace_scheduler.model import Timer
from headrace_scheduler.restoring import Restoring
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.store import Store
from headrace_scheduler.stores import redis, sqlite

from tests.scheduler.sink import Sink
from tests.servers import Redis

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PATIENCE = 10 * SECOND


def every(seconds: int, name: str) -> Timer:
    return Timer(name, "flow", "tenant", Interval(seconds * SECOND, NOW), flow_id="flow", node_id="n", port="tick")


class Owners:
    """Owners of two pages of timers."""

    def __init__(self, store: Store, timers: Sequence[Timer], clock: TestClock) -> None:
        self.store = store
        self.pages = {"": ("f1", timers[:1]), "f1": ("f2", timers[1:]), "f2": ("", ())}
        self.clock = clock
        self.asked: list[str] = []
        self.is_away = False

    async def restore(self, after_flow_id: str, within: timedelta) -> str:
        if self.is_away:
            raise Unavailable("The executor is away.")
        self.asked.append(after_flow_id)
        last, timers = self.pages[after_flow_id]
        since = [Timer(**{**_fields(timer), "since": NOW}) for timer in timers]
        await self.store.timers.put(since, self.clock.now(), only_missing=True)
        return last


def _fields(timer: Timer) -> dict:
    return {name: getattr(timer, name) for name in Timer.__slots__}


async def test_timers_that_redis_lost_come_back_and_fire_what_was_missed_once(tmp_path: Path) -> None:
    clock = TestClock(NOW)
    with Redis(tmp_path) as server:
        async with redis.open_store(server.url, prefix="test", patience=PATIENCE) as store:
            sink = Sink(clock)
            owners = Owners(store, [every(10, "a"), every(15, "b")], clock)
            restoring = Restoring(store, owners, clock, look_every=SECOND)
            firing = Firing(store.timers, sink, clock=clock, settings=SchedulerSettings())
            assert await restoring.look(), "a new store has everything put back once"
            assert not await restoring.look()
            clock.advance(10)
            await firing.fire_due()

            server.kill()
            server.wipe()
            server.start()
            clock.advance(21)
            assert await firing.fire_due() == 0
            assert await restoring.look()
            while await firing.fire_due():
                pass

            assert owners.asked == ["", "f1", "f2"] * 2
            assert not await restoring.look()
    fired = [(name, (at - NOW) // SECOND) for name, at in sink.order]
    assert ("a", 30) in fired, "what was missed fires"
    assert ("b", 30) in fired
    assert len(fired) == len(set(fired)), "and nothing twice"


def start_anew(server: Redis) -> None:
    server.kill()
    server.wipe()
    server.start()


def flush(server: Redis) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(100).startswith(b"+OK")


@pytest.mark.parametrize("lose", [start_anew, flush])
async def test_what_is_lost_while_timers_are_put_back_is_put_back_too(
    lose: Callable[[Redis], None], tmp_path: Path
) -> None:
    clock = TestClock(NOW)
    with Redis(tmp_path) as server:
        async with redis.open_store(server.url, prefix="test", patience=PATIENCE) as store:

            class Unlucky(Owners):
                async def restore(self, after_flow_id: str, within: timedelta) -> str:
                    last = await super().restore(after_flow_id, within)
                    if len(self.asked) == 2:
                        lose(server)
                    return last

            restoring = Restoring(
                store, Unlucky(store, [every(10, "a"), every(15, "b")], clock), clock, look_every=SECOND
            )

            await restoring.look()
            await restoring.look()

            listed = await store.timers.list(group_id="", after_timer_id="", limit=9)
            assert [each.timer.timer_id for each in listed] == ["a", "b"]
            assert not await restoring.look()


async def test_a_timer_that_is_still_there_keeps_its_place_when_others_come_back(tmp_path: Path) -> None:
    clock = TestClock(NOW)
    with Redis(tmp_path) as server:
        async with redis.open_store(server.url, prefix="test", patience=PATIENCE) as store:
            owners = Owners(store, [every(10, "a"), every(15, "b")], clock)
            moved = Timer(**{**_fields(every(10, "a")), "schedule": Interval(SECOND * 60, NOW)})
            await store.timers.put([moved], NOW)
            clock.advance(5)

            await Restoring(store, owners, clock, look_every=SECOND).look()

            kept = {
                each.timer.timer_id: each for each in await store.timers.list(group_id="", after_timer_id="", limit=9)
            }
            assert kept["a"].next_at == NOW + 60 * SECOND
            assert kept["b"].next_at == NOW + 15 * SECOND


async def test_it_is_tried_again_until_the_owners_answer(tmp_path: Path) -> None:
    clock = TestClock(NOW)
    with Redis(tmp_path) as server:
        async with redis.open_store(server.url, prefix="test", patience=PATIENCE) as store:
            owners = Owners(store, [every(10, "a"), every(15, "b")], clock)
            owners.is_away = True
            restoring = Restoring(store, owners, clock, look_every=SECOND)
            try:
                await restoring.look()
            except Unavailable:
                owners.is_away = False

            assert await restoring.look()
            assert not await restoring.look()


async def test_a_store_on_disk_loses_nothing(tmp_path: Path) -> None:
    clock = TestClock(NOW)
    store = await sqlite.open_store(tmp_path / "scheduler.db")
    owners = Owners(store, [every(10, "a")], clock)

    assert not await Restoring(store, owners, clock, look_every=SECOND).look()
    assert owners.asked == []
    await store.close()
