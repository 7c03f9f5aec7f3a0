"""S11: what accounts are opened with is nowhere but in ciphertext.

`python -m tests.chaos.s11 --level ci|nightly [--mutant no_redaction]` from the root of the repository. On the embedded
platform accounts are connected, used, refused, renewed, revoked and waited for, by components that log and send what
they are given and fail with it. Then every file of the platform, every answer of its API, what it wrote to its log and
an export are searched for every key, token and password there was, in each spelling.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.api.conftest import open_people
from tests.api.test_account_canaries import everything_in, hits, spend
from tests.chaos.confined import Verdict
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, play
from tests.provider import provider


@dataclass(frozen=True, slots=True)
class Level:
    """How often it is all done."""

    rounds: int


LEVELS = {"short": Level(1), "ci": Level(1), "nightly": Level(10)}


async def run(folder: Path, level: Level, mutant: str = "") -> Verdict:
    verdict = Verdict("S11")
    secrets = searched = 0
    for number in range(level.rounds):
        data = folder / str(number)
        data.mkdir(parents=True)
        written = io.StringIO()
        handler = logging.StreamHandler(written)
        logging.getLogger().addHandler(handler)
        try:
            async with (
                open_people(data, HEADRACE_CHAOS_MUTANT=mutant) as people,
                provider() as service,
            ):
                texts = await spend(people, service)
                known = service.secrets
        finally:
            logging.getLogger().removeHandler(handler)
        kept = everything_in(data)
        if b"key-holder" not in kept:
            verdict.wrong.append("the account is not among what was searched")
        places = [("the files", kept), ("the log", written.getvalue().encode())]
        places += [(f"answer {place}", text) for place, text in enumerate(texts)]
        for where, text in places:
            searched += len(text)
            verdict.wrong += [f"{where} hold {each[:12]}…" for each in hits(text, known)]
        secrets += len(known)
    verdict.told |= {"secrets": secrets, "searched_bytes": searched}
    return verdict


def main() -> int:
    chosen = command(__doc__, LEVELS, "no_redaction").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        return play(chosen, [level], lambda: asyncio.run(run(folder, level, chosen.mutant)))


if __name__ == "__main__":
    sys.exit(main())
