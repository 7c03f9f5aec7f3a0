"""S1: HTTP never breaks, whatever arrives.

`python -m tests.chaos.s1 --level ci|nightly [--mutant fail|block]` from the root of the repository. The whole platform
runs in this process; requests are made from its live routes and a seed, bent in up to four places, and sent by eight
callers of three roles and none. Each must be answered below 500, or with 503 and the time to come back, refusals in
the one shape; and no request may keep the loop busy for more than 200 ms of processor time.
"""

from __future__ import annotations

import asyncio
import sys

from tests.api.fuzzing import Report, fuzz
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, play

LEVELS = {"short": 2_000, "ci": 100_000, "nightly": 500_000}


def main() -> int:
    chosen = command(__doc__, LEVELS, "fail or block").parse_args()
    count = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:

        def run() -> Report:
            return asyncio.run(fuzz(folder / "data", count, chosen.seed, mutant=chosen.mutant))

        return play(chosen, [f"{count} hostile requests"], run)


if __name__ == "__main__":
    sys.exit(main())
