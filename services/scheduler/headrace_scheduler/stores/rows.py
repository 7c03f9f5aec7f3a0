"""Timers as rows of plain values, the form in which every store keeps them."""

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, cast

from headrace_core import schedules
from headrace_core.schedules import MisfirePolicy, Schedule

from headrace_scheduler.model import KeptTimer, Timer
from headrace_scheduler.stores import instants

Row = Mapping[str, Any]

LONGEST_HOLD = timedelta(hours=2)
"""No claim and no pause lasts longer. One that seems to was written before the clock was set back: it is void."""

ASIDE = timedelta(hours=1)
"""How long a timer is put aside whose schedule this release cannot read."""


def values(kept: KeptTimer) -> dict[str, str | int | None]:
    """The row of a timer, without what belongs to claims."""
    timer = kept.timer
    return {
        "timer_id": timer.timer_id,
        "group_id": timer.group_id,
        "tenant_id": timer.tenant_id,
        "schedule": written(timer.schedule),
        "misfire": timer.misfire,
        "flow_id": timer.flow_id,
        "node_id": timer.node_id,
        "port": timer.port,
        "run_id": timer.run_id,
        "immediate": int(timer.immediate),
        "next_at": instants.stored_or_none(kept.next_at),
        "previous_at": instants.stored_or_none(kept.previous_at),
        "is_promised": int(kept.is_promised),
        "caught_up": kept.caught_up,
    }


def kept(row: Row) -> KeptTimer:
    """The timer of a row. Raises HeadraceError when this release cannot read its schedule."""
    return KeptTimer(
        timer=_timer(row, _read(row["schedule"])),
        next_at=instants.moment_or_none(row["next_at"]),
        previous_at=instants.moment_or_none(row["previous_at"]),
        is_promised=bool(row["is_promised"]),
        caught_up=row["caught_up"],
    )


def begun_anew(row: Row) -> KeptTimer:
    """What is known of a timer whose schedule changes; the old schedule need not be readable for that."""
    gone = schedules.Once(instants.moment(0))
    return KeptTimer(_timer(row, gone), None, instants.moment_or_none(row["previous_at"]))


def written(schedule: Schedule) -> str:
    """A schedule as text; equal schedules are equal texts."""
    return json.dumps(schedules.to_json(schedule), sort_keys=True)


def _timer(row: Row, schedule: Schedule) -> Timer:
    return Timer(
        timer_id=row["timer_id"],
        group_id=row["group_id"],
        tenant_id=row["tenant_id"],
        schedule=schedule,
        misfire=cast("MisfirePolicy", row["misfire"]),  # only ever written from a Timer
        flow_id=row["flow_id"],
        node_id=row["node_id"],
        port=row["port"],
        run_id=row["run_id"],
        immediate=bool(row["immediate"]),
    )


@lru_cache(maxsize=4096)
def _read(text: str) -> Schedule:
    return schedules.from_json(json.loads(text))
