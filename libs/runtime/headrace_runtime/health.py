"""Whether a process is alive and whether it should get work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from headrace_core.clock import Clock, SystemClock
from headrace_core.errors import HeadraceError

Check = Callable[[], Awaitable[None]]
"""Returns when all is well; raises when not."""

CHECK_TIMEOUT = 2.0
_REMEMBERED_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What was found. `failed` names the checks that failed, with words that are safe to show."""

    is_serving: bool
    passed: tuple[str, ...]
    failed: Mapping[str, str]
    missing: tuple[str, ...] = ()
    """Those of the failed without which no work can be taken."""

    @property
    def is_ready(self) -> bool:
        """Whether balancers should send work here."""
        return self.is_serving and not self.missing


class Health:
    """Named checks and a flag that says whether the process takes work at all.

    A fresh one does not serve: whoever starts the process says so when everything is open, and takes it back
    before it drains.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._checks: dict[str, Check] = {}
        self._dispensable: set[str] = set()
        self._found: tuple[float, Mapping[str, str]] | None = None
        self._checking = asyncio.Lock()
        self.is_serving = False

    def add(self, name: str, check: Check, *, is_needed: bool = True) -> None:
        """Ask this, too. The later of two checks of a name stands.

        What is not needed is reported when it fails, and takes no readiness.
        """
        self._checks[name] = check
        if is_needed:
            self._dispensable.discard(name)
        else:
            self._dispensable.add(name)
        self._found = None

    async def report(self) -> HealthReport:
        """How things are. Checks run at once, for two seconds at most, and no more than once a second."""
        async with self._checking:  # Many who ask at the same time cause one round of checks.
            now = self._clock.monotonic()
            if self._found is None or now - self._found[0] >= _REMEMBERED_SECONDS:
                self._found = (now, await self._check_all())
            failed = self._found[1]
        passed = tuple(name for name in self._checks if name not in failed)
        missing = tuple(name for name in failed if name not in self._dispensable)
        return HealthReport(self.is_serving, passed, failed, missing)

    async def _check_all(self) -> Mapping[str, str]:
        names = list(self._checks)
        found = await asyncio.gather(*(_outcome(name, self._checks[name]) for name in names))
        return {name: outcome for name, outcome in zip(names, found, strict=True) if outcome}


async def _outcome(name: str, check: Check) -> str:
    """What is wrong, in words that may be shown; "" when nothing is. The log has the rest."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await check()
    except TimeoutError:
        return "took too long"
    except HeadraceError as error:
        _log.warning("Health check %s failed: %s", name, error)
        return error.message
    except Exception as error:
        # A check is somebody else's code that asks somebody else's server: any failure is an answer.
        _log.warning("Health check %s failed", name, exc_info=error)
        return "failed"
    return ""
