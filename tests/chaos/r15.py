"""R15: under a constant load everything is done in time, and memory, files and threads stay what they are.

`python -m tests.chaos.r15 --level ci|nightly [--mutant hoard]` from the root of the repository. On the embedded
platform a flow of three steps (a webhook, a filter behind a modifier, a call of a local server) gets so many events a
second. Every event must be accepted and its call made in time, and after a warm-up the process may not grow. The rates
are those of the scorecard, for a machine with nothing else to do: one that is busy is red here.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httptools
import uvloop

from bench.load import Connection
from tests.chaos.confined import Verdict
from tests.chaos.load import HOOK, call_of, hook, path_of, start
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, percentile, play
from tests.system.process import Process, wait_for

FILTER, PATH = "filter", "done"
CALLERS = 64
WARM_UP = 0.3
"""The part of the time after which memory is looked at."""

ACCEPT_P99, DONE_P99 = 0.1, 2.0
"""Seconds until an event is accepted, and until its call has arrived."""

KEPT_RATE = 0.95
GROWTH_MIB_PER_MINUTE, GROWTH = 0.5, 1.2
"""How fast memory may grow where there are minutes to see it, and how much it may in any case."""

SEEN_SECONDS = 120.0
REST_SECONDS = 60.0
LOOK_SECONDS = 0.5
MORE_FILES, MORE_THREADS = 16, 4


@dataclass(frozen=True, slots=True)
class Level:
    """How many events a second, for how long, and how many times as late they may be."""

    rate: int
    seconds: float
    patience: float = 1.0


LEVELS = {"short": Level(40, 8, patience=20), "ci": Level(500, 60), "nightly": Level(1_000, 600)}


@dataclass(slots=True)
class Seen:
    """What the clients and the called server know. Moments are of `time.monotonic`."""

    due: dict[str, float] = field(default_factory=dict)
    accepted: dict[str, float] = field(default_factory=dict)
    done: dict[str, float] = field(default_factory=dict)
    doubled: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """What the process takes at one moment."""

    at: float
    rss_mib: float
    files: int
    threads: int


def run(folder: Path, level: Level, mutant: str = "") -> Verdict:
    verdict = Verdict("R15")
    process = Process(folder, HEADRACE_EGRESS_ALLOW_PRIVATE="true", HEADRACE_CHAOS_MUTANT=mutant)
    try:
        process.start()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            seen, looks = runner.run(_play(process, level))
        _judge(level, seen, looks, verdict)
        if (code := process.end(signal.SIGTERM)) != 0:
            verdict.wrong.append(f"the process ended with {code}")
    finally:
        process.end(signal.SIGKILL)
    return verdict


async def _play(process: Process, level: Level) -> tuple[Seen, Sequence[Look]]:
    seen, looks = Seen(), list[Look]()
    callers: set[asyncio.Transport] = set()
    server = await asyncio.get_running_loop().create_server(lambda: Called(seen, callers), "127.0.0.1", 0)
    try:
        client = await asyncio.to_thread(process.client)
        port = server.sockets[0].getsockname()[1]
        flow_id = await asyncio.to_thread(start, client, "R15", flow_of(port))
        watching = asyncio.create_task(_watch(process.pid, looks))
        await _load(process.port, path_of(flow_id, HOOK), level, seen)

        def at_rest() -> bool:
            states = ("ready", "running", "waiting")
            return not any(client.get("/runs", {"flowId": flow_id, "state": each}).json()["items"] for each in states)

        with contextlib.suppress(AssertionError):  # what is not done by then is told of
            await asyncio.to_thread(wait_for, at_rest, REST_SECONDS)
        watching.cancel()
    finally:
        server.close()
        for caller in callers.copy():  # the platform keeps its connections, and nobody waits for that
            caller.abort()
    return seen, looks


def flow_of(port: int) -> dict[str, Any]:
    """hook → a filter that lets everything through → a call of the server at `/done/<the event's id>`."""
    named = {"variable": f"$.{HOOK}.request.data.id", "functions": [{"name": "g_uppercase"}]}
    filled = {"type": "json2new", "modifiers": {"sourceData": {"id": named}}, "lambda": {"sourceData": "{{{id}}}"}}
    passing = {
        "type": "headrace.utils.filters.IsNotEmpty",
        "x": 0,
        "y": 0,
        "source": {"in": {HOOK: ["request"]}},
        "config": {"transform": {"in": {HOOK: {"request": filled}}}},
    }
    calling = call_of(port, PATH, {"effect": "idempotent"}, after=(FILTER, "notEmpty"))
    return {HOOK: hook(), FILTER: passing, "call": calling}


# The load.


async def _load(port: int, path: str, level: Level, seen: Seen) -> None:
    """Send each event when it is due, whatever became of the ones before it."""
    numbers, began = itertools.count(), time.monotonic()
    events = int(level.rate * level.seconds)

    async def call() -> None:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
        while (number := next(numbers)) < events:
            name, due = f"e{number}", began + number / level.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            seen.due[name] = due
            status = await connection.post(path, json.dumps({"id": name}).encode())
            if 200 <= status < 300:
                seen.accepted[name] = time.monotonic()
            else:
                seen.refused += 1
        connection.close()

    await asyncio.gather(*(call() for _ in range(CALLERS)))


class Called(asyncio.Protocol):
    """The server that the flow calls."""

    def __init__(self, seen: Seen, callers: set[asyncio.Transport]) -> None:
        self._seen = seen
        self._callers = callers
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # those of uvloop are none by their class
        self._callers.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._callers.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        name = url.decode().rpartition("/")[2]
        self._seen.doubled += name in self._seen.done
        self._seen.done.setdefault(name, time.monotonic())

    def on_message_complete(self) -> None:
        if self._transport is not None:
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")


# The process.


async def _watch(pid: int, looks: list[Look]) -> None:
    while True:
        looks.append(_look(pid))
        await asyncio.sleep(LOOK_SECONDS)


def _look(pid: int) -> Look:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    rss, threads = int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"])
    return Look(time.monotonic(), rss, len(os.listdir(f"/proc/{pid}/fd")), threads)


def _judge(level: Level, seen: Seen, looks: Sequence[Look], verdict: Verdict) -> None:
    events = int(level.rate * level.seconds)
    lost = events - len(seen.accepted), len(seen.accepted) - len(seen.done.keys() & seen.accepted.keys())
    span = max(seen.accepted.values(), default=0.0) - min(seen.due.values(), default=0.0)
    rate = len(seen.accepted) / span if span else 0.0
    accept = percentile([at - seen.due[name] for name, at in seen.accepted.items()])
    done = percentile([at - seen.due[name] for name, at in seen.done.items() if name in seen.due])
    warm = looks[int(len(looks) * WARM_UP) :]
    first, last = warm[0], warm[-1]
    growth, minutes = last.rss_mib / first.rss_mib, (last.at - first.at) / 60
    slope = (last.rss_mib - first.rss_mib) / minutes if minutes else 0.0
    verdict.told |= {
        "events": events,
        "rate": f"{rate:.0f}/s",
        "accept_p99": f"{accept * 1000:.0f}ms",
        "done_p99": f"{done * 1000:.0f}ms",
        "refused": seen.refused,
        "doubled": seen.doubled,
        "rss": f"{first.rss_mib:.0f}-{last.rss_mib:.0f}MiB",
        "files": f"{first.files}-{last.files}",
        "threads": f"{first.threads}-{last.threads}",
    }
    if any(lost) or seen.refused or seen.doubled:
        verdict.wrong.append(f"{lost[0]} events were not accepted, {lost[1]} not done, {seen.doubled} done twice")
    if span > level.seconds / KEPT_RATE + ACCEPT_P99 * level.patience:  # the last one may be as late as any
        verdict.wrong.append(f"{rate:.0f} events a second were accepted, and {level.rate} sent")
    if accept > ACCEPT_P99 * level.patience or done > DONE_P99 * level.patience:
        verdict.wrong.append(f"p99 is {accept:.2f} s until it is accepted, {done:.2f} s until it is done")
    if growth > GROWTH or (last.at - first.at > SEEN_SECONDS and slope > GROWTH_MIB_PER_MINUTE):
        verdict.wrong.append(f"memory grew to {growth:.2f} times, by {slope:.1f} MiB a minute")
    if last.files > first.files + MORE_FILES or last.threads > first.threads + MORE_THREADS:
        verdict.wrong.append("files or threads become more")


def main() -> int:
    chosen = command(__doc__, LEVELS, "hoard").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        return play(chosen, [level], lambda: run(folder, level, chosen.mutant))


if __name__ == "__main__":
    sys.exit(main())
