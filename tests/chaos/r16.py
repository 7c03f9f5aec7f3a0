"""R16: a tenant that sends as much as it can holds up nobody else.

`python -m tests.chaos.r16 --level ci|nightly [--mutant one_queue]` from the root of the repository. On the embedded
platform two tenants have the flow of R15 (a webhook, a filter behind a modifier, a call of a local server, which takes
a second for the noisy one). First the quiet one sends some events a second alone. Then the noisy one sends all it can,
over many connections, while the quiet one goes on. What of the quiet tenant is done then may be as late as the process
is busy, and not as late as the noisy one's queue is long. All that was accepted must be done, once. With `one_queue`
whoever came first is first.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench.load import Connection
from tests.chaos.confined import Verdict
from tests.chaos.load import HOOK, path_of, start
from tests.chaos.r15 import Called, Seen, flow_of
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, percentile, play
from tests.system.process import PASSWORD, Client, Process, as_json, wait_for

SLOW_SECONDS = 1.0
"""How long a call of the noisy tenant takes at the other side: so few of them get done that a queue forms."""

QUIET_RATE = 10.0
"""Events a second of the tenant who asks for little."""

TIMES_QUICKER = 4.0
"""How many times as late the noisy tenant's own events must be: else nothing was in the way."""

REST_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Level:
    """For how long the quiet tenant is alone and then is not, how many events the noise has, over how many callers.

    `later` is how many seconds later than alone the quiet tenant's p99 may be: what a busy process, and machine, need
    for what they have begun.
    """

    alone: float
    noisy: float
    noise: int
    callers: int
    later: float = 0.5


LEVELS = {
    "short": Level(3, 6, 3_000, 64, later=2.0),
    "ci": Level(10, 30, 12_000, 128),
    "nightly": Level(30, 300, 100_000, 256),
}


@dataclass(slots=True)
class Sent:
    """One tenant's events, and what became of them."""

    name: str
    path: str
    port: int
    seen: Seen
    names: list[str] = field(default_factory=list)

    async def once(self, connection: Connection) -> None:
        """Send one event over this connection; how it went is noted."""
        name = f"{self.name}{len(self.names)}"
        self.seen.due[name] = time.monotonic()
        self.names.append(name)
        status = await connection.post(self.path, json.dumps({"id": name}).encode())
        if 200 <= status < 300:
            self.seen.accepted[name] = time.monotonic()
        elif status in (429, 503):
            self.seen.refused += 1
        else:
            raise AssertionError(f"{self.name} got {status}")

    def lateness(self, since: float = 0.0) -> list[float]:
        """Seconds from sending to the call, of what was sent since then and is done."""
        due, done = self.seen.due, self.seen.done
        return [done[name] - due[name] for name in self.names if name in done and due[name] >= since]


def run(folder: Path, level: Level, mutant: str = "") -> Verdict:
    verdict = Verdict("R16")
    process = Process(folder, HEADRACE_EGRESS_ALLOW_PRIVATE="true", HEADRACE_CHAOS_MUTANT=mutant)
    try:
        process.start()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_play(process, level, verdict))
        if (code := process.end(signal.SIGTERM)) != 0:
            verdict.wrong.append(f"the process ended with {code}")
    finally:
        process.end(signal.SIGKILL)
    return verdict


async def _play(process: Process, level: Level, verdict: Verdict) -> None:
    seen = Seen()
    callers: set[asyncio.Transport] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Called(seen, callers), "127.0.0.1", 0)
    try:
        sink = server.sockets[0].getsockname()[1]
        paths = [await asyncio.to_thread(_tenant, process, name, sink) for name in ("quiet", "noisy")]
        quiet, noisy = (Sent(name, path, process.port, seen) for name, path in zip("qn", paths, strict=True))
        async with asyncio.timeout(level.alone + 30):
            await _steadily(quiet, level.alone)
        await asyncio.sleep(0.5)
        alone = percentile(quiet.lateness())

        noise = time.monotonic()
        await asyncio.gather(
            _steadily(quiet, level.noisy), *(_as_much_as_it_can(noisy, level) for _ in range(level.callers))
        )
        over = time.monotonic()
        with contextlib.suppress(AssertionError):  # what is not done by then is told of
            await asyncio.to_thread(wait_for, lambda: seen.accepted.keys() <= seen.done.keys(), REST_SECONDS)
        rested = time.monotonic() - over
    finally:
        server.close()
        for caller in callers.copy():
            caller.abort()
    _judge(quiet, noisy, alone, noise, rested, level.later, verdict)


class _Called(Called):
    """The called server, which is slow for the noisy tenant."""

    _is_slow = False

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._is_slow = url.rpartition(b"/")[2].lower().startswith(b"n")

    def on_message_complete(self) -> None:
        later = SLOW_SECONDS if self._is_slow else 0.0
        asyncio.get_running_loop().call_later(later, super().on_message_complete)


def _tenant(process: Process, name: str, sink: int) -> str:
    """A new user with a running flow; the path that its events go to."""
    email = f"{name}@example.org"
    made = process.client().post("/user", json={"email": email, "password": PASSWORD})
    assert made.status_code == 201, made.text
    signed_in = Client(process.port).post("/user/auth", content=as_json({"email": email, "password": PASSWORD}))
    client = Client(process.port, {"Authorization": f"Bearer {signed_in.json()['token']}"})
    return path_of(start(client, name, flow_of(sink)), HOOK)


async def _opened(sent: Sent) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", sent.port)
    return connection


async def _steadily(sent: Sent, seconds: float) -> None:
    """So many events a second, over several connections in turn: a late answer holds up none of the next ones."""
    began, count = time.monotonic(), int(seconds * QUIET_RATE)
    connections = [await _opened(sent) for _ in range(8)]

    async def some(at: int) -> None:
        for number in range(at, count, len(connections)):
            await asyncio.sleep(max(0.0, began + number / QUIET_RATE - time.monotonic()))
            await sent.once(connections[at])
        connections[at].close()

    await asyncio.gather(*map(some, range(len(connections))))


async def _as_much_as_it_can(sent: Sent, level: Level) -> None:
    connection, until = await _opened(sent), time.monotonic() + level.noisy
    while time.monotonic() < until and len(sent.names) < level.noise:
        await sent.once(connection)
    connection.close()


def _judge(quiet: Sent, noisy: Sent, alone: float, noise: float, rested: float, later: float, verdict: Verdict) -> None:
    seen = quiet.seen
    beside, of_noise = percentile(quiet.lateness(noise)), percentile(noisy.lateness())
    left = len(seen.accepted.keys() - seen.done.keys())
    verdict.told |= {
        "events": len(seen.accepted),
        "noise": f"{len(noisy.names)}",
        "alone_p99": f"{alone * 1000:.0f}ms",
        "beside_p99": f"{beside * 1000:.0f}ms",
        "noisy_p99": f"{of_noise * 1000:.0f}ms",
        "refused": seen.refused,
        "doubled": seen.doubled,
        "rest": f"{rested:.1f}s",
    }
    if left or seen.doubled:
        verdict.wrong.append(f"{left} events were accepted and not done, {seen.doubled} done twice")
    if any(name not in seen.accepted for name in quiet.names):
        verdict.wrong.append("events of the quiet tenant were refused")
    if of_noise < TIMES_QUICKER * later:
        verdict.wrong.append(f"there was no queue: p99 of the noisy tenant is {of_noise:.2f} s")
    elif beside > alone + later:
        verdict.wrong.append(f"the quiet tenant waits: p99 is {beside:.2f} s beside the noise, {alone:.2f} s alone")


def main() -> int:
    chosen = command(__doc__, LEVELS, "one_queue").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        return play(chosen, [level], lambda: run(folder, level, chosen.mutant))


if __name__ == "__main__":
    sys.exit(main())
