"""What a process says of itself to administrators: how it is, what it was set to, and what it finds behind it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import resource
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from headrace_core.clock import Clock, SystemClock
from headrace_core.errors import Unsupported
from headrace_core.ids import new_id

from headrace_runtime.doctor import Finding, Subject, examine
from headrace_runtime.metrics import Metrics
from headrace_runtime.settings import Given, given

LOOK_SECONDS = 4.0
REMEMBERED_SECONDS = 10.0
"""How long what was found behind the process is believed: asking costs the servers something."""


@dataclass(frozen=True, slots=True)
class Held:
    """That work is kept back: since when, and by whom, as they sign in."""

    at: datetime
    by: str


class Holding(Protocol):
    """Work that can be kept back without ending the process. What was asked for holds over restarts of it."""

    @property
    def held(self) -> Held | None:
        """Since when nothing new is begun, and by whom; None while it is."""
        ...

    async def hold(self, by: str) -> None:
        """Begin nothing new; what is under way goes on to its end. Twice is as once: the first stays on record."""
        ...

    async def resume(self) -> None:
        """Begin work again. Twice is as once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A process at a moment. `held` is None where work is not kept back, or cannot be."""

    service: str
    instance_id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    now: datetime
    can_hold: bool
    held: Held | None
    numbers: Mapping[str, float]
    settings: Sequence[Given]
    findings: Sequence[tuple[str, Finding]]


class Process:
    """This process, as the service `name`.

    `settings` are the classes that it read, `subjects` the servers and places that it keeps things in.
    """

    def __init__(
        self,
        name: str,
        environ: Mapping[str, str],
        metrics: Metrics,
        *,
        settings: Sequence[type[Any]] = (),
        subjects: Sequence[Subject] = (),
        data: Path | None = None,
        holding: Holding | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.instance_id = new_id()
        self._environ = environ
        self._metrics = metrics
        self._settings = settings
        self._subjects = subjects
        self._data = data
        self._holding = holding
        self._clock: Clock = clock or SystemClock()
        self._started_at = self._clock.now()
        self._looking = asyncio.Lock()
        self._found: tuple[float, list[tuple[str, Finding]]] | None = None

    async def describe(self) -> Described:
        """How it is now. What is behind it is asked at most every ten seconds."""
        return Described(
            service=self.name,
            instance_id=self.instance_id,
            host=platform.node(),
            pid=os.getpid(),
            version=running_version(),
            started_at=self._started_at,
            now=self._clock.now(),
            can_hold=self._holding is not None,
            held=None if self._holding is None else self._holding.held,
            numbers={**numbers_of(await self._metrics.text()), **self._own_numbers()},
            settings=[each for cls in self._settings for each in given(cls, self._environ)],
            findings=await self._behind(),
        )

    async def hold(self, by: str) -> None:
        """Begin nothing new. Raises Unsupported where there is nothing to hold back, Unavailable where it cannot be
        kept for the next start: then nothing changes.
        """
        await self._needed().hold(by)

    async def resume(self) -> None:
        """Begin work again. Raises Unsupported where there is nothing to hold back, Unavailable as `hold`."""
        await self._needed().resume()

    def _needed(self) -> Holding:
        if self._holding is None:
            raise Unsupported(f"A {self.name} holds nothing back: it answers until it is stopped. Drain an executor.")
        return self._holding

    async def _behind(self) -> list[tuple[str, Finding]]:
        async with self._looking:
            now = self._clock.monotonic()
            if self._found is None or now - self._found[0] >= REMEMBERED_SECONDS:
                reports = await examine(self._subjects, check_seconds=LOOK_SECONDS / 2, subject_seconds=LOOK_SECONDS)
                self._found = (now, [(report.subject, each) for report in reports for each in report.findings])
            return self._found[1]

    def _own_numbers(self) -> dict[str, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        numbers = {"process_cpu_seconds": used.ru_utime + used.ru_stime, "process_memory_bytes": _memory_bytes()}
        if self._data is not None:
            with contextlib.suppress(OSError):
                room = shutil.disk_usage(self._data)
                files = [each.stat().st_size for each in self._data.rglob("*.db*") if each.is_file()]
                numbers |= {"disk_free_bytes": room.free, "disk_size_bytes": room.total, "data_bytes": sum(files)}
        return numbers


def running_version() -> str:
    """The version that is installed; "0" where none is."""
    try:
        return version("headrace")
    except PackageNotFoundError:
        return "0"


def numbers_of(text: str) -> dict[str, float]:
    """What metrics in Prometheus' text format say, each summed over its labels; spreads are left out."""
    numbers: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        name = name.partition("{")[0]
        if not line.startswith("#") and name and not name.endswith("_bucket"):
            with contextlib.suppress(ValueError):
                numbers[name] = numbers.get(name, 0.0) + float(value)
    return numbers


def _memory_bytes() -> float:
    """What the process holds in memory now; 0 where the system does not say."""
    try:
        return float(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0.0
