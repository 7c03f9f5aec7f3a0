"""S17: filters find what going through everything finds, and nothing else, however they are meant.

`python -m tests.chaos.s17 --level ci|nightly [--count 3000] [--mutant deaf|loose]` from the root of the repository. The
embedded platform in this process and server mode over its own MongoDB, RabbitMQ, Redis and Elasticsearch get the same
in their lists and the same hostile questions: to flows, stores, records, files, charts, users and the log. Each answer
must be the page that brute force finds in the platform's own list, or 400, in little processor time and with nothing of
another tenant.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import sys
from pathlib import Path

from tests.api.conftest import SETTINGS, open_people
from tests.api.filtering import Report, ask_everything
from tests.api.people import people_at
from tests.api.progress import told
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, play
from tests.system.cluster import Backing, cluster
from tests.system.services import ALL

LEVELS = {"short": 1_000, "ci": 10_000, "nightly": 50_000}


def main() -> int:
    parser = command(__doc__, LEVELS, "deaf or loose")
    parser.add_argument("--count", type=int, help="questions, in place of the level's")
    chosen = parser.parse_args()
    count = chosen.count or LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder, Backing(folder / "backing") as backing:
        one_of_each = dict.fromkeys(ALL, 1)
        keys = base64.b64encode(secrets.token_bytes(32)).decode()
        own = {**SETTINGS, "HEADRACE_VAULT_KEYS": keys}
        services = cluster(folder / "services", backing.settings, replicas=one_of_each, **own)
        try:
            services.start()
            url = f"http://127.0.0.1:{services.port}"

            def run() -> Report:
                return asyncio.run(_ask(folder / "embedded", url, count, chosen.seed, chosen.mutant))

            return play(chosen, [f"{count} hostile questions at each of two platforms"], run)
        finally:
            services.end()


async def _ask(folder: Path, url: str, count: int, seed: int, mutant: str) -> Report:
    async with open_people(folder) as embedded, people_at(url) as served:
        people, telling = {"embedded": embedded, "server": served}, told("questions asked")
        return await ask_everything(people, count, seed, mutant=mutant, asked_so_far=telling)


if __name__ == "__main__":
    sys.exit(main())
