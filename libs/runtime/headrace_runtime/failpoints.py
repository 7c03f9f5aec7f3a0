"""Named places where a test can make the process fail.

`HEADRACE_FAILPOINTS="name=action[:percent],…"` arms them at start; actions are `kill` (SIGKILL to itself), `error`
(raises Unavailable), `hang` (sleeps 3 s). Unarmed, a failpoint is one dictionary look-up in an empty dictionary.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

from headrace_core.errors import Problem, Unavailable, ValidationFailed

VARIABLE = "HEADRACE_FAILPOINTS"
ACTIONS = ("kill", "error", "hang")
HANG_SECONDS = 3.0

NAMES = frozenset(
    {
        "accept.before_commit",
        "accept.after_commit",
        "run.before_commit",
        "run.after_commit",
        "run.before_effect",
        "run.after_effect",
        "run.claimed",
        "timer.before_record",
        "timer.after_record",
        "timer.before_settle",
        "account.before_refresh",
        "account.after_refresh",
        "account.after_keep",
    }
)


@dataclass(frozen=True, slots=True)
class _Armed:
    action: str
    percent: float


_armed: dict[str, _Armed] = {}


def failpoint(name: str) -> None:
    """Do what the environment armed for `name`; nothing otherwise."""
    armed = _armed.get(name)
    if armed is not None:
        _strike(name, armed)


def arm(environment: Mapping[str, str]) -> None:
    """Arm the failpoints named in the environment. Raises ValidationFailed for one that does not exist."""
    _armed.clear()
    for item in filter(None, environment.get(VARIABLE, "").split(",")):
        name, _, order = item.strip().partition("=")
        action, _, percent = order.partition(":")
        if name not in NAMES or action not in ACTIONS:
            raise ValidationFailed(
                [
                    Problem(
                        VARIABLE,
                        f"{item!r} is no failpoint",
                        f"use one of {sorted(NAMES)} with one of {ACTIONS}",
                    )
                ]
            )
        _armed[name] = _Armed(action, float(percent or 100))


def _strike(name: str, armed: _Armed) -> None:
    if random.uniform(0, 100) > armed.percent:
        return
    if armed.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if armed.action == "hang":
        time.sleep(HANG_SECONDS)
        return
    raise Unavailable(f"Failpoint {name} struck.")
