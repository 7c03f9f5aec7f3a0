"""Time that the setting of the wall clock cannot move, and a watch over how far that clock was moved."""

import logging
from datetime import datetime, timedelta

from headrace_core.clock import Clock

JUMP = timedelta(seconds=5)

_log = logging.getLogger(__name__)


class SteadyTime:
    """The wall clock as it was at the start, moved on by monotonic time: leases and windows are measured by it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_at = clock.now()
        self._began = clock.monotonic()
        self._last_drift = timedelta()
        self.jumps = 0

    def now(self) -> datetime:
        """The present instant, whatever the wall clock was set to since the start."""
        return self._began_at + timedelta(seconds=self._clock.monotonic() - self._began)

    def on_the_wall(self, moment: datetime) -> datetime:
        """What the wall clock shows at this steady instant, as far as is known now."""
        return moment + self.drift()

    def drift(self) -> timedelta:
        """How far the wall clock was moved since the start."""
        return self._clock.now() - self.now()

    def notice_jumps(self) -> None:
        """Say so when the wall clock jumped since the last look."""
        drift = self.drift()
        moved = drift - self._last_drift
        self._last_drift = drift
        if abs(moved) > JUMP:
            self.jumps += 1
            _log.warning(
                "The clock jumped by %.1f s: due timers fire once for each nominal time all the same",
                moved.total_seconds(),
            )
