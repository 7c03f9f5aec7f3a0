"""Hostile requests against the whole platform in this process, and what comes of them.

A request ends in an answer below 500, or in 503 with the time to come back. The platform's loop is never kept from
its other work for long: that is measured in processor time of its thread, and against a piece of work that is always
the same, so that a busy machine is not our fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import random
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
from headrace_embedded.platform import open_platform
from headrace_runtime import garbage
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .hostile import Gunner, Shot
from .people import ADMIN, HOOK, PASSWORD, echo_flow, failing_flow, make_running
from .progress import Progress, nobody_hears

AT_ONCE = 8
BATCH = 200
ANSWER_SECONDS = 30.0
LAG_SECONDS = 0.2
# A stream ends when its caller hangs up, so every caller does.
HANG_UP_SECONDS = 0.05
MOST_FAILURES = 50
MANY = 20_000
"""Requests after which memory is judged: what fills at first, caches and their like, is full then."""
SETTLED = 3
MOST_GROWTH = 1.25
USER_ROLES = {"user": ["user"], "admin": ["user", "admin"], "vendor": ["user", "acme"]}


@dataclass(slots=True)
class Report:
    """What was asked and answered; `failures` is what must not be."""

    seed: int
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    longest_lag: float = 0.0
    under_way: dict[int, Shot] = field(default_factory=dict)
    of_this_turn: list[Shot] = field(default_factory=list)
    """What was answered since the loop was last looked at: whoever kept it busy is among these or still under way."""
    resident: list[int] = field(default_factory=list)
    """MiB that the process held after each tenth of the requests."""
    by_document: int = 0
    """Calls that Schemathesis made up."""

    @property
    def requests(self) -> int:
        return self.statuses.total()

    @property
    def holds(self) -> bool:
        return not self.failures

    def explained(self) -> str:
        """What is wrong, line by line; empty when nothing is."""
        return "\n".join(self.failures)

    def line(self) -> str:
        """The counts, in one line."""
        by_class = Counter({f"{status // 100}xx": 0 for status in self.statuses})
        for status, count in self.statuses.items():
            by_class[f"{status // 100}xx"] += count
        classes = " ".join(f"{name}={count}" for name, count in sorted(by_class.items()))
        busy = f"longest_lag={self.longest_lag:.3f}s"
        held = f"resident={'..'.join(map(str, self.resident[1::2]))}MiB"
        requests = f"requests={self.requests} {classes} by_document={self.by_document}"
        return f"S1 failures={len(self.failures)} {requests} {busy} {held} seed={self.seed}"


async def fuzz(
    folder: Path, count: int, seed: int, *, mutant: str = "", sent_so_far: Progress = nobody_hears
) -> Report:
    """Send `count` hostile requests to a fresh platform. Equal seeds send equal requests, but for ids."""
    report = Report(seed)
    async with _platform(folder) as (app, client):
        target = MUTANTS[mutant](app) if mutant else app
        gunner = Gunner(random.Random(seed), *(await _targets(client)), roles=[*USER_ROLES, *USER_ROLES, "none"])
        tokens = Tokens(client)
        await tokens.renew()
        shots = Magazine(gunner, count, report, sent_so_far)
        with _settled():
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(_watch(report))
                async with asyncio.TaskGroup() as gunners:
                    for number in range(AT_ONCE):
                        gunners.create_task(_fire(number, target, shots, tokens, report))
                watching.cancel()
    held = report.resident
    if count >= MANY and len(held) > SETTLED and held[-1] > MOST_GROWTH * held[SETTLED]:
        report.failures.append(f"memory: {held} MiB, tenth by tenth of the requests")
    return report


@contextlib.contextmanager
def _settled() -> Iterator[None]:
    """As a process of the platform is once it has started; what tests keep beside it does not count."""
    garbage.settle()
    try:
        yield
    finally:
        gc.unfreeze()


class Magazine:
    """Requests, made in a thread of their own: what that costs is not the platform's."""

    def __init__(self, gunner: Gunner, count: int, report: Report, sent_so_far: Progress) -> None:
        self._gunner = gunner
        self._sent_so_far = sent_so_far
        self._count = self._left = count
        self._report = report
        self._ready: list[Shot] = []
        self._filling = asyncio.Lock()

    async def next(self) -> Shot | None:
        """The next request; None when all were sent."""
        async with self._filling:
            if not self._ready:
                self._sent_so_far(self._count - self._left, self._count)
                if self._count - self._left >= (len(self._report.resident) + 1) * self._count // 10:
                    self._report.resident.append(_resident_mebibytes())
                number = min(self._left, BATCH)
                self._left -= number
                self._ready = await asyncio.to_thread(lambda: [self._gunner.shot() for _ in range(number)])
                self._ready.reverse()
            return self._ready.pop() if self._ready else None


class Tokens:
    """A user of each role, made anew when a hostile request has ended, renamed or disabled the one before."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._numbers = itertools.count()
        self._renewing = asyncio.Lock()
        self.by_role: dict[str, str] = {}

    async def renew(self) -> None:
        """New users for all roles, made by an administrator whom no hostile request knows."""
        async with self._renewing:
            number = next(self._numbers)
            for role, scope in USER_ROLES.items():
                new = {"username": f"{role}-{number}", "password": PASSWORD}
                made = await self._client.post("/user", json=new)
                if made.status_code == 503:  # A busy machine; the next answer of 401 comes here again.
                    return
                assert made.status_code == 201, made.text
                user = made.json()["user"]
                given = await self._client.put(f"/users/{user['id']}", json={"scope": scope, "vendor": "acme"})
                assert given.status_code in (200, 503), given.text
                self.by_role[role] = made.json()["token"]


@contextlib.asynccontextmanager
async def _platform(folder: Path) -> AsyncIterator[tuple[ASGIApp, httpx.AsyncClient]]:
    environ = {
        "HEADRACE_DATA_DIR": str(folder),
        "HEADRACE_PORT": "0",
        "HEADRACE_DRAIN_DELAY": "0s",
        "HEADRACE_ADMIN_EMAIL": ADMIN,
        "HEADRACE_ADMIN_PASSWORD": PASSWORD,
        "HEADRACE_CORS_ORIGINS": "https://a.test",
        "WEBHOOK_REQUEST_TIMEOUT": "50ms",
        "HEADRACE_BODY_TIMEOUT": "1s",
    }
    async with open_platform(environ) as serving, httpx.AsyncClient(base_url=serving.url, timeout=60) as client:
        signed_in = await client.post("/user/auth", json={"email": ADMIN, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {signed_in.json()['token']}"
        yield serving.app, client


async def _targets(client: httpx.AsyncClient) -> tuple[list[str], list[str]]:
    """Ids that lead somewhere, and webhooks."""
    flow_id = await make_running(client, echo_flow())
    failing_id = await make_running(client, failing_flow())
    store_id = (await client.post("/stores", json={"name": "Store"})).json()["storeId"]
    await client.post(f"/store/{store_id}/key", json=1)
    file_id = (await client.post("/files", files={"file": ("x.txt", b"content")})).json()["fileId"]
    ran = await client.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": "x"})
    await client.post(f"/flows/{failing_id}/components/{HOOK}", json={"list": 5})
    ids = [flow_id, failing_id, store_id, file_id, "key", HOOK, ran.headers["x-headrace-run-id"], "f1", "1"]
    return ids, [f"/flows/{flow_id}/components/{HOOK}", f"/flows/{failing_id}/components/{HOOK}"]


async def _fire(number: int, app: ASGIApp, shots: Magazine, tokens: Tokens, report: Report) -> None:
    while (shot := await shots.next()) is not None:
        if len(report.failures) >= MOST_FAILURES:
            return
        token = tokens.by_role.get(shot.role, "")
        if number in report.under_way:
            report.of_this_turn.append(report.under_way[number])
        report.under_way[number] = shot
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, headers, body = await ask(app, shot, token)
        except TimeoutError:
            report.failures.append(f"no answer within {ANSWER_SECONDS} s: {shot.told()}")
            continue
        except Exception as error:
            report.failures.append(f"{type(error).__name__}: {error!s:.200}: {shot.told()}")
            continue
        report.statuses[status] += 1
        if status >= 500 and not (status == 503 and b"retry-after" in headers):
            report.failures.append(f"{status} {body[:200]!r}: {shot.told()}")
        elif status >= 400 and shot.method != "HEAD":
            report.failures.extend(f"{complaint}: {shot.told()}" for complaint in _misshapen(status, headers, body))
        if status == 401 and token and not any(name == b"authorization" for name, _ in shot.headers):
            await tokens.renew()


def _misshapen(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Iterator[str]:
    """What an answer that refuses lacks of the one shape of refusals. Pages for a person's browser refuse in words."""
    if headers.get(b"content-type", b"").startswith(b"text/html"):
        return
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        yield f"{status} without JSON: {body[:200]!r}"
        return
    if not isinstance(said, dict) or said.get("statusCode") != status or "message" not in said:
        yield f"{status} in another shape: {body[:200]!r}"
    elif said.get("requestId", "").encode() != headers.get(b"x-request-id"):
        yield f"{status} without its request id: {body[:200]!r}"


async def ask(app: ASGIApp, shot: Shot, token: str) -> tuple[int, Mapping[bytes, bytes], bytes]:
    """Send one request by ASGI, hang up soon after, and take what was answered until then."""
    own = any(name == b"authorization" for name, _ in shot.headers)
    bearer = [(b"authorization", b"Bearer " + token.encode())] if token and not own else []
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": shot.method,
        "path": shot.raw_path.decode("ascii", "replace"),
        "raw_path": shot.raw_path,
        "root_path": "",
        "query_string": shot.query,
        "headers": [(b"host", b"fuzz.test"), *bearer, *shot.headers],
        # Not the address from which the tests themselves sign in: that one must not be locked out.
        "client": ("192.0.2.7", 1),
        "server": ("fuzz.test", 80),
        "scheme": "http",
    }
    arriving = [{"type": "http.request", "body": shot.body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if arriving:
            return arriving.pop()
        await asyncio.sleep(HANG_UP_SECONDS)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if not sent:  # The caller hung up before there was an answer.
        return 499, {}, b""
    return int(sent[0]["status"]), dict(sent[0]["headers"]), b"".join(each.get("body", b"") for each in sent[1:])


async def _watch(report: Report) -> None:
    """Take the longest stretch of processor time between two turns of the loop.

    Processor time goes slower, too, where others wear out the caches: a stretch that is too long is held against how
    much longer than at first a piece of work takes that is always the same.
    """
    usual = min(_control() for _ in range(5))
    while True:
        before = time.thread_time()
        await asyncio.sleep(0.001)
        lag = time.thread_time() - before
        report.longest_lag = max(report.longest_lag, lag)
        if lag > LAG_SECONDS and lag > LAG_SECONDS * _control() / usual:
            shots = " | ".join(shot.told() for shot in [*report.of_this_turn, *report.under_way.values()])
            report.failures.append(f"lag: the loop was busy for {lag:.3f} s: {shots}")
        report.of_this_turn.clear()


def _control() -> float:
    """Processor time of making 100,000 lists."""
    before = time.thread_time()
    with garbage.held_off():
        made = [[number] for number in range(100_000)]
        del made
    return time.thread_time() - before


def _resident_mebibytes() -> int:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20


class FailingSometimes:
    """A mutant: every hundredth request fails."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if next(self._numbers) % 100 == 0:
            raise RuntimeError("The mutant fails.")
        await self._app(scope, receive, send)


class BlockingOnce:
    """A mutant: one request keeps the loop for itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if next(self._numbers) == 50:
            end = time.thread_time() + 5 * LAG_SECONDS
            while time.thread_time() < end:
                pass
        await self._app(scope, receive, send)


MUTANTS = {"fail": FailingSometimes, "block": BlockingOnce}
