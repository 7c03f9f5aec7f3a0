"""S1: HTTP never breaks, whatever arrives.

`python -m tests.chaos.s1 --level ci|nightly [--count 20000] [--mutant fail|block]` from the root of the repository. The
whole platform runs in this process; requests are made from its live routes and a seed, bent in up to four places, and
sent by eight callers of three roles and none. Each must be answered below 500, or with 503 and the time to come back,
refusals in the one shape; and no request may keep the loop busy for more than 200 ms of processor time. Then a
platform of its own is called by the served document, by Schemathesis, as each role, with the same seed.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from tests.api import by_document
from tests.api.fuzzing import Report, fuzz
from tests.api.progress import told
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, play
from tests.system.process import Process

LEVELS = {"short": (2_000, 20), "ci": (100_000, 60), "nightly": (500_000, 300)}
"""Requests of the fuzzer, and seconds of each phase of Schemathesis for each role."""


def main() -> int:
    parser = command(__doc__, LEVELS, "fail or block")
    parser.add_argument("--count", type=int, help="requests of the fuzzer, in place of the level's")
    chosen = parser.parse_args()
    count, seconds = LEVELS[chosen.level]
    count = chosen.count or count
    with served_folder(chosen.keep) as folder:

        def run() -> Report:
            telling = told("requests sent")
            report = asyncio.run(fuzz(folder / "data", count, chosen.seed, mutant=chosen.mutant, sent_so_far=telling))
            for role in by_document.ROLES if not chosen.mutant else ():
                _call_by_document(folder / role, role, seconds, report)
            return report

        return play(chosen, [f"{count} hostile requests, and {seconds} s of calls by the document"], run)


def _call_by_document(folder: Path, role: str, seconds: int, report: Report) -> None:
    folder.mkdir()
    platform = Process(folder, **by_document.SETTINGS)
    platform.start()
    try:
        called = by_document.call_by_document(platform, role, folder, seed=report.seed, seconds=seconds)
    finally:
        platform.end(signal.SIGKILL)
    report.by_document += called.generated
    if not called.holds:
        report.failures.append(f"by the document, as {role}: {called.complaint}")


if __name__ == "__main__":
    sys.exit(main())
