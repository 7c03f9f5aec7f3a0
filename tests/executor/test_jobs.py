"""Jobs of plugins: their timers follow what is published, and each due time is carried out once over all executors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from headrace_core.cron import parse_cron
from headrace_core.errors import BadRequest, NotFound, ValidationFailed
from headrace_core.schedules import Interval
from headrace_executor.jobs import EPOCH, SHORTEST, TRIES, schedule_of
from headrace_executor.model import StateChange
from headrace_executor.ports import PluginPlace, PublishedComponent, ServicePlugins
from headrace_executor.timing import Fire, FireOutcome

from .neighbours import MemoryFileStore, MemoryLocks, MemoryStoreService
from .platform import HandedFlows, Platform, Rooms, platform
from .published import Shelf
from .test_runners import QUICK

FOLDER, SERVICE, TENANT = "acme/mail", "acme.mail", "plugin:acme.mail"
COUNT = f"{FOLDER}:count"
Seen = TypeVar("Seen")
AT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PLUGIN = """
    module.exports = async (context) => {
        await context.scheduleJob('count', context.config.every ?? '*/10 * * * * *', async () => {
            const lock = await context.lock('counting');
            const n = (await context.service.stateGet('n') ?? 0) + 1;
            await context.service.stateSet('n', n);
            await lock.unlock();
            while (context.config.waits && await context.service.stateGet('go') !== n) {
                await new Promise((resolve) => setTimeout(resolve, 20));
            }
        });
        await context.scheduleJob('fails', '0 3 * * *', async () => { throw new Error('no job'); });
        await context.scheduleJob('dies', '0 4 * * *', async () => {
            await context.service.stateSet('deaths', (await context.service.stateGet('deaths') ?? 0) + 1);
            process.kill(process.pid, 'SIGKILL');
        });
        await context.scheduleJob('odd', 'every other day', async () => {});
    };
    """


class Published:
    """Keeps `ports.Catalog` for one service with a plugin."""

    def __init__(self, bundle_id: str, config: Mapping[str, Any]) -> None:
        self.bundle_id = bundle_id
        self.config = config

    async def component(self, tenant_id: str, component_type: str, bundle_id: str = "") -> PublishedComponent:
        raise NotFound("component", component_type)

    async def plugins(self, service: str, user_id: str | None) -> ServicePlugins:
        assert user_id is None
        if service != SERVICE or not self.bundle_id:
            raise NotFound("plugin", service)
        return ServicePlugins(service, self.bundle_id, [PluginPlace(FOLDER, "javascript")], self.config)


class World:
    """Executors over one store and one scheduler, and what they host."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.folder = folder
        self.shelf = Shelf()
        self.timers = MemoryLocks()
        self.rooms = Rooms(self.timers, MemoryStoreService(), MemoryFileStore())
        self.catalog = Published(self.put(PLUGIN), config)

    def put(self, code: str) -> str:
        return self.shelf.put({f"{FOLDER}/plugin.js": code})

    @asynccontextmanager
    async def executor(self, store: Any = None) -> AsyncIterator[Platform]:
        async with platform(
            self.folder, HandedFlows(), shelf=self.shelf, runners=QUICK, rooms=self.rooms, catalog=self.catalog,
            store=store, alone=store is None,
        ) as here:  # fmt: skip
            yield here


async def fire(here: Platform, name: str = COUNT, at: datetime = AT) -> FireOutcome:
    due = Fire(f"{TENANT}/{name}", at, None, None, TENANT, name, "job")
    [outcome] = await here.app.timing.fire_timers([due])
    return outcome


async def over(here: Platform, name: str = COUNT, at: datetime = AT) -> None:
    """Send a due time again until it is on record, as the scheduler does."""
    await until(lambda: fire(here, name, at), lambda outcome: outcome.is_recorded)


async def until(look: Callable[[], Awaitable[Seen]], is_there: Callable[[Seen], bool]) -> None:
    async with asyncio.timeout(40):
        while not is_there(await look()):  # noqa: ASYNC110 - what is looked at is another process's
            await asyncio.sleep(0.02)


async def state(here: Platform) -> Any:
    return await here.store.read_state(f"{TENANT}/service/{SERVICE}")


def test_a_cron_has_five_fields_or_a_second_before_them() -> None:
    assert schedule_of("@daily") == schedule_of("0 0 * * *") == schedule_of("30 0 0 * * *") == parse_cron("0 0 * * *")
    assert schedule_of("* * * * * *") == Interval(SHORTEST, EPOCH)
    for wrong in ("*/10 0 * * * *", "*/0x * * * * *", "61 * * * * *", "1 2", "", "*/10 * * * 99 *"):
        with pytest.raises(ValidationFailed):
            schedule_of(wrong)


async def test_timers_follow_what_is_published(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.executor() as here:
        await here.app.jobs.refresh(SERVICE)
        first = {each.node_id: each.schedule for each in world.timers.timers[TENANT]}
        await over(here)

        world.catalog.config = {"every": "0 0 * * * *"}
        await here.app.jobs.refresh(SERVICE)
        configured = {each.node_id: each for each in world.timers.timers[TENANT]}

        world.catalog.bundle_id = world.put("module.exports = async () => {};")
        await here.app.jobs.refresh(SERVICE)
        replaced = world.timers.timers[TENANT]

        world.catalog.bundle_id = world.put("module.exports = async () => { throw new Error('not today'); };")
        with pytest.raises(BadRequest, match="not today"):
            await here.app.jobs.refresh(SERVICE)

        world.catalog.bundle_id = ""
        await here.app.jobs.refresh(SERVICE)
        assert await here.store.read_state(f"{TENANT}/jobs/all") == {}
        assert await fire(here) == FireOutcome(False, True), "the scheduler drops it"

    assert first[COUNT] == Interval(timedelta(seconds=10), EPOCH)
    assert set(first) == {COUNT, f"{FOLDER}:fails", f"{FOLDER}:dies"}, "a cron that is none has no timer"
    assert configured[COUNT].schedule == parse_cron("0 * * * *")
    assert configured[COUNT].since == AT, "a timer that the scheduler lost goes on from the last due time"
    assert replaced == []
    assert TENANT not in world.timers.timers


async def test_a_due_time_is_carried_out_once_however_often_and_wherever_it_is_sent(tmp_path: Path) -> None:
    world = World(tmp_path, waits=True)
    async with world.executor() as one, world.executor(one.store) as other:
        assert not (await fire(one)).is_recorded
        await _until_counted(one, 1)
        for _ in range(3):
            assert not (await fire(one)).is_recorded and not (await fire(other)).is_recorded
        await asyncio.sleep(0.1)  # for one that would begin again
        await _go(one, 1)
        await over(other)
        assert (await fire(one)).is_recorded and (await fire(other)).is_recorded

        assert (await state(one))["n"] == 1
        assert not (await fire(other, at=AT + timedelta(seconds=10))).is_recorded
        await _until_counted(one, 2)
        await _go(one, 2)
        await over(one, at=AT + timedelta(seconds=10))
        assert (await fire(other)).is_recorded, "an earlier one is over, too"


async def test_what_an_executor_left_in_the_middle_is_begun_again_by_the_next(tmp_path: Path) -> None:
    world = World(tmp_path, waits=True)
    async with world.executor() as here:
        await fire(here)
        await _until_counted(here, 1)
    assert not [name for name in world.timers.holders if "/job/" in name], "it gives its lock back"

    async with world.executor() as here:
        assert not (await fire(here)).is_recorded
        await _until_counted(here, 2)
        await _go(here, 2)
        await over(here)


async def test_a_job_that_fails_is_over_and_one_that_dies_is_tried_a_few_times(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    async with world.executor() as here:
        await over(here, f"{FOLDER}:fails")
        await over(here, f"{FOLDER}:dies")
        assert (await state(here))["deaths"] == TRIES

    said = [record.getMessage() for record in caplog.records if record.name == "headrace_executor.plugins"]
    assert f"plugin of {SERVICE}: The job {FOLDER}:fails failed: no job" in said


async def _until_counted(here: Platform, n: int) -> None:
    await until(lambda: state(here), lambda kept: kept.get("n") == n)


async def _go(here: Platform, n: int) -> None:
    await here.store.write_state([StateChange(f"{TENANT}/service/{SERVICE}", "set", "go", str(n).encode())])
