"""Whether this executor takes runs in, as administrators said: kept by its name, so that a restart does not undo it."""

from __future__ import annotations

from datetime import UTC, datetime

from headrace_core.clock import Clock
from headrace_runtime.process import Held

from headrace_executor.engine import Engine
from headrace_executor.store import HoldStore


class KeptBack:
    """Implements `Holding`. The record is written first: what cannot be kept does not begin."""

    def __init__(self, store: HoldStore, engine: Engine, name: str, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._name = name
        self._clock = clock
        self._held: Held | None = None

    @property
    def held(self) -> Held | None:
        """Since when no run is taken in, new or old, and by whom."""
        return self._held

    async def restore(self) -> None:
        """Go on as it was said before the start. Called before the engine runs, which would take runs in."""
        await self._look()

    async def hold(self, by: str) -> None:
        """Take in no more runs, now and after a restart."""
        await self._store.keep_hold(self._name, self._clock.now().timestamp(), by)
        await self._look()

    async def resume(self) -> None:
        """Take runs in again."""
        await self._store.drop_hold(self._name)
        self._held = None
        self._engine.resume()

    async def _look(self) -> None:
        found = await self._store.held(self._name)
        if found is not None:
            at, by = found
            self._held = Held(datetime.fromtimestamp(at, UTC), by)
            self._engine.hold()
