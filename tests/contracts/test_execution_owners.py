"""Owners that come, go, die and come back late share runs without a run ever having two of them."""

import asyncio
import random
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest
from headrace_executor.model import Commit, Run, RunState
from headrace_executor.store import ExecutorStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.execution_stores import ADAPTERS, ANN, Opened, adapter, commit, new_run

RUNS = [f"run{index}" for index in range(5)]
STEPS = 4
LEASE = 3.0


@dataclass
class World:
    """What all owners did, for the judge."""

    store: ExecutorStore
    now: float = 1.0
    grants: list[tuple[str, int]] = field(default_factory=list)
    written: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def grant(self, run: Run) -> None:
        self.grants.append((run.run_id, run.epoch))


class Owner:
    """An executor that does what a seed says, with the runs it believes to own."""

    def __init__(self, name: str, world: World, seed: int) -> None:
        self.name = name
        self.world = world
        self.random = random.Random(seed)
        self.held: dict[str, Run] = {}

    async def live(self, acts: list[str]) -> None:
        for act in acts:
            self.world.now += 0.5
            await getattr(self, act)()

    async def beat(self) -> None:
        await asyncio.to_thread(self.world.store.heartbeat, self.name, self.world.now + LEASE)

    async def accept(self) -> None:
        names = self.random.sample(RUNS, 2)
        outcomes = await self.world.store.accept([new_run(name) for name in names], self.name, self.world.now)
        for outcome in outcomes:
            loaded = await self.world.store.get(ANN, outcome.run_id) if outcome.is_new else None
            if outcome.is_new and loaded is not None:
                loaded.run.epoch, loaded.run.seq = 1, 0  # as accepted; somebody may have it already
                self.world.grant(loaded.run)
                self.held[outcome.run_id] = loaded.run

    async def claim(self) -> None:
        for loaded in await self.world.store.claim(self.name, self.world.now, 3):
            self.world.grant(loaded.run)
            self.held[loaded.run.run_id] = loaded.run

    async def commit(self) -> None:
        commits = [self._next(run) for run in self.held.values()]
        for order, is_written in zip(commits, await self.world.store.commit(commits), strict=True):
            if is_written:
                self.held[order.run_id].seq += 1
                self.world.written.setdefault(order.run_id, []).append((order.epoch, order.seq))
            if not is_written or order.state is not RunState.RUNNING:
                del self.held[order.run_id]

    async def reclaim(self) -> None:
        for name in list(self.held):
            again = await self.world.store.reclaim(self.name, name, self.world.now)
            if again is None:
                del self.held[name]
            else:
                self.world.grant(again.run)
                self.held[name] = again.run

    async def leave(self) -> None:
        self.held.clear()
        await self.world.store.retire(self.name, self.world.now)

    async def sleep(self) -> None:
        """Say nothing for longer than the lease, and believe to own what was owned."""
        self.world.now += LEASE + 1

    def _next(self, run: Run) -> Commit:
        if run.seq + 1 >= STEPS:
            state = RunState.DONE
        else:
            state = self.random.choice([RunState.RUNNING, RunState.RUNNING, RunState.WAITING])
        record = {"epoch": run.epoch, "seq": run.seq}
        return commit(run, record, state=state, due=self.world.now, now=self.world.now)


ACTS = st.lists(
    st.sampled_from(["accept", "claim", "commit", "commit", "commit", "beat", "sleep", "reclaim", "leave"]),
    min_size=4,
    max_size=10,
)


@pytest.fixture(params=ADAPTERS)
def opened(request: pytest.FixtureRequest) -> Opened:
    return adapter(request)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=st.lists(ACTS, min_size=2, max_size=3), seed=st.integers(0, 1000))
def test_whatever_owners_do_a_run_has_one_owner_at_an_epoch_and_one_history(
    opened: Opened, lives: list[list[str]], seed: int
) -> None:
    asyncio.run(_play(opened, lives, seed))


async def _play(opened: Opened, lives: list[list[str]], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder)) as store:
            world = World(store)
            owners = [Owner(f"owner{index}", world, seed + index) for index in range(len(lives))]
            async with asyncio.TaskGroup() as tasks:
                for owner, acts in zip(owners, lives, strict=True):
                    tasks.create_task(owner.live(acts))

            twice = [grant for grant, count in Counter(world.grants).items() if count > 1]
            assert not twice, f"given to two owners: {twice}"
            for name in RUNS:
                await _judge(world, name)


async def _judge(world: World, name: str) -> None:
    """The journal holds what its writers were told is written, each `seq` once, in order."""
    loaded = await world.store.get(ANN, name)
    journal = [] if loaded is None else [orjson.loads(chunk)[0] for chunk in loaded.chunks]
    kept = [(record["epoch"], record["seq"]) for record in journal]

    assert kept == sorted(world.written.get(name, []))
    assert [seq for _, seq in kept] == list(range(len(kept)))
    assert loaded is None or loaded.run.seq == len(kept)
