"""S12: keys of secrets change under load, nothing fails to open, and what the old key sealed is sealed again.

`python -m tests.chaos.s12 --level ci|nightly [--mutant no_reseal]` from the root of the repository. On the embedded
platform flows of two tenants act with accounts of keys and of OAuth 2, as fast as senders send, while tokens end and
are renewed, and administrators read and write the configuration of their service. Again and again a new key is put
before the one in the file of keys; when nothing is left that the old one sealed, the old one goes. No message may fail,
no call of the API, and in the end only the newest key is needed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import re
import secrets
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.api.conftest import open_people
from tests.api.connector import VENDOR, flow
from tests.api.people import People, make_running, until
from tests.api.test_account_tokens import send, working
from tests.api.test_accounts import key_account, ready
from tests.chaos.confined import Verdict
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, play
from tests.provider import CLIENT, CLIENT_SECRET, Provider, provider

SEALED = re.compile(r"hr1:([A-Za-z0-9+/=]+)")
ID_BYTES = 8
AGAIN_SECONDS = 60.0
"""In which everything has to be sealed again."""

REST_SECONDS = 120.0
OPEN_RUNS = 40
"""Messages of a sender that may be on their way."""


@dataclass(frozen=True, slots=True)
class Level:
    """How many new keys there are, and for how long each alone is used."""

    keys: int
    seconds: float


LEVELS = {"short": Level(1, 1.0), "ci": Level(4, 6.0), "nightly": Level(40, 15.0)}


async def run(folder: Path, level: Level, mutant: str = "") -> Verdict:
    verdict = Verdict("S12")
    settings = {"HEADRACE_KEY_ROTATION_EVERY": "300ms", "HEADRACE_CHAOS_MUTANT": mutant}
    async with open_people(folder, **settings) as people, provider() as service:
        service.lifetime = 3
        flows = [(await working(people, service))[0]]
        name = await ready(people, service, "key")
        for client in (people.ann, people.bob):
            account = await key_account(client, name)
            flows.append(await make_running(client, flow("key")))
            await client.put(f"/auth/component/work/{account['accountId']}", params={"flowId": flows[-1]})
        over = asyncio.Event()
        clients = (people.ann, people.ann, people.bob)
        async with asyncio.TaskGroup() as tasks:
            senders = [
                tasks.create_task(_send(client, each, number, over, service, verdict))
                for number, (client, each) in enumerate(zip(clients, flows, strict=True))
            ]
            editing = tasks.create_task(_edit(people.admin, f"{VENDOR}:oauth", over, verdict))
            try:
                await _rotate(folder, level, verdict)
            finally:
                over.set()
        sent = [each.result() for each in senders]
        await _rest(people, clients, flows, sent, verdict)
    worked = len(set(service.worked))
    if worked != sum(sent):
        verdict.wrong.append(f"of {sum(sent)} messages {worked} arrived at the service")
    verdict.told |= {
        "messages": sum(sent),
        "edits": editing.result(),
        "renewed": service.asked["token refresh_token"],
    }
    return verdict


async def _send(
    client: httpx.AsyncClient, flow_id: str, number: int, over: asyncio.Event, service: Provider, verdict: Verdict
) -> int:
    """Send messages until it is over, some ahead of what has arrived; how many."""
    mine, sent = str(number + 1), 0
    while not over.is_set():
        if sent - sum(each.startswith(mine) for each in service.worked) >= OPEN_RUNS:
            await asyncio.sleep(0.02)  # the machine is slower than this sender
            continue
        try:
            await send(client, flow_id, int(f"{mine}{sent:06d}"))
            sent += 1
        except AssertionError as error:
            verdict.wrong.append(f"a message was refused: {error}")
    return sent


async def _edit(admin: httpx.AsyncClient, name: str, over: asyncio.Event, verdict: Verdict) -> int:
    """Read and write the configuration of the service as editors do: on what was read; how often."""
    edits = 0
    while not over.is_set():
        read = await admin.get(f"/service-config/{name}")
        given = {"clientId": CLIENT, "clientSecret": CLIENT_SECRET, "edit": edits}
        written = await admin.put(f"/service-config/{name}", json=given, headers={"If-Match": read.headers["etag"]})
        if (read.status_code, written.status_code) != (200, 200):
            verdict.wrong.append(f"the configuration was answered {read.status_code}, {written.status_code}")
        edits += 1
        await asyncio.sleep(0.05)
    return edits


async def _rotate(folder: Path, level: Level, verdict: Verdict) -> None:
    file, slowest = folder / "vault.key", 0.0
    old = file.read_bytes().split()[0]
    for _ in range(level.keys):
        new = base64.b64encode(secrets.token_bytes(32))
        _write(file, new, old)
        began = time.monotonic()
        while stale := await asyncio.to_thread(_sealed_by_others, folder, new):
            if time.monotonic() - began > AGAIN_SECONDS:
                verdict.wrong.append(f"after {AGAIN_SECONDS:g} s {stale} secrets are sealed with an old key")
                break
            await asyncio.sleep(0.1)
        slowest = max(slowest, time.monotonic() - began)
        _write(file, new)
        await asyncio.sleep(level.seconds)
        old = new
    stale = _sealed_by_others(folder, old)
    if stale:
        verdict.wrong.append(f"in the end {stale} secrets are sealed with a key that is gone")
    verdict.told |= {"keys": level.keys, "slowest": f"{slowest:.1f}s", "stale": stale}


def _write(file: Path, *keys: bytes) -> None:
    """Put these keys in the place of those that are there, whole or not at all."""
    fresh = file.with_suffix(".next")
    fresh.touch(mode=0o600)
    fresh.write_bytes(b"\n".join(keys) + b"\n")
    fresh.rename(file)


def _sealed_by_others(folder: Path, key: bytes) -> int:
    """How many secrets on record this key did not seal."""
    own = hashlib.sha256(b"headrace vault key id" + base64.b64decode(key)).digest()[:ID_BYTES]
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'flow_manager.db'}?mode=ro", uri=True)) as database:
        values = [str(value) for (value,) in database.execute("SELECT value FROM entries")]
    found = [base64.b64decode(each)[:ID_BYTES] for value in values for each in SEALED.findall(value)]
    assert found, "there are secrets"
    return sum(each != own for each in found)


async def _rest(
    people: People, clients: Sequence[httpx.AsyncClient], flows: Sequence[str], sent: Sequence[int], verdict: Verdict
) -> None:
    """Until every message that was sent is done; none may have failed."""
    for client, flow_id, count in zip(clients, flows, sent, strict=True):

        async def done(client: httpx.AsyncClient = client, flow_id: str = flow_id) -> httpx.Response:
            return await client.get("/runs", params={"flowId": flow_id, "state": "done", "limit": "1"})

        try:
            await until(done, lambda page, count=count: page["totalCount"] >= count, within=REST_SECONDS)  # type: ignore[misc]
        except TimeoutError:
            verdict.wrong.append(f"of {count} runs {(await done()).json()['totalCount']} are done")
    for client in (people.ann, people.bob):
        states = [each["state"] for each in (await client.get("/accounts")).json()]
        if set(states) != {"valid"}:
            verdict.wrong.append(f"the accounts are {states}")
        if (await client.get("/unprocessed-messages")).json():
            verdict.wrong.append("there are messages that could not be processed")


def main() -> int:
    chosen = command(__doc__, LEVELS, "no_reseal").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        return play(chosen, [level], lambda: asyncio.run(run(folder, level, chosen.mutant)))


if __name__ == "__main__":
    sys.exit(main())
