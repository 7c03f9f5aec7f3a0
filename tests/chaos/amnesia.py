"""Amnesia: broker, cache and log index lose everything they know, and come back empty."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import redis
from pymongo import MongoClient

from tests.chaos.served import NAMESPACE, Served
from tests.servers import Server
from tests.system.process import Client

TIMER_IDS = f"{{{NAMESPACE}.scheduler}}:ids"
WAITING = 3
"""The state of a run that waits, as MongoDB holds it."""

LOOK_SECONDS = 0.2
REBUILT_WITHIN = 60.0
GIVE_UP_AFTER = 120.0


@dataclass(frozen=True, slots=True)
class Kept:
    """What the three servers know at a moment."""

    timers: int
    queues: int
    records: int


class Memory:
    """Asks the servers what they know."""

    def __init__(self, served: Served) -> None:
        self._backing = served.backing

    def all(self) -> Kept:
        return Kept(self.timers(), self.queues(), self.records())

    def timers(self) -> int:
        """Timers that the schedulers keep in Redis."""
        with contextlib.closing(redis.Redis.from_url(self._backing.redis.url)) as client:
            return int(client.zcard(TIMER_IDS))

    def flush(self) -> None:
        with contextlib.closing(redis.Redis.from_url(self._backing.redis.url)) as client:
            client.flushall()

    def queues(self) -> int:
        """Queues that somebody reads."""
        listed = self._backing.rabbitmq.control("list_queues", "consumers", "--no-table-headers")
        return sum(int(line) > 0 for line in listed.splitlines())

    def records(self) -> int:
        """Log records that can be found."""
        answer = Client(self._backing.elasticsearch.port).get(f"/{NAMESPACE}-logs/_count")
        return int(answer.json()["count"]) if answer.status_code == 200 else 0

    def overdue(self, now: float) -> int:
        """Runs that wait for a moment that has passed, by MongoDB, which forgets nothing."""
        with MongoClient[dict[str, Any]](self._backing.mongo.url) as client:
            runs = client[f"{NAMESPACE}_executor"]["runs"]
            return int(runs.count_documents({"state": WAITING, "due": {"$lt": now}}))

    def waiting(self) -> int:
        """Runs that wait."""
        with MongoClient[dict[str, Any]](self._backing.mongo.url) as client:
            return int(client[f"{NAMESPACE}_executor"]["runs"].count_documents({"state": WAITING}))


@dataclass(slots=True)
class Amnesia:
    """Wipes all three at once, leaves them away, starts them again, and measures how long until all is there again."""

    served: Served
    chance: random.Random
    away: float
    """Seconds between the wipe and the new start: what is due meanwhile must be made up for."""

    wipes: int = 0
    lost: list[Kept] = field(default_factory=list)
    """What was known at each wipe, and was gone after it."""
    rebuilt: list[Mapping[str, float]] = field(default_factory=list)
    """After each wipe: the seconds from a server's return until its part was there again."""

    def wipe(self) -> None:
        """Wipe, and come back when all is rebuilt. Runs must go on meanwhile, so that there is something to log."""
        self._forget()
        time.sleep(self.away)
        backing, memory, known = self.served.backing, Memory(self.served), self.lost[-1]
        parts: dict[str, tuple[Server, Callable[[], bool]]] = {
            "timers": (backing.redis, lambda: memory.timers() >= known.timers),
            "queues": (backing.rabbitmq, lambda: memory.queues() >= known.queues),
            "logs": (backing.elasticsearch, lambda: memory.records() > 0),
        }
        with ThreadPoolExecutor(len(parts)) as pool:
            waits = {kind: pool.submit(_rebuilt, *part) for kind, part in parts.items()}
            took = {kind: wait.result() for kind, wait in waits.items()}
        back = time.time()
        took["overdue"] = _seconds_until(lambda: memory.overdue(back) == 0)
        self.rebuilt.append(took)

    def _forget(self) -> None:
        backing, memory = self.served.backing, Memory(self.served)
        known = memory.all()
        memory.flush()
        assert memory.timers() < known.timers, "Redis was flushed and still knows its timers."
        servers = [backing.redis, backing.rabbitmq, backing.elasticsearch]
        self.chance.shuffle(servers)
        backing.rabbitmq.stop()
        for server in servers:
            server.wipe()
            assert not server.data.exists(), f"{server.name} was wiped and still has data."
        self.lost.append(known)
        self.wipes += 1


def _rebuilt(server: Server, is_there: Callable[[], bool]) -> float:
    """Start the server; the seconds from its return until its part is there."""
    server.start()
    return _seconds_until(is_there)


def _seconds_until(is_there: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not is_there() and time.monotonic() - began < GIVE_UP_AFTER:
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began
