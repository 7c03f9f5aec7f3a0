"""Two schedulers over one Redis, killed and frozen with claims in hand."""

from __future__ import annotations

import contextlib
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import redis

from tests.chaos.fires import Due
from tests.chaos.twin import wait_until_stopped
from tests.servers import Redis
from tests.system.process import wait_for
from tests.system.services import Services

NAMES = ("scheduler", "scheduler.2")
NAMESPACE = "chaos"
PREFIX = f"{{{NAMESPACE}.scheduler}}:"
CATCH_WITHIN = 20
HELD_SECONDS = 0.4
"""A living scheduler settles a claim much sooner: what is held so long belongs to the one that stands still."""

REFUSED_WITHIN = 8
REFUSED = re.compile(r"(\d+) timers were taken over or removed")
"""What a scheduler logs of settlements that the fence refused."""

_HELD = """
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1] .. 'held', 0, -1)) do
  local is = redis.call('HMGET', KEYS[1] .. 't:' .. id, 'owner', 'fence', 'next_at')
  if is[1] and is[1] ~= '' then found[#found + 1] = {id, is[2], is[3]} end
end
return found
"""

Kind = Literal["kill", "freeze", "thaw"]


@dataclass(frozen=True, slots=True)
class Strike:
    """Something that happens to a scheduler, so many seconds after the first timer may be due."""

    at: float
    kind: Kind
    victim: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.victim}@{self.at:.1f}s"


def strikes(count: int, *, every: float, frozen: float, chance: random.Random) -> list[Strike]:
    """So many kills and freezes in turn. Whoever is killed while the other stands still is not the one that does."""
    found: list[Strike] = []
    standing = ""
    for number in range(count):
        at = every * (number + 0.6) + chance.uniform(-1, 1)
        kind: Kind = "freeze" if number % 2 else "kill"
        victim = chance.choice([name for name in NAMES if name != standing])
        found.append(Strike(at, kind, victim))
        standing = ""
        if kind == "freeze":
            standing = victim
            found.append(Strike(at + frozen, "thaw", victim))
    return sorted(found, key=lambda strike: strike.at)


@dataclass(slots=True)
class Havoc:
    """Carries strikes out, and keeps what is needed to judge them."""

    services: Services
    index: Redis
    chance: random.Random
    kills: int = 0
    freezes: int = 0
    struck_at: list[float] = field(default_factory=list)
    hands: Counter[Due] = field(default_factory=Counter)
    """What was claimed when somebody was struck: each may be sent once more for every time."""

    def strike(self, strike: Strike) -> None:
        """Strike, and come back once everything runs that is to run."""
        if strike.kind == "thaw":
            self._thaw(strike.victim)
            return
        self._catch(strike.victim)
        if strike.kind == "kill":
            self.services.kill(strike.victim)
            self.services.start([strike.victim])
            self.kills += 1
        else:
            self.freezes += 1

    @property
    def fenced(self) -> int:
        """Settlements that were refused so far, by the schedulers' own logs."""
        return sum(int(count) for name in NAMES for count in REFUSED.findall(self.services.log(name)))

    def _catch(self, victim: str) -> None:
        """Stop it with claims in hand."""
        pid = self.services.children[victim].pid
        deadline = time.monotonic() + CATCH_WITHIN
        while time.monotonic() < deadline:
            self.services.send(victim, signal.SIGSTOP)
            wait_until_stopped(pid)
            at, held = time.time(), dict(self._held())
            time.sleep(HELD_SECONDS)
            if held.items() & dict(self._held()).items():
                self.struck_at.append(at)
                self.hands.update(due for due, _ in held.items())
                return
            self.services.send(victim, signal.SIGCONT)
            time.sleep(self.chance.uniform(0.001, 0.05))
        raise AssertionError(f"{victim} had no claim in hand at any moment within {CATCH_WITHIN} s.")

    def _thaw(self, victim: str) -> None:
        before = self.fenced
        self.services.send(victim, signal.SIGCONT)
        with contextlib.suppress(AssertionError):  # whether any was refused is for the verdict to say
            wait_for(lambda: self.fenced > before, REFUSED_WITHIN)

    def _held(self) -> Iterator[tuple[Due, str]]:
        """What is claimed now, and under which fence."""
        with contextlib.closing(redis.Redis.from_url(self.index.url, decode_responses=True)) as client:
            for timer_id, fence, nominal in client.eval(_HELD, 1, PREFIX):
                yield Due(timer_id, int(nominal)), fence
