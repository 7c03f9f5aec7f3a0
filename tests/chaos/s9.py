"""S9: of signed webhooks only what was signed makes a run, and one.

`python -m tests.chaos.s9 --level ci|nightly [--mutant open_door]` from the root of the repository. On the embedded
platform a flow listens by each scheme. It is sent a signed request with one thing changed each time (a byte of the
body or of a header, a header left out, emptied, doubled or of another algorithm), old ones, some of another secret
and of another scheme: all must be answered 401, and no run be on record. Then the request itself, again and again
under ids of the sender's that nobody signed: one run.
"""

from __future__ import annotations

import asyncio
import random
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from tests.api.conftest import open_people
from tests.api.people import make_running
from tests.api.test_webhook_signatures import call, listening, runs_of, secret_of
from tests.chaos.confined import Verdict
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, play
from tests.signing import SCHEMES, SECRETS, Signed, mutants, signed

UNDATED = ("github",)
"""They sign no time."""


@dataclass(frozen=True, slots=True)
class Level:
    """How many changed requests each scheme is sent, and how often the right one."""

    changed: int
    repeated: int


LEVELS = {"short": Level(12, 3), "ci": Level(200, 10), "nightly": Level(2_000, 100)}


async def run(folder: Path, level: Level, seed: int, mutant: str = "") -> Verdict:
    verdict, drawn = Verdict("S9"), random.Random(seed)
    refused = runs = 0
    async with (
        open_people(folder, HEADRACE_CHAOS_MUTANT=mutant) as people,
        httpx.AsyncClient(base_url=people.ann.base_url, timeout=20) as sender,
    ):
        for scheme in SCHEMES:
            account = await secret_of(people.ann, SECRETS[scheme])
            flow_id = await make_running(people.ann, listening(scheme, account))
            for what, request in forged(scheme, level, drawn):
                answer = await call(sender, flow_id, request)
                refused += answer.status_code == 401
                if answer.status_code != 401:
                    verdict.wrong.append(f"{scheme}: {what} was answered {answer.status_code}")
            if found := await runs_of(people.ann, flow_id):
                verdict.wrong.append(f"{scheme}: {len(found)} runs of what nobody signed")
            runs += await _repeat(sender, people.ann, flow_id, scheme, level, verdict)
    verdict.told |= {"refused": refused, "runs": runs}
    return verdict


async def _repeat(
    sender: httpx.AsyncClient, owner: httpx.AsyncClient, flow_id: str, scheme: str, level: Level, verdict: Verdict
) -> int:
    """Send the right request; how many runs that makes."""
    before, request = set(await runs_of(owner, flow_id)), signed(scheme, datetime.now(UTC), b"the right one")
    for number in range(level.repeated):
        answer = await call(sender, flow_id, request, ("Idempotency-Key", str(number)))
        if answer.status_code != 200:
            verdict.wrong.append(f"{scheme}: what was signed was answered {answer.status_code}")
    made = len(set(await runs_of(owner, flow_id)) - before)
    if made != 1:
        verdict.wrong.append(f"{scheme}: {made} runs of one event")
    return made


def forged(scheme: str, level: Level, drawn: random.Random) -> list[tuple[str, Signed]]:
    """Requests that nobody with the secret has sent like that."""
    now = datetime.now(UTC)
    request = signed(scheme, now)
    changed = mutants(request)
    found = drawn.sample(changed, min(level.changed, len(changed)))
    found.append(("no signature", Signed(request.body, [])))
    found.append(("another secret", signed(scheme, now, secret="d3Jvbmc=")))
    found += [(f"a signature of {other}", signed(other, now)) for other in SCHEMES if other != scheme]
    if scheme not in UNDATED:
        found += [
            (f"one {minutes} minutes old", signed(scheme, now - timedelta(minutes=minutes))) for minutes in (6, -6)
        ]
    return found


def main() -> int:
    chosen = command(__doc__, LEVELS, "open_door").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        told = [f"{level.changed} changed requests by each of {len(SCHEMES)} schemes, {level.repeated} right ones"]
        return play(chosen, told, lambda: asyncio.run(run(folder, level, chosen.seed, chosen.mutant)))


if __name__ == "__main__":
    sys.exit(main())
