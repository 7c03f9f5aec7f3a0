"""An executor as the scheduler sees one: it knows a fire again, and can be away, slow or choosy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, Unavailable
from headrace_scheduler.model import Fire, Outcome


@dataclass
class Sink:
    """Puts fires on record, once per timer and nominal time."""

    clock: Clock
    recorded: dict[tuple[str, datetime], Fire] = field(default_factory=dict)
    order: list[tuple[str, datetime]] = field(default_factory=list)
    sent: int = 0
    is_away: bool = False
    answers_get_lost: bool = False
    gone: set[str] = field(default_factory=set)
    refuses: set[str] = field(default_factory=set)
    fails_at: set[str] = field(default_factory=set)

    async def fire(self, fires: Sequence[Fire], within: timedelta) -> Sequence[Outcome]:
        self.sent += len(fires)
        if self.is_away:
            raise Unavailable("The executor is away.")
        if any(fire.timer.timer_id in self.fails_at for fire in fires):
            raise HeadraceError("A bug.")
        outcomes = [self._record(fire) for fire in fires]
        if self.answers_get_lost:
            raise Unavailable("The connection broke.")
        return outcomes

    def _record(self, fire: Fire) -> Outcome:
        if fire.timer.timer_id in self.gone:
            return "gone"
        if fire.timer.timer_id in self.refuses:
            return "refused"
        assert fire.nominal_at <= self.clock.now(), "early"
        key = (fire.timer.timer_id, fire.nominal_at)
        if key not in self.recorded:
            self.recorded[key] = fire
            self.order.append(key)
        return "recorded"
