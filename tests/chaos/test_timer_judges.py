"""The judges of timers find each wrong by its name, and nothing where nothing is wrong."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from . import flow_timers, oracle_of_timers
from .fires import Due, Send
from .flow_timers import Fired
from .r6 import LEVELS
from .schedulers import NAMES
from .timetable import Amounts, timetable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = NOW.timestamp()


def due(name: str, second: float) -> Due:
    return Due(name, int((START + second) * 1e6))


def judged(sends: Sequence[tuple[Due, float]], owed: Sequence[Due], **given: Any) -> oracle_of_timers.Fires:
    """`sends`: what arrived, in order, and how late."""
    seen: dict[Due, list[Send]] = {}
    for number, (each, late) in enumerate(sends):
        seen.setdefault(each, []).append(Send(number, each.nominal / 1e6 + late))
    plain = {"ends": int((START + 60) * 1e6), "hands": Counter(), "struck_at": [], "herd": "herd"}
    return oracle_of_timers.judge(frozenset(owed), seen, **{**plain, **given})


def wrong(fires: oracle_of_timers.Fires) -> list[str]:
    return [kind for kind, found in fires.kinds.items() if found]


def test_fires_on_time_are_right() -> None:
    owed = [due("a", 1), due("a", 2), due("herd1", 3)]

    fires = judged([(each, 0.1) for each in owed], owed)

    assert wrong(fires) == []
    assert (len(fires.healthy), len(fires.herd), len(fires.failover)) == (2, 1, 0)


@pytest.mark.parametrize(
    ("sends", "kind"),
    [
        ([], "missed"),
        ([(due("a", 1), 0.1), (due("a", 1), 0.2)], "double"),
        ([(due("a", 1), -0.1)], "early"),
        ([(due("a", 1), 0.1), (due("a", 1.5), 0.1)], "strange"),
        ([(due("a", 1), 0.1), (due("b", 2), 0.1), (due("b", 0.5), 0.1)], "zombie_writes"),
    ],
)
def test_each_wrong_has_its_name(sends: Sequence[tuple[Due, float]], kind: str) -> None:
    assert kind in wrong(judged(sends, [due("a", 1)]))


def test_what_was_in_hand_at_a_fault_may_be_sent_once_more_and_late() -> None:
    owed = [due("a", 1), due("a", 3)]
    sends = [(owed[0], 0.1), (owed[0], 5.1), (owed[1], 3.2)]
    hands = Counter({owed[0]: 1})

    fires = judged(sends, owed, hands=hands, struck_at=[START + 1])

    assert wrong(fires) == []
    assert len(fires.failover) == 2
    assert wrong(judged([*sends, (owed[0], 30)], owed, hands=hands)) == ["double"]


def test_what_is_due_after_the_end_is_not_judged() -> None:
    assert wrong(judged([(due("a", 61), 0.1)], [])) == []


def test_a_timetable_owes_every_time_until_its_end() -> None:
    table = timetable(Amounts(3, 1, 1, 1, 2), begins=NOW, window=10, ends=70, chance=random.Random(1))

    counts = Counter(each.timer_id.rstrip("0123456789") for each in table.owed)
    assert counts == {"once": 3, "often": 35, "seldom": 7, "cron": 1, "herd": 2}
    assert {each.nominal for each in table.owed if each.timer_id == "herd0"} == {due("", 67).nominal}
    assert len(table.timers) == 8


def test_a_seed_names_its_faults_and_one_scheduler_is_always_there() -> None:
    for seed in range(50):
        chaos = LEVELS["ci"].chaos(random.Random(seed))
        assert chaos == LEVELS["ci"].chaos(random.Random(seed))
        standing: set[str] = set()
        for strike in chaos:
            if strike.kind == "thaw":
                standing.remove(strike.victim)
                continue
            assert strike.victim not in standing
            if strike.kind == "freeze":
                standing.add(strike.victim)
                assert len(standing) < len(NAMES)


def test_timers_of_flows_owe_a_run_every_other_minute() -> None:
    first = NOW + timedelta(seconds=0.5)
    events = list(flow_timers.owed({"f/n/schedule": first.timestamp()}, START + 241))
    runs = [Fired(event, "done", flow_timers.nominal(event) + 30) for event in events]

    right = flow_timers.judge(events, runs)
    early = Fired(events[0], "waiting", flow_timers.nominal(events[0]) - 1)
    broken = flow_timers.judge(events, [early, runs[1], runs[1]])

    assert len(events) == 3
    assert (right.missed, right.double, right.early, right.unfinished) == ([], [], [], [])
    assert max(right.late.values()) == 30
    assert [len(found) for found in (broken.missed, broken.double, broken.early, broken.unfinished)] == [1, 1, 1, 1]
